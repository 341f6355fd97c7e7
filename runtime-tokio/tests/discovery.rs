//! Discovery against virtual devices that announce themselves on loopback.

mod common;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::net::UdpSocket;

use common::{controller, fake, soon};
use rustuya_runtime_tokio::{Discovery, DiscoveryBuilder, Found, SightingKind, Tokio, Version, VirtualDevice};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn discovery() -> DiscoveryBuilder {
    Discovery::builder().ports([0, 0, 0]).bind_address(LOCALHOST)
}

/// One device of each version; those up to 3.4 announce themselves, the 3.5 one waits to be asked.
async fn household(probe: SocketAddrV4, discovery: &Discovery) -> Vec<VirtualDevice> {
    let ports = discovery.local_addrs();
    let mut devices = Vec::new();
    for version in Version::ALL {
        let id = format!("bf0123456789abcd{}", version.as_str().replace('.', "0"));
        let device = fake(&id, version).product_key("keyproduct");
        let device = match version {
            Version::V31 => device.announce_to(ports[0]),
            Version::V35 => device.answer_probes(SocketAddr::V4(probe), ports[2].port()),
            _ => device.announce_to(ports[1]),
        };
        devices.push(device.announce_every(Duration::from_millis(100)).start().await.expect("free ports"));
    }
    devices
}

/// An address that nobody else is likely to take in the next moment.
fn free_address() -> SocketAddrV4 {
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a free port");
    SocketAddrV4::new(LOCALHOST, socket.local_addr().expect("is bound").port())
}

fn ids(found: &[Found]) -> Vec<&str> {
    let mut ids: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn every_version_is_found_and_found_again() {
    let probe = free_address();
    let discovery = discovery().probe_to([probe]).start(&Tokio).expect("free ports");
    let devices = household(probe, &discovery).await;
    let expected: Vec<&str> = devices.iter().map(VirtualDevice::id).collect();
    for _ in 0..2 {
        let found = soon(discovery.scan(Duration::from_secs(2))).await;
        assert_eq!(ids(&found), expected);
        for (device, version) in devices.iter().zip(Version::ALL) {
            let found = found.iter().find(|found| found.id == device.id()).expect("was compared above");
            assert_eq!((found.kind, found.version), (SightingKind::New, Some(version)));
            assert_eq!((found.ip, found.product_key.as_deref()), (LOCALHOST, Some("keyproduct")));
        }
    }
}

#[tokio::test]
async fn a_listener_hears_news_once_and_repeats_as_such() {
    let discovery = discovery().active(false).start(&Tokio).expect("free ports");
    let mut listener = discovery.listener();
    let announced = discovery.local_addrs()[1];
    let lamp = fake("bf0123456789abcdefgh", Version::V33).announce_to(announced);
    let lamp = lamp.announce_every(Duration::from_millis(20)).start().await.expect("a free port");
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let found = soon(listener.recv()).await.expect("goes on");
        assert_eq!(found.id, lamp.id());
        kinds.push(found.kind);
    }
    assert_eq!(kinds, [SightingKind::New, SightingKind::SeenAgain, SightingKind::SeenAgain]);
    drop(discovery);
    soon(async { while listener.recv().await.is_some() {} }).await;
}

#[tokio::test]
async fn an_announcement_for_another_address_is_not_believed() {
    let cautious = discovery().active(false).start(&Tokio).expect("free ports");
    let trusting = discovery().active(false).trust_relayed(true).start(&Tokio).expect("free ports");
    let lamp = fake("bf0123456789abcdefgh", Version::V34)
        .announce_as([192, 0, 2, 7].into())
        .announce_to(cautious.local_addrs()[1])
        .announce_to(trusting.local_addrs()[1])
        .announce_every(Duration::from_millis(20));
    let (mut refused, mut relayed) = (cautious.listener(), trusting.listener());
    let _lamp = lamp.start().await.expect("a free port");
    for _ in 0..3 {
        let found = soon(relayed.recv()).await.expect("goes on");
        assert_eq!(found.ip, Ipv4Addr::new(192, 0, 2, 7));
    }
    assert_eq!(refused.try_recv(), None);
}

#[tokio::test]
async fn a_device_that_waits_to_be_asked_is_located() {
    let probe = free_address();
    let discovery = discovery().probe_to([probe]).start(&Tokio).expect("free ports");
    let answer = discovery.local_addrs()[2].port();
    let lamp = fake("bf0123456789abcdefgh", Version::V35).answer_probes(SocketAddr::V4(probe), answer);
    let lamp = lamp.start().await.expect("a free port");
    let located = rustuya_runtime_tokio::Device::builder(lamp.id(), common::KEY)
        .expect("usable id and key")
        .port(lamp.local_addr().port())
        .discovery(&discovery)
        .spawn(&Tokio);
    assert_eq!(soon(located.wait_connected(Duration::from_secs(15))).await, Ok(Version::V35));
    // One that is known already is located without another announcement.
    drop(located);
    let again = controller(&lamp).discovery(&discovery).spawn(&Tokio);
    assert_eq!(soon(again.wait_connected(Duration::from_secs(15))).await, Ok(Version::V35));
}
