//! Describing a device.

use core::time::Duration;

use rustuya_runtime::tap::Tap;
use rustuya_runtime::{Address, Dialect, LocalKey, Pacing, Timing, Version};

use crate::device::Device;
use crate::discovery::Discovery;
use crate::poll_thread::PollThread;

/// What a device is to be like; made by [`Device::builder`].
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a builder does nothing before spawn"]
pub struct DeviceBuilder(pub(crate) rustuya_runtime::DeviceBuilder);

impl DeviceBuilder {
    /// The device id.
    pub fn id(&self) -> &str {
        self.0.id()
    }

    /// Where the device is: an IP address, a socket address, or [`Address::Auto`] to find it by its announcements
    /// (the default, which needs a [`discovery`](Self::discovery) or a manager).
    pub fn address(self, address: impl Into<Address>) -> Self {
        Self(self.0.address(address))
    }

    /// The device reached as `other` says: with its local key, and with its address and port, version and dialect as far
    /// as it gives them.
    pub fn reached_as(self, other: &Self) -> Self {
        Self(self.0.reached_as(&other.0))
    }

    /// Another local key: that of a device which was paired anew.
    pub fn local_key(self, local_key: LocalKey) -> Self {
        Self(self.0.local_key(local_key))
    }

    /// Whether this text is the local key: where users give both, one of them may be in the place of the other. A key that
    /// is taken for a host name would be asked for on the network.
    pub fn is_local_key(&self, text: &str) -> bool {
        self.0.is_local_key(text)
    }

    /// TCP port, 6668 by default.
    pub fn port(self, port: u16) -> Self {
        Self(self.0.port(port))
    }

    /// The version that the device speaks; `None` (the default) finds it out, from an announcement or by trying.
    pub fn version(self, version: impl Into<Option<Version>>) -> Self {
        Self(self.0.version(version))
    }

    /// The dialect that the device speaks; `None` (the default) finds it out.
    pub fn dialect(self, dialect: impl Into<Option<Dialect>>) -> Self {
        Self(self.0.dialect(dialect))
    }

    /// Whether the connection is kept (the default). If not, it is made for a command and ends when nothing has been
    /// outstanding for a second.
    pub fn persist(self, persist: bool) -> Self {
        Self(self.0.persist(persist))
    }

    /// Whether commands return as soon as they are queued, instead of when they are written. Off by default.
    pub fn nowait(self, nowait: bool) -> Self {
        Self(self.0.nowait(nowait))
    }

    /// Whether the state is asked for on each connection, so that [`Device::state`] is complete soon after it. On by
    /// default. Devices whose connection is not [kept](Self::persist) and those that [sleep](Pacing::sleeps) are not
    /// asked.
    pub fn query_on_connect(self, query: bool) -> Self {
        Self(self.0.query_on_connect(query))
    }

    /// Time limits of the connection.
    pub fn timing(self, timing: Timing) -> Self {
        Self(self.0.timing(timing))
    }

    /// Limits the dial alone: [`Timing::connect`].
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self(self.0.connect_timeout(limit))
    }

    /// How commands are spaced, joined and split.
    pub fn pacing(self, pacing: Pacing) -> Self {
        Self(self.0.pacing(pacing))
    }

    /// The oldest version that is believed while the version is open, 3.3 by default (3.2 is as good). What a device of 3.1
    /// says is not encrypted, so that with 3.1 here any host that claims to be the device is believed, key or none.
    /// Without it, such a host ends as [`DownReason::TooOld`](crate::DownReason::TooOld). Once a session key was
    /// negotiated, 3.4 is the oldest that is believed.
    pub fn min_version(self, version: Version) -> Self {
        Self(self.0.min_version(version))
    }

    /// The largest frame that is received, in bytes, 65,536 by default and 1024 at least. Memory is taken as the bytes of
    /// a large frame arrive, and given back after it. A larger frame is skipped, and told as
    /// [`Event::Skipped`](crate::Event::Skipped); the command that it answers fails with
    /// [`CommandError::AnswerTooLarge`](crate::CommandError::AnswerTooLarge).
    pub fn receive_limit(self, bytes: usize) -> Self {
        Self(self.0.receive_limit(bytes))
    }

    /// How many bytes are remembered of the device and its sub-devices, 262,144 by default and 1024 at least. An ordinary
    /// device takes 1 to 4 KiB, the largest gateways some 200. What has no room is missing from `state()`, and is told as
    /// [`Event::Unkept`](crate::Event::Unkept) and counted in [`Metrics::unkept`](crate::Metrics::unkept). Devices of a
    /// registry have a bound in common, too.
    pub fn memory_limit(self, bytes: usize) -> Self {
        Self(self.0.memory_limit(bytes))
    }

    /// How many bytes of events wait for each [`Listener`](crate::Listener) of the device that is made from now on,
    /// 1,048,576 by default and 1024 at least. A listener that does not keep up loses the oldest, and is told how many.
    pub fn backlog_limit(self, bytes: usize) -> Self {
        Self(self.0.backlog_limit(bytes))
    }

    /// How long a command waits for the connection before it fails with a diagnosis, 10 s by default. The wait for
    /// the answer, [`Timing::answer`], comes on top.
    pub fn command_timeout(self, timeout: Duration) -> Self {
        Self(self.0.command_timeout(timeout))
    }

    /// Locates the device by its announcements, and reconnects at once when it announces itself after an absence.
    /// The device keeps the discovery running while both are on one thread; one on another thread ends with that.
    pub fn discovery(self, discovery: &Discovery) -> Self {
        Self(self.0.discovery(&discovery.inner))
    }

    /// Tells a tap everything that passes between this device's connection and the machine that speaks its protocol:
    /// for example the recorder of the crate `rustuya-record`. It begins with [`spawn`](Self::spawn); a
    /// [reconfigured](Device::reconfigure) device goes on being recorded by what it was spawned with.
    pub fn record(self, tap: impl Tap + 'static) -> Self {
        Self(self.0.record(tap))
    }

    /// Starts to connect, in the background.
    pub fn spawn(self, thread: &PollThread) -> Device {
        Device::new(self.0.spawn(thread), thread)
    }
}

impl From<rustuya_runtime::DeviceBuilder> for DeviceBuilder {
    /// Takes over what a [devices file](crate::DevicesFile) says of a device.
    fn from(builder: rustuya_runtime::DeviceBuilder) -> Self {
        Self(builder)
    }
}
