#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
#[cfg(doctest)]
mod guides;

pub use driver::{Tokio, TokioHandle};
pub use rustuya_runtime::*;
