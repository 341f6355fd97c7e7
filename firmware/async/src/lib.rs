//! A controller for async firmware, with discovery: any executor, any timer, any socket that implements
//! `embedded-io-async`, such as embassy-net's. No heap.

#![no_std]
#![forbid(unsafe_code)]
#![expect(async_fn_in_trait, reason = "futures of firmware stay on their executor's core")]

use core::future::pending;
use core::net::IpAddr;
use core::time::Duration;

use embassy_futures::select::{Either, Either4, select, select4};
use embedded_io_async::{Error as _, ErrorKind};
pub use parts::{App, Clock, Datagrams, Send, Socket};
use rustuya_proto::*;

mod parts;

/// Parts of the loop. `discovery` probes for 3.5 devices if its interface is set and a scan is started.
pub struct Driver<'a, S, U, C, A, const KNOWN: usize> {
    /// Socket of the connection.
    pub socket: S,
    /// Socket of announcements.
    pub udp: U,
    /// Clock.
    pub clock: C,
    /// The application.
    pub app: A,
    /// A generator seeded from the chip's entropy source.
    pub rng: &'a mut dyn CryptoRng,
    /// The device's machine.
    pub device: Device,
    /// The discovery machine.
    pub discovery: Discovery<KNOWN>,
}

impl<S: Socket, U: Datagrams, C: Clock, A: App, const KNOWN: usize> Driver<'_, S, U, C, A, KNOWN> {
    /// Runs for ever. `rx` and `tx` limit the size of frames; `datagram` holds one announcement, 512 bytes are enough.
    pub async fn run(mut self, rx: &mut [u8], tx: &mut [u8], datagram: &mut [u8]) -> ! {
        let Self { socket, udp, clock, app, rng, device, discovery } = &mut self;
        let (mut rx, mut tx) = (RxBuf::new(rx), TxBuf::new(tx));
        let mut open = None;
        loop {
            let until = loop {
                match device.poll(clock.now(), *rng, &mut rx, &mut tx) {
                    Output::Dial { conn, to } => {
                        let limit = clock.now() + device.config().timing.connect;
                        let dialed = match select(socket.dial(to), clock.sleep_until(limit)).await {
                            Either::First(dialed) => dialed,
                            Either::Second(()) => Err(LossReason::TimedOut),
                        };
                        open = dialed.is_ok().then_some(conn);
                        match dialed {
                            Ok(()) => device.handle_dialed(conn, clock.now()),
                            Err(why) => {
                                hang_up(socket, clock).await;
                                device.handle_lost(conn, why, clock.now());
                            }
                        }
                    }
                    Output::Hangup { .. } => {
                        open = None;
                        hang_up(socket, clock).await;
                    }
                    Output::Event(event) => {
                        app.event(event, &mut |command| device.send(command, clock.now(), *rng, &mut tx));
                    }
                    Output::Wait { until } => break until,
                }
            };
            let mut probe = [0; MAX_PROBE];
            let round = loop {
                match discovery.poll(clock.now(), *rng, &mut probe) {
                    DiscoveryOutput::Send { to, len, .. } => udp.send(&probe[..len], to).await,
                    DiscoveryOutput::Wait { until } => break until,
                }
            };
            let due = until.into_iter().chain(round).min();
            let timer = async { if let Some(due) = due { clock.sleep_until(due).await } else { pending().await } };
            let (room, written) = (rx.spare_mut(), tx.next_write(1024));
            let stream = async {
                match open {
                    Some(_) if !written.is_empty() => (true, socket.write(written).await),
                    Some(_) if !room.is_empty() => (false, socket.read(room).await),
                    _ => pending().await,
                }
            };
            match select4(stream, udp.receive(datagram), timer, app.wait_to_send()).await {
                Either4::First((true, Ok(sent @ 1..))) => tx.consume(sent),
                Either4::First((false, Ok(received @ 1..))) => rx.commit(received),
                Either4::First((_, end)) => {
                    let reset = end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
                    hang_up(socket, clock).await;
                    if let Some(conn) = open.take() {
                        let why = if reset { LossReason::Reset } else { LossReason::Closed };
                        device.handle_lost(conn, why, clock.now());
                    }
                }
                Either4::Second((len, from)) => {
                    let len = len.min(datagram.len());
                    if let Ok(seen) = discovery.handle_datagram(&mut datagram[..len], from, clock.now())
                        && seen.announcement.id == device.config().id.as_str()
                    {
                        device.handle_announcement(IpAddr::V4(seen.address), seen.announcement.version, clock.now());
                    }
                }
                Either4::Third(()) => {}
                Either4::Fourth(()) => app.send(&mut |command| device.send(command, clock.now(), *rng, &mut tx)),
            }
        }
    }
}

/// Time limit for a socket to send the end of the connection: one packet without an acknowledgement.
const HANG_UP_LIMIT: Duration = Duration::from_millis(100);

/// Hangs up before the next dial, even without a connection: a stack refuses to dial on a socket that is still
/// connecting, or that only the other end has closed.
async fn hang_up(socket: &mut impl Socket, clock: &impl Clock) {
    let limit = clock.now() + HANG_UP_LIMIT;
    let _ = select(socket.hang_up(), clock.sleep_until(limit)).await;
}
