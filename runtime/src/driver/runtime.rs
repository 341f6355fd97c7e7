//! Interface of a runtime.

use std::io;
use std::net::UdpSocket;

use crate::discovery::{Discovery, DiscoveryBuilder, DrivenDiscovery};
use crate::io::sources::Sources;
use crate::link::DrivenLink;

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
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
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

impl DiscoveryBuilder {
    /// Starts the service, in the background of a runtime.
    ///
    /// # Errors
    /// If a port cannot be bound: most often another program holds it exclusively.
    pub fn start(self, runtime: &impl Runtime) -> io::Result<Discovery> {
        self.start_in(runtime)
    }

    pub(crate) fn start_in(self, runtime: &dyn Runtime) -> io::Result<Discovery> {
        let (discovery, driven, sockets) = self.open()?;
        runtime.listen(driven, sockets)?;
        Ok(discovery)
    }
}
