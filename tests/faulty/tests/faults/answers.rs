//! Faults of answers and their timing.

use rustuya_faulty::{FLOOD_DP, Fault, FaultyDevice};
use rustuya_proto::{Command, CommandCode, DeviceError, DpId, DpMap, Outcome, RetCode, Version};
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::{KEY, LIMIT, VERSIONS, connected, dp_of, lamp, receives, set_int, started};

#[test]
fn every_version_is_sound_without_faults() {
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        let (outcome, _) = client.ask(&Command::status_of(&[DpId(1)]));
        assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{version}: {outcome:?}");
        assert!(receives(&mut client, "1", &json!(false)), "{version}");
        assert!(matches!(set_int(&mut client, 2, 51), Outcome::Acknowledged { .. }), "{version}");
        assert_eq!(device.dps(None)["2"], 51, "{version}");
        let controls: Vec<_> = device
            .take_requests()
            .into_iter()
            .filter(|request| request.payload.as_ref().is_some_and(|payload| payload.to_string().contains(":51")))
            .collect();
        assert_eq!(controls.len(), 1, "{version}: sent once");
        let control = if version.negotiates() { CommandCode::CONTROL_NEW } else { CommandCode::CONTROL };
        assert_eq!((controls[0].command, controls[0].connection), (control, 1), "{version}");
        assert_eq!(device.requests(), [], "{version}");
        assert_eq!(device.connections(), 1, "{version}");
    }
}

#[test]
fn changes_are_told_to_every_controller() {
    let device = started(Version::V35);
    let (mut one, mut other) = (connected(&device), connected(&device));
    assert!(device.wait_for(LIMIT, |state| state.ready() == 2));
    assert!(matches!(set_int(&mut one, 2, 9), Outcome::Acknowledged { .. }));
    assert!(receives(&mut other, "2", &json!(9)));
    device.push(None, json!({ "3": "red", "9": [1, { "a": null }] }));
    for client in [&mut one, &mut other] {
        assert!(receives(client, "9", &json!([1, { "a": null }])));
    }
    assert_eq!(device.dps(None)["3"], "red");
}

#[test]
fn pushes_flood_the_controller() {
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        assert_eq!(device.flood(500), 1);
        assert!(receives(&mut client, FLOOD_DP, &json!(500)), "{version}");
        device.set_fault(Fault::FloodPushes { count: 200 });
        let (outcome, _) = client.ask(&Command::status());
        assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{version}: {outcome:?}");
        assert!(receives(&mut client, FLOOD_DP, &json!(700)), "{version}");
        let mut numbers: Vec<u64> =
            client.delivered().filter_map(|text| dp_of(text, FLOOD_DP)).filter_map(|number| number.as_u64()).collect();
        // The reply to the query repeats the last number.
        numbers.dedup();
        assert!(numbers.iter().take(700).copied().eq(1..=700), "{version}: {numbers:?}");
        let largest = client.reads.iter().map(Vec::len).max();
        assert!(largest > Some(1000), "{version}: back to back, not one by one: {largest:?}");
    }
}

#[test]
fn answers_change_places() {
    let device = started(Version::V33);
    device.set_fault(Fault::OutOfOrder);
    let mut raw = Raw::to(&device);
    for _ in 0..3 {
        let first = raw.query();
        let second = raw.send(CommandCode::UPDATE_DPS, r#"{"dpId":[]}"#);
        assert_eq!([raw.message().seqno, raw.message().seqno], [second, first]);
    }
    let began = std::time::Instant::now();
    let alone = raw.query();
    assert_eq!(raw.message().seqno, alone, "comes without a next one, too");
    assert!(began.elapsed() >= Fault::HOLD);
    raw.query();
    assert!(device.wait_for(LIMIT, |state| state.count(CommandCode::DP_QUERY) == 5));
    device.clear_fault();
    assert_eq!(raw.message().command, CommandCode::DP_QUERY, "what was held is not lost");
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        device.set_fault(Fault::OutOfOrder);
        let ids =
            [client.send(&Command::status()).expect("sent"), client.send(&Command::update_dps(&[])).expect("sent")];
        let resolved = client.run_until(LIMIT, |client| ids.iter().all(|id| client.outcome(*id).is_some()));
        assert!(resolved, "{version}: {:?}", client.events);
    }
}

#[test]
fn controls_are_obeyed_without_acknowledgement() {
    let device = started(Version::V33);
    device.set_fault(Fault::DropAcks);
    let mut raw = Raw::to(&device);
    raw.set(r#"{"2":7}"#);
    assert_eq!(raw.message().command, CommandCode::STATUS, "the push, and no acknowledgement before it");
    raw.set(r#"{"2":7}"#);
    assert!(device.wait_for(LIMIT, |state| state.count(CommandCode::CONTROL) == 2));
    assert!(raw.is_silent(), "nothing changed: nothing is said");
    raw.send(CommandCode::CONTROL, "{}");
    let refusal = raw.message();
    assert_eq!((refusal.retcode, refusal.text.as_str()), (Some(RetCode::REFUSED), "data format error"));
    device.clear_fault();
    raw.set(r#"{"2":8}"#);
    assert_eq!(raw.message().command, CommandCode::CONTROL);
}

#[test]
fn several_dps_at_once_are_refused() {
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        device.set_fault(Fault::RefuseSeveralDps { max: 2 });
        let three = DpMap::Json(r#"{"1":true,"2":7,"3":"red"}"#);
        let (outcome, text) = client.ask(&Command::set(three));
        let refused = matches!(outcome, Outcome::Rejected { error: Some(DeviceError::DataFormat), .. });
        assert!(refused, "{version}: {outcome:?}, {text:?}");
        assert_eq!(text.as_deref(), Some("data format error"), "{version}");
        assert_eq!(device.dps(None)["2"], 50, "{version}: not obeyed");
        let requests = device.requests();
        let payload = requests.iter().rev().find_map(|request| request.payload.as_ref()).map(Value::to_string);
        assert!(
            payload.as_ref().is_some_and(|payload| payload.contains("red")),
            "{version}: recorded as it was: {payload:?}"
        );
        let (outcome, _) = client.ask(&Command::set(DpMap::Json(r#"{"1":true,"2":7}"#)));
        assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{version}: {outcome:?}");
        assert_eq!(device.dps(None)["2"], 7, "{version}");
        let (outcome, _) = client.ask(&Command::status());
        assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{version}: {outcome:?}");
    }
}

#[test]
fn an_offline_child_is_answered_for_from_memory() {
    for version in [Version::V34, Version::V35] {
        let gateway = FaultyDevice::builder("gateway", KEY, version).sub("a1", json!({ "1": true }));
        let device = gateway.sub("b2", json!({ "1": 5 })).start().expect("a free port");
        let mut client = connected(&device);
        let mut report = |device: &FaultyDevice| {
            let (_, text) = client.ask(&Command::sub_devices());
            let (_, state) = client.ask(&Command::status().with_cid("b2"));
            assert_eq!(dp_of(&state.expect("an answer"), "1"), Some(json!(5)));
            assert_eq!(device.requests().last().expect("recorded").cid.as_deref(), Some("b2"));
            let report: Value = serde_json::from_str(&text.expect("a report")).expect("JSON");
            report["data"].clone()
        };
        assert_eq!(report(&device), json!({ "online": ["a1", "b2"], "offline": [] }));
        device.set_fault(Fault::OfflineChild("b2".to_owned()));
        assert_eq!(report(&device), json!({ "online": ["a1"], "offline": ["b2"] }));
        device.report_children();
        let unasked = client.run_until(LIMIT, |client| {
            client.events.iter().any(
                |told| matches!(told, rustuya_faulty::client::MachineEvent::Message(text) if text.contains("offline")),
            )
        });
        assert!(unasked, "{version}");
        device.push(Some("b2"), json!({ "1": 6 }));
        assert!(receives(&mut client, "1", &json!(6)));
        assert_eq!(device.dps(Some("b2"))["1"], 6);
    }
}

#[test]
fn quirks_are_turned_on_by_name() {
    let device = lamp(Version::V33).quirk("push-before-ack").expect("a quirk").start().expect("a free port");
    let mut raw = Raw::to(&device);
    raw.set(r#"{"2":7}"#);
    assert_eq!([raw.message().command, raw.message().command], [CommandCode::STATUS, CommandCode::CONTROL]);
    assert!(lamp(Version::V33).quirk("no such thing").is_err());
}
