//! Vectors: the client's frames are understood, and the device's are sent byte for byte.

use rustuya_vectors::{Direction, Transport, Vector, by_name, tinytuya};

use super::*;

fn named(name: &str) -> &'static Vector {
    by_name(name).unwrap_or_else(|| panic!("no vector {name}"))
}

fn negotiated(version: &str, group: &str, bench: &mut Bench) -> Vec<u8> {
    let start = named(&format!("v{version}/{group}/1-start"));
    let resp = named(&format!("v{version}/{group}/2-resp"));
    let finish = named(&format!("v{version}/{group}/3-finish"));
    bench.rng.script = resp.payload_bytes()[..16].iter().map(|hex| nibble(*hex)).collect();
    bench.rng.script.extend(resp.iv().into_iter().flatten());
    let answer = bench.feed(&start.frame());
    assert_eq!(bench.feed(&finish.frame()), b"", "FINISH is never answered");
    answer
}

/// Returns the random byte that becomes this hex digit of a nonce.
fn nibble(hex: u8) -> u8 {
    char::from(hex).to_digit(16).expect("devices use hex digits") as u8
}

fn vector_key(vector: &Vector) -> LocalKey {
    LocalKey::new(vector.local_key().expect("a key"))
}

#[test]
fn the_negotiation_of_the_vectors_is_answered_byte_for_byte() {
    for version in [Version::V34, Version::V35] {
        for group in ["handshake", "handshake-odd-key"] {
            let resp = named(&format!("v{version}/{group}/2-resp"));
            let mut config = config(version);
            config.local_key = vector_key(resp);
            let mut bench = Bench::new(config, plug());
            bench.emulator =
                Emulator::numbered(bench.emulator.config.clone(), Instant::ZERO, resp.seqno.expect("framed"), 0);
            assert_eq!(negotiated(version.as_str(), group, &mut bench), resp.frame(), "{version} {group}");
            assert!(bench.emulator.is_ready());
            assert_eq!(bench.events, ["Negotiated"]);
        }
    }
}

#[test]
fn after_a_key_that_begins_with_zero_firmware_has_no_key() {
    for version in [Version::V34, Version::V35] {
        let group = "handshake-zero-first-byte";
        let start = named(&format!("v{version}/{group}/1-start"));
        let mut config = quirky(version, &["zero-key"]);
        config.local_key = vector_key(start);
        let mut bench = Bench::new(config, plug());
        // The nonce of the vector already gives such a key, so it is used unchanged.
        let resp = named(&format!("v{version}/{group}/2-resp"));
        bench.emulator.sender.session =
            Session::device(version, &vector_key(start), resp.seqno.expect("framed"), Instant::ZERO);
        assert_eq!(negotiated(version.as_str(), group, &mut bench), resp.frame());
        assert!(!bench.emulator.is_ready());
        let key = named(&format!("v{version}/{group}/3-finish")).session_key().expect("derived");
        for seqno in 3..6 {
            assert_eq!(bench.feed(&sealed(version, &key, seqno, CommandCode::HEART_BEAT, "{}")), b"");
            assert_eq!(bench.hangup, None);
        }
        bench.feed(&sealed(version, &key, 6, CommandCode::HEART_BEAT, "{}"));
        assert_eq!(bench.hangup, Some(HangupReason::NotNegotiated));
    }
}

/// Requests of the vectors with the names of the frames that answer them.
const ANSWERS: &[(&str, &[&str])] = &[
    ("control", &["control-ack", "status-push"]),
    ("dp-query", &["dp-query-reply"]),
    ("heartbeat", &["heartbeat-reply"]),
    ("updatedps", &["updatedps-ack", "updatedps-push"]),
];

#[test]
fn requests_of_the_vectors_get_the_answers_of_the_vectors() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let group = format!("v{version}/default");
        let first = named(&format!("{group}/control"));
        let mut config = config(version);
        if version == Version::V31 {
            config.id = DeviceId::new("01234567891234567890").expect("an id");
        }
        config.local_key = vector_key(first);
        let mut bench = Bench::new(config.clone(), plug());
        if version.negotiates() {
            negotiated(version.as_str(), "handshake", &mut bench);
        }
        bench.emulator.sender.report = if version == Version::V31 { 8 } else { 62046 };
        for (request, answers) in ANSWERS {
            bench.model = FixedModel::new();
            let dps: &[(u16, i64)] = match *request {
                "updatedps" => &[(18, 0), (19, 0), (20, 2310)],
                "control" => &[],
                _ => &[(2, 128), (9, 0)],
            };
            if *request != "updatedps" {
                bench.model.set(None, DpId(1), DpValue::Bool(*request != "control")).expect("room");
            }
            for (dp, value) in dps {
                bench.model.set(None, DpId(*dp), DpValue::Int(*value)).expect("room");
            }
            let expected: Vec<_> = answers.iter().map(|name| named(&format!("{group}/{name}"))).collect();
            bench.rng.script = expected.iter().filter_map(|v| v.iv()).flatten().collect();
            let request = named(&format!("{group}/{request}"));
            let frames: Vec<u8> = expected.iter().flat_map(|v| v.frame()).collect();
            let answer = bench.feed(&request.frame());
            assert_eq!(answer, frames, "{}", request.name);
            if version == Version::V31 {
                bench.emulator.sender.report = 8;
            }
        }
        assert_eq!(bench.hangup, None);
    }
}

#[test]
fn every_client_vector_is_understood_or_refused_in_words() {
    let mut seen = 0;
    for vector in tinytuya() {
        if vector.direction != Direction::Client || vector.transport != Transport::Tcp || vector.cmd < Some(6) {
            continue;
        }
        let version: Version = vector.version.as_str().parse().expect("a version");
        let mut config = config(version);
        config.local_key = vector_key(vector);
        if vector.name.contains("device22") {
            config.dialect = Dialect::Device22;
        }
        let mut bench = Bench::new(config, gateway());
        if version.negotiates() {
            negotiated(version.as_str(), "handshake", &mut bench);
        }
        let answer = bench.feed(&vector.frame());
        assert!(!answer.is_empty(), "{} is not answered", vector.name);
        assert_eq!(bench.told("Refused"), 0, "{}: {:?}", vector.name, bench.events);
        assert_eq!(bench.told("Request"), 1, "{}", vector.name);
        assert_eq!(bench.hangup, None, "{}", vector.name);
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn device22_and_sub_device_requests_get_the_answers_of_the_vectors() {
    for version in [Version::V33, Version::V34] {
        for (group, request, answers) in [
            ("device22", "dp-query", ["dp-query-reply", "dp-query-push"].as_slice()),
            ("subdevice", "control", &["control-ack", "status-push"]),
            ("subdevice", "dp-query", &["dp-query-reply"]),
        ] {
            let group_name = format!("v{version}/{group}");
            let expected: Vec<_> = answers.iter().map(|name| named(&format!("{group_name}/{name}"))).collect();
            let mut config = config(version);
            config.local_key = vector_key(expected[0]);
            if group == "device22" {
                config.dialect = Dialect::Device22;
            }
            let mut model = FixedModel::new();
            model.set_child(&Cid::new(CHILD).expect("a cid"), true).expect("room");
            model.set(None, DpId(1), DpValue::Bool(true)).expect("room");
            model.set(None, DpId(2), DpValue::Int(10)).expect("room");
            let is_on = DpValue::Bool(request == "dp-query");
            model.set(Some(CHILD), DpId(1), is_on).expect("room");
            model.set(Some(CHILD), DpId(9), DpValue::Int(0)).expect("room");
            let mut bench = Bench::new(config, model);
            if version.negotiates() {
                let seqno = expected[0].seqno.expect("framed") - 1;
                bench.emulator = Emulator::numbered(bench.emulator.config.clone(), Instant::ZERO, seqno, 62046);
                negotiated(version.as_str(), "handshake", &mut bench);
            }
            let request = named(&format!("{group_name}/{request}"));
            let frames: Vec<u8> = expected.iter().flat_map(|v| v.frame()).collect();
            assert_eq!(bench.feed(&request.frame()), frames, "{}", request.name);
        }
    }
}
