//! Where the devices of a program live.

use crate::discovery::Discovery;
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Where devices live, each once, however many [`Manager`](crate::Manager)s hold them. Clones are the same registry;
/// there is none but those that a program makes.
#[derive(Clone, Debug)]
pub struct Registry {
    // In this order: connections are to end before the thread does.
    pub(crate) inner: rustuya_runtime::Registry,
    pub(crate) thread: PollThread,
}

impl Registry {
    /// A registry with defaults, whose devices run on `thread`.
    pub fn new(thread: PollThread) -> Self {
        Self::builder(thread).build()
    }

    /// Describes a registry; everything has a default.
    pub fn builder(thread: PollThread) -> RegistryBuilder {
        RegistryBuilder { inner: rustuya_runtime::Registry::builder(thread.clone()), thread }
    }

    /// How many devices live here.
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether no device lives here.
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// Ends every device, answers every pending command, and returns when all connections are closed. Managers are
    /// empty afterwards and can be filled again.
    pub fn shutdown(&self) {
        block_on(self.inner.shutdown());
    }
}

/// How a [`Registry`] is to be; made by [`Registry::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing before build"]
pub struct RegistryBuilder {
    inner: rustuya_runtime::RegistryBuilder,
    thread: PollThread,
}

impl RegistryBuilder {
    /// How many devices are dialed at a time; 128 by default, at least 1. The others wait in line. A dial counts until it
    /// is answered, half a second at most, so that neither addresses where nobody is nor devices that answer it and then
    /// say nothing hold others up.
    pub fn dials_at_once(self, most: usize) -> Self {
        Self { inner: self.inner.dials_at_once(most), ..self }
    }

    /// How many bytes are remembered of all devices together, 8,388,608 by default: a thousand ordinary devices, or thirty
    /// large gateways. Each device has 4096 in any case. Beyond that, what has no room is told as
    /// [`Event::Unkept`](crate::Event::Unkept).
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self { inner: self.inner.memory_limit(bytes), ..self }
    }

    /// How many bytes of events wait for each listener of a [`Manager`](crate::Manager), 8,388,608 by default and 1024 at
    /// least. A listener that does not keep up loses the oldest, and is told how many.
    pub fn backlog_limit(self, bytes: usize) -> Self {
        Self { inner: self.inner.backlog_limit(bytes), ..self }
    }

    /// Locates devices by this service, which is best on the same thread. By default one is started on the usual
    /// ports when the first device is added.
    pub fn discovery(self, discovery: &Discovery) -> Self {
        Self { inner: self.inner.discovery(&discovery.inner), ..self }
    }

    /// Listens for no announcements: devices need an address, and are reconnected by the clock alone.
    pub fn without_discovery(self) -> Self {
        Self { inner: self.inner.without_discovery(), ..self }
    }

    /// The registry.
    pub fn build(self) -> Registry {
        Registry { inner: self.inner.build(), thread: self.thread }
    }
}
