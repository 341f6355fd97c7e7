//! Where connections are opened.

use core::fmt;
use core::hash::{Hash as _, Hasher as _};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::hash::DefaultHasher;
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a connection is to be opened.
///
/// ```
/// # use rustuya_runtime::Destination;
/// fn show(to: &Destination) {
///     match to {
///         Destination::Socket(address) => println!("dial {address}"),
///         Destination::Name(name, port) => println!("look {name} up, then dial what is found, port {port}"),
///     }
/// }
/// # show(&Destination::Name("lamp.lan".into(), 6668));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "both are orders that a loop must obey")]
pub enum Destination {
    /// At this address and port.
    Socket(SocketAddr),
    /// At one of the addresses of this host, and this port. The name may be an IPv6 address with a zone, such as
    /// `fe80::1%eth0`. It is to be looked up each time, without holding up others.
    Name(Arc<str>, u16),
}

/// Addresses that are being looked up.
pub type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks a host name up in a thread of its own, for runtimes without a way of theirs. When the future is dropped, the
/// thread goes on until the operating system has answered it.
///
/// ```
/// # use rustuya_runtime::look_up;
/// # #[tokio::main]
/// # async fn main() -> std::io::Result<()> {
/// let found = look_up("::1", 6668).await?;
/// assert_eq!(found, ["[::1]:6668".parse().expect("an address")]);
/// # Ok(()) }
/// ```
pub fn look_up(name: &str, port: u16) -> LookingUp {
    let shared = Arc::new(Mutex::new(Shared { found: None, waker: None }));
    let (answer, name) = (Arc::clone(&shared), name.to_owned());
    let thread = std::thread::Builder::new().name("rustuya-lookup".into());
    let begun = thread.spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let mut shared = answer.lock().unwrap_or_else(PoisonError::into_inner);
        shared.found = Some(found);
        let waker = shared.waker.take();
        drop(shared);
        waker.into_iter().for_each(Waker::wake);
    });
    match begun {
        Ok(_) => Box::pin(Answer(shared)),
        Err(error) => Box::pin(core::future::ready(Err(error))),
    }
}

struct Shared {
    found: Option<io::Result<Vec<SocketAddr>>>,
    waker: Option<Waker>,
}

struct Answer(Arc<Mutex<Shared>>);

impl Future for Answer {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shared.waker = Some(cx.waker().clone());
        shared.found.take().map_or(Poll::Pending, Poll::Ready)
    }
}

/// The addresses that a name has, one after the other; another one is first each time.
///
/// ```
/// # use rustuya_runtime::Candidates;
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
    /// How often a dial was begun with since one succeeded.
    begun: usize,
}

impl Candidates {
    /// Begins with what was found. Where an earlier dial took too long, it begins with the next address.
    pub fn begin(&mut self, mut found: Vec<SocketAddr>) {
        if let Some(first) = self.begun.checked_rem(found.len()) {
            found.rotate_left(first);
        }
        self.begun = self.begun.wrapping_add(1);
        self.left = found.into_iter();
    }

    /// The last one worked: the next dial begins with it.
    pub const fn worked(&mut self) {
        self.begun = self.begun.wrapping_sub(1);
    }
}

impl Iterator for Candidates {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.left.next()
    }
}

/// What stands for a name in the machine, which knows addresses only: one that no host has, and another for each name,
/// so that another name is another address.
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
