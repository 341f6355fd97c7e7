//! The loops: one task per device, one per discovery. They do what the links order and decide nothing.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustuya_runtime::proto::LossReason;
use rustuya_runtime::{DrivenLink, LARGEST_DATAGRAM, Listening, ListeningLink, Order, Outlet, Pipe, Runtime, loss};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// Devices run as tasks of the tokio runtime that they are spawned in, which needs I/O and time enabled. Spawning
/// outside of one panics; [`TokioHandle`] names one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is a name")]
pub struct Tokio;

/// Devices run as tasks of this tokio runtime, which needs I/O and time enabled.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a name for the handle")]
pub struct TokioHandle(pub Handle);

impl Runtime for Tokio {
    fn drive(&self, link: DrivenLink) {
        TokioHandle(Handle::current()).drive(link);
    }

    fn listen(&self, discovery: ListeningLink, sockets: Vec<std::net::UdpSocket>) -> io::Result<()> {
        TokioHandle(Handle::current()).listen(discovery, sockets)
    }
}

impl Runtime for TokioHandle {
    fn drive(&self, link: DrivenLink) {
        self.0.spawn(Drive { link, wire: Wire::Off, timer: Timer::default() });
    }

    fn listen(&self, discovery: ListeningLink, sockets: Vec<std::net::UdpSocket>) -> io::Result<()> {
        let _in = self.0.enter();
        let sockets = sockets.into_iter().map(UdpSocket::from_std).collect::<io::Result<_>>()?;
        self.0.spawn(Listen { discovery, sockets, timer: Timer::default() });
        Ok(())
    }
}

/// One device's loop.
struct Drive {
    link: DrivenLink,
    wire: Wire,
    timer: Timer,
}

enum Wire {
    Off,
    Dialing(Pin<Box<dyn Future<Output = Result<TcpStream, LossReason>> + Send>>),
    Up(OwnedReadHalf),
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { link, wire, timer } = self.get_mut();
        loop {
            if let Wire::Dialing(dial) = wire
                && let Poll::Ready(dialed) = dial.as_mut().poll(cx)
            {
                *wire = match dialed {
                    Ok(stream) => {
                        let (reader, writer) = stream.into_split();
                        link.dialed(Some(Arc::new(Writer(writer))));
                        Wire::Up(reader)
                    }
                    Err(why) => {
                        link.lost(why);
                        Wire::Off
                    }
                };
            }
            let waker = cx.waker().clone();
            let mut ends = match wire {
                Wire::Up(reader) => Some(Ends { reader, cx: &mut *cx }),
                Wire::Off | Wire::Dialing(_) => None,
            };
            match link.turn(ends.as_mut().map(|ends| ends as &mut dyn Pipe), &waker) {
                Order::Dial(to) => *wire = Wire::Dialing(Box::pin(dial(to))),
                Order::Hangup => *wire = Wire::Off,
                Order::Again => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Order::Sleep(until) => ready!(timer.poll(until, cx)),
                Order::End => return Poll::Ready(()),
            }
        }
    }
}

/// Opens a TCP connection without Nagle's delay: some firmware discards a frame that arrives in two segments.
async fn dial(to: SocketAddr) -> Result<TcpStream, LossReason> {
    let stream = TcpStream::connect(to).await.map_err(|error| loss(&error))?;
    stream.set_nodelay(true).map_err(|error| loss(&error))?;
    Ok(stream)
}

/// The ends of a connection during one poll.
struct Ends<'a, 'b> {
    reader: &'a mut OwnedReadHalf,
    cx: &'a mut Context<'b>,
}

impl Pipe for Ends<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(into);
        match Pin::new(&mut *self.reader).poll_read(self.cx, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream: &TcpStream = (*self.reader).as_ref();
        while let Poll::Ready(writable) = stream.poll_write_ready(self.cx) {
            writable?;
            match stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }
}

struct Writer(OwnedWriteHalf);

impl Outlet for Writer {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }
}

/// A timer that is registered anew only when it would fire too late. One that fires too early costs a look around.
#[derive(Debug, Default)]
pub(crate) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready when `until` is over; never, when there is none.
    pub(crate) fn poll(&mut self, until: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = until else { return Poll::Pending };
        let until = tokio::time::Instant::from_std(until);
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() > until || sleep.is_elapsed() {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }
}

/// One discovery's loop.
struct Listen {
    discovery: ListeningLink,
    sockets: Vec<UdpSocket>,
    timer: Timer,
}

/// Datagrams that are taken in before others get their turn.
const FAIR_SHARE: u32 = 64;

impl Future for Listen {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { discovery, sockets, timer } = self.get_mut();
        let mut datagram = [0; LARGEST_DATAGRAM];
        for _ in 0..FAIR_SHARE {
            let received = sockets.iter().find_map(|socket| receive(socket, &mut datagram, cx));
            if let Some((len, source)) = received {
                discovery.receive(datagram.get_mut(..len).unwrap_or_default(), source);
                continue;
            }
            match discovery.turn(cx.waker()) {
                Listening::Sleep(until) => ready!(timer.poll(until, cx)),
                Listening::End => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The next datagram, if there is one. An error, such as an unreachable earlier destination, concerns one datagram.
fn receive(socket: &UdpSocket, into: &mut [u8], cx: &mut Context<'_>) -> Option<(usize, SocketAddr)> {
    let mut buffer = ReadBuf::new(into);
    for _ in 0..FAIR_SHARE {
        match socket.poll_recv_from(cx, &mut buffer) {
            Poll::Ready(Ok(source)) => return Some((buffer.filled().len(), source)),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => return None,
        }
    }
    cx.waker().wake_by_ref();
    None
}
