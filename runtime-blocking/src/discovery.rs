//! The service that finds devices.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;

use rustuya_runtime::{Counts, DiscoveredDevice, Network, Swept};

use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Listens for the announcements of devices and asks for them: during a scan, and as long as a [`Device`](crate::Device)
/// that uses it has no known address and is not connected (every 6 s at first, every 30 s in the long run). Clones share
/// it. It ends when the last clone is dropped and no `Device` uses it any more.
///
/// All that listen on the same ports and address share their sockets and what was heard, in the whole process, whatever
/// they run on: a scan takes nothing away from those who keep devices connected, and is not disturbed by them.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    // In this order: the service is to end before the thread does.
    pub(crate) inner: rustuya_runtime::Discovery,
    thread: PollThread,
}

impl Discovery {
    /// Describes a service; everything has a default.
    pub fn builder() -> DiscoveryBuilder {
        DiscoveryBuilder(rustuya_runtime::Discovery::builder())
    }

    /// Receives every announcement that is believed from now on: new devices, changed ones, and those seen again.
    /// Losses of a slow listener are counted, see [`Listener::missed`].
    pub fn listener(&self) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.listener())
    }

    /// The addresses that announcements are received on, in the order of the ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.inner.local_addrs()
    }

    /// The devices that were announced within the last minute from other addresses than the ones they name, and not
    /// from their own: behind a relay, or forged. They are believed only with
    /// [`trust_relayed`](DiscoveryBuilder::trust_relayed).
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        self.inner.relayed()
    }

    /// What has come in since somebody in this process began to listen on these ports.
    pub fn counts(&self) -> Counts {
        self.inner.counts()
    }

    /// Looks for devices for `duration`; what is heard comes as it is heard, and the listener ends with the scan.
    /// Devices that were known before count as new again.
    pub fn stream(&self, duration: Duration) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.stream(duration))
    }

    /// As [`stream`](Self::stream), for one device: whatever else is announced takes it no room.
    pub fn stream_of(&self, id: &str, duration: Duration) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.stream_of(id, duration))
    }

    /// Looks for devices for `duration`, and returns all that were heard, each once, as it was heard last. Devices
    /// that were known before count as new again.
    pub fn scan(&self, duration: Duration) -> Vec<DiscoveredDevice> {
        block_on(self.inner.scan(duration))
    }

    /// Looks for one device, for `duration` at most, and returns as soon as it is heard.
    pub fn find(&self, id: &str, duration: Duration) -> Option<DiscoveredDevice> {
        block_on(self.inner.find(id, duration))
    }

    /// Looks through a network, address by address: each is tried on the TCP port of devices, where a connection is opened
    /// and closed with nothing sent, and asked by UDP for an announcement, which 3.5 devices answer. At most 200
    /// addresses are begun with in a second; a subnet of 254 takes about four seconds. What comes of it comes at once,
    /// with progress in between, and the listener ends with the search. Dropping the listener ends the search.
    pub fn sweep(&self, network: Network) -> Listener<Swept> {
        Listener::new(self.inner.sweep(network))
    }

    /// Asks 3.5 devices for announcements, now and every few seconds for `duration`, and returns at once. Other
    /// versions announce themselves.
    pub fn probe(&self, duration: Duration) {
        self.inner.probe(duration);
    }

    /// The thread that it runs on.
    pub const fn thread(&self) -> &PollThread {
        &self.thread
    }
}

/// How a [`Discovery`] listens and asks.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before start"]
pub struct DiscoveryBuilder(rustuya_runtime::DiscoveryBuilder);

impl DiscoveryBuilder {
    /// UDP ports to listen on, 6666, 6667 and 7000 by default; 0 takes a free one. Other programs may listen on
    /// the same ones.
    pub fn ports(self, ports: [u16; 3]) -> Self {
        Self(self.0.ports(ports))
    }

    /// Listens on this address only, and sends probes from it only. On most systems, broadcasts are then not heard.
    pub fn bind_address(self, address: Ipv4Addr) -> Self {
        Self(self.0.bind_address(address))
    }

    /// The address that probes are broadcast to, instead of each interface's own, such as that of another subnet.
    pub fn broadcast_address(self, address: Ipv4Addr) -> Self {
        Self(self.0.broadcast_address(address))
    }

    /// Sends probes to these addresses instead of broadcasting them.
    pub fn probe_to(self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        Self(self.0.probe_to(addresses))
    }

    /// Whether probes are sent (the default), by scans and for devices that are nowhere. If not, it only listens.
    pub fn active(self, active: bool) -> Self {
        Self(self.0.active(active))
    }

    /// Time between two rounds of probes during a scan, 6 s by default, at least 100 ms. For devices that are nowhere,
    /// the pauses grow from this to five times as much.
    pub fn probe_interval(self, interval: Duration) -> Self {
        Self(self.0.probe_interval(interval))
    }

    /// Whether an announcement may come from another address than the one it names. Only for networks with a relay:
    /// it lets every host on the network redirect connections. Off by default.
    pub fn trust_relayed(self, trust: bool) -> Self {
        Self(self.0.trust_relayed(trust))
    }

    /// Begins to listen, in the background.
    ///
    /// # Errors
    /// When a port cannot be bound: most often another program holds it exclusively.
    pub fn start(self, thread: &PollThread) -> io::Result<Discovery> {
        Ok(Discovery { inner: self.0.start(thread)?, thread: thread.clone() })
    }
}
