//! Fuzz targets of the protocol core, as functions that panic when a promise is broken.
//!
//! The programs in `fuzz_targets` hand them to libFuzzer; the replay test runs them over the committed corpora on a
//! stable compiler. `cargo run -p rustuya-fuzz --example seed` writes the seeds of the corpora from the golden vectors.

mod announcement;
mod device_ops;
mod frame;
mod input;
mod json;
mod machines;
mod seeds;
mod session;
mod tap;

pub use announcement::announcement;
pub use device_ops::device_ops;
pub use frame::{frame, survives};
pub use json::json;
pub use seeds::{Seed, TARGETS, Target, seeds};
pub use session::session;
