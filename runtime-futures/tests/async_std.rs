//! Scenarios with async-std.

#[allow(dead_code, reason = "the example's own program is not run here")]
#[path = "../examples/async_std.rs"]
mod example;
#[macro_use]
mod common;

scenarios!(async_std::task::block_on, example::AsyncStd);
