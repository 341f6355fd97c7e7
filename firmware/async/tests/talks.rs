//! Tests of the driver on the host: an announcement, a device on TCP, a command of the application, a lost connection.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::task::Poll;
use std::time;

use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use embedded_io_async::ErrorType;
use rustuya_firmware_async::{App, Clock, Datagrams, Driver, Send, Socket};
use rustuya_proto::*;
use rustuya_seeded::SeededRng;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &[u8; 16] = b"0123456789abcdef";
const SWITCH: DpId = DpId(1);
const LIMIT: time::Duration = time::Duration::from_secs(30);

/// Retries a non-blocking call at each poll; `block_on` polls repeatedly.
async fn ready<T>(mut attempt: impl FnMut() -> std::io::Result<T>) -> Result<T, ErrorKind> {
    poll_fn(|_| match attempt() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Pending,
        done => Poll::Ready(done.map_err(|error| error.kind())),
    })
    .await
}

#[derive(Default)]
struct Tcp(Option<TcpStream>);

impl ErrorType for Tcp {
    type Error = embedded_io_async::ErrorKind;
}

impl embedded_io_async::Read for Tcp {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let stream = self.0.as_mut().ok_or(embedded_io_async::ErrorKind::NotConnected)?;
        ready(|| stream.read(buf)).await.map_err(|_| embedded_io_async::ErrorKind::ConnectionReset)
    }
}

impl embedded_io_async::Write for Tcp {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        let stream = self.0.as_mut().ok_or(embedded_io_async::ErrorKind::NotConnected)?;
        ready(|| stream.write(buf)).await.map_err(|_| embedded_io_async::ErrorKind::ConnectionReset)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl Socket for Tcp {
    async fn dial(&mut self, to: SocketAddr) -> Result<(), LossReason> {
        let stream = TcpStream::connect(to).map_err(|_| LossReason::Refused)?;
        stream.set_nonblocking(true).map_err(|_| LossReason::Other)?;
        self.0 = Some(stream);
        Ok(())
    }

    async fn hang_up(&mut self) {
        self.0 = None;
    }
}

struct Udp(UdpSocket);

impl Datagrams for Udp {
    async fn receive(&mut self, into: &mut [u8]) -> (usize, SocketAddr) {
        ready(|| self.0.recv_from(into)).await.unwrap()
    }

    async fn send(&mut self, _datagram: &[u8], _to: SocketAddrV4) {}
}

struct Host(time::Instant);

impl Clock for Host {
    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap())
    }

    async fn sleep_until(&self, when: Instant) {
        poll_fn(|_| if self.now() >= when { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// Application that presses a button on each connection; done when the switch was reported on twice.
struct Button<'a> {
    pressed: bool,
    ups: u32,
    reported: &'a Cell<u32>,
}

impl App for Button<'_> {
    fn event(&mut self, event: Event<'_>, send: Send<'_>) {
        if let Event::Up { .. } = event {
            self.ups += 1;
            self.pressed = true;
            send(&Command::status()).unwrap();
        }
        let report = event.message().and_then(|message| message.payload.report());
        if report.and_then(|report| report.dps?.value(SWITCH)?.as_bool()) == Some(true) {
            self.reported.set(self.reported.get() + 1);
        }
    }

    async fn wait_to_send(&mut self) {
        poll_fn(|_| if self.pressed { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    fn send(&mut self, send: Send<'_>) {
        self.pressed = false;
        send(&Command::set(DpMap::Pairs(&[(SWITCH, DpValue::Bool(true))]))).unwrap();
    }
}

/// Serves two connections, and closes the first one after the switch was set.
fn serve(listener: &TcpListener, version: Version) {
    for round in 0..2 {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let start = Host(time::Instant::now());
        let mut rng = SeededRng::new(7);
        let config = EmulatorConfig::new(DeviceId::new(ID).unwrap(), version, LocalKey::new(*KEY));
        let mut device = Emulator::new(config, start.now(), &mut rng);
        let mut model: FixedModel<1> = FixedModel::new();
        model.set(None, SWITCH, DpValue::Bool(false)).unwrap();
        let (mut rx, mut tx) = (RxBuf::new([0; 1024]), TxBuf::new([0; 1024]));
        let mut written = false;
        loop {
            match device.poll(start.now(), &mut rng, &mut model, &mut rx, &mut tx) {
                EmulatorOutput::Event(event) => written |= matches!(event, EmulatorEvent::Written { .. }),
                EmulatorOutput::Hangup { reason } => panic!("{reason:?}"),
                EmulatorOutput::Wait { .. } => {
                    let sent = stream.write(tx.pending()).unwrap();
                    tx.consume(sent);
                    if written && round == 0 {
                        break;
                    }
                    match stream.read(rx.spare_mut()) {
                        Ok(n @ 1..) => rx.commit(n),
                        _ => break,
                    }
                }
            }
        }
    }
}

fn talk(version: Version) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || serve(&listener, version));
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let mut datagram = [0; 512];
    let said = Announcement::new(ID, Ipv4Addr::LOCALHOST, version).write(&[3; 12], &mut datagram).unwrap();
    // Configures no address: only the announcement tells it.
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram[..said], udp.local_addr().unwrap()).unwrap();

    let reported = Cell::new(0);
    let clock = Host(time::Instant::now());
    // Configures no version either. 3.1 needs a minimum version: it proves nothing about the device.
    let least = if version == Version::V31 { version } else { Version::V33 };
    let config = DeviceConfig::new(DeviceId::new(ID).unwrap(), LocalKey::new(*KEY)).port(port).min_version(least);
    let driver = Driver {
        socket: Tcp::default(),
        udp: Udp(udp),
        app: Button { pressed: false, ups: 0, reported: &reported },
        rng: &mut SeededRng::new(1),
        device: Device::new(config, clock.now()),
        discovery: Discovery::<4>::new(DiscoveryConfig::default()),
        clock,
    };
    let begin = time::Instant::now();
    let end = poll_fn(|_| {
        let done = reported.get() >= 2 || begin.elapsed() > LIMIT;
        if done { Poll::Ready(()) } else { Poll::Pending }
    });
    let (mut rx, mut tx, mut datagram) = ([0; 1024], [0; 1024], [0; 512]);
    match block_on(select(driver.run(&mut rx, &mut tx, &mut datagram), end)) {
        Either::Second(()) => assert!(reported.get() >= 2, "{version}: {} reports", reported.get()),
        Either::First(never) => never,
    }
    server.join().unwrap();
}

#[test]
fn every_version_is_found_and_survives_a_lost_connection() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        talk(version);
    }
}
