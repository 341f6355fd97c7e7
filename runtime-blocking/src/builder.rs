//! Builder of devices.

use core::time::Duration;

use rustuya_runtime::tap::Tap;
use rustuya_runtime::{Address, Dialect, LocalKey, Pacing, Timing, Version};

use crate::discovery::Discovery;

/// Configuration of a device; made by [`Device::builder`](crate::Device::builder).
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a builder does nothing before spawn"]
pub struct DeviceBuilder(pub(crate) rustuya_runtime::DeviceBuilder);

impl DeviceBuilder {
    /// Returns the device id.
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// Sets the address of the device: an IP address, a socket address, or [`Address::Auto`] to find it by its
    /// announcements (the default, which needs a [`discovery`](Self::discovery) or a manager).
    pub fn address(self, address: impl Into<Address>) -> Self {
        Self(self.0.address(address))
    }

    /// Copies from `other` how to reach the device: its local key, and its address and port, version and dialect if
    /// they are set.
    pub fn endpoint_of(self, other: &Self) -> Self {
        Self(self.0.endpoint_of(&other.0))
    }

    /// Replaces the local key, such as that of a device which was paired anew.
    pub fn local_key(self, local_key: LocalKey) -> Self {
        Self(self.0.local_key(local_key))
    }

    /// Returns whether this text is the local key. For users who may confuse the key with a host name: the name service
    /// would send it over the network.
    pub fn is_local_key(&self, text: &str) -> bool {
        self.0.is_local_key(text)
    }

    /// TCP port, 6668 by default.
    pub fn port(self, port: u16) -> Self {
        Self(self.0.port(port))
    }

    /// Sets the version of the device; `None` (the default) finds it out, from an announcement or by probing.
    pub fn version(self, version: impl Into<Option<Version>>) -> Self {
        Self(self.0.version(version))
    }

    /// Sets the dialect of the device; `None` (the default) finds it out.
    pub fn dialect(self, dialect: impl Into<Option<Dialect>>) -> Self {
        Self(self.0.dialect(dialect))
    }

    /// Sets whether the connection is kept (the default). If not, it is made for a command and closed when no command
    /// has been outstanding for a second.
    pub fn persist(self, persist: bool) -> Self {
        Self(self.0.persist(persist))
    }

    /// Sets whether commands return as soon as they are queued, instead of when they are written. Off by default.
    pub fn nowait(self, nowait: bool) -> Self {
        Self(self.0.nowait(nowait))
    }

    /// Sets whether the state is asked for on each connection, so that [`Device::state`](crate::Device::state)
    /// is complete soon after it. On by default. Devices whose connection is not [kept](Self::persist) and those that
    /// [sleep](Pacing::sleeps) are not asked.
    pub fn query_on_connect(self, query: bool) -> Self {
        Self(self.0.query_on_connect(query))
    }

    /// Sets time limits of the connection.
    pub fn timing(self, timing: Timing) -> Self {
        Self(self.0.timing(timing))
    }

    /// Limits the dial alone: [`Timing::connect`].
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self(self.0.connect_timeout(limit))
    }

    /// Sets how commands are spaced, joined and split.
    pub fn pacing(self, pacing: Pacing) -> Self {
        Self(self.0.pacing(pacing))
    }

    /// Sets the oldest version that is believed if none is configured, 3.3 by default (3.2 is as good). 3.1 is not
    /// encrypted, so that with 3.1 here any host could claim to be the device, without its key. By default such a host
    /// ends as [`DownReason::TooOld`](crate::DownReason::TooOld). Once a session key was negotiated, 3.4 is the oldest
    /// version that is believed.
    pub fn min_version(self, version: Version) -> Self {
        Self(self.0.min_version(version))
    }

    /// Sets the largest frame that is received, in bytes, 65,536 by default and 1024 at least. Memory is allocated as
    /// the bytes of a large frame arrive, and freed after it. A larger frame is skipped, and reported as
    /// [`Event::Skipped`](crate::Event::Skipped); the command that it answers fails with
    /// [`CommandError::AnswerTooLarge`](crate::CommandError::AnswerTooLarge).
    pub fn receive_limit(self, bytes: usize) -> Self {
        Self(self.0.receive_limit(bytes))
    }

    /// Limits the memory for the state of the device and its sub-devices, in bytes, 262,144 by default and 1024 at
    /// least. An ordinary device takes 1 to 4 KiB, the largest gateways some 200. Values beyond the limit are missing
    /// from `state()`, reported as [`Event::ValuesDropped`](crate::Event::ValuesDropped) and counted in
    /// [`Metrics::values_dropped`](crate::Metrics::values_dropped). Devices of a registry also share a limit.
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self(self.0.memory_limit(bytes))
    }

    /// Limits the events that wait for each [`Listener`](crate::Listener) of the device, in bytes, 1,048,576 by default
    /// and 1024 at least. Applies to listeners that are made from now on. A slow listener loses the oldest events, and
    /// receives their number.
    pub fn backlog_limit(self, bytes: usize) -> Self {
        Self(self.0.backlog_limit(bytes))
    }

    /// Limits the wait of a command for the connection, 10 s by default; after it the command fails with a diagnosis.
    /// The wait for the answer, [`Timing::answer`], comes on top.
    pub fn command_timeout(self, timeout: Duration) -> Self {
        Self(self.0.command_timeout(timeout))
    }

    /// Finds the device by its announcements, and reconnects at once when it announces itself after an absence. The
    /// device keeps the discovery running if both are on one thread; a discovery on another thread ends with that
    /// thread.
    pub fn discovery(self, discovery: &Discovery) -> Self {
        Self(self.0.discovery(&discovery.inner))
    }

    /// Passes all traffic between this device's connection and its protocol machine to `tap`, for example the recorder
    /// of the crate `rustuya-record`. This begins with [`spawn`](Self::spawn); a [reconfigured](crate::Device::reconfigure)
    /// device keeps the tap that it was spawned with.
    pub fn record(self, tap: impl Tap + 'static) -> Self {
        Self(self.0.record(tap))
    }
}

impl From<rustuya_runtime::DeviceBuilder> for DeviceBuilder {
    /// Converts an entry of a [devices file](crate::DevicesFile).
    fn from(builder: rustuya_runtime::DeviceBuilder) -> Self {
        Self(builder)
    }
}
