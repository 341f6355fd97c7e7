//! Scans on their own, without a service that stays.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::io;

use rustuya_runtime::Found;

use crate::discovery::{Discovery, DiscoveryBuilder};
use crate::listener::Listener;
use crate::poll_thread::PollThread;

/// Looks for devices on the local network: listens for their announcements, and asks those that do not announce
/// themselves, on every IPv4 interface.
///
/// Every scan starts anew and reports every device. A program that keeps devices connected has a [`Discovery`]
/// already; its methods do the same without opening the ports again.
#[derive(Clone, Debug)]
pub struct Scanner {
    thread: PollThread,
    builder: DiscoveryBuilder,
    timeout: Duration,
}

/// A running scan: what it hears, as it is heard. Ends with the scan; dropping it ends the scan. Also an [`Iterator`],
/// which waits for each device.
#[derive(Debug)]
pub struct Scan {
    found: Listener<Found>,
    _discovery: Discovery,
}

impl Scanner {
    /// A scanner whose scans take 18 s: long enough to hear any device three times.
    pub fn new(thread: PollThread) -> Self {
        Self { thread, builder: Discovery::builder(), timeout: Duration::from_secs(18) }
    }

    /// How long a scan takes.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// As [`DiscoveryBuilder::bind_address`].
    #[must_use]
    pub fn bind_address(self, address: Ipv4Addr) -> Self {
        Self { builder: self.builder.bind_address(address), ..self }
    }

    /// As [`DiscoveryBuilder::broadcast_address`].
    #[must_use]
    pub fn broadcast_address(self, address: Ipv4Addr) -> Self {
        Self { builder: self.builder.broadcast_address(address), ..self }
    }

    /// As [`DiscoveryBuilder::ports`].
    #[must_use]
    pub fn ports(self, ports: [u16; 3]) -> Self {
        Self { builder: self.builder.ports(ports), ..self }
    }

    /// As [`DiscoveryBuilder::probe_to`].
    #[must_use]
    pub fn probe_to(self, addresses: impl IntoIterator<Item = SocketAddrV4>) -> Self {
        Self { builder: self.builder.probe_to(addresses), ..self }
    }

    /// As [`DiscoveryBuilder::active`].
    #[must_use]
    pub fn active(self, active: bool) -> Self {
        Self { builder: self.builder.active(active), ..self }
    }

    /// Scans, and returns all devices that were heard, each once, as it was heard last.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn scan(&self) -> io::Result<Vec<Found>> {
        Ok(self.discovery()?.scan(self.timeout))
    }

    /// Scans; what is heard comes as it is heard, also when it is heard again.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn stream(&self) -> io::Result<Scan> {
        let discovery = self.discovery()?;
        Ok(Scan { found: discovery.stream(self.timeout), _discovery: discovery })
    }

    /// Scans until this device is heard.
    ///
    /// # Errors
    /// When the UDP ports cannot be bound.
    pub fn find(&self, id: &str) -> io::Result<Option<Found>> {
        Ok(self.discovery()?.find(id, self.timeout))
    }

    fn discovery(&self) -> io::Result<Discovery> {
        self.builder.clone().start(&self.thread)
    }
}

impl Scan {
    /// Waits for the next device that is heard; `None` when the scan is over.
    pub fn recv(&mut self) -> Option<Found> {
        self.found.recv()
    }
}

impl Iterator for Scan {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        self.recv()
    }
}
