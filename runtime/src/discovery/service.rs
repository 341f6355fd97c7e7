//! What discovery does, apart from waiting for datagrams.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use rustuya_proto::{MAX_PROBE, SightingKind, write_probe};

use super::ears::{Ears, LIFETIME, Sight, lock};
use super::network::Network;
use super::sweep::{Sweep, Swept};
use super::{DiscoveredDevice, sockets};
use crate::link::Link;
use crate::listener::{Bounds, Hub, Listener};
use crate::shortage::is_out_of_descriptors;

/// One who listens: what it was told to believe, whom it tells, and when it asks.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) ears: Arc<Ears>,
    pub(super) hub: Hub<DiscoveredDevice>,
    trust_relayed: bool,
    probes: Probes,
    begun: Instant,
    plan: Mutex<Plan>,
    waker: Mutex<Option<Waker>>,
    ended: AtomicBool,
}

/// What is going on.
#[derive(Debug, Default)]
struct Plan {
    /// The links that are told of announcements, by device id. Each registration has a number of its own: a link that
    /// is registered anew before its old registration ends stays registered.
    links: HashMap<Arc<str>, Vec<(u64, Weak<Link>)>>,
    /// The last number that was given.
    last: u64,
    scans: Vec<Running>,
    sweeps: Vec<Sweep>,
    /// When probes were last sent.
    asked: Option<Instant>,
    /// Probes are wanted now.
    ask: bool,
    /// When it is next seen to that devices which are nowhere are asked for, and how long after that again.
    seek: Option<(Instant, Duration)>,
    /// Addresses of all hosts of a network, which no device has.
    broadcasts: Vec<Ipv4Addr>,
}

/// A scan.
#[derive(Debug)]
struct Running {
    begun: Instant,
    ends: Instant,
    /// Where its news go; without, it only asks.
    hub: Option<Hub<DiscoveredDevice>>,
    /// The only device that they are about.
    only: Option<Box<str>>,
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
    pub(super) port: u16,
    /// Time between two rounds during a scan, and at first while a device is nowhere.
    pub(super) every: Duration,
}

/// What waits for one slow listener at most.
const BOUNDS: Bounds = Bounds::entries(16_384);

/// As long as a device is nowhere, the pauses between rounds grow up to so many times the first one.
const SELDOM: u32 = 5;

/// Rounds never follow each other more quickly, whoever wants them.
pub(super) const APART: Duration = Duration::from_millis(100);

impl Service {
    pub(super) fn new(ears: Arc<Ears>, trust_relayed: bool, probes: Probes) -> Arc<Self> {
        let broadcasts = sockets::interfaces(None, None).iter().map(|interface| interface.broadcast).collect();
        let service = Arc::new(Self {
            ears,
            hub: Hub::new(BOUNDS),
            trust_relayed,
            probes,
            begun: Instant::now(),
            plan: Mutex::new(Plan { broadcasts, ..Plan::default() }),
            waker: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        service.ears.add(&service);
        service
    }

    /// Probes for a while.
    pub(super) fn probe(&self, duration: Duration) {
        self.run(duration, None);
    }

    /// Probes for a while, and listens as long: for one device only, whatever else is announced, or for all.
    pub(super) fn scan(&self, duration: Duration, only: Option<&str>) -> Listener<DiscoveredDevice> {
        let hub = Hub::new(BOUNDS);
        let listener = hub.listener();
        if self.is_ended() {
            hub.close(&mut Vec::new());
        } else {
            self.run(duration, Some((hub, only.map(Into::into))));
        }
        listener
    }

    /// Looks through a network.
    pub(super) fn sweep(&self, network: Network) -> Listener<Swept> {
        let (sweep, listener) = Sweep::new(network, self.probes.active);
        if self.is_ended() {
            sweep.hub.close(&mut Vec::new());
        } else {
            self.plan().sweeps.push(sweep);
            self.wake();
        }
        listener
    }

    fn run(&self, duration: Duration, news: Option<(Hub<DiscoveredDevice>, Option<Box<str>>)>) {
        let begun = Instant::now();
        // What lies beyond the clock's end is as good as for ever.
        let ends = begun.checked_add(duration).or_else(|| begun.checked_add(AGES)).unwrap_or(begun);
        let mut plan = self.plan();
        let (hub, only) = news.map_or((None, None), |(hub, only)| (Some(hub), only));
        plan.scans.push(Running { begun, ends, hub, only });
        plan.ask = true;
        drop(plan);
        self.wake();
    }

    /// Has a link told of its device's announcements. Returns the number of the registration.
    pub(super) fn watch(&self, link: &Arc<Link>) -> u64 {
        let mut plan = self.plan();
        plan.last += 1;
        let token = plan.last;
        plan.links.entry(Arc::clone(&link.id)).or_default().push((token, Arc::downgrade(link)));
        drop(plan);
        self.ears.want(&link.id);
        let place = self.ears.place(&link.id, self.trust_relayed).filter(|place| !place.unpaired);
        if let Some(place) = place {
            link.with(|engine, _| engine.announced(place.ip.into(), place.version, place.product_key.as_deref()));
        }
        // A 3.5 device does not announce itself unless it is asked; and what was heard may be out of date.
        let (sought, nowhere) = link.with(|engine, _| (engine.is_sought(), engine.machine().address().is_none()));
        if sought {
            let mut plan = self.plan();
            plan.ask |= nowhere;
            plan.seek = Some((Instant::now() + self.probes.every, self.probes.every));
            drop(plan);
            self.wake();
        }
        token
    }

    pub(super) fn unwatch(&self, id: &str, token: u64) {
        self.ears.let_go(id);
        let mut plan = self.plan();
        if let Some(links) = plan.links.get_mut(id) {
            links.retain(|(known, _)| *known != token);
            if links.is_empty() {
                plan.links.remove(id);
            }
        }
    }

    /// Takes in what was announced.
    pub(super) fn hear(&self, sight: &Sight<'_>) {
        let Sight { said, origin, now, .. } = *sight;
        if self.is_ended() {
            return;
        }
        let relayed = origin.relayed_by;
        let mut plan = self.plan();
        if plan.broadcasts.contains(&origin.address) {
            return;
        }
        let links = plan.links.get(said.id).cloned().unwrap_or_default();
        let links = links.iter().filter_map(|(_, link)| link.upgrade());
        if let Some(by) = relayed.filter(|_| !self.trust_relayed) {
            let wanted = plan.links.contains_key(said.id);
            drop(plan);
            if wanted && sight.is_news(None) {
                tracing::warn!(
                    id = said.id, ip = %origin.address, %by,
                    "announced from another address, and not believed: trust relayed announcements if there is a relay"
                );
            }
            return links.for_each(|link| link.with(|engine, _| engine.relayed()));
        }
        let mut wakes = Vec::new();
        let found = |kind| DiscoveredDevice {
            kind,
            id: said.id.to_owned(),
            ip: origin.address,
            version: said.version,
            product_key: said.product_key.map(str::to_owned),
            relayed_by: relayed,
            unpaired: said.is_unpaired(),
        };
        for scan in plan.scans.iter_mut().filter(|scan| now < scan.ends) {
            if let Some(hub) = &scan.hub
                && scan.only.as_deref().is_none_or(|only| only == said.id)
            {
                hub.publish(&found(sight.kind(Some(scan.begun))), &mut wakes);
            }
        }
        for sweep in &plan.sweeps {
            sweep.hear(&found(sight.kind(Some(sweep.begun()))), &mut wakes);
        }
        drop(plan);
        let kind = sight.kind(Some(self.begun));
        tracing::debug!(id = said.id, ip = %origin.address, version = said.version.map(|version| version.as_str()), ?kind, "announced");
        // One that waits to be paired has no key, and takes no commands.
        if !said.is_unpaired() {
            links.for_each(|link| {
                link.with(|engine, _| engine.announced(origin.address.into(), said.version, said.product_key));
            });
        }
        if self.hub.is_heard() {
            self.hub.publish(&found(kind), &mut wakes);
        }
        wakes.into_iter().for_each(Waker::wake);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        let mut wakes = Vec::new();
        self.hub.close(&mut wakes);
        let mut plan = self.plan();
        let (scans, sweeps) = (core::mem::take(&mut plan.scans), core::mem::take(&mut plan.sweeps));
        drop(plan);
        sweeps.iter().for_each(|sweep| sweep.hub.close(&mut wakes));
        scans.iter().for_each(|scan| scan.close(&mut wakes));
        wakes.into_iter().for_each(Waker::wake);
        self.wake();
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn wake(&self) {
        // Moved out and not cloned: wakers are foreign code. The loop brings it again with its next turn.
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    /// Does what is due. Returns when the next thing is.
    fn turn(&self, now: Instant) -> Option<Instant> {
        let sought = self.seek(now);
        let mut wakes = Vec::new();
        let mut plan = self.plan();
        plan.scans.retain(|scan| {
            let goes_on = now < scan.ends && scan.hub.as_ref().is_none_or(Hub::is_heard);
            if !goes_on {
                scan.close(&mut wakes);
            }
            goes_on
        });
        let mut next = plan.scans.iter().map(|scan| scan.ends).min();
        plan.sweeps.retain_mut(|sweep| {
            let due = sweep.step(now, &mut wakes);
            if due.is_none() {
                sweep.hub.close(&mut wakes);
            }
            next = next.into_iter().chain(due).min();
            due.is_some()
        });
        plan.ask |= sought;
        if self.probes.active {
            let again = plan.asked.map(|asked| asked + self.probes.every).filter(|_| !plan.scans.is_empty());
            let at_once = plan.ask.then(|| plan.asked.map_or(now, |asked| asked + APART));
            let due = again.into_iter().chain(at_once).min();
            if due.is_some_and(|due| due <= now) {
                plan.asked = Some(now);
                plan.ask = false;
                drop(plan);
                self.send_probes();
                plan = self.plan();
                next = next.into_iter().chain((!plan.scans.is_empty()).then(|| now + self.probes.every)).min();
            } else {
                next = next.into_iter().chain(due).min();
            }
            next = next.into_iter().chain(plan.seek.map(|(at, _)| at)).min();
        }
        drop(plan);
        wakes.into_iter().for_each(Waker::wake);
        next
    }

    /// Whether a device is nowhere and has to be asked for now. As long as any could be, this comes back.
    fn seek(&self, now: Instant) -> bool {
        let mut plan = self.plan();
        let Some((_, pause)) = plan.seek.filter(|(at, _)| *at <= now) else { return false };
        let links: Vec<_> = plan.links.values().flatten().map(|(_, link)| Weak::clone(link)).collect();
        // Set before the links are looked at, and not after: one that is registered meanwhile sets it anew.
        plan.seek = None;
        drop(plan);
        let mut findable = false;
        let mut missing = false;
        for link in links.iter().filter_map(Weak::upgrade) {
            let (auto, sought) =
                link.with(|engine, _| (engine.machine().config().address.is_none(), engine.is_sought()));
            findable |= auto;
            missing |= sought;
        }
        let mut plan = self.plan();
        if findable && plan.seek.is_none() {
            let every = self.probes.every;
            let pause = if missing { pause.saturating_mul(2).min(every.saturating_mul(SELDOM)) } else { every };
            plan.seek = Some((now + pause, pause));
        }
        missing
    }

    /// Asks every device for an announcement.
    fn send_probes(&self) {
        let Probes { from, broadcast, .. } = self.probes;
        let interfaces = sockets::interfaces(from, broadcast);
        self.plan().broadcasts = interfaces.iter().map(|interface| interface.broadcast).collect();
        for interface in interfaces {
            let everybody = SocketAddrV4::new(interface.broadcast, self.probes.port);
            let to = if self.probes.to.is_empty() { core::slice::from_ref(&everybody) } else { &self.probes.to };
            let mut probe = [0; MAX_PROBE];
            let Ok(len) = write_probe(interface.address, &rand::random(), &mut probe) else { continue };
            let probe = probe.get(..len).unwrap_or_default();
            if let Err(error) = sockets::send_probe(interface.address, to, probe) {
                if is_out_of_descriptors(&error) {
                    tracing::warn!(%error, "devices cannot be asked to announce themselves at the moment");
                } else {
                    tracing::debug!(interface = %interface.address, %error, "no probe sent");
                }
            }
        }
    }
}

impl Running {
    fn close(&self, wakes: &mut Vec<Waker>) {
        if let Some(hub) = &self.hub {
            hub.close(wakes);
        }
    }
}

impl Sight<'_> {
    /// What it is for one who listens since `since`.
    fn kind(&self, since: Option<Instant>) -> SightingKind {
        if self.is_news(since) {
            SightingKind::New
        } else if self.changed {
            SightingKind::Changed
        } else {
            SightingKind::SeenAgain
        }
    }

    fn is_news(&self, since: Option<Instant>) -> bool {
        self.before.is_none_or(|before| {
            self.now.saturating_duration_since(before) >= LIFETIME || since.is_some_and(|since| before < since)
        })
    }
}

/// A time that nobody waits for the end of.
const AGES: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A discovery in the hands of the loop that listens for it.
///
/// ```
/// # use rustuya_runtime::{LARGEST_DATAGRAM, DiscoveryAction, DrivenDiscovery};
/// # use std::net::UdpSocket;
/// # use std::sync::Arc;
/// # use std::task::{Wake, Waker};
/// # struct Unpark(std::thread::Thread);
/// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
/// /// A loop in a thread of its own that looks at its sockets every now and then.
/// fn run(discovery: DrivenDiscovery, sockets: Vec<UdpSocket>) {
///     let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
///     let mut datagram = [0; LARGEST_DATAGRAM];
///     loop {
///         for socket in &sockets {
///             while let Ok((len, source)) = socket.recv_from(&mut datagram) {
///                 discovery.receive(&mut datagram[..len], source);
///             }
///         }
///         match discovery.poll(&waker) {
///             DiscoveryAction::Sleep(_until) => std::thread::park_timeout(std::time::Duration::from_millis(50)),
///             DiscoveryAction::End => return,
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct DrivenDiscovery(Arc<Service>);

/// What the loop has to do next.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime::DiscoveryAction;
/// # use std::time::Instant;
/// /// How long a loop may sleep; `None` when it is over.
/// fn nap(order: DiscoveryAction, longest: Duration) -> Option<Duration> {
///     match order {
///         DiscoveryAction::Sleep(Some(until)) => Some(until.saturating_duration_since(Instant::now()).min(longest)),
///         DiscoveryAction::Sleep(None) => Some(longest),
///         DiscoveryAction::End => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both variants are orders that a loop must obey")]
pub enum DiscoveryAction {
    /// Sleep until a datagram arrives, the waker is called, or this time, if there is one. Then call
    /// [`DrivenDiscovery::poll`] again.
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

impl DrivenDiscovery {
    pub(super) const fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Takes a datagram in, decrypting it in place.
    pub fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        self.0.ears.receive(datagram, source);
    }

    /// Does what is due, and says what to do next. `waker` is called when there is a reason to call this again before
    /// the ordered time.
    pub fn poll(&self, waker: &Waker) -> DiscoveryAction {
        // Cloned and dropped while the lock is free.
        let waker = Some(waker.clone());
        drop(core::mem::replace(&mut *lock(&self.0.waker), waker));
        if self.0.is_ended() {
            return DiscoveryAction::End;
        }
        DiscoveryAction::Sleep(self.0.turn(Instant::now()))
    }
}

impl Drop for DrivenDiscovery {
    /// The loop is gone: nothing will be heard any more.
    fn drop(&mut self) {
        self.0.end();
    }
}
