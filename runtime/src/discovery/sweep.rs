//! Sweep of a network, address by address.

use core::net::{IpAddr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;
use std::time::Instant;

use socket2::{Domain, Protocol, Socket, Type};

use super::discovered::DiscoveredDevice;
use super::network::Network;
use super::sockets;
use crate::io::shortage::is_out_of_descriptors;
use crate::report::entry::Entry;
use crate::report::listener::{Bounds, Hub, Listener};

/// Result of a sweep.
///
/// ```
/// # use rustuya_runtime::SweepEvent;
/// fn show(result: &SweepEvent) {
///     match result {
///         SweepEvent::Found(found) => println!("{} {}", found.ip, found.id),
///         SweepEvent::Open(address) => println!("{address} accepts connections, and may be a device"),
///         SweepEvent::Progress { done, total } => eprintln!("{done} of {total}"),
///     }
/// }
/// # show(&SweepEvent::Progress { done: 1, total: 254 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "these are all results of a sweep")]
pub enum SweepEvent {
    /// A device with an address in the network announced itself. 3.5 devices answer probes; announcements of others do
    /// not pass from one subnet to another.
    Found(DiscoveredDevice),
    /// Something at this address accepts connections on the port of devices. Only its key would prove which device it
    /// is.
    Open(IpAddr),
    /// Progress of the sweep.
    Progress {
        /// Addresses that have answered, refused, or stayed silent for a second and a half.
        done: u32,
        /// Addresses of the network.
        total: u32,
    },
}

impl Entry for SweepEvent {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// A sweep under way.
#[derive(Debug)]
pub(super) struct Sweep {
    network: Network,
    /// Whether to send probes, too.
    probes: bool,
    pub(super) hub: Hub<SweepEvent>,
    begun: Instant,
    /// Addresses begun with.
    next: u32,
    dials: Vec<Dial>,
    /// Time of the last progress report, and its count.
    reported: Option<(Instant, u32)>,
    /// Time of the next look at the sockets.
    due: Instant,
    /// Time of the end: a moment after the last address is done.
    ends: Option<Instant>,
}

#[derive(Debug)]
struct Dial {
    ip: IpAddr,
    socket: Socket,
    ends: Instant,
}

/// Time limit for an address to accept a connection.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Limit of simultaneous connections.
const AT_ONCE: usize = 128;

/// Limit of addresses begun with per second.
const PER_SECOND: u32 = 200;

/// Interval of looking at the sockets.
const STEP: Duration = Duration::from_millis(20);

/// Interval of progress reports.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Queue limit of a slow listener, in entries.
const CAPACITY: usize = 65_536;

impl Sweep {
    pub(super) fn new(network: Network, probes: bool) -> (Self, Listener<SweepEvent>) {
        let hub = Hub::new(Bounds::entries(CAPACITY));
        let listener = hub.listener();
        let begun = Instant::now();
        let sweep =
            Self { network, probes, hub, begun, next: 0, dials: Vec::new(), reported: None, due: begun, ends: None };
        (sweep, listener)
    }

    /// Handles an announcement.
    pub(super) fn on_announcement(&self, found: &DiscoveredDevice, wakes: &mut Vec<core::task::Waker>) {
        if self.network.contains(found.ip.into()) {
            self.hub.publish(&SweepEvent::Found(found.clone()), wakes);
        }
    }

    /// Returns the time since which an announcement counts as new.
    pub(super) const fn begun(&self) -> Instant {
        self.begun
    }

    /// Does what is due. Returns the time of the next call; `None` when all is done.
    pub(super) fn step(&mut self, now: Instant, wakes: &mut Vec<core::task::Waker>) -> Option<Instant> {
        if !self.hub.has_listeners() {
            return None;
        }
        if now < self.due {
            return Some(self.due);
        }
        self.due = now + STEP;
        let Self { network, probes, hub, dials, .. } = self;
        dials.retain(|dial| match connected(&dial.socket) {
            Ok(false) => now < dial.ends,
            Ok(true) => {
                hub.publish(&SweepEvent::Open(dial.ip), wakes);
                // Something is there: probe it again, in case the first probe was lost.
                if *probes {
                    probe_address(dial.ip, network.udp_port());
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
            if self.probes && !probe_address(ip, self.network.udp_port()) {
                break;
            }
            match dial(SocketAddr::new(ip, self.network.tcp_port())) {
                Ok(socket) => self.dials.push(Dial { ip, socket, ends: now + PATIENCE }),
                // No socket is left: those in use are closed in a moment.
                Err(Refused::Full) => break,
                Err(Refused::Gone(error)) => tracing::debug!(%ip, %error, "not dialed"),
            }
            self.next += 1;
        }
        let open = u32::try_from(self.dials.len()).unwrap_or(u32::MAX);
        let done = self.next.saturating_sub(open);
        let ends = (done >= total).then(|| *self.ends.get_or_insert(now + PATIENCE));
        let is_over = ends.is_some_and(|ends| ends <= now);
        // Report the end at once, and nothing twice.
        if self
            .reported
            .is_none_or(|(reported, before)| before != done && (done >= total || reported + PROGRESS_INTERVAL <= now))
        {
            self.reported = Some((now, done));
            self.hub.publish(&SweepEvent::Progress { done, total }, wakes);
        }
        (!is_over).then_some(self.due)
    }
}

/// Reason why an address was not dialed.
enum Refused {
    /// The process has no sockets left.
    Full,
    Gone(io::Error),
}

/// Begins to open a connection. Nothing is sent on it, and it is closed as soon as it is open.
fn dial(to: SocketAddr) -> Result<Socket, Refused> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).map_err(|_| Refused::Full)?;
    socket.set_nonblocking(true).map_err(Refused::Gone)?;
    match socket.connect(&to.into()) {
        Err(error) if !is_begun(&error) => Err(Refused::Gone(error)),
        _ => Ok(socket),
    }
}

fn is_begun(error: &io::Error) -> bool {
    // EINPROGRESS of the systems that have it; on others, connect returns none of these numbers.
    const IN_PROGRESS: &[i32] = if cfg!(unix) { &[36, 115, 150] } else { &[] };
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error().is_some_and(|code| IN_PROGRESS.contains(&code))
}

/// Returns whether a dial has succeeded; an error if it never will.
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

/// Sends a probe to a host. Returns whether there was a socket for it.
fn probe_address(ip: IpAddr, port: u16) -> bool {
    let IpAddr::V4(ip) = ip else { return true };
    match sockets::probe_host(SocketAddrV4::new(ip, port)) {
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
        // Whether or not a program is bound to the port, the sweep ends soon.
        let (mut sweep, mut listener) = Sweep::new(network.port(9), false);
        let mut now = sweep.begun;
        while sweep.step(now, &mut Vec::new()).is_some() {
            now += STEP;
        }
        let reported: Vec<_> = core::iter::from_fn(|| listener.try_recv())
            .filter_map(
                |result| if let SweepEvent::Progress { done, total } = result { Some((done, total)) } else { None },
            )
            .collect();
        assert_eq!(reported.last(), Some(&(1, 1)), "{reported:?}");
        assert!(reported.is_sorted_by(|before, after| before.0 < after.0), "{reported:?}");
    }
}
