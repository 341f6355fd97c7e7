#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod acceptor;
mod behavior;
mod client;
mod datum;
mod device;
mod error;
mod events;
mod form;
mod listing;
mod profile;
mod server;
mod shared;
mod spec;
mod store;

pub use device::{VirtualDevice, VirtualDeviceBuilder};
pub use error::SimulationError;
pub use events::{RejectedWrite, Request};
pub use profile::{Profile, UnknownProfile};
pub use rustuya_proto::{Dialect, Quirks, Version, WriteError};
pub use rustuya_runtime::Listener;
