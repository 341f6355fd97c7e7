//! Single scans, without a running service.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io;

use rustuya_runtime::{Counts, DiscoveredDevice, Network, SweepEvent};

#[cfg(doc)]
use crate::discovery::{Discovery, DiscoveryBuilder};
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Scanner for devices on the local network: listens for their announcements, and sends probes to those that do not
/// announce themselves, on every IPv4 interface.
///
/// Every scan starts anew and reports every device. It shares the ports with other listeners of this process, such as a
/// manager.
#[derive(Clone, Debug)]
pub struct Scanner {
    inner: rustuya_runtime::Scanner,
    thread: PollThread,
}

/// Running scan, which receives announcements as they arrive. Dropping it ends the scan. Also an [`Iterator`], which
/// waits for each device.
#[derive(Debug)]
pub struct Scan {
    // Dropped in this order: the scan must end before the thread.
    inner: rustuya_runtime::Scan,
    _thread: PollThread,
}

impl Scanner {
    /// Creates a scanner whose scans take 18 s: long enough for three announcements of any device.
    pub fn new(thread: PollThread) -> Self {
        Self { inner: rustuya_runtime::Scanner::new(thread.clone()), thread }
    }

    /// Sets the duration of a scan.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout), ..self }
    }

    /// Like [`DiscoveryBuilder::bind_address`].
    #[must_use]
    pub fn bind_address(self, address: Ipv4Addr) -> Self {
        Self { inner: self.inner.bind_address(address), ..self }
    }

    /// Like [`DiscoveryBuilder::broadcast_address`].
    #[must_use]
    pub fn broadcast_address(self, address: Ipv4Addr) -> Self {
        Self { inner: self.inner.broadcast_address(address), ..self }
    }

    /// Like [`DiscoveryBuilder::ports`].
    #[must_use]
    pub fn ports(self, ports: [u16; 3]) -> Self {
        Self { inner: self.inner.ports(ports), ..self }
    }

    /// Like [`DiscoveryBuilder::probe_to`].
    #[must_use]
    pub fn probe_to(self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        Self { inner: self.inner.probe_to(addresses), ..self }
    }

    /// Like [`DiscoveryBuilder::active`].
    #[must_use]
    pub fn active(self, active: bool) -> Self {
        Self { inner: self.inner.active(active), ..self }
    }

    /// Like [`DiscoveryBuilder::trust_relayed`].
    #[must_use]
    pub fn trust_relayed(self, trust: bool) -> Self {
        Self { inner: self.inner.trust_relayed(trust), ..self }
    }

    /// Scans, and returns all devices, each once, with its last announcement.
    ///
    /// # Errors
    /// Fails when the UDP ports cannot be bound.
    pub fn scan(&self) -> io::Result<Vec<DiscoveredDevice>> {
        Ok(self.stream()?.all())
    }

    /// Starts a scan, which receives all announcements as they arrive, repeated ones too.
    ///
    /// # Errors
    /// Fails when the UDP ports cannot be bound.
    pub fn stream(&self) -> io::Result<Scan> {
        Ok(Scan { inner: self.inner.stream()?, _thread: self.thread.clone() })
    }

    /// Like [`stream`](Self::stream), for one device: other announcements take no room in the queue.
    ///
    /// # Errors
    /// Fails when the UDP ports cannot be bound.
    pub fn stream_of(&self, id: &str) -> io::Result<Scan> {
        Ok(Scan { inner: self.inner.stream_of(id)?, _thread: self.thread.clone() })
    }

    /// Like [`Discovery::sweep`]. The result ends with the search; dropping it ends the search.
    ///
    /// # Errors
    /// Fails when the UDP ports cannot be bound.
    pub fn sweep(&self, network: Network) -> io::Result<Sweep> {
        Ok(Sweep { inner: self.inner.sweep(network)?, _thread: self.thread.clone() })
    }

    /// Scans until this device announces itself.
    ///
    /// # Errors
    /// Fails when the UDP ports cannot be bound.
    pub fn find(&self, id: &str) -> io::Result<Option<DiscoveredDevice>> {
        Ok(self.stream_of(id)?.find(id))
    }
}

/// Running search of a network, which receives results at once. Dropping it ends the search. Also an [`Iterator`],
/// which waits for the next result.
#[derive(Debug)]
pub struct Sweep {
    // Dropped in this order: the search must end before the thread.
    inner: rustuya_runtime::Sweep,
    _thread: PollThread,
}

impl Sweep {
    /// Returns the number of entries that were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.inner.missed()
    }

    /// Waits for the next result; `None` when the search is over.
    pub fn recv(&mut self) -> Option<SweepEvent> {
        block_on(self.inner.recv())
    }
}

impl Iterator for Sweep {
    type Item = SweepEvent;

    fn next(&mut self) -> Option<SweepEvent> {
        self.recv()
    }
}

impl Scan {
    /// Waits for the end, and returns all devices, each once, with its last announcement.
    pub fn all(&mut self) -> Vec<DiscoveredDevice> {
        block_on(self.inner.all())
    }

    /// Waits until this device announces itself; `None` when the scan ends without it.
    pub fn find(&mut self, id: &str) -> Option<DiscoveredDevice> {
        block_on(self.inner.find(id))
    }

    /// Like [`Discovery::relayed`].
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        self.inner.relayed()
    }

    /// Returns the number of entries that were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.inner.missed()
    }

    /// Like [`Discovery::counts`].
    pub fn counts(&self) -> Counts {
        self.inner.counts()
    }

    /// Waits for the next announcement; `None` when the scan is over.
    pub fn recv(&mut self) -> Option<DiscoveredDevice> {
        block_on(self.inner.recv())
    }
}

impl Iterator for Scan {
    type Item = DiscoveredDevice;

    fn next(&mut self) -> Option<DiscoveredDevice> {
        self.recv()
    }
}
