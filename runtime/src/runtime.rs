//! Interface of a runtime.

use std::io;
use std::net::UdpSocket;

use crate::discovery::DrivenDiscovery;
use crate::link::DrivenLink;
use crate::sources::Sources;

/// Runs loops: an async runtime, or a thread with a poll loop.
///
/// A driver implements this for a type of its own. Links and discoveries decide everything else.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime::driver::*, rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # use std::io::{self, Read as _, Write as _};
/// # use std::net::{TcpStream, UdpSocket};
/// # use std::sync::Arc;
/// # use std::task::{Wake, Waker};
/// # use std::thread::{self, Thread};
/// /// A thread for each device, which looks at its connection every few milliseconds.
/// struct Threads;
///
/// impl Runtime for Threads {
///     fn drive(&self, link: DrivenLink) {
///         thread::spawn(move || {
///             let waker = Waker::from(Arc::new(Unpark(thread::current())));
///             let mut stream: Option<TcpStream> = None;
///             loop {
///                 let mut ends = stream.as_ref().map(Ends);
///                 match link.poll(ends.as_mut().map(|ends| ends as &mut dyn Transport), &waker) {
///                     Action::Dial(to) => match dial(&to) {
///                         Ok(dialed) => {
///                             stream = Some(dialed);
///                             link.dialed(None);
///                         }
///                         Err(error) => link.lost(loss(&error)),
///                     },
///                     Action::Hangup => stream = None,
///                     Action::Reset => {
///                         stream.take().as_ref().map_or(Ok(()), reset_on_drop).ok();
///                     }
///                     Action::Again => thread::yield_now(),
///                     // A real driver waits for the socket, the waker and the time at once.
///                     Action::Sleep(_until) => thread::park_timeout(Duration::from_millis(5)),
///                     Action::End => return,
///                 }
///             }
///         });
///     }
///
///     fn listen(&self, _: DrivenDiscovery, _: Vec<UdpSocket>) -> io::Result<()> {
///         Err(io::ErrorKind::Unsupported.into())
///     }
/// }
///
/// fn dial(to: &Destination) -> io::Result<TcpStream> {
///     let stream = match to {
///         Destination::Socket(address) => TcpStream::connect_timeout(address, Duration::from_secs(5))?,
///         Destination::Name(name, port) => TcpStream::connect((&**name, *port))?,
///     };
///     stream.set_nodelay(true)?;
///     stream.set_nonblocking(true)?;
///     Ok(stream)
/// }
///
/// struct Ends<'a>(&'a TcpStream);
///
/// impl Transport for Ends<'_> {
///     fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
///         self.0.read(into)
///     }
///
///     fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
///         self.0.write(bytes)
///     }
/// }
///
/// struct Unpark(Thread);
///
/// impl Wake for Unpark {
///     fn wake(self: Arc<Self>) {
///         self.0.unpark();
///     }
/// }
///
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr());
/// let device = device.version(Version::V34).spawn(&Threads);
/// device.set_value(1, true).acknowledged().await?;
/// assert_eq!(lamp.dps(None)["1"], json!(true));
/// device.close().await;
/// # Ok(())
/// # }
/// ```
pub trait Runtime: Send + Sync + 'static {
    /// Runs one device's loop in the background until [`DrivenLink::poll`] returns [`Action::End`](crate::driver::Action::End).
    fn drive(&self, link: DrivenLink);

    /// Runs a discovery's loop in the background until [`DrivenDiscovery::poll`] ends it. The sockets are bound and
    /// non-blocking. A [`Registry`](crate::Registry) calls this under a lock: it must not add devices to it.
    ///
    /// # Errors
    /// When the runtime cannot take over the sockets.
    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<UdpSocket>) -> io::Result<()>;

    /// Returns the sources of time and randomness of the links, if not the system's. The loop sleeps by the same time.
    /// Discovery always uses the system's. They are called while the device is locked, and must not call it.
    fn sources(&self) -> Option<Sources> {
        None
    }
}

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
