#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod address;
mod buffers;
mod clock;
pub mod convert;
mod destination;
mod device;
mod devices_file;
mod discovery;
mod dp;
pub mod driver;
mod effect;
mod error;
mod event;
mod info;
mod limiter;
mod link;
mod listener;
mod manager;
mod memory;
mod metrics;
mod pacing;
mod partial;
mod publisher;
mod query;
mod registry;
mod reply;
mod runtime;
mod sending;
mod shortage;
mod slot;
mod sources;
mod state;
mod sub_device;
mod sync;
pub mod tap;
pub mod text;
mod wipe;

pub use address::{Address, VersionSpec};
pub use device::{Device, DeviceBuilder};
pub use devices_file::{DeviceEntry, DevicesFile, DevicesFileError};
pub use discovery::{
    Counts, DiscoveredDevice, Discovery, DiscoveryBuilder, Network, NetworkError, Scan, Scanner, Sweep, Swept,
};
pub use dp::{Dp, DpValues, IntoDps};
pub use error::{AddError, CommandError, ConfigError};
pub use event::{Event, Failed, ManagerEvent, Message};
pub use info::DeviceInfo;
pub use listener::{Entry, Listener};
pub use manager::Manager;
pub use metrics::{Latency, Metrics};
pub use pacing::Pacing;
pub use query::Queried;
pub use registry::{Registry, RegistryBuilder};
pub use reply::Reply;
pub use rustuya_proto as proto;
pub use rustuya_proto::{
    Cid, CommandCode, DeviceId, Dialect, DownReason, LocalKey, Repeated, SendError, SightingKind, Timing, Version,
};
pub use sending::{Acknowledged, Confirmed, Sending};
pub use shortage::{is_out_of_descriptors, need_descriptors};
pub use state::{DpReading, Stale, State};
pub use sub_device::SubDevice;
