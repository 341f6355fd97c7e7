#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod driver;
mod virtual_device;

pub use driver::{Tokio, TokioHandle};
pub use rustuya_runtime::*;
pub use virtual_device::{Request, SimulationError, VirtualDevice, VirtualDeviceBuilder};
