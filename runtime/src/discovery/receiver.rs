//! Sockets that receive announcements, and the devices sighted by them. Shared by all services of a process.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use rustuya_proto::{Announcement, Datagram, NoHost, Origin, Version};

use super::sockets;
use super::table::Table;

/// Sockets on three ports. Services on the same ports share them: a datagram to a single host reaches only one of
/// several sockets on the same port.
#[derive(Debug)]
pub(super) struct Receiver {
    bound: Bound,
    sockets: Vec<UdpSocket>,
    sightings: Mutex<Sightings>,
    services: Mutex<Vec<Weak<dyn Receive>>>,
}

/// Address and ports to bind.
type Bound = (Ipv4Addr, [u16; 3]);

#[derive(Debug)]
struct Sightings {
    /// Devices by their own announcements.
    direct: Table<Sighting>,
    /// Devices announced from other addresses.
    relayed: Table<Sighting>,
    /// Ids that services watch, and how many do; the tables never drop them.
    wanted: HashMap<Arc<str>, usize>,
    counts: Counts,
}

/// Counters since the sockets were opened.
///
/// ```
/// # use rustuya_runtime::Counts;
/// fn warn(counts: &Counts) {
///     if counts.dropped > 0 {
///         eprintln!("{} devices were not remembered: more than 16,384 were announced", counts.dropped);
///     }
/// }
/// # warn(&Counts::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Datagrams received, of any kind.
    pub datagrams: u64,
    /// Datagrams that are no valid announcement, or name an address that no host has.
    pub refused: u64,
    /// Announcements from another address than the one they name.
    pub relayed: u64,
    /// Announced devices without room in the tables: more than 16,384 were announced within a minute. A device that a
    /// [`Device`](crate::Device) waits for is never dropped.
    pub dropped: u64,
}

/// Last announcement of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) id: Arc<str>,
    pub(super) ip: Ipv4Addr,
    pub(super) version: Option<Version>,
    pub(super) product_key: Option<Arc<str>>,
    pub(super) unpaired: bool,
    pub(super) relayed_by: Option<IpAddr>,
    pub(super) at: Instant,
}

/// New announcement, compared with the one before.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) announcement: &'a Announcement<'a>,
    pub(super) origin: Origin,
    /// Time of the former announcement from the same device.
    pub(super) before: Option<Instant>,
    /// Whether it differs from the former one.
    pub(super) changed: bool,
    pub(super) now: Instant,
}

/// Receives every announcement.
pub(super) trait Receive: Send + Sync {
    /// Handles an announcement.
    fn on_announcement(&self, received: &Received<'_>);
}

/// All receivers of this process.
static ALL: Mutex<Vec<Weak<Receiver>>> = Mutex::new(Vec::new());

/// Time for which a silent device is remembered.
pub(super) const LIFETIME: core::time::Duration = core::time::Duration::from_secs(60);

impl Receiver {
    /// Opens these ports, or shares them within this process.
    pub(super) fn open(address: Ipv4Addr, ports: [u16; 3]) -> io::Result<Arc<Self>> {
        let bound = (address, ports);
        let mut all = lock(&ALL);
        all.retain(|receiver| receiver.strong_count() > 0);
        // Port 0 asks for a free port, which cannot be shared.
        let shared =
            all.iter().filter_map(Weak::upgrade).find(|receiver| receiver.bound == bound && !ports.contains(&0));
        if let Some(receiver) = shared {
            return Ok(receiver);
        }
        let sockets = ports.map(|port| sockets::bind_shared(SocketAddr::from((address, port))));
        let sockets = sockets.into_iter().collect::<io::Result<Vec<_>>>()?;
        let (direct, relayed) = (Table::new(), Table::new());
        let sightings = Sightings { direct, relayed, wanted: HashMap::new(), counts: Counts::default() };
        let receiver = Arc::new(Self { bound, sockets, sightings: Mutex::new(sightings), services: Mutex::default() });
        all.push(Arc::downgrade(&receiver));
        Ok(receiver)
    }

    pub(super) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(UdpSocket::local_addr).collect()
    }

    /// Clones the sockets for one more loop. The quicker loop receives a datagram, so that none waits for the others.
    pub(super) fn sockets(&self) -> io::Result<Vec<UdpSocket>> {
        self.sockets.iter().map(UdpSocket::try_clone).collect()
    }

    /// Passes announcements to a service, too, as long as it exists.
    pub(super) fn add(&self, service: &Arc<dyn Receive>) {
        let mut services = lock(&self.services);
        services.retain(|service| service.strong_count() > 0);
        services.push(Arc::downgrade(service));
    }

    /// Handles a datagram, decrypting it in place, and passes an announcement to all services.
    pub(super) fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        let decoded = Datagram::decode(datagram);
        let mut sightings = self.sightings();
        sightings.counts.datagrams = sightings.counts.datagrams.saturating_add(1);
        let announcement = match decoded {
            Ok(Datagram::Announcement(announcement)) => announcement,
            // A query of another program, or of this one.
            Ok(Datagram::InfoRequest { .. }) => return,
            Err(error) => {
                sightings.counts.refused = sightings.counts.refused.saturating_add(1);
                tracing::debug!(%source, %error, "datagram ignored");
                return;
            }
        };
        let origin = match announcement.origin(source.ip()) {
            Ok(origin) => origin,
            Err(error @ NoHost) => {
                sightings.counts.refused = sightings.counts.refused.saturating_add(1);
                tracing::debug!(%source, %error, "datagram ignored");
                return;
            }
        };
        let received = sightings.record(&announcement, origin, source.ip());
        drop(sightings);
        let services: Vec<_> = lock(&self.services).iter().filter_map(Weak::upgrade).collect();
        for service in services {
            service.on_announcement(&received);
        }
    }

    /// Keeps a device in the tables, whatever else is announced, until it is [unpinned](Self::unpin) as often.
    pub(super) fn pin(&self, id: &Arc<str>) {
        let mut sightings = self.sightings();
        *sightings.wanted.entry(Arc::clone(id)).or_default() += 1;
        sightings.pin(id, true);
    }

    pub(super) fn unpin(&self, id: &str) {
        let mut sightings = self.sightings();
        if let Some(times) = sightings.wanted.get_mut(id) {
            *times -= 1;
            if *times == 0 {
                sightings.wanted.remove(id);
                sightings.pin(id, false);
            }
        }
    }

    /// Returns the last announcement of a device within [`LIFETIME`].
    pub(super) fn sighting(&self, id: &str, trust_relayed: bool) -> Option<Sighting> {
        let sightings = self.sightings();
        let relayed = sightings.relayed.get(id).filter(|_| trust_relayed);
        let sighting = sightings.direct.get(id).into_iter().chain(relayed).max_by_key(|sighting| sighting.at)?;
        (sighting.at.elapsed() < LIFETIME).then(|| sighting.clone())
    }

    /// Returns the devices announced within [`LIFETIME`] from other addresses, and not from their own.
    pub(super) fn relayed(&self) -> Vec<Sighting> {
        let sightings = self.sightings();
        let is_fresh = |sighting: &&Sighting| sighting.at.elapsed() < LIFETIME;
        let fresh = sightings.relayed.values().filter(is_fresh);
        let foreign = fresh.filter(|sighting| sightings.direct.get(&sighting.id).filter(is_fresh).is_none());
        let mut found: Vec<Sighting> = foreign.cloned().collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found
    }

    pub(super) fn counts(&self) -> Counts {
        let sightings = self.sightings();
        let dropped = sightings.direct.dropped().saturating_add(sightings.relayed.dropped());
        Counts { dropped, ..sightings.counts }
    }

    fn sightings(&self) -> MutexGuard<'_, Sightings> {
        lock(&self.sightings)
    }
}

impl Sightings {
    fn pin(&mut self, id: &str, pinned: bool) {
        self.direct.pin(id, pinned);
        self.relayed.pin(id, pinned);
    }

    fn record<'a>(&mut self, announcement: &'a Announcement<'a>, origin: Origin, host: IpAddr) -> Received<'a> {
        let now = Instant::now();
        let Origin { address: ip, relayed_by, .. } = origin;
        if relayed_by.is_some() {
            self.counts.relayed = self.counts.relayed.saturating_add(1);
        }
        let table = if relayed_by.is_some() { &mut self.relayed } else { &mut self.direct };
        let received = |before, changed| Received { announcement, origin, before, changed, now };
        if let Some(known) = table.touch(announcement.id) {
            let before = core::mem::replace(&mut known.at, now);
            // An announcement without the product does not revoke it: firmware omits it on one port.
            let other_product = announcement.product_key.filter(|key| known.product_key.as_deref() != Some(*key));
            let unpaired = announcement.is_unpaired();
            let changed = known.ip != ip
                || known.version != announcement.version
                || known.unpaired != unpaired
                || other_product.is_some();
            (known.ip, known.version, known.unpaired, known.relayed_by) =
                (ip, announcement.version, unpaired, relayed_by);
            if let Some(key) = other_product {
                known.product_key = Some(key.into());
            }
            return received(Some(before), changed);
        }
        let sighting = Sighting {
            id: announcement.id.into(),
            ip,
            version: announcement.version,
            product_key: announcement.product_key.map(Into::into),
            unpaired: announcement.is_unpaired(),
            relayed_by,
            at: now,
        };
        let is_old = |sighting: &Sighting| now.saturating_duration_since(sighting.at) >= LIFETIME;
        table.insert(announcement.id, host, sighting, self.wanted.contains_key(announcement.id), is_old);
        received(None, false)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
