//! Configuration of a device.

use core::net::SocketAddr;
use core::time::Duration;

use rustuya_proto::{DeviceConfig, Dialect, LocalKey, Timing, Version};

use super::address::Address;
use crate::discovery::Discovery;
use crate::io::destination::stand_in;
use crate::link::{Options, Pacing, SharedTap};
use crate::report::memory;
use crate::tap::Tap;

/// Configuration of a device; made by [`Device::builder`](crate::Device::builder).
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime::{Device, DeviceBuilder, Pacing, Timing, Version};
/// fn bulb(builder: DeviceBuilder) -> DeviceBuilder {
///     let mut timing = Timing::DEFAULT;
///     timing.answer = Duration::from_secs(8);
///     builder
///         .version(Version::V33)
///         .timing(timing)
///         .pacing(Pacing::NONE.gap(Duration::from_millis(100)))
///         .command_timeout(Duration::from_secs(20))
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a builder does nothing before spawn"]
pub struct DeviceBuilder {
    /// On the heap, so that moving the configuration leaves no copy of its key behind.
    pub(crate) config: Box<DeviceConfig>,
    pub(crate) options: Options,
    pub(crate) discovery: Option<Discovery>,
    pub(super) tap: Option<SharedTap>,
}

impl DeviceBuilder {
    /// Returns the device id.
    pub fn id(&self) -> &str {
        self.config.id.as_str()
    }

    /// Sets the address: an IP address, a socket address, a host name, which is looked up for each connection, or
    /// [`Address::Auto`] to discover it by announcements (the default, which needs a [`discovery`](Self::discovery) or
    /// a manager).
    pub fn address(mut self, address: impl Into<Address>) -> Self {
        self.options.host = None;
        match address.into() {
            Address::Auto => self.config.address = None,
            Address::Ip(ip) => self.config.address = Some(ip),
            Address::Socket(SocketAddr::V6(v6)) if v6.scope_id() != 0 => {
                self = self.host(&format!("{}%{}", v6.ip(), v6.scope_id()), Some(v6.port()));
            }
            Address::Socket(socket) => {
                self.config.address = Some(socket.ip());
                self.config.port = socket.port();
            }
            Address::Name(name, port) => self = self.host(&name, port),
        }
        self
    }

    fn host(mut self, name: &str, port: Option<u16>) -> Self {
        self.config.address = Some(stand_in(name));
        self.config.port = port.unwrap_or(self.config.port);
        self.options.host = Some(name.into());
        self
    }

    /// Takes over how `other` is reached: its local key, and its address and port, version and dialect if they are set.
    ///
    /// ```
    /// # use rustuya_runtime::{ConfigError, Device, Version};
    /// let key = "0123456789abcdef";
    /// let known = Device::builder("bf0123456789abcdefgh", key)?.address([192, 168, 1, 20]).version(Version::V33);
    /// let same = Device::builder("bf0123456789abcdefgh", key)?.version(Version::V33);
    /// assert_eq!(known.clone().endpoint_of(&same), known);
    /// assert_ne!(known.clone().endpoint_of(&same.address([192, 168, 1, 21])), known);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn endpoint_of(mut self, other: &Self) -> Self {
        self.config.local_key = other.config.local_key.clone();
        if other.config.address.is_some() {
            (self.config.address, self.config.port) = (other.config.address, other.config.port);
            self.options.host.clone_from(&other.options.host);
        }
        self.config.version = other.config.version.or(self.config.version);
        self.config.dialect = other.config.dialect.or(self.config.dialect);
        self
    }

    /// Sets the local key, for a device that was paired anew.
    pub fn local_key(mut self, local_key: LocalKey) -> Self {
        self.config.local_key = local_key;
        self
    }

    /// Returns whether this text is the local key. Users who enter both a key and an address may confuse them, and a
    /// key that is taken for a host name would be sent to name servers.
    pub fn is_local_key(&self, text: &str) -> bool {
        crate::text::local_key(text).is_ok_and(|key| key == self.config.local_key)
    }

    /// Sets the TCP port, 6668 by default.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// Sets the protocol version; `None` (the default) detects it, from an announcement or by trying.
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.config.version = version.into();
        self
    }

    /// Sets the oldest version that is accepted while the version is open, 3.3 by default (3.2 has the same effect).
    /// Devices of 3.1 do not encrypt what they send: with 3.1 here, any host can pose as the device, without a key.
    /// Without it, such a host leads to [`DownReason::TooOld`](crate::DownReason::TooOld). Once a session key was
    /// negotiated, 3.4 is the oldest that is accepted.
    pub const fn min_version(mut self, version: Version) -> Self {
        self.config.min_version = version;
        self
    }

    /// Sets the dialect; `None` (the default) detects it without writing anything, see the guide to device22. Firmware
    /// of 3.5 is never taken for device22.
    pub fn dialect(mut self, dialect: impl Into<Option<Dialect>>) -> Self {
        self.config.dialect = dialect.into();
        self
    }

    /// Sets whether the connection is persistent (the default). If not, it is made for a command and closed when
    /// nothing has been pending for a second.
    pub fn persist(mut self, persist: bool) -> Self {
        self.config.persist = persist;
        self
    }

    /// Sets whether commands complete as soon as they are queued, instead of when they are written. Off by default.
    pub const fn nowait(mut self, nowait: bool) -> Self {
        self.options.nowait = nowait;
        self
    }

    /// Sets whether the state is queried on each connection, so that [`Device::state`](crate::Device::state) is complete soon after it. On by
    /// default. It is one query, which writes nothing and counts in no [`Metrics`](crate::Metrics); a query that a
    /// caller submits at that moment takes its place. A gateway reports its own DPs, not those of sub-devices. Devices
    /// whose connection is not [persistent](Self::persist) and those that [sleep](Pacing::sleeps) are not queried.
    pub const fn query_on_connect(mut self, query: bool) -> Self {
        self.options.query_on_connect = query;
        self
    }

    /// Sets the time limits of the connection.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.config.timing = timing;
        self
    }

    /// Limits the dial alone: [`Timing::connect`].
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.config.timing.connect = limit;
        self
    }

    /// Sets how commands are spaced, merged and split.
    pub const fn pacing(mut self, pacing: Pacing) -> Self {
        self.options.pacing = pacing;
        self
    }

    /// Limits the size of received frames, in bytes; 65,536 by default, at least 1024. Memory is taken as the bytes of
    /// a large frame arrive, and released after it. A larger frame is skipped and reported as
    /// [`Event::Skipped`](crate::Event::Skipped); the command that it answers fails with
    /// [`CommandError::AnswerTooLarge`](crate::CommandError::AnswerTooLarge).
    pub const fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_limit = if bytes < 1024 { 1024 } else { bytes };
        self
    }

    /// Limits the memory for the state of the device and its sub-devices, in bytes; 262,144 by default, at least 1024.
    /// An ordinary device takes 1 to 4 KiB, the largest gateways some 200. Values without room are missing from
    /// `state()`, reported as [`Event::ValuesDropped`](crate::Event::ValuesDropped) and counted in
    /// [`Metrics::values_dropped`](crate::Metrics::values_dropped). Devices of a registry share a limit, too.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.options.memory_limit = if bytes < memory::LEAST { memory::LEAST } else { bytes };
        self
    }

    /// Limits the events queued for each [`Listener`](crate::Listener) of the device made from now on, in bytes;
    /// 1,048,576 by default, at least 1024. A listener that does not keep up loses the oldest and receives their
    /// number.
    pub const fn backlog_limit(mut self, bytes: usize) -> Self {
        self.options.backlog_limit = if bytes < memory::LEAST { memory::LEAST } else { bytes };
        self
    }

    /// Sets the time limit for a command to get its connection, before it fails with a diagnosis; 10 s by default. The
    /// time limit of the answer, [`Timing::answer`], comes on top.
    pub const fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Discovers the device by its announcements, and reconnects at once when it announces itself after an absence.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.discovery = Some(discovery.clone());
        self
    }

    /// Passes everything between this device's connection and its protocol machine to a tap: for example the recorder
    /// of the crate `rustuya-record`. It begins with [`spawn`](Self::spawn); a [reconfigured](crate::Device::reconfigure)
    /// device keeps the tap that it was spawned with.
    ///
    /// ```
    /// # use rustuya_runtime::{DeviceBuilder, proto::Instant, tap::{Tap, TapEvent}};
    /// struct Print;
    ///
    /// impl Tap for Print {
    ///     fn on_event(&mut self, at: Instant, event: TapEvent<'_>) {
    ///         println!("{at:?} {event:?}");
    ///     }
    /// }
    ///
    /// fn printed(builder: DeviceBuilder) -> DeviceBuilder {
    ///     builder.record(Print)
    /// }
    /// ```
    pub fn record(mut self, tap: impl Tap + 'static) -> Self {
        self.tap = Some(SharedTap::new(tap));
        self
    }
}
