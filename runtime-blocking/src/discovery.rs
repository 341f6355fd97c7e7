//! Discovery service.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;

use rustuya_runtime::{Counts, DiscoveredDevice, Network, SweepEvent};

use crate::listener::Listener;
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Service that listens for the announcements of devices. It also sends probes: during a scan, and as long as a
/// [`Device`](crate::Device) that uses it has no known address and is not connected (every 6 s at first, every 30 s in
/// the long run). Clones share it. It ends when the last clone is dropped and no `Device` uses it any more.
///
/// All services of the process with the same ports and address share their sockets and announcements, on any runtime.
/// So a scan does not disturb connected devices, nor they the scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    // Dropped in this order: the service must end before the thread.
    pub(crate) inner: rustuya_runtime::Discovery,
    thread: PollThread,
}

impl Discovery {
    /// Creates a builder with defaults.
    pub fn builder() -> DiscoveryBuilder {
        DiscoveryBuilder(rustuya_runtime::Discovery::builder())
    }

    /// Returns a listener for every accepted announcement from now on: new devices, changed ones, and those seen again.
    /// [`Listener::missed`] counts the losses of a slow listener.
    pub fn listener(&self) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.listener())
    }

    /// Returns the addresses of the listening sockets, in the order of the ports.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        self.inner.local_addrs()
    }

    /// Returns the devices whose announcements of the last minute all came from other addresses than the announced
    /// ones: behind a relay, or forged. They are believed only with [`trust_relayed`](DiscoveryBuilder::trust_relayed).
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        self.inner.relayed()
    }

    /// Returns the counts of datagrams since this process began to listen on these ports.
    pub fn counts(&self) -> Counts {
        self.inner.counts()
    }

    /// Scans for `duration`, and returns a listener for the announcements, which ends with the scan. Known devices
    /// count as new again.
    pub fn stream(&self, duration: Duration) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.stream(duration))
    }

    /// Like [`stream`](Self::stream), for one device: other announcements take no room in the queue.
    pub fn stream_of(&self, id: &str, duration: Duration) -> Listener<DiscoveredDevice> {
        Listener::new(self.inner.stream_of(id, duration))
    }

    /// Scans for `duration`, and returns all devices, each once, with its last announcement. Known devices count as new
    /// again.
    pub fn scan(&self, duration: Duration) -> Vec<DiscoveredDevice> {
        block_on(self.inner.scan(duration))
    }

    /// Looks for one device, for `duration` at most, and returns as soon as it announces itself.
    pub fn find(&self, id: &str, duration: Duration) -> Option<DiscoveredDevice> {
        block_on(self.inner.find(id, duration))
    }

    /// Searches a network, address by address: opens and closes a connection to the TCP port of devices without sending
    /// anything, and sends a UDP probe, which 3.5 devices answer. Starts at most 200 addresses per second; a subnet of
    /// 254 takes about four seconds. The listener receives results at once, with progress in between, and ends with the
    /// search. Dropping the listener ends the search.
    pub fn sweep(&self, network: Network) -> Listener<SweepEvent> {
        Listener::new(self.inner.sweep(network))
    }

    /// Sends probes to 3.5 devices, now and every few seconds for `duration`, and returns at once. Other versions
    /// announce themselves.
    pub fn probe(&self, duration: Duration) {
        self.inner.probe(duration);
    }

    /// Returns the thread of the service.
    pub const fn thread(&self) -> &PollThread {
        &self.thread
    }
}

/// Configuration of a [`Discovery`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing before start"]
pub struct DiscoveryBuilder(rustuya_runtime::DiscoveryBuilder);

impl DiscoveryBuilder {
    /// Sets the UDP ports to listen on, 6666, 6667 and 7000 by default; 0 takes a free one. Other programs may listen
    /// on the same ports.
    pub fn ports(self, ports: [u16; 3]) -> Self {
        Self(self.0.ports(ports))
    }

    /// Listens on this address only, and sends probes from it only. On most systems this receives no broadcasts.
    pub fn bind_address(self, address: Ipv4Addr) -> Self {
        Self(self.0.bind_address(address))
    }

    /// Sets the broadcast address of probes, in place of each interface's own, such as that of another subnet.
    pub fn broadcast_address(self, address: Ipv4Addr) -> Self {
        Self(self.0.broadcast_address(address))
    }

    /// Sends probes to these addresses instead of broadcasting them.
    pub fn probe_to(self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        Self(self.0.probe_to(addresses))
    }

    /// Sets whether to send probes (the default), for scans and for devices without a known address. If not, it only
    /// listens.
    pub fn active(self, active: bool) -> Self {
        Self(self.0.active(active))
    }

    /// Sets time between two rounds of probes during a scan, 6 s by default, at least 100 ms. For devices without a
    /// known address, the pauses grow from this to five times as much.
    pub fn probe_interval(self, interval: Duration) -> Self {
        Self(self.0.probe_interval(interval))
    }

    /// Sets whether an announcement may come from another address than the announced one. Only for networks with a
    /// relay: it allows every host on the network to redirect connections. Off by default.
    pub fn trust_relayed(self, trust: bool) -> Self {
        Self(self.0.trust_relayed(trust))
    }

    /// Starts the service, which listens in the background.
    ///
    /// # Errors
    /// Fails when a port cannot be bound: most often another program holds it exclusively.
    pub fn start(self, thread: &PollThread) -> io::Result<Discovery> {
        Ok(Discovery { inner: self.0.start(thread)?, thread: thread.clone() })
    }
}
