//! Tokio's I/O and timers for the shared loops: one task per device, one per discovery.

use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use rustuya_runtime::driver::polled::{Dialing, Drive, Listen, Reactor};
use rustuya_runtime::driver::{DirectWriter, DrivenDiscovery, DrivenLink, Runtime, reset_on_drop};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// Runs devices as tasks of the current tokio runtime, which needs I/O and time enabled. Panics outside of a runtime;
/// use [`TokioHandle`] there.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr());
/// let device = device.version(Version::V34).spawn(&Tokio);
/// device.set_value(1, true).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a unit struct")]
pub struct Tokio;

/// Runs devices as tasks of this tokio runtime, which needs I/O and time enabled.
///
/// ```
/// # use rustuya_runtime_tokio::{Device, Tokio, TokioHandle, Version};
/// # use rustuya_virtual_device::VirtualDevice;
/// # fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V33)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false }"#)?)?;
/// # let lamp = runtime.block_on(lamp.start())?;
/// // From a thread that is none of the runtime's:
/// let background = TokioHandle(runtime.handle().clone());
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr()).spawn(&background);
/// runtime.block_on(device.set_value(1, true).acknowledged())?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "it is a name for the handle")]
pub struct TokioHandle(pub Handle);

impl Runtime for Tokio {
    fn drive(&self, link: DrivenLink) {
        TokioHandle(Handle::current()).drive(link);
    }

    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<std::net::UdpSocket>) -> io::Result<()> {
        TokioHandle(Handle::current()).listen(discovery, sockets)
    }
}

impl Runtime for TokioHandle {
    fn drive(&self, link: DrivenLink) {
        self.0.spawn(Drive::new(link, Net));
    }

    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<std::net::UdpSocket>) -> io::Result<()> {
        let _in = self.0.enter();
        let sockets = sockets.into_iter().map(UdpSocket::from_std).collect::<io::Result<_>>()?;
        self.0.spawn(Listen::new(discovery, Net, sockets));
        Ok(())
    }
}

struct Net;

impl Reactor for Net {
    type Stream = OwnedReadHalf;
    type Socket = UdpSocket;
    type Sleep = Sleep;

    fn dial(&self, to: SocketAddr) -> Dialing<OwnedReadHalf> {
        Box::pin(async move {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            let (reader, writer) = stream.into_split();
            Ok((reader, Some(Arc::new(Writer(Some(writer))) as Arc<dyn DirectWriter>)))
        })
    }

    fn poll_read(reader: &mut OwnedReadHalf, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        ready!(Pin::new(reader).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write(reader: &mut OwnedReadHalf, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream: &TcpStream = (*reader).as_ref();
        loop {
            ready!(stream.poll_write_ready(cx))?;
            match stream.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn reset(reader: &mut OwnedReadHalf) {
        let stream: &TcpStream = (*reader).as_ref();
        if let Err(error) = reset_on_drop(stream) {
            tracing::debug!(%error, "a connection could not be reset");
        }
    }

    fn poll_receive(
        socket: &mut UdpSocket,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut buffer = ReadBuf::new(into);
        let source = ready!(socket.poll_recv_from(cx, &mut buffer))?;
        Poll::Ready(Ok((buffer.filled().len(), source)))
    }

    fn sleep_until(&self, at: Instant) -> Sleep {
        tokio::time::sleep_until(at.into())
    }
}

struct Writer(Option<OwnedWriteHalf>);

impl DirectWriter for Writer {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.as_ref().map_or(Err(io::ErrorKind::NotConnected.into()), |writer| writer.try_write(bytes))
    }
}

impl Drop for Writer {
    /// Leaves closing the connection to the other half, which may have to reset it.
    fn drop(&mut self) {
        if let Some(writer) = self.0.take() {
            writer.forget();
        }
    }
}
