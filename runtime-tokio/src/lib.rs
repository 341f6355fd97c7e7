#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
#[cfg(doctest)]
mod guides;
mod virtual_device;

pub use driver::{Tokio, TokioHandle};
pub use rustuya_proto::Quirks;
pub use rustuya_runtime::*;
pub use virtual_device::{Request, SimulationError, UnfitWrite, VirtualDevice, VirtualDeviceBuilder};
