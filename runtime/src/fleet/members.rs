//! Devices of a manager, in the part that its registry refers to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use crate::device::Device;
use crate::report::event::ManagerEvent;
use crate::report::listener::{Hub, Listener};
use crate::sync::{Mutex, MutexGuard};

/// Devices of one manager, and the listeners of their events.
#[derive(Debug)]
pub(super) struct Members {
    /// Changed under the registry's lock only, so that both always agree.
    devices: Mutex<Devices>,
    hub: Arc<Hub<ManagerEvent>>,
}

#[derive(Debug, Default)]
struct Devices {
    all: BTreeMap<Arc<str>, Device>,
    /// Set when no device can be added any more.
    closed: bool,
}

impl Members {
    pub(super) fn new(hub: Arc<Hub<ManagerEvent>>) -> Self {
        Self { devices: Mutex::default(), hub }
    }

    pub(super) fn get(&self, id: &str) -> Option<Device> {
        self.lock().all.get(id).cloned()
    }

    /// Returns all devices, ordered by id.
    pub(super) fn devices(&self) -> Vec<Device> {
        self.lock().all.values().cloned().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lock().all.len()
    }

    pub(super) fn listener(&self) -> Listener<ManagerEvent> {
        self.hub.listener()
    }

    /// Inserts a device. Returns the one that it replaces. Call it under the registry's lock.
    pub(super) fn insert(&self, device: &Device) -> Option<Device> {
        device.link().with_deferred_wakes(|engine| engine.publisher().attach(&self.hub));
        self.lock().all.insert(Arc::clone(&device.link().id), device.clone())
    }

    /// Removes and returns the device of this id, or only this one. Call it under the registry's lock.
    pub(super) fn remove_device(&self, id: &str, only: Option<&Device>) -> Option<Device> {
        let mut devices = self.lock();
        devices.all.get(id).filter(|known| only.is_none_or(|only| only == *known))?;
        let device = devices.all.remove(id)?;
        drop(devices);
        device.link().with_deferred_wakes(|engine| engine.publisher().detach(&self.hub));
        Some(device)
    }

    /// Removes and returns all devices. Call it under the registry's lock.
    pub(super) fn close(&self) -> Vec<Device> {
        let mut devices = self.lock();
        devices.closed = true;
        let all: Vec<Device> = core::mem::take(&mut devices.all).into_values().collect();
        drop(devices);
        all.iter().for_each(|device| device.link().with_deferred_wakes(|engine| engine.publisher().detach(&self.hub)));
        all
    }

    /// Returns whether no device can be added any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn end_listeners(&self) {
        let mut wakes = Vec::new();
        self.hub.close(&mut wakes);
        wakes.into_iter().for_each(core::task::Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
