//! Clock, timer, buffers and sockets: what the machines ask of their surroundings.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::pin::Pin;
use core::time::Duration;
use std::io;

use rustuya_proto::{Instant, Interface, LossReason, RxBuf, TxBuf};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Sleep;

/// One machine's clock: tokio's, counted from the machine's birth, so that a paused clock in tests is followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { epoch: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        let elapsed = tokio::time::Instant::now().saturating_duration_since(self.epoch);
        Instant::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// A time of tokio's on this clock, rounded up.
    pub(crate) fn machine_time(&self, at: tokio::time::Instant) -> Instant {
        let since = at.saturating_duration_since(self.epoch);
        Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX).saturating_add(1))
    }

    /// The moment to wake up for a deadline: never before it, or the machine would find nothing to do.
    fn wake_up(&self, deadline: Instant) -> tokio::time::Instant {
        // Times beyond a year are cut: tokio's clock cannot represent all of the machine's.
        let since = Duration::from_micros(deadline.as_micros()).min(A_YEAR);
        self.epoch.checked_add(since).unwrap_or(self.epoch + A_YEAR)
    }
}

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A timer that is registered anew only when the deadline has moved.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Completes at `deadline`; never, when there is none.
    ///
    /// # Cancel safety
    /// Safe: the deadline is kept.
    pub(crate) async fn wait(&mut self, clock: &Clock, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            return core::future::pending().await;
        };
        let at = clock.wake_up(deadline);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        if sleep.deadline() != at || sleep.is_elapsed() {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().await;
    }
}

/// The buffers of one connection. Memory is held while bytes wait in it, and given back in between.
#[derive(Debug)]
pub(crate) struct Buffers {
    pub(crate) rx: RxBuf<Vec<u8>>,
    pub(crate) tx: TxBuf<Vec<u8>>,
    rx_held: bool,
    /// Bytes that `tx` has room for; 0 while it holds no memory.
    tx_room: usize,
}

impl Buffers {
    pub(crate) const fn new() -> Self {
        Self { rx: RxBuf::new(Vec::new()), tx: TxBuf::new(Vec::new()), rx_held: false, tx_room: 0 }
    }

    /// Makes sure that both have memory.
    pub(crate) fn lend(&mut self) {
        if !self.rx_held {
            self.rx = RxBuf::new(vec![0; FRAME]);
            self.rx_held = true;
        }
        self.make_room(FRAME);
    }

    /// Makes `tx` larger if it is smaller than `room` and empty. Says whether it did.
    pub(crate) fn make_room(&mut self, room: usize) -> bool {
        let grows = self.tx_room < room && self.tx.is_empty();
        if grows {
            self.tx = TxBuf::new(vec![0; room]);
            self.tx_room = room;
        }
        grows
    }

    /// Gives the memory of empty buffers back.
    pub(crate) fn reclaim(&mut self) {
        if self.rx_held && self.rx.is_empty() {
            self.rx = RxBuf::new(Vec::new());
            self.rx_held = false;
        }
        if self.tx_room > 0 && self.tx.is_empty() {
            self.tx = TxBuf::new(Vec::new());
            self.tx_room = 0;
        }
    }

    /// Whether there is space to read into.
    pub(crate) fn has_room(&mut self) -> bool {
        !self.rx_held || !self.rx.spare_mut().is_empty()
    }

    /// Reads what has arrived, as much as there is room for.
    ///
    /// # Errors
    /// The connection is over: [`LossReason::Closed`] at the end of the stream.
    pub(crate) fn read_from(&mut self, stream: &TcpStream) -> Result<(), LossReason> {
        self.lend();
        match stream.try_read(self.rx.spare_mut()) {
            Ok(0) => Err(LossReason::Closed),
            Ok(n) => {
                self.rx.commit(n);
                Ok(())
            }
            Err(error) if is_transient(&error) => Ok(()),
            Err(error) => Err(loss(&error)),
        }
    }

    /// Writes as much as the socket takes, at most `step` bytes at a time.
    ///
    /// # Errors
    /// The connection is over.
    pub(crate) fn write_to(&mut self, stream: &TcpStream, step: usize) -> Result<(), LossReason> {
        while !self.tx.is_empty() {
            let pending = self.tx.pending();
            match stream.try_write(pending.get(..step).unwrap_or(pending)) {
                Ok(n) => self.tx.consume(n),
                Err(error) if is_transient(&error) => break,
                Err(error) => return Err(loss(&error)),
            }
        }
        Ok(())
    }
}

/// What devices accept at most, and what they send at most.
const FRAME: usize = 4096;

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// What an I/O error means for a connection.
pub(crate) fn loss(error: &io::Error) -> LossReason {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => LossReason::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            LossReason::Unreachable
        }
        Kind::TimedOut => LossReason::TimedOut,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => LossReason::Reset,
        Kind::UnexpectedEof | Kind::NotConnected => LossReason::Closed,
        _ => LossReason::Other,
    }
}

/// Opens a TCP connection without Nagle's delay: some firmware discards a frame that arrives in two segments.
///
/// # Cancel safety
/// Safe: dropping the future gives the dial up.
pub(crate) async fn dial(to: SocketAddr) -> Result<TcpStream, LossReason> {
    let stream = TcpStream::connect(to).await.map_err(|error| loss(&error))?;
    stream.set_nodelay(true).map_err(|error| loss(&error))?;
    Ok(stream)
}

/// A UDP socket for announcements, whose port other programs may share.
pub(crate) fn bind_shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.port() != 0 {
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
    }
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// The IPv4 interfaces that probes leave from: only `only` if given, else all but loopback.
pub(crate) fn interfaces(only: Option<Ipv4Addr>) -> Vec<Interface> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = found.iter().filter(|interface| match only {
        Some(address) => interface.ip() == address,
        None => !interface.is_loopback(),
    });
    let addresses = usable.filter_map(|interface| match &interface.addr {
        if_addrs::IfAddr::V4(v4) => {
            Some(Interface { address: v4.ip, broadcast: v4.broadcast.unwrap_or(Ipv4Addr::BROADCAST) })
        }
        if_addrs::IfAddr::V6(_) => None,
    });
    let mut interfaces: Vec<_> = addresses.take(rustuya_proto::MAX_INTERFACES).collect();
    if let (Some(address), []) = (only, interfaces.as_slice()) {
        // Not listed, such as most of 127.0.0.0/8.
        interfaces.push(Interface { address, broadcast: Ipv4Addr::BROADCAST });
    }
    interfaces
}

/// The IPv4 address of a socket address, if it has one.
pub(crate) fn ipv4(address: SocketAddr) -> Option<Ipv4Addr> {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_hold_memory_only_while_bytes_wait() {
        let mut buffers = Buffers::new();
        buffers.lend();
        assert_eq!(buffers.rx.spare_mut().len(), FRAME);
        buffers.rx.commit(1);
        buffers.reclaim();
        assert!(buffers.rx_held);
        assert_eq!(buffers.rx.len(), 1);
        assert_eq!(buffers.tx_room, 0);
        assert!(buffers.make_room(10_000));
        buffers.lend();
        assert_eq!(buffers.tx_room, 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn timers_never_fire_early_and_follow_a_paused_clock() {
        let clock = Clock::start();
        let mut timer = Timer::default();
        for micros in [1, 999, 1_000, 1_234_567] {
            let deadline = clock.now() + Duration::from_micros(micros);
            timer.wait(&clock, Some(deadline)).await;
            assert!(clock.now() >= deadline);
        }
        // A deadline that is over completes at once.
        timer.wait(&clock, Some(Instant::ZERO)).await;
    }
}
