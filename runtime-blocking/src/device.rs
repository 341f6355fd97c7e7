//! The handle of one device.

use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use rustuya_runtime::{
    CommandCode, CommandError, ConfigError, DeviceId, Dialect, DownReason, Dp, IntoDps, LocalKey, Metrics, Queried,
    State, Version,
};
use serde::Serialize;
use serde_json::Value;

use crate::builder::DeviceBuilder;
use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::sending::Sending;
use crate::sub_device::SubDevice;
use crate::wait::block_on;

/// One device on the local network: it is kept connected in the background, commanded and listened to.
///
/// A handle is cheap to clone and can be used from any number of threads at once; all clones share one connection.
/// When the last one is dropped (those inside [`SubDevice`]s and managers count) the connection ends. Commands given
/// while there is no connection wait for it, and fail with a diagnosis when there is none within
/// [`command_timeout`](DeviceBuilder::command_timeout).
///
/// Handles of one connection are equal.
#[derive(Clone, Debug)]
pub struct Device {
    // In this order: the connection is to end before the thread does.
    inner: rustuya_runtime::Device,
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

    /// Describes a device: its id and its local key of 16 characters, unescaped.
    ///
    /// # Errors
    /// [`ConfigError`] when the id or the key cannot be one.
    pub fn builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        rustuya_runtime::Device::builder(id, local_key).map(DeviceBuilder)
    }

    /// Describes a device by an id and a key that were checked before, such as a key given as raw bytes.
    pub fn builder_with(id: DeviceId, local_key: LocalKey) -> DeviceBuilder {
        DeviceBuilder(rustuya_runtime::Device::builder_with(id, local_key))
    }

    /// The device id.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Whether the connection is usable at this moment.
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// The version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.inner.version()
    }

    /// The dialect in use.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect()
    }

    /// Where the device is: the configured address, or the one that it was last heard from.
    pub fn address(&self) -> Option<IpAddr> {
        self.inner.address()
    }

    /// The host name that is configured in place of an address.
    pub fn host_name(&self) -> Option<Arc<str>> {
        self.inner.host_name()
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.inner.port()
    }

    /// Why the device could not be used, since it last could.
    pub fn diagnosis(&self) -> Option<DownReason> {
        self.inner.diagnosis()
    }

    /// How long ago the device was last heard or seen; `None` when it was not yet.
    pub fn last_seen(&self) -> Option<Duration> {
        self.inner.last_seen()
    }

    /// The product id, when the device has announced one. Not a secret.
    pub fn product_key(&self) -> Option<Arc<str>> {
        self.inner.product_key()
    }

    /// The DPs as they were last heard, and whether that was on the present connection. Asks nobody.
    pub fn state(&self) -> State {
        self.inner.state()
    }

    /// Counters since the device was made.
    pub fn metrics(&self) -> Metrics {
        self.inner.metrics()
    }

    /// The description that the device has now. To change it, use [`change`](Self::change).
    pub fn config(&self) -> DeviceBuilder {
        DeviceBuilder(self.inner.config())
    }

    /// Replaces the description. Listeners and handles stay. Where address, port, key, version, dialect or time limits
    /// differ, the connection is made anew, and commands that were sent on the old one fail as lost; commands that
    /// wait go on waiting.
    ///
    /// What another thread has changed since `builder` was made is changed back: use [`change`](Self::change) to
    /// change a part.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when the description is that of another device.
    pub fn reconfigure(&self, builder: DeviceBuilder) -> Result<(), ConfigError> {
        self.inner.reconfigure(builder.0)
    }

    /// Changes a part of the description, as [`reconfigure`](Self::reconfigure). No change that other threads make at
    /// the same time is lost: `change` is called again, with the new description, when there was one meanwhile.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when the description is that of another device.
    pub fn change(&self, mut change: impl FnMut(DeviceBuilder) -> DeviceBuilder) -> Result<(), ConfigError> {
        self.inner.change(|known| change(DeviceBuilder(known)).0)
    }

    /// Receives everything that happens from now on.
    pub fn listener(&self) -> Listener {
        Listener::new(self.inner.listener())
    }

    /// Waits until the connection is usable; connects where it is not kept. Returns the version that is spoken.
    ///
    /// # Errors
    /// [`CommandError::NotConnected`] with the diagnosis after `timeout`, and at once when it is
    /// [proven](DownReason::is_proven) that the local key or the version is wrong; [`CommandError::Closed`] once closed.
    pub fn wait_connected(&self, timeout: Duration) -> Result<Version, CommandError> {
        block_on(self.inner.wait_connected(timeout))
    }

    /// Waits until the connection is usable and the device has told its state on it, or has refused to or not answered:
    /// then [`State::stale`] says so. Where no query is under way, because
    /// [`query_on_connect`](crate::DeviceBuilder::query_on_connect) is off, one is sent. Returns the state.
    ///
    /// # Errors
    /// As [`wait_connected`](Self::wait_connected); [`CommandError::NoAnswer`] when the device was connected after
    /// `timeout`, and the answer was not there.
    pub fn wait_ready(&self, timeout: Duration) -> Result<State, CommandError> {
        block_on(self.inner.wait_ready(timeout))
    }

    /// Connects without waiting for the delay between attempts. Returns at once; does nothing while connected.
    pub fn connect_now(&self) {
        self.inner.connect_now();
    }

    /// Asks for the state. The answer comes as an event; use [`Sending::acknowledged`] or [`query`](Self::query) to
    /// have it here.
    pub fn status(&self) -> Sending {
        Sending::new(self.inner.status())
    }

    /// Asks for the state, and returns the DPs that the device tells: in its reply, or in the pushes by which some
    /// firmware answers. The map is empty when it tells none, and marked as [partial](Queried::partial) when the device
    /// may have more: device22 firmware tells those DPs alone that it is asked for.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn query(&self) -> Result<Queried, CommandError> {
        block_on(self.inner.query())
    }

    /// Asks for these DPs, in as many commands as the device needs. Ordinary firmware tells everything, whatever is
    /// asked. Those that did not come are in [`Queried::missing`].
    ///
    /// # Errors
    /// See [`CommandError`]; when at least one DP was told, there is none for silence about others.
    pub fn query_dps(&self, dps: &[u16]) -> Result<Queried, CommandError> {
        block_on(self.inner.query_dps(dps))
    }

    /// As [`query_dps`](Self::query_dps), with a limit for each command, as [`Sending::timeout`].
    ///
    /// # Errors
    /// As [`query_dps`](Self::query_dps).
    pub fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<Queried, CommandError> {
        block_on(self.inner.query_dps_within(dps, timeout))
    }

    /// Sets one DP to anything that serializes to JSON without `null`, which is also what `None`, `()`, NaN and infinity
    /// become: [`CommandError::InvalidValue`].
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        Sending::new(self.inner.set_value(dp, value))
    }

    /// Sets several DPs at once: a map, an array or an iterator of DPs and their values, or a JSON object; see [`IntoDps`].
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        Sending::new(self.inner.set_dps(dps))
    }

    /// Asks the device to measure these DPs again and to report them. The values arrive as events. Silence is how
    /// many devices take this, so it counts as success.
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        Sending::new(self.inner.update_dps(dps))
    }

    /// Sends any command with the fields that its code usually carries. `data` becomes the `dps` of the request (of
    /// [`CommandCode::LAN_EXT_STREAM`], the `data`); `cid` addresses a sub-device.
    pub fn request(&self, command: CommandCode, data: Option<Value>, cid: Option<&str>) -> Sending {
        Sending::new(self.inner.request(command, data, cid))
    }

    /// Asks a gateway for its sub-devices. Of the answer, `data.online` and `data.offline` in the payload list the
    /// cids; a gateway with many may send more reports, which arrive as events. One in neither list of one report is
    /// not thereby gone. Devices that are no gateways, and gateways that speak 3.3, often do not answer.
    pub fn sub_discover(&self) -> Sending {
        Sending::new(self.inner.sub_discover())
    }

    /// A sub-device of this gateway. The handle shares this connection and asks nothing of the gateway by itself.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when `cid` cannot be one.
    pub fn sub(&self, cid: &str) -> Result<SubDevice, ConfigError> {
        Ok(SubDevice::new(self.inner.sub(cid)?, self.clone()))
    }

    /// The sub-devices that were heard of, and whether the gateway reaches them, as far as it has said so.
    pub fn sub_devices(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.inner.sub_devices()
    }

    /// Finds out which DPs the device has. Ordinary devices list them when they are asked for their state; device22
    /// firmware answers only for DPs that are named, and is asked for the usual ranges, one after the other.
    ///
    /// # Errors
    /// See [`CommandError`]. Ranges that are not answered are taken to be empty.
    pub fn detect_dps(&self) -> Result<BTreeSet<u16>, CommandError> {
        block_on(self.inner.detect_dps())
    }

    /// Ends the connection, for all clones, and returns when it has ended. What is encoded is given a second to
    /// leave; every command without an answer is told so, whichever thread waits for it. Closing again does nothing.
    pub fn close(&self) {
        block_on(self.inner.close());
    }

    /// Whether the device was closed.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// The thread that it runs on.
    pub const fn thread(&self) -> &PollThread {
        &self.thread
    }
}
