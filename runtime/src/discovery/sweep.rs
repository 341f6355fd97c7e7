//! Looks through a network, address by address.

use core::net::{IpAddr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use super::network::Network;
use super::{DiscoveredDevice, sockets};
use crate::listener::{Bounds, Entry, Hub, Listener};
use crate::shortage::is_out_of_descriptors;

/// What comes of looking through a network.
///
/// ```
/// # use rustuya_runtime::Swept;
/// fn show(news: &Swept) {
///     match news {
///         Swept::Found(found) => println!("{} {}", found.ip, found.id),
///         Swept::Open(address) => println!("{address} accepts connections, and may be a device"),
///         Swept::Progress { done, total } => eprintln!("{done} of {total}"),
///     }
/// }
/// # show(&Swept::Progress { done: 1, total: 254 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth thing to be told")]
pub enum Swept {
    /// A device with an address in the network announced itself. 3.5 devices do when they are asked; announcements of
    /// others do not pass from one subnet to another.
    Found(DiscoveredDevice),
    /// Something at this address accepts connections on the port of devices. Which device it is, only its key would tell.
    Open(IpAddr),
    /// So many addresses are done.
    Progress {
        /// Addresses that have answered, refused, or stayed silent for a second and a half.
        done: u32,
        /// Addresses to be looked at.
        total: u32,
    },
}

impl Entry for Swept {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// A network that is being looked through.
#[derive(Debug)]
pub(super) struct Sweep {
    network: Network,
    /// Whether addresses are asked for announcements, too.
    asks: bool,
    pub(super) hub: Hub<Swept>,
    begun: Instant,
    /// Addresses that were begun with.
    next: u32,
    dials: Vec<Dial>,
    /// When progress was told, and which.
    told: Option<(Instant, u32)>,
    /// When the sockets are looked at again.
    due: Instant,
    /// When it is over: a moment after the last address is done.
    ends: Option<Instant>,
}

#[derive(Debug)]
struct Dial {
    ip: IpAddr,
    socket: Socket,
    ends: Instant,
}

/// How long an address may take to accept a connection.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Connections that are tried at a time.
const AT_ONCE: usize = 128;

/// Addresses that are begun with in a second, at most.
const PER_SECOND: u32 = 200;

/// How often the sockets are looked at.
const STEP: Duration = Duration::from_millis(20);

/// How often progress is told.
const TELL: Duration = Duration::from_millis(250);

/// Entries that wait for a slow listener at most.
const CAPACITY: usize = 65_536;

impl Sweep {
    pub(super) fn new(network: Network, asks: bool) -> (Self, Listener<Swept>) {
        let hub = Hub::new(Bounds::entries(CAPACITY));
        let listener = hub.listener();
        let begun = Instant::now();
        let sweep = Self { network, asks, hub, begun, next: 0, dials: Vec::new(), told: None, due: begun, ends: None };
        (sweep, listener)
    }

    /// Takes in what was announced.
    pub(super) fn hear(&self, found: &DiscoveredDevice, wakes: &mut Vec<core::task::Waker>) {
        if self.network.contains(found.ip.into()) {
            self.hub.publish(&Swept::Found(found.clone()), wakes);
        }
    }

    /// Since when what is announced counts as new.
    pub(super) const fn begun(&self) -> Instant {
        self.begun
    }

    /// Does what is due. Returns when the next thing is; `None` when all is done.
    pub(super) fn step(&mut self, now: Instant, wakes: &mut Vec<core::task::Waker>) -> Option<Instant> {
        if !self.hub.is_heard() {
            return None;
        }
        if now < self.due {
            return Some(self.due);
        }
        self.due = now + STEP;
        let Self { network, asks, hub, dials, .. } = self;
        dials.retain(|dial| match connected(&dial.socket) {
            Ok(false) => now < dial.ends,
            Ok(true) => {
                hub.publish(&Swept::Open(dial.ip), wakes);
                // It is there: should the first question have got lost, it is asked once more.
                if *asks {
                    ask(dial.ip, network.udp_port());
                }
                false
            }
            Err(_) => false,
        });
        let total = self.network.len();
        let elapsed = now.saturating_duration_since(self.begun) + STEP;
        let allowed = u32::try_from(elapsed.as_millis()).unwrap_or(u32::MAX).saturating_mul(PER_SECOND / 100) / 10;
        while self.next < total.min(allowed) && self.dials.len() < AT_ONCE {
            let ip = self.network.at(self.next);
            if self.asks && !ask(ip, self.network.udp_port()) {
                break;
            }
            match dial(SocketAddr::new(ip, self.network.tcp_port())) {
                Ok(socket) => self.dials.push(Dial { ip, socket, ends: now + PATIENCE }),
                // No socket is left: those in use are given back in a moment.
                Err(Refused::Full) => break,
                Err(Refused::Gone(error)) => tracing::debug!(%ip, %error, "not dialed"),
            }
            self.next += 1;
        }
        let open = u32::try_from(self.dials.len()).unwrap_or(u32::MAX);
        let done = self.next.saturating_sub(open);
        let ends = (done >= total).then(|| *self.ends.get_or_insert(now + PATIENCE));
        let is_over = ends.is_some_and(|ends| ends <= now);
        // The last of it is told at once, and nothing twice.
        if self.told.is_none_or(|(told, before)| before != done && (done >= total || told + TELL <= now)) {
            self.told = Some((now, done));
            self.hub.publish(&Swept::Progress { done, total }, wakes);
        }
        (!is_over).then_some(self.due)
    }
}

/// Why an address was not dialed.
enum Refused {
    /// The process has no sockets left.
    Full,
    Gone(io::Error),
}

/// Begins to open a connection. Nothing is sent on it: it is closed as soon as it is open.
fn dial(to: SocketAddr) -> Result<Socket, Refused> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).map_err(|_| Refused::Full)?;
    socket.set_nonblocking(true).map_err(Refused::Gone)?;
    match socket.connect(&to.into()) {
        Err(error) if !is_begun(&error) => Err(Refused::Gone(error)),
        _ => Ok(socket),
    }
}

fn is_begun(error: &io::Error) -> bool {
    // EINPROGRESS of the systems that have it; the numbers mean nothing else to a connect elsewhere.
    const IN_PROGRESS: &[i32] = if cfg!(unix) { &[36, 115, 150] } else { &[] };
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error().is_some_and(|code| IN_PROGRESS.contains(&code))
}

/// Whether a dial has succeeded; an error if it never will.
fn connected(socket: &Socket) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

/// Asks a host for an announcement. Returns whether there was a socket for it.
fn ask(ip: IpAddr, port: u16) -> bool {
    let IpAddr::V4(ip) = ip else { return true };
    match sockets::ask(SocketAddrV4::new(ip, port)) {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(%ip, %error, "not asked");
            !is_out_of_descriptors(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_progress_is_told_twice() {
        let network: Network = "127.0.0.1/32".parse().expect("a network");
        // Nothing listens there, or something does: it is done with soon either way.
        let (mut sweep, mut listener) = Sweep::new(network.port(9), false);
        let mut now = sweep.begun;
        while sweep.step(now, &mut Vec::new()).is_some() {
            now += STEP;
        }
        let told: Vec<_> = core::iter::from_fn(|| listener.try_recv())
            .filter_map(|news| if let Swept::Progress { done, total } = news { Some((done, total)) } else { None })
            .collect();
        assert_eq!(told.last(), Some(&(1, 1)), "{told:?}");
        assert!(told.is_sorted_by(|before, after| before.0 < after.0), "{told:?}");
    }
}
