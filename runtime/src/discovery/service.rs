//! Discovery without the loop that waits for datagrams.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Instant;

use rustuya_proto::{MAX_PROBE, SightingKind, write_probe};

use super::discovered::DiscoveredDevice;
use super::network::Network;
use super::receiver::{LIFETIME, Receive, Received, Receiver, lock};
use super::sockets;
use super::subscriber::Subscriber;
use super::sweep::{Sweep, SweepEvent};
use crate::io::shortage::is_out_of_descriptors;
use crate::report::listener::{Bounds, Hub, Listener};

/// State of one discovery: its trust, its listeners and its probes.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) receiver: Arc<Receiver>,
    pub(super) hub: Hub<DiscoveredDevice>,
    trust_relayed: bool,
    probes: Probes,
    begun: Instant,
    plan: Mutex<Plan>,
    waker: Mutex<Option<Waker>>,
    ended: AtomicBool,
}

/// Subscriptions, scans and sweeps under way.
#[derive(Debug, Default)]
struct Plan {
    /// Subscribers, by device id. Each subscription has a number of its own, so that one that subscribes again before its
    /// former subscription ends stays subscribed.
    subscribers: HashMap<Arc<str>, Vec<Subscription>>,
    /// Number of the last subscription.
    last: u64,
    scans: Vec<Running>,
    sweeps: Vec<Sweep>,
    /// Time of the last probes.
    last_probe: Option<Instant>,
    /// Set when probes are to be sent now.
    probe_wanted: bool,
    /// Time of the next search for devices without a known address, and the pause after it.
    next_search: Option<(Instant, Duration)>,
    /// Broadcast addresses, which no device has.
    broadcasts: Vec<Ipv4Addr>,
}

/// Number of a subscription, and its subscriber.
type Subscription = (u64, Weak<dyn Subscriber>);

/// A scan under way.
#[derive(Debug)]
struct Running {
    begun: Instant,
    ends: Instant,
    /// Receiver of its results; without one, it only sends probes.
    hub: Option<Hub<DiscoveredDevice>>,
    /// Id of the only device that it reports.
    only: Option<Box<str>>,
}

#[derive(Clone, Debug)]
pub(super) struct Probes {
    pub(super) active: bool,
    /// Only interface to use, if one was chosen.
    pub(super) from: Option<Ipv4Addr>,
    /// Destinations of probes, instead of broadcasts.
    pub(super) to: Vec<SocketAddrV4>,
    /// Broadcast address, instead of each interface's own.
    pub(super) broadcast: Option<Ipv4Addr>,
    pub(super) port: u16,
    /// Interval of probes during a scan, and at first for devices without a known address.
    pub(super) every: Duration,
}

/// Queue limits of one slow listener.
const BOUNDS: Bounds = Bounds::entries(16_384);

/// Limit of the pauses between probes for devices without a known address, as a multiple of the first one.
const MAX_BACKOFF: u32 = 5;

/// Shortest interval of probes, whatever causes them.
pub(super) const MIN_INTERVAL: Duration = Duration::from_millis(100);

impl Service {
    pub(super) fn new(receiver: Arc<Receiver>, trust_relayed: bool, probes: Probes) -> Arc<Self> {
        let broadcasts = sockets::interfaces(None, None).iter().map(|interface| interface.broadcast).collect();
        let service = Arc::new(Self {
            receiver,
            hub: Hub::new(BOUNDS),
            trust_relayed,
            probes,
            begun: Instant::now(),
            plan: Mutex::new(Plan { broadcasts, ..Plan::default() }),
            waker: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        service.receiver.add(&(Arc::clone(&service) as Arc<dyn Receive>));
        service
    }

    /// Sends probes for a while.
    pub(super) fn probe(&self, duration: Duration) {
        self.start_scan(duration, None);
    }

    /// Scans for a while: for one device, or for all.
    pub(super) fn scan(&self, duration: Duration, only: Option<&str>) -> Listener<DiscoveredDevice> {
        let hub = Hub::new(BOUNDS);
        let listener = hub.listener();
        if self.is_ended() {
            hub.close(&mut Vec::new());
        } else {
            self.start_scan(duration, Some((hub, only.map(Into::into))));
        }
        listener
    }

    /// Sweeps a network.
    pub(super) fn sweep(&self, network: Network) -> Listener<SweepEvent> {
        let (sweep, listener) = Sweep::new(network, self.probes.active);
        if self.is_ended() {
            sweep.hub.close(&mut Vec::new());
        } else {
            self.plan().sweeps.push(sweep);
            self.wake();
        }
        listener
    }

    fn start_scan(&self, duration: Duration, output: Option<(Hub<DiscoveredDevice>, Option<Box<str>>)>) {
        let begun = Instant::now();
        // A duration beyond the clock's end counts as forever.
        let ends = begun.checked_add(duration).or_else(|| begun.checked_add(FOREVER)).unwrap_or(begun);
        let mut plan = self.plan();
        let (hub, only) = output.map_or((None, None), |(hub, only)| (Some(hub), only));
        plan.scans.push(Running { begun, ends, hub, only });
        plan.probe_wanted = true;
        drop(plan);
        self.wake();
    }

    /// Subscribes to the announcements of a device. Returns the number of the subscription.
    pub(super) fn watch(&self, id: &Arc<str>, subscriber: &Arc<dyn Subscriber>) -> u64 {
        let mut plan = self.plan();
        plan.last += 1;
        let token = plan.last;
        plan.subscribers.entry(Arc::clone(id)).or_default().push((token, Arc::downgrade(subscriber)));
        drop(plan);
        self.receiver.pin(id);
        let sighting = self.receiver.sighting(id, self.trust_relayed).filter(|sighting| !sighting.unpaired);
        if let Some(sighting) = sighting {
            subscriber.on_announcement(sighting.ip, sighting.version, sighting.product_key.as_deref());
        }
        // A 3.5 device announces itself only in answer to a probe, and a former announcement may be out of date.
        let location = subscriber.location();
        if location.is_wanted {
            let mut plan = self.plan();
            plan.probe_wanted |= !location.is_known;
            plan.next_search = Some((Instant::now() + self.probes.every, self.probes.every));
            drop(plan);
            self.wake();
        }
        token
    }

    pub(super) fn unwatch(&self, id: &str, token: u64) {
        self.receiver.unpin(id);
        let mut plan = self.plan();
        if let Some(subscribers) = plan.subscribers.get_mut(id) {
            subscribers.retain(|(known, _)| *known != token);
            if subscribers.is_empty() {
                plan.subscribers.remove(id);
            }
        }
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
        // Take the waker rather than clone it: wakers are foreign code. The next poll of the loop sets it again.
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    /// Does what is due. Returns the time of the next call.
    fn poll(&self, now: Instant) -> Option<Instant> {
        let missing = self.search(now);
        let mut wakes = Vec::new();
        let mut plan = self.plan();
        plan.scans.retain(|scan| {
            let goes_on = now < scan.ends && scan.hub.as_ref().is_none_or(Hub::has_listeners);
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
        plan.probe_wanted |= missing;
        if self.probes.active {
            let again = plan.last_probe.map(|asked| asked + self.probes.every).filter(|_| !plan.scans.is_empty());
            let at_once = plan.probe_wanted.then(|| plan.last_probe.map_or(now, |asked| asked + MIN_INTERVAL));
            let due = again.into_iter().chain(at_once).min();
            if due.is_some_and(|due| due <= now) {
                plan.last_probe = Some(now);
                plan.probe_wanted = false;
                drop(plan);
                self.send_probes();
                plan = self.plan();
                next = next.into_iter().chain((!plan.scans.is_empty()).then(|| now + self.probes.every)).min();
            } else {
                next = next.into_iter().chain(due).min();
            }
            next = next.into_iter().chain(plan.next_search.map(|(at, _)| at)).min();
        }
        drop(plan);
        wakes.into_iter().for_each(Waker::wake);
        next
    }

    /// Returns whether probes are due for a device without a known address. Schedules the next search as long as any
    /// subscriber could need one.
    fn search(&self, now: Instant) -> bool {
        let mut plan = self.plan();
        let Some((_, pause)) = plan.next_search.filter(|(at, _)| *at <= now) else { return false };
        let subscribers: Vec<_> =
            plan.subscribers.values().flatten().map(|(_, subscriber)| Weak::clone(subscriber)).collect();
        // Clear it before looking at the subscribers, not after: one that subscribes meanwhile sets it anew.
        plan.next_search = None;
        drop(plan);
        let mut findable = false;
        let mut missing = false;
        for subscriber in subscribers.iter().filter_map(Weak::upgrade) {
            let location = subscriber.location();
            findable |= !location.is_configured;
            missing |= location.is_wanted;
        }
        let mut plan = self.plan();
        if findable && plan.next_search.is_none() {
            let every = self.probes.every;
            let pause = if missing { pause.saturating_mul(2).min(every.saturating_mul(MAX_BACKOFF)) } else { every };
            plan.next_search = Some((now + pause, pause));
        }
        missing
    }

    /// Sends probes to all devices.
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

impl Receive for Service {
    fn on_announcement(&self, received: &Received<'_>) {
        let Received { announcement, origin, now, .. } = *received;
        if self.is_ended() {
            return;
        }
        let relayed = origin.relayed_by;
        let mut plan = self.plan();
        if plan.broadcasts.contains(&origin.address) {
            return;
        }
        let subscribers = plan.subscribers.get(announcement.id).cloned().unwrap_or_default();
        let subscribers = subscribers.iter().filter_map(|(_, subscriber)| subscriber.upgrade());
        if let Some(by) = relayed.filter(|_| !self.trust_relayed) {
            let wanted = plan.subscribers.contains_key(announcement.id);
            drop(plan);
            if wanted && received.is_news(None) {
                tracing::warn!(
                    id = announcement.id, ip = %origin.address, %by,
                    "announced from another address, and not trusted: trust relayed announcements if there is a relay"
                );
            }
            return subscribers.for_each(|subscriber| subscriber.on_relayed());
        }
        let mut wakes = Vec::new();
        let found = |kind| DiscoveredDevice {
            kind,
            id: announcement.id.to_owned(),
            ip: origin.address,
            version: announcement.version,
            product_key: announcement.product_key.map(str::to_owned),
            relayed_by: relayed,
            unpaired: announcement.is_unpaired(),
        };
        for scan in plan.scans.iter_mut().filter(|scan| now < scan.ends) {
            if let Some(hub) = &scan.hub
                && scan.only.as_deref().is_none_or(|only| only == announcement.id)
            {
                hub.publish(&found(received.kind(Some(scan.begun))), &mut wakes);
            }
        }
        for sweep in &plan.sweeps {
            sweep.on_announcement(&found(received.kind(Some(sweep.begun()))), &mut wakes);
        }
        drop(plan);
        let kind = received.kind(Some(self.begun));
        tracing::debug!(id = announcement.id, ip = %origin.address, version = announcement.version.map(|version| version.as_str()), ?kind, "announced");
        // A device that waits to be paired has no key, and takes no commands.
        if !announcement.is_unpaired() {
            subscribers.for_each(|subscriber| {
                subscriber.on_announcement(origin.address, announcement.version, announcement.product_key);
            });
        }
        if self.hub.has_listeners() {
            self.hub.publish(&found(kind), &mut wakes);
        }
        wakes.into_iter().for_each(Waker::wake);
    }
}

impl Running {
    fn close(&self, wakes: &mut Vec<Waker>) {
        if let Some(hub) = &self.hub {
            hub.close(wakes);
        }
    }
}

impl Received<'_> {
    /// Classifies it for a scan that began at `since`.
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

/// Duration that stands for "forever".
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Discovery as the loop that receives its datagrams sees it.
///
/// ```
/// # use rustuya_runtime::driver::{LARGEST_DATAGRAM, DiscoveryAction, DrivenDiscovery};
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

/// Next step of the loop.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime::driver::DiscoveryAction;
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
#[expect(clippy::exhaustive_enums, reason = "a loop must handle both variants")]
pub enum DiscoveryAction {
    /// Sleep until a datagram arrives, the waker is called, or this time, if there is one. Then call
    /// [`DrivenDiscovery::poll`] again.
    Sleep(Option<Instant>),
    /// End the loop.
    End,
}

/// Longer than any announcement; longer datagrams are truncated, and then refused. For the buffers of loops.
///
/// ```
/// let buffer = [0_u8; rustuya_runtime::driver::LARGEST_DATAGRAM];
/// # assert_eq!(buffer.len(), 2048);
/// ```
pub const LARGEST_DATAGRAM: usize = 2048;

impl DrivenDiscovery {
    pub(super) const fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// Handles a datagram, decrypting it in place.
    pub fn receive(&self, datagram: &mut [u8], source: SocketAddr) {
        self.0.receiver.receive(datagram, source);
    }

    /// Does what is due, and returns the next step. `waker` is called when there is a reason to call this again before
    /// the time of the step.
    pub fn poll(&self, waker: &Waker) -> DiscoveryAction {
        // Clone and drop wakers without the lock.
        let waker = Some(waker.clone());
        let before = core::mem::replace(&mut *lock(&self.0.waker), waker);
        drop(before);
        if self.0.is_ended() {
            return DiscoveryAction::End;
        }
        DiscoveryAction::Sleep(self.0.poll(Instant::now()))
    }
}

impl Drop for DrivenDiscovery {
    /// Ends the service, because nothing will be received any more.
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicU32;
    use std::task::Wake;

    /// Looks, when it is dropped, whether the discovery can take a waker.
    struct Looks(Weak<Service>, Arc<AtomicU32>);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Looks {
        fn drop(&mut self) {
            let is_free = self.0.upgrade().is_some_and(|service| service.waker.try_lock().is_ok());
            self.1.fetch_add(is_free.into(), Ordering::Relaxed);
        }
    }

    #[test]
    fn wakers_are_dropped_while_the_lock_is_free() {
        let receiver = Receiver::open(Ipv4Addr::LOCALHOST, [0, 0, 0]).expect("free ports");
        let probes = Probes {
            active: false,
            from: None,
            to: Vec::new(),
            broadcast: None,
            port: 0,
            every: Duration::from_secs(10),
        };
        let discovery = DrivenDiscovery::new(Service::new(receiver, false, probes));
        let dropped = Arc::<AtomicU32>::default();
        for _ in 0..3 {
            discovery.poll(&Waker::from(Arc::new(Looks(Arc::downgrade(&discovery.0), Arc::clone(&dropped)))));
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 2, "the first two gave way to the next");
    }
}
