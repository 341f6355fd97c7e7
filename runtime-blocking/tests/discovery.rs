//! Discovery against devices that announce themselves on loopback.

mod common;

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;

use common::{ID, KEY, SOON, fake, thread as poll_thread};
use rustuya_faulty::{FaultyDevice, PowerLoss};
use rustuya_runtime_blocking::{Device, DiscoveredDevice, Discovery, DiscoveryBuilder, Scanner, SightingKind, Version};
use serde_json::json;

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn discovery() -> DiscoveryBuilder {
    Discovery::builder().ports([0, 0, 0]).bind_address(LOCALHOST).active(false)
}

fn announce(lamp: &FaultyDevice, to: SocketAddr) {
    lamp.announce_to(to, None).expect("loopback takes datagrams");
}

#[test]
fn announcements_are_new_once_and_then_repeated() {
    let discovery = discovery().start(&poll_thread()).expect("free ports");
    let ports = discovery.local_addrs().to_vec();
    let mut listener = discovery.listener();
    for (version, port) in [(Version::V31, ports[0]), (Version::V34, ports[1]), (Version::V35, ports[2])] {
        let id = format!("bf{}", version.as_str());
        let lamp = FaultyDevice::builder(&id, KEY, version).start().expect("a free port");
        for kind in [SightingKind::New, SightingKind::SeenAgain] {
            announce(&lamp, port);
            let found = listener.recv_timeout(SOON).expect("is heard");
            assert_eq!((found.kind, found.id.as_str(), found.ip), (kind, id.as_str(), LOCALHOST));
            assert_eq!(found.version, Some(version));
        }
    }
    assert_eq!(listener.recv_timeout(Duration::from_millis(20)), Err(RecvTimeoutError::Timeout));
    drop(discovery);
    assert_eq!(listener.recv(), None);
}

#[test]
fn scans_and_searches_end_in_time() {
    let discovery = discovery().start(&poll_thread()).expect("free ports");
    let announced = discovery.local_addrs()[1];
    let lamp = fake(Version::V33).start().expect("a free port");
    thread::scope(|scope| {
        let search = scope.spawn(|| discovery.find(ID, SOON));
        let scan = scope.spawn(|| discovery.scan(Duration::from_secs(1)));
        let absent = scope.spawn(|| discovery.find("absent", Duration::from_millis(300)));
        // The threads may not listen yet: devices announce themselves again and again.
        while !(search.is_finished() && scan.is_finished()) {
            announce(&lamp, announced);
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(search.join().expect("does not panic").expect("is heard").ip, LOCALHOST);
        let found = scan.join().expect("does not panic");
        assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), [ID]);
        assert_eq!(absent.join().expect("does not panic"), None);
    });
    let mut again = discovery.stream(SOON);
    announce(&lamp, announced);
    let known = |found: DiscoveredDevice| (found.kind, found.id);
    assert_eq!(again.next().map(known), Some((SightingKind::New, ID.to_owned())), "every scan starts anew");
}

#[test]
fn a_scanner_needs_no_service() {
    let scanner = Scanner::new(poll_thread()).ports([0, 0, 0]).bind_address(LOCALHOST).active(false);
    let scanner = scanner.timeout(Duration::from_millis(50));
    assert_eq!(scanner.scan().expect("free ports"), []);
    assert_eq!(scanner.find(ID).expect("free ports"), None);
    assert_eq!(scanner.stream().expect("free ports").count(), 0);
}

#[test]
fn an_announcement_locates_a_device_and_brings_it_back() {
    let thread = poll_thread();
    let discovery = discovery().start(&thread).expect("free ports");
    let announced = discovery.local_addrs()[1];
    let lamp = fake(Version::V34).start().expect("a free port");
    let builder = Device::builder(ID, KEY).expect("usable id and key").port(lamp.addr().port());
    let device = builder.discovery(&discovery).spawn(&thread);
    drop((thread, discovery));
    assert_eq!(device.address(), None);
    announce(&lamp, announced);
    assert_eq!(device.wait_connected(SOON), Ok(Version::V34));
    assert_eq!(device.address(), Some(LOCALHOST.into()));

    lamp.power_off(PowerLoss::Reset);
    let mut events = device.listener();
    // By now the next attempt is more than a few seconds away.
    while !matches!(
        events.recv_timeout(SOON * 2),
        Ok(rustuya_runtime_blocking::Event::Down { retry_in: Some(wait), .. }) if wait > Duration::from_secs(3)
    ) {}
    lamp.power_on().expect("the port is reserved");
    announce(&lamp, announced);
    device.wait_connected(Duration::from_secs(2)).expect("at once");
    device.set_value(2, 1).acknowledged().expect("acknowledges");
    assert_eq!(lamp.dps(None)["2"], json!(1));
}

#[test]
fn a_scan_beside_a_service_shares_its_ports_and_takes_its_own_time() {
    let thread = poll_thread();
    let sockets = [(); 3].map(|()| std::net::UdpSocket::bind((LOCALHOST, 0)).expect("a free port"));
    let ports = sockets.each_ref().map(|socket| socket.local_addr().expect("is bound").port());
    drop(sockets);
    let builder = Discovery::builder().ports(ports).bind_address(LOCALHOST).active(false);
    let discovery = builder.start(&thread).expect("free ports");
    let mut news = discovery.listener();
    let fleet: Vec<_> = (0..20).map(|n| format!("bf{n:020}")).collect();
    let fleet: Vec<_> =
        fleet.iter().map(|id| FaultyDevice::builder(id, KEY, Version::V34).start().expect("a free port")).collect();
    // On a thread of its own, like another part of the program.
    let scanner = Scanner::new(poll_thread()).ports(ports).bind_address(LOCALHOST).active(false);
    let mut long = scanner.clone().timeout(SOON * 10).stream().expect("the ports are shared");
    let mut short = scanner.timeout(Duration::from_millis(300)).stream().expect("the ports are shared");
    fleet.iter().for_each(|lamp| announce(lamp, discovery.local_addrs()[1]));
    assert_eq!(short.all().len(), 20, "each datagram reaches everybody");
    assert_eq!((0..20).filter(|_| news.recv_timeout(SOON).is_ok()).count(), 20);
    announce(&fleet[0], discovery.local_addrs()[1]);
    assert_eq!(long.by_ref().take(21).count(), 21, "it goes on after the short one");
    assert_eq!(discovery.counts().datagrams, 21);
    // Many more datagrams than are received at once, all on one port, do not starve the other ports.
    let socket = std::net::UdpSocket::bind("127.0.0.66:0").expect("a free port");
    for n in 0..2_000 {
        let text = format!(r#"{{"gwId":"forged{n}","ip":"127.0.0.66"}}"#);
        socket.send_to(text.as_bytes(), discovery.local_addrs()[0]).expect("loopback takes it");
    }
    announce(&fleet[1], discovery.local_addrs()[1]);
    let id = fleet[1].id();
    let before = core::iter::from_fn(|| news.recv_timeout(SOON).ok()).position(|found| found.id == id.as_str());
    assert!(before.is_some(), "is heard");
}
