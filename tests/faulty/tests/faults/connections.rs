//! Faults of whole connections.

use std::io::ErrorKind;
use std::net::TcpStream;

use rustuya_faulty::client::Client;
use rustuya_faulty::client::MachineEvent;
use rustuya_faulty::{Fault, FaultyDevice};
use rustuya_proto::{Command, CommandCode, DownReason, LossReason, Outcome, Version, frame_kind, frame_len};

use crate::raw::Raw;
use crate::{LIMIT, VERSIONS, connected, lamp, set_int, started};

/// Returns the end of a new connection that is not kept.
fn rejection(device: &FaultyDevice) -> Option<ErrorKind> {
    match TcpStream::connect(device.addr()) {
        Ok(stream) => {
            drop(stream);
            Raw::to(device).end()
        }
        Err(error) => Some(error.kind()),
    }
}

#[test]
fn dials_are_refused_while_live_connections_stay() {
    let device = started(Version::V35);
    let mut client = connected(&device);
    device.set_fault(Fault::RefuseDial);
    for _ in 0..3 {
        let dial = TcpStream::connect(device.addr());
        assert_eq!(dial.expect_err("nobody listens").kind(), ErrorKind::ConnectionRefused);
    }
    assert!(matches!(set_int(&mut client, 2, 7), Outcome::Acknowledged { .. }));
    let mut other = Client::of(&device);
    assert!(other.run_until(LIMIT, |client| client.events.contains(&MachineEvent::Down(DownReason::Refused))));
    assert_eq!(device.connections(), 1);
    device.clear_fault();
    assert!(other.connect(LIMIT));
}

#[test]
fn connections_are_closed_as_soon_as_they_are_accepted() {
    let device = started(Version::V33);
    let mut client = connected(&device);
    device.set_fault(Fault::AcceptAndClose);
    assert_eq!(Raw::to(&device).end(), None);
    assert!(device.wait_for(LIMIT, |state| state.accepted() == 2 && state.open() == 1));
    let mut other = Client::of(&device);
    assert!(other.run_until(LIMIT, |client| client.events.contains(&MachineEvent::Down(DownReason::Busy))));
    assert!(matches!(set_int(&mut client, 2, 7), Outcome::Acknowledged { .. }));
    device.clear_fault();
    assert!(other.connect(LIMIT));
}

#[test]
fn there_is_one_client_at_a_time() {
    let device = started(Version::V34);
    let client = connected(&device);
    device.set_fault(Fault::OneClientOnly);
    assert_eq!(Raw::to(&device).end(), None);
    drop(client);
    assert!(device.wait_for(LIMIT, |state| state.open() == 0));
    let _client = connected(&device);
    assert_eq!(Raw::to(&device).end(), None);
}

#[test]
fn no_more_clients_than_allowed_are_kept() {
    let device = lamp(Version::V33).max_clients(2).start().expect("a free port");
    let _two = [connected(&device), connected(&device)];
    assert_eq!(Raw::to(&device).end(), None);
    assert_eq!(device.connections(), 3);
}

#[test]
fn every_connection_is_reset() {
    let device = started(Version::V33);
    let mut live = Raw::to(&device);
    live.query();
    live.message();
    device.set_fault(Fault::Reset);
    assert_eq!(live.end(), Some(ErrorKind::ConnectionReset));
    for _ in 0..3 {
        assert_eq!(rejection(&device), Some(ErrorKind::ConnectionReset));
    }
    let mut client = Client::of(&device);
    assert!(client.run_until(LIMIT, |client| client.losses.len() > 1));
    assert!(client.losses.iter().all(|loss| *loss == LossReason::Reset), "{:?}", client.losses);
    device.clear_fault();
    connected(&device);
}

#[test]
fn a_silent_device_obeys_and_says_nothing() {
    let device = started(Version::V33);
    let mut raw = Raw::to(&device);
    raw.query();
    raw.message();
    device.set_fault(Fault::Silent);
    raw.set(r#"{"2":7}"#);
    assert!(device.wait_for(LIMIT, |state| state.dps(None)["2"] == 7));
    assert!(raw.is_silent());
    assert!(device.wait_for(LIMIT, |state| state.count(CommandCode::CONTROL) == 1));
    for version in [Version::V34, Version::V35] {
        let device = started(version);
        device.set_fault(Fault::Silent);
        let mut client = Client::of(&device);
        assert!(
            client.run_until(LIMIT, |client| client.events.contains(&MachineEvent::Down(DownReason::Silent))),
            "{version}"
        );
        assert!(client.reads.is_empty(), "{version}");
    }
}

#[test]
fn answers_are_replaced_by_seeded_garbage() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let device = started(Version::V33);
        device.set_fault(Fault::Garbage { seed });
        let mut raw = Raw::to(&device);
        let mut bytes = Vec::new();
        for _ in 0..4 {
            raw.query();
            let answer = raw.read().expect("an answer");
            assert!(answer.len() >= 16, "{answer:02x?}");
            bytes.extend(answer);
        }
        assert!(bytes.windows(4).all(|window| frame_kind(window).is_none()), "{bytes:02x?}");
        seen.push(bytes);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    for version in VERSIONS {
        let device = started(version);
        device.set_fault(Fault::Garbage { seed: 3 });
        let mut client = Client::of(&device);
        if version.negotiates() {
            let fails = |client: &Client| client.events.iter().any(|told| matches!(told, MachineEvent::Down(_)));
            assert!(client.run_until(LIMIT, fails), "{version}");
        } else {
            assert!(client.connect(LIMIT), "{version}");
            let (outcome, _) = client.ask(&Command::status());
            assert!(matches!(outcome, Outcome::Unanswered | Outcome::ConnectionLost), "{version}: {outcome:?}");
        }
        assert_eq!(client.delivered().count(), 0, "{version}");
        assert!(!client.reads.is_empty(), "{version}");
    }
}

#[test]
fn the_sending_half_is_closed_after_some_frames() {
    for after in [0, 1, 3] {
        let device = started(Version::V33);
        device.set_fault(Fault::HalfClose { after });
        let mut raw = Raw::to(&device);
        for _ in 0..after {
            raw.query();
            assert_eq!(raw.message().command, CommandCode::DP_QUERY);
        }
        if after == 0 {
            raw.query();
        }
        assert_eq!(raw.read().expect("the end of the stream"), b"");
        raw.set(r#"{"2":7}"#);
        assert!(device.wait_for(LIMIT, |state| state.dps(None)["2"] == 7), "the other half is open");
        assert_eq!(raw.read().expect("still the end"), b"");
    }
}

#[test]
fn a_device_disappears_in_the_middle_of_a_frame() {
    for after in [0, 2] {
        let device = started(Version::V33);
        device.set_fault(Fault::DisappearMidFrame { after });
        let mut raw = Raw::to(&device);
        for _ in 0..after {
            raw.query();
            raw.message();
        }
        raw.query();
        let half = raw.read().expect("half a frame");
        let whole = frame_len(&half).expect("a frame").expect("its header");
        assert_eq!(half.len(), whole / 2);
        raw.set(r#"{"2":7}"#);
        assert!(raw.is_silent());
        assert_eq!(device.dps(None)["2"], 50, "nobody is there");
        assert_eq!(device.requests().len(), after as usize + 1);
    }
}
