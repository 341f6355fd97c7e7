#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod commands;
mod convert;
mod device;
mod discovery;
mod driver;
mod error;
mod event;
mod net;
mod sub_device;
mod virtual_device;

pub use commands::Reply;
pub use device::{Device, DeviceBuilder};
pub use discovery::{Discovery, DiscoveryBuilder, Found};
pub use error::{CommandError, ConfigError};
pub use event::{Event, Listener};
pub use rustuya_proto as proto;
pub use rustuya_proto::{
    Cid, CommandCode, DeviceId, Dialect, DownReason, LocalKey, Quirks, SendError, SightingKind, Timing, Version,
};
pub use sub_device::SubDevice;
pub use virtual_device::{Request, VirtualDevice, VirtualDeviceBuilder};
