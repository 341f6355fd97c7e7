//! What a runtime has to bring along.

use std::io;
use std::net::UdpSocket;

use crate::discovery::ListeningLink;
use crate::link::DrivenLink;

/// A way to run loops: an async runtime, or a thread with a poll loop.
///
/// A driver implements this for a type of its own. Everything else is decided by the links that it is given.
pub trait Runtime: Send + Sync + 'static {
    /// Runs one device's loop in the background until [`DrivenLink::turn`] orders its end.
    fn drive(&self, link: DrivenLink);

    /// Runs a discovery's loop in the background until [`ListeningLink::turn`] orders its end. The sockets are bound
    /// and do not block.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets over.
    fn listen(&self, discovery: ListeningLink, sockets: Vec<UdpSocket>) -> io::Result<()>;
}

/// The non-blocking ends of one connection, as the loop holds them.
///
/// Both calls end with [`io::ErrorKind::WouldBlock`] where they would have to wait, and see to it that the loop is
/// woken when they would not any more.
pub trait Pipe {
    /// Reads what has arrived. 0 bytes mean the end of the stream.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// What the operating system says.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// The short way to the wire: writes from the thread that gives a command, without waking the loop.
pub trait Outlet: Send + Sync {
    /// Writes as much as there is room for at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where there is none; what the operating system says.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}
