#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
mod net;

pub use driver::Futures;
pub use net::Net;
pub use rustuya_runtime::*;
