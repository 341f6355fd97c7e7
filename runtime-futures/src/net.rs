//! What a program supplies.

use core::net::SocketAddr;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use rustuya_runtime::driver::DirectWriter;

/// An async runtime, as far as it is needed here: it runs tasks, opens connections, receives datagrams and sleeps.
pub trait Net: Send + Sync + 'static {
    /// An open TCP connection. What is written to it must go to the socket at once, not to a buffer in front of it.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A UDP socket.
    type Socket: Send + Sync + 'static;

    /// Runs a task in the background until it ends. A runtime that shuts down drops it, which answers every command
    /// that waits for it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Opens a TCP connection without Nagle's delay: some firmware discards a frame that arrives in two segments. It is
    /// dropped when it takes too long.
    fn dial(&self, to: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Looks a host name up: all of its addresses, with this port. By default, a thread asks the operating system.
    fn look_up(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        rustuya_runtime::driver::look_up(name, port)
    }

    /// A way to write to a connection from any thread, beside the stream and without waiting. With one, commands leave
    /// from the thread that gives them; without (the default), they wake the task that writes them.
    fn outlet(&self, stream: &Self::Stream) -> Option<Arc<dyn DirectWriter>> {
        let _ = stream;
        None
    }

    /// Has a connection be reset when its stream is dropped, because a part of a frame was written and the rest finds no
    /// room: call [`reset_on_drop`](crate::reset_on_drop), where the stream allows it. By default it is closed in the
    /// ordinary way, and some firmware that is left with a part of a frame does not answer until it is power-cycled.
    fn reset(stream: &Self::Stream) {
        let _ = stream;
    }

    /// Takes a socket over, which is bound and does not block.
    ///
    /// # Errors
    /// What the operating system says.
    fn socket(&self, socket: UdpSocket) -> io::Result<Self::Socket>;

    /// Waits for a datagram.
    fn receive(socket: &Self::Socket, into: &mut [u8]) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Waits until this time, or a little longer.
    fn sleep_until(&self, at: Instant) -> impl Future<Output = ()> + Send;
}
