//! Controllers against virtual devices of every kind, on loopback.

mod common;

use core::time::Duration;

use common::{KEY, OTHER_KEY, controller, fake, map, next, soon};
use rustuya_runtime_tokio::{Address, CommandError, Device, Dialect, DownReason, Event, Tokio, Version};
use serde_json::json;

/// Query, set one, set several, update, and a push from the device's side.
async fn converse(version: Version, dialect: Dialect) {
    let lamp = fake("bf0123456789abcdefgh", version).dialect(dialect).start().await.expect("a free port");
    let configured = (dialect == Dialect::Device22).then_some(dialect);
    let device = controller(&lamp).version(version).dialect(configured).spawn(&Tokio);
    let mut events = device.listener();
    assert_eq!(soon(device.wait_connected(Duration::from_secs(10))).await, Ok(version));

    let state = soon(device.query_dps(&[1])).await.expect("answers");
    assert_eq!(state.get("1"), Some(&json!(false)), "{version} {dialect:?}");

    soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
    assert_eq!(lamp.dps(None)["1"], json!(true));
    let both = json!({ "2": 75, "3": "é \"x\"" });
    let reply = soon(device.set_dps(map(both.clone())).acknowledged()).await.expect("acknowledges");
    // 3.5 pushes before it acknowledges, and the push is an answer, too.
    let pushed = reply.payload();
    let pushed = pushed.as_ref().and_then(|payload| payload.pointer("/data/dps"));
    assert_eq!(pushed, (version == Version::V35).then_some(&both));
    assert_eq!(lamp.dps(None)["3"], json!("é \"x\""));
    soon(device.update_dps(&[2]).acknowledged()).await.expect("silence or not");

    lamp.set_dps(None, map(json!({ "2": 10 }))).expect("a DP number");
    next(&mut events, |event| match event {
        Event::Message(message) if message.dp(2) == Some(json!(10)) => Some(()),
        _ => None,
    })
    .await;
    assert!(device.is_connected());
    assert_eq!(device.diagnosis(), None);
    soon(device.close()).await;
    assert!(!device.is_connected());
    assert_eq!(soon(device.query()).await, Err(CommandError::Closed));
    soon(lamp.stop()).await;
}

#[tokio::test]
async fn every_version_is_queried_set_and_heard() {
    for version in Version::ALL {
        converse(version, Dialect::Default).await;
    }
}

#[tokio::test]
async fn device22_is_queried_set_and_heard() {
    for version in [Version::V33, Version::V34] {
        converse(version, Dialect::Device22).await;
    }
}

#[tokio::test]
async fn the_version_is_found_out() {
    for version in [Version::V31, Version::V33, Version::V34, Version::V35] {
        let lamp = fake("bf0123456789abcdefgh", version).start().await.expect("a free port");
        let device = controller(&lamp).min_version(version.min(Version::V33)).spawn(&Tokio);
        assert_eq!(soon(device.wait_connected(Duration::from_secs(15))).await, Ok(version));
        soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
        assert_eq!(lamp.dps(None)["1"], json!(true));
    }
}

#[tokio::test]
async fn a_gateway_routes_to_its_children() {
    for version in Version::ALL {
        let gateway = fake("gw0123456789abcdefgh", version)
            .sub("a4c1380000000001", map(json!({ "1": 215 })))
            .and_then(|fake| fake.sub("a4c1380000000002", map(json!({ "1": false }))))
            .expect("usable cids")
            .start()
            .await
            .expect("a free port");
        let device = controller(&gateway).version(version).spawn(&Tokio);
        let mut events = device.listener();
        let sensor = device.sub("a4c1380000000001").expect("a cid");
        let switch = device.sub("a4c1380000000002").expect("a cid");
        if version != Version::V32 {
            // 3.2 is asked in the device22 dialect, by DP 1, and both have one; the others answer with everything.
            assert_eq!(soon(sensor.query_dps(&[1])).await.map(|state| state.dps), Ok(map(json!({ "1": 215 }))));
        }
        assert_eq!(soon(switch.query_dps(&[1])).await.map(|state| state.dps), Ok(map(json!({ "1": false }))));
        soon(switch.set_value(1, true).acknowledged()).await.expect("acknowledges");
        assert_eq!(gateway.dps(Some(switch.id()))["1"], json!(true));
        assert_eq!(gateway.dps(Some(sensor.id()))["1"], json!(215));

        gateway.set_dps(Some(sensor.id()), map(json!({ "1": 198 }))).expect("a DP number");
        next(&mut events, |event| match event {
            Event::Message(message) => {
                let about = message.cid();
                (about == Some(sensor.id()) && message.dp(1) == Some(json!(198))).then_some(())
            }
            _ => None,
        })
        .await;
        let report =
            soon(device.sub_discover().acknowledged()).await.expect("a gateway answers").payload().expect("a report");
        assert_eq!(report["data"]["online"], json!(["a4c1380000000001", "a4c1380000000002"]), "{version}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_diagnosed() {
    for version in [Version::V33, Version::V34, Version::V35] {
        let lamp = fake("bf0123456789abcdefgh", version).start().await.expect("a free port");
        let address = lamp.local_addr();
        let device = Device::builder(lamp.id(), OTHER_KEY)
            .expect("usable id and key")
            .address(address.ip())
            .port(address.port())
            .version(version)
            .command_timeout(Duration::from_secs(3))
            .spawn(&Tokio);
        let mut events = device.listener();
        // Up to 3.3 nothing proves the key before a question: a control that cannot be read is met with silence.
        let error = soon(device.query()).await.expect_err("cannot work");
        assert!(error.is_auth(), "{version}: {error:?}");
        assert!(!error.to_string().contains(OTHER_KEY) && !error.to_string().contains(KEY));
        let told = next(&mut events, |event| match event {
            Event::Down { reason, .. } if reason.is_auth() => Some(*reason),
            _ => None,
        });
        assert!(told.await.is_auth());
        assert_eq!(lamp.dps(None)["1"], json!(false));
    }
}

#[tokio::test]
async fn keys_are_never_shown() {
    let builder = fake("device-under-test", Version::V34);
    let mut shown = format!("{builder:?}");
    let lamp = builder.start().await.expect("a free port");
    shown += &format!("{lamp:?} {:?}", controller(&lamp));
    shown += &format!("{:?}", controller(&lamp).spawn(&Tokio));
    shown += &format!("{:?}", Device::builder("device-under-test", "secret"));
    assert!(shown.contains("device-under-test"));
    for secret in [KEY, "secret", "48, 49, 50"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn a_wrong_version_is_diagnosed() {
    for (spoken, configured) in
        [(Version::V35, Version::V34), (Version::V34, Version::V35), (Version::V35, Version::V33)]
    {
        let lamp = fake("bf0123456789abcdefgh", spoken).start().await.expect("a free port");
        let device = controller(&lamp).version(configured).spawn(&Tokio);
        let mut events = device.listener();
        let verdict = next(&mut events, |event| match event {
            Event::Down { reason: DownReason::WrongVersion { speaks }, .. } => Some(*speaks),
            _ => None,
        });
        assert_eq!(verdict.await, Some(spoken), "configured {configured}");
    }
}

#[tokio::test]
async fn one_byte_segments_and_merged_ones_are_understood() {
    for version in Version::ALL {
        for quirk in ["split-segments", "merge-segments", "garbage", "push-before-ack"] {
            let lamp = fake("bf0123456789abcdefgh", version).quirk(quirk).expect("a quirk");
            let lamp = lamp.start().await.expect("a free port");
            let device = controller(&lamp).version(version).spawn(&Tokio);
            for n in 0..5 {
                soon(device.set_value(2, n).acknowledged()).await.expect("acknowledges");
                assert_eq!(lamp.dps(None)["2"], json!(n), "{version} {quirk}");
            }
        }
    }
}

#[tokio::test]
async fn every_controller_hears_what_another_one_does() {
    let lamp = fake("bf0123456789abcdefgh", Version::V34).max_clients(2).start().await.expect("a free port");
    let one = controller(&lamp).version(Version::V34).spawn(&Tokio);
    let two = controller(&lamp).version(Version::V34).spawn(&Tokio);
    let mut requests = lamp.requests();
    let mut heard = two.listener();
    for device in [&one, &two] {
        // An answer proves that the negotiation has ended on the other side, too: before, nothing is pushed.
        soon(device.query()).await.expect("answers");
    }
    soon(one.set_value(2, 1).acknowledged()).await.expect("acknowledges");
    next(&mut heard, |event| match event {
        Event::Message(message) if message.dp(2) == Some(json!(1)) => Some(()),
        _ => None,
    })
    .await;
    let control = async {
        loop {
            let request = requests.recv().await.expect("was asked");
            if request.name == Some("ControlNew") {
                return request;
            }
        }
    };
    assert_eq!(soon(control).await.cid, None);

    // A third one is closed at once, and told why as far as that can be known.
    let three = controller(&lamp).version(Version::V34).spawn(&Tokio);
    let mut events = three.listener();
    next(&mut events, |event| match event {
        Event::Down { reason: DownReason::Busy | DownReason::KeyOrVersion, .. } => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_not_kept_is_made_for_commands() {
    let lamp = fake("bf0123456789abcdefgh", Version::V35).start().await.expect("a free port");
    let device = controller(&lamp).version(Version::V35).persist(false).spawn(&Tokio);
    assert!(!device.is_connected());
    let mut events = device.listener();
    for value in [true, false] {
        soon(device.set_value(1, value).acknowledged()).await.expect("acknowledges");
        assert_eq!(lamp.dps(None)["1"], json!(value));
        next(&mut events, |event| match event {
            Event::Down { reason: DownReason::Ended, retry_in: None } => Some(()),
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn a_host_name_is_looked_up_for_each_connection() {
    let lamp = fake("bf0123456789abcdefgh", Version::V34).start().await.expect("a free port");
    let here = lamp.local_addr();
    let describe = |address: &str| {
        let address: Address = address.parse().expect("an address");
        let device = Device::builder(lamp.id(), KEY).expect("usable id and key").address(address);
        device.port(here.port()).version(Version::V34).command_timeout(Duration::from_secs(5)).spawn(&Tokio)
    };
    let named = describe("localhost");
    assert_eq!((named.address(), named.host_name().as_deref()), (None, Some("localhost")));
    soon(named.wait_connected(Duration::from_secs(15))).await.expect("one of its addresses is that of the device");
    assert_eq!(named.address(), Some(here.ip()));
    // Another name is another place, although the machine knows addresses only.
    named.reconfigure(named.config().address("127.0.0.77".parse::<Address>().expect("an address"))).expect("the same");
    assert_eq!((named.address(), named.host_name()), (Some([127, 0, 0, 77].into()), None));
    named.reconfigure(named.config().address("LOCALHOST".parse::<Address>().expect("a name"))).expect("the same");
    soon(named.wait_connected(Duration::from_secs(15))).await.expect("is found again");

    // One that does not exist says so, whatever the name service answers with.
    let lost = describe("no-such-host.invalid");
    let mut events = lost.listener();
    let reason = next(&mut events, |event| match event {
        Event::Down { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason.await, DownReason::Unresolved);
    assert_eq!(lost.diagnosis(), Some(DownReason::Unresolved));
}

#[tokio::test]
async fn an_ipv6_address_can_have_a_zone() {
    let lamp = fake("bf0123456789abcdefgh", Version::V34)
        .bind("[::1]:0".parse().expect("valid"))
        .start()
        .await
        .expect("a free port");
    let port = lamp.local_addr().port();
    for address in [format!("[::1]:{port}"), format!("[::1%1]:{port}")] {
        let device = Device::builder(lamp.id(), KEY).expect("usable id and key");
        let device =
            device.address(address.parse::<Address>().expect("an address")).version(Version::V34).spawn(&Tokio);
        soon(device.wait_connected(Duration::from_secs(15))).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        assert_eq!(device.address(), Some(lamp.local_addr().ip()));
    }
}
