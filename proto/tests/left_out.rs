//! Builds without some of the versions: those are reported as left out, and never used.

use core::net::{IpAddr, Ipv4Addr};

use rustuya_proto::{
    CommandCode, Device, DeviceConfig, DeviceId, DownReason, Event, Head, Instant, Keys, LocalKey, LossReason, NoRoom,
    Output, RxBuf, Sender, TxBuf, Version, open, seal,
};
use rustuya_seeded::SeededRng;

fn config() -> DeviceConfig {
    let id = DeviceId::new("eb0123456789abcdefghij").unwrap();
    let key = LocalKey::try_from(b"0123456789abcdef".as_slice()).unwrap();
    DeviceConfig::new(id, key).address(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Returns the reason if the machine reports one before it dials.
fn first(config: DeviceConfig, announced: Option<Version>) -> Option<DownReason> {
    let mut device = Device::new(config, Instant::ZERO);
    if announced.is_some() {
        device.handle_announcement(IpAddr::V4(Ipv4Addr::LOCALHOST), announced, Instant::ZERO);
    }
    let (mut rx, mut tx) = (RxBuf::new([0; 512]), TxBuf::new([0; 512]));
    match device.poll(Instant::ZERO, &mut SeededRng::new(0), &mut rx, &mut tx) {
        Output::Dial { .. } => None,
        Output::Event(Event::Down { reason, retry_at }) => {
            assert!(retry_at.is_some_and(|at| at > Instant::ZERO), "no busy loop: {retry_at:?}");
            Some(reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_version_that_is_left_out_is_not_dialed() {
    for version in Version::ALL {
        let expected = (!version.is_supported()).then_some(DownReason::LeftOut { version });
        assert_eq!(first(config().version(version), None), expected, "configured {version}");
        assert_eq!(first(config(), Some(version)), expected, "announced {version}");
    }
}

#[test]
fn keys_of_a_version_that_is_left_out_seal_and_open_nothing() {
    let head =
        Head { sender: Sender::Controller, seqno: 1, command: CommandCode::DP_QUERY, retcode: None, header: None };
    for version in Version::ALL {
        let keys = Keys::new(version, b"0123456789abcdef");
        let mut frame = [0; 256];
        match seal(&keys, &head, &[7; 12], b"{}", &mut frame) {
            Ok(len) => {
                assert!(version.is_supported());
                assert!(open(&keys, Sender::Controller, &mut frame[..len]).is_ok(), "{version}");
                for other in Version::ALL.into_iter().filter(|other| !other.is_supported()) {
                    let keys = Keys::new(other, b"0123456789abcdef");
                    assert!(open(&keys, Sender::Controller, &mut frame[..len]).is_err(), "{other}");
                }
            }
            Err(error) => {
                assert!(!version.is_supported(), "{version}");
                assert_eq!(error, NoRoom { need: usize::MAX });
                assert_eq!(frame, [0; 256], "nothing is written");
            }
        }
    }
}

/// Without a configured version, a whole round dials only with versions of this build.
#[test]
fn the_search_tries_only_what_the_build_has() {
    let mut device = Device::new(config(), Instant::ZERO);
    let (mut rx, mut tx) = (RxBuf::new([0; 512]), TxBuf::new([0; 512]));
    let (mut now, mut dials) = (Instant::ZERO, 0);
    for _ in 0..100 {
        match device.poll(now, &mut SeededRng::new(0), &mut rx, &mut tx) {
            Output::Dial { conn, .. } => {
                dials += 1;
                device.handle_dialed(conn, now);
                assert!(tx.is_empty());
                while let Output::Event(_) = device.poll(now, &mut SeededRng::new(0), &mut rx, &mut tx) {}
                device.handle_lost(conn, LossReason::Closed, now);
            }
            Output::Event(Event::Down { reason, .. }) => {
                assert!(!matches!(reason, DownReason::LeftOut { .. }), "{reason:?}");
            }
            Output::Wait { until: Some(until) } => now = until,
            _ => {}
        }
    }
    assert!(dials > 1);
}

/// Returns the reasons reported after connections that accept, receive our frames and end with `how`.
fn told(config: DeviceConfig, how: Option<LossReason>, connections: usize) -> Vec<DownReason> {
    let mut device = Device::new(config, Instant::ZERO);
    let (mut rx, mut tx) = (RxBuf::new([0; 512]), TxBuf::new([0; 512]));
    let (mut now, mut dials, mut told) = (Instant::ZERO, 0, Vec::new());
    for _ in 0..10_000 {
        match device.poll(now, &mut SeededRng::new(0), &mut rx, &mut tx) {
            Output::Dial { conn, .. } if dials < connections => {
                dials += 1;
                device.handle_dialed(conn, now);
                // Until the machine sends.
                while tx.is_empty() {
                    match device.poll(now, &mut SeededRng::new(0), &mut rx, &mut tx) {
                        Output::Wait { until: Some(until) } => now = until,
                        Output::Event(Event::Down { reason, .. }) => told.push(reason),
                        _ => {}
                    }
                }
                tx.consume(tx.pending().len());
                if let Some(why) = how {
                    device.handle_lost(conn, why, now);
                }
            }
            Output::Dial { .. } => break,
            Output::Event(Event::Down { reason, .. }) => told.push(reason),
            Output::Wait { until: Some(until) } => now = now.max(until),
            _ => {}
        }
    }
    told
}

/// A build with one version that negotiates runs no rounds, and still distinguishes a wrong key from silence.
#[test]
fn a_build_of_one_version_diagnoses_others() {
    let supported: Vec<Version> = Version::ALL.into_iter().filter(|version| version.is_supported()).collect();
    let [version] = supported[..] else { return };
    if !version.negotiates() {
        return;
    }
    for config in [config(), config().version(version)] {
        let closed = told(config.clone(), Some(LossReason::Closed), 4);
        assert_eq!(closed.first(), Some(&DownReason::WrongKey { sure: false }), "{closed:?}");
        assert!(closed.iter().all(|reason| *reason == DownReason::WrongKey { sure: false }), "{closed:?}");
        let unclear = told(config.clone().probe_on_failure(false).version(version), Some(LossReason::Closed), 3);
        assert_eq!(unclear.first(), Some(&DownReason::PeerClosed), "{unclear:?}");
        assert_eq!(unclear.get(1), Some(&DownReason::KeyOrVersion), "{unclear:?}");
        let silent = told(config, None, 3);
        assert!(!silent.is_empty() && silent.iter().all(|reason| *reason == DownReason::Silent), "{silent:?}");
    }
}
