//! One device: its handle and its sub-devices, their configuration, and the commands that they offer.

mod address;
mod announcements;
mod builder;
mod dp;
mod gateway;
mod handle;
mod identity;
mod info;
mod query;
mod sending;
mod start;
mod sub_device;

pub use address::{Address, VersionSpec};
pub use builder::DeviceBuilder;
pub use dp::{Dp, DpValues, IntoDps};
pub use handle::Device;
pub(crate) use identity::WeakDevice;
pub use info::DeviceInfo;
pub use query::QueryReply;
pub use sending::{Acknowledged, Confirmed, Sending};
pub use sub_device::SubDevice;
