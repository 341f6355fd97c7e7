//! Where the devices of a program live.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::device::{Device, DeviceBuilder, WeakDevice};
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
    devices: Mutex<Devices>,
    finding: Mutex<Finding>,
}

/// What lives in a registry.
#[derive(Default)]
struct Devices {
    /// Those that managers hold.
    held: HashMap<Arc<str>, Entry>,
    /// The last one of each id, for as long as anybody holds it.
    known: HashMap<Arc<str>, WeakDevice>,
    /// How many of those may be known before the ones that are gone are looked for.
    sweep_at: usize,
}

impl Devices {
    /// The device of this id, which may be closed. Not to be dropped under the lock.
    fn find(&self, id: &str) -> Option<Device> {
        self.known.get(id).and_then(WeakDevice::upgrade)
    }

    /// Has others find a device that was made.
    fn note(&mut self, device: &Device) {
        const FEW: usize = 64;
        if self.known.len() >= self.sweep_at.max(FEW) {
            self.known.retain(|_, known| !known.is_gone());
            self.sweep_at = 2 * self.known.len();
        }
        self.known.insert(Arc::clone(&device.link().id), WeakDevice::new(device));
    }

    /// Has nobody find this device any more: it is about to end.
    fn end(&mut self, device: &Device) {
        if self.known.get(device.id()).is_some_and(|known| known.is(device)) {
            self.known.remove(device.id());
        }
    }

    /// Whether managers hold this device, so that others can; if not, they do from now on. Gives back what was in its
    /// place.
    fn hold(&mut self, device: &Device) -> Result<Option<Entry>, Changed> {
        match self.held.get(device.id()) {
            Some(entry) if entry.device == *device => return Ok(None),
            Some(entry) if !entry.device.is_closed() => return Err(Changed),
            _ => {}
        }
        if !self.known.get(device.id()).is_some_and(|known| known.is(device)) {
            return Err(Changed);
        }
        let entry = Entry { device: device.clone(), holders: Vec::new() };
        Ok(self.held.insert(Arc::clone(&device.link().id), entry))
    }
}

/// Another device has this id by now.
struct Changed;

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
        self.devices().held.len()
    }

    /// Whether no device lives here.
    pub fn is_empty(&self) -> bool {
        self.devices().held.is_empty()
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
        let entries: Vec<Entry> = devices.held.drain().map(|(_, entry)| entry).collect();
        let forgotten: Vec<Device> = entries.iter().flat_map(Entry::forget).collect();
        let all: Vec<Device> = devices.known.drain().filter_map(|(_, known)| known.upgrade()).collect();
        drop(devices);
        all.iter().for_each(Device::start_close);
        let_go(forgotten);
        self.stop_finding();
        all
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
            let known = self.devices().find(id);
            let added = match known.filter(|device| !device.is_closed()) {
                None => self.add_new(manager, id, describe(None))?,
                Some(device) => self.add_known(manager, device, &mut describe, &mut joined)?,
            };
            if let Some(device) = added {
                return Ok(device);
            }
        }
    }

    /// Gives a manager a share in a device, which is made where there is none, and never changed.
    pub(crate) fn share(
        &self,
        manager: &Arc<ManagerShared>,
        id: &str,
        mut describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        loop {
            let found = self.devices().find(id);
            let shared = match found.filter(|device| !device.is_closed()) {
                None => self.add_new(manager, id, describe(None))?,
                Some(device) => {
                    let known = device.config();
                    if self.with_discovery(describe(Some(known.clone())))? != known {
                        return Err(AddError::Conflict);
                    }
                    // A manager that holds it already holds it still.
                    let mut joined = Some(device.clone());
                    let mut as_it_is = |now: Option<DeviceBuilder>| now.unwrap_or_else(|| known.clone());
                    self.add_known(manager, device, &mut as_it_is, &mut joined)?
                }
            };
            if let Some(device) = shared {
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
        let other = devices.find(id);
        if other.as_ref().is_some_and(|other| !other.is_closed()) {
            drop(devices);
            return Ok(None);
        }
        devices.note(&device);
        let entry = Entry { device: device.clone(), holders: vec![Arc::downgrade(manager)] };
        let closed = devices.held.insert(id.into(), entry);
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
        let Ok(closed) = devices.hold(&device) else { return Ok(None) };
        let mut forgotten = closed.as_ref().map(Entry::forget).unwrap_or_default();
        let Some(entry) = devices.held.get_mut(device.id()) else { return Ok(None) };
        let holds = entry.holders.iter().any(|holder| holder.as_ptr() == Arc::as_ptr(manager));
        let before = joined.as_ref() == Some(&device);
        if holds && !before && known == builder {
            return Err(AddError::DuplicateDevice);
        }
        if !holds {
            entry.holders.retain(|holder| holder.strong_count() > 0);
            entry.holders.push(Arc::downgrade(manager));
            forgotten.extend(manager.hold(&device));
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

    /// Closes a manager: drops its shares in all devices. Gives back those that no other manager holds; where the caller
    /// `ends` them, nobody finds them any more.
    pub(crate) fn leave(&self, manager: &ManagerShared, ends: bool) -> Vec<Device> {
        let mut devices = self.devices();
        let forgotten = manager.close();
        let last: Vec<Device> =
            forgotten.iter().filter_map(|device| Self::drop_share(&mut devices, manager, device.id())).collect();
        if ends {
            last.iter().for_each(|device| devices.end(device));
        }
        drop(devices);
        let_go(forgotten);
        last
    }

    fn drop_share(devices: &mut Devices, manager: &ManagerShared, id: &str) -> Option<Device> {
        let entry = devices.held.get_mut(id)?;
        entry.holders.retain(|holder| holder.strong_count() > 0 && !core::ptr::eq(holder.as_ptr(), manager));
        if entry.holders.is_empty() { devices.held.remove(id).map(|entry| entry.device) } else { None }
    }

    /// Ends a device for everybody.
    pub(crate) fn delete(&self, id: &str) -> bool {
        let mut devices = self.devices();
        let entry = devices.held.remove(id);
        if let Some(entry) = &entry {
            devices.end(&entry.device);
        }
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

    fn devices(&self) -> MutexGuard<'_, Devices> {
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
