//! The handle of a virtual device, and its description.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use rustuya_proto::{DEFAULT_PORT, DeviceId, Dialect, EmulatorConfig, Version};
use rustuya_runtime::driver::{Clock, Pool, Source, bind_shared, unix_time};
use rustuya_runtime::{Listener, text};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::client::{Change, Request, UnfitWrite};
use crate::door::Door;
use crate::error::SimulationError;
use crate::server::{Action, Announcing, Inner, Server};
use crate::store::Store;

/// A device that exists only here: it accepts controllers, answers them from its DPs, pushes changes to all of them
/// and announces itself, as firmware of its version does. For development and tests without hardware.
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
    /// Describes a device: its id, its local key of 16 characters, the version it speaks.
    ///
    /// # Errors
    /// [`SimulationError`] when the id or the key cannot be one.
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
        })
    }

    /// The device id.
    pub fn id(&self) -> &str {
        self.0.inner.config.id.as_str()
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        self.0.inner.config.version
    }

    /// The dialect it understands; device22 for 3.2.
    pub fn dialect(&self) -> Dialect {
        match self.version() {
            Version::V32 => Dialect::Device22,
            _ => self.0.inner.config.dialect,
        }
    }

    /// Where it accepts controllers; the same also while unplugged.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.address
    }

    /// Where it hears requests for announcements, if it does.
    pub fn probe_addr(&self) -> Option<SocketAddr> {
        self.0.probe_address
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them to all controllers, changed or not: as firmware
    /// does that reports a measurement again. A cid that is not known makes a new sub-device.
    ///
    /// The push is for every controller whose connection is up at its own end when this is called, whether this end has
    /// noticed it or not. See [`lost_pushes`](Self::lost_pushes) for those that do not read.
    ///
    /// # Errors
    /// [`SimulationError::Dps`], [`SimulationError::Impossible`] or [`SimulationError::Id`], in
    /// [strict](VirtualDeviceBuilder::strict) mode also [`SimulationError::Value`]; nothing is changed then.
    pub fn set_dps(&self, cid: Option<&str>, dps: Map<String, Value>) -> Result<(), SimulationError> {
        let inner = &self.0.inner;
        let mut store = inner.store();
        if inner.is_strict {
            store.check_all(cid, &dps, largest_dp(self.version()))?;
        }
        store.change(cid, &dps)?;
        inner.publish(&store, None, cid.map(str::to_owned), dps);
        Ok(())
    }

    /// Says whether a sub-device is online, and reports that to all controllers. It answers either way: gateways
    /// answer from their memory.
    ///
    /// # Errors
    /// [`SimulationError::UnknownSub`].
    pub fn set_online(&self, cid: &str, is_online: bool) -> Result<(), SimulationError> {
        let inner = &self.0.inner;
        if !inner.store().set_online(cid, is_online) {
            return Err(SimulationError::UnknownSub);
        }
        inner.door.publish(&Change::Children);
        Ok(())
    }

    /// How many pushes controllers did not get, in all: 1024 wait for each of those that do not read, and the oldest are
    /// dropped then. Counted as soon as the connection has room again; each time is a warning in the log, too.
    pub fn lost_pushes(&self) -> u64 {
        self.0.inner.lost_pushes.load(Ordering::Relaxed)
    }

    /// The values that controllers wrote and the device did not take, the first 1024 of them. It acknowledged them, as
    /// real devices do. An automation that is right writes none: tests check that there is none.
    pub fn unfit_writes(&self) -> Vec<UnfitWrite> {
        self.0.inner.unfit_writes().clone()
    }

    /// Receives every write that is not taken, from now on.
    pub fn unfit_listener(&self) -> Listener<UnfitWrite> {
        self.0.inner.unfit.listener()
    }

    /// The DPs of the device, or of a sub-device; empty when there is no such one.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.0.inner.store().dps(cid).cloned().unwrap_or_default()
    }

    /// Receives every request of every controller from now on. A listener that is too slow loses the oldest; see
    /// [`Listener::missed`].
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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
    /// Safe: once begun, it is done also without the future.
    pub async fn unplug(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.orders.send(Action::Unplug(done)).await.is_ok() {
            // A stopped device is as unplugged as can be.
            let _ = wait.await;
        }
    }

    /// Puts the device back on the network, at the same address, and announces it at once.
    ///
    /// # Errors
    /// When the port was taken by another program in the meantime, or the device was stopped.
    ///
    /// # Cancel safety
    /// Safe: once begun, it is done also without the future.
    pub async fn plug(&self) -> io::Result<()> {
        let (done, wait) = oneshot::channel();
        let stopped = || io::Error::new(io::ErrorKind::NotConnected, "the virtual device was stopped");
        self.0.orders.send(Action::Plug(done)).await.map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }

    /// Ends the device for good, for all clones, and returns when its port is free. Stopping again does nothing.
    ///
    /// # Cancel safety
    /// Safe: once begun, it is done also without the future.
    pub async fn stop(&self) {
        let (done, wait) = oneshot::channel();
        if self.0.orders.send(Action::Stop(done)).await.is_ok() {
            // An answer that does not come means that another clone was first.
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

/// What a virtual device is to be like; made by [`VirtualDevice::builder`].
///
/// ```
/// # use core::time::Duration;
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
}

impl VirtualDeviceBuilder {
    /// The dialect it understands; ignored for 3.2, which is always device22.
    pub const fn dialect(mut self, dialect: Dialect) -> Self {
        self.config.dialect = dialect;
        self
    }

    /// Adds DPs. Controllers can write those that exist, with values of the same kind. One that is null exists and was
    /// never set: it is a text that is left out of query replies until it is written.
    ///
    /// # Errors
    /// [`SimulationError::Dps`] when a key is not a number from 0 to 65535, [`SimulationError::Impossible`] when no device
    /// sends such a value.
    pub fn dps(mut self, dps: Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.set(None, dps)?;
        Ok(self)
    }

    /// Adds a sub-device, which makes this a gateway.
    ///
    /// # Errors
    /// [`SimulationError::Id`] when `cid` cannot be one, the others as for [`dps`](Self::dps).
    pub fn sub(mut self, cid: &str, dps: Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.set(Some(cid), dps)?;
        Ok(self)
    }

    /// Says what the DPs of the device or of a sub-device can hold, as `mapping` in tinytuya's `devices.json` does, by
    /// DP number: `{ "2": { "type": "Integer", "values": { "min": 10, "max": 1000 } } }`. Types are Boolean, Integer,
    /// Enum (`range`), String and Json (`maxlen`, bytes), Raw, and Bitmap (`maxlen`, bits). DPs without a value exist
    /// from then on, never set.
    ///
    /// # Errors
    /// [`SimulationError::Schema`], [`SimulationError::Id`] when `cid` cannot be one.
    pub fn schema(mut self, cid: Option<&str>, schema: &Map<String, Value>) -> Result<Self, SimulationError> {
        self.store.specify(cid, schema)?;
        Ok(self)
    }

    /// Has the gateway report this sub-device as offline, until [`VirtualDevice::set_online`].
    ///
    /// # Errors
    /// [`SimulationError::UnknownSub`]: add it first.
    pub fn offline(mut self, cid: &str) -> Result<Self, SimulationError> {
        if self.store.set_online(cid, false) { Ok(self) } else { Err(SimulationError::UnknownSub) }
    }

    /// For tests: [`start`](Self::start) and [`set_dps`](VirtualDevice::set_dps) refuse what no real device could have
    /// (fractions, lists, numbers of more than 32 bits, values that the schema excludes, and in 3.5 DPs above 255), and
    /// each write that is not taken is a warning in the log. See [`unfit_writes`](VirtualDevice::unfit_writes).
    pub const fn strict(mut self, is_strict: bool) -> Self {
        self.is_strict = is_strict;
        self
    }

    /// Where to accept controllers, 127.0.0.1:6668 by default; port 0 takes a free one.
    pub const fn bind(mut self, address: SocketAddr) -> Self {
        self.bind = address;
        self
    }

    /// Announces the device to this address, too. Can be repeated; without it, it is silent.
    pub fn announce_to(mut self, address: SocketAddr) -> Self {
        self.announcing.to.push(address);
        self
    }

    /// Time between announcements, 5 s by default.
    pub const fn announce_every(mut self, interval: Duration) -> Self {
        self.announcing.every = interval;
        self
    }

    /// The address to name in announcements. By default the one they are sent from, as controllers demand.
    pub const fn announce_as(mut self, address: Ipv4Addr) -> Self {
        self.announcing.ip = Some(address);
        self
    }

    /// The product id in announcements.
    pub fn product_key(mut self, product_key: &str) -> Self {
        self.announcing.product_key = Some(product_key.to_owned());
        self
    }

    /// Hears requests for announcements on `listen` (devices use UDP port 7000), and answers them to port
    /// `answer_port` (7000) of the address that they name. Only 3.5 devices do; other versions ignore them.
    pub const fn answer_probes(mut self, listen: SocketAddr, answer_port: u16) -> Self {
        self.probes = Some(listen);
        self.announcing.answer_port = answer_port;
        self
    }

    /// Turns on a deviation from what firmware of the version does by its name, such as `push-before-ack` or `close-after=3`:
    /// [`Quirks::NAMES`](crate::Quirks::NAMES) lists them. Can be repeated.
    ///
    /// # Errors
    /// [`SimulationError::Quirk`], whose source names those that there are.
    pub fn quirk(mut self, name: &str) -> Result<Self, SimulationError> {
        self.config.quirks.set(name)?;
        Ok(self)
    }

    /// How many controllers may be connected at a time, 3 by default. Others are accepted and closed at once; while
    /// the limit is reached, the device does not announce itself.
    pub const fn max_clients(mut self, limit: usize) -> Self {
        self.max_clients = limit;
        self
    }

    /// How long a connection may be silent before the device closes it, 30 s by default.
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.config.idle = limit;
        self
    }

    /// Puts the device on the network.
    ///
    /// # Errors
    /// When an address cannot be bound. In [strict](Self::strict) mode also of the kind `InvalidInput`, with a
    /// [`SimulationError`] as its source.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and I/O enabled.
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
            door: Door::new(CAPACITY),
            lost_pushes: AtomicU64::new(0),
            requests: Source::new(CAPACITY),
            unfit: Source::new(CAPACITY),
            unfit_writes: Mutex::default(),
            is_strict: self.is_strict,
            wedged: watch::Sender::new(false),
            clock: Clock::start(),
            pool: Pool::default(),
        });
        let server = Server {
            inner: Arc::clone(&inner),
            address,
            announcing: self.announcing,
            probes,
            max_clients: self.max_clients,
            clients: JoinSet::new(),
            accepted: 0,
        };
        inner.door.open(listener)?;
        let (orders, inbox) = mpsc::channel(4);
        let task = tokio::spawn(server.run(inbox)).abort_handle();
        Ok(VirtualDevice(Arc::new(Handle { inner, address, probe_address, orders, task })))
    }
}

/// The largest DP number that devices of this version have.
const fn largest_dp(version: Version) -> u16 {
    match version {
        Version::V35 => u8::MAX as u16,
        _ => u16::MAX,
    }
}

/// Entries that wait for one slow listener or connection at most.
const CAPACITY: usize = 1024;
