//! Parts that the firmware passes to the loop: its socket, its clock, its application.

use core::net::{SocketAddr, SocketAddrV4};

use embedded_io_async::{Read, Write};
use rustuya_proto::*;

/// TCP socket that is reused for each connection.
pub trait Socket: Read + Write {
    /// Connects. Dropped when it takes too long.
    async fn dial(&mut self, to: SocketAddr) -> Result<(), LossReason>;

    /// Prepares the socket for the next `dial`, from any state: connected, connecting, half closed, closed. Resolves
    /// when the end of the connection was sent, since a device has few connections; dropped when that takes too long.
    async fn hang_up(&mut self);
}

/// UDP socket with broadcast allowed, bound to port 6667 (or 7000, for 3.5 devices alone).
pub trait Datagrams {
    /// Receives the next datagram. Returns its size and source.
    async fn receive(&mut self, into: &mut [u8]) -> (usize, SocketAddr);

    /// Sends one datagram, or drops it.
    async fn send(&mut self, datagram: &[u8], to: SocketAddrV4);
}

/// Clock.
pub trait Clock {
    /// Returns the time since a fixed moment, such as the start.
    fn now(&self) -> Instant;

    /// Resolves at `when`.
    async fn sleep_until(&self, when: Instant);
}

/// Function that sends a command; lent to the application.
pub type Send<'a> = &'a mut dyn FnMut(&Command<'_>) -> Result<CommandId, SendError>;

/// Application of the firmware.
pub trait App {
    /// Handles an event of the device.
    fn event(&mut self, event: Event<'_>, send: Send<'_>);

    /// Resolves when the application has a command to send, such as when a button is pressed. May be dropped and called
    /// anew at any time.
    async fn wait_to_send(&mut self);

    /// Sends the command: called once after each [`wait_to_send`](Self::wait_to_send).
    fn send(&mut self, send: Send<'_>);
}
