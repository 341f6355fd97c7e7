//! Summary of one device, for lists.

use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{DownReason, Version};

use super::handle::Device;

/// State of a device at one moment.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
/// # manager.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
/// for info in manager.list() {
///     match info.down {
///         Some(reason) => println!("{}: {reason}: {}", info.id, reason.advice()),
///         None => println!("{}: seen {:?} ago", info.id, info.last_seen),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Device id.
    pub id: Arc<str>,
    /// Configured or discovered address.
    pub address: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// Configured or detected version.
    pub version: Option<Version>,
    /// Whether the connection is usable.
    pub connected: bool,
    /// Time since the last frame or announcement.
    pub last_seen: Option<Duration>,
    /// Product id, if the device has announced one.
    pub product_key: Option<Arc<str>>,
    /// Why it is not usable, or was not since it last was.
    pub down: Option<DownReason>,
}

impl DeviceInfo {
    /// Returns whether the device is connected, or the reason is known why not.
    pub const fn is_settled(&self) -> bool {
        self.connected || self.down.is_some()
    }

    pub(crate) fn new(device: &Device) -> Self {
        device.link().with(|engine, _| {
            let machine = engine.machine();
            Self {
                id: Arc::clone(&device.link().id),
                address: engine.address(),
                port: machine.config().port,
                version: machine.version(),
                connected: machine.is_up(),
                last_seen: engine.last_seen(),
                product_key: engine.product_key(),
                down: machine.diagnosis(),
            }
        })
    }
}
