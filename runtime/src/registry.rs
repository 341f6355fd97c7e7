//! Where the devices of a program live.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustuya_proto::{DownReason, Version};

use crate::device::{Device, DeviceBuilder};
use crate::discovery::Discovery;
use crate::error::AddError;
use crate::link::Env;
use crate::manager::Shared as ManagerShared;
use crate::memory;
use crate::runtime::Runtime;

/// Where devices live, each once, however many [`Manager`](crate::Manager)s hold them. Clones are the same registry;
/// there is none but those that a program makes.
///
/// ```
/// # use rustuya_runtime_tokio::{Manager, Registry, Tokio};
/// let registry = Registry::new(Tokio); // nothing runs yet
/// let (lamps, sensors) = (Manager::new(&registry), Manager::new(&registry));
/// # assert!(lamps.is_empty() && sensors.is_empty());
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    runtime: Arc<dyn Runtime>,
    env: Arc<Env>,
    /// Bytes that wait for each listener of a manager.
    backlog: usize,
    devices: Mutex<HashMap<Arc<str>, Entry>>,
    finding: Mutex<Finding>,
}

struct Entry {
    device: Device,
    holders: Vec<Weak<ManagerShared>>,
}

impl Entry {
    /// Has every manager let go of the device. What is done to it comes when the returned devices are
    /// [let go of](let_go), with the registry's lock free.
    fn forget(&self) -> Vec<Device> {
        let managers = self.holders.iter().filter_map(Weak::upgrade);
        managers.filter_map(|manager| manager.forget(self.device.id(), Some(&self.device))).collect()
    }
}

/// Drops handles that were taken out of a list, once its lock is free.
fn let_go(devices: impl IntoIterator<Item = Device>) {
    devices.into_iter().for_each(|device| device.link().settle());
}

enum Finding {
    /// To be started when the first device is added.
    Later,
    /// Started by the registry.
    Started(Discovery),
    /// Brought along by the user.
    Given(Discovery),
    Off,
}

/// Connections that are made at a time, unless it is said otherwise.
const DIALS_AT_ONCE: usize = 128;

impl Registry {
    /// A registry with defaults, whose devices run in the background of `runtime`.
    pub fn new(runtime: impl Runtime) -> Self {
        Self::builder(runtime).build()
    }

    /// Describes a registry; everything has a default.
    pub fn builder(runtime: impl Runtime) -> RegistryBuilder {
        RegistryBuilder {
            runtime: Arc::new(runtime),
            dials_at_once: DIALS_AT_ONCE,
            memory_limit: memory::REGISTRY,
            backlog_limit: memory::MANAGER_BACKLOG,
            finding: Finding::Later,
        }
    }

    /// Bytes that wait for each listener of a manager.
    pub(crate) fn backlog(&self) -> usize {
        self.0.backlog
    }

    /// How many devices live here.
    pub fn len(&self) -> usize {
        self.devices().len()
    }

    /// Whether no device lives here.
    pub fn is_empty(&self) -> bool {
        self.devices().is_empty()
    }

    /// Ends every device, answers every pending command, and returns when all connections are closed. Managers are
    /// empty afterwards and can be filled again.
    ///
    /// # Cancel safety
    /// Safe: the end goes on.
    pub async fn shutdown(&self) {
        for device in self.end_all() {
            device.close().await;
        }
    }

    /// Begins to end every device.
    fn end_all(&self) -> Vec<Device> {
        let mut devices = self.devices();
        let entries: Vec<Entry> = devices.drain().map(|(_, entry)| entry).collect();
        let forgotten: Vec<Device> = entries.iter().flat_map(Entry::forget).collect();
        drop(devices);
        entries.iter().for_each(|entry| entry.device.start_close());
        let_go(forgotten);
        self.stop_finding();
        entries.into_iter().map(|entry| entry.device).collect()
    }

    /// Adds a device for a manager, or gives the manager a share in it. `describe` is given the description that the
    /// device has now, if there is one; it is called again when that has changed meanwhile.
    pub(crate) fn add(
        &self,
        manager: &Arc<ManagerShared>,
        id: &str,
        mut describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        // The manager got its share in the device while this went on.
        let mut joined = None;
        loop {
            let known = self.devices().get(id).map(|entry| entry.device.clone());
            let added = match known.filter(|device| !device.is_closed()) {
                None => self.add_new(manager, id, describe(None))?,
                Some(device) => self.add_known(manager, device, &mut describe, &mut joined)?,
            };
            if let Some(device) = added {
                return Ok(device);
            }
        }
    }

    /// Adds a device, unless somebody else has done so meanwhile.
    fn add_new(
        &self,
        manager: &Arc<ManagerShared>,
        id: &str,
        builder: DeviceBuilder,
    ) -> Result<Option<Device>, AddError> {
        let (device, start) = self.with_discovery(builder)?.prepare(&self.0.env);
        let mut devices = self.devices();
        if manager.is_closed() {
            drop(devices);
            return Err(AddError::Closed);
        }
        if devices.get(id).is_some_and(|entry| !entry.device.is_closed()) {
            return Ok(None);
        }
        let closed =
            devices.insert(id.into(), Entry { device: device.clone(), holders: vec![Arc::downgrade(manager)] });
        let mut forgotten = closed.as_ref().map(Entry::forget).unwrap_or_default();
        forgotten.extend(manager.hold(&device));
        drop(devices);
        let_go(forgotten);
        device.link().settle();
        let undo = Undo { registry: self, manager, device: &device };
        start.drive(&*self.0.runtime);
        core::mem::forget(undo);
        Ok(Some(device))
    }

    /// Gives a manager a share in a device, and changes that as described; `None` when this is to be tried again.
    fn add_known(
        &self,
        manager: &Arc<ManagerShared>,
        device: Device,
        describe: &mut impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
        joined: &mut Option<Device>,
    ) -> Result<Option<Device>, AddError> {
        let (known, revision) = device.description();
        let builder = self.with_discovery(describe(Some(known.clone())))?;
        let mut devices = self.devices();
        if manager.is_closed() {
            drop(devices);
            return Err(AddError::Closed);
        }
        let Some(entry) = devices.get_mut(device.id()).filter(|entry| entry.device.is(&device)) else {
            return Ok(None);
        };
        let holds = entry.holders.iter().any(|holder| holder.as_ptr() == Arc::as_ptr(manager));
        let before = joined.as_ref().is_some_and(|joined| joined.is(&device));
        if holds && !before && known == builder {
            return Err(AddError::DuplicateDevice);
        }
        let mut forgotten = None;
        if !holds {
            entry.holders.retain(|holder| holder.strong_count() > 0);
            entry.holders.push(Arc::downgrade(manager));
            forgotten = manager.hold(&device);
            *joined = Some(device.clone());
        }
        drop(devices);
        let_go(forgotten);
        device.link().settle();
        let done = known == builder || device.replace(builder, Some(revision))?;
        Ok(done.then_some(device))
    }

    /// Drops a manager's share in a device; the registry lets go of it with the last one. Says whether the manager had
    /// it, and gives the device back when it was the last one.
    pub(crate) fn remove(&self, manager: &ManagerShared, id: &str) -> (bool, Option<Device>) {
        let mut devices = self.devices();
        let forgotten = manager.forget(id, None);
        let last = Self::drop_share(&mut devices, manager, id);
        drop(devices);
        let known = forgotten.is_some();
        let_go(forgotten);
        (known, last)
    }

    /// Closes a manager: drops its shares in all devices. Gives back those that no other manager holds.
    pub(crate) fn leave(&self, manager: &ManagerShared) -> Vec<Device> {
        let mut devices = self.devices();
        let forgotten = manager.close();
        let last = forgotten.iter().filter_map(|device| Self::drop_share(&mut devices, manager, device.id())).collect();
        drop(devices);
        let_go(forgotten);
        last
    }

    fn drop_share(devices: &mut HashMap<Arc<str>, Entry>, manager: &ManagerShared, id: &str) -> Option<Device> {
        let entry = devices.get_mut(id)?;
        entry.holders.retain(|holder| holder.strong_count() > 0 && !core::ptr::eq(holder.as_ptr(), manager));
        if entry.holders.is_empty() { devices.remove(id).map(|entry| entry.device) } else { None }
    }

    /// Ends a device for everybody.
    pub(crate) fn delete(&self, id: &str) -> bool {
        let mut devices = self.devices();
        let entry = devices.remove(id);
        let forgotten = entry.as_ref().map(Entry::forget).unwrap_or_default();
        drop(devices);
        if let Some(entry) = &entry {
            entry.device.start_close();
        }
        let_go(forgotten);
        entry.is_some()
    }

    fn stop_finding(&self) {
        let mut finding = self.0.finding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Finding::Started(_) = &*finding {
            let started = core::mem::replace(&mut *finding, Finding::Later);
            drop(finding);
            drop(started);
        }
    }

    fn with_discovery(&self, builder: DeviceBuilder) -> Result<DeviceBuilder, AddError> {
        if builder.discovery.is_some() {
            return Ok(builder);
        }
        let mut finding = self.0.finding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Finding::Later = &*finding {
            match Discovery::builder().start_in(&*self.0.runtime) {
                Ok(discovery) => *finding = Finding::Started(discovery),
                Err(error) if builder.config.address.is_none() => return Err(AddError::Discovery(error)),
                Err(error) => tracing::debug!(%error, "announcements cannot be received"),
            }
        }
        Ok(match &*finding {
            Finding::Started(discovery) | Finding::Given(discovery) => builder.discovery(discovery),
            Finding::Later | Finding::Off => builder,
        })
    }

    fn devices(&self) -> MutexGuard<'_, HashMap<Arc<str>, Entry>> {
        self.0.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a device out of the registry again, where the runtime panics instead of driving it.
struct Undo<'a> {
    registry: &'a Registry,
    manager: &'a ManagerShared,
    device: &'a Device,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.registry.remove(self.manager, self.device.id());
    }
}

impl core::fmt::Debug for Registry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Registry").field("devices", &self.len()).finish_non_exhaustive()
    }
}

/// How a [`Registry`] is to be; made by [`Registry::builder`].
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let discovery = Discovery::builder()
/// #     .ports([0, 0, 0])
/// #     .bind_address([127, 0, 0, 1].into())
/// #     .active(false)
/// #     .start(&Tokio)?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .announce_to(discovery.local_addrs()[1])
/// #     .announce_every(Duration::from_millis(50))
/// #     .start()
/// #     .await?;
/// let registry = Registry::builder(Tokio).dials_at_once(64).discovery(&discovery).build();
/// // On the usual port this would do: manager.add(id, "Auto", key, "Auto")
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.port(lamp.local_addr().port());
/// let device = Manager::new(&registry).add_with(device)?;
/// # let _ = device;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing before build"]
pub struct RegistryBuilder {
    runtime: Arc<dyn Runtime>,
    dials_at_once: usize,
    memory_limit: usize,
    backlog_limit: usize,
    finding: Finding,
}

impl RegistryBuilder {
    /// How many devices are dialed at a time; 128 by default, at least 1. The others wait in line. A dial counts until it
    /// is answered, half a second at most, so that neither addresses where nobody is nor devices that answer it and then
    /// say nothing hold others up.
    pub fn dials_at_once(mut self, most: usize) -> Self {
        self.dials_at_once = most.max(1);
        self
    }

    /// How many bytes are remembered of all devices together, 8,388,608 by default: a thousand ordinary devices, or thirty
    /// large gateways. Each device has 4096 in any case. Beyond that, what has no room is told as
    /// [`Event::Unkept`](crate::Event::Unkept).
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// How many bytes of events wait for each listener of a [`Manager`](crate::Manager), 8,388,608 by default and 1024 at
    /// least. A listener that does not keep up loses the oldest, and is told how many.
    pub fn backlog_limit(mut self, bytes: usize) -> Self {
        self.backlog_limit = bytes.max(memory::LEAST);
        self
    }

    /// Locates devices by this service. By default one is started on the usual ports when the first device is added.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.finding = Finding::Given(discovery.clone());
        self
    }

    /// Listens for no announcements: devices need an address, and are reconnected by the clock alone.
    pub fn without_discovery(mut self) -> Self {
        self.finding = Finding::Off;
        self
    }

    /// The registry.
    pub fn build(self) -> Registry {
        Registry(Arc::new(Inner {
            runtime: self.runtime,
            env: Env::new(self.dials_at_once, self.memory_limit),
            backlog: self.backlog_limit,
            devices: Mutex::default(),
            finding: Mutex::new(self.finding),
        }))
    }
}

impl core::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RegistryBuilder").field("dials_at_once", &self.dials_at_once).finish_non_exhaustive()
    }
}

/// What is known of a device at one moment.
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
///     match info.down {
///         Some(reason) => println!("{}: {reason}: {}", info.id, reason.advice()),
///         None => println!("{}: heard {:?} ago", info.id, info.last_seen),
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
    /// Where it is, as configured or heard.
    pub address: Option<IpAddr>,
    /// TCP port.
    pub port: u16,
    /// The version that is configured or was found out.
    pub version: Option<Version>,
    /// Whether the connection is usable.
    pub connected: bool,
    /// How long ago it was last heard or seen.
    pub last_seen: Option<Duration>,
    /// Product id, when it has announced one.
    pub product_key: Option<Arc<str>>,
    /// Why it could not be used, since it last could.
    pub down: Option<DownReason>,
}

impl DeviceInfo {
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
