//! Many devices as one.

use core::time::Duration;

use rustuya_runtime::{AddError, Address, ConfigError, DeviceInfo, ManagerEvent, Metrics, VersionSpec};

use crate::builder::DeviceBuilder;
use crate::device::Device;
use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::registry::Registry;
use crate::wait::block_on;

/// Many devices, with one stream of events. Clones are the same manager.
///
/// The devices live in a [`Registry`], which several managers can share: a device that two of them hold has one
/// connection. When the last clone of a manager is dropped it lets go of its devices.
#[derive(Clone, Debug)]
pub struct Manager {
    // In this order: connections are to end before the thread does.
    inner: rustuya_runtime::Manager,
    thread: PollThread,
}

impl Manager {
    /// A manager without devices.
    pub fn new(registry: &Registry) -> Self {
        Self { inner: rustuya_runtime::Manager::new(&registry.inner), thread: registry.thread.clone() }
    }

    /// Adds a device, at an address or `"Auto"`, of a version or `"Auto"`. If there is one with this id and anything
    /// is different, it is reconfigured in place, for everybody who holds it.
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
        self.inner.add(id, address, local_key, version).map(|device| self.wrap(device))
    }

    /// As [`add`](Self::add), with everything that can be said of a device.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with(&self, builder: impl Into<DeviceBuilder>) -> Result<Device, AddError> {
        self.inner.add_with(builder.into().0).map(|device| self.wrap(device))
    }

    /// A device that others in the registry may have already: then this manager holds it, too, and it is not changed.
    /// `describe` is given the description that the device has now, or `None` where it is to be made.
    ///
    /// # Errors
    /// [`AddError::Conflict`] when `describe` gives another description than the device has; others as of
    /// [`add`](Self::add), but for [`AddError::DuplicateDevice`].
    pub fn share(
        &self,
        id: &str,
        mut describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        self.inner.share(id, |known| describe(known.map(DeviceBuilder)).0).map(|device| self.wrap(device))
    }

    /// A device of this manager.
    pub fn get(&self, id: &str) -> Option<Device> {
        self.inner.get(id).map(|device| self.wrap(device))
    }

    /// Lets go of a device. Unless another manager or a handle holds it, its connection ends. Says whether it was
    /// there.
    pub fn remove(&self, id: &str) -> bool {
        self.inner.remove(id)
    }

    /// Ends a device for everybody: every manager of the registry lets go of it, every handle is closed, every call
    /// that waits for it returns. Says whether it was there.
    pub fn delete(&self, id: &str) -> bool {
        self.inner.delete(id)
    }

    /// All devices of this manager, ordered by id.
    pub fn devices(&self) -> Vec<Device> {
        self.inner.devices().into_iter().map(|device| self.wrap(device)).collect()
    }

    /// What is known of all devices of this manager, ordered by id.
    pub fn list(&self) -> Vec<DeviceInfo> {
        self.inner.list()
    }

    /// Waits until every device is connected, and has answered if it was asked for its state, or has a diagnosis; until
    /// `timeout` at the latest. Connects devices whose connection is not kept. Returns what is known of all devices,
    /// ordered by id: [`DeviceInfo::is_settled`] is false for those that were waited for in vain.
    pub fn wait_settled(&self, timeout: Duration) -> Vec<DeviceInfo> {
        block_on(self.inner.wait_settled(timeout))
    }

    /// How many devices this manager has.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether this manager has no devices.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Lets go of all devices, as [`remove`](Self::remove).
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// Receives what happens to all devices, those that are added later included.
    pub fn listener(&self) -> Listener<ManagerEvent> {
        Listener::new(self.inner.listener())
    }

    /// The counters of all devices together.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// Ends every device that no other manager holds, answers their pending commands, and returns when their
    /// connections are closed, a second later at most. Listeners end, and no device can be added any more.
    pub fn shutdown(&self) {
        block_on(self.inner.shutdown());
    }

    fn wrap(&self, device: rustuya_runtime::Device) -> Device {
        Device::new(device, &self.thread)
    }
}
