//! Discovery of devices by their announcements.

mod discovered;
mod network;
mod receiver;
mod service;
mod sockets;
mod subscriber;
mod sweep;
mod table;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;

use rustuya_proto::{DiscoveryConfig, SightingKind};

use crate::io::shortage::need_descriptors;
use crate::report::listener::Listener;
pub use discovered::DiscoveredDevice;
pub(crate) use discovered::all;
pub use network::{Network, NetworkError};
pub use receiver::Counts;
use receiver::Receiver;
pub use service::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM};
use service::{Probes, Service};
pub use sockets::bind_shared;
pub(crate) use subscriber::{Location, Subscriber};
pub use sweep::SweepEvent;

/// Receives the announcements of devices, and sends probes for them: during a scan, and as long as a
/// [`Device`](crate::Device) that uses it has no known address and is not connected (every 6 s at first, every 30 s in
/// the long run). Clones share it. It ends when the last clone is dropped and no `Device` uses it any more.
///
/// All services on the same ports and address share their sockets and the devices sighted by them, in the whole
/// process, on whatever runtime. A scan takes nothing away from devices that are kept connected, and they do not
/// disturb it.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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
/// let mut devices = discovery.listener();
/// let found = devices.recv().await.ok_or("goes on")?;
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
pub struct Discovery(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: Arc<Service>,
    local_addrs: Vec<SocketAddr>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.service.end();
    }
}

impl PartialEq for Discovery {
    /// Returns whether both are the same service.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Discovery {
    /// Configures a service; everything has a default.
    pub fn builder() -> DiscoveryBuilder {
        let config = DiscoveryConfig::default();
        let (port, every) = (config.probe_port, config.probe_interval);
        let probes = Probes { active: true, from: None, to: Vec::new(), broadcast: None, port, every };
        DiscoveryBuilder { config, bind: Ipv4Addr::UNSPECIFIED, probes }
    }

    /// Makes a listener for all trusted announcements from now on: new devices, changed ones, and those seen again. A
    /// slow listener counts its losses, see [`Listener::missed`].
    pub fn listener(&self) -> Listener<DiscoveredDevice> {
        self.0.service.hub.listener()
    }

    /// Returns the local addresses of the sockets, in the order of the ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.0.local_addrs
    }

    /// Returns the devices that were announced within the last minute from other addresses than the ones they name, and
    /// not from their own: behind a relay, or forged. They are trusted only with
    /// [`trust_relayed`](DiscoveryBuilder::trust_relayed).
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        let found = |sighting: receiver::Sighting| DiscoveredDevice {
            kind: SightingKind::SeenAgain,
            id: sighting.id.as_ref().to_owned(),
            ip: sighting.ip,
            version: sighting.version,
            product_key: sighting.product_key.as_deref().map(str::to_owned),
            relayed_by: sighting.relayed_by,
            unpaired: sighting.unpaired,
        };
        self.0.service.receiver.relayed().into_iter().map(found).collect()
    }

    /// Returns counters since the sockets were opened in this process.
    pub fn counts(&self) -> Counts {
        self.0.service.receiver.counts()
    }

    /// Scans for `duration`. Devices arrive as they announce themselves, and the stream ends with the scan. Devices
    /// that were known before count as new again. Several scans may run at the same time, each with its own duration.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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

    /// As [`stream`](Self::stream), for one device; other announcements take up no room.
    pub fn stream_of(&self, id: &str, duration: Duration) -> Listener<DiscoveredDevice> {
        self.0.service.scan(duration, Some(id))
    }

    /// Scans for `duration`, and returns all devices, each once, by its last announcement. Devices that were known
    /// before count as new again. Returns 16,384 at most; beyond that, those from hosts that announce few devices take
    /// precedence.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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

    /// Scans for one device, for `duration` at most, and returns as soon as it is sighted.
    ///
    /// # Cancel safety
    /// As [`scan`](Self::scan).
    pub async fn find(&self, id: &str, duration: Duration) -> Option<DiscoveredDevice> {
        self.stream_of(id, duration).recv().await
    }

    /// Sweeps a network, address by address. Opens and closes a connection to the TCP port of devices, without sending
    /// anything, and sends a UDP probe, which 3.5 devices answer with an announcement. Begins with at most 200
    /// addresses per second; a subnet of 254 takes about four seconds. Results arrive at once, with progress in
    /// between, and the listener ends with the sweep.
    ///
    /// Dropping the listener ends the sweep.
    ///
    /// ```
    /// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
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
    /// while let Some(result) = sweep.recv().await {
    ///     if let SweepEvent::Open(address) = result {
    ///         open.push(address);
    ///     }
    /// }
    /// assert_eq!(open, [lamp.local_addr().ip()]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn sweep(&self, network: Network) -> Listener<SweepEvent> {
        self.0.service.sweep(network)
    }

    /// Sends probes, which 3.5 devices answer, now and every few seconds for `duration`, and returns at once. Other
    /// versions announce themselves.
    pub fn probe(&self, duration: Duration) {
        self.0.service.probe(duration);
    }

    /// Passes the announcements of the device `id` to a subscriber, until the result is dropped.
    pub(crate) fn watch(&self, id: &Arc<str>, subscriber: Arc<dyn Subscriber>) -> Watch {
        Watch { discovery: self.clone(), id: Arc::clone(id), token: self.0.service.watch(id, &subscriber) }
    }
}

/// Longest interval of probes.
const LONGEST_INTERVAL: Duration = Duration::from_secs(24 * 3600);

/// Subscription to the announcements of one device.
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

/// Configuration of a [`Discovery`]; made by [`Discovery::builder`].
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
    /// Sets the UDP ports, 6666, 6667 and 7000 by default; 0 takes a free one. Other programs may receive on the same
    /// ports.
    pub const fn ports(mut self, ports: [u16; 3]) -> Self {
        self.config.listen_ports = ports;
        self
    }

    /// Binds this address only, and sends probes from it only. On most systems, it then receives no broadcasts.
    pub const fn bind_address(mut self, address: Ipv4Addr) -> Self {
        self.bind = address;
        self.probes.from = if address.is_unspecified() { None } else { Some(address) };
        self
    }

    /// Sets the address that probes are broadcast to, instead of each interface's own, such as that of another subnet.
    pub const fn broadcast_address(mut self, address: Ipv4Addr) -> Self {
        self.probes.broadcast = Some(address);
        self
    }

    /// Sends probes to these addresses instead of broadcasting them.
    pub fn probe_to(mut self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        self.probes.to = addresses.into_iter().collect();
        self
    }

    /// Sets whether probes are sent (the default), by scans and for devices without a known address. If not, it only
    /// receives.
    pub const fn active(mut self, active: bool) -> Self {
        self.probes.active = active;
        self
    }

    /// Sets the time between two rounds of probes during a scan, 6 s by default, at least 100 ms. For devices without a
    /// known address, the pauses grow from this to five times as much.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.probes.every = interval.clamp(service::MIN_INTERVAL, LONGEST_INTERVAL);
        self
    }

    /// Sets whether an announcement may come from another address than the one it names. Only for networks with a
    /// relay: it lets every host on the network redirect connections. Off by default.
    pub const fn trust_relayed(mut self, trust: bool) -> Self {
        self.config.trust_relayed = trust;
        self
    }

    /// Opens the sockets. Returns the service, its loop, and the sockets of that loop.
    pub(crate) fn open(self) -> io::Result<(Discovery, DrivenDiscovery, Vec<UdpSocket>)> {
        let receiver = Receiver::open(self.bind, self.config.listen_ports)?;
        let local_addrs = receiver.local_addrs()?;
        let sockets = receiver.sockets()?;
        if self.probes.active {
            // Each probe opens a socket. Without one, devices that do not announce themselves would stay undiscovered.
            need_descriptors(1)?;
        }
        let service = Service::new(receiver, self.config.trust_relayed, self.probes);
        let driven = DrivenDiscovery::new(Arc::clone(&service));
        Ok((Discovery(Arc::new(Inner { service, local_addrs })), driven, sockets))
    }
}
