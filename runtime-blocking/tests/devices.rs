//! Controllers against devices of every kind, on loopback.

mod common;

use core::time::Duration;

use common::{ID, KEY, OTHER_KEY, SOON, controller, fake, next, thread};
use rustuya_runtime_blocking::{Address, CommandError, Device, Dialect, DownReason, Event, PollThread, Version};
use serde_json::json;

/// Queries, sets one DP, sets several, updates, and receives a push.
fn converse(thread: &PollThread, version: Version, dialect: Dialect) {
    let lamp = fake(version).dialect(dialect).start().expect("a free port");
    let device =
        controller(&lamp).version(version).dialect((dialect == Dialect::Device22).then_some(dialect)).spawn(thread);
    let mut events = device.listener();
    assert_eq!(device.wait_connected(SOON), Ok(version));

    let state = device.query_dps(&[1]).expect("answers");
    assert_eq!(state.get("1"), Some(&json!(false)), "{version} {dialect:?}");

    device.set_value(1, true).acknowledged().expect("acknowledges");
    assert_eq!(lamp.dps(None)["1"], json!(true));
    device.set_dps(json!({ "2": 75, "3": "é \"x\"" })).acknowledged().expect("acknowledges");
    assert_eq!(lamp.dps(None)["3"], json!("é \"x\""));
    device.update_dps(&[2]).acknowledged().expect("silence or not");
    assert!(device.detect_dps().expect("answers").is_superset(&[1, 2, 3].into()));

    lamp.push(None, json!({ "2": 10 }));
    next(&mut events, |event| match event {
        Event::Message(message) if message.dp(2) == Some(json!(10)) => Some(()),
        _ => None,
    });
    assert_eq!(device.state().get(2), Some(&json!(10)));
    assert!(device.is_connected());
    assert_eq!(device.diagnosis(), None);
    device.close();
    assert!(!device.is_connected());
    assert_eq!(device.query(), Err(CommandError::Closed));
}

#[test]
fn every_version_and_dialect_is_queried_set_and_received() {
    let thread = thread();
    for version in Version::ALL {
        converse(&thread, version, Dialect::Default);
    }
    for version in [Version::V33, Version::V34] {
        converse(&thread, version, Dialect::Device22);
    }
}

#[test]
fn the_version_is_found_out() {
    let thread = thread();
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let device = controller(&lamp).min_version(version.min(Version::V33)).spawn(&thread);
        assert_eq!(device.wait_connected(SOON), Ok(version));
        device.set_value(1, true).acknowledged().expect("acknowledges");
        assert_eq!(lamp.dps(None)["1"], json!(true));
    }
}

#[test]
fn a_gateway_routes_to_its_children() {
    let thread = thread();
    for version in [Version::V33, Version::V35] {
        let gateway = fake(version)
            .sub("a4c1380000000001", json!({ "1": 215 }))
            .sub("a4c1380000000002", json!({ "1": false }))
            .start()
            .expect("a free port");
        let device = controller(&gateway).version(version).spawn(&thread);
        let mut events = device.listener();
        let sensor = device.sub("a4c1380000000001").expect("a cid");
        let switch = device.sub("a4c1380000000002").expect("a cid");
        drop(device);
        assert_eq!(sensor.query().expect("answers")["1"], json!(215));
        switch.set_value(1, true).acknowledged().expect("acknowledges");
        assert_eq!(gateway.dps(Some(switch.id()))["1"], json!(true));
        assert_eq!(gateway.dps(Some(sensor.id()))["1"], json!(215));

        gateway.push(Some(sensor.id()), json!({ "1": 198 }));
        next(&mut events, |event| match event {
            Event::Message(message) if message.cid() == Some(sensor.id()) => message.dp(1),
            _ => None,
        });
        let report = sensor.gateway().sub_discover().acknowledged().expect("answers").payload().expect("a report");
        assert_eq!(report["data"]["online"], json!(["a4c1380000000001", "a4c1380000000002"]), "{version}");
        assert_eq!(sensor.is_online(), Some(true));
    }
}

#[test]
fn a_wrong_key_is_diagnosed_and_never_shown() {
    let thread = thread();
    for version in [Version::V33, Version::V34, Version::V35] {
        let lamp = fake(version).start().expect("a free port");
        let device = Device::builder(lamp.id().as_str(), OTHER_KEY)
            .expect("usable id and key")
            .address(lamp.addr())
            .version(version)
            .command_timeout(Duration::from_secs(3))
            .spawn(&thread);
        let mut events = device.listener();
        let error = device.query().expect_err("cannot work");
        assert!(error.is_auth(), "{version}: {error:?}");
        let told = next(&mut events, |event| match event {
            Event::Down { reason, .. } if reason.is_auth() => Some(*reason),
            _ => None,
        });
        let shown =
            format!("{error} {error:?} {told:?} {device:?} {:?} {:?}", device.config(), device.set_value(1, true));
        assert!(!shown.contains(OTHER_KEY) && !shown.contains(KEY), "{shown}");
        assert_eq!(lamp.dps(None)["1"], json!(false));
    }
}

#[test]
fn a_connection_that_is_not_kept_is_made_for_commands() {
    let lamp = fake(Version::V35).start().expect("a free port");
    let device = controller(&lamp).version(Version::V35).persist(false).spawn(&thread());
    assert!(!device.is_connected());
    let mut events = device.listener();
    for value in [true, false] {
        device.set_value(1, value).acknowledged().expect("acknowledges");
        assert_eq!(lamp.dps(None)["1"], json!(value));
        next(&mut events, |event| match event {
            Event::Down { reason: DownReason::Ended, retry_in: None } => Some(()),
            _ => None,
        });
    }
    assert_eq!(lamp.connections(), 2);
}

#[test]
fn a_device_is_reconfigured_in_place() {
    let lamp = fake(Version::V34).start().expect("a free port");
    let device = controller(&lamp).version(Version::V35).spawn(&thread());
    let mut events = device.listener();
    let verdict = next(&mut events, |event| match event {
        Event::Down { reason: DownReason::WrongVersion { speaks }, .. } => Some(*speaks),
        _ => None,
    });
    assert_eq!(verdict, Some(Version::V34));
    device.reconfigure(device.config().version(Version::V34)).expect("the same device");
    assert_eq!(device.wait_connected(SOON), Ok(Version::V34));
    let other = Device::builder("another", KEY).expect("usable id and key");
    assert!(device.reconfigure(other).is_err());
    device.set_value(2, 7).acknowledged().expect("acknowledges");
    assert_eq!(lamp.dps(None)["2"], json!(7));
}

#[test]
fn a_host_name_is_looked_up_and_its_absence_reported() {
    let thread = thread();
    let lamp = fake(Version::V34).start().expect("a free port");
    let describe = |name: &str| {
        let address: Address = name.parse().expect("a name");
        let device = Device::builder(ID, KEY).expect("usable id and key").address(address).port(lamp.addr().port());
        device.version(Version::V34).spawn(&thread)
    };
    let named = describe("localhost");
    assert_eq!(named.wait_connected(SOON), Ok(Version::V34));
    assert_eq!((named.address(), named.host_name().as_deref()), (Some(lamp.addr().ip()), Some("localhost")));
    let lost = describe("no-such-host.invalid");
    let mut events = lost.listener();
    let down = core::iter::from_fn(|| events.recv_timeout(SOON).ok()).find_map(|event| match event {
        Event::Down { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(down, Some(DownReason::Unresolved));
}
