//! Changes of devices: power, addresses, versions, keys.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::io::{ErrorKind, Write as _};
use std::net::{TcpStream, UdpSocket};

use rustuya_faulty::PowerLoss;
use rustuya_faulty::client::Client;
use rustuya_faulty::client::MachineEvent;
use rustuya_proto::{Datagram, LossReason, Outcome, Version};

use crate::raw::Raw;
use crate::{KEY, LIMIT, VERSIONS, connected, lamp, set_int, started};

#[test]
fn power_comes_and_goes_on_one_port() {
    let device = started(Version::V35);
    let mut client = connected(&device);
    assert!(matches!(set_int(&mut client, 2, 7), Outcome::Acknowledged { .. }));
    let address = device.addr();
    for _ in 0..3 {
        device.power_off(PowerLoss::Reset);
        assert!(device.wait_for(LIMIT, |state| state.open() == 0));
        let dial = TcpStream::connect(address);
        assert_eq!(dial.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
        let downs = client.losses.len();
        assert!(client.run_until(LIMIT, |client| client.losses.len() > downs));
        assert_eq!(client.losses[downs], LossReason::Reset);
        device.power_on().expect("the port is reserved");
        assert_eq!(device.addr(), address);
        assert!(client.connect(LIMIT));
    }
    assert_eq!(device.dps(None)["2"], 7, "remembered");
}

#[test]
fn power_is_lost_silently() {
    let device = started(Version::V33);
    let (mut unheard, mut quiet) = (Raw::to(&device), Raw::to(&device));
    for raw in [&mut unheard, &mut quiet] {
        raw.query();
        raw.message();
    }
    device.power_off(PowerLoss::Silence);
    device.push(None, serde_json::json!({ "3": "red" }));
    unheard.query();
    assert!(unheard.is_silent() && quiet.is_silent());
    assert_eq!(device.requests().len(), 2, "nobody heard it");
    device.power_on().expect("the port is reserved");
    assert_eq!(unheard.end(), Some(ErrorKind::ConnectionReset), "the device knows nothing of it");
    assert!(quiet.is_silent());
    quiet.query();
    assert_eq!(quiet.end(), Some(ErrorKind::ConnectionReset));
}

#[test]
fn the_address_changes_and_the_port_stays() {
    let device = started(Version::V33);
    let old = device.addr();
    let mut raw = Raw::to(&device);
    raw.query();
    raw.message();
    let new = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
    device.move_to(new).expect("the port is free there");
    assert_eq!(device.addr(), (new, old.port()).into());
    assert_eq!(TcpStream::connect(old).expect_err("gone").kind(), ErrorKind::ConnectionRefused);
    raw.query();
    assert!(raw.is_silent());
    let mut client = connected(&device);
    assert!(matches!(set_int(&mut client, 2, 7), Outcome::Acknowledged { .. }));
    device.power_off(PowerLoss::Reset);
    device.power_on().expect("the port is reserved");
    raw.stream.write_all(b"anybody?").expect("the connection is open");
    assert!(raw.is_silent(), "power at another address changes nothing here");
    // Moves while it is off.
    device.power_off(PowerLoss::Reset);
    device.move_to(old.ip()).expect("its own port");
    assert_eq!(TcpStream::connect(old).expect_err("off").kind(), ErrorKind::ConnectionRefused);
    device.power_on().expect("the port is reserved");
    let _client = connected(&device);
}

#[test]
fn the_version_changes_with_an_update() {
    let device = started(Version::V33);
    let mut old = connected(&device);
    device.set_version(Version::V35);
    assert_eq!(device.version(), Version::V35);
    assert!(old.run_until(LIMIT, |client| client.losses.contains(&LossReason::Reset)));
    let mut client = Client::new(Client::config(device.addr(), &device));
    assert!(client.connect(LIMIT), "{:?}", client.events);
    assert_eq!(client.version(), Some(Version::V35));
    let told =
        |client: &Client| client.events.iter().any(|told| matches!(told, MachineEvent::Down(why) if why.is_auth()));
    assert!(old.run_until(LIMIT, told), "3.3 is not spoken any more: {:?}", old.events);
}

#[test]
fn the_key_changes_with_a_new_pairing() {
    let device = started(Version::V34);
    let mut old = connected(&device);
    device.set_key("fedcba9876543210");
    let told =
        |client: &Client| client.events.iter().any(|told| matches!(told, MachineEvent::Down(why) if why.is_auth()));
    assert!(old.run_until(LIMIT, told), "{:?}", old.events);
    assert_ne!(device.key().expose(), KEY.as_bytes());
    let _client = connected(&device);
}

#[test]
fn connections_are_cut_and_closed() {
    let device = started(Version::V33);
    let mut raw = Raw::to(&device);
    raw.query();
    raw.message();
    device.cut_all();
    assert_eq!(raw.end(), Some(ErrorKind::ConnectionReset));
    let mut raw = Raw::to(&device);
    raw.query();
    raw.message();
    device.close_all();
    assert_eq!(raw.end(), None);
    assert_eq!(device.connections(), 2);
    let mut raw = Raw::to(&device);
    raw.query();
    raw.message();
    let address = device.addr();
    drop(device);
    assert_eq!(raw.end(), None, "dropped");
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn announcements_come_from_the_device() {
    let listener = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    listener.set_read_timeout(Some(LIMIT)).expect("a limit");
    let to = listener.local_addr().expect("bound");
    let mut datagram = [0; 512];
    for version in VERSIONS {
        let own = Ipv4Addr::new(127, 0, 0, 5);
        let device = lamp(version).bind(own.into()).start().expect("a free port");
        for named in [None, Some(Ipv4Addr::new(192, 0, 2, 9))] {
            device.announce_to(to, named).expect("sent");
            let (len, from) = listener.recv_from(&mut datagram).expect("received");
            assert_eq!(from.ip(), own, "{version}");
            let Ok(Datagram::Announcement(announced)) = Datagram::decode(&mut datagram[..len]) else {
                panic!("{version}: no announcement");
            };
            assert_eq!((announced.id, announced.ip), ("lamp", Some(named.unwrap_or(own))), "{version}");
            assert_eq!(announced.version, Some(version));
        }
    }
}

#[test]
fn a_controller_that_reads_nothing_blocks_nobody() {
    let device = started(Version::V33);
    let mut lazy = Raw::to(&device);
    lazy.query();
    lazy.message();
    let began = std::time::Instant::now();
    device.flood(200_000);
    assert!(began.elapsed() < Duration::from_secs(1), "the caller does not wait");
    let mut client = connected(&device);
    assert!(matches!(set_int(&mut client, 2, 7), Outcome::Acknowledged { .. }));
    device.cut_all();
    assert!(device.wait_for(LIMIT, |state| state.open() == 0));
}
