//! What the firmware hands to the loop: its socket, its clock, its application.

use core::net::{SocketAddr, SocketAddrV4};

use embedded_io_async::{Read, Write};
use rustuya_proto::*;

/// A TCP socket that is used again and again.
pub trait Socket: Read + Write {
    /// Connects. Dropped when it takes too long.
    async fn dial(&mut self, to: SocketAddr) -> Result<(), LossReason>;

    /// Makes the socket fit for the next `dial`, whatever state it is in: connected, connecting, half closed, closed.
    /// Resolves when the other end has been told, of which it has few connections; dropped when that takes too long.
    async fn hang_up(&mut self);
}

/// A UDP socket with broadcast allowed, bound to port 6667 (or 7000, for 3.5 devices alone).
pub trait Datagrams {
    /// The next datagram: its size and where it came from.
    async fn receive(&mut self, into: &mut [u8]) -> (usize, SocketAddr);

    /// Sends one datagram; what cannot be sent is lost.
    async fn send(&mut self, datagram: &[u8], to: SocketAddrV4);
}

/// Time.
pub trait Clock {
    /// Time since some moment, such as the start.
    fn now(&self) -> Instant;

    /// Resolves at `when`.
    async fn reach(&self, when: Instant);
}

/// Sends a command; lent to the application.
pub type Send<'a> = &'a mut dyn FnMut(&Command<'_>) -> Result<CommandId, SendError>;

/// What the firmware wants of its device.
pub trait App {
    /// Something happened.
    fn event(&mut self, event: Event<'_>, send: Send<'_>);

    /// Resolves when the application has something to say, such as when a button is pressed. May be dropped and called
    /// anew at any time.
    async fn wants(&mut self);

    /// It has: called once after each [`wants`](Self::wants).
    fn speak(&mut self, send: Send<'_>);
}
