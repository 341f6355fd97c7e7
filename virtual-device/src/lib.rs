#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

mod behavior;
mod client;
mod datum;
mod device;
mod door;
mod error;
mod form;
mod listing;
mod profile;
mod server;
mod spec;
mod store;

pub use client::{Request, UnfitWrite};
pub use device::{VirtualDevice, VirtualDeviceBuilder};
pub use error::SimulationError;
pub use profile::{Profile, UnknownProfile};
pub use rustuya_proto::{Dialect, Quirks, Unfit, Version};
pub use rustuya_runtime::Listener;
