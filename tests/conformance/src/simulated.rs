//! Simulated runtime: one thread, faulty devices on a network in memory, a virtual clock. Hours pass in a moment.
//! Nothing happens between two calls, and all randomness comes from the seed, so that the same seed repeats a run
//! exactly.

use core::cell::Cell;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Instant;

use rustuya_faulty::{MemoryConn, MemoryNet, Read};
use rustuya_proto::{self as proto, LossReason};
use rustuya_runtime::driver::{
    Action, Destination, DirectWriter, DiscoveryAction, DrivenDiscovery, DrivenLink, LARGEST_DATAGRAM, Runtime,
    Sources, Transport,
};
use rustuya_seeded::SeededRng;

thread_local! {
    static START: Instant = Instant::now();
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static RNG: Cell<u64> = const { Cell::new(0) };
}

/// Simulated runtime. A thread can have one at a time, because its clock is thread-local, and uses it only itself.
/// Clones share it.
#[derive(Clone)]
pub struct Simulated(Arc<World>);

struct World {
    net: MemoryNet,
    /// Driven links. Each is taken out during its turn.
    links: Mutex<Vec<Task>>,
    discoveries: Mutex<Vec<(DrivenDiscovery, Vec<UdpSocket>)>>,
    has_direct_writer: bool,
    /// Largest number of bytes that a write takes.
    most: usize,
}

struct Task {
    link: DrivenLink,
    conn: Option<Line>,
    woken: Arc<Flag>,
    until: Option<Duration>,
    /// Time of its last turn. Bytes that it left unread then give it no other turn at that time.
    turned: Duration,
}

type Line = Arc<Mutex<MemoryConn>>;

/// Waker that sets a flag.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Smallest step of time.
const TICK: Duration = Duration::from_micros(1);
/// Largest number of turns at one instant; more count as an endless loop.
const ROUNDS: usize = 100_000;

impl Simulated {
    /// Creates the runtime of this thread, at time zero.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        NOW.set(Duration::ZERO);
        RNG.set(rng.bits());
        // Varies whether callers can write directly, and how many bytes a write takes.
        let has_direct_writer = rng.below(2) == 0;
        let most = if rng.below(4) == 0 { 1 + usize::try_from(rng.below(64)).unwrap_or(0) } else { usize::MAX };
        let (links, discoveries) = (Mutex::default(), Mutex::default());
        Self(Arc::new(World { net: MemoryNet::new(), links, discoveries, has_direct_writer, most }))
    }

    /// Returns the network of the devices.
    #[must_use]
    pub fn net(&self) -> &MemoryNet {
        &self.0.net
    }

    /// Returns the time since the beginning.
    #[must_use]
    pub fn now(&self) -> Duration {
        NOW.get()
    }

    /// Returns the number of driven links.
    #[must_use]
    pub fn links(&self) -> usize {
        lock(&self.0.links).len()
    }

    /// Lets time pass until `done` holds, at most for `limit`. Returns whether it holds.
    ///
    /// # Panics
    /// If the links stay busy at one instant without end.
    pub fn run(&self, limit: Duration, mut done: impl FnMut() -> bool) -> bool {
        let end = NOW.get() + limit;
        loop {
            self.settle();
            if done() {
                return true;
            }
            let due = self.due().filter(|due| *due <= end);
            self.advance_to(due.unwrap_or(end).max(NOW.get() + if due.is_some() { TICK } else { Duration::ZERO }));
            if due.is_none() {
                // Runs the work that is due at the end, too.
                self.settle();
                return done();
            }
        }
    }

    /// Runs a future. Returns `None` when it takes longer than `limit`.
    pub fn block_on<F: Future + Unpin>(&self, mut future: F, limit: Duration) -> Option<F::Output> {
        let mut output = None;
        self.run(limit, || {
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(ready) = core::pin::Pin::new(&mut future).poll(&mut cx) {
                output = Some(ready);
            }
            output.is_some()
        });
        output
    }

    fn advance_to(&self, at: Duration) {
        NOW.set(at);
        self.0.net.advance_to(proto::Instant::ZERO + at);
    }

    fn due(&self) -> Option<Duration> {
        let links = lock(&self.0.links);
        links.iter().filter_map(Task::due).min()
    }

    /// Runs all links until none has work at this instant.
    fn settle(&self) {
        // Gives every link a turn: devices may have new orders, and connections may have ended.
        lock(&self.0.links).iter().for_each(|task| task.woken.clone().wake());
        for _ in 0..ROUNDS {
            if !self.round() {
                return;
            }
        }
        panic!("an instant without end");
    }

    fn round(&self) -> bool {
        self.receive();
        let mut moved = false;
        // A turn may add links, which are appended. Ended links are removed.
        let tasks = core::mem::take(&mut *lock(&self.0.links));
        let mut kept = Vec::with_capacity(tasks.len());
        for mut task in tasks {
            if !task.is_due() {
                kept.push(task);
                continue;
            }
            moved = true;
            if task.turn(&self.0) {
                kept.push(task);
            }
        }
        let mut links = lock(&self.0.links);
        kept.append(&mut links);
        *links = kept;
        moved
    }

    /// Delivers the datagrams that have arrived.
    fn receive(&self) {
        let mut discoveries = lock(&self.0.discoveries);
        discoveries.retain_mut(|(link, sockets)| {
            let mut datagram = [0; LARGEST_DATAGRAM];
            for socket in sockets {
                while let Ok((len, source)) = socket.recv_from(&mut datagram) {
                    link.receive(&mut datagram[..len], source);
                }
            }
            link.poll(Waker::noop()) != DiscoveryAction::End
        });
    }
}

impl Runtime for Simulated {
    fn drive(&self, link: DrivenLink) {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        lock(&self.0.links).push(Task { link, conn: None, woken, until: None, turned: Duration::ZERO });
    }

    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<UdpSocket>) -> io::Result<()> {
        lock(&self.0.discoveries).push((discovery, sockets));
        Ok(())
    }

    fn sources(&self) -> Option<Sources> {
        let now = || START.with(|start| *start) + NOW.get();
        let random = |into: &mut [u8]| {
            let mut rng = SeededRng::new(RNG.get());
            for chunk in into.chunks_mut(8) {
                chunk.copy_from_slice(&rng.bits().to_be_bytes()[..chunk.len()]);
            }
            RNG.set(rng.bits());
        };
        Some(Sources::SYSTEM.with_now(now).with_random(random))
    }
}

impl core::fmt::Debug for Simulated {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Simulated").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Task {
    fn due(&self) -> Option<Duration> {
        let arrives = self.conn.as_ref().and_then(|conn| lock(conn).due());
        let arrives = arrives.map(|at| at.saturating_since(proto::Instant::ZERO)).filter(|at| *at > self.turned);
        [self.until, arrives].into_iter().flatten().min()
    }

    fn is_due(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst) || self.due().is_some_and(|due| due <= NOW.get())
    }

    /// Does the work that is due. Returns whether the link goes on.
    fn turn(&mut self, world: &World) -> bool {
        let waker = Waker::from(Arc::clone(&self.woken));
        loop {
            self.woken.0.store(false, Ordering::SeqCst);
            let mut ends = self.conn.clone().map(|conn| {
                lock(&conn).turn();
                ControllerEnd { conn, most: world.most }
            });
            match self.link.poll(ends.as_mut().map(|ends| ends as &mut dyn Transport), &waker) {
                Action::Dial(Destination::Socket(to)) => self.dial(world, to),
                // This network resolves no names.
                Action::Dial(Destination::Name(..)) => self.link.lost(LossReason::Unreachable),
                Action::Hangup | Action::Reset => self.conn = None,
                Action::Again => {}
                Action::Sleep(until) => {
                    let start = START.with(|start| *start);
                    self.turned = NOW.get();
                    self.until = until.map(|until| until.saturating_duration_since(start));
                    return true;
                }
                Action::End => return false,
            }
        }
    }

    fn dial(&mut self, world: &World, to: SocketAddr) {
        match world.net.dial(to) {
            Ok(conn) => {
                let conn = Arc::new(Mutex::new(conn));
                let ends = || -> Arc<dyn DirectWriter> {
                    Arc::new(ControllerEnd { conn: Arc::clone(&conn), most: world.most })
                };
                self.link.dialed(world.has_direct_writer.then(ends));
                self.conn = Some(conn);
            }
            Err(why) => self.link.lost(why),
        }
    }
}

/// Controller's end of a connection.
struct ControllerEnd {
    conn: Line,
    most: usize,
}

impl ControllerEnd {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(self.most)];
        lock(&self.conn).write(bytes);
        Ok(bytes.len())
    }
}

impl Transport for ControllerEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match lock(&self.conn).read(into) {
            Read::Bytes(len) => Ok(len),
            Read::Nothing => Err(io::ErrorKind::WouldBlock.into()),
            Read::Lost(LossReason::Closed) => Ok(0),
            Read::Lost(_) => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }
}

impl DirectWriter for ControllerEnd {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
