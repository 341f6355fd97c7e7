//! Shows what one device reports, with smol: `smol DEVICE_ID ADDRESS`, with its local key in `RUSTUYA_KEY`.

use core::net::SocketAddr;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use rustuya_runtime_futures::{Address, Device, DirectWriter, Futures, Net, reset_on_drop};
use smol::net::{TcpStream, UdpSocket};
use smol::{Async, Timer};

/// Tasks, sockets and timers of smol.
pub(crate) struct Smol;

impl Net for Smol {
    type Stream = TcpStream;
    type Socket = UdpSocket;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn dial(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn direct_writer(&self, stream: &TcpStream) -> Option<Arc<dyn DirectWriter>> {
        Some(Arc::new(Writer(stream.clone().into())))
    }

    fn reset(stream: &TcpStream) {
        // If that fails, the connection is closed in the ordinary way.
        reset_on_drop(stream).ok();
    }

    fn socket(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        UdpSocket::try_from(socket)
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(into).await
    }

    async fn sleep_until(&self, at: Instant) {
        Timer::at(at).await;
    }
}

/// Non-blocking socket of a connection.
struct Writer(Arc<Async<std::net::TcpStream>>);

impl DirectWriter for Writer {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream: &std::net::TcpStream = (*self.0).as_ref();
        stream.write(bytes)
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(id), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: smol DEVICE_ID ADDRESS".into());
    };
    let key = std::env::var("RUSTUYA_KEY").map_err(|_| "RUSTUYA_KEY must hold the local key")?;
    smol::block_on(async {
        let device = Device::builder(&id, &key)?.address(address.parse::<Address>()?).spawn(&Futures::new(Smol));
        let mut events = device.listener();
        while let Some(event) = events.recv().await {
            println!("{event:?}");
        }
        Ok(())
    })
}
