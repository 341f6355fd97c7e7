//! A device file at a virtual device: one write with all its DPs, and a change by a DP that only a rule looks at.

use core::time::Duration;

use rustuya_entities::profile::{Profile, Profiles};
use rustuya_entities::{Change, ClimateIntent, EntityDevice, EntityState, HvacMode, Schema};
use rustuya_runtime_tokio::{Device, Tokio, Version};
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

#[tokio::test]
async fn a_device_follows_its_file() {
    let dps = json!({ "1": false, "4": "cold", "2": 215, "19": "c", "3": 198, "5": "high", "8": false, "9": false });
    let builder = VirtualDevice::builder(ID, KEY, Version::V34).expect("an id and a key");
    let builder = builder.bind("127.0.0.1:0".parse().expect("an address")).dps(object(dps)).expect("DPs");
    let heater = builder.start().await.expect("a free port");
    let builder = Device::builder(ID, KEY).expect("an id and a key").address(heater.local_addr()).version(Version::V34);
    let device = builder.spawn(&Tokio);
    device.wait_ready(LIMIT).await.expect("it answers");

    let mut profiles = Profiles::new();
    profiles.add("lamp.yaml", include_str!("profiles/lamp.yaml")).expect("a file");
    profiles.add("heater.yaml", include_str!("profiles/heater.yaml")).expect("a file");
    let observed = heater.dps(None).into_iter().filter_map(|(dp, value)| Some((dp.parse().ok()?, value))).collect();
    let candidates = profiles.candidates(&observed, &[]);
    let files: Vec<(u8, &str)> = candidates.iter().map(|candidate| (candidate.quality, candidate.file)).collect();
    assert_eq!(files, [(100, "heater.yaml")]);
    let profile: &Profile = candidates[0].profile;

    let schema = Schema::builder().id(ID).profile(profile.specs()).build();
    let entities = EntityDevice::with_entities(device, schema, profile.entities());
    let climate = entities.climate().expect("a climate");
    assert_eq!(climate.state().hvac_mode, Some(HvacMode::Off));
    let mut requests = heater.requests();
    let mut intent = ClimateIntent::default();
    intent.hvac_mode = Some(HvacMode::Heat);
    intent.temperature = Some("22.5".parse().expect("a number"));
    climate
        .handle()
        .apply(&rustuya_entities::Intent::Climate(intent))
        .expect("fits")
        .confirmed()
        .await
        .expect("is done");
    let now = heater.dps(None);
    assert_eq!((&now["1"], &now["4"], &now["2"]), (&json!(true), &json!("hot"), &json!(225)));
    let mut writes = 0;
    while let Some(request) = requests.try_recv() {
        writes += u32::from(request.name.is_some_and(|name| name.starts_with("Control")));
    }
    assert_eq!(writes, 1, "one frame");

    // DP 4 has no role: only a rule of DP 1 looks at it.
    let mut changes = entities.changes();
    heater.set_dps(None, object(json!({ "4": "cold" }))).expect("a DP");
    let change = tokio::time::timeout(LIMIT, changes.recv()).await.expect("in time").expect("a change");
    let Change::Entity { state, is_push: true, .. } = change else { panic!("{change:?}") };
    let EntityState::Climate(state) = *state else { panic!("{state:?}") };
    assert_eq!(state.hvac_mode, Some(HvacMode::Cool));
}
