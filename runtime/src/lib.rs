#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod device;
mod devices_file;
mod discovery;
pub mod driver;
mod fleet;
mod io;
mod link;
mod report;
mod scanner;
mod sync;
pub mod tap;
pub mod text;
mod wipe;

pub use device::{
    Acknowledged, Address, Confirmed, Device, DeviceBuilder, DeviceInfo, Dp, DpValues, IntoDps, QueryReply, Sending,
    SubDevice, VersionSpec,
};
pub use devices_file::{DeviceEntry, DevicesFile, DevicesFileError};
pub use discovery::{Counts, DiscoveredDevice, Discovery, DiscoveryBuilder, Network, NetworkError, SweepEvent};
pub use fleet::{AddError, Manager, Registry, RegistryBuilder};
pub use io::shortage::{is_out_of_descriptors, need_descriptors};
pub use link::Pacing;
pub use report::convert;
pub use report::entry::Entry;
pub use report::error::{CommandError, ConfigError};
pub use report::event::{Event, Failed, ManagerEvent, Message};
pub use report::listener::Listener;
pub use report::metrics::{Latency, Metrics};
pub use report::reply::Reply;
pub use report::state::{DpReading, Stale, State};
pub use rustuya_proto as proto;
pub use rustuya_proto::{
    Cid, CommandCode, DeviceId, Dialect, DownReason, LocalKey, Repeated, SendError, SightingKind, Timing, Version,
};
pub use scanner::{Scan, Scanner, Sweep};
