//! The handle of one device.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::{
    Cid, CommandCode, DeviceConfig, DeviceId, Dialect, DownReason, DpId, LocalKey, SendError, Version,
};
use serde::Serialize;
use serde_json::Value;

use crate::buffers;
use crate::discovery::{Discovery, Watch};
use crate::dp::{self, Dp, IntoDps};
use crate::error::{CommandError, ConfigError};
use crate::event::Event;
use crate::link::{Ask, Link, Options};
use crate::listener::Listener;
use crate::memory;
use crate::metrics::Metrics;
use crate::pacing::Pacing;
use crate::query::{self, Queried};
use crate::sending::Sending;
use crate::state::State;
use crate::sub_device::SubDevice;
use crate::text;
use crate::wipe::wipe_stack;

mod builder;
mod identity;

pub use builder::DeviceBuilder;
pub(crate) use identity::WeakDevice;

/// One device on the local network: it is kept connected in the background, commanded and listened to.
///
/// A handle is cheap to clone; all clones share one connection. When the last one is dropped (those inside
/// [`SubDevice`]s and managers count) the connection ends. Handles of one connection are equal. Commands given while there is no connection wait for it,
/// and fail with a diagnosis when there is none within [`command_timeout`](DeviceBuilder::command_timeout).
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
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
pub struct Device(Arc<Handle>);

struct Handle {
    link: Arc<Link>,
    settings: Mutex<Settings>,
}

/// What is configured beyond the link. Whoever changes the link's part holds this lock.
#[derive(Default)]
struct Settings {
    /// Counts changes.
    revision: u64,
    discovery: Option<Discovery>,
    /// Has the device told of its announcements, and keeps the service alive that hears them.
    watch: Option<Watch>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.link.close();
    }
}

impl Device {
    /// Describes a device: its id and its local key of 16 characters, unescaped.
    ///
    /// ```
    /// # use rustuya_runtime::Device;
    /// let lamp = Device::builder("bf0123456789abcdefgh", "0123456789abcdef")?.address([192, 168, 1, 20]);
    /// assert!(!format!("{lamp:?}").contains("0123456789abcdef\"")); // keys are never shown
    /// # Ok::<(), rustuya_runtime::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] when the id or the key cannot be one.
    pub fn builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        let described = Self::described(id, local_key);
        wipe_stack();
        described
    }

    #[inline(never)]
    fn described(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        Ok(Self::builder_with(DeviceId::new(id)?, text::local_key(local_key)?))
    }

    /// Describes a device by an id and a key that were checked before, such as a key given as raw bytes.
    pub fn builder_with(id: DeviceId, local_key: LocalKey) -> DeviceBuilder {
        DeviceBuilder {
            config: Box::new(DeviceConfig::new(id, local_key)),
            options: Options {
                timeout: Duration::from_secs(10),
                nowait: false,
                query_on_connect: true,
                pacing: Pacing::NONE,
                receive_limit: buffers::RECEIVED,
                memory_limit: memory::DEVICE,
                backlog_limit: memory::BACKLOG,
                host: None,
            },
            discovery: None,
            tap: None,
        }
    }

    /// The device id.
    pub fn id(&self) -> &str {
        &self.0.link.id
    }

    /// Whether the connection is usable at this moment.
    pub fn is_connected(&self) -> bool {
        self.link().with(|engine, _| engine.machine().is_up())
    }

    /// The version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.link().with(|engine, _| engine.machine().version())
    }

    /// The dialect in use: the configured one, or the one that was found out. [`Event::Dialect`] tells each change.
    pub fn dialect(&self) -> Dialect {
        self.link().with(|engine, _| engine.machine().dialect())
    }

    /// Where the device is: the configured address, the last one that was found for its host name, or the one that it
    /// was last heard from.
    pub fn address(&self) -> Option<IpAddr> {
        self.link().with(|engine, _| engine.address())
    }

    /// The host name that is configured in place of an address.
    pub fn host_name(&self) -> Option<Arc<str>> {
        self.link().with(|engine, _| engine.options.host.clone())
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.link().with(|engine, _| engine.machine().config().port)
    }

    /// Why the device could not be used, since it last could.
    ///
    /// ```
    /// # use core::time::Duration;
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

    /// How long ago the device was last heard or seen; `None` when it was not yet.
    pub fn last_seen(&self) -> Option<Duration> {
        self.link().with(|engine, _| engine.last_seen())
    }

    /// The product id, when the device has announced one. Not a secret.
    pub fn product_key(&self) -> Option<Arc<str>> {
        self.link().with(|engine, _| engine.product_key())
    }

    /// The DPs as they were last heard, and whether that was on the present connection. Asks nobody.
    pub fn state(&self) -> State {
        self.link().with(|engine, _| engine.state())
    }

    /// Counters since the device was made.
    pub fn metrics(&self) -> Metrics {
        self.link().with(|engine, _| engine.metrics())
    }

    /// The description that the device has now. To change it, use [`change`](Self::change).
    pub fn config(&self) -> DeviceBuilder {
        self.description().0
    }

    /// The description that the device has now, and how often it was changed before.
    pub(crate) fn description(&self) -> (DeviceBuilder, u64) {
        let settings = self.settings();
        let (config, options, tap) = self.link().quietly(|engine| engine.description());
        let (discovery, revision) = (settings.discovery.clone(), settings.revision);
        drop(settings);
        wipe_stack();
        self.link().settle();
        (DeviceBuilder { config, options, discovery, tap }, revision)
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
        self.replace(builder, None).map(drop)
    }

    /// Changes a part of the description, as [`reconfigure`](Self::reconfigure). No change that other threads make at
    /// the same time is lost: `change` is called again, with the new description, when there was one meanwhile.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.change(|known| known.address([192, 168, 1, 21]).version(Version::V35))?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Id`] when the description is that of another device.
    pub fn change(&self, mut change: impl FnMut(DeviceBuilder) -> DeviceBuilder) -> Result<(), ConfigError> {
        loop {
            let (known, revision) = self.description();
            let builder = change(known.clone());
            if builder == known || self.replace(builder, Some(revision))? {
                return Ok(());
            }
        }
    }

    /// Replaces the description, unless it was changed since it was at `expected`. Says whether it did.
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
        self.link().quietly(|engine| engine.reconfigure(&config, options));
        wipe_stack();
        drop(settings);
        drop(before);
        self.link().settle();
        self.watch(revision);
        Ok(true)
    }

    /// Has the device told of its announcements by the service that it is to be located by since this revision.
    fn watch(&self, revision: u64) {
        let discovery = self.settings().discovery.clone();
        let mut watch = discovery.map(|discovery| discovery.watch(self.link()));
        let mut settings = self.settings();
        if settings.revision == revision {
            core::mem::swap(&mut settings.watch, &mut watch);
        }
        // The former one, or this one where the settings are newer, is dropped while the lock is free.
        drop(settings);
    }

    /// Receives everything that happens from now on.
    pub fn listener(&self) -> Listener<Event> {
        self.link().with(|engine, _| engine.news().listener())
    }

    /// Waits until the connection is usable; connects where it is not kept. Returns the version that is spoken.
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
    /// [`CommandError::NotConnected`] with the diagnosis after `timeout`, and at once when it is
    /// [proven](DownReason::is_proven) that the local key or the version is wrong; [`CommandError::Closed`] once closed.
    ///
    /// # Cancel safety
    /// Safe: nothing is changed by waiting.
    pub async fn wait_connected(&self, timeout: Duration) -> Result<Version, CommandError> {
        self.ask(Ok(Ask::Connection), None).timeout(timeout).acknowledged().await?;
        self.version().ok_or(CommandError::NotConnected { reason: None })
    }

    /// Waits until the connection is usable and the device has told its state on it, or has refused to or not answered:
    /// then [`State::stale`] says so. Where no query is under way, because
    /// [`query_on_connect`](DeviceBuilder::query_on_connect) is off, one is sent. Returns the state.
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
    /// As [`wait_connected`](Self::wait_connected); [`CommandError::NoAnswer`] when the device was connected after
    /// `timeout`, and the answer was not there.
    ///
    /// # Cancel safety
    /// Safe: nothing is changed by waiting.
    pub async fn wait_ready(&self, timeout: Duration) -> Result<State, CommandError> {
        self.ask(Ok(Ask::State), None).timeout(timeout).acknowledged().await?;
        Ok(self.state())
    }

    /// Connects without waiting for the delay between attempts. Returns at once; does nothing while connected.
    pub fn connect_now(&self) {
        self.link().with(|engine, _| engine.connect_now());
    }

    /// Asks for the state. The answer comes as an event; await [`Sending::acknowledged`] or use
    /// [`query`](Self::query) to have it here.
    pub fn status(&self) -> Sending {
        self.ask(Ok(Ask::Status), None)
    }

    /// Asks for the state, and returns the DPs that the device tells: in its reply, or in the pushes by which some
    /// firmware answers. The map is empty when it tells none.
    ///
    /// device22 firmware, which includes 3.2, tells those DPs alone that it is asked for. It is asked for those that it
    /// was heard of with and that were written, and the result is marked as [partial](Queried::partial);
    /// [`query_dps`](Self::query_dps) asks for others. Nothing is ever written to ask.
    ///
    /// ```
    /// # use core::time::Duration;
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
    pub async fn query(&self) -> Result<Queried, CommandError> {
        Ok(self.status().acknowledged().await?.into())
    }

    /// Asks for these DPs, in as many commands as the device needs. Ordinary firmware tells everything, whatever is
    /// asked; what device22 firmware does not tell at once is asked for one by one. Those that did not come are in
    /// [`Queried::missing`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let state = device.query_dps(&[20, 21, 22]).await?;
    /// println!("{:?}, not told: {:?}", state.dps, state.missing);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`CommandError`]; when at least one DP was told, there is none for silence about others.
    ///
    /// # Cancel safety
    /// As [`Acknowledged`](crate::Acknowledged).
    pub async fn query_dps(&self, dps: &[u16]) -> Result<Queried, CommandError> {
        query::query_dps(self, None, dps, None).await
    }

    /// As [`query_dps`](Self::query_dps), with a limit for each command, as [`Sending::timeout`].
    ///
    /// # Errors
    /// As [`query_dps`](Self::query_dps).
    pub async fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<Queried, CommandError> {
        query::query_dps(self, None, dps, Some(timeout)).await
    }

    /// Sets one DP to anything that serializes to JSON without `null`, which is also what `None`, `()`, NaN and infinity
    /// become: [`CommandError::InvalidValue`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.set_value(1, true).await?;
    /// device.set_value("24", "000003e803e8").acknowledged().await?;
    /// # Ok(()) }
    /// ```
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        self.ask(dp::set_value(dp.into(), value), None)
    }

    /// Sets several DPs at once: a map, an array or an iterator of DPs and their values, or a JSON object; see [`IntoDps`].
    /// For values, the same holds as in [`set_value`](Self::set_value).
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.set_dps(serde_json::json!({ "1": true, "2": 80 })).await?;
    /// device.set_dps([(1, 5), (2, 6)]).await?;
    /// # Ok(()) }
    /// ```
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        self.ask(dp::set_dps(dps), None)
    }

    /// Asks the device to measure these DPs again and to report them. The values arrive as events. Silence is how
    /// many devices take this, so it counts as success.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// device.update_dps(&[18, 19, 20]).await?; // of a meter: current, power, voltage
    /// # Ok(()) }
    /// ```
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        self.ask(Ok(Ask::Update(dps.iter().copied().map(DpId).collect())), None)
    }

    /// Sends any command with the fields that its code usually carries. `data` becomes the `dps` of the request (of
    /// [`CommandCode::LAN_EXT_STREAM`], the `data`); `cid` addresses a sub-device. Controls with a `null` in their data
    /// fail with [`CommandError::InvalidValue`]; to ask for some DPs alone, give a map of nulls with
    /// [`CommandCode::DP_QUERY`], which device22 firmware wants.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let dps = serde_json::json!({ "1": true });
    /// device.request(CommandCode::CONTROL, Some(dps), Some("a4c1380000000001")).acknowledged().await?;
    /// # Ok(()) }
    /// ```
    pub fn request(&self, command: CommandCode, data: Option<Value>, cid: Option<&str>) -> Sending {
        match cid.map(Cid::new).transpose() {
            Ok(cid) => self.ask(dp::request(command, data), cid),
            Err(_) => self.ask(Err(CommandError::Invalid(SendError::InvalidData)), None),
        }
    }

    /// Asks a gateway for its sub-devices. Of the answer, `data.online` and `data.offline` in the payload list the
    /// cids; a gateway with many may send more reports, which arrive as events. One in neither list of one report is
    /// not thereby gone. Devices that are no gateways, and gateways that speak 3.3, often do not answer.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let report = device.sub_discover().acknowledged().await?.payload();
    /// println!("{:?}", report.map(|report| report["data"]["online"].clone()));
    /// # Ok(()) }
    /// ```
    pub fn sub_discover(&self) -> Sending {
        self.ask(Ok(Ask::SubDevices), None)
    }

    /// A sub-device of this gateway. The handle shares this connection and asks nothing of the gateway by itself.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let sensor = device.sub("a4c1380000000001")?;
    /// println!("{:?}", sensor.query().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Id`] when `cid` cannot be one.
    pub fn sub(&self, cid: &str) -> Result<SubDevice, ConfigError> {
        Ok(SubDevice::new(self.clone(), Cid::new(cid)?))
    }

    /// The sub-devices that were heard of, and whether the gateway reaches them, as far as it has said so.
    pub fn sub_devices(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.link().with(|engine, _| engine.cache().children())
    }

    /// Finds out which DPs the device has. Ordinary devices list them when they are asked for their state; device22
    /// firmware answers only for DPs that are named, and is asked for the usual ranges, one after the other. That is
    /// done where the dialect is known, because other firmware takes such a query for a write.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// println!("{:?}", device.detect_dps().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// See [`CommandError`]. Ranges that are not answered are taken to be empty; when nothing at all is known, the
    /// first refusal is told.
    pub async fn detect_dps(&self) -> Result<BTreeSet<u16>, CommandError> {
        query::detect_dps(self).await
    }

    /// Ends the connection, for all clones, and returns when it has ended. What is encoded is given a second to
    /// leave; every command without an answer is told so. Closing again does nothing.
    ///
    /// # Cancel safety
    /// Safe: closing goes on.
    pub async fn close(&self) {
        self.start_close();
        core::future::poll_fn(|cx| self.link().poll_closed(cx)).await;
    }

    /// Whether the device was closed.
    pub fn is_closed(&self) -> bool {
        self.link().is_closed()
    }

    pub(crate) fn start_close(&self) {
        self.link().close();
    }

    pub(crate) fn ask(&self, ask: Result<Ask, CommandError>, cid: Option<Cid>) -> Sending {
        Sending::new(self.link(), ask, cid)
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
