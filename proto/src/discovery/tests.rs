extern crate std;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;
use std::{assert, assert_eq, format};

use rustuya_seeded::SeededRng;
use rustuya_vectors::{Direction, Encoding, Transport, Vector, tinytuya};

use super::announcement::{OTHER_UDP_KEY, PAIRING_KEY, UDP_KEY};
use super::*;
use crate::codec::{Head, Keys, Sender, open, open_clear, seal};
use crate::testing::Counter;
use crate::version::Version;
use crate::wire::FrameError;
use crate::wire::command::{CommandCode, RetCode};

const HOME: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const ID: &str = "eb0123456789abcdefghij";

fn from(ip: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(ip), 40000)
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1000)
}

fn datagrams() -> Vec<&'static Vector> {
    let all: Vec<_> = tinytuya().iter().filter(|v| v.transport == Transport::Udp).collect();
    assert!(all.len() >= 12, "the datagram vectors are there");
    all
}

fn announcement(id: &str, ip: Ipv4Addr, version: Version) -> Vec<u8> {
    let mut out = [0; 512];
    let mut seen = Announcement::new(id, ip, version);
    seen.product_key = Some("keydeadbeef12345");
    let len = seen.write(&[7; 12], &mut out).unwrap();
    out[..len].to_vec()
}

/// Returns a 55AA frame with `body` behind the return code, as an announcement.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; body.len() + 64];
    let head = Head {
        sender: Sender::Device,
        seqno: 0,
        command: CommandCode::UDP_NEW,
        retcode: Some(RetCode::OK),
        header: None,
    };
    let keys = Keys::new(Version::V31, &[0; 16]);
    let len = seal(&keys, &head, &[0; 12], body, &mut out).unwrap();
    out.truncate(len);
    out
}

fn json(text: &str) -> Result<String, AnnouncementError> {
    let mut bytes = text.as_bytes().to_vec();
    Datagram::decode(&mut bytes).map(|seen| format!("{seen:?}"))
}

#[test]
fn every_vector_decodes_as_expected() {
    for vector in datagrams() {
        let mut bytes = vector.frame();
        assert_eq!(vector.payload_encoding, Encoding::Text);
        let says = |key: &str| vector.payload.contains(key);
        match Datagram::decode(&mut bytes) {
            Ok(Datagram::Announcement(seen)) => {
                assert_eq!(vector.direction, Direction::Device, "{}", vector.name);
                assert!(says(&format!(r#""gwId":"{}""#, seen.id)), "{}", vector.name);
                assert_eq!(seen.ip, Some(HOME), "{}", vector.name);
                let version = seen.version.unwrap();
                assert_eq!(version.as_str(), vector.version.as_str(), "{}", vector.name);
                assert_eq!(seen.product_key, Some("keydeadbeef12345"));
                assert_eq!(seen.active, Some(2));
                assert_eq!(seen.encrypt, Some(true));
                assert_eq!(seen.token.is_some(), says("token"), "{}", vector.name);
                assert_eq!(seen.wf_cfg.is_some(), says("wf_cfg"), "{}", vector.name);
                assert_eq!(seen.uuid.is_some(), says("uuid"), "{}", vector.name);
                assert_eq!(seen.client_link.is_some(), says("clientLink"));
            }
            Ok(Datagram::InfoRequest { ip }) => {
                assert_eq!(vector.direction, Direction::Client, "{}", vector.name);
                assert_eq!(ip, Some(Ipv4Addr::new(192, 0, 2, 77)), "{}", vector.name);
            }
            Err(error) => panic!("{}: {error:?}", vector.name),
        }
    }
}

#[test]
fn sent_probes_are_identical_to_the_vectors() {
    let mut announced = 0;
    for vector in datagrams() {
        let mut bytes = vector.frame();
        let wanted = bytes.clone();
        let iv = vector.iv().unwrap_or_default();
        let mut out = [0; 512];
        let len = match Datagram::decode(&mut bytes).unwrap() {
            // Accepted but not sent: datagrams without frame or return code, and the reserved code.
            _ if vector.retcode.is_none() && vector.direction == Direction::Device => continue,
            _ if vector.cmd == Some(CommandCode::BOARDCAST_LPV34.0) => continue,
            Datagram::Announcement(seen) => {
                announced += 1;
                seen.write(&iv, &mut out).unwrap()
            }
            Datagram::InfoRequest { ip } if vector.name.ends_with("compact") => {
                announced += 1;
                write_probe(ip.unwrap(), &iv, &mut out).unwrap()
            }
            Datagram::InfoRequest { .. } => continue,
        };
        assert_eq!(out[..len], wanted, "{}", vector.name);
    }
    assert_eq!(announced, 7, "3.1 to 3.5, the 3.5 answer, the request");
}

#[test]
fn a_new_announcement_has_its_versions_frame_and_fields() {
    for version in Version::ALL {
        let mut bytes = announcement(ID, HOME, version);
        let Ok(Datagram::Announcement(seen)) = Datagram::decode(&mut bytes) else {
            panic!("{version}: not an announcement");
        };
        let mut expected = Announcement::new(ID, HOME, version);
        expected.product_key = Some("keydeadbeef12345");
        assert_eq!(seen, expected, "{version}");
    }
    let mut clear = announcement(ID, HOME, Version::V31);
    let body = open_clear(&mut clear).unwrap().payload;
    assert_eq!(
        core::str::from_utf8(&clear[body]).unwrap(),
        r#"{"ip":"192.0.2.10","gwId":"eb0123456789abcdefghij","active":2,"ability":0,"mode":0,"encrypt":true,"productKey":"keydeadbeef12345","version":"3.1"}"#
    );
    let seen = Announcement::new(ID, HOME, Version::V35);
    let NoRoomNeeds(need) = seen.write(&[0; 12], &mut [0; 16]).unwrap_err().into();
    let mut exact = vec![0; need];
    assert_eq!(seen.write(&[0; 12], &mut exact), Ok(need));
}

struct NoRoomNeeds(usize);

impl From<crate::codec::NoRoom> for NoRoomNeeds {
    fn from(error: crate::codec::NoRoom) -> Self {
        Self(error.need)
    }
}

#[test]
fn texts_without_frame_and_the_other_key_are_read() {
    let text = format!(r#"{{"gwId":"{ID}","ip":"192.0.2.10"}}"#);
    assert!(json(&text).unwrap().contains("V31"), "no version means 3.1");
    assert!(json(&format!("{text}\0\0\0")).is_ok(), "NUL padding");
    for key in [UDP_KEY, OTHER_UDP_KEY] {
        let mut framed_bytes = [0; 256];
        let head =
            Head { sender: Sender::Device, seqno: 0, command: CommandCode::UDP_NEW, retcode: None, header: None };
        let keys = Keys::new(Version::V33, &key);
        let len = seal(&keys, &head, &[0; 12], text.as_bytes(), &mut framed_bytes).unwrap();
        let mut bare = framed_bytes[16..len - 8].to_vec();
        for bytes in [&mut framed_bytes[..len], &mut bare] {
            let Ok(Datagram::Announcement(seen)) = Datagram::decode(bytes) else {
                panic!("not decoded");
            };
            assert_eq!((seen.id, seen.ip), (ID, Some(HOME)));
        }
    }
}

#[test]
fn fields_of_the_wrong_form_are_dropped_and_unknown_ones_ignored() {
    let seen = json(
        r#"{"gwId":"a-1","ip":"2.0.0.300","version":"9.9","productKey":"a b","uuid":7,"active":"2","dps":{"1":[{}]},"x":null}"#,
    )
    .unwrap();
    let bare = r#"Announcement(Announcement { id: "a-1", ip: None, version: None, product_key: None, uuid: None, active: Some(2), "#;
    assert!(seen.starts_with(bare), "{seen}");
    let long = format!(r#"{{"gwId":"a","productKey":"{}"}}"#, "k".repeat(65));
    assert!(json(&long).unwrap().contains("product_key: None"));
    let longest = format!(r#"{{"gwId":"a","productKey":"{}"}}"#, "k".repeat(64));
    assert!(json(&longest).unwrap().contains("product_key: Some"));
}

#[test]
fn errors_have_texts() {
    use AnnouncementError::{Frame, NoId, NotJson};
    for text in [r#"{"ip":"192.0.2.10"}"#, r#"{"gwId":""}"#, r#"{"gwId":7}"#, r#"{"gwId":"a b"}"#, "{}"] {
        assert_eq!(json(text), Err(NoId), "{text}");
    }
    let id_too_long = format!(r#"{{"gwId":"{}"}}"#, "i".repeat(65));
    assert_eq!(json(&id_too_long), Err(NoId));
    for text in [r#"{"gwId":"a""#, r#"{"gwId":"a","ip":}"#, "{gwId}"] {
        assert_eq!(json(text), Err(NotJson), "{text}");
    }
    for text in ["", "hello", "[]", "\0\0\0\0", "0123456789abcdef"] {
        assert_eq!(json(text), Err(Frame(FrameError::Prefix)), "{text}");
    }
    let broken = |version, at: usize| {
        let mut bytes = announcement(ID, HOME, version);
        bytes[at] ^= 1;
        Datagram::decode(&mut bytes).map(|_| ())
    };
    for version in Version::ALL {
        assert_eq!(broken(version, 60), Err(Frame(FrameError::Integrity)));
        let last = announcement(ID, HOME, version).len() - 1;
        assert_eq!(broken(version, last), Err(Frame(FrameError::Suffix)));
        let mut cut = announcement(ID, HOME, version);
        cut.pop();
        let error = Datagram::decode(&mut cut).unwrap_err();
        assert_eq!(error, Frame(FrameError::Length), "{version}");
    }
    let error = Datagram::decode(&mut framed(&[0x55; 32])).map(|_| ());
    assert_eq!(error, Err(Frame(FrameError::Padding)));
    let error = Datagram::decode(&mut framed(b"{\"gwId\":")).map(|_| ());
    assert_eq!(error, Err(NotJson));
    let shown = AnnouncementError::from(FrameError::Integrity);
    assert_eq!(shown.to_string(), "not a discovery datagram");
    assert!(core::error::Error::source(&shown).is_some());
}

#[test]
fn damage_and_garbage_are_refused_without_harm() {
    let mut discovery = Discovery::<4>::new(DiscoveryConfig::default());
    for vector in datagrams() {
        let whole = vector.frame();
        for cut in 0..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            assert!(Datagram::decode(&mut bytes).is_err(), "{} {cut}", vector.name);
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let damaged = discovery.handle_datagram(&mut bytes, from(HOME), at(0)).is_err();
            // A text without frame has no checksum.
            assert!(damaged || vector.cmd.is_none(), "{} {bit}", vector.name);
        }
    }
    let mut rng = SeededRng::new(1);
    for len in 0..2000usize {
        let mut bytes: Vec<u8> = core::iter::repeat_with(|| rng.bits() as u8).take(len % 257).collect();
        let front: &[u8] = [&b""[..], b"\0\0\x55\xaa", b"\0\0\x66\x99", b"{\"gwId\":"][len % 4];
        let n = front.len().min(bytes.len());
        bytes[..n].copy_from_slice(&front[..n]);
        assert!(Datagram::decode(&mut bytes).is_err());
    }
}

#[test]
fn an_announcement_must_come_from_the_address_it_names() {
    let other = Ipv4Addr::new(192, 0, 2, 99);
    let mut strict = Discovery::<4>::new(DiscoveryConfig::default());
    let mut bytes = announcement(ID, HOME, Version::V33);
    let refused = strict.handle_datagram(&mut bytes, from(other), at(0));
    assert_eq!(refused, Err(DiscoveryError::ForeignAddress));
    assert_eq!(strict.devices(at(0)).count(), 0);

    let config = DiscoveryConfig { trust_relayed: true, ..DiscoveryConfig::default() };
    let mut relayed = Discovery::<4>::new(config);
    let mut bytes = announcement(ID, HOME, Version::V33);
    let seen = relayed.handle_datagram(&mut bytes, from(other), at(0));
    assert_eq!(seen.unwrap().address, HOME);

    // The source counts if the datagram has no address, also if the socket shows it as IPv6.
    let mut bytes = format!(r#"{{"gwId":"{ID}"}}"#).into_bytes();
    let mapped = SocketAddr::new(IpAddr::V6(other.to_ipv6_mapped()), 1);
    let seen = strict.handle_datagram(&mut bytes, mapped, at(0)).unwrap();
    assert_eq!((seen.address, seen.announcement.ip), (other, Some(other)));
    let mut bytes = format!(r#"{{"gwId":"{ID}"}}"#).into_bytes();
    let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), 1);
    let refused = strict.handle_datagram(&mut bytes, v6, at(0));
    assert_eq!(refused, Err(DiscoveryError::NotUnicast));
}

#[test]
fn the_beacon_of_an_unpaired_device_differs_from_an_announcement() {
    assert_eq!(PAIRING_KEY, md5(b"OXLvslCvUxcTPLGO"));
    let mut out = [0; 512];
    let beacon = Announcement { beacon: true, active: Some(0), ..Announcement::new(ID, HOME, Version::V35) };
    let len = beacon.write(&[7; 12], &mut out).unwrap();
    assert_eq!(Datagram::decode(&mut out[..len]), Ok(Datagram::Announcement(beacon)));
    assert!(beacon.is_unpaired());

    // A hand-made beacon: the uuid replaces the id, and the sender's address the announced one.
    let seal_as = |key: &[u8; 16], command, text: &[u8]| {
        let head = Head { sender: Sender::Device, seqno: 0, command, retcode: Some(RetCode::OK), header: None };
        let mut out = vec![0; 256];
        let len = seal(&Keys::new(Version::V35, key), &head, &[9; 12], text, &mut out).unwrap();
        out.truncate(len);
        out
    };
    let text = br#"{"uuid":"uuid0123456789ab","productKey":"keydeadbeef12345"}"#;
    let mut bytes = seal_as(&PAIRING_KEY, CommandCode(0x11), text);
    let mut discovery = Discovery::<4>::new(DiscoveryConfig::default());
    let seen = discovery.handle_datagram(&mut bytes, from(HOME), at(0)).unwrap();
    assert_eq!((seen.announcement.id, seen.address, seen.announcement.beacon), ("uuid0123456789ab", HOME, true));
    // Neither key opens the other kind.
    for (key, command) in [(&UDP_KEY, CommandCode(0x11)), (&PAIRING_KEY, CommandCode::UDP_NEW)] {
        let error = Datagram::decode(&mut seal_as(key, command, text)).map(|_| ());
        assert_eq!(error, Err(AnnouncementError::Frame(FrameError::Integrity)));
    }
    // Outside of beacons a uuid is no id, and a paired device does not wait to be paired.
    let error = Datagram::decode(&mut seal_as(&UDP_KEY, CommandCode::UDP_NEW, text)).map(|_| ());
    assert_eq!(error, Err(AnnouncementError::NoId));
    assert!(!Announcement::new(ID, HOME, Version::V35).is_unpaired());
}

fn md5(text: &[u8]) -> [u8; 16] {
    use md5::Digest as _;
    md5::Md5::digest(text).into()
}

#[test]
fn another_sender_is_reported() {
    let seen = Announcement::new(ID, HOME, Version::V33);
    let relay: IpAddr = "172.17.0.1".parse().unwrap();
    assert_eq!(seen.origin(HOME.into()).map(|origin| origin.relayed_by), Ok(None));
    let origin = seen.origin(relay).unwrap();
    assert_eq!((origin.address, origin.relayed_by), (HOME, Some(relay)));
    assert_eq!(Announcement { ip: None, ..seen }.origin(IpAddr::V6(Ipv6Addr::LOCALHOST)), Err(NoHost));
    assert_eq!(Announcement { ip: Some(Ipv4Addr::BROADCAST), ..seen }.origin(relay), Err(NoHost));
}

#[test]
fn scans_that_overlap_do_not_shorten_each_other() {
    let mut d = Discovery::<4>::new(DiscoveryConfig::default());
    d.add_interface(LAN).unwrap();
    d.start_scan(at(0), Duration::from_secs(18));
    d.start_scan(at(1), Duration::from_secs(2));
    assert!(d.is_scanning(at(17)), "the longer one goes on");
    let (sent, until) = drain(&mut d, &mut Counter::new(0), at(16));
    assert_eq!((sent.len(), until), (1, Some(at(18))));
}

#[test]
fn an_address_that_no_host_has_is_refused() {
    let mut discovery = Discovery::<4>::new(DiscoveryConfig::default());
    discovery.add_interface(LAN).unwrap();
    for ip in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.255", "240.1.1.1"] {
        let ip: Ipv4Addr = ip.parse().unwrap();
        let mut bytes = announcement(ID, ip, Version::V33);
        let refused = discovery.handle_datagram(&mut bytes, from(ip), at(0));
        assert_eq!(refused, Err(DiscoveryError::NotUnicast), "{ip}");
    }
    let mut probe = [0; MAX_PROBE];
    let len = write_probe(HOME, &[1; 12], &mut probe).unwrap();
    let own = discovery.handle_datagram(&mut probe[..len], from(HOME), at(0));
    assert_eq!(own, Err(DiscoveryError::InfoRequest));
    assert_eq!(discovery.devices(at(0)).count(), 0);
}

const LAN: Interface = Interface { address: Ipv4Addr::new(192, 0, 2, 1), broadcast: Ipv4Addr::new(192, 0, 2, 255) };

fn kind<const N: usize>(
    discovery: &mut Discovery<N>,
    id: &str,
    ip: Ipv4Addr,
    version: Version,
    now: Instant,
) -> SightingKind {
    let mut bytes = announcement(id, ip, version);
    let seen = discovery.handle_datagram(&mut bytes, from(ip), now).unwrap();
    assert_eq!((seen.announcement.id, seen.address), (id, ip));
    seen.kind
}

#[test]
fn sightings_are_new_changed_or_seen_again_and_expire() {
    use SightingKind::{Changed, New, SeenAgain};
    let moved = Ipv4Addr::new(192, 0, 2, 11);
    let mut d = Discovery::<4>::new(DiscoveryConfig::default());
    assert_eq!(kind(&mut d, ID, HOME, Version::V33, at(0)), New);
    assert_eq!(kind(&mut d, ID, HOME, Version::V33, at(5)), SeenAgain);
    assert_eq!(kind(&mut d, ID, moved, Version::V33, at(10)), Changed);
    assert_eq!(kind(&mut d, ID, moved, Version::V34, at(15)), Changed);
    assert_eq!(kind(&mut d, ID, moved, Version::V34, at(74)), SeenAgain);
    let known = d.devices(at(133)).next().unwrap();
    assert_eq!((known.ip, known.version), (moved, Some(Version::V34)));
    assert_eq!((known.id.as_str(), known.product_key()), (ID, Some("keydeadbeef12345")));
    assert_eq!(d.devices(at(134)).count(), 0);
    assert_eq!(kind(&mut d, ID, moved, Version::V34, at(134)), New);

    // A missing product key is no change, another one is.
    for (text, expected) in [
        (r#"{"gwId":"p"}"#, New),
        (r#"{"gwId":"p","productKey":"one"}"#, Changed),
        (r#"{"gwId":"p"}"#, SeenAgain),
        (r#"{"gwId":"p","productKey":"two"}"#, Changed),
        (r#"{"gwId":"p","productKey":"two"}"#, SeenAgain),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        let seen = d.handle_datagram(&mut bytes, from(HOME), at(140)).unwrap();
        assert_eq!(seen.kind, expected, "{text}");
    }
    d.forget();
    assert_eq!(kind(&mut d, ID, moved, Version::V34, at(141)), New);
}

#[test]
fn a_full_table_removes_the_device_silent_for_longest() {
    let mut d = Discovery::<3>::new(DiscoveryConfig::default());
    for (second, id) in [(0, "a"), (1, "b"), (2, "c"), (3, "a"), (4, "d")] {
        kind(&mut d, id, HOME, Version::V33, at(second));
    }
    let mut ids: Vec<_> = d.devices(at(4)).map(|e| e.id.to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["a", "c", "d"]);
}

#[test]
fn a_second_scan_reports_every_device_again() {
    use SightingKind::{New, SeenAgain};
    let mut d = Discovery::<4>::new(DiscoveryConfig::default());
    d.start_scan(at(0), Duration::from_secs(18));
    assert_eq!(kind(&mut d, ID, HOME, Version::V35, at(1)), New);
    assert_eq!(kind(&mut d, ID, HOME, Version::V35, at(2)), SeenAgain);
    d.start_scan(at(20), Duration::from_secs(18));
    assert_eq!(d.devices(at(20)).count(), 1, "what is known stays known");
    assert_eq!(kind(&mut d, ID, HOME, Version::V35, at(21)), New);
    assert_eq!(kind(&mut d, ID, HOME, Version::V35, at(22)), SeenAgain);
}

/// Sent probe: interface, destination and datagram.
type Sent = (Ipv4Addr, SocketAddrV4, Vec<u8>);

/// Polls until there is nothing to do; returns the sent datagrams and the deadline.
fn drain<const N: usize>(d: &mut Discovery<N>, rng: &mut Counter, now: Instant) -> (Vec<Sent>, Option<Instant>) {
    let mut sent = Vec::new();
    for _ in 0..100 {
        let mut out = [0; MAX_PROBE];
        match d.poll(now, rng, &mut out) {
            DiscoveryOutput::Send { interface, to, len } => {
                sent.push((interface, to, out[..len].to_vec()));
            }
            DiscoveryOutput::Wait { until } => return (sent, until),
        }
    }
    panic!("poll does not end");
}

#[test]
fn probes_leave_every_interface_at_the_configured_pace() {
    let wlan = Interface { address: Ipv4Addr::new(255, 255, 255, 254), broadcast: Ipv4Addr::BROADCAST };
    let mut rng = Counter::new(0);
    let mut d = Discovery::<4>::new(DiscoveryConfig::default());
    d.set_interfaces(&[LAN, wlan]).unwrap();
    assert_eq!(drain(&mut d, &mut rng, at(0)), (vec![], None));

    d.start_scan(at(1), Duration::from_secs(18));
    let mut ivs = Vec::new();
    for second in [1, 7, 13] {
        assert!(d.is_scanning(at(second)));
        let (sent, until) = drain(&mut d, &mut rng, at(second));
        assert_eq!(until, Some(at(second + 6)));
        let to: Vec<_> = sent.iter().map(|(_, to, _)| *to).collect();
        assert_eq!(to, [LAN, wlan].map(|i| SocketAddrV4::new(i.broadcast, 7000)));
        for (interface, _, mut bytes) in sent {
            ivs.push(bytes[18..30].to_vec());
            let keys = Keys::new(Version::V35, &UDP_KEY);
            let opened = open(&keys, Sender::Controller, &mut bytes.clone()).unwrap();
            assert_eq!(opened.command, CommandCode::REQ_DEVINFO);
            let ip = Some(interface);
            assert_eq!(Datagram::decode(&mut bytes), Ok(Datagram::InfoRequest { ip }));
        }
        // An early poll changes nothing.
        assert_eq!(drain(&mut d, &mut rng, at(second + 3)), (vec![], until));
    }
    ivs.sort();
    ivs.dedup();
    assert_eq!(ivs.len(), 6, "no nonce twice");
    assert_eq!(drain(&mut d, &mut rng, at(19)), (vec![], None));
    assert!(!d.is_scanning(at(19)));

    // A driver that slept sends one round, not all that it missed. Stopping the scan stops the rounds.
    d.start_scan(at(20), Duration::MAX);
    assert_eq!(drain(&mut d, &mut rng, at(100)).0.len(), 2);
    assert_eq!(drain(&mut d, &mut rng, at(100)), (vec![], Some(at(106))));
    d.stop_scan();
    assert_eq!(drain(&mut d, &mut rng, at(200)), (vec![], None));
}

#[test]
fn the_end_of_a_scan_is_a_deadline_and_destinations_can_be_set() {
    let config = DiscoveryConfig {
        probe_address: Some(Ipv4Addr::LOCALHOST),
        probe_port: 17000,
        probe_interval: Duration::ZERO,
        ..DiscoveryConfig::default()
    };
    let mut d = Discovery::<1>::new(config);
    d.add_interface(LAN).unwrap();
    d.add_interface(LAN).unwrap();
    d.start_scan(at(0), Duration::from_millis(150));
    let mut rng = Counter::new(0);
    let (sent, until) = drain(&mut d, &mut rng, at(0));
    assert_eq!(sent.len(), 1, "one interface, entered twice");
    assert_eq!(sent[0].1, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 17000));
    assert_eq!(until, Some(Instant::from_millis(100)));
    let (sent, until) = drain(&mut d, &mut rng, Instant::from_millis(100));
    assert_eq!((sent.len(), until), (1, Some(Instant::from_millis(150))));
}

#[test]
fn interfaces_are_bounded() {
    let mut d = Discovery::<1>::new(DiscoveryConfig::default());
    for n in 0..MAX_INTERFACES {
        let address = Ipv4Addr::new(10, 0, 0, u8::try_from(n).unwrap());
        let interface = Interface { address, ..LAN };
        d.add_interface(interface).unwrap();
    }
    assert_eq!(d.add_interface(LAN), Err(TooManyInterfaces));
    assert_eq!(d.set_interfaces(&[LAN; MAX_INTERFACES + 1]), Err(TooManyInterfaces));
    d.start_scan(at(0), Duration::from_secs(1));
    assert_eq!(drain(&mut d, &mut Counter::new(0), at(0)).0.len(), MAX_INTERFACES);
}

#[cfg(feature = "emulator")]
#[test]
fn a_device_answers_probes_with_an_address_and_a_sender() {
    let probe = |command, text: &str| {
        let head = Head { sender: Sender::Controller, seqno: 0, command, retcode: None, header: None };
        let mut out = vec![0; 256];
        let len = seal(&Keys::new(Version::V35, &UDP_KEY), &head, &[7; 12], text.as_bytes(), &mut out).unwrap();
        out.truncate(len);
        out
    };
    let asks = |datagram: &mut Vec<u8>| Probe::decode(datagram).map(|probe| probe.ip);
    for text in [r#"{"from":"app","ip":"192.0.2.10"}"#, r#"{"ip":"192.0.2.10","from":7}"#] {
        assert_eq!(asks(&mut probe(CommandCode::REQ_DEVINFO, text)), Some(HOME), "{text}");
        assert_eq!(asks(&mut probe(CommandCode::UDP_NEW, text)), None, "{text}");
    }
    for text in [r#"{"ip":"192.0.2.10"}"#, r#"{"from":"app"}"#, r#"{"from":"app","ip":7}"#, "{", ""] {
        assert_eq!(asks(&mut probe(CommandCode::REQ_DEVINFO, text)), None, "{text}");
    }
    let mut own = vec![0; MAX_PROBE];
    let len = write_probe(HOME, &[1; 12], &mut own).unwrap();
    own.truncate(len);
    assert_eq!(asks(&mut own.clone()), Some(HOME));
    own[40] ^= 1;
    assert_eq!(asks(&mut own), None, "it does not verify");
    assert_eq!(asks(&mut b"{\"from\":\"app\",\"ip\":\"192.0.2.10\"}".to_vec()), None, "no frame");
}
