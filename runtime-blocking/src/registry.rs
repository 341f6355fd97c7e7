//! Registry of devices.

use crate::discovery::Discovery;
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Registry of devices, which contains each device once, however many [`Manager`](crate::Manager)s hold it. Clones are
/// the same registry. There is no global one.
#[derive(Clone, Debug)]
pub struct Registry {
    // Dropped in this order: connections must end before the thread.
    pub(crate) inner: rustuya_runtime::Registry,
    pub(crate) thread: PollThread,
}

impl Registry {
    /// Creates a registry with defaults, whose devices run on `thread`.
    pub fn new(thread: PollThread) -> Self {
        Self::builder(thread).build()
    }

    /// Creates a builder with defaults.
    pub fn builder(thread: PollThread) -> RegistryBuilder {
        RegistryBuilder { inner: rustuya_runtime::Registry::builder(thread.clone()), thread }
    }

    /// Returns the number of devices.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Returns whether there are no devices.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Ends every device, fails every pending command, and returns when all connections are closed. Managers are empty
    /// afterwards and can be filled again.
    pub fn shutdown(&self) {
        block_on(self.inner.shutdown());
    }
}

/// Configuration of a [`Registry`]; made by [`Registry::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing before build"]
pub struct RegistryBuilder {
    inner: rustuya_runtime::RegistryBuilder,
    thread: PollThread,
}

impl RegistryBuilder {
    /// Limits the number of dials at a time; 128 by default, at least 1. The others wait in a queue. A dial counts
    /// until it is answered, half a second at most, so that neither dead addresses nor devices that accept and stay
    /// silent delay others.
    pub fn dials_at_once(self, most: usize) -> Self {
        Self { inner: self.inner.dials_at_once(most), ..self }
    }

    /// Limits the memory for the state of all devices together, in bytes, 8,388,608 by default: a thousand ordinary
    /// devices, or thirty large gateways. Each device has 4096 bytes in any case. Values beyond that are reported as
    /// [`Event::ValuesDropped`](crate::Event::ValuesDropped).
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self { inner: self.inner.memory_limit(bytes), ..self }
    }

    /// Limits the events that wait for each listener of a [`Manager`](crate::Manager), in bytes, 8,388,608 by default
    /// and 1024 at least. A slow listener loses the oldest events, and receives their number.
    pub fn backlog_limit(self, bytes: usize) -> Self {
        Self { inner: self.inner.backlog_limit(bytes), ..self }
    }

    /// Finds devices with this service, which is best on the same thread. By default one is started on the usual ports
    /// when the first device is added.
    pub fn discovery(self, discovery: &Discovery) -> Self {
        Self { inner: self.inner.discovery(&discovery.inner), ..self }
    }

    /// Turns discovery off: devices need an address, and reconnect by the clock alone.
    pub fn without_discovery(self) -> Self {
        Self { inner: self.inner.without_discovery(), ..self }
    }

    /// Creates the registry.
    pub fn build(self) -> Registry {
        Registry { inner: self.inner.build(), thread: self.thread }
    }
}
