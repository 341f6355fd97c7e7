//! Connection of a device, as the loop and the threads that submit commands use it.

use std::io;

/// Non-blocking ends of one connection, as the loop holds them.
///
/// Both calls return [`io::ErrorKind::WouldBlock`] instead of waiting, and then wake the loop once it can go on. The
/// device is locked during the calls: they must not call it.
///
/// ```
/// # use rustuya_runtime::driver::Transport;
/// # use std::io::{self, Read, Write};
/// # use std::net::TcpStream;
/// /// A socket that does not block, of a loop that looks again by itself.
/// struct Ends(TcpStream);
///
/// impl Transport for Ends {
///     fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
///         self.0.read(into)
///     }
///
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.0.write(bytes)
///     }
/// }
/// ```
pub trait Transport {
    /// Reads what has arrived. 0 bytes mean the end of the stream.
    ///
    /// # Errors
    /// The error of the operating system.
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// The error of the operating system.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

/// Writes from the thread that submits a command, without waking the loop. The device is locked meanwhile and while
/// this is dropped: neither may call it.
///
/// ```
/// # use rustuya_runtime::driver::{DrivenLink, DirectWriter};
/// # use std::io::{self, Write};
/// # use std::net::TcpStream;
/// # use std::sync::Arc;
/// /// A clone of the socket that the loop has, which does not block.
/// struct Writer(TcpStream);
///
/// impl DirectWriter for Writer {
///     fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
///         (&self.0).write(bytes)
///     }
/// }
///
/// fn dialed(link: &DrivenLink, stream: &TcpStream) -> io::Result<()> {
///     link.dialed(Some(Arc::new(Writer(stream.try_clone()?))));
///     Ok(())
/// }
/// ```
pub trait DirectWriter: Send + Sync {
    /// Writes as much as there is room for at once.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is no room; the error of the operating system.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// Makes closing the socket reset the TCP connection, in place of an orderly end, and drop unsent bytes. For loops that
/// handle [`Action::Reset`](crate::driver::Action::Reset).
///
/// ```
/// # use std::net::{TcpListener, TcpStream};
/// # use std::io::{ErrorKind, Read as _};
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// let (mut device, _) = listener.accept()?;
/// rustuya_runtime::driver::reset_on_drop(&stream)?;
/// drop(stream);
/// assert_eq!(device.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
/// # Ok(()) }
/// ```
///
/// # Errors
/// The error of the operating system.
pub fn reset_on_drop<'s, S>(stream: &'s S) -> io::Result<()>
where
    socket2::SockRef<'s>: From<&'s S>,
{
    socket2::SockRef::from(stream).set_linger(Some(core::time::Duration::ZERO))
}
