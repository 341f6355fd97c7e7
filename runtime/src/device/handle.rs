//! Handle of one device.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use rustuya_proto::{
    Cid, CommandCode, DeviceConfig, DeviceId, Dialect, DownReason, DpId, LocalKey, SendError, Version,
};
use serde::Serialize;
use serde_json::Value;

use super::builder::DeviceBuilder;
use super::dp::{self, Dp, IntoDps};
use super::query::{self, QueryReply};
use super::sending::Sending;
use crate::discovery::{Discovery, Watch};
use crate::link::{Link, Operation, Options};
use crate::report::error::{CommandError, ConfigError};
use crate::report::event::Event;
use crate::report::listener::Listener;
use crate::report::metrics::Metrics;
use crate::report::state::State;
use crate::sync::{Mutex, MutexGuard};
use crate::text;
use crate::wipe::wipe_stack;

/// One device on the local network. The connection is kept in the background; commands go out and events come in
/// through this handle.
///
/// A handle is cheap to clone; all clones share one connection, and compare equal. The connection ends when the last
/// handle is dropped, including those inside [`SubDevice`](crate::SubDevice)s and managers. Commands submitted without a connection wait
/// for it, and fail with a diagnosis if there is none within [`command_timeout`](DeviceBuilder::command_timeout).
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// device.wait_connected(Duration::from_secs(10)).await?;
/// assert_eq!(device.query().await?["2"], json!(50));
/// device.set_value(1, true).acknowledged().await?;
/// assert_eq!(lamp.dps(None)["1"], json!(true));
/// assert_eq!((device.version(), device.diagnosis()), (Some(Version::V34), None));
/// device.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Device(pub(super) Arc<Inner>);

pub(super) struct Inner {
    link: Arc<Link>,
    settings: Mutex<Settings>,
}

/// Configuration beyond the link. Every change of the link's part is made under this lock, too.
#[derive(Default)]
struct Settings {
    /// Number of changes.
    revision: u64,
    discovery: Option<Discovery>,
    /// Subscription to announcements; keeps the discovery alive.
    watch: Option<Watch>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl Device {
    /// Configures a device by its id and its local key of 16 characters, unescaped.
    ///
    /// ```
    /// # use rustuya_runtime::Device;
    /// let lamp = Device::builder("bf0123456789abcdefgh", "0123456789abcdef")?.address([192, 168, 1, 20]);
    /// assert!(!format!("{lamp:?}").contains("0123456789abcdef\"")); // keys are never shown
    /// # Ok::<(), rustuya_runtime::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] if the id or the key is invalid.
    pub fn builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        let described = Self::parse_builder(id, local_key);
        wipe_stack();
        described
    }

    #[inline(never)]
    fn parse_builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        Ok(Self::builder_with(DeviceId::new(id)?, text::local_key(local_key)?))
    }

    /// Configures a device by an id and a key that were checked before, such as a key given as raw bytes.
    pub fn builder_with(id: DeviceId, local_key: LocalKey) -> DeviceBuilder {
        DeviceBuilder {
            config: Box::new(DeviceConfig::new(id, local_key)),
            options: Options::default(),
            discovery: None,
            tap: None,
        }
    }

    /// Makes a handle of a link.
    pub(super) fn new(link: Arc<Link>, discovery: Option<Discovery>) -> Self {
        let settings = Settings { discovery, ..Settings::default() };
        Self(Arc::new(Inner { link, settings: Mutex::new(settings) }))
    }

    /// Returns the device id.
    pub fn id(&self) -> &str {
        &self.0.link.id
    }

    /// Returns whether the connection is usable now.
    pub fn is_connected(&self) -> bool {
        self.link().with(|engine, _| engine.machine().is_up())
    }

    /// Returns the configured or detected version.
    pub fn version(&self) -> Option<Version> {
        self.link().with(|engine, _| engine.machine().version())
    }

    /// Returns the dialect in use: the configured or the detected one. Each change is an [`Event::Dialect`].
    pub fn dialect(&self) -> Dialect {
        self.link().with(|engine, _| engine.machine().dialect())
    }

    /// Returns the address: the configured one, the last one of its host name, or the last one that it announced.
    pub fn address(&self) -> Option<IpAddr> {
        self.link().with(|engine, _| engine.address())
    }

    /// Returns the host name that is configured in place of an address.
    pub fn host_name(&self) -> Option<Arc<str>> {
        self.link().with(|engine, _| engine.options.host.clone())
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.link().with(|engine, _| engine.machine().config().port)
    }

    /// Returns why the device is not usable, or was not since it last was.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// if let Some(reason) = device.diagnosis() {
    ///     println!("{reason}: {}", reason.advice());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn diagnosis(&self) -> Option<DownReason> {
        self.link().with(|engine, _| engine.machine().diagnosis())
    }

    /// Returns the time since the last frame or announcement; `None` before the first one.
    pub fn last_seen(&self) -> Option<Duration> {
        self.link().with(|engine, _| engine.last_seen())
    }

    /// Returns the product id, if the device has announced one. Not a secret.
    pub fn product_key(&self) -> Option<Arc<str>> {
        self.link().with(|engine, _| engine.product_key())
    }

    /// Returns the last known DPs, and whether they were received on the present connection. Sends nothing.
    pub fn state(&self) -> State {
        self.link().with(|engine, _| engine.state())
    }

    /// Returns counters since the device was made.
    pub fn metrics(&self) -> Metrics {
        self.link().with(|engine, _| engine.metrics())
    }

    /// Returns the present configuration. To change it, use [`change`](Self::change).
    pub fn config(&self) -> DeviceBuilder {
        self.description().0
    }

    /// Returns the present configuration and its revision.
    pub(crate) fn description(&self) -> (DeviceBuilder, u64) {
        let settings = self.settings();
        let (config, options, tap) = self.link().with_deferred_wakes(|engine| engine.description());
        let (discovery, revision) = (settings.discovery.clone(), settings.revision);
        drop(settings);
        wipe_stack();
        self.link().flush_wakes();
        (DeviceBuilder { config, options, discovery, tap }, revision)
    }

    /// Replaces the configuration. Listeners and handles stay. If address, port, key, version, dialect or time limits
    /// differ, the device reconnects; commands that were sent on the old connection fail as lost, and commands that
    /// wait go on waiting.
    ///
    /// This reverts changes that another thread has made since `builder` was made: use [`change`](Self::change) to
    /// change a part.
    ///
    /// # Errors
    /// [`ConfigError::Id`] if the configuration is that of another device.
    pub fn reconfigure(&self, builder: DeviceBuilder) -> Result<(), ConfigError> {
        self.replace(builder, None).map(drop)
    }

    /// Changes a part of the configuration, as [`reconfigure`](Self::reconfigure) does. Keeps changes that other
    /// threads make at the same time: after such a change, `change` is called again, with the new configuration.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.change(|known| known.address([192, 168, 1, 21]).version(Version::V35))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Id`] if the configuration is that of another device.
    pub fn change(&self, mut change: impl FnMut(DeviceBuilder) -> DeviceBuilder) -> Result<(), ConfigError> {
        loop {
            let (known, revision) = self.description();
            let builder = change(known.clone());
            if builder == known || self.replace(builder, Some(revision))? {
                return Ok(());
            }
        }
    }

    /// Replaces the configuration if its revision is still `expected`. Returns whether it did.
    pub(crate) fn replace(&self, builder: DeviceBuilder, expected: Option<u64>) -> Result<bool, ConfigError> {
        if builder.config.id.as_str() != self.id() {
            return Err(ConfigError::Id(rustuya_proto::InvalidId));
        }
        let DeviceBuilder { config, options, discovery, .. } = builder;
        let mut settings = self.settings();
        if expected.is_some_and(|expected| expected != settings.revision) {
            return Ok(false);
        }
        settings.revision += 1;
        let revision = settings.revision;
        let before = core::mem::replace(&mut settings.discovery, discovery);
        self.link().with_deferred_wakes(|engine| engine.reconfigure(&config, options));
        wipe_stack();
        drop(settings);
        drop(before);
        self.link().flush_wakes();
        self.watch(revision);
        Ok(true)
    }

    /// Subscribes to the announcements that the configured discovery receives, unless the revision has changed.
    pub(super) fn watch(&self, revision: u64) {
        let discovery = self.settings().discovery.clone();
        let mut watch = discovery.map(|discovery| {
            let link = Arc::clone(self.link());
            discovery.watch(&self.link().id, link)
        });
        let mut settings = self.settings();
        if settings.revision == revision {
            core::mem::swap(&mut settings.watch, &mut watch);
        }
        // Drop the former subscription, or this one if the settings are newer, without the lock.
        drop(settings);
    }

    /// Makes a listener for events from now on.
    pub fn listener(&self) -> Listener<Event> {
        self.link().with(|engine, _| engine.publisher().listener())
    }

    /// Waits until the connection is usable; connects if it is not persistent. Returns the version in use.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let version = device.wait_connected(Duration::from_secs(10)).await?;
    /// println!("speaks {version}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`CommandError::NotConnected`] with the diagnosis after `timeout`, or at once if it is
    /// [proven](DownReason::is_proven) that the local key or the version is wrong; [`CommandError::Closed`] if closed.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn wait_connected(&self, timeout: Duration) -> Result<Version, CommandError> {
        self.submit(Ok(Operation::Connection), None).timeout(timeout).acknowledged().await?;
        self.version().ok_or(CommandError::NotConnected { reason: None })
    }

    /// Waits until the connection is usable and the device has reported its state on it, or has refused or not answered
    /// the query, which [`State::stale`] tells. Sends a query if none is under way because
    /// [`query_on_connect`](DeviceBuilder::query_on_connect) is off. Returns the state.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let state = device.wait_ready(Duration::from_secs(10)).await?;
    /// match &state.stale {
    ///     None => println!("{:?}", state.to_map()),
    ///     Some(why) => println!("{:?}, but {why}", state.to_map()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`wait_connected`](Self::wait_connected); [`CommandError::NoAnswer`] if the device is connected after
    /// `timeout` and the answer has not arrived.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<State, CommandError> {
        self.submit(Ok(Operation::State), None).timeout(timeout).acknowledged().await?;
        Ok(self.state())
    }

    /// Connects without waiting for the delay between attempts. Returns at once; does nothing while connected.
    pub fn connect_now(&self) {
        self.link().with(|engine, _| engine.connect_now());
    }

    /// Queries the state. The answer arrives as an event; await [`Sending::acknowledged`] or use [`query`](Self::query)
    /// to receive it here.
    pub fn status(&self) -> Sending {
        self.submit(Ok(Operation::Status), None)
    }

    /// Queries the state, and returns the DPs that the device reports: in its answer, or in the pushes by which some
    /// firmware answers. The map is empty if it reports none.
    ///
    /// Device22 firmware, which includes 3.2, reports only the DPs that a query names. The query names the known DPs
    /// and those that were written, and the result is marked as [partial](QueryReply::partial);
    /// [`query_dps`](Self::query_dps) queries others. A query never writes.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// for (dp, value) in device.query().await? {
    ///     println!("{dp} = {value}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Acknowledged`](crate::Acknowledged).
    pub async fn query(&self) -> Result<QueryReply, CommandError> {
        Ok(self.status().acknowledged().await?.into())
    }

    /// Queries these DPs, in as many commands as the device needs. Ordinary firmware reports everything, whatever is
    /// named; DPs that device22 firmware does not report at once are queried one by one. Those that did not come are in
    /// [`QueryReply::missing`].
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let state = device.query_dps(&[20, 21, 22]).await?;
    /// println!("{:?}, missing: {:?}", state.dps, state.missing);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`CommandError`]; if at least one DP was reported, missing ones are no error.
    ///
    /// # Cancel safety
    /// As [`Acknowledged`](crate::Acknowledged).
    pub async fn query_dps(&self, dps: &[u16]) -> Result<QueryReply, CommandError> {
        query::query_dps(self.link(), None, dps, None).await
    }

    /// As [`query_dps`](Self::query_dps), with a time limit for each command, as [`Sending::timeout`].
    ///
    /// # Errors
    /// As [`query_dps`](Self::query_dps).
    pub async fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<QueryReply, CommandError> {
        query::query_dps(self.link(), None, dps, Some(timeout)).await
    }

    /// Writes one DP. The value is anything that serializes to JSON without `null`, which is also what `None`, `()`,
    /// NaN and infinity become: [`CommandError::InvalidValue`].
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.set_value(1, true).await?;
    /// device.set_value("24", "000003e803e8").acknowledged().await?;
    /// # Ok(()) }
    /// ```
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        self.submit(dp::set_value(dp.into(), value), None)
    }

    /// Writes several DPs at once: a map, an array or an iterator of DPs and their values, or a JSON object; see
    /// [`IntoDps`]. Values are those of [`set_value`](Self::set_value).
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.set_dps(serde_json::json!({ "1": true, "2": 80 })).await?;
    /// device.set_dps([(1, 5), (2, 6)]).await?;
    /// # Ok(()) }
    /// ```
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        self.submit(dp::set_dps(dps), None)
    }

    /// Requests that the device measures these DPs again and reports them. The values arrive as events. Many devices do
    /// not answer this command, so no answer counts as success.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.update_dps(&[18, 19, 20]).await?; // of a meter: current, power, voltage
    /// # Ok(()) }
    /// ```
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        self.submit(Ok(Operation::Update(dps.iter().copied().map(DpId).collect())), None)
    }

    /// Sends any command with the fields that its code usually has. `data` becomes the `dps` of the request (for
    /// [`CommandCode::LAN_EXT_STREAM`], the `data`); `cid` addresses a sub-device. Controls with a `null` in their data
    /// fail with [`CommandError::InvalidValue`]. To query certain DPs, pass a map of nulls with
    /// [`CommandCode::DP_QUERY`], as device22 firmware wants it.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let dps = serde_json::json!({ "1": true });
    /// device.request(CommandCode::CONTROL, Some(dps), Some("a4c1380000000001")).acknowledged().await?;
    /// # Ok(()) }
    /// ```
    pub fn request(&self, command: CommandCode, data: Option<Value>, cid: Option<&str>) -> Sending {
        match cid.map(Cid::new).transpose() {
            Ok(cid) => self.submit(dp::request(command, data), cid),
            Err(_) => self.submit(Err(CommandError::Invalid(SendError::InvalidData)), None),
        }
    }

    /// Detects the DPs of the device. Ordinary devices list them in answer to a query; device22 firmware reports only
    /// DPs that are named, and is queried for the usual ranges, one after the other. Only a known dialect permits that,
    /// because other firmware takes such a query for a write.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// println!("{:?}", device.detect_dps().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`CommandError`]. Ranges that are not answered count as empty; if no DP is known at all, the first refusal
    /// is the error.
    pub async fn detect_dps(&self) -> Result<BTreeSet<u16>, CommandError> {
        query::detect_dps(self.link()).await
    }

    /// Closes the connection, for all clones, and returns once it is closed. Encoded bytes get a second to be written;
    /// every command without an answer fails. Closing again does nothing.
    ///
    /// # Cancel safety
    /// Safe: closing goes on.
    pub async fn close(&self) {
        self.start_close();
        core::future::poll_fn(|cx| self.link().poll_closed(cx)).await;
    }

    /// Returns whether the device was closed.
    pub fn is_closed(&self) -> bool {
        self.link().is_closed()
    }

    pub(crate) fn start_close(&self) {
        self.link().close();
    }

    pub(crate) fn submit(&self, operation: Result<Operation, CommandError>, cid: Option<Cid>) -> Sending {
        Sending::new(self.link(), operation, cid)
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0.link
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.0.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (up, version) = self.link().with(|engine, _| (engine.machine().is_up(), engine.machine().version()));
        let mut text = f.debug_struct("Device");
        text.field("id", &self.id()).field("connected", &up).field("version", &version).finish_non_exhaustive()
    }
}
