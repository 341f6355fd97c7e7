//! Shows what one device reports, with async-std: `async_std DEVICE_ID ADDRESS`, with its local key in `RUSTUYA_KEY`.
//! async-std is no longer developed: for programs that still use it.

use core::net::SocketAddr;
use std::io;
use std::time::Instant;

use async_std::net::{TcpStream, UdpSocket};
use async_std::task;
use rustuya_runtime_futures::{Address, Device, Futures, Net};

/// Tasks, sockets and timers of async-std.
pub(crate) struct AsyncStd;

impl Net for AsyncStd {
    type Stream = TcpStream;
    type Socket = UdpSocket;

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Dropping the handle leaves the task running.
        drop(task::spawn(task));
    }

    async fn dial(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn socket(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
        Ok(UdpSocket::from(socket))
    }

    async fn receive(socket: &UdpSocket, into: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        socket.recv_from(into).await
    }

    async fn sleep_until(&self, at: Instant) {
        task::sleep(at.saturating_duration_since(Instant::now())).await;
    }
}

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(id), Some(address)) = (args.next(), args.next()) else {
        return Err("usage: async_std DEVICE_ID ADDRESS".into());
    };
    let key = std::env::var("RUSTUYA_KEY").map_err(|_| "RUSTUYA_KEY must hold the local key")?;
    task::block_on(async {
        let device = Device::builder(&id, &key)?.address(address.parse::<Address>()?).spawn(&Futures::new(AsyncStd));
        let mut events = device.listener();
        while let Some(event) = events.recv().await {
            println!("{event:?}");
        }
        Ok(())
    })
}
