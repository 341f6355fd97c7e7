//! Fuzz targets of the protocol core, of the runtime and of the command line, as functions that panic when an invariant
//! is broken.
//!
//! The programs in `fuzz_targets` pass them to libFuzzer; the replay test runs them on the committed corpora with a
//! stable compiler. `cargo run -p rustuya-fuzz --example seed` writes the seeds of the corpora from the test vectors.

mod announcement;
mod cli_values;
mod convert;
mod device_ops;
mod devices_file;
mod discovery;
mod emulator;
mod entities;
mod frame;
mod input;
mod json;
mod link;
mod machines;
mod record;
mod seeds;
mod session;
mod tap;

pub use announcement::announcement;
pub use cli_values::cli_values;
pub use convert::convert;
pub use device_ops::device_ops;
pub use devices_file::devices_file;
pub use discovery::discovery;
pub use emulator::emulator;
pub use entities::entities;
pub use frame::{frame, survives};
pub use json::json;
pub use link::link;
pub use record::record;
pub use seeds::{Seed, TARGETS, Target, seeds};
pub use session::session;
