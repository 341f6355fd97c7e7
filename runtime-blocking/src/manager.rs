//! Set of devices.

use core::time::Duration;

use rustuya_runtime::{AddError, Address, ConfigError, DeviceInfo, ManagerEvent, Metrics, VersionSpec};

use crate::builder::DeviceBuilder;
use crate::device::Device;
use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::registry::Registry;
use crate::wait::block_on;

/// Set of devices with one stream of events. Clones are the same manager.
///
/// The devices belong to a [`Registry`], which several managers can share: a device in two of them has one connection.
/// Dropping the last clone of a manager removes its devices.
#[derive(Clone, Debug)]
pub struct Manager {
    // Dropped in this order: connections must end before the thread.
    inner: rustuya_runtime::Manager,
    thread: PollThread,
}

impl Manager {
    /// Creates a manager without devices.
    pub fn new(registry: &Registry) -> Self {
        Self { inner: rustuya_runtime::Manager::new(&registry.inner), thread: registry.thread.clone() }
    }

    /// Adds a device, at an address or `"Auto"`, of a version or `"Auto"`. If there is one with this id and a different
    /// configuration, it is reconfigured in place, for all its holders.
    ///
    /// # Errors
    /// [`AddError::DuplicateDevice`] when this manager already has the device with the same configuration;
    /// [`AddError::Config`] for invalid arguments; [`AddError::Discovery`] when the device must be found and the
    /// discovery cannot start.
    pub fn add<A, V>(&self, id: &str, address: A, local_key: &str, version: V) -> Result<Device, AddError>
    where
        A: TryInto<Address>,
        V: TryInto<VersionSpec>,
        ConfigError: From<A::Error> + From<V::Error>,
    {
        self.inner.add(id, address, local_key, version).map(|device| self.wrap(device))
    }

    /// Like [`add`](Self::add), with a complete configuration.
    ///
    /// # Errors
    /// Like [`add`](Self::add).
    pub fn add_with(&self, builder: impl Into<DeviceBuilder>) -> Result<Device, AddError> {
        self.inner.add_with(builder.into().0).map(|device| self.wrap(device))
    }

    /// Adds a device that may already be in the registry, without changing it. `describe` receives its current
    /// configuration, or `None` if it is new.
    ///
    /// # Errors
    /// [`AddError::Conflict`] when `describe` returns another configuration than the device has; otherwise like
    /// [`add`](Self::add), without [`AddError::DuplicateDevice`].
    pub fn share(
        &self,
        id: &str,
        mut describe: impl FnMut(Option<DeviceBuilder>) -> DeviceBuilder,
    ) -> Result<Device, AddError> {
        self.inner.share(id, |known| describe(known.map(DeviceBuilder)).0).map(|device| self.wrap(device))
    }

    /// Returns a device of this manager.
    pub fn get(&self, id: &str) -> Option<Device> {
        self.inner.get(id).map(|device| self.wrap(device))
    }

    /// Removes a device. Its connection ends, unless another manager or a handle holds it. Returns whether it was
    /// there.
    pub fn remove(&self, id: &str) -> bool {
        self.inner.remove(id)
    }

    /// Ends a device for all its holders: removes it from every manager of the registry, closes every handle, and ends
    /// every call that waits for it. Returns whether it was there.
    pub fn delete(&self, id: &str) -> bool {
        self.inner.delete(id)
    }

    /// Returns all devices of this manager, ordered by id.
    pub fn devices(&self) -> Vec<Device> {
        self.inner.devices().into_iter().map(|device| self.wrap(device)).collect()
    }

    /// Returns the status of all devices of this manager, ordered by id.
    pub fn list(&self) -> Vec<DeviceInfo> {
        self.inner.list()
    }

    /// Waits until every device is connected, and has answered if it was asked for its state, or has a diagnosis; until
    /// `timeout` at the latest. Connects devices whose connection is not kept. Returns the status of all devices,
    /// ordered by id: [`DeviceInfo::is_settled`] is false for those that were not ready in time.
    pub fn wait_settled(&self, timeout: Duration) -> Vec<DeviceInfo> {
        block_on(self.inner.wait_settled(timeout))
    }

    /// Returns the number of devices of this manager.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Returns whether this manager has no devices.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Removes all devices, like [`remove`](Self::remove).
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// Returns a listener for the events of all devices, also of those that are added later.
    pub fn listener(&self) -> Listener<ManagerEvent> {
        Listener::new(self.inner.listener())
    }

    /// Returns the counters of all devices together.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// Ends every device that no other manager holds, fails their pending commands, and returns when their connections
    /// are closed, a second later at most. Listeners end, and no device can be added any more.
    pub fn shutdown(&self) {
        block_on(self.inner.shutdown());
    }

    fn wrap(&self, device: rustuya_runtime::Device) -> Device {
        Device::new(device, &self.thread)
    }
}
