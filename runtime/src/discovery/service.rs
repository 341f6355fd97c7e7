//! What discovery does, apart from waiting for datagrams.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use rustuya_proto::{self as proto, DiscoveryConfig, DiscoveryOutput, MAX_PROBE, Sighting};

use super::{Found, sockets};
use crate::clock::Clock;
use crate::link::Link;
use crate::listener::{Hub, Listener};

#[derive(Debug)]
pub(super) struct Service {
    machine: Mutex<Box<proto::Discovery<TABLE>>>,
    watched: Mutex<HashMap<Arc<str>, Vec<Weak<Link>>>>,
    pub(super) hub: Hub<Found>,
    clock: Clock,
    probes: Probes,
    waker: Mutex<Option<Waker>>,
    ended: AtomicBool,
}

#[derive(Clone, Debug)]
pub(super) struct Probes {
    pub(super) active: bool,
    /// The only interface to use, if one was chosen.
    pub(super) from: Option<Ipv4Addr>,
    /// Where probes go instead of being broadcast.
    pub(super) to: Vec<SocketAddrV4>,
    /// Where they are broadcast to instead of each interface's own address.
    pub(super) broadcast: Option<Ipv4Addr>,
}

/// Devices that are remembered at most.
const TABLE: usize = 1024;

/// Entries that wait for one slow listener at most.
const CAPACITY: usize = 4096;

/// How long a device without a known address is asked for.
const LOCATE: Duration = Duration::from_secs(18);

impl Service {
    pub(super) fn new(config: DiscoveryConfig, probes: Probes) -> Self {
        Self {
            machine: Mutex::new(Box::new(proto::Discovery::new(config))),
            watched: Mutex::default(),
            hub: Hub::new(CAPACITY),
            clock: Clock::start(),
            probes,
            waker: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    pub(super) fn probe(&self, duration: Duration) {
        let mut machine = self.machine();
        let Probes { active, from, broadcast, .. } = self.probes;
        let interfaces = if active { sockets::interfaces(from, broadcast) } else { Vec::new() };
        if machine.set_interfaces(&interfaces).is_ok() {
            machine.start_scan(self.clock.now(), duration);
        }
        drop(machine);
        self.wake();
    }

    /// Probes for a while, and listens as long.
    pub(super) fn scan(&self, duration: Duration) -> Listener<Found> {
        let listener = self.hub.listener_until(Instant::now().checked_add(duration));
        self.probe(duration);
        listener
    }

    pub(super) fn watch(&self, link: &Arc<Link>) {
        let now = self.clock.now();
        let mut watched = self.watched();
        let links = watched.entry(Arc::clone(&link.id)).or_default();
        links.retain(|known| known.strong_count() > 0);
        links.push(Arc::downgrade(link));
        drop(watched);
        let machine = self.machine();
        let known = machine.devices(now).find(|seen| seen.id.as_str() == &*link.id);
        let known = known.map(|seen| (seen.ip, seen.version));
        let scanning = machine.is_scanning(now);
        drop(machine);
        match known {
            Some((ip, version)) => link.with(|engine, _| engine.announced(ip.into(), version, None)),
            // A 3.5 device does not announce itself unless it is asked.
            None if !scanning && link.with(|engine, _| engine.machine().address().is_none()) => self.probe(LOCATE),
            None => {}
        }
    }

    pub(super) fn unwatch(&self, id: &str, link: &Weak<Link>) {
        let mut watched = self.watched();
        if let Some(links) = watched.get_mut(id) {
            links.retain(|known| known.strong_count() > 0 && !known.ptr_eq(link));
            if links.is_empty() {
                watched.remove(id);
            }
        }
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let mut wakes = Vec::new();
        self.hub.close(&mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn machine(&self) -> MutexGuard<'_, Box<proto::Discovery<TABLE>>> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Weak<Link>>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        let mut machine = self.machine();
        match machine.handle_datagram(datagram, source, self.clock.now()) {
            Ok(Sighting { kind, address: ip, announcement, .. }) => {
                drop(machine);
                let version = announcement.version;
                tracing::debug!(id = announcement.id, %ip, ?version, ?kind, "announced");
                let links: Vec<_> = self.watched().get(announcement.id).cloned().unwrap_or_default();
                for link in links.iter().filter_map(Weak::upgrade) {
                    link.with(|engine, _| engine.announced(ip.into(), version, announcement.product_key));
                }
                if self.hub.is_heard() {
                    let product_key = announcement.product_key.map(str::to_owned);
                    let found = Found { kind, id: announcement.id.to_owned(), ip, version, product_key };
                    let mut wakes = Vec::new();
                    self.hub.publish(&found, &mut wakes);
                    wakes.into_iter().for_each(Waker::wake);
                }
            }
            Err(proto::DiscoveryError::InfoRequest) => {}
            Err(error) => tracing::debug!(%source, %error, "datagram ignored"),
        }
    }

    /// Sends the probes that are due. Returns when the next ones are.
    fn send_probes(&self) -> Option<proto::Instant> {
        loop {
            let mut probe = [0; MAX_PROBE];
            let output = self.machine().poll(self.clock.now(), &mut rand::rng(), &mut probe);
            match output {
                DiscoveryOutput::Wait { until } => return until,
                DiscoveryOutput::Send { interface, to, len } => {
                    let probe = probe.get(..len).unwrap_or_default();
                    let to = if self.probes.to.is_empty() { core::slice::from_ref(&to) } else { &self.probes.to };
                    if let Err(error) = sockets::send_probe(interface, to, probe) {
                        tracing::debug!(%interface, %error, "no probe sent");
                    }
                }
            }
        }
    }
}

/// A discovery in the hands of the loop that listens for it.
///
/// ```
/// # use rustuya_runtime::{LARGEST_DATAGRAM, Listening, ListeningLink};
/// # use std::net::UdpSocket;
/// # use std::sync::Arc;
/// # use std::task::{Wake, Waker};
/// # struct Unpark(std::thread::Thread);
/// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
/// /// A loop in a thread of its own that looks at its sockets every now and then.
/// fn run(discovery: ListeningLink, sockets: Vec<UdpSocket>) {
///     let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
///     let mut datagram = [0; LARGEST_DATAGRAM];
///     loop {
///         for socket in &sockets {
///             while let Ok((len, source)) = socket.recv_from(&mut datagram) {
///                 discovery.receive(&mut datagram[..len], source);
///             }
///         }
///         match discovery.turn(&waker) {
///             Listening::Sleep(_until) => std::thread::park_timeout(std::time::Duration::from_millis(50)),
///             Listening::End => return,
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct ListeningLink(Arc<Service>);

/// What the loop has to do next.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime::Listening;
/// # use std::time::Instant;
/// /// How long a loop may sleep; `None` when it is over.
/// fn nap(order: Listening, longest: Duration) -> Option<Duration> {
///     match order {
///         Listening::Sleep(Some(until)) => Some(until.saturating_duration_since(Instant::now()).min(longest)),
///         Listening::Sleep(None) => Some(longest),
///         Listening::End => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both variants are orders that a loop must obey")]
pub enum Listening {
    /// Sleep until a datagram arrives, the waker is called, or this time, if there is one. Then call
    /// [`ListeningLink::turn`] again.
    Sleep(Option<Instant>),
    /// End the loop.
    End,
}

/// More than any announcement: what is longer is cut, and then refused. For the buffers of loops.
///
/// ```
/// let buffer = [0_u8; rustuya_runtime::LARGEST_DATAGRAM];
/// # assert_eq!(buffer.len(), 2048);
/// ```
pub const LARGEST_DATAGRAM: usize = 2048;

impl ListeningLink {
    pub(super) const fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Takes a datagram in, decrypting it in place.
    pub fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        self.0.receive(datagram, source);
    }

    /// Does what is due, and says what to do next. `waker` is called when there is a reason to call this again before
    /// the ordered time.
    pub fn turn(&self, waker: &Waker) -> Listening {
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        if self.0.ended.load(Ordering::Acquire) {
            return Listening::End;
        }
        let probes = self.0.send_probes().map(|until| self.0.clock.wake_up(until));
        let mut wakes = Vec::new();
        let scans = self.0.hub.close_ended(Instant::now(), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        Listening::Sleep(probes.into_iter().chain(scans).min())
    }
}

impl Drop for ListeningLink {
    /// The loop is gone: nothing will be heard any more.
    fn drop(&mut self) {
        self.0.end();
    }
}
