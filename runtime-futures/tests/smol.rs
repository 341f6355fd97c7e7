//! Scenarios with smol.

#[allow(dead_code, reason = "the example's own program is not run here")]
#[path = "../examples/smol.rs"]
mod example;
#[macro_use]
mod common;

scenarios!(smol::block_on, example::Smol);
