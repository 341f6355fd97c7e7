//! The description of a device, and its start.

use core::net::SocketAddr;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use rustuya_proto::{DeviceConfig, Dialect, LocalKey, Timing, Version};

use super::{Device, Handle, Settings};
use crate::address::Address;
use crate::destination::stand_in;
use crate::discovery::Discovery;
use crate::link::{DrivenLink, Env, Link, Options, SharedTap};
use crate::memory;
use crate::pacing::Pacing;
use crate::runtime::Runtime;
use crate::tap::Tap;
use crate::wipe::wipe_stack;

/// What a device is to be like; made by [`Device::builder`].
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
    /// On the heap, so that a description that is moved leaves no copy of its key behind.
    pub(crate) config: Box<DeviceConfig>,
    pub(crate) options: Options,
    pub(crate) discovery: Option<Discovery>,
    pub(super) tap: Option<SharedTap>,
}

impl DeviceBuilder {
    /// The device id.
    pub fn id(&self) -> &str {
        self.config.id.as_str()
    }

    /// Where the device is: an IP address, a socket address, a host name, which is looked up for each connection, or
    /// [`Address::Auto`] to find it by its announcements (the default, which needs a [`discovery`](Self::discovery) or a
    /// manager).
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

    /// The device reached as `other` says: with its local key, and with its address and port, version and dialect as far
    /// as it gives them.
    ///
    /// ```
    /// # use rustuya_runtime::{ConfigError, Device, Version};
    /// let key = "0123456789abcdef";
    /// let known = Device::builder("bf0123456789abcdefgh", key)?.address([192, 168, 1, 20]).version(Version::V33);
    /// let same = Device::builder("bf0123456789abcdefgh", key)?.version(Version::V33);
    /// assert_eq!(known.clone().reached_as(&same), known);
    /// assert_ne!(known.clone().reached_as(&same.address([192, 168, 1, 21])), known);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn reached_as(mut self, other: &Self) -> Self {
        self.config.local_key = other.config.local_key.clone();
        if other.config.address.is_some() {
            (self.config.address, self.config.port) = (other.config.address, other.config.port);
            self.options.host.clone_from(&other.options.host);
        }
        self.config.version = other.config.version.or(self.config.version);
        self.config.dialect = other.config.dialect.or(self.config.dialect);
        self
    }

    /// Another local key: that of a device which was paired anew.
    pub fn local_key(mut self, local_key: LocalKey) -> Self {
        self.config.local_key = local_key;
        self
    }

    /// Whether this text is the local key: where users give both, one of them may be in the place of the other. A key that
    /// is taken for a host name would be asked for on the network.
    pub fn is_local_key(&self, text: &str) -> bool {
        crate::text::local_key(text).is_ok_and(|key| key == self.config.local_key)
    }

    /// TCP port, 6668 by default.
    pub fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// The version that the device speaks; `None` (the default) finds it out, from an announcement or by trying.
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.config.version = version.into();
        self
    }

    /// The oldest version that is believed while the version is open, 3.3 by default (3.2 is as good). What a device of 3.1
    /// says is not encrypted, so that with 3.1 here any host that claims to be the device is believed, key or none.
    /// Without it, such a host ends as [`DownReason::TooOld`](crate::DownReason::TooOld). Once a session key was
    /// negotiated, 3.4 is the oldest that is believed.
    pub const fn min_version(mut self, version: Version) -> Self {
        self.config.min_version = version;
        self
    }

    /// The dialect that the device speaks; `None` (the default) finds it out without writing anything to ask, see the
    /// guide to device22. Firmware of 3.5 is never taken for device22.
    pub fn dialect(mut self, dialect: impl Into<Option<Dialect>>) -> Self {
        self.config.dialect = dialect.into();
        self
    }

    /// Whether the connection is kept (the default). If not, it is made for a command and ends when nothing has been
    /// outstanding for a second.
    pub fn persist(mut self, persist: bool) -> Self {
        self.config.persist = persist;
        self
    }

    /// Whether commands are done as soon as they are queued, instead of when they are written. Off by default.
    pub const fn nowait(mut self, nowait: bool) -> Self {
        self.options.nowait = nowait;
        self
    }

    /// Whether the state is asked for on each connection, so that [`Device::state`] is complete soon after it. On by
    /// default. It is one query, which writes nothing and is in no counter of [`Metrics`](crate::Metrics); a query
    /// that a caller gives at that moment takes its place. Of a gateway it brings its own DPs, not those of
    /// sub-devices. Devices whose connection is not [kept](Self::persist) and those that
    /// [sleep](Pacing::sleeps) are not asked.
    pub const fn query_on_connect(mut self, query: bool) -> Self {
        self.options.query_on_connect = query;
        self
    }

    /// Time limits of the connection.
    pub fn timing(mut self, timing: Timing) -> Self {
        self.config.timing = timing;
        self
    }

    /// Limits the dial alone: [`Timing::connect`].
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.config.timing.connect = limit;
        self
    }

    /// How commands are spaced, joined and split.
    pub const fn pacing(mut self, pacing: Pacing) -> Self {
        self.options.pacing = pacing;
        self
    }

    /// The largest frame that is received, in bytes, 65,536 by default and 1024 at least. Memory is taken as the bytes of
    /// a large frame arrive, and given back after it. A larger frame is skipped, and told as
    /// [`Event::Skipped`](crate::Event::Skipped); the command that it answers fails with
    /// [`CommandError::AnswerTooLarge`](crate::CommandError::AnswerTooLarge).
    pub const fn receive_limit(mut self, bytes: usize) -> Self {
        self.options.receive_limit = if bytes < 1024 { 1024 } else { bytes };
        self
    }

    /// How many bytes are remembered of the device and its sub-devices, 262,144 by default and 1024 at least. An ordinary
    /// device takes 1 to 4 KiB, the largest gateways some 200. What has no room is missing from `state()`, and is told as
    /// [`Event::Unkept`](crate::Event::Unkept) and counted in [`Metrics::unkept`](crate::Metrics::unkept). Devices of a
    /// registry have a bound in common, too.
    pub const fn memory_limit(mut self, bytes: usize) -> Self {
        self.options.memory_limit = if bytes < memory::LEAST { memory::LEAST } else { bytes };
        self
    }

    /// How many bytes of events wait for each [`Listener`](crate::Listener) of the device that is made from now on,
    /// 1,048,576 by default and 1024 at least. A listener that does not keep up loses the oldest, and is told how many.
    pub const fn backlog_limit(mut self, bytes: usize) -> Self {
        self.options.backlog_limit = if bytes < memory::LEAST { memory::LEAST } else { bytes };
        self
    }

    /// How long a command waits for the connection before it fails with a diagnosis, 10 s by default. The wait for
    /// the answer, [`Timing::answer`], comes on top.
    pub const fn command_timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Locates the device by its announcements, and reconnects at once when it announces itself after an absence.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.discovery = Some(discovery.clone());
        self
    }

    /// Tells a tap everything that passes between this device's connection and the machine that speaks its protocol:
    /// for example the recorder of the crate `rustuya-record`. It begins with [`spawn`](Self::spawn); a
    /// [reconfigured](Device::reconfigure) device goes on being recorded by what it was spawned with.
    ///
    /// ```
    /// # use rustuya_runtime::{DeviceBuilder, proto::Instant, tap::{Note, Tap}};
    /// struct Print;
    ///
    /// impl Tap for Print {
    ///     fn note(&mut self, at: Instant, what: Note<'_>) {
    ///         println!("{at:?} {what:?}");
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

    /// Starts to connect, in the background of a runtime.
    pub fn spawn(self, runtime: &impl Runtime) -> Device {
        let (device, start) = self.prepare(Env::standalone());
        start.drive(runtime);
        wipe_stack();
        device
    }

    /// A device that does nothing yet, and what makes it begin.
    pub(crate) fn prepare(self, env: &Arc<Env>) -> (Device, Start) {
        let link = Link::new(&self.config, self.options, self.tap, env);
        let settings = Settings { discovery: self.discovery, ..Settings::default() };
        let device = Device(Arc::new(Handle { link, settings: Mutex::new(settings) }));
        let start = Start { link: DrivenLink::new(Arc::clone(device.link())), device: device.clone() };
        (device, start)
    }
}

/// A device that has not begun. Dropped before, it never will.
pub(crate) struct Start {
    link: DrivenLink,
    device: Device,
}

impl Start {
    /// Has a runtime drive the device. Runs foreign code.
    pub(crate) fn drive(self, runtime: &dyn Runtime) {
        if let Some(sources) = runtime.sources() {
            self.device.link().with(|engine, _| engine.live_by(sources));
        }
        self.device.watch(0);
        runtime.drive(self.link);
    }
}
