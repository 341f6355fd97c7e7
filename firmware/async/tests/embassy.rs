//! Tests of the driver on embassy-net: two of its stacks, connected in memory, with a virtual clock.

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;

use embassy_net::tcp::{ConnectError, TcpSocket};
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, StackResources, StaticConfigV4};
use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_time::{MockDriver, Timer};
use embedded_io_async::ErrorType;
use rustuya_firmware_async::{App, Clock, Datagrams, Driver, Send, Socket};
use rustuya_proto::*;
use rustuya_seeded::SeededRng;

const ID: &str = "eb0123456789abcdefghij";
const KEY: &[u8; 16] = b"0123456789abcdef";
const CONTROLLER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const PORT: u16 = 6668;
const MTU: usize = 1514;

/// Fault of the device or the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The device closes each connection after it has answered.
    Closes,
    /// The device resets each connection.
    Resets,
    /// The device does not listen.
    Refuses,
    /// The device loses power: packets are lost, and it forgets its connection.
    Silent,
}

/// State shared by the two stacks and the test.
struct World {
    trouble: Cell<Option<Trouble>>,
    ups: Cell<u32>,
    downs: RefCell<Vec<DownReason>>,
    /// Present connections of the device.
    held: Cell<u32>,
    accepted: Cell<u32>,
    dials: RefCell<Vec<Result<(), ConnectError>>>,
}

struct Tcp<'a> {
    socket: TcpSocket<'a>,
    world: Rc<World>,
}

impl ErrorType for Tcp<'_> {
    type Error = embassy_net::tcp::Error;
}

impl embedded_io_async::Read for Tcp<'_> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.socket.read(buf).await
    }
}

impl embedded_io_async::Write for Tcp<'_> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, Self::Error> {
        self.socket.write(buf).await
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        self.socket.flush().await
    }
}

impl Socket for Tcp<'_> {
    async fn dial(&mut self, to: SocketAddr) -> Result<(), LossReason> {
        let SocketAddr::V4(to) = to else { return Err(LossReason::Other) };
        let dialed = self.socket.connect(to).await;
        self.world.dials.borrow_mut().push(dialed);
        dialed.map_err(|error| match error {
            ConnectError::ConnectionReset => LossReason::Refused,
            ConnectError::TimedOut => LossReason::TimedOut,
            _ => LossReason::Other,
        })
    }

    async fn hang_up(&mut self) {
        self.socket.abort();
        // Sends the end of the connection. An error means that there is none.
        let _ = self.socket.flush().await;
    }
}

/// Socket without announcements: the address is configured.
struct NoAnnouncements;

impl Datagrams for NoAnnouncements {
    async fn receive(&mut self, _into: &mut [u8]) -> (usize, SocketAddr) {
        pending().await
    }

    async fn send(&mut self, _datagram: &[u8], _to: SocketAddrV4) {}
}

struct Virtual;

impl Clock for Virtual {
    fn now(&self) -> Instant {
        Instant::from_micros(embassy_time::Instant::now().as_micros())
    }

    async fn sleep_until(&self, when: Instant) {
        Timer::at(embassy_time::Instant::from_micros(when.as_micros())).await;
    }
}

struct Watching(Rc<World>);

impl App for Watching {
    fn event(&mut self, event: Event<'_>, send: Send<'_>) {
        match event {
            Event::Up { .. } => {
                self.0.ups.set(self.0.ups.get() + 1);
                send(&Command::status()).unwrap();
            }
            Event::Down { reason, .. } => self.0.downs.borrow_mut().push(reason),
            _ => {}
        }
    }

    async fn wait_to_send(&mut self) {
        pending().await
    }

    fn send(&mut self, _send: Send<'_>) {}
}

/// Creates a stack with the cable's end.
macro_rules! stack {
    ($stack:ident, $runner:ident, $cable:ident, $address:expr, $last:expr) => {
        let mut state = channel::State::<MTU, 4, 4>::new();
        let ($cable, device) = channel::new(&mut state, HardwareAddress::Ethernet([2, 0, 0, 0, 0, $last]));
        let address = Ipv4Cidr::new(Ipv4Address::from($address), 24);
        let config = Config::ipv4_static(StaticConfigV4 { address, gateway: None, dns_servers: Default::default() });
        let mut resources = StackResources::<3>::new();
        let ($stack, mut $runner) = embassy_net::new(device, config, &mut resources, $last.into());
    };
}

/// Carries packets from one stack to the other, or drops them.
async fn carry(from: &mut channel::TxRunner<'_, MTU>, to: &mut channel::RxRunner<'_, MTU>, world: &World) {
    loop {
        let packet = from.tx_buf().await.to_vec();
        from.tx_done();
        if world.trouble.get() != Some(Trouble::Silent) {
            to.rx_buf().await[..packet.len()].copy_from_slice(&packet);
            to.rx_done(packet.len());
        }
    }
}

/// Runs the device: one connection after the other.
async fn serve(socket: &mut TcpSocket<'_>, version: Version, world: &World) {
    loop {
        if world.trouble.get() == Some(Trouble::Refuses) {
            Timer::after_millis(1).await;
            continue;
        }
        let listening = async {
            while world.trouble.get() != Some(Trouble::Refuses) {
                Timer::after_millis(1).await;
            }
        };
        let accepted = embassy_futures::select::select(socket.accept(PORT), listening).await;
        if let embassy_futures::select::Either::First(Ok(())) = accepted {
            world.accepted.set(world.accepted.get() + 1);
            world.held.set(1);
            talk(socket, version, world).await;
            world.held.set(0);
        }
        if world.trouble.get() == Some(Trouble::Closes) {
            // Like firmware: closes, and frees the socket once the other end has closed, too.
            socket.close();
            for _ in 0..5000 {
                if !socket.may_recv() {
                    break;
                }
                Timer::after_millis(1).await;
            }
        }
        socket.abort();
        let _ = socket.flush().await;
    }
}

/// Serves the controller until it leaves, or trouble begins.
async fn talk(socket: &mut TcpSocket<'_>, version: Version, world: &World) {
    let mut rng = SeededRng::new(7);
    let config = EmulatorConfig::new(DeviceId::new(ID).unwrap(), version, LocalKey::new(*KEY));
    let mut device = Emulator::new(config, Virtual.now(), &mut rng);
    let mut model: FixedModel<1> = FixedModel::new();
    model.set(None, DpId(1), DpValue::Bool(true)).unwrap();
    let (mut rx, mut tx) = (RxBuf::new([0; 1024]), TxBuf::new([0; 1024]));
    loop {
        match device.poll(Virtual.now(), &mut rng, &mut model, &mut rx, &mut tx) {
            EmulatorOutput::Event(_) => {}
            EmulatorOutput::Hangup { .. } => return,
            EmulatorOutput::Wait { .. } if !tx.pending().is_empty() => match socket.write(tx.pending()).await {
                Ok(sent) => tx.consume(sent),
                Err(_) => return,
            },
            EmulatorOutput::Wait { .. } => {
                let spoiled = async {
                    while world.trouble.get().is_none() {
                        Timer::after_millis(1).await;
                    }
                };
                match embassy_futures::select::select(socket.read(rx.spare_mut()), spoiled).await {
                    embassy_futures::select::Either::First(Ok(got @ 1..)) => rx.commit(got),
                    _ => return,
                }
            }
        }
    }
}

/// Polls until `done`, for one minute of virtual time at most.
fn run(mut all: core::pin::Pin<&mut impl Future<Output = ()>>, mut done: impl FnMut() -> bool) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..60_000 {
        assert_eq!(all.as_mut().poll(&mut context), Poll::Pending);
        if done() {
            return true;
        }
        MockDriver::get().advance(embassy_time::Duration::from_millis(1));
    }
    false
}

fn comes_back(version: Version, trouble: Trouble) {
    let world = Rc::new(World {
        trouble: Cell::new(None),
        ups: Cell::new(0),
        downs: RefCell::default(),
        held: Cell::new(0),
        accepted: Cell::new(0),
        dials: RefCell::default(),
    });
    stack!(near, near_runner, near_cable, CONTROLLER, 1u8);
    stack!(far, far_runner, far_cable, DEVICE, 2u8);
    let (near_link, mut near_in, mut near_out) = near_cable.split();
    let (far_link, mut far_in, mut far_out) = far_cable.split();
    near_link.set_link_state(LinkState::Up);
    far_link.set_link_state(LinkState::Up);

    let ([mut rx, mut tx], [mut far_rx, mut far_tx]) = ([[0; 2048]; 2], [[0; 2048]; 2]);
    let mut listener = TcpSocket::new(far, &mut far_rx, &mut far_tx);
    let mut config = DeviceConfig::new(DeviceId::new(ID).unwrap(), LocalKey::new(*KEY)).address(IpAddr::V4(DEVICE));
    config.version = Some(version);
    // Tests only reconnecting, not the detection of the version.
    let config = config.probe_on_failure(false);
    let mut rng = SeededRng::new(1);
    let driver = Driver {
        socket: Tcp { socket: TcpSocket::new(near, &mut rx, &mut tx), world: Rc::clone(&world) },
        udp: NoAnnouncements,
        app: Watching(Rc::clone(&world)),
        rng: &mut rng,
        device: Device::new(config, Virtual.now()),
        discovery: Discovery::<1>::new(DiscoveryConfig::default()),
        clock: Virtual,
    };
    let (mut frames_in, mut frames_out, mut datagram) = ([0; 1024], [0; 1024], [0; 512]);
    let all = async {
        let stacks = embassy_futures::join::join(near_runner.run(), far_runner.run());
        let cable = embassy_futures::join::join(
            carry(&mut near_out, &mut far_in, &world),
            carry(&mut far_out, &mut near_in, &world),
        );
        let device = serve(&mut listener, version, &world);
        let controller = driver.run(&mut frames_in, &mut frames_out, &mut datagram);
        embassy_futures::join::join4(stacks, cable, device, controller).await;
    };
    let mut all = pin!(all);
    let told = || format!("{version} {trouble:?}: {:?}, dials {:?}", world.downs.borrow(), world.dials.borrow());

    assert!(run(all.as_mut(), || world.ups.get() == 1), "{}", told());
    for round in 2..=3 {
        let before = world.downs.borrow().len();
        world.trouble.set(Some(trouble));
        assert!(run(all.as_mut(), || world.downs.borrow().len() > before), "{}", told());
        // Expects more than one failed attempt.
        let dials = world.dials.borrow().len();
        let accepted = world.accepted.get();
        let tried = || world.dials.borrow().len() > dials + 1 || world.accepted.get() > accepted + 1;
        let waited = embassy_time::Instant::now() + embassy_time::Duration::from_secs(20);
        assert!(run(all.as_mut(), || tried() || embassy_time::Instant::now() > waited), "{}", told());
        world.trouble.set(None);
        assert!(run(all.as_mut(), || world.ups.get() >= round), "round {round}: {}", told());
        assert!(run(all.as_mut(), || world.held.get() == 1), "{}", told());
        world.ups.set(round);
    }
    assert!(!world.dials.borrow().contains(&Err(ConnectError::InvalidState)), "{}", told());
}

#[test]
fn the_driver_reconnects_on_embassy_net_after_every_kind_of_loss() {
    // One after the other: there is only one virtual clock.
    for trouble in [Trouble::Closes, Trouble::Resets, Trouble::Refuses, Trouble::Silent] {
        for version in [Version::V33, Version::V35] {
            comes_back(version, trouble);
        }
    }
}
