//! The sockets that announcements come to, and what was heard: once for each process, however many listen.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use rustuya_proto::{Announcement, Datagram, NoHost, Origin, Version};

use super::service::Service;
use super::sockets;
use super::table::Table;

/// Sockets on three ports. Those who listen on the same ones share them: a datagram to a single host reaches only one
/// of several sockets on the same port.
#[derive(Debug)]
pub(super) struct Ears {
    bound: Bound,
    sockets: Vec<UdpSocket>,
    heard: Mutex<Heard>,
    services: Mutex<Vec<Weak<Service>>>,
}

/// The address and the ports that were asked for.
type Bound = (Ipv4Addr, [u16; 3]);

#[derive(Debug)]
struct Heard {
    /// What devices said of themselves.
    direct: Table<Place>,
    /// What others said of devices.
    relayed: Table<Place>,
    /// The devices that are asked for, and how often: no other takes their place.
    wanted: HashMap<Arc<str>, usize>,
    counts: Counts,
}

/// Counters since the service began to listen.
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
    /// Datagrams that came, whatever they were.
    pub datagrams: u64,
    /// Those that were no announcement, or named an address that no host has.
    pub refused: u64,
    /// Announcements that came from another address than the one they name.
    pub relayed: u64,
    /// Announced devices that found no room or lost it: more than 16,384 were announced within a minute. One that a
    /// [`Device`](crate::Device) is to be located by is always remembered.
    pub dropped: u64,
}

/// A device as it was heard last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: Arc<str>,
    pub(super) ip: Ipv4Addr,
    pub(super) version: Option<Version>,
    pub(super) product_key: Option<Arc<str>>,
    pub(super) unpaired: bool,
    pub(super) relayed_by: Option<IpAddr>,
    pub(super) at: Instant,
}

/// One announcement, next to what was known before.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) said: &'a Announcement<'a>,
    pub(super) origin: Origin,
    /// When the same was last heard.
    pub(super) before: Option<Instant>,
    /// Whether anything is different from then.
    pub(super) changed: bool,
    pub(super) now: Instant,
}

/// Every set of sockets of this process.
static ALL: Mutex<Vec<Weak<Ears>>> = Mutex::new(Vec::new());

/// How long a silent device is remembered.
pub(super) const LIFETIME: core::time::Duration = core::time::Duration::from_secs(60);

impl Ears {
    /// Listens on these ports, with whoever does in this process already.
    pub(super) fn open(address: Ipv4Addr, ports: [u16; 3]) -> io::Result<Arc<Self>> {
        let bound = (address, ports);
        let mut all = lock(&ALL);
        all.retain(|ears| ears.strong_count() > 0);
        // Whoever asks for a free port wants one of their own.
        let shared = all.iter().filter_map(Weak::upgrade).find(|ears| ears.bound == bound && !ports.contains(&0));
        if let Some(ears) = shared {
            return Ok(ears);
        }
        let sockets = ports.map(|port| sockets::bind_shared(SocketAddr::from((address, port))));
        let sockets = sockets.into_iter().collect::<io::Result<Vec<_>>>()?;
        let (direct, relayed) = (Table::new(), Table::new());
        let heard = Heard { direct, relayed, wanted: HashMap::new(), counts: Counts::default() };
        let ears = Arc::new(Self { bound, sockets, heard: Mutex::new(heard), services: Mutex::default() });
        all.push(Arc::downgrade(&ears));
        Ok(ears)
    }

    pub(super) fn local_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(UdpSocket::local_addr).collect()
    }

    /// The sockets for one more loop. A datagram comes to the loop that is quicker: none has to wait for the others.
    pub(super) fn sockets(&self) -> io::Result<Vec<UdpSocket>> {
        self.sockets.iter().map(UdpSocket::try_clone).collect()
    }

    pub(super) fn add(&self, service: &Arc<Service>) {
        let mut services = lock(&self.services);
        services.retain(|service| service.strong_count() > 0);
        services.push(Arc::downgrade(service));
    }

    /// Takes a datagram in, decrypting it in place, and tells everybody who listens.
    pub(super) fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        let decoded = Datagram::decode(datagram);
        let mut heard = self.heard();
        heard.counts.datagrams = heard.counts.datagrams.saturating_add(1);
        let said = match decoded {
            Ok(Datagram::Announcement(said)) => said,
            // A client asks: another program, or this one.
            Ok(Datagram::InfoRequest { .. }) => return,
            Err(error) => {
                heard.counts.refused = heard.counts.refused.saturating_add(1);
                tracing::debug!(%source, %error, "datagram ignored");
                return;
            }
        };
        let origin = match said.origin(source.ip()) {
            Ok(origin) => origin,
            Err(error @ NoHost) => {
                heard.counts.refused = heard.counts.refused.saturating_add(1);
                tracing::debug!(%source, %error, "datagram ignored");
                return;
            }
        };
        let sight = heard.note(&said, origin, source.ip());
        drop(heard);
        let services: Vec<_> = lock(&self.services).iter().filter_map(Weak::upgrade).collect();
        for service in services {
            service.hear(&sight);
        }
    }

    /// Has a device remembered whatever else is announced, until it is [let go of](Self::let_go) as often.
    pub(super) fn want(&self, id: &Arc<str>) {
        let mut heard = self.heard();
        *heard.wanted.entry(Arc::clone(id)).or_default() += 1;
        heard.keep(id, true);
    }

    pub(super) fn let_go(&self, id: &str) {
        let mut heard = self.heard();
        if let Some(times) = heard.wanted.get_mut(id) {
            *times -= 1;
            if *times == 0 {
                heard.wanted.remove(id);
                heard.keep(id, false);
            }
        }
    }

    /// Where a device was last heard to be, lately.
    pub(super) fn place(&self, id: &str, trust_relayed: bool) -> Option<Place> {
        let heard = self.heard();
        let relayed = heard.relayed.get(id).filter(|_| trust_relayed);
        let place = heard.direct.get(id).into_iter().chain(relayed).max_by_key(|place| place.at)?;
        (place.at.elapsed() < LIFETIME).then(|| place.clone())
    }

    /// The devices that were lately heard from other addresses, and not from their own.
    pub(super) fn relayed(&self) -> Vec<Place> {
        let heard = self.heard();
        let is_fresh = |place: &&Place| place.at.elapsed() < LIFETIME;
        let fresh = heard.relayed.values().filter(is_fresh);
        let foreign = fresh.filter(|place| heard.direct.get(&place.id).filter(is_fresh).is_none());
        let mut places: Vec<Place> = foreign.cloned().collect();
        places.sort_by(|one, other| one.id.cmp(&other.id));
        places
    }

    pub(super) fn counts(&self) -> Counts {
        let heard = self.heard();
        let dropped = heard.direct.dropped().saturating_add(heard.relayed.dropped());
        Counts { dropped, ..heard.counts }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }
}

impl Heard {
    fn keep(&mut self, id: &str, kept: bool) {
        self.direct.keep(id, kept);
        self.relayed.keep(id, kept);
    }

    fn note<'a>(&mut self, said: &'a Announcement<'a>, origin: Origin, host: IpAddr) -> Sight<'a> {
        let now = Instant::now();
        let Origin { address: ip, relayed_by, .. } = origin;
        if relayed_by.is_some() {
            self.counts.relayed = self.counts.relayed.saturating_add(1);
        }
        let table = if relayed_by.is_some() { &mut self.relayed } else { &mut self.direct };
        let sight = |before, changed| Sight { said, origin, before, changed, now };
        if let Some(known) = table.again(said.id) {
            let before = core::mem::replace(&mut known.at, now);
            // An announcement without the product does not take it back: firmware leaves it out on one port only.
            let other_product = said.product_key.filter(|key| known.product_key.as_deref() != Some(*key));
            let unpaired = said.is_unpaired();
            let changed = known.ip != ip
                || known.version != said.version
                || known.unpaired != unpaired
                || other_product.is_some();
            (known.ip, known.version, known.unpaired, known.relayed_by) = (ip, said.version, unpaired, relayed_by);
            if let Some(key) = other_product {
                known.product_key = Some(key.into());
            }
            return sight(Some(before), changed);
        }
        let place = Place {
            id: said.id.into(),
            ip,
            version: said.version,
            product_key: said.product_key.map(Into::into),
            unpaired: said.is_unpaired(),
            relayed_by,
            at: now,
        };
        let is_old = |place: &Place| now.saturating_duration_since(place.at) >= LIFETIME;
        table.insert(said.id, host, place, self.wanted.contains_key(said.id), is_old);
        sight(None, false)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
