//! Profiles over real sockets: a controller queries them, writes, and receives what they push.

#[path = "../../runtime-tokio/tests/common/mod.rs"]
mod common;

use core::time::Duration;

use common::*;
use rustuya_runtime_tokio::proto::WriteError;
use rustuya_runtime_tokio::*;
use rustuya_virtual_device::{Profile, VirtualDevice, VirtualDeviceBuilder};
use serde_json::{Map, Value, json};

const ID: &str = "bf0123456789abcdefgh";

fn virtual_device(profile: Profile, version: Version) -> VirtualDeviceBuilder {
    let builder = VirtualDevice::builder(ID, KEY, version).expect("usable id and key");
    builder.bind("127.0.0.1:0".parse().expect("an address")).profile(profile).strict(true).seed(1)
}

/// Typical writes, and pushes that follow sooner or later. Profiles that are not named here are queried only.
fn scripts() -> Vec<(&'static str, Value, Value)> {
    vec![
        ("light", json!({ "24": "00f003e803e8" }), json!({ "24": "00f003e803e8", "21": "colour" })),
        ("light-v1", json!({ "5": "00ff000078ffff" }), json!({ "2": "colour" })),
        ("white-light", json!({ "20": true, "22": 10 }), json!({ "20": true, "22": 10 })),
        ("led-strip", json!({ "26": 600 }), json!({ "26": 0, "20": false })),
        ("ceiling-light", json!({ "53": true }), json!({ "53": true })),
        ("dimmer", json!({ "2": 900, "6": 60 }), json!({ "2": 900, "1": false })),
        ("dimmer-switch", json!({ "7": false }), json!({ "7": false })),
        ("light-remote", json!({ "3": 10 }), json!({ "3": 10 })),
        ("plug", json!({ "1": false }), json!({ "1": false, "18": 0, "19": 0 })),
        ("old-plug", json!({ "1": true }), json!({ "1": true })),
        ("power-strip", json!({ "3": true }), json!({ "3": true })),
        ("two-gang-switch", json!({ "1": true, "10": 60 }), json!({ "1": true, "2": false })),
        ("relay-module", json!({ "2": true }), json!({ "2": true })),
        ("breaker", json!({ "16": false }), json!({ "16": false })),
        ("ev-charger", json!({ "18": true }), json!({ "3": "charger_charging" })),
        ("curtain", json!({ "1": "open" }), json!({ "7": "opening", "3": 0, "1": "stop", "11": "fully_open" })),
        ("old-curtain", json!({ "101": "ZZ" }), json!({ "102": 100, "101": "STOP" })),
        ("curtain-switch", json!({ "4": "open" }), json!({ "5": 0, "4": "stop" })),
        ("garage-door", json!({ "1": true }), json!({ "3": true })),
        ("door-controller", json!({ "1": "open" }), json!({ "2": "opened" })),
        ("thermostat", json!({ "2": 300 }), json!({ "3": 300, "36": "close" })),
        ("trv", json!({ "2": 250 }), json!({ "3": 250, "4": "closed" })),
        ("air-conditioner", json!({ "2": 20, "4": "cold" }), json!({ "23": 68, "3": 20, "24": 68 })),
        ("heater", json!({ "19": "1h" }), json!({ "20": 0, "1": false })),
        ("water-heater", json!({ "9": 60 }), json!({ "10": 60, "12": "standby" })),
        ("fireplace", json!({ "1": true, "4": "hot", "2": 25 }), json!({ "3": 25 })),
        ("towel-rack", json!({ "1": true }), json!({ "3": 45 })),
        ("temperature-switch", json!({ "12": 220 }), json!({ "10": 220 })),
        ("pool-heat-pump", json!({ "10": 30 }), json!({ "16": 30, "20": 0 })),
        ("fan", json!({ "6": "1h", "3": 80 }), json!({ "3": 80, "1": false })),
        ("fan-light", json!({ "62": 6, "63": "reverse" }), json!({ "62": 6, "63": "reverse" })),
        ("fan-switch", json!({ "1": true, "3": "level_4" }), json!({ "1": true, "3": "level_4" })),
        ("tower-fan", json!({ "2": "sleep" }), json!({ "2": "sleep" })),
        ("humidifier", json!({ "13": 60 }), json!({ "14": 60 })),
        ("dehumidifier", json!({ "2": 45 }), json!({ "6": 45 })),
        ("diffuser", json!({ "108": "ff00000000ffff" }), json!({ "110": "colour" })),
        ("purifier", json!({ "4": "high" }), json!({ "4": "high", "2": 8, "21": "great" })),
        ("motion-sensor", json!({ "9": "high" }), json!({ "1": "pir" })),
        ("presence-sensor", json!({ "2": 9 }), json!({ "1": "presence" })),
        ("gas-sensor", json!({ "12": true }), json!({ "13": "check_success", "12": false })),
        ("siren", json!({ "13": true }), json!({ "21": "normal", "13": false })),
        ("alarm", json!({ "1": "sos" }), json!({ "32": "alarm" })),
        ("lock", json!({ "33": false }), json!({ "47": true })),
        ("camera", json!({ "159": true }), json!({ "159": false })),
        ("ir-blaster", json!({ "201": "{\"control\":\"study\"}" }), json!({ "202": "CkEUXwYJAigCCQKRBuADAQ==" })),
        ("robot", json!({ "1": true }), json!({ "5": "charging", "1": false })),
        ("irrigation", json!({ "1": true }), json!({ "12": "idle", "1": false })),
        ("sprinkler", json!({ "2": true, "18": 30 }), json!({ "2": false })),
        ("kettle", json!({ "1": true }), json!({ "4": 90, "15": "standby", "1": false })),
        ("coffee-maker", json!({ "2": true }), json!({ "7": "standby", "2": false })),
        ("sous-vide", json!({ "2": true }), json!({ "5": 560, "3": "standby" })),
        ("pet-feeder", json!({ "3": 2 }), json!({ "4": "standby", "15": 2, "3": 0 })),
        ("pet-fountain", json!({ "7": true }), json!({ "4": 43_200, "7": false })),
        ("litter-box", json!({ "9": true }), json!({ "24": "standby", "9": false })),
        ("smart-garden", json!({ "3": true }), json!({ "3": false })),
        ("fingerbot", json!({ "1": true }), json!({ "1": false })),
        ("wake-light", json!({ "24": "001e03e80191" }), json!({ "21": "colour" })),
    ]
}

/// Receives pushes until each of these DPs has had its value.
async fn receive(listener: &mut Listener, name: &str, expected: &Value) {
    let mut missing: Map<String, Value> = map(expected.clone());
    let end = tokio::time::Instant::now() + Duration::from_secs(15);
    while !missing.is_empty() {
        let event = tokio::time::timeout_at(end, listener.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("{name}: never pushed: {missing:?}")).expect("lives");
        if let Event::Message(message) = event {
            missing.retain(|dp, value| message.dp(dp.parse::<u16>().expect("a number")).as_ref() != Some(value));
        }
    }
}

async fn run(profile: Profile, version: Version, write: Option<(Value, Value)>) {
    let name = profile.name();
    // First without time, for the state; then quickly.
    let device = virtual_device(profile, version).speed(0).start().await.expect("a port");
    let remote = controller(&device).version(version).spawn(&Tokio);
    let mapping = profile.mapping();
    let state = device.dps(None);
    assert!(mapping.keys().all(|dp| state.contains_key(dp)) && state.len() == mapping.len(), "{name}");
    if profile.children().count() == 0 {
        // Device22 firmware, which 3.2 is, reports what it is asked for.
        let dps: Vec<u16> = mapping.keys().map(|dp| dp.parse().expect("a number")).collect();
        let queried = match version {
            Version::V32 => soon(remote.query_dps(&dps)).await,
            _ => soon(remote.query()).await,
        };
        let queried = queried.unwrap_or_else(|error| panic!("{name}, {version}: {error}"));
        let reported: Map<_, _> = queried.dps.clone();
        let expected = state.iter().filter(|(_, value)| !value.is_null());
        for (dp, value) in expected {
            let is_hidden = version == Version::V35 && mapping[dp]["type"] == "Raw";
            assert!(is_hidden || reported.get(dp) == Some(value), "{name}, {version}, DP {dp}: {reported:?}");
        }
        assert!(reported.keys().all(|dp| mapping.contains_key(dp)), "{name}: {reported:?}");
        soon(remote.set_value(250, true).acknowledged()).await.expect("acknowledged");
        assert_eq!(device.dps(None), state, "{name}: nothing has changed");
    }
    drop(remote);
    soon(device.stop()).await;

    let Some((write, expected)) = write else { return };
    let device = virtual_device(profile, version).speed(1200).start().await.expect("a port");
    let remote = controller(&device).version(version).spawn(&Tokio);
    soon(remote.wait_connected(Duration::from_secs(10))).await.expect("connects");
    let mut listener = remote.listener();
    soon(remote.set_dps(map(write.clone())).acknowledged()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    receive(&mut listener, name, &expected).await;
    assert_eq!(device.rejected_writes(), [], "{name}");
    soon(device.stop()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_profile_answers_and_does_what_it_is_told() {
    let scripts = scripts();
    let mut all = tokio::task::JoinSet::new();
    for (at, profile) in Profile::all().enumerate() {
        let version = Version::ALL[at % Version::ALL.len()];
        let script = scripts.iter().find(|(name, ..)| *name == profile.name());
        all.spawn(run(profile, version, script.map(|(_, write, expected)| (write.clone(), expected.clone()))));
    }
    for (name, ..) in &scripts {
        name.parse::<Profile>().expect("a profile");
    }
    while let Some(result) = all.join_next().await {
        if let Err(error) = result {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

#[tokio::test]
async fn measurements_cannot_be_written() {
    let sensor = virtual_device("temperature-humidity".parse().expect("a profile"), Version::V34).speed(0);
    let sensor = sensor.start().await.expect("a port");
    let mut told = sensor.rejected_write_listener();
    let device = controller(&sensor).version(Version::V34).spawn(&Tokio);
    for (dp, value, why) in
        [(1, json!(300), WriteError::ReadOnly), (9, json!("k"), WriteError::Range), (10, json!(601), WriteError::Range)]
    {
        soon(device.set_value(dp, value.clone()).acknowledged()).await.expect("acknowledged");
        let rejected = soon(told.recv()).await.expect("told");
        assert_eq!((rejected.dp, rejected.value, rejected.why), (dp, value, Some(why)));
    }
    assert_eq!(sensor.dps(None)["1"], json!(213));
    // By hand, everything is possible: here, a lighter under the sensor.
    sensor.set_dps(None, map(json!({ "1": 300 }))).expect("a number");
    assert_eq!(sensor.dps(None)["1"], json!(300));
}

#[tokio::test]
async fn a_button_is_heard_again_and_again() {
    let button = virtual_device("button".parse().expect("a profile"), Version::V35).speed(3600);
    let button = button.start().await.expect("a port");
    let device = controller(&button).version(Version::V35).spawn(&Tokio);
    let mut listener = device.listener();
    for _ in 0..5 {
        next(&mut listener, |event| match event {
            Event::Message(message) => (1..=4_u16).find_map(|dp| message.dp(dp)).filter(Value::is_string),
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn sub_devices_of_a_gateway_behave_like_others() {
    let gateway = virtual_device("gateway".parse().expect("a profile"), Version::V34).speed(3600);
    let gateway = gateway.start().await.expect("a port");
    let device = controller(&gateway).version(Version::V34).spawn(&Tokio);
    let valve = device.sub("a4c138fffe000005").expect("a cid");
    let mut listener = device.listener();
    soon(valve.set_value(2, 250).acknowledged()).await.expect("acknowledged");
    next(&mut listener, |event| match event {
        Event::Message(message) if message.cid() == Some("a4c138fffe000005") => {
            (message.dp(3) == Some(json!(250))).then_some(())
        }
        _ => None,
    })
    .await;
    let entries = gateway.entries();
    assert_eq!(entries.len(), 6);
    let file = serde_json::to_vec(&entries).expect("JSON");
    let file = DevicesFile::parse(&file).expect("a list");
    let listed = file.find("Radiator").expect("no error").expect("listed");
    assert_eq!((listed.cid(), listed.parent()), (Some("a4c138fffe000005"), Some(ID)));
    let own = file.find("Zigbee gateway").expect("no error").expect("listed");
    assert_eq!((own.ip(), own.port()), (Some(gateway.local_addr().ip()), Some(gateway.local_addr().port())));
    assert_eq!(own.version(), Some(Version::V34));
}

#[tokio::test]
async fn an_unplugged_device_does_nothing() {
    let curtain = virtual_device("curtain".parse().expect("a profile"), Version::V33).speed(60);
    let curtain = curtain.start().await.expect("a port");
    soon(curtain.unplug()).await;
    curtain.set_dps(None, map(json!({ "1": "close" }))).expect("a word");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(curtain.dps(None)["3"], json!(40));
    soon(curtain.plug()).await.expect("the port is free");
    let device = controller(&curtain).version(Version::V33).spawn(&Tokio);
    soon(device.wait_connected(Duration::from_secs(10))).await.expect("connects");
    tokio::time::sleep(Duration::from_millis(300)).await;
    soon(async {
        while curtain.dps(None)["3"] != json!(100) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
