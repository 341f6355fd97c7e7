//! Groups of devices.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::DeviceId;

use super::error::AddError;
use super::members::Members;
use super::registry::{Existing, Registry};
use crate::device::{Address, Device, DeviceBuilder, DeviceInfo, VersionSpec};
use crate::link::Operation;
use crate::report::error::ConfigError;
use crate::report::event::ManagerEvent;
use crate::report::listener::{Bounds, Hub, Listener};
use crate::report::memory;
use crate::report::metrics::Metrics;
use crate::text;

/// A group of devices with one stream of events. Clones are the same manager.
///
/// The devices belong to a [`Registry`], which several managers can share: a device that two of them hold has one
/// connection. Dropping the last clone of a manager releases its devices.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let registry = Registry::builder(Tokio).without_discovery().build();
/// let manager = Manager::new(&registry);
/// let mut events = manager.listener();
/// manager.add("bf0123456789abcdefgh", lamp.local_addr(), "0123456789abcdef", "3.4")?;
/// let device = manager.get("bf0123456789abcdefgh").ok_or("was added")?;
/// device.set_value(1, true).acknowledged().await?;
/// manager.shutdown().await; // ends the listener, too
/// while let Some(event) = events.recv().await {
///     println!("{}: {:?}", event.device_id, event.event);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Manager(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    members: Arc<Members>,
}

/// Queue limits of one slow listener.
const BOUNDS: Bounds = Bounds { entries: 16_384, most: 65_536, bytes: memory::MANAGER_BACKLOG };

impl Manager {
    /// Makes a manager without devices.
    pub fn new(registry: &Registry) -> Self {
        let hub = Arc::new(Hub::new(Bounds { bytes: registry.backlog(), ..BOUNDS }));
        Self(Arc::new(Inner { registry: registry.clone(), members: Arc::new(Members::new(hub)) }))
    }

    /// Adds a device, at an address or `"Auto"`, of a version or `"Auto"`. If there is one with this id and a different
    /// address, key or version, it is reconfigured in place, for everybody who holds it; its other settings stay.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
    /// let device = manager.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", Version::V34)?;
    /// // The same device at another address, as text: the handle from above follows.
    /// manager.add(lamp.id(), "127.0.0.2:6668", "0123456789abcdef", "3.4")?;
    /// assert_eq!((manager.len(), device.address()), (1, "127.0.0.2".parse().ok()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AddError::DuplicateDevice`] if this manager has the very same device already; [`AddError::Config`] for an
    /// invalid argument; [`AddError::Discovery`] if it must be discovered and announcements cannot be received.
    pub fn add<A, V>(&self, id: &str, address: A, local_key: &str, version: V) -> Result<Device, AddError>
    where
        A: TryInto<Address>,
        V: TryInto<VersionSpec>,
        ConfigError: From<A::Error> + From<V::Error>,
    {
        let address = address.try_into().map_err(ConfigError::from)?;
        let VersionSpec(version) = version.try_into().map_err(ConfigError::from)?;
        let (device_id, local_key) = (DeviceId::new(id)?, text::local_key(local_key)?);
        self.0.registry.add(&self.0.members, id, Existing::Reconfigure, |known| {
            let builder = match known {
                Some(known) => known.local_key(local_key.clone()),
                None => Device::builder_with(device_id.clone(), local_key.clone()),
            };
            builder.address(address.clone()).version(version)
        })
    }

    /// As [`add`](Self::add), with all settings of a device. All of them count in the comparison.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
    /// let bulb = Device::builder(lamp.id(), "0123456789abcdef")?
    ///     .address(lamp.local_addr())
    ///     .pacing(Pacing::NONE.gap(Duration::from_millis(100)));
    /// let device = manager.add_with(bulb)?;
    /// # assert_eq!(device.id(), lamp.id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with(&self, builder: DeviceBuilder) -> Result<Device, AddError> {
        let id = builder.config.id.clone();
        self.0.registry.add(&self.0.members, id.as_str(), Existing::Reconfigure, |_| builder.clone())
    }

    /// Holds a device that others in the registry may hold already, without changing it. `describe` receives the
    /// present configuration of the device, or `None` if it must be made.
    ///
    /// ```
    /// # use rustuya_runtime_tokio::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// let registry = Registry::builder(Tokio).without_discovery().build();
    /// let (house, guest) = (Manager::new(&registry), Manager::new(&registry));
    /// let lamp = Device::builder("bf0123456789abcdefgh", "0123456789abcdef")?.address([127, 0, 0, 2]);
    /// let device = house.add_with(lamp.clone())?;
    /// assert_eq!(guest.share(lamp.id(), |_| lamp.clone())?, device); // one connection
    /// let elsewhere = lamp.clone().address([127, 0, 0, 3]);
    /// assert!(matches!(guest.share(lamp.id(), |_| elsewhere.clone()), Err(AddError::Conflict)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AddError::Conflict`] if `describe` returns another configuration than the device has; others as of
    /// [`add`](Self::add), except [`AddError::DuplicateDevice`].
    pub fn share(
        &self,
        id: &str,
        describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        self.0.registry.add(&self.0.members, id, Existing::Keep, describe)
    }

    /// Returns a device of this manager.
    pub fn get(&self, id: &str) -> Option<Device> {
        self.0.members.get(id)
    }

    /// Releases a device. Its connection ends unless another manager or a handle holds it. Returns whether it was
    /// there.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let registry = Registry::builder(Tokio).without_discovery().build();
    /// let (one, two) = (Manager::new(&registry), Manager::new(&registry));
    /// one.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
    /// two.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
    /// assert!(one.remove(lamp.id()));
    /// assert_eq!((one.len(), two.len(), registry.len()), (0, 1, 1)); // the other one keeps it
    /// assert!(two.delete(lamp.id())); // gone for everybody
    /// assert!(registry.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(&self, id: &str) -> bool {
        let (known, _last) = self.0.registry.remove(&self.0.members, id);
        known
    }

    /// Closes a device for everybody: every manager of the registry releases it, and every handle is closed. Returns
    /// whether it was there.
    pub fn delete(&self, id: &str) -> bool {
        self.0.registry.delete(id)
    }

    /// Returns all devices of this manager, ordered by id.
    pub fn devices(&self) -> Vec<Device> {
        self.0.members.devices()
    }

    /// Returns a summary of all devices of this manager, ordered by id.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
    /// # manager.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
    /// for info in manager.list() {
    ///     println!("{} at {:?}, connected: {}, {:?}", info.id, info.address, info.connected, info.down);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(&self) -> Vec<DeviceInfo> {
        self.devices().iter().map(DeviceInfo::new).collect()
    }

    /// Waits until every device is connected, and has answered the query of its state if there was one, or has a
    /// diagnosis; until `timeout` at the latest. Connects devices whose connection is not persistent. Returns a summary
    /// of all devices, ordered by id; [`DeviceInfo::is_settled`] is false for those that did not get that far.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(manager: &Manager) {
    /// for info in manager.wait_settled(Duration::from_secs(20)).await {
    ///     match info.down {
    ///         _ if info.connected => println!("{}: connected", info.id),
    ///         Some(reason) => println!("{}: {reason}: {}", info.id, reason.advice()),
    ///         None => println!("{}: nothing is known yet", info.id),
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn wait_settled(&self, timeout: Duration) -> Vec<DeviceInfo> {
        let devices = self.devices();
        let wait = |device: &Device| device.submit(Ok(Operation::Diagnosis), None).timeout(timeout).acknowledged();
        let mut waits: Vec<_> = devices.iter().map(wait).collect();
        // Start all waits now, so that the time limit is that of the whole.
        poll_fn(|cx| {
            waits.retain_mut(|wait| Pin::new(wait).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        for wait in waits {
            // The summary contains the result.
            let _ = wait.await;
        }
        devices.iter().map(DeviceInfo::new).collect()
    }

    /// Returns the number of devices.
    pub fn len(&self) -> usize {
        self.0.members.len()
    }

    /// Returns whether there are no devices.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Releases all devices, as [`remove`](Self::remove) does.
    pub fn clear(&self) {
        for device in self.devices() {
            self.remove(device.id());
        }
    }

    /// Makes a listener for the events of all devices, including those that are added later.
    pub fn listener(&self) -> Listener<ManagerEvent> {
        self.0.members.listener()
    }

    /// Returns the sums of the counters of all devices.
    pub fn metrics(&self) -> Metrics {
        let mut sum = Metrics::default();
        self.devices().iter().for_each(|device| sum.add(&device.metrics()));
        sum
    }

    /// Closes every device that no other manager holds, answers their pending commands, and returns once their
    /// connections are closed, after a second at most. Listeners end, and no device can be added any more.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
    /// let device = manager.add(lamp.id(), lamp.local_addr(), "0123456789abcdef", "3.4")?;
    /// manager.shutdown().await;
    /// assert!(manager.is_empty());
    /// assert_eq!(device.query().await, Err(CommandError::Closed));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Safe: closing goes on.
    pub async fn shutdown(&self) {
        let closing = self.0.registry.close_manager(&self.0.members, true);
        closing.iter().for_each(Device::start_close);
        self.0.members.end_listeners();
        for device in closing {
            device.close().await;
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.registry.close_manager(&self.members, false));
        self.members.end_listeners();
    }
}
