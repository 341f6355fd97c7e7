//! Many devices as one.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::DeviceId;

use crate::address::{Address, VersionSpec};
use crate::device::{Device, DeviceBuilder};
use crate::error::{AddError, ConfigError};
use crate::event::ManagerEvent;
use crate::info::DeviceInfo;
use crate::link::Ask;
use crate::listener::{Bounds, Hub, Listener};
use crate::memory;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::text;

/// Many devices, with one stream of events. Clones are the same manager.
///
/// The devices live in a [`Registry`], which several managers can share: a device that two of them hold has one
/// connection. When the last clone of a manager is dropped it lets go of its devices.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let registry = Registry::builder(Tokio).without_discovery().build();
/// let manager = Manager::new(&registry);
/// let mut events = manager.listener();
/// manager.add("bf0123456789abcdefgh", lamp.local_addr(), "0123456789abcdef", "3.4")?;
/// let device = manager.get("bf0123456789abcdefgh").ok_or("was added")?;
/// device.set_value(1, true).acknowledged().await?;
/// manager.shutdown().await; // ends the listener, too
/// while let Some(news) = events.recv().await {
///     println!("{}: {:?}", news.device_id, news.event);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Manager(Arc<Member>);

#[derive(Debug)]
struct Member {
    registry: Registry,
    shared: Arc<Shared>,
}

/// What the registry knows of a manager.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Changed under the registry's lock only, so that both always agree.
    devices: Mutex<Devices>,
    hub: Arc<Hub<ManagerEvent>>,
}

#[derive(Debug, Default)]
struct Devices {
    all: BTreeMap<Arc<str>, Device>,
    /// None will be added any more.
    closed: bool,
}

/// What waits for one slow listener at most.
const BOUNDS: Bounds = Bounds { entries: 16_384, most: 65_536, bytes: memory::MANAGER_BACKLOG };

impl Manager {
    /// A manager without devices.
    pub fn new(registry: &Registry) -> Self {
        let hub = Arc::new(Hub::new(Bounds { bytes: registry.backlog(), ..BOUNDS }));
        let shared = Arc::new(Shared { devices: Mutex::default(), hub });
        Self(Arc::new(Member { registry: registry.clone(), shared }))
    }

    /// Adds a device, at an address or `"Auto"`, of a version or `"Auto"`. If there is one with this id and anything
    /// of the three is different, it is reconfigured in place, for everybody who holds it; its other settings stay.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
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
    /// [`AddError::DuplicateDevice`] when this manager has the very same device already; [`AddError::Config`] for
    /// what cannot describe a device; [`AddError::Discovery`] when it is to be found and cannot be listened for.
    pub fn add<A, V>(&self, id: &str, address: A, local_key: &str, version: V) -> Result<Device, AddError>
    where
        A: TryInto<Address>,
        V: TryInto<VersionSpec>,
        ConfigError: From<A::Error> + From<V::Error>,
    {
        let address = address.try_into().map_err(ConfigError::from)?;
        let VersionSpec(version) = version.try_into().map_err(ConfigError::from)?;
        let (device_id, local_key) = (DeviceId::new(id)?, text::local_key(local_key)?);
        self.register(id, |known| {
            let builder = match known {
                Some(known) => known.local_key(local_key.clone()),
                None => Device::builder_with(device_id.clone(), local_key.clone()),
            };
            builder.address(address.clone()).version(version)
        })
    }

    /// As [`add`](Self::add), with everything that can be said of a device. All of it counts in the comparison.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
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
        self.register(id.as_str(), |_| builder.clone())
    }

    /// A device that others in the registry may have already: then this manager holds it, too, and it is not changed.
    /// `describe` is given the description that the device has now, or `None` where it is to be made.
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
    /// [`AddError::Conflict`] when `describe` gives another description than the device has; others as of
    /// [`add`](Self::add), but for [`AddError::DuplicateDevice`].
    pub fn share(
        &self,
        id: &str,
        describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        if self.0.shared.is_closed() {
            return Err(AddError::Closed);
        }
        self.0.registry.share(&self.0.shared, id, describe)
    }

    fn register(
        &self,
        id: &str,
        describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        if self.0.shared.is_closed() {
            return Err(AddError::Closed);
        }
        self.0.registry.add(&self.0.shared, id, describe)
    }

    /// A device of this manager.
    pub fn get(&self, id: &str) -> Option<Device> {
        self.0.shared.devices().all.get(id).cloned()
    }

    /// Lets go of a device. Unless another manager or a handle holds it, its connection ends. Says whether it was
    /// there.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
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
        let (known, _last) = self.0.registry.remove(&self.0.shared, id);
        known
    }

    /// Ends a device for everybody: every manager of the registry lets go of it, every handle is closed. Says whether
    /// it was there.
    pub fn delete(&self, id: &str) -> bool {
        self.0.registry.delete(id)
    }

    /// All devices of this manager, ordered by id.
    pub fn devices(&self) -> Vec<Device> {
        self.0.shared.devices().all.values().cloned().collect()
    }

    /// What is known of all devices of this manager, ordered by id.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
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

    /// Waits until every device is connected, and has answered if it was asked for its state, or has a diagnosis; until
    /// `timeout` at the latest. Connects devices whose connection is not kept. Returns what is known of all devices,
    /// ordered by id: [`DeviceInfo::is_settled`] is false for those that were waited for in vain.
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
    /// Safe: nothing is changed by waiting.
    pub async fn wait_settled(&self, timeout: Duration) -> Vec<DeviceInfo> {
        let devices = self.devices();
        let wait = |device: &Device| device.ask(Ok(Ask::Diagnosis), None).timeout(timeout).acknowledged();
        let mut waits: Vec<_> = devices.iter().map(wait).collect();
        // All of them begin now: the time limit is that of the whole.
        poll_fn(|cx| {
            waits.retain_mut(|wait| Pin::new(wait).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        for wait in waits {
            // What came of it is in the list.
            let _ = wait.await;
        }
        devices.iter().map(DeviceInfo::new).collect()
    }

    /// How many devices this manager has.
    pub fn len(&self) -> usize {
        self.0.shared.devices().all.len()
    }

    /// Whether this manager has no devices.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets go of all devices, as [`remove`](Self::remove).
    pub fn clear(&self) {
        for device in self.devices() {
            self.remove(device.id());
        }
    }

    /// Receives what happens to all devices, those that are added later included.
    pub fn listener(&self) -> Listener<ManagerEvent> {
        self.0.shared.hub.listener()
    }

    /// The counters of all devices together.
    pub fn metrics(&self) -> Metrics {
        let mut sum = Metrics::default();
        self.devices().iter().for_each(|device| sum.add(&device.metrics()));
        sum
    }

    /// Ends every device that no other manager holds, answers their pending commands, and returns when their
    /// connections are closed, a second later at most. Listeners end, and no device can be added any more.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
    /// #     .start()
    /// #     .await?;
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
    /// Safe: the end goes on.
    pub async fn shutdown(&self) {
        let closing = self.0.registry.leave(&self.0.shared, true);
        closing.iter().for_each(Device::start_close);
        self.0.shared.end_listeners();
        for device in closing {
            device.close().await;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.registry.leave(&self.shared, false));
        self.shared.end_listeners();
    }
}

impl Shared {
    /// Takes a device in. Gives back the one that it had in its place. To be called under the registry's lock.
    pub(crate) fn hold(&self, device: &Device) -> Option<Device> {
        device.link().quietly(|engine| engine.news().attach(&self.hub));
        self.devices().all.insert(Arc::clone(&device.link().id), device.clone())
    }

    /// Lets go of a device, or only of this one of that name, and gives it back. To be called under the registry's
    /// lock.
    pub(crate) fn forget(&self, id: &str, only: Option<&Device>) -> Option<Device> {
        let mut devices = self.devices();
        devices.all.get(id).filter(|known| only.is_none_or(|only| only == *known))?;
        let device = devices.all.remove(id)?;
        drop(devices);
        device.link().quietly(|engine| engine.news().detach(&self.hub));
        Some(device)
    }

    /// Lets go of all devices, and gives them back. To be called under the registry's lock.
    pub(crate) fn close(&self) -> Vec<Device> {
        let mut devices = self.devices();
        devices.closed = true;
        let all: Vec<Device> = core::mem::take(&mut devices.all).into_values().collect();
        drop(devices);
        all.iter().for_each(|device| device.link().quietly(|engine| engine.news().detach(&self.hub)));
        all
    }

    /// Whether no device can be added any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.devices().closed
    }

    fn end_listeners(&self) {
        let mut wakes = Vec::new();
        self.hub.close(&mut wakes);
        wakes.into_iter().for_each(core::task::Waker::wake);
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
