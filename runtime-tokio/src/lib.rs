#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod driver;
#[cfg(doctest)]
mod guides;

pub use driver::{Tokio, TokioHandle};
pub use rustuya_runtime::driver::Runtime;
pub use rustuya_runtime::{
    Acknowledged, AddError, Address, Cid, CommandCode, CommandError, ConfigError, Confirmed, Counts, Device,
    DeviceBuilder, DeviceEntry, DeviceId, DeviceInfo, DevicesFile, DevicesFileError, Dialect, DiscoveredDevice,
    Discovery, DiscoveryBuilder, DownReason, Dp, DpReading, DpValues, Entry, Event, Failed, IntoDps, Latency, Listener,
    LocalKey, Manager, ManagerEvent, Message, Metrics, Network, NetworkError, Pacing, QueryReply, Registry,
    RegistryBuilder, Repeated, Reply, Scan, Scanner, SendError, Sending, SightingKind, Stale, State, SubDevice, Sweep,
    SweepEvent, Timing, Version, VersionSpec, convert, is_out_of_descriptors, need_descriptors, proto, tap, text,
};
