//! The service that finds devices.

mod ears;
mod network;
mod scanner;
mod service;
mod sockets;
mod sweep;
mod table;

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use rustuya_proto::{DiscoveryConfig, SightingKind, Version};

use crate::link::Link;
use crate::listener::{Entry, Listener};
use crate::runtime::Runtime;
use crate::shortage::need_descriptors;
pub use ears::Counts;
use ears::Ears;
pub use network::{Network, NetworkError};
pub use scanner::{Scan, Scanner, Sweep};
pub use service::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM};
use service::{Probes, Service};
pub use sockets::bind_shared;
pub use sweep::Swept;
use table::Table;

/// Listens for the announcements of devices and asks for them: during a scan, and as long as a [`Device`](crate::Device)
/// that uses it has no known address and is not connected (every 6 s at first, every 30 s in the long run). Clones share
/// it. It ends when the last clone is dropped and no `Device` uses it any more.
///
/// All that listen on the same ports and address share their sockets and what was heard, in the whole process, whatever
/// they run on: a scan takes nothing away from those who keep devices connected, and is not disturbed by them.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let discovery = Discovery::builder()
/// #     .ports([0, 0, 0])
/// #     .bind_address([127, 0, 0, 1].into())
/// #     .active(false)
/// #     .start(&Tokio)?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .announce_to(discovery.local_addrs()[1])
/// #     .announce_every(Duration::from_millis(50))
/// #     .start()
/// #     .await?;
/// let mut news = discovery.listener();
/// let found = news.recv().await.ok_or("goes on")?;
/// assert_eq!(found.id, lamp.id());
/// // A device whose address and version are unknown, or change:
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?
///     .port(lamp.local_addr().port())
///     .discovery(&discovery)
///     .spawn(&Tokio);
/// device.wait_connected(Duration::from_secs(10)).await?;
/// assert_eq!(device.address(), Some(lamp.local_addr().ip()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Discovery(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    service: Arc<Service>,
    local_addrs: Vec<SocketAddr>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.service.end();
    }
}

impl PartialEq for Discovery {
    /// Whether both are the same service.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A device that was heard.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let discovery = Discovery::builder()
/// #     .ports([0, 0, 0])
/// #     .bind_address([127, 0, 0, 1].into())
/// #     .active(false)
/// #     .start(&Tokio)?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .announce_to(discovery.local_addrs()[1])
/// #     .announce_every(Duration::from_millis(50))
/// #     .start()
/// #     .await?;
/// let found = discovery.find(lamp.id(), Duration::from_secs(5)).await.ok_or("announces itself")?;
/// assert_eq!((found.version, found.ip), (Some(Version::V34), [127, 0, 0, 1].into()));
/// assert_eq!(found.kind, SightingKind::New);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveredDevice {
    /// Whether it is news.
    pub kind: SightingKind,
    /// Device id.
    pub id: String,
    /// Address.
    pub ip: Ipv4Addr,
    /// Protocol version; `None` when it is one that is not known here.
    pub version: Option<Version>,
    /// Product id, when the device names one. Not a secret.
    pub product_key: Option<String>,
    /// Who has announced it, when it was not the device itself: a relay. Never without
    /// [`trust_relayed`](DiscoveryBuilder::trust_relayed), but in what [`Discovery::relayed`] returns.
    pub relayed_by: Option<IpAddr>,
    /// Whether it waits to be paired: it has no local key yet, and takes no commands.
    pub unpaired: bool,
}

impl Entry for DiscoveredDevice {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

impl Discovery {
    /// Describes a service; everything has a default.
    pub fn builder() -> DiscoveryBuilder {
        let config = DiscoveryConfig::default();
        let (port, every) = (config.probe_port, config.probe_interval);
        let probes = Probes { active: true, from: None, to: Vec::new(), broadcast: None, port, every };
        DiscoveryBuilder { config, bind: Ipv4Addr::UNSPECIFIED, probes }
    }

    /// Receives every announcement that is believed from now on: new devices, changed ones, and those seen again.
    /// Losses of a slow listener are counted, see [`Listener::missed`].
    pub fn listener(&self) -> Listener<DiscoveredDevice> {
        self.0.service.hub.listener()
    }

    /// The addresses that announcements are received on, in the order of the ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.0.local_addrs
    }

    /// The devices that were announced within the last minute from other addresses than the ones they name, and not
    /// from their own: behind a relay, or forged. They are believed only with
    /// [`trust_relayed`](DiscoveryBuilder::trust_relayed).
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        let found = |place: ears::Place| DiscoveredDevice {
            kind: SightingKind::SeenAgain,
            id: place.id.as_ref().to_owned(),
            ip: place.ip,
            version: place.version,
            product_key: place.product_key.as_deref().map(str::to_owned),
            relayed_by: place.relayed_by,
            unpaired: place.unpaired,
        };
        self.0.service.ears.relayed().into_iter().map(found).collect()
    }

    /// What has come in since somebody in this process began to listen on these ports.
    pub fn counts(&self) -> Counts {
        self.0.service.ears.counts()
    }

    /// Looks for devices for `duration`; what is heard comes as it is heard, and the stream ends with the scan.
    /// Devices that were known before count as new again. Any number of scans may go on at the same time; each takes
    /// its own time.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let discovery = Discovery::builder()
    /// #     .ports([0, 0, 0])
    /// #     .bind_address([127, 0, 0, 1].into())
    /// #     .active(false)
    /// #     .start(&Tokio)?;
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .announce_to(discovery.local_addrs()[1])
    /// #     .announce_every(Duration::from_millis(50))
    /// #     .start()
    /// #     .await?;
    /// let mut scan = discovery.stream(Duration::from_millis(500));
    /// while let Some(found) = scan.recv().await {
    ///     println!("{:?} {} {}", found.kind, found.id, found.ip);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self, duration: Duration) -> Listener<DiscoveredDevice> {
        self.0.service.scan(duration, None)
    }

    /// As [`stream`](Self::stream), for one device: whatever else is announced takes it no room.
    pub fn stream_of(&self, id: &str, duration: Duration) -> Listener<DiscoveredDevice> {
        self.0.service.scan(duration, Some(id))
    }

    /// Looks for devices for `duration`, and returns all that were heard, each once, as it was heard last. Devices
    /// that were known before count as new again. 16,384 are returned at most; of more, those from hosts that announce
    /// few devices come first.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use rustuya_runtime_tokio::*;
    /// # use serde_json::json;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let discovery = Discovery::builder()
    /// #     .ports([0, 0, 0])
    /// #     .bind_address([127, 0, 0, 1].into())
    /// #     .active(false)
    /// #     .start(&Tokio)?;
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .announce_to(discovery.local_addrs()[1])
    /// #     .announce_every(Duration::from_millis(50))
    /// #     .start()
    /// #     .await?;
    /// let found = discovery.scan(Duration::from_secs(1)).await;
    /// assert_eq!(found.len(), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Safe: a dropped future stops waiting; the probes go on for `duration`.
    pub async fn scan(&self, duration: Duration) -> Vec<DiscoveredDevice> {
        let mut listener = self.stream(duration);
        all(&mut listener).await
    }

    /// Looks for one device, for `duration` at most, and returns as soon as it is heard.
    ///
    /// # Cancel safety
    /// As [`scan`](Self::scan).
    pub async fn find(&self, id: &str, duration: Duration) -> Option<DiscoveredDevice> {
        self.stream_of(id, duration).recv().await
    }

    /// Looks through a network, address by address: each is tried on the TCP port of devices, where a connection is opened
    /// and closed with nothing sent, and asked by UDP for an announcement, which 3.5 devices answer. At most 200
    /// addresses are begun with in a second; a subnet of 254 takes about four seconds. What comes of it comes at once,
    /// with progress in between, and the listener ends with the search.
    ///
    /// Dropping the listener ends the search.
    ///
    /// ```
    /// # use rustuya_runtime_tokio::*;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let discovery = Discovery::builder().ports([0, 0, 0]).bind_address([127, 0, 0, 1].into()).start(&Tokio)?;
    /// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
    /// #     .bind("127.0.0.1:0".parse()?)
    /// #     .start()
    /// #     .await?;
    /// let network: Network = "127.0.0.1/32".parse()?;
    /// let mut sweep = discovery.sweep(network.port(lamp.local_addr().port()));
    /// let mut open = Vec::new();
    /// while let Some(news) = sweep.recv().await {
    ///     if let Swept::Open(address) = news {
    ///         open.push(address);
    ///     }
    /// }
    /// assert_eq!(open, [lamp.local_addr().ip()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sweep(&self, network: Network) -> Listener<Swept> {
        self.0.service.sweep(network)
    }

    /// Asks 3.5 devices for announcements, now and every few seconds for `duration`, and returns at once. Other
    /// versions announce themselves.
    pub fn probe(&self, duration: Duration) {
        self.0.service.probe(duration);
    }

    /// Has a link told of its device's announcements, until the result is dropped.
    pub(crate) fn watch(&self, link: &Arc<Link>) -> Watch {
        Watch { discovery: self.clone(), id: Arc::clone(&link.id), token: self.0.service.watch(link) }
    }
}

/// All devices that are heard until the listener ends, each once, as it was heard last.
async fn all(listener: &mut Listener<DiscoveredDevice>) -> Vec<DiscoveredDevice> {
    let mut found: Table<(usize, DiscoveredDevice)> = Table::new();
    let mut count = 0;
    while let Some(news) = listener.recv().await {
        if let Some((_, known)) = found.again(&news.id) {
            *known = DiscoveredDevice { kind: known.kind, ..news };
        } else {
            count += 1;
            let host = news.relayed_by.unwrap_or_else(|| news.ip.into());
            let id = news.id.clone();
            found.insert(&id, host, (count, news), false, |_| false);
        }
    }
    let mut found: Vec<(usize, DiscoveredDevice)> = found.into_values().collect();
    found.sort_unstable_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, found)| found).collect()
}

/// This device, as soon as it is heard.
async fn one(listener: &mut Listener<DiscoveredDevice>, id: &str) -> Option<DiscoveredDevice> {
    while let Some(news) = listener.recv().await {
        if news.id == id {
            return Some(news);
        }
    }
    None
}

/// Probes are sent at least once a day.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// A link that is told of its device's announcements.
pub(crate) struct Watch {
    discovery: Discovery,
    id: Arc<str>,
    token: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.discovery.0.service.unwatch(&self.id, self.token);
    }
}

/// How a [`Discovery`] listens and asks.
///
/// ```
/// # use rustuya_runtime_tokio::{Discovery, Tokio};
/// # async fn start() -> std::io::Result<()> {
/// let here = Discovery::builder().start(&Tokio)?;
/// let other_subnet = Discovery::builder()
///     .bind_address([192, 168, 1, 5].into())
///     .broadcast_address([192, 168, 2, 255].into())
///     .start(&Tokio)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before start"]
pub struct DiscoveryBuilder {
    config: DiscoveryConfig,
    bind: Ipv4Addr,
    probes: Probes,
}

impl DiscoveryBuilder {
    /// UDP ports to listen on, 6666, 6667 and 7000 by default; 0 takes a free one. Other programs may listen on
    /// the same ones.
    pub const fn ports(mut self, ports: [u16; 3]) -> Self {
        self.config.listen_ports = ports;
        self
    }

    /// Listens on this address only, and sends probes from it only. On most systems, broadcasts are then not heard.
    pub const fn bind_address(mut self, address: Ipv4Addr) -> Self {
        self.bind = address;
        self.probes.from = if address.is_unspecified() { None } else { Some(address) };
        self
    }

    /// The address that probes are broadcast to, instead of each interface's own, such as that of another subnet.
    pub const fn broadcast_address(mut self, address: Ipv4Addr) -> Self {
        self.probes.broadcast = Some(address);
        self
    }

    /// Sends probes to these addresses instead of broadcasting them.
    pub fn probe_to(mut self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        self.probes.to = addresses.into_iter().collect();
        self
    }

    /// Whether probes are sent (the default), by scans and for devices that are nowhere. If not, it only listens.
    pub const fn active(mut self, active: bool) -> Self {
        self.probes.active = active;
        self
    }

    /// Time between two rounds of probes during a scan, 6 s by default, at least 100 ms. For devices that are nowhere,
    /// the pauses grow from this to five times as much.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.probes.every = interval.clamp(service::APART, LONGEST_INTERVAL);
        self
    }

    /// Whether an announcement may come from another address than the one it names. Only for networks with a relay:
    /// it lets every host on the network redirect connections. Off by default.
    pub const fn trust_relayed(mut self, trust: bool) -> Self {
        self.config.trust_relayed = trust;
        self
    }

    /// Begins to listen, in the background of a runtime.
    ///
    /// # Errors
    /// When a port cannot be bound: most often another program holds it exclusively.
    pub fn start(self, runtime: &impl Runtime) -> io::Result<Discovery> {
        self.start_in(runtime)
    }

    pub(crate) fn start_in(self, runtime: &dyn Runtime) -> io::Result<Discovery> {
        let ears = Ears::open(self.bind, self.config.listen_ports)?;
        let local_addrs = ears.local_addrs()?;
        let sockets = ears.sockets()?;
        if self.probes.active {
            // Each probe takes another one: whoever cannot ask would hear nothing of devices that wait to be asked.
            need_descriptors(1)?;
        }
        let service = Service::new(ears, self.config.trust_relayed, self.probes);
        runtime.listen(DrivenDiscovery::new(Arc::clone(&service)), sockets)?;
        Ok(Discovery(Arc::new(Handle { service, local_addrs })))
    }
}
