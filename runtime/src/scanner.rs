//! Scans without a permanent service.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use crate::discovery::{Counts, DiscoveredDevice, Discovery, DiscoveryBuilder, Network, SweepEvent, all};
use crate::driver::Runtime;
use crate::report::listener::Listener;

/// Scans the local network for devices: receives their announcements, and sends probes for those that do not announce
/// themselves, on every IPv4 interface.
///
/// Every scan starts anew and reports every device. It shares the ports with other services of this process, such as a
/// manager that keeps devices connected.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::{Scanner, Tokio};
/// # async fn scan() -> std::io::Result<()> {
/// for found in Scanner::new(Tokio).timeout(Duration::from_secs(10)).scan().await? {
///     println!("{} {} {:?}", found.id, found.ip, found.version);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Scanner {
    runtime: Arc<dyn Runtime>,
    builder: DiscoveryBuilder,
    timeout: Duration,
}

/// A running scan; devices arrive as they announce themselves. Ends with the scan; dropping it ends the scan.
///
/// ```
/// # use rustuya_runtime_tokio::{Scanner, Tokio};
/// # async fn show() -> std::io::Result<()> {
/// let mut scan = Scanner::new(Tokio).stream()?;
/// while let Some(found) = scan.recv().await {
///     println!("{:?} {} {}", found.kind, found.id, found.ip);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Scan {
    found: Listener<DiscoveredDevice>,
    discovery: Discovery,
}

/// A running sweep of a network; results arrive at once. Ends with the sweep; dropping it ends the sweep.
///
/// ```
/// # use rustuya_runtime_tokio::{Scanner, SweepEvent, Tokio};
/// # async fn open() -> Result<(), Box<dyn core::error::Error>> {
/// let mut sweep = Scanner::new(Tokio).sweep("192.168.5.0/24".parse()?)?;
/// let mut open = Vec::new();
/// while let Some(result) = sweep.recv().await {
///     if let SweepEvent::Open(address) = result {
///         open.push(address);
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Sweep {
    results: Listener<SweepEvent>,
    _discovery: Discovery,
}

impl Sweep {
    /// Returns the number of entries that were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.results.missed()
    }

    /// Receives the next result; `None` when the sweep is over.
    ///
    /// # Cancel safety
    /// Safe: an entry is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<SweepEvent> {
        self.results.recv().await
    }
}

impl futures_core::Stream for Sweep {
    type Item = SweepEvent;

    fn poll_next(
        mut self: core::pin::Pin<&mut Self>,
        cx: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<SweepEvent>> {
        self.results.poll_recv(cx)
    }
}

impl Scanner {
    /// Makes a scanner whose scans take 18 s: long enough to receive three announcements of any device.
    pub fn new(runtime: impl Runtime) -> Self {
        Self { runtime: Arc::new(runtime), builder: Discovery::builder(), timeout: Duration::from_secs(18) }
    }

    /// Sets the duration of a scan.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// As [`DiscoveryBuilder::bind_address`].
    #[must_use]
    pub fn bind_address(mut self, address: Ipv4Addr) -> Self {
        self.builder = self.builder.bind_address(address);
        self
    }

    /// As [`DiscoveryBuilder::broadcast_address`].
    #[must_use]
    pub fn broadcast_address(mut self, address: Ipv4Addr) -> Self {
        self.builder = self.builder.broadcast_address(address);
        self
    }

    /// As [`DiscoveryBuilder::ports`].
    #[must_use]
    pub fn ports(mut self, ports: [u16; 3]) -> Self {
        self.builder = self.builder.ports(ports);
        self
    }

    /// As [`DiscoveryBuilder::probe_to`].
    #[must_use]
    pub fn probe_to(mut self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        self.builder = self.builder.probe_to(addresses);
        self
    }

    /// As [`DiscoveryBuilder::active`].
    #[must_use]
    pub fn active(mut self, active: bool) -> Self {
        self.builder = self.builder.active(active);
        self
    }

    /// As [`DiscoveryBuilder::trust_relayed`].
    #[must_use]
    pub fn trust_relayed(mut self, trust: bool) -> Self {
        self.builder = self.builder.trust_relayed(trust);
        self
    }

    /// Scans, and returns all devices, each once, by its last announcement.
    ///
    /// # Errors
    /// If the UDP ports cannot be bound.
    ///
    /// # Cancel safety
    /// Safe: a dropped future ends the scan.
    pub async fn scan(&self) -> io::Result<Vec<DiscoveredDevice>> {
        Ok(self.stream()?.all().await)
    }

    /// Scans; devices arrive as they announce themselves, repeatedly.
    ///
    /// # Errors
    /// If the UDP ports cannot be bound.
    pub fn stream(&self) -> io::Result<Scan> {
        let discovery = self.builder.clone().start_in(&*self.runtime)?;
        Ok(Scan { found: discovery.stream(self.timeout), discovery })
    }

    /// As [`stream`](Self::stream), for one device; other announcements take up no room.
    ///
    /// # Errors
    /// If the UDP ports cannot be bound.
    pub fn stream_of(&self, id: &str) -> io::Result<Scan> {
        let discovery = self.builder.clone().start_in(&*self.runtime)?;
        Ok(Scan { found: discovery.stream_of(id, self.timeout), discovery })
    }

    /// As [`Discovery::sweep`]. The result ends with the sweep; dropping it ends the sweep.
    ///
    /// ```
    /// # use rustuya_runtime_tokio::{Scanner, SweepEvent, Tokio};
    /// # async fn other_subnet() -> Result<(), Box<dyn core::error::Error>> {
    /// let mut sweep = Scanner::new(Tokio).sweep("192.168.5.0/24".parse()?)?;
    /// while let Some(result) = sweep.recv().await {
    ///     match result {
    ///         SweepEvent::Found(found) => println!("{} {} {:?}", found.ip, found.id, found.version),
    ///         SweepEvent::Open(address) => println!("{address} may be a device"),
    ///         SweepEvent::Progress { done, total } => eprintln!("{done} of {total}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the UDP ports cannot be bound.
    pub fn sweep(&self, network: Network) -> io::Result<Sweep> {
        let discovery = self.builder.clone().start_in(&*self.runtime)?;
        Ok(Sweep { results: discovery.sweep(network), _discovery: discovery })
    }

    /// Scans until this device announces itself.
    ///
    /// ```
    /// # use rustuya_runtime_tokio::{Scanner, Tokio};
    /// # async fn find() -> std::io::Result<()> {
    /// if let Some(found) = Scanner::new(Tokio).find("bf0123456789abcdefgh").await? {
    ///     println!("{}", found.ip);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the UDP ports cannot be bound.
    ///
    /// # Cancel safety
    /// Safe: a dropped future ends the scan.
    pub async fn find(&self, id: &str) -> io::Result<Option<DiscoveredDevice>> {
        Ok(self.stream_of(id)?.recv().await)
    }
}

impl core::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scanner").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Scan {
    /// Waits until the scan ends, and returns all devices, each once, by its last announcement.
    ///
    /// # Cancel safety
    /// Dropping the future loses what was received.
    pub async fn all(&mut self) -> Vec<DiscoveredDevice> {
        all(&mut self.found).await
    }

    /// Waits for this device; `None` when the scan ends without it.
    ///
    /// # Cancel safety
    /// Safe: dropping the future stops waiting.
    pub async fn find(&mut self, id: &str) -> Option<DiscoveredDevice> {
        one(&mut self.found, id).await
    }

    /// As [`Discovery::relayed`].
    pub fn relayed(&self) -> Vec<DiscoveredDevice> {
        self.discovery.relayed()
    }

    /// Returns the number of entries that were lost because they were not received in time.
    pub fn missed(&self) -> u64 {
        self.found.missed()
    }

    /// As [`Discovery::counts`].
    pub fn counts(&self) -> Counts {
        self.discovery.counts()
    }

    /// Receives the next device; `None` when the scan is over.
    ///
    /// # Cancel safety
    /// Safe: an entry is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<DiscoveredDevice> {
        self.found.recv().await
    }
}

impl futures_core::Stream for Scan {
    type Item = DiscoveredDevice;

    fn poll_next(
        mut self: core::pin::Pin<&mut Self>,
        cx: &mut core::task::Context<'_>,
    ) -> core::task::Poll<Option<DiscoveredDevice>> {
        self.found.poll_recv(cx)
    }
}

/// Waits for one device.
async fn one(listener: &mut Listener<DiscoveredDevice>, id: &str) -> Option<DiscoveredDevice> {
    while let Some(device) = listener.recv().await {
        if device.id == id {
            return Some(device);
        }
    }
    None
}
