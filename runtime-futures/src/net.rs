//! Interface to an async runtime.

use core::net::SocketAddr;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use rustuya_runtime::driver::DirectWriter;

/// Functions of an async runtime that devices need: it runs tasks, opens connections, receives datagrams and sleeps.
pub trait Net: Send + Sync + 'static {
    /// Open TCP connection. Writes must go to the socket at once, not to a buffer in front of it.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A UDP socket.
    type Socket: Send + Sync + 'static;

    /// Runs a task in the background until it ends. A runtime that shuts down drops it, which fails every command that
    /// waits for it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Opens a TCP connection without Nagle's delay: some firmware discards a frame that arrives in two segments. The
    /// future is dropped when it takes too long.
    fn dial(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Looks up a host name, and returns all of its addresses with this port. By default, a thread asks the operating
    /// system.
    fn look_up(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        rustuya_runtime::driver::look_up(name, port)
    }

    /// Returns a writer to a connection for use from any thread, beside the stream and without waiting. With one,
    /// commands are written by the thread that sends them; without (the default), they wake the task that writes them.
    fn direct_writer(&self, stream: &Self::Stream) -> Option<Arc<dyn DirectWriter>> {
        let _ = stream;
        None
    }

    /// Makes the drop of a stream reset its connection, because a part of a frame was written and the rest has no room:
    /// call [`reset_on_drop`](crate::reset_on_drop), if the stream allows it. By default it is closed in the ordinary
    /// way, and some firmware that received only a part of a frame does not answer until it is power-cycled.
    fn reset(stream: &Self::Stream) {
        let _ = stream;
    }

    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    /// Errors of the operating system.
    fn socket(&self, socket: UdpSocket) -> io::Result<Self::Socket>;

    /// Waits for a datagram.
    fn receive(socket: &Self::Socket, into: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Waits until this time, or a little longer.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send;
}
