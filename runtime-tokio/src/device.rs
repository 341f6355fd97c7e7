//! The handle of one device.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{
    Cid, CommandCode, DeviceConfig, DeviceId, Dialect, DownReason, DpId, LocalKey, SendError, Timing, Version,
};
use serde_json::{Map, Value};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::commands::{Ask, Reply, Request, too_late};
use crate::discovery::Discovery;
use crate::driver::{Driver, Order, Shared, Status};
use crate::error::{CommandError, ConfigError};
use crate::event::{Event, Hub, Listener};
use crate::sub_device::SubDevice;

/// One device on the local network: it is kept connected in the background, commanded and listened to.
///
/// A handle is cheap to clone; all clones share one connection. When the last one is dropped (those inside
/// [`SubDevice`]s count) the connection ends. Commands given while there is no connection wait for it, and fail with
/// a diagnosis when there is none within [`command_timeout`](DeviceBuilder::command_timeout).
#[derive(Clone)]
pub struct Device(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    inbox: mpsc::Sender<Order>,
    /// One permit for each command that may be on its way at a time.
    slots: Semaphore,
    timeout: Duration,
    /// Keeps the service alive that this device is located by.
    _discovery: Option<Discovery>,
}

impl Device {
    /// Describes a device: its id and its local key of 16 characters, unescaped.
    ///
    /// # Errors
    /// [`ConfigError`] when the id or the key cannot be one.
    pub fn builder(id: &str, local_key: &str) -> Result<DeviceBuilder, ConfigError> {
        Ok(Self::builder_with(DeviceId::new(id)?, LocalKey::from_text(local_key)?))
    }

    /// Describes a device by an id and a key that were checked before, such as a key given as raw bytes.
    pub const fn builder_with(id: DeviceId, local_key: LocalKey) -> DeviceBuilder {
        DeviceBuilder { config: DeviceConfig::new(id, local_key), timeout: Duration::from_secs(10), discovery: None }
    }

    /// The device id.
    pub fn id(&self) -> &str {
        self.0.shared.id.as_str()
    }

    /// Whether the connection is usable at this moment.
    pub fn is_connected(&self) -> bool {
        self.state().up
    }

    /// The version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.state().version
    }

    /// Why the device could not be used, since it last could.
    pub fn diagnosis(&self) -> Option<DownReason> {
        self.state().diagnosis
    }

    /// Receives everything that happens from now on.
    pub fn listener(&self) -> Listener<Event> {
        self.0.shared.hub.listener()
    }

    /// Waits until the connection is usable; connects where it is not kept. Returns the version that is spoken.
    ///
    /// # Errors
    /// [`CommandError::NotConnected`] with the diagnosis after `timeout`, [`CommandError::Closed`] once closed.
    ///
    /// # Cancel safety
    /// Safe: nothing is changed by waiting.
    pub async fn wait_connected(&self, timeout: Duration) -> Result<Version, CommandError> {
        let mut status = self.0.shared.status.subscribe();
        if !self.state().up {
            self.connect();
        }
        let settled = status.wait_for(|status| status.up || status.closed);
        match tokio::time::timeout(timeout, settled).await {
            Ok(Ok(status)) if status.up => status.version.ok_or(CommandError::NotConnected { reason: None }),
            Ok(_) => Err(CommandError::Closed),
            Err(_) => Err(CommandError::NotConnected { reason: self.diagnosis() }),
        }
    }

    /// Connects without waiting for the delay between attempts. Returns at once; does nothing while connected.
    pub fn connect_now(&self) {
        // With a full queue, commands are on their way and are reason enough.
        let _ = self.0.inbox.try_send(Order::ConnectNow);
    }

    /// Asks for the state, and returns the answer.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// A dropped future takes the command back if it was not sent yet; otherwise its answer is discarded. Nothing
    /// else is affected.
    pub async fn status(&self) -> Result<Reply, CommandError> {
        self.ask(Ask::Status, None).await
    }

    /// Asks for the state, and returns the DPs in the answer: the reply itself, or the push by which device22
    /// firmware answers. The map is empty when the answer holds no DPs.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`status`](Self::status).
    pub async fn query(&self) -> Result<Map<String, Value>, CommandError> {
        Ok(self.status().await?.dps)
    }

    /// Sets one DP, and waits until the device acknowledges or shows it.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`status`](Self::status); a command that was sent takes effect.
    pub async fn set_value(&self, dp: u16, value: impl Into<Value>) -> Result<Reply, CommandError> {
        self.set_dps(Map::from_iter([(dp.to_string(), value.into())])).await
    }

    /// Sets several DPs at once, in this order. Keys are DP numbers in decimal.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`set_value`](Self::set_value).
    pub async fn set_dps(&self, dps: Map<String, Value>) -> Result<Reply, CommandError> {
        self.ask(Ask::Set(Value::Object(dps).to_string()), None).await
    }

    /// Asks the device to measure these DPs again and to report them. The values arrive as events. Silence is how
    /// many devices take this, so it counts as success.
    ///
    /// # Errors
    /// See [`CommandError`]; never [`CommandError::Unanswered`].
    ///
    /// # Cancel safety
    /// As [`status`](Self::status).
    pub async fn update_dps(&self, dps: &[u16]) -> Result<Reply, CommandError> {
        self.ask(Ask::Update(dps.iter().copied().map(DpId).collect()), None).await
    }

    /// Sends any command with the fields that its code usually carries, and returns the answer. `data` becomes the
    /// `dps` of the request (of [`CommandCode::LAN_EXT_STREAM`], the `data`); `cid` addresses a sub-device.
    ///
    /// # Errors
    /// See [`CommandError`]; [`CommandError::Unanswered`] is how devices take commands that they do not know.
    ///
    /// # Cancel safety
    /// As [`set_value`](Self::set_value).
    pub async fn request(
        &self,
        command: CommandCode,
        data: Option<Value>,
        cid: Option<&str>,
    ) -> Result<Reply, CommandError> {
        let cid = cid.map(Cid::new).transpose().map_err(|_| CommandError::Invalid(SendError::InvalidData))?;
        self.ask(Ask::Raw(command, data.map(|data| data.to_string())), cid).await
    }

    /// Asks a gateway for its sub-devices, and returns its first report: in `payload`, `data.online` and
    /// `data.offline` list the cids. A gateway with many may send more reports; they arrive as events. One in
    /// neither list of one report is not thereby gone.
    ///
    /// # Errors
    /// See [`CommandError`]; devices that are no gateways, and gateways that speak 3.3, often do not answer.
    ///
    /// # Cancel safety
    /// As [`status`](Self::status).
    pub async fn sub_discover(&self) -> Result<Reply, CommandError> {
        self.ask(Ask::SubDevices, None).await
    }

    /// A sub-device of this gateway. The handle shares this connection and asks nothing of the gateway by itself.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when `cid` cannot be one.
    pub fn sub(&self, cid: &str) -> Result<SubDevice, ConfigError> {
        Ok(SubDevice::new(self.clone(), Cid::new(cid)?))
    }

    /// Ends the connection, for all clones, and returns when it has ended. What is encoded is given a second to
    /// leave; every command without an answer is told so. Closing again does nothing.
    ///
    /// # Cancel safety
    /// Safe: closing goes on.
    pub async fn close(&self) {
        let mut status = self.0.shared.status.subscribe();
        if !self.state().closed {
            self.0.shared.closing.notify_one();
        }
        // An error means that the task is gone, which is as good.
        let _ = status.wait_for(|status| status.closed).await;
    }

    pub(crate) async fn ask(&self, ask: Ask, cid: Option<Cid>) -> Result<Reply, CommandError> {
        let deadline = Instant::now() + self.0.timeout;
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Request { ask, cid, deadline, reply });
        let hand_over = async {
            let slot = self.0.slots.acquire().await.ok()?;
            self.0.inbox.send(Order::Command(request)).await.ok()?;
            Some(slot)
        };
        let slot = match tokio::time::timeout_at(deadline, hand_over).await {
            Ok(slot) => slot.ok_or(CommandError::Closed)?,
            Err(_) => return Err(too_late(self.is_connected(), self.diagnosis())),
        };
        let result = answer.await.unwrap_or(Err(CommandError::Closed));
        drop(slot);
        result
    }

    fn connect(&self) {
        // With a full queue, commands are on their way and are reason enough.
        let _ = self.0.inbox.try_send(Order::Connect);
    }

    fn state(&self) -> Status {
        *self.0.shared.status.borrow()
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("id", &self.0.shared.id).field("status", &self.state()).finish_non_exhaustive()
    }
}

/// What a device is to be like; made by [`Device::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before spawn"]
pub struct DeviceBuilder {
    config: DeviceConfig,
    timeout: Duration,
    discovery: Option<Discovery>,
}

impl DeviceBuilder {
    /// Where the device is. Without it, and with [`discovery`](Self::discovery), it is found.
    pub const fn address(mut self, address: IpAddr) -> Self {
        self.config.address = Some(address);
        self
    }

    /// TCP port, 6668 by default.
    pub const fn port(mut self, port: u16) -> Self {
        self.config.port = port;
        self
    }

    /// The version that the device speaks. By default it is found out, from an announcement or by trying.
    pub const fn version(mut self, version: Version) -> Self {
        self.config.version = Some(version);
        self
    }

    /// The dialect that the device speaks. By default it is found out.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = Some(dialect);
        self
    }

    /// Whether the connection is kept (the default). If not, it is made for a command and ends when nothing has been
    /// outstanding for a second.
    pub const fn persist(mut self, persist: bool) -> Self {
        self.config.persist = persist;
        self
    }

    /// Time limits of the connection.
    pub const fn timing(mut self, timing: Timing) -> Self {
        self.config.timing = timing;
        self
    }

    /// How long a command waits for the connection before it fails with a diagnosis, 10 s by default. The wait for
    /// the answer, [`Timing::answer`], comes on top.
    pub const fn command_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Locates the device by its announcements, and reconnects at once when it announces itself after an absence.
    pub fn discovery(mut self, discovery: &Discovery) -> Self {
        self.discovery = Some(discovery.clone());
        self
    }

    /// Starts to connect.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
    pub fn spawn(self) -> Device {
        let (inbox, orders) = mpsc::channel(COMMANDS);
        let shared = Arc::new(Shared {
            id: self.config.id.clone(),
            hub: Hub::new(Some(Event::Lagged)),
            status: watch::Sender::new(Status { version: self.config.version, ..Status::default() }),
            closing: Notify::new(),
        });
        let sightings = self.discovery.as_ref().map(|discovery| discovery.watch(self.config.id.as_str()));
        let driver = Driver::new(self.config, orders, sightings, Arc::clone(&shared));
        tokio::spawn(driver.run());
        Device(Arc::new(Handle {
            shared,
            inbox,
            slots: Semaphore::new(COMMANDS),
            timeout: self.timeout,
            _discovery: self.discovery,
        }))
    }
}

/// Commands on their way to one device at a time; callers beyond that wait.
const COMMANDS: usize = 32;
