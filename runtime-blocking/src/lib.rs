#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod builder;
mod deadlines;
mod device;
mod device_task;
mod discovery;
mod discovery_task;
mod gateway;
mod listener;
mod manager;
mod next;
mod poll_thread;
mod registry;
mod scanner;
mod scheduler;
mod sending;
mod start;
mod sub_device;
mod sync;
mod task_queue;
mod wait;

pub use builder::DeviceBuilder;
pub use device::Device;
pub use discovery::{Discovery, DiscoveryBuilder};
pub use listener::Listener;
pub use manager::Manager;
pub use poll_thread::PollThread;
pub use registry::{Registry, RegistryBuilder};
pub use rustuya_runtime::{
    AddError, Address, Cid, CommandCode, CommandError, ConfigError, Counts, DeviceEntry, DeviceId, DeviceInfo,
    DevicesFile, DevicesFileError, Dialect, DiscoveredDevice, DownReason, Dp, DpReading, DpValues, Entry, Event,
    Failed, IntoDps, Latency, LocalKey, ManagerEvent, Message, Metrics, Network, NetworkError, Pacing, QueryReply,
    Repeated, Reply, SendError, SightingKind, Stale, State, SweepEvent, Timing, Version, VersionSpec, convert,
    is_out_of_descriptors, need_descriptors, proto, tap, text,
};
pub use scanner::{Scan, Scanner, Sweep};
pub use sending::Sending;
pub use sub_device::SubDevice;
