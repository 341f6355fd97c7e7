//! Destinations of connections.

use core::fmt;
use core::hash::{Hash as _, Hasher as _};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::hash::DefaultHasher;
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Destination of a connection.
///
/// ```
/// # use rustuya_runtime::driver::Destination;
/// fn show(to: &Destination) {
///     match to {
///         Destination::Socket(address) => println!("dial {address}"),
///         Destination::Name(name, port) => println!("look {name} up, then dial what is found, port {port}"),
///     }
/// }
/// # show(&Destination::Name("lamp.lan".into(), 6668));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a loop must handle both")]
pub enum Destination {
    /// At this address and port.
    Socket(SocketAddr),
    /// At one of the addresses of this host, and this port. The name may be an IPv6 address with a zone, such as
    /// `fe80::1%eth0`. Look it up for each dial, without blocking other links.
    Name(Arc<str>, u16),
}

/// A look-up under way.
pub type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks up a host name in a thread, for loops that must not wait. The operating system may take long to answer: at most
/// 64 names are looked up at a time in a process, the others after them. A name whose future was dropped before its turn
/// is not looked up.
///
/// ```
/// # use rustuya_runtime::driver::look_up;
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let found = look_up("::1", 6668).await?;
/// assert_eq!(found, ["[::1]:6668".parse().expect("an address")]);
/// # Ok(()) }
/// ```
pub fn look_up(name: &str, port: u16) -> LookingUp {
    let name = name.to_owned();
    begin(&POOL, move || (name.as_str(), port).to_socket_addrs().map(Iterator::collect))
}

type Found = io::Result<Vec<SocketAddr>>;
type Job = (Weak<Mutex<Shared>>, Box<dyn FnOnce() -> Found + Send>);

/// Names that wait for a thread, and the number of threads.
struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), threads: 0 });

/// Limit of threads for look-ups.
const THREADS: usize = 64;

/// Queues a look-up for a thread. Fails if there is none and none can be started.
fn begin(pool: &'static Mutex<Pool>, find: impl FnOnce() -> Found + Send + 'static) -> LookingUp {
    let shared = Arc::new(Mutex::new(Shared { found: None, waker: None }));
    let mut waiting = pool.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.jobs.push_back((Arc::downgrade(&shared), Box::new(find)));
    if waiting.threads < THREADS {
        match std::thread::Builder::new().name("rustuya-lookup".into()).spawn(|| work(pool)) {
            Ok(_) => waiting.threads += 1,
            // The running threads take it.
            Err(_) if waiting.threads > 0 => {}
            Err(error) => {
                waiting.jobs.pop_back();
                return Box::pin(core::future::ready(Err(error)));
            }
        }
    }
    Box::pin(Answer(shared))
}

/// Handles look-ups until none is left.
fn work(pool: &Mutex<Pool>) {
    loop {
        let mut waiting = pool.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((answer, find)) = waiting.jobs.pop_front() else {
            waiting.threads -= 1;
            return;
        };
        drop(waiting);
        if answer.strong_count() == 0 {
            continue;
        }
        let found = find();
        let Some(answer) = answer.upgrade() else { continue };
        let mut shared = answer.lock().unwrap_or_else(PoisonError::into_inner);
        shared.found = Some(found);
        let waker = shared.waker.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    }
}

struct Shared {
    found: Option<Found>,
    waker: Option<Waker>,
}

struct Answer(Arc<Mutex<Shared>>);

impl Future for Answer {
    type Output = Found;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.waker = Some(cx.waker().clone());
        shared.found.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Addresses of a name, one after the other; each time, another one is first.
///
/// ```
/// # use rustuya_runtime::driver::Candidates;
/// let found = || vec!["192.0.2.1:6668".parse().expect("valid"), "192.0.2.2:6668".parse().expect("valid")];
/// let mut candidates = Candidates::default();
/// candidates.begin(found());
/// assert_eq!(candidates.next(), found().first().copied());
/// candidates.begin(found()); // the first one did not answer in time
/// assert_eq!(candidates.next(), found().last().copied());
/// ```
#[derive(Debug, Default)]
pub struct Candidates {
    left: std::vec::IntoIter<SocketAddr>,
    /// Dials begun since one succeeded.
    begun: usize,
}

impl Candidates {
    /// Begins with the addresses of a look-up. If an earlier dial took too long, begins with the next address.
    pub fn begin(&mut self, mut found: Vec<SocketAddr>) {
        if let Some(first) = self.begun.checked_rem(found.len()) {
            found.rotate_left(first);
        }
        self.begun = self.begun.wrapping_add(1);
        self.left = found.into_iter();
    }

    /// Makes the next dial begin with the last address, because it worked.
    pub const fn on_connected(&mut self) {
        self.begun = self.begun.wrapping_sub(1);
    }
}

impl Iterator for Candidates {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.left.next()
    }
}

/// Returns the address that represents a name in the machine, which knows addresses only. No host has it, and each name
/// has another one, so that a change of the name is a change of the address.
pub(crate) fn stand_in(name: &str) -> IpAddr {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let [_, a, b, c, ..] = hasher.finish().to_be_bytes();
    Ipv4Addr::new(0, a, b, c).into()
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}, port {port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;
    use std::sync::mpsc;

    #[test]
    fn names_that_are_not_answered_take_so_many_threads_and_others_wait_their_turn() {
        static OWN: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), threads: 0 });
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (tell, told) = mpsc::channel();
        let slow = || {
            let (gate, tell) = (Arc::clone(&gate), tell.clone());
            begin(&OWN, move || {
                BEGUN.fetch_add(1, Ordering::SeqCst);
                tell.send(()).expect("is waited for");
                // Blocks until all are released.
                let _ = gate.lock().unwrap_or_else(PoisonError::into_inner).recv();
                Ok(Vec::new())
            })
        };
        let all: Vec<_> = (0..THREADS + 3).map(|_| slow()).collect();
        let given_up = slow();
        for _ in 0..THREADS {
            told.recv_timeout(Duration::from_secs(20)).expect("begins");
        }
        drop(given_up);
        assert_eq!(BEGUN.load(Ordering::SeqCst), THREADS, "no more than that at a time");
        drop(release);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for answer in all {
            assert_eq!(runtime.block_on(answer).expect("is answered"), []);
        }
        assert_eq!(BEGUN.load(Ordering::SeqCst), THREADS + 3, "nor what nobody waits for any more");
    }
}
