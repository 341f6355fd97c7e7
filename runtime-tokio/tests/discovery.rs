//! Discovery against virtual devices that announce themselves on loopback.

mod common;

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::net::UdpSocket;

use common::{controller, fake, soon};
use rustuya_runtime_tokio::proto::Announcement;
use rustuya_runtime_tokio::{
    CommandError, DiscoveredDevice, Discovery, DiscoveryBuilder, DownReason, Event, Network, Scanner, SightingKind,
    SweepEvent, Tokio, Version,
};
use rustuya_virtual_device::VirtualDevice;
use tokio::net::TcpSocket;

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

/// Sockets at one TCP port of this host and of these addresses. On Linux they keep it from everybody but a listener
/// that shares it; nobody answers there before that.
fn kept_port(addresses: &[Ipv4Addr]) -> (Vec<TcpSocket>, u16) {
    let bind = |address: Ipv4Addr, port: u16| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("can be shared");
        socket.bind(SocketAddr::from((address, port))).map(|()| socket)
    };
    for _ in 0..32 {
        let first = bind(LOCALHOST, 0).expect("a free port");
        let port = first.local_addr().expect("is bound").port();
        if let Ok(mut all) = addresses.iter().map(|address| bind(*address, port)).collect::<Result<Vec<_>, _>>() {
            all.push(first);
            // Elsewhere they would keep it from listeners, too.
            all.retain(|_| cfg!(target_os = "linux"));
            return (all, port);
        }
    }
    panic!("no port is free on all of {addresses:?}");
}

fn ids(found: &[DiscoveredDevice]) -> Vec<&str> {
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

/// Three ports that nobody else is likely to take in the next moment.
fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| UdpSocket::bind((LOCALHOST, 0)).expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("is bound").port())
}

fn id_of(n: usize) -> String {
    format!("bf{n:020}")
}

#[tokio::test]
async fn a_scan_beside_a_service_that_keeps_devices_finds_all_that_answer() {
    let ports = free_ports();
    let mut fleet = Vec::new();
    let mut probes = Vec::new();
    for n in 0..20 {
        let lamp = fake(&id_of(n), Version::V35).answer_probes("127.0.0.1:0".parse().expect("valid"), ports[2]);
        let lamp = lamp.start().await.expect("a free port");
        let Some(SocketAddr::V4(probe)) = lamp.probe_addr() else { panic!("answers probes") };
        probes.push(probe);
        fleet.push(lamp);
    }
    let builder = Discovery::builder().ports(ports).bind_address(LOCALHOST).probe_to(probes.clone());
    let engine = builder.start(&Tokio).expect("free ports");
    let mut news = engine.listener();
    let scanner = Scanner::new(Tokio).ports(ports).bind_address(LOCALHOST).probe_to(probes);
    let scanner = scanner.timeout(Duration::from_millis(1500));
    let expected: Vec<String> = (0..20).map(id_of).collect();
    let (one, two) = soon(async { tokio::join!(scanner.scan(), scanner.scan()) }).await;
    assert_eq!(ids(&one.expect("the ports are shared")), expected);
    assert_eq!(ids(&two.expect("the ports are shared")), expected);
    let mut heard = std::collections::BTreeSet::new();
    while let Some(found) = news.try_recv() {
        heard.insert(found.id);
    }
    assert_eq!(heard.len(), 20, "the service has heard all of them, too");
}

#[tokio::test]
async fn a_short_scan_does_not_shorten_a_long_one() {
    let probe = free_address();
    let discovery = discovery().probe_to([probe]).probe_interval(Duration::from_millis(100));
    let discovery = discovery.start(&Tokio).expect("free ports");
    let answers = discovery.local_addrs()[2].port();
    let mut long = discovery.stream(Duration::from_secs(60));
    assert_eq!(discovery.scan(Duration::from_millis(200)).await, []);
    // Is switched on only now, and announces itself only when it is asked.
    let lamp = fake("bf0123456789abcdefgh", Version::V35).answer_probes(SocketAddr::V4(probe), answers);
    let lamp = lamp.start().await.expect("a free port");
    let found = soon(long.recv()).await.expect("goes on");
    assert_eq!(found.id, lamp.id());
}

#[tokio::test]
async fn a_device_that_is_switched_on_late_is_asked_for_until_it_answers() {
    let probe = free_address();
    let discovery = discovery().probe_to([probe]).probe_interval(Duration::from_millis(100));
    let discovery = discovery.start(&Tokio).expect("free ports");
    let answers = discovery.local_addrs()[2].port();
    let (_kept, tcp) = kept_port(&[Ipv4Addr::new(127, 0, 0, 7)]);
    let sought = rustuya_runtime_tokio::Device::builder("bf0123456789abcdefgh", common::KEY)
        .expect("usable id and key")
        .port(tcp)
        .discovery(&discovery)
        .spawn(&Tokio);
    // The probes that are sent meanwhile are heard by nobody.
    assert!(sought.wait_connected(Duration::from_millis(1200)).await.is_err());
    let start = |tcp: u16, last: u8| {
        let lamp = fake("bf0123456789abcdefgh", Version::V35).answer_probes(SocketAddr::V4(probe), answers);
        lamp.bind(SocketAddr::from(([127, 0, 0, last], tcp))).start()
    };
    let lamp = start(tcp, 1).await.expect("a free port");
    assert_eq!(soon(sought.wait_connected(Duration::from_secs(15))).await, Ok(Version::V35));
    // It gets another address: it is asked for once more.
    drop(lamp);
    let mut events = sought.listener();
    let moved = start(tcp, 7).await.expect("a free port");
    soon(async {
        while sought.address() != Some(moved.local_addr().ip()) || !sought.is_connected() {
            events.recv().await.expect("goes on");
        }
    })
    .await;
}

#[tokio::test]
async fn a_flood_on_one_port_hides_no_device_on_another_nor_in_a_scan() {
    let discovery = discovery().active(false).start(&Tokio).expect("free ports");
    let ports = discovery.local_addrs().to_vec();
    let over = std::sync::Arc::new(core::sync::atomic::AtomicBool::new(false));
    let flood = std::thread::spawn({
        let (over, to) = (std::sync::Arc::clone(&over), ports[0]);
        move || {
            let socket = UdpSocket::bind("127.0.0.66:0").expect("a free port");
            for n in 0..2_000_000 {
                if over.load(core::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                let text = format!(r#"{{"gwId":"forged{n}","ip":"127.0.0.66","version":"3.3"}}"#);
                // A datagram that finds no room is lost.
                let _sent = socket.send_to(text.as_bytes(), to);
            }
        }
    });
    let lamp = fake("bf0123456789abcdefgh", Version::V34).announce_to(ports[1]);
    let late = fake("bf0123456789abcdefgi", Version::V33).announce_to(ports[0]);
    let lamp = lamp.announce_every(Duration::from_millis(20)).start().await.expect("a free port");
    let late = late.announce_every(Duration::from_millis(20)).start().await.expect("a free port");
    let found = soon(discovery.scan(Duration::from_secs(3))).await;
    over.store(true, core::sync::atomic::Ordering::Relaxed);
    flood.join().expect("does not panic");
    for device in [&lamp, &late] {
        assert!(found.iter().any(|found| found.id == device.id()), "{} among {}", device.id(), found.len());
    }
    assert!(found.len() <= 16_384);
    assert!(discovery.counts().datagrams >= found.len() as u64);
}

/// Announces made-up devices, each from the next of these addresses, until told to stop.
#[cfg(target_os = "linux")]
fn forge(to: SocketAddr, over: std::sync::Arc<core::sync::atomic::AtomicBool>) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let senders: Vec<_> = (1..=250)
            .map(|n| (n, UdpSocket::bind((Ipv4Addr::new(127, 0, 66, n), 0)).expect("an address of this host")))
            .collect();
        let mut sent = 0;
        while !over.load(core::sync::atomic::Ordering::Relaxed) {
            for (n, socket) in &senders {
                let text = format!(r#"{{"gwId":"forged{sent}","ip":"127.0.66.{n}","version":"3.3"}}"#);
                sent += u64::from(socket.send_to(text.as_bytes(), to).is_ok());
            }
        }
        sent
    })
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn among_many_forged_senders_a_device_is_found_by_its_id_and_remembered_by_who_has_it() {
    let discovery = discovery().active(false).start(&Tokio).expect("free ports");
    let to = discovery.local_addrs()[1];
    let known = fake("bf0123456789abcdefgh", Version::V34).announce_to(to);
    let known = known.announce_every(Duration::from_secs(3600)).start().await.expect("a free port");
    let device = controller(&known).address(rustuya_runtime_tokio::Address::Auto).port(known.local_addr().port());
    let device = device.discovery(&discovery).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("was announced");
    let over = std::sync::Arc::default();
    let forger = forge(to, std::sync::Arc::clone(&over));
    while discovery.counts().dropped < 20_000 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let late = fake("bf0123456789abcdefgi", Version::V33).announce_to(to);
    let late = late.announce_every(Duration::from_millis(20)).start().await.expect("a free port");
    let found = soon(discovery.find(late.id(), Duration::from_secs(15))).await;
    let all = soon(discovery.scan(Duration::from_secs(2))).await;
    // Told once, before the flood: another handle of the same device is told where it is all the same.
    let again = controller(&known).address(rustuya_runtime_tokio::Address::Auto).port(known.local_addr().port());
    let again = again.discovery(&discovery).spawn(&Tokio);
    let connected = soon(again.wait_connected(Duration::from_secs(15))).await;
    over.store(true, core::sync::atomic::Ordering::Relaxed);
    assert!(forger.join().expect("does not panic") > 20_000);
    assert_eq!(found.map(|found| found.id).as_deref(), Some(late.id()));
    assert!(all.iter().any(|found| found.id == late.id()) && all.len() <= 16_384);
    assert!(connected.is_ok(), "{connected:?}");
}

#[tokio::test]
async fn what_is_heard_from_another_address_is_told_and_can_be_trusted() {
    let ports = free_ports();
    let builder = Discovery::builder().ports(ports).bind_address(LOCALHOST).active(false);
    let (cautious, trusting) = (builder.clone(), builder.trust_relayed(true));
    let cautious = cautious.start(&Tokio).expect("free ports");
    let trusting = trusting.start(&Tokio).expect("the ports are shared");
    let lamp = fake("bf0123456789abcdefgh", Version::V34).announce_as([127, 0, 0, 1].into());
    let lamp = lamp.bind("127.0.0.1:0".parse().expect("valid")).start().await.expect("a free port");
    let describe = |discovery: &Discovery| {
        rustuya_runtime_tokio::Device::builder(lamp.id(), common::KEY)
            .expect("usable id and key")
            .port(lamp.local_addr().port())
            .command_timeout(Duration::from_millis(300))
            .discovery(discovery)
            .spawn(&Tokio)
    };
    let (lost, located) = (describe(&cautious), describe(&trusting));
    let mut events = lost.listener();
    let relay = UdpSocket::bind("127.0.0.9:0").expect("a free port");
    let text = format!(r#"{{"gwId":"{}","ip":"127.0.0.1","version":"3.4"}}"#, lamp.id());
    relay.send_to(text.as_bytes(), (LOCALHOST, ports[1])).expect("loopback takes it");
    assert_eq!(soon(located.wait_connected(Duration::from_secs(15))).await, Ok(Version::V34));
    let reason = DownReason::Relayed;
    assert_eq!(soon(events.recv()).await, Some(Event::Down { reason, retry_in: None }));
    assert_eq!(lost.query().await, Err(CommandError::NotConnected { reason: Some(reason) }));
    let relayed = cautious.relayed();
    assert_eq!(ids(&relayed), [lamp.id()]);
    assert_eq!((relayed[0].ip, relayed[0].relayed_by), (LOCALHOST, Some(IpAddr::from([127, 0, 0, 9]))));
    // From its own address it is believed by everybody.
    let own = UdpSocket::bind((LOCALHOST, 0)).expect("a free port");
    own.send_to(text.as_bytes(), (LOCALHOST, ports[1])).expect("loopback takes it");
    assert_eq!(soon(lost.wait_connected(Duration::from_secs(15))).await, Ok(Version::V34));
    assert_eq!(cautious.relayed(), []);
}

#[tokio::test]
async fn a_device_that_waits_to_be_paired_is_shown_as_such_and_not_connected_to() {
    let discovery = discovery().active(false).start(&Tokio).expect("free ports");
    let ports = discovery.local_addrs().to_vec();
    let device = rustuya_runtime_tokio::Device::builder("uuid0123456789ab", common::KEY).expect("usable id and key");
    let device = device.discovery(&discovery).spawn(&Tokio);
    let mut listener = discovery.listener();
    let beacon = Announcement::new("uuid0123456789ab", LOCALHOST, Version::V35);
    let beacon = {
        let mut beacon = beacon;
        beacon.beacon = true;
        beacon
    };
    let mut datagram = [0; 512];
    let len = beacon.write(&[5; 12], &mut datagram).expect("there is room");
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a free port");
    socket.send_to(&datagram[..len], ports[1]).expect("loopback takes it");
    let found = soon(listener.recv()).await.expect("goes on");
    assert_eq!((found.id.as_str(), found.unpaired, found.ip), ("uuid0123456789ab", true, LOCALHOST));
    assert_eq!(device.address(), None);
}

/// Returns the result of a search: devices, open addresses, and the last progress.
async fn swept(mut sweep: rustuya_runtime_tokio::Sweep) -> (Vec<String>, Vec<IpAddr>, Option<(u32, u32)>) {
    let (mut found, mut open, mut progress) = (Vec::new(), Vec::new(), None);
    while let Some(news) = sweep.recv().await {
        match news {
            SweepEvent::Found(news) => found.push(news.id),
            SweepEvent::Open(ip) => open.push(ip),
            SweepEvent::Progress { done, total } => progress = Some((done, total)),
        }
    }
    found.sort_unstable();
    found.dedup();
    (found, open, progress)
}

#[tokio::test]
async fn a_network_is_looked_through_by_connections_and_by_questions() {
    let answers = free_address().port();
    // Two devices in the range on the same ports: the one is asked and announces itself, the other only listens.
    let probe = free_address().port();
    let asked = fake("bf0123456789abcdefgh", Version::V35)
        .bind("127.0.0.33:0".parse().expect("valid"))
        .answer_probes(SocketAddr::from(([127, 0, 0, 33], probe)), answers);
    let asked = asked.start().await.expect("free ports");
    let port = asked.local_addr().port();
    let mute = fake("bf0123456789abcdefgi", Version::V34).bind(SocketAddr::from(([127, 0, 0, 46], port)));
    let mute = mute.start().await.expect("a free port");
    let network: Network = "127.0.0.32/28".parse().expect("a network");
    let network = network.port(port).probe_port(probe);
    // The question names the address that it is sent from, 127.0.0.1; there the answer is waited for.
    let scanner = Scanner::new(Tokio).ports([0, 0, answers]);
    let (found, open, progress) = soon(swept(scanner.sweep(network).expect("free ports"))).await;
    assert_eq!(found, ["bf0123456789abcdefgh"]);
    assert_eq!(open, [asked.local_addr().ip(), mute.local_addr().ip()]);
    assert_eq!(progress, Some((14, 14)));

    let here = fake("bf0123456789abcdefgj", Version::V34).bind("[::1]:0".parse().expect("valid"));
    let here = here.start().await.expect("a free port");
    let network: Network = "::1/128".parse().expect("a network");
    let sweep = scanner.sweep(network.port(here.local_addr().port())).expect("free ports");
    let (_, open, progress) = soon(swept(sweep)).await;
    assert_eq!((open, progress), (vec![here.local_addr().ip()], Some((1, 1))));
}

#[tokio::test]
async fn a_search_through_a_network_goes_no_quicker_than_it_may_and_can_be_ended() {
    let discovery = discovery().start(&Tokio).expect("free ports");
    let network: Network = "127.1.0.0/16".parse().expect("a network");
    let begun = std::time::Instant::now();
    let mut sweep = discovery.sweep(network.port(free_address().port()).probe_port(free_address().port()));
    let mut last = 0;
    while last < 100 {
        if let Some(SweepEvent::Progress { done, total }) = soon(sweep.recv()).await {
            assert_eq!(total, 65_534);
            last = done;
        }
    }
    let allowed = 200.0 * (begun.elapsed().as_secs_f64() + 0.1);
    assert!(f64::from(last) <= allowed, "{last} of at most {allowed}");
    drop(sweep);
    // Another one is not held up by it.
    let one: Network = "127.0.0.1".parse().expect("a network");
    let mut next = discovery.sweep(one.port(free_address().port()));
    soon(async { while next.recv().await.is_some() {} }).await;
}
