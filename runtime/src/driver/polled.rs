//! Loops of links and discoveries as futures, for async runtimes.
//!
//! An async runtime provides dialing, reading, writing and sleeping: [`Reactor`]. [`Drive`] and [`Listen`] are then the
//! tasks that its [`Runtime`](super::Runtime) spawns.

use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustuya_proto::LossReason;

use crate::discovery::{DiscoveryAction, DrivenDiscovery, LARGEST_DATAGRAM};
use crate::io::buffers::loss;
use crate::io::destination::{Candidates, Destination, LookingUp, look_up};
use crate::io::shortage::unresolved;
use crate::io::transport::{DirectWriter, Transport};
use crate::link::{Action, DrivenLink};

/// I/O and timers of an async runtime. Called from within its own tasks.
///
/// ```
/// # use core::net::SocketAddr;
/// # use core::task::{Context, Poll, ready};
/// # use rustuya_runtime::driver::polled::{Dialing, Reactor};
/// # use std::io;
/// # use std::pin::Pin;
/// # use std::time::Instant;
/// # use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
/// # use tokio::net::{TcpStream, UdpSocket};
/// struct Net;
///
/// impl Reactor for Net {
///     type Stream = TcpStream;
///     type Socket = UdpSocket;
///     type Sleep = tokio::time::Sleep;
///
///     fn dial(&self, to: SocketAddr) -> Dialing<TcpStream> {
///         Box::pin(async move {
///             let stream = TcpStream::connect(to).await?;
///             stream.set_nodelay(true)?;
///             Ok((stream, None)) // without the short way, everything is written by the loop
///         })
///     }
///
///     fn poll_read(stream: &mut TcpStream, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
///         let mut buffer = ReadBuf::new(into);
///         ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
///         Poll::Ready(Ok(buffer.filled().len()))
///     }
///
///     fn poll_write(stream: &mut TcpStream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
///         Pin::new(stream).poll_write(cx, bytes)
///     }
///
///     fn poll_receive(
///         socket: &mut UdpSocket,
///         cx: &mut Context<'_>,
///         into: &mut [u8],
///     ) -> Poll<io::Result<(usize, SocketAddr)>> {
///         let mut buffer = ReadBuf::new(into);
///         let source = ready!(socket.poll_recv_from(cx, &mut buffer))?;
///         Poll::Ready(Ok((buffer.filled().len(), source)))
///     }
///
///     fn sleep_until(&self, at: Instant) -> tokio::time::Sleep {
///         tokio::time::sleep_until(at.into())
///     }
/// }
/// ```
pub trait Reactor: Send + Unpin + 'static {
    /// An open TCP connection.
    type Stream: Send + Unpin + 'static;
    /// A UDP socket.
    type Socket: Send + Unpin + 'static;
    /// A timer.
    type Sleep: Future<Output = ()> + Send + 'static;

    /// Opens a TCP connection without Nagle's delay: some firmware discards a frame that arrives in two segments.
    fn dial(&self, to: SocketAddr) -> Dialing<Self::Stream>;

    /// Resolves a host name to all of its addresses, with this port. By default [`look_up`] does it, in a thread.
    fn look_up(&self, name: &str, port: u16) -> LookingUp {
        look_up(name, port)
    }

    /// Reads what has arrived; 0 bytes mean the end of the stream.
    ///
    /// # Errors
    /// The error of the operating system.
    fn poll_read(stream: &mut Self::Stream, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// The error of the operating system.
    fn poll_write(stream: &mut Self::Stream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Makes dropping the stream reset the connection, as [`reset_on_drop`](super::reset_on_drop) does. By default it
    /// is closed in the ordinary way.
    fn reset(stream: &mut Self::Stream) {
        let _ = stream;
    }

    /// Receives a datagram.
    ///
    /// # Errors
    /// The error of the operating system.
    fn poll_receive(
        socket: &mut Self::Socket,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// Completes at this time or a little later, never before.
    fn sleep_until(&self, at: Instant) -> Self::Sleep;
}

/// A dial under way. Yields the stream and, if there is one, a writer for other threads.
///
/// ```
/// # use rustuya_runtime::driver::polled::Dialing;
/// # use tokio::net::TcpStream;
/// fn dial(to: core::net::SocketAddr) -> Dialing<TcpStream> {
///     Box::pin(async move { Ok((TcpStream::connect(to).await?, None)) })
/// }
/// ```
pub type Dialing<S> = Pin<Box<dyn Future<Output = io::Result<(S, Option<Arc<dyn DirectWriter>>)>> + Send>>;

/// Loop of one link.
///
/// ```
/// # use rustuya_runtime::driver::{DrivenLink, polled::{Drive, Reactor}};
/// /// What `Runtime::drive` spawns.
/// fn task(link: DrivenLink, reactor: impl Reactor) -> impl Future<Output = ()> + Send {
///     Drive::new(link, reactor)
/// }
/// ```
#[must_use = "a loop does nothing before it is polled"]
pub struct Drive<R: Reactor> {
    link: DrivenLink,
    reactor: R,
    connection: Connection<R::Stream>,
    candidates: Candidates,
    timer: Timer<R::Sleep>,
}

enum Connection<S> {
    Off,
    LookingUp(LookingUp),
    Dialing(Dialing<S>),
    Up(S),
}

impl<S> Connection<S> {
    fn reset<R: Reactor<Stream = S>>(&mut self) {
        if let Self::Up(stream) = self {
            R::reset(stream);
        }
        *self = Self::Off;
    }
}

impl<R: Reactor> Drop for Drive<R> {
    fn drop(&mut self) {
        if self.link.is_cut() {
            self.connection.reset::<R>();
        }
    }
}

impl<R: Reactor> Drive<R> {
    /// Makes the loop of this link.
    pub fn new(link: DrivenLink, reactor: R) -> Self {
        Self { link, reactor, connection: Connection::Off, candidates: Candidates::default(), timer: Timer::new() }
    }

    /// Continues a look-up or a dial.
    fn poll_dial(&mut self, cx: &mut Context<'_>) {
        let Self { link, reactor, connection, candidates, .. } = self;
        loop {
            let failed = match connection {
                Connection::LookingUp(looking) => match looking.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(found)) => {
                        candidates.begin(found);
                        LossReason::Unresolved
                    }
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(id = link.id(), %error, "the host name cannot be looked up");
                        unresolved(&error)
                    }
                },
                Connection::Dialing(dial) => match dial.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok((stream, writer))) => {
                        candidates.on_connected();
                        link.dialed(writer);
                        *connection = Connection::Up(stream);
                        return;
                    }
                    Poll::Ready(Err(error)) => loss(&error),
                },
                Connection::Off | Connection::Up(_) => return,
            };
            *connection = match candidates.next() {
                Some(to) => {
                    link.resolved(to);
                    Connection::Dialing(reactor.dial(to))
                }
                None => {
                    link.lost(failed);
                    Connection::Off
                }
            };
        }
    }
}

impl<R: Reactor> Future for Drive<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            this.poll_dial(cx);
            let Self { link, reactor, connection, candidates, timer } = &mut *this;
            let waker = cx.waker().clone();
            let mut stream = match connection {
                Connection::Up(stream) => Some(PolledStream::<R> { stream, cx: &mut *cx }),
                Connection::Off | Connection::LookingUp(_) | Connection::Dialing(_) => None,
            };
            match link.poll(stream.as_mut().map(|stream| stream as &mut dyn Transport), &waker) {
                Action::Dial(Destination::Socket(to)) => {
                    *candidates = Candidates::default();
                    *connection = Connection::Dialing(reactor.dial(to));
                }
                Action::Dial(Destination::Name(name, port)) => {
                    *connection = Connection::LookingUp(reactor.look_up(&name, port))
                }
                Action::Hangup => *connection = Connection::Off,
                Action::Reset => connection.reset::<R>(),
                Action::Again => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Action::Sleep(until) => ready!(timer.poll(until, cx, |at| reactor.sleep_until(at))),
                Action::End => return Poll::Ready(()),
            }
        }
    }
}

/// Both directions of a connection during one poll.
struct PolledStream<'a, 'b, R: Reactor> {
    stream: &'a mut R::Stream,
    cx: &'a mut Context<'b>,
}

impl<R: Reactor> Transport for PolledStream<'_, '_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        or_would_block(R::poll_read(self.stream, self.cx, into))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(R::poll_write(self.stream, self.cx, bytes))
    }
}

fn or_would_block<T>(polled: Poll<io::Result<T>>) -> io::Result<T> {
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Loop of one discovery.
///
/// ```
/// # use rustuya_runtime::driver::{DrivenDiscovery, polled::{Listen, Reactor}};
/// /// What `Runtime::listen` spawns, once the sockets are the reactor's.
/// fn task<R: Reactor>(discovery: DrivenDiscovery, reactor: R, sockets: Vec<R::Socket>) -> impl Future<Output = ()> + Send {
///     Listen::new(discovery, reactor, sockets)
/// }
/// ```
#[must_use = "a loop does nothing before it is polled"]
pub struct Listen<R: Reactor> {
    discovery: DrivenDiscovery,
    reactor: R,
    sockets: Vec<R::Socket>,
    /// Index of the socket to be read first.
    turn: usize,
    timer: Timer<R::Sleep>,
    /// Time until which the sockets are not read, after errors.
    paused_until: Option<Instant>,
}

/// Datagrams handled in one poll; more would starve other tasks.
const MAX_DATAGRAMS_PER_POLL: u32 = 64;

/// Pause for sockets that return nothing but errors: reading them on would keep a core busy.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

impl<R: Reactor> Listen<R> {
    /// Makes the loop of this discovery, on these sockets.
    pub const fn new(discovery: DrivenDiscovery, reactor: R, sockets: Vec<R::Socket>) -> Self {
        Self { discovery, reactor, sockets, turn: 0, timer: Timer::new(), paused_until: None }
    }
}

impl<R: Reactor> Future for Listen<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { discovery, reactor, sockets, turn, timer, paused_until } = self.get_mut();
        let mut datagram = [0; LARGEST_DATAGRAM];
        let mut any = false;
        for _ in 0..MAX_DATAGRAMS_PER_POLL {
            let resumed = paused_until.is_none_or(|until| until <= Instant::now());
            let received = if resumed { receive::<R>(sockets, turn, cx, &mut datagram) } else { None };
            any |= !matches!(received, Some(Err(_)));
            match received {
                Some(Ok((len, source))) => discovery.receive(datagram.get_mut(..len).unwrap_or_default(), source),
                // An error, such as an unreachable earlier destination, concerns one datagram.
                Some(Err(_)) => {}
                None => match discovery.poll(cx.waker()) {
                    DiscoveryAction::Sleep(until) => {
                        let until = until.into_iter().chain(paused_until.filter(|_| !resumed)).min();
                        ready!(timer.poll(until, cx, |at| reactor.sleep_until(at)));
                    }
                    DiscoveryAction::End => return Poll::Ready(()),
                },
            }
        }
        if !any {
            // Nothing but errors in a row: they do not concern single datagrams.
            *paused_until = Instant::now().checked_add(ERROR_PAUSE);
            tracing::warn!("announcements cannot be received at the moment");
        }
        // Poll the discovery even under a flood of datagrams.
        if discovery.poll(cx.waker()) == DiscoveryAction::End {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Receives from the first socket that is ready, in turn, so that a flood on one of them does not block the others.
fn receive<R: Reactor>(
    sockets: &mut [R::Socket],
    turn: &mut usize,
    cx: &mut Context<'_>,
    into: &mut [u8],
) -> Option<io::Result<(usize, SocketAddr)>> {
    let count = sockets.len();
    for _ in 0..count {
        let at = *turn % count;
        *turn = at + 1;
        if let Some(socket) = sockets.get_mut(at)
            && let Poll::Ready(received) = R::poll_receive(socket, cx, into)
        {
            return Some(received);
        }
    }
    None
}

/// Timer that is set again only when its deadline changes.
///
/// ```
/// # use rustuya_runtime::driver::polled::Timer;
/// # use core::time::Duration;
/// # use std::time::Instant;
/// # #[tokio::main]
/// # async fn main() {
/// let mut timer = Timer::new();
/// let until = Instant::now() + Duration::from_millis(10);
/// core::future::poll_fn(|cx| timer.poll(Some(until), cx, |at| tokio::time::sleep_until(at.into()))).await;
/// assert!(Instant::now() >= until);
/// # }
/// ```
#[derive(Debug)]
pub struct Timer<S> {
    at: Option<Instant>,
    sleep: Option<Pin<Box<S>>>,
}

impl<S: Future<Output = ()>> Timer<S> {
    /// Makes a timer that is not set.
    pub const fn new() -> Self {
        Self { at: None, sleep: None }
    }

    /// Ready once `until` has passed; never if it is `None`. `sleep_until` makes the future to wait for.
    pub fn poll(
        &mut self,
        until: Option<Instant>,
        cx: &mut Context<'_>,
        sleep_until: impl FnOnce(Instant) -> S,
    ) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        if self.at != Some(until) {
            self.at = Some(until);
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().set(sleep_until(until)),
                None => self.sleep = Some(Box::pin(sleep_until(until))),
            }
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        self.at = None;
        Poll::Ready(())
    }
}

impl<S: Future<Output = ()>> Default for Timer<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Reactor> fmt::Debug for Drive<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drive").field("link", &self.link).finish_non_exhaustive()
    }
}

impl<R: Reactor> fmt::Debug for Listen<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listen").field("discovery", &self.discovery).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;
    use core::future::{Ready, ready};
    use core::task::Waker;

    #[test]
    fn a_timer_is_set_anew_only_when_its_end_moves() {
        let set = Cell::new(0);
        let never = |_| {
            set.set(set.get() + 1);
            core::future::pending()
        };
        let mut cx = Context::from_waker(Waker::noop());
        let mut timer = Timer::default();
        let now = Instant::now();
        let at = |seconds| Some(now + Duration::from_secs(seconds));
        for (until, times) in [(None, 0), (at(5), 1), (at(5), 1), (at(9), 2), (None, 2), (at(9), 2), (at(4), 3)] {
            assert!(timer.poll(until, &mut cx, never).is_pending());
            assert_eq!(set.get(), times, "{until:?}");
        }
    }

    #[test]
    fn a_timer_that_has_ended_can_be_set_again() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut timer = Timer::<Ready<()>>::new();
        for _ in 0..3 {
            assert!(timer.poll(Some(Instant::now()), &mut cx, |_| ready(())).is_ready());
        }
    }

    #[test]
    fn sockets_that_have_nothing_but_errors_are_left_alone_for_a_while() {
        use core::sync::atomic::{AtomicU32, Ordering};
        use std::net::UdpSocket;
        use std::sync::Mutex;

        static TRIES: AtomicU32 = AtomicU32::new(0);
        struct Fails;
        impl Reactor for Fails {
            type Stream = ();
            type Socket = ();
            type Sleep = core::future::Pending<()>;
            fn dial(&self, _: SocketAddr) -> Dialing<()> {
                Box::pin(core::future::pending())
            }
            fn poll_read((): &mut (), _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
                Poll::Pending
            }
            fn poll_write((): &mut (), _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
                Poll::Pending
            }
            fn poll_receive((): &mut (), _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
                TRIES.fetch_add(1, Ordering::Relaxed);
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
            fn sleep_until(&self, _: Instant) -> Self::Sleep {
                core::future::pending()
            }
        }
        #[derive(Default)]
        struct Keeps(Arc<Mutex<Option<DrivenDiscovery>>>);
        impl crate::driver::Runtime for Keeps {
            fn drive(&self, _: DrivenLink) {}
            fn listen(&self, link: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
                *self.0.lock().expect("no panic") = Some(link);
                Ok(())
            }
        }
        let runtime = Keeps::default();
        let builder = crate::Discovery::builder().ports([0, 0, 0]).bind_address([127, 0, 0, 1].into()).active(false);
        let _discovery = builder.start(&runtime).expect("free ports");
        let link = runtime.0.lock().expect("no panic").take().expect("listens");
        let mut listen = Listen::new(link, Fails, vec![(), ()]);
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            assert!(Pin::new(&mut listen).poll(&mut cx).is_pending());
        }
        assert_eq!(TRIES.load(Ordering::Relaxed), MAX_DATAGRAMS_PER_POLL, "one share, and then a rest");
    }
}
