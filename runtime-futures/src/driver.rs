//! Adapter of a [`Net`] to the shared loops: one task per device, one per discovery.

use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use futures_io::{AsyncRead, AsyncWrite};
use rustuya_runtime::driver::polled::{Dialing, Drive, Listen, Reactor};
use rustuya_runtime::driver::{DrivenDiscovery, DrivenLink, LARGEST_DATAGRAM, LookingUp, Runtime};

use crate::net::Net;

/// Runtime that runs devices as tasks on a [`Net`]. Clones are the same runtime.
pub struct Futures<N>(Arc<N>);

impl<N: Net> Futures<N> {
    /// Creates a runtime for [`Device`](crate::Device)s, [`Registry`](crate::Registry)s and
    /// [`Discovery`](crate::Discovery).
    pub fn new(net: N) -> Self {
        Self(Arc::new(net))
    }

    /// Returns the [`Net`].
    pub fn net(&self) -> &N {
        &self.0
    }
}

impl<N: Net> Runtime for Futures<N> {
    fn drive(&self, link: DrivenLink) {
        self.0.spawn(Drive::new(link, Glue(Arc::clone(&self.0))));
    }

    fn listen(&self, discovery: DrivenDiscovery, sockets: Vec<UdpSocket>) -> io::Result<()> {
        let take = |socket| Ok(Receiver::new(self.0.socket(socket)?));
        let sockets = sockets.into_iter().map(take).collect::<io::Result<_>>()?;
        self.0.spawn(Listen::new(discovery, Glue(Arc::clone(&self.0)), sockets));
        Ok(())
    }
}

struct Glue<N>(Arc<N>);

impl<N: Net> Reactor for Glue<N> {
    type Stream = N::Stream;
    type Socket = Receiver<N>;
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn dial(&self, to: SocketAddr) -> Dialing<N::Stream> {
        let net = Arc::clone(&self.0);
        Box::pin(async move {
            let stream = net.dial(to).await?;
            let direct_writer = net.direct_writer(&stream);
            Ok((stream, direct_writer))
        })
    }

    fn look_up(&self, name: &str, port: u16) -> LookingUp {
        let (net, name) = (Arc::clone(&self.0), name.to_owned());
        Box::pin(async move { net.look_up(&name, port).await })
    }

    fn poll_read(stream: &mut N::Stream, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_read(cx, into)
    }

    fn poll_write(stream: &mut N::Stream, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(stream).poll_write(cx, bytes)
    }

    fn reset(stream: &mut N::Stream) {
        N::reset(stream);
    }

    fn poll_receive(
        socket: &mut Receiver<N>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        socket.poll(cx, into)
    }

    fn sleep_until(&self, at: Instant) -> Self::Sleep {
        let net = Arc::clone(&self.0);
        Box::pin(async move { net.sleep_until(at).await })
    }
}

/// Socket with a pending receive.
struct Receiver<N: Net>(Receiving<N>);

type Receiving<N> = Pin<Box<dyn Future<Output = Received<N>> + Send>>;

struct Received<N: Net> {
    socket: N::Socket,
    datagram: Vec<u8>,
    result: io::Result<(usize, SocketAddr)>,
}

impl<N: Net> Receiver<N> {
    fn new(socket: N::Socket) -> Self {
        Self(Self::receive(socket, vec![0; LARGEST_DATAGRAM]))
    }

    fn receive(socket: N::Socket, mut datagram: Vec<u8>) -> Receiving<N> {
        Box::pin(async move {
            let result = N::receive(&socket, &mut datagram).await;
            Received { socket, datagram, result }
        })
    }

    fn poll(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Received { socket, datagram, result } = ready!(self.0.as_mut().poll(cx));
        if let Ok((len, _)) = &result {
            into.iter_mut().zip(datagram.iter().take(*len)).for_each(|(to, from)| *to = *from);
        }
        self.0 = Self::receive(socket, datagram);
        Poll::Ready(result)
    }
}

impl<N> Clone for Futures<N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<N> fmt::Debug for Futures<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Futures").finish_non_exhaustive()
    }
}
