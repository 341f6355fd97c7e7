//! Handle of a virtual device, and its configuration.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use rustuya_proto::{DEFAULT_PORT, DeviceId, Dialect, EmulatorConfig, Version};
use rustuya_runtime::driver::{Clock, Pool, Source, bind_shared, unix_time};
use rustuya_runtime::{Device, DeviceBuilder, Listener, text};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::acceptor::Acceptor;
use crate::error::SimulationError;
use crate::events::{Change, RejectedWrite, Request};
use crate::profile::Profile;
use crate::server::{Action, Announcing, Server};
use crate::shared::Inner;
use crate::store::Store;

/// A simulated device: it accepts controllers, answers them from its DPs, pushes changes to all of them and announces
/// itself, as firmware of its version does. For development and tests without hardware.
///
/// Clones are handles of the same device. It ends when the last one is dropped.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V35)?
///     .bind("127.0.0.1:0".parse()?) // a free port
///     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
///     .start()
///     .await?;
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr()).spawn(&Tokio);
///
/// device.set_value(1, true).acknowledged().await?;
/// assert_eq!(lamp.dps(None)["1"], json!(true)); // a controller wrote it
/// lamp.set_dps(None, serde_json::from_str(r#"{ "2": 80 }"#)?)?; // somebody turned the knob: it is pushed
///
/// lamp.unplug().await;
/// let status = device.status().timeout(Duration::from_millis(200));
/// let error = status.acknowledged().await.expect_err("it is away");
/// println!("{error}");
/// lamp.plug().await?;
/// device.wait_connected(Duration::from_secs(10)).await?;
/// lamp.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VirtualDevice(Arc<Handle>);

struct Handle {
    inner: Arc<Inner>,
    address: SocketAddr,
    probe_address: Option<SocketAddr>,
    orders: mpsc::Sender<Action>,
    task: AbortHandle,
}

impl VirtualDevice {
    /// Configures a device: its id, its local key of 16 characters, and its version.
    ///
    /// # Errors
    /// [`SimulationError`] if the id or the key is invalid.
    pub fn builder(id: &str, local_key: &str, version: Version) -> Result<VirtualDeviceBuilder, SimulationError> {
        Ok(VirtualDeviceBuilder {
            config: EmulatorConfig::new(DeviceId::new(id)?, version, text::local_key(local_key)?),
            store: Store::default(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            announcing: Announcing {
                to: Vec::new(),
                every: Duration::from_secs(5),
                ip: None,
                product_key: None,
                answer_port: 7000,
            },
            probes: None,
            max_clients: 3,
            is_strict: false,
            name: None,
        })
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0.inner
    }

    /// Starts a lamp for a test or an example: on a free port of loopback, with the id `bf0123456789abcdefgh`, the local
    /// key `0123456789abcdef`, a switch (DP 1, off) and a brightness (DP 2, 50).
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// let device = lamp.controller().spawn(&Tokio);
    /// device.set_value(1, true).acknowledged().await?;
    /// assert_eq!(lamp.dps(None)["1"], true);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Fails when there is no free port.
    pub async fn lamp(version: Version) -> io::Result<Self> {
        let dps = Map::from_iter([("1".to_owned(), Value::from(false)), ("2".to_owned(), Value::from(50))]);
        let lamp = Self::builder("bf0123456789abcdefgh", "0123456789abcdef", version).and_then(|lamp| lamp.dps(dps));
        let lamp = lamp.map_err(io::Error::other)?;
        lamp.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).start().await
    }

    /// Returns the configuration of a controller of this device: its id, local key, address and version.
    pub fn controller(&self) -> DeviceBuilder {
        let config = &self.0.inner.config;
        let builder = Device::builder_with(config.id.clone(), config.local_key.clone());
        builder.address(self.local_addr()).version(self.version())
    }

    /// Returns the device id.
    pub fn id(&self) -> &str {
        self.0.inner.config.id.as_str()
    }

    /// Returns the version.
    pub fn version(&self) -> Version {
        self.0.inner.config.version
    }

    /// Returns the dialect; device22 for 3.2.
    pub fn dialect(&self) -> Dialect {
        match self.version() {
            Version::V32 => Dialect::Device22,
            _ => self.0.inner.config.dialect,
        }
    }

    /// Returns the address at which it accepts controllers; it stays the same while unplugged.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// Returns the address at which it receives probes, if it does.
    pub fn probe_addr(&self) -> Option<SocketAddr> {
        self.0.probe_address
    }

    /// Changes or adds DPs, as a user does at the device, and pushes them to all controllers, changed or not, as
    /// firmware does that reports a measurement again. An unknown cid adds a sub-device.
    ///
    /// Pushes to every controller whose end of the connection is up at the time of the call, whether this end has
    /// noticed it or not. See [`lost_pushes`](Self::lost_pushes) for those that do not read.
    ///
    /// # Errors
    /// [`SimulationError::Dps`], [`SimulationError::Impossible`] or [`SimulationError::Id`], in
    /// [strict](VirtualDeviceBuilder::strict) mode also [`SimulationError::Value`]. On an error, nothing is changed.
    pub fn set_dps(&self, cid: Option<&str>, dps: Map<String, Value>) -> Result<(), SimulationError> {
        let inner = &self.0.inner;
        let mut store = inner.store();
        if inner.is_strict {
            store.check_all(cid, &dps, largest_dp(self.version()))?;
        }
        store.change(cid, &dps)?;
        store.note(cid, &dps);
        inner.publish(&store, None, cid.map(str::to_owned), dps);
        inner.react(&mut store);
        Ok(())
    }

    /// Sets whether a sub-device is online, and reports that to all controllers. Queries are answered either way, as
    /// gateways answer from their memory.
    ///
    /// # Errors
    /// [`SimulationError::UnknownSub`].
    pub fn set_online(&self, cid: &str, is_online: bool) -> Result<(), SimulationError> {
        let inner = &self.0.inner;
        if !inner.store().set_online(cid, is_online) {
            return Err(SimulationError::UnknownSub);
        }
        inner.acceptor.publish(&Change::Children);
        Ok(())
    }

    /// Returns the number of pushes that controllers did not get: 1024 wait for each controller that does not read,
    /// then the oldest are dropped. Counted as soon as the connection has room again, with a warning in the log.
    pub fn lost_pushes(&self) -> u64 {
        self.0.inner.lost_pushes.load(Ordering::Relaxed)
    }

    /// Returns the values that controllers wrote and the device did not accept, the first 1024 of them. It acknowledged
    /// them, as real devices do. A correct automation writes none; tests check that there is none.
    pub fn rejected_writes(&self) -> Vec<RejectedWrite> {
        self.0.inner.rejected_writes().clone()
    }

    /// Makes a listener for writes that are not accepted, from now on.
    pub fn rejected_write_listener(&self) -> Listener<RejectedWrite> {
        self.0.inner.rejected.listener()
    }

    /// Returns the DPs of the device, or of a sub-device; empty if it does not exist.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.0.inner.store().dps(cid).cloned().unwrap_or_default()
    }

    /// Makes a listener for the requests of all controllers from now on. A listener that is too slow loses the oldest;
    /// see [`Listener::missed`].
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let lamp = VirtualDevice::lamp(Version::V34).await?;
    /// # let device = lamp.controller().spawn(&Tokio);
    /// let mut requests = lamp.requests();
    /// device.set_value(1, true).await?;
    /// let control = loop {
    ///     let request = requests.recv().await.ok_or("lives")?;
    ///     if request.command == CommandCode::CONTROL_NEW {
    ///         break request;
    ///     }
    /// };
    /// assert_eq!(control.cid, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn requests(&self) -> Listener<Request> {
        self.0.inner.requests.listener()
    }

    /// Takes the device off the network: it drops its controllers, refuses new ones and is silent, until
    /// [`plug`](Self::plug). Its DPs stay.
    ///
    /// # Cancel safety
    /// Safe: once begun, it completes without the future.
    pub async fn unplug(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.orders.send(Action::Unplug(done)).await.is_ok() {
            // A stopped device is unplugged as well.
            let _ = wait.await;
        }
    }

    /// Puts the device back on the network, at the same address, and announces it at once.
    ///
    /// # Errors
    /// If another program has taken the port in the meantime, or the device was stopped.
    ///
    /// # Cancel safety
    /// Safe: once begun, it completes without the future.
    pub async fn plug(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let stopped = || io::Error::new(io::ErrorKind::NotConnected, "the virtual device was stopped");
        self.0.orders.send(Action::Plug(done)).await.map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }

    /// Stops the device for good, for all clones, and returns once its port is free. Stopping again does nothing.
    ///
    /// # Cancel safety
    /// Safe: once begun, it completes without the future.
    pub async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.orders.send(Action::Stop(done)).await.is_ok() {
            // If the answer does not come, another clone was first.
            let _ = wait.await;
        }
        self.0.inner.close();
    }
}

impl fmt::Debug for VirtualDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualDevice")
            .field("id", &self.0.inner.config.id)
            .field("version", &self.0.inner.config.version)
            .field("address", &self.0.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.task.abort();
        self.inner.close();
    }
}

/// Configuration of a virtual device; made by [`VirtualDevice::builder`].
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// let gateway = VirtualDevice::builder("gw0123456789abcdefgh", "0123456789abcdef", Version::V34)?
///     .bind("127.0.0.1:0".parse()?)
///     .sub("a4c1380000000001", serde_json::from_str(r#"{ "1": 215 }"#)?)?
///     .quirk("push-before-ack")?
///     .quirk("delay-ms=20")?
///     .start()
///     .await?;
/// assert_eq!(gateway.dps(Some("a4c1380000000001"))["1"], json!(215));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before start"]
pub struct VirtualDeviceBuilder {
    config: EmulatorConfig,
    store: Store,
    bind: SocketAddr,
    announcing: Announcing,
    probes: Option<SocketAddr>,
    max_clients: usize,
    is_strict: bool,
    name: Option<String>,
}

impl VirtualDeviceBuilder {
    /// Sets the dialect; ignored for 3.2, which is always device22.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect;
        self
    }

    /// Adds DPs. Controllers can write those that exist, with values of the same kind. A null stands for a text that
    /// was never set: it is left out of answers to queries until it is written.
    ///
    /// # Errors
    /// [`SimulationError::Dps`] if a key is not a number from 0 to 65535, [`SimulationError::Impossible`] if no device
    /// sends such a value.
    pub fn dps(mut self, dps: Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.set(None, dps)?;
        Ok(self)
    }

    /// Adds a sub-device, which makes this device a gateway.
    ///
    /// # Errors
    /// [`SimulationError::Id`] if `cid` is invalid, others as for [`dps`](Self::dps).
    pub fn sub(mut self, cid: &str, dps: Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.set(Some(cid), dps)?;
        Ok(self)
    }

    /// Sets the types of the DPs of the device or of a sub-device, as `mapping` in tinytuya's `devices.json` does, by
    /// DP number: `{ "2": { "type": "Integer", "values": { "min": 10, "max": 1000 } } }`. Types are Boolean, Integer,
    /// Enum (`range`), String and Json (`maxlen`, bytes), Raw, and Bitmap (`maxlen`, bits). DPs without a value exist
    /// from then on, never set.
    ///
    /// # Errors
    /// [`SimulationError::Schema`]; [`SimulationError::Id`] if `cid` is invalid.
    pub fn schema(mut self, cid: Option<&str>, schema: &Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.specify(cid, schema)?;
        Ok(self)
    }

    /// Makes the device one of a kind: adds the DPs, types and sub-devices of the profile, and lets it behave as real ones
    /// do, over time and after writes. Writes of measurements, of unknown words and out of range are not accepted.
    /// Announcements have its product id.
    pub fn profile(mut self, profile: Profile) -> Self {
        // The ids in profiles are valid.
        let _ = self.store.install(None, profile);
        for (cid, child) in profile.children() {
            let _ = self.store.install(Some(cid), child);
        }
        self.product_key(&profile.product_id())
    }

    /// Sets how fast time passes for the [profile](Self::profile): simulated seconds per real one, 1 by default. At 0, the
    /// device changes nothing by itself, except at once after a write. However fast, it pushes at most every 20 ms.
    pub fn speed(mut self, factor: u32) -> Self {
        self.store.behavior_mut().set_speed(factor);
        self
    }

    /// Makes the random part of the [profile](Self::profile)'s behavior repeatable.
    pub fn seed(mut self, seed: u64) -> Self {
        self.store.behavior_mut().seed(seed);
        self
    }

    /// Sets the name in [`VirtualDevice::entries`]; by default that of the profile, or else the id.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Makes the gateway report this sub-device as offline, until [`VirtualDevice::set_online`].
    ///
    /// # Errors
    /// [`SimulationError::UnknownSub`]: add it first.
    pub fn offline(mut self, cid: &str) -> Result<Self, SimulationError> {
        if self.store.set_online(cid, false) { Ok(self) } else { Err(SimulationError::UnknownSub) }
    }

    /// Sets strict mode, for tests: [`start`](Self::start) and [`set_dps`](VirtualDevice::set_dps) refuse values that
    /// no real device has (fractions, lists, numbers of more than 32 bits, values that the schema excludes, and in 3.5
    /// DPs above 255), and each write that is not accepted is a warning in the log. See
    /// [`rejected_writes`](VirtualDevice::rejected_writes).
    pub const fn strict(mut self, is_strict: bool) -> Self {
        self.is_strict = is_strict;
        self
    }

    /// Sets the address at which it accepts controllers, 127.0.0.1:6668 by default; port 0 takes a free one.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// Adds an address to which the device is announced. Without one, it is silent.
    pub fn announce_to(mut self, address: SocketAddr) -> Self {
        self.announcing.to.push(address);
        self
    }

    /// Sets the time between announcements, 5 s by default.
    pub const fn announce_every(mut self, interval: Duration) -> Self {
        self.announcing.every = interval;
        self
    }

    /// Sets the address named in announcements. By default the one that they are sent from, as controllers demand.
    pub const fn announce_as(mut self, address: Ipv4Addr) -> Self {
        self.announcing.ip = Some(address);
        self
    }

    /// Sets the product id in announcements.
    pub fn product_key(mut self, product_key: &str) -> Self {
        self.announcing.product_key = Some(product_key.to_owned());
        self
    }

    /// Receives probes on `listen` (devices use UDP port 7000), and answers them to port `answer_port` (7000) of the
    /// address that they name. Only for 3.5; other versions ignore probes.
    pub const fn answer_probes(mut self, listen: SocketAddr, answer_port: u16) -> Self {
        self.probes = Some(listen);
        self.announcing.answer_port = answer_port;
        self
    }

    /// Turns on a deviation from the firmware of the version by its name, such as `push-before-ack` or `close-after=3`:
    /// [`Quirks::NAMES`](crate::Quirks::NAMES) lists them. Can be repeated.
    ///
    /// # Errors
    /// [`SimulationError::Quirk`], whose source lists the valid names.
    pub fn quirk(mut self, name: &str) -> Result<Self, SimulationError> {
        self.config.quirks.set(name)?;
        Ok(self)
    }

    /// Limits simultaneous controllers, 3 by default. Further ones are accepted and closed at once; at the limit, the
    /// device does not announce itself.
    pub const fn max_clients(mut self, limit: usize) -> Self {
        self.max_clients = limit;
        self
    }

    /// Sets the time after which the device closes a silent connection, 30 s by default.
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.config.idle = limit;
        self
    }

    /// Puts the device on the network.
    ///
    /// # Errors
    /// If an address cannot be bound. In [strict](Self::strict) mode also of the kind `InvalidInput`, with a
    /// [`SimulationError`] as its source.
    ///
    /// # Panics
    /// Panics outside of a tokio runtime with time and I/O enabled.
    ///
    /// # Cancel safety
    /// Safe: a dropped future leaves nothing behind.
    pub async fn start(mut self) -> io::Result<VirtualDevice> {
        if self.is_strict {
            let checked = self.store.check_everything(largest_dp(self.config.version));
            checked.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        }
        let listener = TcpListener::bind(self.bind).await?;
        let address = listener.local_addr()?;
        let probes = self.probes.map(bind_shared).transpose()?.map(tokio::net::UdpSocket::from_std).transpose()?;
        let probe_address = probes.as_ref().map(tokio::net::UdpSocket::local_addr).transpose()?;
        self.config.clock = unix_time();
        let inner = Arc::new(Inner {
            config: self.config,
            store: Mutex::new(self.store),
            acceptor: Acceptor::new(CAPACITY),
            lost_pushes: AtomicU64::new(0),
            requests: Source::new(CAPACITY),
            rejected: Source::new(CAPACITY),
            rejected_writes: Mutex::default(),
            is_strict: self.is_strict,
            name: self.name,
            wedged: watch::Sender::new(false),
            clock: Clock::start(),
            pool: Pool::default(),
            reacted: Notify::new(),
        });
        inner.store().start(Instant::now());
        let server = Server {
            inner: Arc::clone(&inner),
            address,
            announcing: self.announcing,
            probes,
            max_clients: self.max_clients,
            clients: JoinSet::new(),
            accepted: 0,
        };
        inner.acceptor.open(listener)?;
        let (orders, inbox) = mpsc::channel(4);
        let task = tokio::spawn(server.run(inbox)).abort_handle();
        Ok(VirtualDevice(Arc::new(Handle { inner, address, probe_address, orders, task })))
    }
}

/// Returns the largest DP number of devices of this version.
const fn largest_dp(version: Version) -> u16 {
    match version {
        Version::V35 => u8::MAX as u16,
        _ => u16::MAX,
    }
}

/// Queue limit of one slow listener or connection, in entries.
const CAPACITY: usize = 1024;
