//! Discovery of devices: announcements in, probes out.

mod announcement;
mod cache;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use rand_core::CryptoRng;

#[cfg(feature = "emulator")]
pub use announcement::Probe;
pub use announcement::{Announcement, AnnouncementError, Datagram, MAX_PROBE, NoHost, Origin, write_probe};
use cache::Cache;
pub use cache::{SeenDevice, SightingKind};

use crate::time::Instant;

/// Configuration of [`Discovery`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryConfig {
    /// UDP ports that the driver listens on: clear announcements, encrypted ones, answers to probes. Not used by the
    /// machine itself.
    pub listen_ports: [u16; 3],
    /// Destination port of probes.
    pub probe_port: u16,
    /// Destination of probes in place of each interface's broadcast address: one device, or one host with many.
    pub probe_address: Option<Ipv4Addr>,
    /// Time between two rounds of probes.
    pub probe_interval: Duration,
    /// Time after which a silent device is forgotten.
    pub lifetime: Duration,
    /// True if an announcement may come from another address than the one it names. Only for networks with a relay: it
    /// allows every host that reaches the socket to redirect connections.
    pub trust_relayed: bool,
}

impl Default for DiscoveryConfig {
    /// Returns the ports of the protocol, probes every 6 s, entries that live for 60 s, no relay.
    fn default() -> Self {
        Self {
            listen_ports: [6666, 6667, 7000],
            probe_port: 7000,
            probe_address: None,
            probe_interval: Duration::from_secs(6),
            lifetime: Duration::from_secs(60),
            trust_relayed: false,
        }
    }
}

/// IPv4 interface that sends probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "probing needs these two addresses and nothing else")]
pub struct Interface {
    /// Address of the interface: the sending socket is bound to it, and devices answer to it.
    pub address: Ipv4Addr,
    /// Broadcast address of the interface; 255.255.255.255 if it is not known.
    pub broadcast: Ipv4Addr,
}

/// Discovery machine: decodes announcements, remembers up to `N` devices, and schedules probes.
///
/// Listening is cheap: pass every datagram of the three ports to [`handle_datagram`](Self::handle_datagram). Devices up
/// to 3.4 announce themselves every few seconds; 3.5 devices answer probes, which are sent during a scan.
pub struct Discovery<const N: usize = 64> {
    config: DiscoveryConfig,
    interfaces: heapless::Vec<Interface, MAX_INTERFACES>,
    cache: Cache<N>,
    /// Number of the current scan.
    scan: u32,
    probing: Option<Probing>,
}

#[derive(Clone, Copy)]
struct Probing {
    /// End of the scan.
    ends: Instant,
    /// Start of the current round, or of the next one.
    round: Instant,
    /// Index of the next interface in this round.
    turn: usize,
}

/// Output of [`Discovery::poll`]: an instruction to the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "every variant is an order to the driver")]
pub enum DiscoveryOutput {
    /// Send the first `len` bytes of the lent buffer as one datagram, then poll again.
    Send {
        /// Address to send from; bind a socket with broadcast enabled to it.
        interface: Ipv4Addr,
        /// Destination.
        to: SocketAddrV4,
        /// Size of the datagram.
        len: usize,
    },
    /// Nothing to send before `until`, or at all if that is `None`.
    Wait {
        /// Time of the next poll.
        until: Option<Instant>,
    },
}

/// Accepted announcement. It is still not proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting<'a> {
    /// Kind of change that it brings.
    pub kind: SightingKind,
    /// Address of the device.
    pub address: Ipv4Addr,
    /// Sender, if it is not the device itself; never without [`trust_relayed`](DiscoveryConfig::trust_relayed).
    pub relayed_by: Option<IpAddr>,
    /// Content of the announcement; its `ip` is always `address`.
    pub announcement: Announcement<'a>,
}

impl<const N: usize> Discovery<N> {
    /// Creates a machine that knows no device and no interface, and is not scanning.
    pub const fn new(config: DiscoveryConfig) -> Self {
        Self { config, interfaces: heapless::Vec::new(), cache: Cache::new(), scan: 0, probing: None }
    }

    /// Returns the configuration.
    pub const fn config(&self) -> &DiscoveryConfig {
        &self.config
    }

    /// Replaces the interfaces that send probes, at most [`MAX_INTERFACES`].
    ///
    /// # Errors
    /// [`TooManyInterfaces`]; the interfaces then stay as they were.
    pub fn set_interfaces(&mut self, interfaces: &[Interface]) -> Result<(), TooManyInterfaces> {
        self.interfaces = heapless::Vec::from_slice(interfaces).map_err(|_| TooManyInterfaces)?;
        Ok(())
    }

    /// Adds one interface, or replaces the one with the same address.
    ///
    /// # Errors
    /// [`TooManyInterfaces`] beyond [`MAX_INTERFACES`]; nothing is changed.
    pub fn add_interface(&mut self, interface: Interface) -> Result<(), TooManyInterfaces> {
        let known = self.interfaces.iter_mut().find(|known| known.address == interface.address);
        if let Some(known) = known {
            *known = interface;
            return Ok(());
        }
        self.interfaces.push(interface).map_err(|_| TooManyInterfaces)
    }

    /// Begins a scan: for `duration` (use [`Duration::MAX`] for ever), a round of probes now and every
    /// [`probe_interval`](DiscoveryConfig::probe_interval). Every device that announces itself from now on is reported
    /// as [`SightingKind::New`] once more, also if it is known. Does not shorten a running scan.
    pub fn start_scan(&mut self, now: Instant, duration: Duration) {
        self.scan = self.scan.wrapping_add(1);
        let ends = self.probing.map_or(now, |probing| probing.ends).max(now + duration);
        self.probing = Some(Probing { ends, round: now, turn: 0 });
    }

    /// Stops the probes. Announcements are still decoded and reported.
    pub const fn stop_scan(&mut self) {
        self.probing = None;
    }

    /// Returns whether a scan is running.
    pub fn is_scanning(&self, now: Instant) -> bool {
        self.probing.is_some_and(|probing| now < probing.ends)
    }

    /// Returns the devices that announced themselves within [`lifetime`](DiscoveryConfig::lifetime), in no particular
    /// order.
    pub fn devices(&self, now: Instant) -> impl Iterator<Item = &SeenDevice> {
        self.cache.iter(now, self.config.lifetime)
    }

    /// Forgets every device.
    pub fn forget(&mut self) {
        self.cache.clear();
    }

    /// Decodes one datagram in place, from any of the three ports, and enters its announcement. A full table drops the
    /// device that was silent for the longest time.
    ///
    /// # Errors
    /// The datagram is not an accepted announcement; nothing is changed then. Drivers count such datagrams and go on.
    pub fn handle_datagram<'d>(
        &mut self,
        datagram: &'d mut [u8],
        source: SocketAddr,
        now: Instant,
    ) -> Result<Sighting<'d>, DiscoveryError> {
        let mut announcement = match Datagram::decode(datagram) {
            Ok(Datagram::Announcement(announcement)) => announcement,
            Ok(Datagram::InfoRequest { .. }) => return Err(DiscoveryError::InfoRequest),
            Err(error) => return Err(DiscoveryError::Malformed(error)),
        };
        let Origin { address, relayed_by } =
            announcement.origin(source.ip()).map_err(|NoHost| DiscoveryError::NotUnicast)?;
        if relayed_by.is_some() && !self.config.trust_relayed {
            return Err(DiscoveryError::ForeignAddress);
        }
        if self.interfaces.iter().any(|known| known.broadcast == address) {
            return Err(DiscoveryError::NotUnicast);
        }
        let kind = self
            .cache
            .note(&announcement, address, self.scan, now, self.config.lifetime)
            .ok_or(DiscoveryError::Malformed(AnnouncementError::NoId))?;
        announcement.ip = Some(address);
        Ok(Sighting { kind, address, relayed_by, announcement })
    }

    /// Returns the next instruction; call it until it returns [`DiscoveryOutput::Wait`].
    #[expect(clippy::arithmetic_side_effects, reason = "the index of an interface, and one more")]
    pub fn poll(&mut self, now: Instant, rng: &mut dyn CryptoRng, out: &mut [u8; MAX_PROBE]) -> DiscoveryOutput {
        loop {
            let Some(probing) = &mut self.probing else {
                return DiscoveryOutput::Wait { until: None };
            };
            if now >= probing.ends {
                self.probing = None;
                continue;
            }
            if now < probing.round {
                return DiscoveryOutput::Wait { until: Some(probing.round.min(probing.ends)) };
            }
            let Some(interface) = self.interfaces.get(probing.turn) else {
                // The next round counts from now, so that a driver that slept through several sends one, not all.
                let interval = self.config.probe_interval.max(SHORTEST_INTERVAL);
                probing.round = now + interval;
                probing.turn = 0;
                continue;
            };
            probing.turn += 1;
            let mut iv = [0; 12];
            rng.fill_bytes(&mut iv);
            let to = self.config.probe_address.unwrap_or(interface.broadcast);
            if let Ok(len) = write_probe(interface.address, &iv, out) {
                return DiscoveryOutput::Send {
                    interface: interface.address,
                    to: SocketAddrV4::new(to, self.config.probe_port),
                    len,
                };
            }
        }
    }
}

impl<const N: usize> fmt::Debug for Discovery<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("config", &self.config)
            .field("interfaces", &self.interfaces)
            .finish_non_exhaustive()
    }
}

/// Reason why a datagram reports no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// It is not an announcement.
    Malformed(AnnouncementError),
    /// It is a client's request for announcements, of another program or of this one. Ignore it.
    InfoRequest,
    /// It contains another address than its sender's: forged, or relayed. Set
    /// [`trust_relayed`](DiscoveryConfig::trust_relayed) only if there is a relay.
    /// [`Device::handle_relayed`](crate::Device::handle_relayed) reports it as the reason why a device is not found.
    ForeignAddress,
    /// The announced address is not that of a single host.
    NotUnicast,
}

impl fmt::Display for DiscoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed(_) => "not an announcement",
            Self::InfoRequest => "a client's request for announcements",
            Self::ForeignAddress => {
                "the announcement names another address than its sender's: forged, or from a relay that must be trusted first"
            }
            Self::NotUnicast => "the announced address is not that of a single host",
        })
    }
}

impl core::error::Error for DiscoveryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            Self::InfoRequest | Self::ForeignAddress | Self::NotUnicast => None,
        }
    }
}

/// There are more than [`MAX_INTERFACES`] interfaces. Leave out those without devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct TooManyInterfaces;

impl fmt::Display for TooManyInterfaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MAX_INTERFACES} interfaces: leave out those without devices")
    }
}

impl core::error::Error for TooManyInterfaces {}

/// Most interfaces that can send probes.
pub const MAX_INTERFACES: usize = 8;

/// Least time between two rounds, whatever is configured: it prevents a flood, and `poll` always ends.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
