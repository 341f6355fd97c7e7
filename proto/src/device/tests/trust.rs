//! Trust: hosts that claim to be the device, and announcements that anybody can send.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("valid")
}

/// Returns the address that the machine dials, and lets the dial fail.
fn fail_to_connect(b: &mut Bench) -> IpAddr {
    for _ in 0..10 {
        let (seen, until) = b.drain();
        let dial = seen.iter().find_map(|seen| match seen {
            Seen::Dial(conn, to) => Some((*conn, to.ip())),
            _ => None,
        });
        if let Some((conn, to)) = dial {
            b.device.handle_lost(conn, LossReason::Unreachable, b.now);
            return to;
        }
        b.now = until.expect("a retry is due");
    }
    panic!("no dial");
}

/// Gives a frame with a CRC another command code.
fn relabel(frame: &mut [u8], command: CommandCode) {
    frame[8..12].copy_from_slice(&command.0.to_be_bytes());
    let end = frame.len() - 8;
    let crc = frame[..end].iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    frame[end..end + 4].copy_from_slice(&(!crc).to_be_bytes());
}

#[test]
fn a_host_of_3_1_is_not_believed_without_a_configured_version() {
    let mut b = Bench::new(|c| c);
    b.device.handle_announcement(ip("192.0.2.1"), Some(Version::V31), b.now);
    assert_eq!(b.device.version(), None, "an announcement proves nothing");
    b.connect();
    b.drain();
    b.tx.clear();
    let frame = seal_under(Version::V31, KEY, CommandCode::DP_QUERY, 1, br#"{"dps":{"1":true}}"#);
    let told = arrive(&mut b, &frame);
    assert!(told.contains(&Seen::Down(DownReason::TooOld { version: Version::V31 }, true)), "{told:?}");
    assert!(!b.device.is_up());
    assert!(DownReason::TooOld { version: Version::V31 }.is_auth());
}

#[test]
fn own_frames_answer_nothing_and_prove_nothing() {
    for version in [Version::V31, Version::V32, Version::V33] {
        let mut b = Bench::new(|c| c.version(version));
        b.connect();
        b.drain();
        b.tx.clear();
        let id = b.send(&Command::set(DpMap::Pairs(&ON))).expect("sent");
        let mut echo = b.tx.pending().to_vec();
        b.tx.clear();
        // As a push, too: only a checksum protects the command code.
        let mut told = arrive(&mut b, &echo);
        relabel(&mut echo, CommandCode::STATUS);
        told.extend(arrive(&mut b, &echo));
        assert!(
            !told.iter().any(|seen| matches!(seen, Seen::Resolved(..) | Seen::Message)),
            "{version}: {id:?} {told:?}"
        );
        assert_eq!(b.device.stats().ignored, 2, "{version}");
    }
}

#[test]
fn the_place_that_proved_the_key_is_tried_first_and_between_others() {
    let (home, forged, other) = (ip("192.0.2.1"), ip("192.0.2.66"), ip("192.0.2.67"));
    let mut b = Bench::new(|c| DeviceConfig { address: None, ..c.version(Version::V33) });
    b.device.handle_announcement(home, None, b.now);
    let conn = b.connect();
    b.drain();
    receive(&mut b, CommandCode::STATUS, 0, r#"{"dps":{"1":true}}"#);
    b.drain();
    b.device.handle_announcement(forged, None, b.now);
    assert_eq!(b.device.address(), Some(home), "where it is, not where somebody says it is");
    b.device.handle_lost(conn, LossReason::Reset, b.now);
    let mut tried = Vec::new();
    for n in 0..6 {
        b.device.handle_announcement(if n < 3 { forged } else { other }, None, b.now);
        tried.push(fail_to_connect(&mut b));
        assert_eq!(b.device.address(), Some(home));
    }
    assert_eq!(tried, [home, forged, home, other, home, other]);
}

#[test]
fn two_announced_addresses_alternate() {
    let (real, forged) = (ip("192.0.2.1"), ip("192.0.2.66"));
    let mut b = Bench::new(|c| DeviceConfig { address: None, ..c.version(Version::V33) });
    let mut tried = Vec::new();
    for _ in 0..4 {
        b.device.handle_announcement(real, None, b.now);
        b.device.handle_announcement(forged, None, b.now);
        tried.push(fail_to_connect(&mut b));
    }
    assert_eq!(tried.iter().filter(|to| **to == real).count(), 2, "{tried:?}");
}

#[test]
fn the_query_for_sub_devices_is_not_its_own_answer() {
    let mut b = Bench::new(|c| c.version(Version::V33));
    b.connect();
    b.drain();
    let asked = b.send(&Command::sub_devices()).expect("sent");
    // An attacker has it from an earlier connection, which this one does not remember.
    let query = r#"{"reqType":"subdev_online_stat_query","data":{"cids":[]}}"#;
    let list = CommandCode::LAN_EXT_STREAM;
    assert_eq!(receive(&mut b, list, 1, query), [Seen::Ignored(list, Repeated::Reflected)]);
    let seen = receive(&mut b, list, 1, r#"{"reqType":"subdev_online_stat_report","data":{"online":["c1"]}}"#);
    assert!(matches!(seen.as_slice(), [Seen::Resolved(id, Outcome::Acknowledged { .. })] if *id == asked), "{seen:?}");
}
