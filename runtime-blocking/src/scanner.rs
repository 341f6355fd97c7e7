//! Scans on their own, without a service that stays.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io;

use rustuya_runtime::{Counts, DiscoveredDevice, Network, Swept};

#[cfg(doc)]
use crate::discovery::{Discovery, DiscoveryBuilder};
use crate::poll_thread::PollThread;
use crate::wait::block_on;

/// Looks for devices on the local network: listens for their announcements, and asks those that do not announce
/// themselves, on every IPv4 interface.
///
/// Every scan starts anew and reports every device. It shares the ports with whoever listens on them in this process,
/// such as a manager that keeps devices connected.
#[derive(Clone, Debug)]
pub struct Scanner {
    inner: rustuya_runtime::Scanner,
    thread: PollThread,
}

/// A running scan: what it hears, as it is heard. Ends with the scan; dropping it ends the scan. Also an [`Iterator`],
/// which waits for each device.
#[derive(Debug)]
pub struct Scan {
    // In this order: the scan is to end before the thread does.
    inner: rustuya_runtime::Scan,
    _thread: PollThread,
}

impl Scanner {
    /// A scanner whose scans take 18 s: long enough to hear any device three times.
    pub fn new(thread: PollThread) -> Self {
        Self { inner: rustuya_runtime::Scanner::new(thread.clone()), thread }
    }

    /// How long a scan takes.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { inner: self.inner.timeout(timeout), ..self }
    }

    /// As [`DiscoveryBuilder::bind_address`].
    #[must_use]
    pub fn bind_address(self, address: Ipv4Addr) -> Self {
        Self { inner: self.inner.bind_address(address), ..self }
    }

    /// As [`DiscoveryBuilder::broadcast_address`].
    #[must_use]
    pub fn broadcast_address(self, address: Ipv4Addr) -> Self {
        Self { inner: self.inner.broadcast_address(address), ..self }
    }

    /// As [`DiscoveryBuilder::ports`].
    #[must_use]
    pub fn ports(self, ports: [u16; 3]) -> Self {
        Self { inner: self.inner.ports(ports), ..self }
    }

    /// As [`DiscoveryBuilder::probe_to`].
    #[must_use]
    pub fn probe_to(self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        Self { inner: self.inner.probe_to(addresses), ..self }
    }

    /// As [`DiscoveryBuilder::active`].
    #[must_use]
    pub fn active(self, active: bool) -> Self {
        Self { inner: self.inner.active(active), ..self }
    }

    /// As [`DiscoveryBuilder::trust_relayed`].
    #[must_use]
    pub fn trust_relayed(self, trust: bool) -> Self {
        Self { inner: self.inner.trust_relayed(trust), ..self }
    }

    /// Scans, and returns all devices that were heard, each once, as it was heard last.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn scan(&self) -> io::Result<Vec<DiscoveredDevice>> {
        Ok(self.stream()?.all())
    }

    /// Scans; what is heard comes as it is heard, also when it is heard again.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn stream(&self) -> io::Result<Scan> {
        Ok(Scan { inner: self.inner.stream()?, _thread: self.thread.clone() })
    }

    /// As [`stream`](Self::stream), for one device: whatever else is announced takes it no room.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn stream_of(&self, id: &str) -> io::Result<Scan> {
        Ok(Scan { inner: self.inner.stream_of(id)?, _thread: self.thread.clone() })
    }

    /// As [`Discovery::sweep`]. The result ends with the search; dropping it ends the search.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn sweep(&self, network: Network) -> io::Result<Sweep> {
        Ok(Sweep { inner: self.inner.sweep(network)?, _thread: self.thread.clone() })
    }

    /// Scans until this device is heard.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn find(&self, id: &str) -> io::Result<Option<DiscoveredDevice>> {
        Ok(self.stream_of(id)?.find(id))
    }
}

/// A network that is being looked through: what comes of it, at once. Ends with the search; dropping it ends the search.
/// Also an [`Iterator`], which waits for what comes next.
#[derive(Debug)]
pub struct Sweep {
    // In this order: the search is to end before the thread does.
    inner: rustuya_runtime::Sweep,
    _thread: PollThread,
}

impl Sweep {
    /// How many entries were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.inner.missed()
    }

    /// Waits for what comes next; `None` when the search is over.
    pub fn recv(&mut self) -> Option<Swept> {
        block_on(self.inner.recv())
    }
}

impl Iterator for Sweep {
    type Item = Swept;

    fn next(&mut self) -> Option<Swept> {
        self.recv()
    }
}

impl Scan {
    /// Goes on to the end, and returns all devices that are heard, each once, as it was heard last.
    pub fn all(&mut self) -> Vec<DiscoveredDevice> {
        block_on(self.inner.all())
    }

    /// Goes on until this device is heard; `None` when the scan ends without it.
    pub fn find(&mut self, id: &str) -> Option<DiscoveredDevice> {
        block_on(self.inner.find(id))
    }

    /// As [`Discovery::relayed`].
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        self.inner.relayed()
    }

    /// How many entries were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.inner.missed()
    }

    /// As [`Discovery::counts`].
    pub fn counts(&self) -> Counts {
        self.inner.counts()
    }

    /// Waits for the next device that is heard; `None` when the scan is over.
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
