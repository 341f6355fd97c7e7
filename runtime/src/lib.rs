#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod address;
mod buffers;
mod clock;
pub mod convert;
mod destination;
mod device;
mod devices_file;
mod discovery;
mod dp;
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
pub mod polled;
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
pub mod tap;
pub mod text;
mod wipe;

pub use address::{Address, VersionSpec};
pub use buffers::{Buffers, Pool, loss};
pub use clock::{Clock, unix_time};
pub use destination::{Candidates, Destination, LookingUp, look_up};
pub use device::{Device, DeviceBuilder};
pub use devices_file::{DeviceEntry, DevicesFile, DevicesFileError};
pub use discovery::{
    Counts, DiscoveredDevice, Discovery, DiscoveryAction, DiscoveryBuilder, DrivenDiscovery, LARGEST_DATAGRAM, Network,
    NetworkError, Scan, Scanner, Sweep, Swept, bind_shared,
};
pub use dp::{Dp, DpValues, IntoDps};
pub use error::{AddError, CommandError, ConfigError};
pub use event::{Event, Failed, ManagerEvent, Message};
pub use info::DeviceInfo;
pub use link::{Action, DrivenLink};
pub use listener::{Entry, Listener, Source};
pub use manager::Manager;
pub use metrics::{Latency, Metrics};
pub use pacing::Pacing;
pub use query::Queried;
pub use registry::{Registry, RegistryBuilder};
pub use reply::Reply;
pub use runtime::{DirectWriter, Runtime, Transport, reset_on_drop};
pub use rustuya_proto as proto;
pub use rustuya_proto::{
    Cid, CommandCode, DeviceId, Dialect, DownReason, LocalKey, Repeated, SendError, SightingKind, Timing, Version,
};
pub use sending::{Acknowledged, Confirmed, Sending};
pub use shortage::{is_out_of_descriptors, need_descriptors, unresolved};
pub use sources::Sources;
pub use state::{DpReading, Stale, State};
pub use sub_device::SubDevice;
