//! Registry of the devices of a program.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use super::error::AddError;
use super::members::Members;
use crate::device::{Device, DeviceBuilder, WeakDevice};
use crate::discovery::Discovery;
use crate::driver::Runtime;
use crate::link::Env;
use crate::report::memory;
use crate::sync::{Mutex, MutexGuard};

/// Holds each device once, however many [`Manager`](crate::Manager)s share it. Clones are the same registry; there is
/// no global one.
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
    /// Queue limit of each listener of a manager, in bytes.
    backlog: usize,
    devices: Mutex<Devices>,
    /// Locked while the runtime starts to listen, so that two threads do not start it twice.
    discovery_mode: Mutex<DiscoveryMode>,
}

/// Devices of a registry.
#[derive(Default)]
struct Devices {
    /// Devices that managers hold.
    held: HashMap<Arc<str>, Entry>,
    /// Last device of each id, as long as a handle exists.
    known: HashMap<Arc<str>, WeakDevice>,
    /// Number of entries in `known` at which dropped ones are removed.
    sweep_at: usize,
}

impl Devices {
    /// Returns the device of this id, which may be closed. Do not drop it under the lock.
    fn find(&self, id: &str) -> Option<Device> {
        self.known.get(id).and_then(WeakDevice::upgrade)
    }

    /// Registers a new device.
    fn register(&mut self, device: &Device) {
        const FEW: usize = 64;
        if self.known.len() >= self.sweep_at.max(FEW) {
            self.known.retain(|_, known| !known.is_dropped());
            self.sweep_at = 2 * self.known.len();
        }
        self.known.insert(Arc::clone(&device.link().id), WeakDevice::new(device));
    }

    /// Removes a device that is about to close.
    fn unregister(&mut self, device: &Device) {
        if self.known.get(device.id()).is_some_and(|known| known.is(device)) {
            self.known.remove(device.id());
        }
    }

    /// Ensures that the registry holds this device for managers. Returns the entry that it replaces.
    fn ensure_held(&mut self, device: &Device) -> Result<Option<Entry>, Replaced> {
        match self.held.get(device.id()) {
            Some(entry) if entry.device == *device => return Ok(None),
            Some(entry) if !entry.device.is_closed() => return Err(Replaced),
            _ => {}
        }
        if !self.known.get(device.id()).is_some_and(|known| known.is(device)) {
            return Err(Replaced);
        }
        let entry = Entry { device: device.clone(), holders: Vec::new() };
        Ok(self.held.insert(Arc::clone(&device.link().id), entry))
    }
}

/// Another device has this id by now.
struct Replaced;

struct Entry {
    device: Device,
    holders: Vec<Weak<Members>>,
}

impl Entry {
    /// Removes the device from every manager. Pass the returned devices to [`drop_unlocked`] once the registry's lock
    /// is free.
    fn remove_from_managers(&self) -> Vec<Device> {
        let managers = self.holders.iter().filter_map(Weak::upgrade);
        managers.filter_map(|manager| manager.remove_device(self.device.id(), Some(&self.device))).collect()
    }
}

/// Drops handles that were removed from a list, once its lock is free.
fn drop_unlocked(devices: impl IntoIterator<Item = Device>) {
    devices.into_iter().for_each(|device| device.link().flush_wakes());
}

/// Handling of a device that the registry has already.
#[derive(Clone, Copy, Debug)]
pub(super) enum Existing {
    /// Reconfigures it as described.
    Reconfigure,
    /// Leaves it as it is, and refuses another description.
    Keep,
}

enum DiscoveryMode {
    /// Starts with the first device.
    Lazy,
    /// Started by the registry.
    Started(Discovery),
    /// Supplied by the user.
    Supplied(Discovery),
    Off,
}

/// Default limit of simultaneous dials.
const DIALS_AT_ONCE: usize = 128;

impl Registry {
    /// Makes a registry with defaults, whose devices run in the background of `runtime`.
    pub fn new(runtime: impl Runtime) -> Self {
        Self::builder(runtime).build()
    }

    /// Configures a registry; everything has a default.
    pub fn builder(runtime: impl Runtime) -> RegistryBuilder {
        RegistryBuilder {
            runtime: Arc::new(runtime),
            dials_at_once: DIALS_AT_ONCE,
            memory_limit: memory::REGISTRY,
            backlog_limit: memory::MANAGER_BACKLOG,
            discovery_mode: DiscoveryMode::Lazy,
        }
    }

    /// Returns the queue limit of each listener of a manager, in bytes.
    pub(super) fn backlog(&self) -> usize {
        self.0.backlog
    }

    /// Returns the number of devices that managers hold.
    pub fn len(&self) -> usize {
        self.devices().held.len()
    }

    /// Returns whether managers hold no devices.
    pub fn is_empty(&self) -> bool {
        self.devices().held.is_empty()
    }

    /// Closes every device, answers every pending command, and returns once all connections are closed. Managers are
    /// empty afterwards and can be filled again.
    ///
    /// # Cancel safety
    /// Safe: closing goes on.
    pub async fn shutdown(&self) {
        for device in self.end_all() {
            device.close().await;
        }
    }

    /// Starts to close every device.
    fn end_all(&self) -> Vec<Device> {
        let mut devices = self.devices();
        let entries: Vec<Entry> = devices.held.drain().map(|(_, entry)| entry).collect();
        let removed: Vec<Device> = entries.iter().flat_map(Entry::remove_from_managers).collect();
        let all: Vec<Device> = devices.known.drain().filter_map(|(_, known)| known.upgrade()).collect();
        drop(devices);
        all.iter().for_each(Device::start_close);
        drop_unlocked(removed);
        self.stop_discovery();
        all
    }

    /// Adds a device for a manager, or lets the manager share it. `describe` receives the present configuration of the
    /// device, if there is one, and is called again if that has changed meanwhile.
    pub(super) fn add(
        &self,
        manager: &Arc<Members>,
        id: &str,
        existing: Existing,
        mut describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        // Device that the manager began to share during this call.
        let mut joined = None;
        loop {
            if manager.is_closed() {
                return Err(AddError::Closed);
            }
            let known = self.devices().find(id);
            let added = match (known.filter(|device| !device.is_closed()), existing) {
                (None, _) => self.add_new(manager, id, describe(None))?,
                (Some(device), Existing::Reconfigure) => self.add_known(manager, device, &mut describe, &mut joined)?,
                (Some(device), Existing::Keep) => self.share_known(manager, device, &mut describe)?,
            };
            if let Some(device) = added {
                return Ok(device);
            }
        }
    }

    /// Lets a manager share a device as it is; `None` if the caller must try again.
    fn share_known(
        &self,
        manager: &Arc<Members>,
        device: Device,
        describe: &mut impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Option<Device>, AddError> {
        let known = device.config();
        if self.with_discovery(describe(Some(known.clone())))? != known {
            return Err(AddError::Conflict);
        }
        // A manager that holds it already keeps it.
        let mut joined = Some(device.clone());
        let mut as_it_is = |now: Option<DeviceBuilder>| now.unwrap_or_else(|| known.clone());
        self.add_known(manager, device, &mut as_it_is, &mut joined)
    }

    /// Adds a device, unless another thread has added one meanwhile.
    fn add_new(&self, manager: &Arc<Members>, id: &str, builder: DeviceBuilder) -> Result<Option<Device>, AddError> {
        let (device, start) = self.with_discovery(builder)?.prepare(&self.0.env);
        let mut devices = self.devices();
        if manager.is_closed() {
            drop(devices);
            return Err(AddError::Closed);
        }
        let other = devices.find(id);
        if other.as_ref().is_some_and(|other| !other.is_closed()) {
            drop(devices);
            return Ok(None);
        }
        devices.register(&device);
        let entry = Entry { device: device.clone(), holders: vec![Arc::downgrade(manager)] };
        let closed = devices.held.insert(id.into(), entry);
        let mut removed = closed.as_ref().map(Entry::remove_from_managers).unwrap_or_default();
        removed.extend(manager.insert(&device));
        drop(devices);
        drop_unlocked(removed);
        device.link().flush_wakes();
        let undo = Undo { registry: self, manager, device: &device };
        start.drive(&*self.0.runtime);
        core::mem::forget(undo);
        Ok(Some(device))
    }

    /// Lets a manager share a device, and reconfigures it as described; `None` if the caller must try again.
    fn add_known(
        &self,
        manager: &Arc<Members>,
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
        let Ok(closed) = devices.ensure_held(&device) else { return Ok(None) };
        let mut removed = closed.as_ref().map(Entry::remove_from_managers).unwrap_or_default();
        let Some(entry) = devices.held.get_mut(device.id()) else { return Ok(None) };
        let holds = entry.holders.iter().any(|holder| holder.as_ptr() == Arc::as_ptr(manager));
        let before = joined.as_ref() == Some(&device);
        if holds && !before && known == builder {
            return Err(AddError::DuplicateDevice);
        }
        if !holds {
            entry.holders.retain(|holder| holder.strong_count() > 0);
            entry.holders.push(Arc::downgrade(manager));
            removed.extend(manager.insert(&device));
            *joined = Some(device.clone());
        }
        drop(devices);
        drop_unlocked(removed);
        device.link().flush_wakes();
        let done = known == builder || device.replace(builder, Some(revision))?;
        Ok(done.then_some(device))
    }

    /// Removes a device from a manager; the registry drops it with the last manager. Returns whether the manager had
    /// it, and the device if this manager was the last.
    pub(super) fn remove(&self, manager: &Members, id: &str) -> (bool, Option<Device>) {
        let mut devices = self.devices();
        let removed = manager.remove_device(id, None);
        let last = Self::release_share(&mut devices, manager, id);
        drop(devices);
        let known = removed.is_some();
        drop_unlocked(removed);
        (known, last)
    }

    /// Closes a manager: removes it from all devices. Returns those that no other manager holds; if the caller `ends`
    /// them, they cannot be found any more.
    pub(super) fn close_manager(&self, manager: &Members, ends: bool) -> Vec<Device> {
        let mut devices = self.devices();
        let removed = manager.close();
        let last: Vec<Device> =
            removed.iter().filter_map(|device| Self::release_share(&mut devices, manager, device.id())).collect();
        if ends {
            last.iter().for_each(|device| devices.unregister(device));
        }
        drop(devices);
        drop_unlocked(removed);
        last
    }

    fn release_share(devices: &mut Devices, manager: &Members, id: &str) -> Option<Device> {
        let entry = devices.held.get_mut(id)?;
        entry.holders.retain(|holder| holder.strong_count() > 0 && !core::ptr::eq(holder.as_ptr(), manager));
        if entry.holders.is_empty() { devices.held.remove(id).map(|entry| entry.device) } else { None }
    }

    /// Closes a device for everybody.
    pub(super) fn delete(&self, id: &str) -> bool {
        let mut devices = self.devices();
        let entry = devices.held.remove(id);
        if let Some(entry) = &entry {
            devices.unregister(&entry.device);
        }
        let removed = entry.as_ref().map(Entry::remove_from_managers).unwrap_or_default();
        drop(devices);
        if let Some(entry) = &entry {
            entry.device.start_close();
        }
        drop_unlocked(removed);
        entry.is_some()
    }

    fn stop_discovery(&self) {
        let mut discovery_mode = self.0.discovery_mode.lock().unwrap_or_else(PoisonError::into_inner);
        if let DiscoveryMode::Started(_) = &*discovery_mode {
            let started = core::mem::replace(&mut *discovery_mode, DiscoveryMode::Lazy);
            drop(discovery_mode);
            drop(started);
        }
    }

    fn with_discovery(&self, builder: DeviceBuilder) -> Result<DeviceBuilder, AddError> {
        if builder.discovery.is_some() {
            return Ok(builder);
        }
        let mut discovery_mode = self.0.discovery_mode.lock().unwrap_or_else(PoisonError::into_inner);
        if let DiscoveryMode::Lazy = &*discovery_mode {
            match Discovery::builder().start_in(&*self.0.runtime) {
                Ok(discovery) => *discovery_mode = DiscoveryMode::Started(discovery),
                Err(error) if builder.config.address.is_none() => return Err(AddError::Discovery(error)),
                Err(error) => tracing::debug!(%error, "announcements cannot be received"),
            }
        }
        Ok(match &*discovery_mode {
            DiscoveryMode::Started(discovery) | DiscoveryMode::Supplied(discovery) => builder.discovery(discovery),
            DiscoveryMode::Lazy | DiscoveryMode::Off => builder,
        })
    }

    fn devices(&self) -> MutexGuard<'_, Devices> {
        self.0.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a device from the registry again if the runtime panics instead of driving it.
struct Undo<'a> {
    registry: &'a Registry,
    manager: &'a Members,
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

/// Configuration of a [`Registry`]; made by [`Registry::builder`].
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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
    discovery_mode: DiscoveryMode,
}

impl RegistryBuilder {
    /// Limits simultaneous dials; 128 by default, at least 1. Other devices wait for their turn. A dial counts until it
    /// is answered, for half a second at most, so that neither unused addresses nor devices that accept and stay silent
    /// block others.
    pub fn dials_at_once(mut self, most: usize) -> Self {
        self.dials_at_once = most.max(1);
        self
    }

    /// Limits the memory for the state of all devices together, in bytes; 8,388,608 by default: a thousand ordinary
    /// devices, or thirty large gateways. Each device has 4096 in any case. Values without room are reported as
    /// [`Event::ValuesDropped`](crate::Event::ValuesDropped).
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Limits the events queued for each listener of a [`Manager`](crate::Manager), in bytes; 8,388,608 by default, at
    /// least 1024. A listener that does not keep up loses the oldest and receives their number.
    pub fn backlog_limit(mut self, bytes: usize) -> Self {
        self.backlog_limit = bytes.max(memory::LEAST);
        self
    }

    /// Discovers devices by this service. By default one is started on the usual ports when the first device is added.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.discovery_mode = DiscoveryMode::Supplied(discovery.clone());
        self
    }

    /// Receives no announcements: devices need an address, and reconnect by the clock alone.
    pub fn without_discovery(mut self) -> Self {
        self.discovery_mode = DiscoveryMode::Off;
        self
    }

    /// Makes the registry.
    pub fn build(self) -> Registry {
        Registry(Arc::new(Inner {
            runtime: self.runtime,
            env: Env::new(self.dials_at_once, self.memory_limit),
            backlog: self.backlog_limit,
            devices: Mutex::default(),
            discovery_mode: Mutex::new(self.discovery_mode),
        }))
    }
}

impl core::fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RegistryBuilder").field("dials_at_once", &self.dials_at_once).finish_non_exhaustive()
    }
}

#[cfg(all(test, rustuya_loom))]
mod models;
