//! Handle of one device.

use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustuya_runtime::{
    CommandCode, CommandError, ConfigError, DeviceId, Dialect, DownReason, Dp, IntoDps, LocalKey, Metrics, QueryReply,
    State, Version,
};
use serde::Serialize;
use serde_json::Value;

use crate::builder::DeviceBuilder;
use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::sending::Sending;
use crate::wait::block_on;

/// Device on the local network, kept connected in the background.
///
/// A handle is cheap to clone and can be used from any number of threads at once; all clones share one connection. When
/// the last one is dropped (those inside [`SubDevice`](crate::SubDevice)s and managers count) the connection ends. Commands without a
/// connection wait for it, and fail with a diagnosis if there is none within
/// [`command_timeout`](DeviceBuilder::command_timeout).
///
/// Handles of one connection are equal.
#[derive(Clone, Debug)]
pub struct Device {
    // Dropped in this order: the connection must end before the thread.
    pub(crate) inner: rustuya_runtime::Device,
    thread: PollThread,
}

impl PartialEq for Device {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Device {}

impl Hash for Device {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Device {
    pub(crate) fn new(inner: rustuya_runtime::Device, thread: &PollThread) -> Self {
        Self { inner, thread: thread.clone() }
    }

    /// Creates a builder from the id and the local key of 16 characters, unescaped.
    ///
    /// # Errors
    /// [`ConfigError`] when the id or the key is invalid.
    pub fn builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        rustuya_runtime::Device::builder(id, local_key).map(DeviceBuilder)
    }

    /// Creates a builder from an id and a key that were checked before, such as a key given as raw bytes.
    pub fn builder_with(id: DeviceId, local_key: LocalKey) -> DeviceBuilder {
        DeviceBuilder(rustuya_runtime::Device::builder_with(id, local_key))
    }

    /// Returns the device id.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns whether the connection is usable at this moment.
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Returns the version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.inner.version()
    }

    /// Returns the dialect in use.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    /// Returns the address of the device: the configured one, or the one that it last used.
    pub fn address(&self) -> Option<IpAddr> {
        self.inner.address()
    }

    /// Returns the host name that is configured in place of an address.
    pub fn host_name(&self) -> Option<Arc<str>> {
        self.inner.host_name()
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.inner.port()
    }

    /// Returns why the device is not usable; `None` once it is.
    pub fn diagnosis(&self) -> Option<DownReason> {
        self.inner.diagnosis()
    }

    /// Returns the time since the last frame or announcement of the device; `None` if there was none.
    pub fn last_seen(&self) -> Option<Duration> {
        self.inner.last_seen()
    }

    /// Returns the product id, when the device has announced one. Not a secret.
    pub fn product_key(&self) -> Option<Arc<str>> {
        self.inner.product_key()
    }

    /// Returns the last received DPs, and whether they are from the present connection. Sends nothing.
    pub fn state(&self) -> State {
        self.inner.state()
    }

    /// Returns the counters since the device was created.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// Returns the current configuration. To change it, use [`change`](Self::change).
    pub fn config(&self) -> DeviceBuilder {
        DeviceBuilder(self.inner.config())
    }

    /// Replaces the configuration. Listeners and handles stay. If address, port, key, version, dialect or time limits
    /// differ, the device reconnects, and commands that were sent on the old connection fail as lost; commands that
    /// wait for a connection still wait.
    ///
    /// This also reverts changes that other threads made since `builder` was read: use [`change`](Self::change) to
    /// change a part.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when the configuration has another device id.
    pub fn reconfigure(&self, builder: DeviceBuilder) -> Result<(), ConfigError> {
        self.inner.reconfigure(builder.0)
    }

    /// Changes a part of the configuration, like [`reconfigure`](Self::reconfigure). No concurrent change of another
    /// thread is lost: if there was one, `change` is called again with the new configuration.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when the configuration has another device id.
    pub fn change(&self, mut change: impl FnMut(DeviceBuilder) -> DeviceBuilder) -> Result<(), ConfigError> {
        self.inner.change(|known| change(DeviceBuilder(known)).0)
    }

    /// Returns a listener for all events from now on.
    pub fn listener(&self) -> Listener {
        Listener::new(self.inner.listener())
    }

    /// Waits until the connection is usable; connects if it is not kept. Returns the version in use.
    ///
    /// # Errors
    /// [`CommandError::NotConnected`] with the diagnosis after `timeout`, and at once when it is
    /// [proven](DownReason::is_proven) that the local key or the version is wrong; [`CommandError::Closed`] once closed.
    pub fn wait_connected(&self, timeout: Duration) -> Result<Version, CommandError> {
        block_on(self.inner.wait_connected(timeout))
    }

    /// Waits until the connection is usable and the device has sent its state on it, or has refused or not answered,
    /// which [`State::stale`] then shows. Sends a query if none is outstanding because
    /// [`query_on_connect`](crate::DeviceBuilder::query_on_connect) is off. Returns the state.
    ///
    /// # Errors
    /// Like [`wait_connected`](Self::wait_connected); [`CommandError::NoAnswer`] when the device was connected after
    /// `timeout` but had not answered.
    pub fn wait_ready(&self, timeout: Duration) -> Result<State, CommandError> {
        block_on(self.inner.wait_ready(timeout))
    }

    /// Connects without waiting for the delay between attempts. Returns at once; does nothing while connected.
    pub fn connect_now(&self) {
        self.inner.connect_now();
    }

    /// Asks for the state. The answer comes as an event; [`Sending::acknowledged`] and [`query`](Self::query) return
    /// it.
    pub fn status(&self) -> Sending {
        Sending::new(self.inner.status())
    }

    /// Asks for the state, and returns the DPs of the answer: of the reply, or of the pushes with which some firmware
    /// answers. The map is empty if the answer has none, and marked as [partial](QueryReply::partial) if the device may
    /// have more: device22 firmware answers only for the DPs in the query.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn query(&self) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query())
    }

    /// Asks for these DPs, in as many commands as the device needs. Ordinary firmware always answers with its whole
    /// state. [`QueryReply::missing`] has those that did not come.
    ///
    /// # Errors
    /// See [`CommandError`]; silence about some DPs is no error if at least one came.
    pub fn query_dps(&self, dps: &[u16]) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query_dps(dps))
    }

    /// Like [`query_dps`](Self::query_dps), with a limit for each command, like [`Sending::timeout`].
    ///
    /// # Errors
    /// Like [`query_dps`](Self::query_dps).
    pub fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query_dps_within(dps, timeout))
    }

    /// Sets one DP to a value that serializes to JSON without `null`. `None`, `()`, NaN and infinity become `null`,
    /// which fails as [`CommandError::InvalidValue`].
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        Sending::new(self.inner.set_value(dp, value))
    }

    /// Sets several DPs at once: a map, an array or an iterator of DPs and their values, or a JSON object; see [`IntoDps`].
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        Sending::new(self.inner.set_dps(dps))
    }

    /// Asks the device to measure these DPs again and to report them. The values arrive as events. Many devices do not
    /// answer, so silence counts as success.
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        Sending::new(self.inner.update_dps(dps))
    }

    /// Sends any command with the usual fields of its code. `data` becomes the `dps` of the request (of
    /// [`CommandCode::LAN_EXT_STREAM`], the `data`); `cid` addresses a sub-device.
    pub fn request(&self, command: CommandCode, data: Option<Value>, cid: Option<&str>) -> Sending {
        Sending::new(self.inner.request(command, data, cid))
    }

    /// Finds out which DPs the device has. Ordinary devices list them in their state; device22 firmware answers only
    /// for named DPs, and is asked for the usual ranges, one after the other.
    ///
    /// # Errors
    /// See [`CommandError`]. Ranges without an answer count as empty.
    pub fn detect_dps(&self) -> Result<BTreeSet<u16>, CommandError> {
        block_on(self.inner.detect_dps())
    }

    /// Closes the connection, for all clones, and returns when it has ended. Encoded commands have a second to leave;
    /// every command without an answer fails, on all threads that wait for it. Closing again does nothing.
    pub fn close(&self) {
        block_on(self.inner.close());
    }

    /// Returns whether the device was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Returns the thread of the device.
    pub const fn thread(&self) -> &PollThread {
        &self.thread
    }
}
