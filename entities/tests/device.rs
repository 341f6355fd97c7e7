//! Verbs and changes of entities at virtual devices, through every driver.

use core::time::Duration;

use rustuya_entities::{
    Change, CoverIntent, EntityDevice, EntityHandle, EntityState, Intent, IntentError, Level, LightIntent, Power,
    Schema, Value,
};
use rustuya_runtime_blocking::PollThread;
use rustuya_runtime_tokio::{Device, Event, Tokio, Version};
use rustuya_virtual_device::VirtualDevice;
use serde_json::{Map, Value as Json, json};

const ID: &str = "bf0123456789abcdefgh";
const KEY: &str = "0123456789abcdef";
const LIMIT: Duration = Duration::from_secs(20);

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

async fn far_end(dps: Json) -> VirtualDevice {
    let builder = VirtualDevice::builder(ID, KEY, Version::V34).expect("an id and a key");
    let builder = builder.bind("127.0.0.1:0".parse().expect("an address")).dps(object(dps)).expect("DPs");
    builder.start().await.expect("a free port")
}

async fn connected(far_end: &VirtualDevice) -> Device {
    let builder =
        Device::builder(ID, KEY).expect("an id and a key").address(far_end.local_addr()).version(Version::V34);
    let device = builder.spawn(&Tokio);
    device.wait_ready(LIMIT).await.expect("it answers");
    device
}

fn lamp() -> Schema {
    let entry = json!({ "id": ID, "category": "dj", "mapping": {
        "20": { "code": "switch_led", "type": "Boolean", "values": {} },
        "21": { "code": "work_mode", "type": "Enum", "values": { "range": ["white", "colour", "scene", "music"] } },
        "22": { "code": "bright_value_v2", "type": "Integer", "values": { "min": 10, "max": 1000 } },
        "24": { "code": "colour_data_v2", "type": "Json", "values": {} },
    } });
    Schema::builder().device(&entry).build()
}

#[tokio::test]
async fn one_intent_is_one_write_of_all_its_dps() {
    let bulb = far_end(json!({ "20": false, "21": "white", "22": 10, "24": "000003e803e8" })).await;
    let lamp = EntityDevice::new(connected(&bulb).await, lamp());
    let light = lamp.light().expect("a light");
    assert_eq!(light.state().is_on, Some(false));
    let mut requests = bulb.requests();
    let half = Level::from_percent(50.into()).expect("a level");
    light.turn_on(LightIntent::default().with_brightness(half)).expect("fits").confirmed().await.expect("is done");
    assert_eq!(light.state().brightness.map(Level::percent), Some(50));
    assert_eq!(light.state().is_on, Some(true));
    let mut writes = 0;
    while let Some(request) = requests.try_recv() {
        writes += u32::from(request.name.is_some_and(|name| name.starts_with("Control")));
    }
    assert_eq!(writes, 1, "one frame");
    light.toggle().expect("its state is known").confirmed().await.expect("is done");
    assert_eq!(bulb.dps(None)["20"], json!(false));
    lamp.entity(&light.entity().id)
        .expect("the same one")
        .set("color", "blue")
        .expect("is a color")
        .confirmed()
        .await
        .expect("is done");
    assert_eq!((&bulb.dps(None)["21"], &bulb.dps(None)["24"]), (&json!("colour"), &json!("00f003e803e8")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_anything_is_sent() {
    let bulb = far_end(json!({ "20": false, "21": "white", "22": 10, "24": "000003e803e8" })).await;
    let lamp = EntityDevice::new(connected(&bulb).await, lamp());
    let light = lamp.light().expect("a light");
    let before = bulb.dps(None);
    let kelvin = light.turn_on(LightIntent::default().with_color_temp(2700_u32)).expect_err("has no color temperature");
    assert!(matches!(kelvin, IntentError::Unsupported { .. }), "{kelvin}");
    let cover = light.handle().apply(&Intent::Cover(CoverIntent::Open)).expect_err("is no cover");
    assert!(matches!(cover, IntentError::WrongKind { .. }), "{cover}");
    assert!(lamp.cover().is_none());
    let unknown = EntityDevice::new(Device::builder(ID, KEY).expect("valid").spawn(&Tokio), self::lamp());
    let toggled = unknown.light().expect("a light").toggle().expect_err("nobody knows its state");
    assert!(matches!(toggled, IntentError::UnknownState { .. }), "{toggled}");
    assert_eq!(bulb.dps(None), before);
}

#[tokio::test]
async fn changes_name_entities_and_pass_every_other_event_on() {
    let bulb = far_end(json!({ "20": false, "21": "white", "22": 10, "24": "000003e803e8", "99": 1 })).await;
    let device = connected(&bulb).await;
    let lamp = EntityDevice::new(device.clone(), lamp());
    let mut changes = lamp.changes();
    bulb.set_dps(None, object(json!({ "99": 2 }))).expect("a DP");
    bulb.set_dps(None, object(json!({ "20": true, "22": 505 }))).expect("DPs");
    let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
    let Change::Entity { at, state, is_push: true } = change else { panic!("{change:?}") };
    assert_eq!(lamp.entities()[at].kind, rustuya_entities::EntityKind::Light);
    let EntityState::Light(state) = *state else { panic!("{state:?}") };
    assert_eq!((state.is_on, state.brightness.map(Level::percent)), (Some(true), Some(50)));
    bulb.unplug().await;
    let mut is_down = false;
    while !is_down {
        let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
        assert!(!matches!(change, Change::Entity { .. }), "nothing else has changed: {change:?}");
        is_down = matches!(change, Change::Event(Event::Down { .. }));
    }
    device.close().await;
    while tokio::time::timeout(LIMIT, changes.recv()).await.expect("it ends").is_some() {}
}

#[tokio::test]
async fn a_click_is_told_each_time_and_never_from_an_answer() {
    let entry = json!({ "id": ID, "category": "wxkg", "mapping": {
        "1": { "code": "switch_mode1", "type": "Enum", "values": { "range": ["click", "double_click", "press"] } },
        "10": { "code": "battery_percentage", "type": "Integer", "values": { "unit": "%", "min": 0, "max": 100 } },
    } });
    let remote = far_end(json!({ "1": "click", "10": 80 })).await;
    let device = connected(&remote).await;
    let entities = EntityDevice::new(device.clone(), Schema::builder().device(&entry).build());
    let event = entities.event_source().expect("a button");
    let mut changes = entities.changes();
    device.query().await.expect("it answers");
    for _ in 0..2 {
        remote.set_dps(None, object(json!({ "1": "click" }))).expect("a DP");
        let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
        let Change::Entity { at, state, is_push: true } = change else { panic!("{change:?}") };
        assert_eq!(entities.entities()[at].id, event.entity().id);
        let EntityState::Event(state) = *state else { panic!("{state:?}") };
        assert_eq!(state.event_type.as_deref(), Some("click"));
    }
    remote.set_dps(None, object(json!({ "10": 79 }))).expect("a DP");
    let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
    let Change::Entity { at, .. } = change else { panic!("{change:?}") };
    assert_ne!(entities.entities()[at].id, event.entity().id, "the click is over");
}

#[tokio::test]
async fn a_child_has_entities_of_its_own() {
    let entry = json!({ "category": "mcs", "mapping": {
        "1": { "code": "doorcontact_state", "type": "Boolean", "values": {} } } });
    let builder = VirtualDevice::builder(ID, KEY, Version::V34).expect("an id and a key");
    let gateway = builder
        .bind("127.0.0.1:0".parse().expect("an address"))
        .sub("a4c1", object(json!({ "1": false })))
        .and_then(|builder| builder.sub("a4c2", object(json!({ "1": false }))))
        .expect("two children")
        .start()
        .await
        .expect("a free port");
    let device = connected(&gateway).await;
    let child = device.sub("a4c1").expect("a cid");
    let door = EntityDevice::new(child.clone(), Schema::builder().device(&entry).build());
    let mut changes = door.changes();
    child.query().await.expect("it answers");
    let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
    assert!(matches!(change, Change::Entity { is_push: false, .. }), "{change:?}");
    gateway.set_dps(Some("a4c2"), object(json!({ "1": true }))).expect("the other child");
    gateway.set_dps(Some("a4c1"), object(json!({ "1": true }))).expect("this child");
    loop {
        let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
        if let Change::Entity { state, is_push: true, .. } = change {
            let EntityState::Value(Some(reading)) = *state else { panic!("{state:?}") };
            assert_eq!(reading.value, Value::Bool(true));
            break;
        }
    }
    assert_eq!(door.binary_sensor().and_then(|door| door.value()).map(|door| door.value), Some(Value::Bool(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_threads_have_the_same_verbs() {
    let bulb = far_end(json!({ "20": false, "21": "white", "22": 10, "24": "000003e803e8" })).await;
    let address = bulb.local_addr();
    let worker = std::thread::spawn(move || {
        let thread = PollThread::start().expect("a thread");
        let builder = rustuya_runtime_blocking::Device::builder(ID, KEY).expect("valid");
        let device = builder.address(address).version(Version::V34).spawn(&thread);
        device.wait_ready(LIMIT).expect("it answers");
        let lamp = EntityDevice::new(device, lamp());
        let light = lamp.light().expect("a light");
        light.turn_on(LightIntent::default()).expect("fits").confirmed().expect("is done");
        let handle: &EntityHandle<_> = light.handle();
        handle.apply(&Intent::Switch(Power::Toggle)).expect("fits").confirmed().expect("is done");
        light.state().is_on
    });
    let is_on = tokio::task::spawn_blocking(move || worker.join()).await.expect("joined").expect("no panic");
    assert_eq!(is_on, Some(false));
}
