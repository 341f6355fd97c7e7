//! Device files: every key, every rule both ways, and matching.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustuya_entities::profile::{Profile, Profiles};
use rustuya_entities::{Access, Channel, Color, DpKind, Entity, EntityKind, Origin, Role, Value, ValueError, Writes};
use serde_json::{Value as Json, json};

type State = BTreeMap<u16, Json>;

fn profile(name: &str) -> Profile {
    let text = match name {
        "lamp" => include_str!("profiles/lamp.yaml"),
        "heater" => include_str!("profiles/heater.yaml"),
        "parts" => include_str!("profiles/parts.yaml"),
        _ => panic!("no file {name}"),
    };
    Profile::parse(text).unwrap()
}

fn state<const N: usize>(dps: [(u16, Json); N]) -> State {
    dps.into()
}

fn entity(profile: &Profile, id: &str) -> Entity {
    let entities = profile.entities();
    let ids: Vec<_> = entities.iter().map(|entity| entity.id.clone()).collect();
    entities.into_iter().find(|entity| entity.id == id).unwrap_or_else(|| panic!("no {id} in {ids:?}"))
}

fn channel(entity: &Entity, role: &Role) -> Channel {
    entity.channel(role).unwrap_or_else(|| panic!("{} has no {role:?}", entity.id)).clone()
}

fn read(entity: &Entity, role: &Role, state: &State) -> Option<Value> {
    channel(entity, role).read(state).map(|reading| reading.value)
}

fn write(entity: &Entity, role: &Role, value: &Value, state: &State) -> Result<Json, ValueError> {
    let mut writes = Writes::new();
    channel(entity, role).write(value, state, &mut writes)?;
    Ok(serde_json::to_value(writes.dps).unwrap())
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().unwrap())
}

fn message(result: Result<Json, ValueError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn all_keys_are_understood() {
    for name in ["lamp", "heater", "parts"] {
        let profile = profile(name);
        assert!(profile.notes.is_empty(), "{name}: {:?}", profile.notes);
        for entity in &profile.entities {
            assert!(entity.is_understood(), "{name}: {} {:?}", entity.platform, entity.notes);
        }
        assert_eq!(profile.coverage().understood, profile.coverage().entities);
    }
}

#[test]
fn every_dp_has_a_channel_or_serves_another() {
    for name in ["lamp", "heater", "parts"] {
        let profile = profile(name);
        let entities = profile.entities();
        let channels = entities.iter().flat_map(|entity| &entity.channels);
        let reached: Vec<u16> = channels.flat_map(|(_, channel)| channel.inputs()).copied().collect();
        for spec in profile.specs() {
            assert!(reached.contains(&spec.dp), "{name}: DP {}", spec.dp);
        }
    }
}

#[test]
fn a_light_by_its_rules() {
    let profile = profile("lamp");
    let light = entity(&profile, "light");
    assert_eq!(light.kind, EntityKind::Light);
    let now = state([
        (20, json!(true)),
        (21, json!("white")),
        (22, json!(505)),
        (23, json!(500)),
        (24, json!("00f001f402bc")),
        (25, json!("000e0d0000000000000000c80000")),
    ]);
    assert_eq!(read(&light, &Role::Power, &now), Some(Value::Bool(true)));
    assert_eq!(read(&light, &Role::Mode, &now), Some(Value::text("white")));
    assert_eq!(read(&light, &Role::Brightness, &now), Some(number("50")));
    assert_eq!(read(&light, &Role::ColorTemp, &now), Some(number("4600")));
    assert_eq!(read(&light, &Role::Color, &now), Some(Value::Color(Color::hsv(240, 500, 700))));
    assert_eq!(read(&light, &Role::Effect, &now), Some(Value::text("Night")));

    assert_eq!(write(&light, &Role::Brightness, &number("100"), &now).unwrap(), json!({"22": 1000}));
    assert_eq!(write(&light, &Role::ColorTemp, &number("2700"), &now).unwrap(), json!({"23": 0}));
    assert_eq!(write(&light, &Role::Mode, &Value::text("colour"), &now).unwrap(), json!({"21": "colour"}));
    assert_eq!(write(&light, &Role::Mode, &Value::text("hs"), &now).unwrap(), json!({"21": "colour"}));
    let red = Value::Color(Color::hsv(0, 1000, 1000));
    assert_eq!(write(&light, &Role::Color, &red, &now).unwrap(), json!({"24": "000003e803e8"}));
    assert_eq!(message(write(&light, &Role::ColorTemp, &number("9000"), &now)), "color_temp goes from 2700 to 6500");
    assert_eq!(message(write(&light, &Role::Effect, &Value::text("Party"), &now)), "effect is one of Night, Read");
    assert_eq!(message(write(&light, &Role::Color, &Value::Labels(Vec::new()), &now)), "rgbhsv is a color");
}

#[test]
fn a_light_of_odd_forms() {
    let ring = entity(&profile("lamp"), "light_ring");
    let now = state([(5, json!("00ff0007")), (6, json!(0)), (7, json!("low")), (8, json!("2"))]);
    assert_eq!(read(&ring, &Role::Color, &now), Some(Value::Color(Color::hsv(120, 1000, 1000))));
    // The speed is no part of the color and stays as it is.
    let red = Value::Color(Color::hsv(0, 1000, 1000));
    assert_eq!(write(&ring, &Role::Color, &red, &now).unwrap(), json!({"5": "ff000007"}));
    // A range without a target is from warm to cold; here the device counts the other way round.
    assert_eq!(read(&ring, &Role::ColorTemp, &now), Some(number("6500")));
    assert_eq!(write(&ring, &Role::ColorTemp, &number("2700"), &now).unwrap(), json!({"6": 255}));
    assert_eq!(read(&ring, &Role::Brightness, &now), Some(number("20")));
    assert_eq!(write(&ring, &Role::Brightness, &number("90"), &now).unwrap(), json!({"7": "high"}));
    let named = Role::Attribute("named_color".into());
    assert_eq!(read(&ring, &named, &now), Some(Value::text("blue")));
    assert_eq!(write(&ring, &named, &Value::text("red"), &now).unwrap(), json!({"8": "1"}));
}

#[test]
fn steps_and_scales() {
    let timer = entity(&profile("lamp"), "number_timer");
    assert_eq!(timer.unit, "min");
    assert_eq!(timer.device_class.as_deref(), Some("duration"));
    let now = state([(26, json!(90))]);
    assert_eq!(read(&timer, &Role::Value, &now), Some(number("1.5")));
    assert_eq!(write(&timer, &Role::Value, &number("2"), &now).unwrap(), json!({"26": 120}));
    assert_eq!(write(&timer, &Role::Value, &number("1.4"), &now).unwrap(), json!({"26": 60}));
    assert_eq!(message(write(&timer, &Role::Value, &number("2000"), &now)), "value goes from 0 to 1440 min");
    // A device that sends numbers as text takes them as text.
    let as_text = state([(26, json!("90"))]);
    assert_eq!(read(&timer, &Role::Value, &as_text), Some(number("1.5")));
    assert_eq!(write(&timer, &Role::Value, &number("2"), &as_text).unwrap(), json!({"26": "120"}));
    // Out of range is passed on, and flagged.
    let beyond = channel(&timer, &Role::Value).read(&state([(26, json!(90_000))])).unwrap();
    assert_eq!((beyond.value, beyond.is_out_of_spec), (number("1500"), true));
}

#[test]
fn a_condition_is_set_along() {
    let climate = entity(&profile("heater"), "climate_aircon_extra");
    assert_eq!(climate.name.as_deref(), Some("Aircon extra"));
    let now = state([(1, json!(true)), (4, json!("cold")), (19, json!("c"))]);
    assert_eq!(read(&climate, &Role::Mode, &now), Some(Value::text("cool")));
    assert_eq!(write(&climate, &Role::Mode, &Value::text("heat"), &now).unwrap(), json!({"1": true, "4": "hot"}));
    assert_eq!(write(&climate, &Role::Mode, &Value::text("off"), &now).unwrap(), json!({"1": false}));
    // It is unknown which of two constraints is meant: it is set only while one of them holds.
    assert_eq!(
        message(write(&climate, &Role::Mode, &Value::text("fan_only"), &now)),
        "hvac_mode is one of off, cool, heat, fan_only"
    );
    let breeze = state([(1, json!(false)), (4, json!("breeze")), (19, json!("c"))]);
    assert_eq!(write(&climate, &Role::Mode, &Value::text("fan_only"), &breeze).unwrap(), json!({"1": true}));
    assert_eq!(message(write(&climate, &Role::Mode, &Value::text("dry"), &now)).split(' ').next(), Some("hvac_mode"));

    // Two DPs make a preset.
    let asleep = state([(8, json!(false)), (9, json!(true))]);
    assert_eq!(read(&climate, &Role::Preset, &asleep), Some(Value::text("sleep")));
    assert_eq!(write(&climate, &Role::Preset, &Value::text("none"), &asleep).unwrap(), json!({"8": false, "9": false}));
    assert_eq!(write(&climate, &Role::Preset, &Value::text("eco"), &asleep).unwrap(), json!({"8": true}));
}

#[test]
fn ranges_and_steps_follow_a_condition() {
    let climate = entity(&profile("heater"), "climate_aircon_extra");
    let celsius = state([(2, json!(215)), (19, json!("c"))]);
    let target = Role::TargetTemperature;
    assert_eq!(read(&climate, &target, &celsius), Some(number("21.5")));
    assert_eq!(write(&climate, &target, &number("21.5"), &celsius).unwrap(), json!({"2": 215}));
    assert_eq!(write(&climate, &target, &number("21.7"), &celsius).unwrap(), json!({"2": 215}));
    assert_eq!(message(write(&climate, &target, &number("70"), &celsius)), "temperature goes from 16 to 31");
    let fahrenheit = state([(2, json!(700)), (19, json!("f"))]);
    assert_eq!(write(&climate, &target, &number("70.4"), &fahrenheit).unwrap(), json!({"2": 700}));
    // In this state another DP has the temperature, and its own range.
    let eco = state([(2, json!(215)), (19, json!("eco")), (30, json!(20))]);
    assert_eq!(read(&climate, &target, &eco), Some(number("20")));
    assert_eq!(write(&climate, &target, &number("21"), &eco).unwrap(), json!({"30": 21}));
    assert_eq!(message(write(&climate, &target, &number("25"), &eco)), "eco_temperature goes from 18 to 22");
}

#[test]
fn what_cannot_be_set_now_is_refused() {
    let climate = entity(&profile("heater"), "climate_aircon_extra");
    let wind = state([(1, json!(true)), (4, json!("wind")), (5, json!("high"))]);
    let error = channel(&climate, &Role::FanSpeed).write(&Value::text("low"), &wind, &mut Writes::new()).unwrap_err();
    assert!(matches!(error.limit, rustuya_entities::Limit::NotNow { .. }));
    assert_eq!(error.to_string(), "fan_mode cannot be set now, while mode is wind");
    assert_eq!(write(&climate, &Role::FanSpeed, &Value::text("high"), &wind).unwrap(), json!({"5": "high"}));
    let cold = state([(1, json!(true)), (4, json!("cold")), (5, json!("high"))]);
    assert_eq!(write(&climate, &Role::FanSpeed, &Value::text("low"), &cold).unwrap(), json!({"5": "low"}));
    // An invalid value reads as none.
    let low = state([(4, json!("wind")), (5, json!("low"))]);
    assert_eq!(read(&climate, &Role::FanSpeed, &low), None);
    // A word that this variant of the device does not have.
    assert_eq!(
        message(write(&climate, &Role::FanSpeed, &Value::text("strong"), &cold)),
        "fan_mode is one of low, high"
    );
    let turbo = state([(4, json!("cold")), (5, json!("high")), (40, json!(true))]);
    assert_eq!(write(&climate, &Role::FanSpeed, &Value::text("strong"), &turbo).unwrap(), json!({"5": "turbo"}));
    let unit = Role::Attribute("unit".into());
    assert_eq!(message(write(&climate, &unit, &Value::text("f"), &cold)), "dp_19 is only reported and cannot be set");
}

#[test]
fn mirrors_and_mappings_of_conditions() {
    let profile = profile("heater");
    let season = entity(&profile, "select_season");
    let auto = state([(12, json!("auto")), (13, json!("winter"))]);
    assert_eq!(read(&season, &Role::Value, &auto), Some(Value::text("winter")));
    assert_eq!(write(&season, &Role::Value, &Value::text("winter"), &auto).unwrap(), json!({"12": "auto"}));
    assert_eq!(write(&season, &Role::Value, &Value::text("summer"), &auto).unwrap(), json!({"12": "summer"}));

    let climate = entity(&profile, "climate_aircon_extra");
    let swing = |variant: &str| read(&climate, &Role::Swing, &state([(10, json!("0")), (11, json!(variant))]));
    assert_eq!(swing("a"), Some(Value::text("off")));
    assert_eq!(swing("b"), Some(Value::text("horizontal")));
}

#[test]
fn packed_values() {
    let profile = profile("parts");
    let now = state([
        (6, json!("CRoAA+gAAMg=")),
        (7, json!("12fe34")),
        (8, json!("a5")),
        (9, json!(5)),
        (10, json!(8)),
        (11, json!("AEgAaQ==")),
        (12, json!("{\"a\":1}")),
        (13, json!(1_700_000_000)),
        (14, json!(1.5)),
        (15, json!("/zgZ")),
        (16, json!("AQI=")),
    ]);
    let value = |id: &str| read(&entity(&profile, id), &Role::Value, &now);
    assert_eq!(value("sensor_voltage"), Some(number("233")));
    assert_eq!(value("sensor_signed"), Some(number("-2")));
    assert_eq!(value("number_nibble"), Some(number("10")));
    assert_eq!(value("switch_flag"), Some(Value::Bool(true)));
    assert_eq!(value("binary_sensor_problem"), Some(Value::Bool(true)));
    assert_eq!(value("text_message"), Some(Value::text("Hi")));
    assert_eq!(value("sensor_settings"), Some(Value::Json(json!({"a": 1}))));
    assert_eq!(value("sensor_clock"), Some(number("1700000000")));
    assert_eq!(value("number_factor"), Some(number("1.5")));
    assert_eq!(value("sensor_blob"), Some(Value::Bytes(vec![1, 2])));
    let packed = vec![("inside".to_owned(), number("-200")), ("outside".to_owned(), number("25"))];
    assert_eq!(value("sensor_packed"), Some(Value::Group(packed)));
    let problem = entity(&profile, "binary_sensor_problem");
    let code = Role::Attribute("fault_code".into());
    assert_eq!(read(&problem, &code, &now), Some(Value::text("filter")));
    // Any of the bits is meant.
    assert_eq!(read(&problem, &code, &state([(10, json!(4))])), Some(Value::text("pump")));
    assert_eq!(read(&problem, &code, &state([(10, json!(0))])), Some(Value::text("none")));

    let set = |id: &str, value: &Value| write(&entity(&profile, id), &Role::Value, value, &now);
    assert_eq!(set("number_nibble", &number("3")).unwrap(), json!({"8": "35"}));
    assert_eq!(message(set("number_nibble", &number("16"))), "value goes from 0 to 15");
    assert_eq!(set("switch_flag", &Value::Bool(false)).unwrap(), json!({"9": 1}));
    assert_eq!(set("text_message", &Value::text("Hi")).unwrap(), json!({"11": "AEgAaQ=="}));
    assert_eq!(set("number_factor", &number("2.25")).unwrap(), json!({"14": 2.25}));
    assert_eq!(message(set("number_factor", &number("2.75"))), "value goes from 0.5 to 2.5");
    assert_eq!(message(set("sensor_voltage", &number("1"))), "dp_6 is only reported and cannot be set");
    // The other bits are not known.
    let nibble = entity(&profile, "number_nibble");
    assert_eq!(
        message(write(&nibble, &Role::Value, &number("3"), &State::new())),
        "value is settable once its bytes are known"
    );
    // Two values in one DP share the command.
    let mut writes = Writes::new();
    writes.set(8, "ff");
    channel(&nibble, &Role::Value).write(&number("3"), &now, &mut writes).unwrap();
    assert_eq!(writes.dps[&8], json!("3f"));
}

#[test]
fn covers_fans_and_sirens() {
    let profile = profile("parts");
    let cover = entity(&profile, "cover_curtain");
    let now = state([(50, json!(30)), (51, json!("STOP")), (52, json!(90)), (60, json!(true)), (61, json!(3))]);
    assert_eq!(read(&cover, &Role::Position, &now), Some(number("70")));
    assert_eq!(write(&cover, &Role::Position, &number("100"), &now).unwrap(), json!({"50": 0}));
    assert_eq!(read(&cover, &Role::Tilt, &now), Some(number("50")));
    assert_eq!(write(&cover, &Role::Tilt, &number("100"), &now).unwrap(), json!({"52": 180}));
    assert_eq!(write(&cover, &Role::Command, &Value::text("open"), &now).unwrap(), json!({"51": "FZ"}));
    assert_eq!(message(write(&cover, &Role::Command, &Value::text("up"), &now)), "control is one of open, close, stop");

    let fan = entity(&profile, "fan");
    assert_eq!(read(&fan, &Role::FanSpeed, &now), Some(number("75")));
    assert_eq!(write(&fan, &Role::FanSpeed, &number("50"), &now).unwrap(), json!({"61": 2}));
    let second = entity(&profile, "fan_second");
    assert_eq!(write(&second, &Role::FanSpeed, &number("70"), &now).unwrap(), json!({"63": "mid"}));

    let siren = entity(&profile, "siren");
    let rules = match channel(&siren, &Role::Tone).codec {
        rustuya_entities::Codec::Rules(rules) => rules,
        other => panic!("{other:?}"),
    };
    assert_eq!(rules.default_value(), Some(Value::text("Bell")));
    assert_eq!(rules.words(&now), [Arc::from("off"), Arc::from("Bell")]);
    assert_eq!(write(&siren, &Role::Volume, &number("30"), &now).unwrap(), json!({"71": "low"}));
}

#[test]
fn platforms_without_a_kind_become_the_closest() {
    let profile = profile("parts");
    let kind = |id: &str| entity(&profile, id).kind;
    assert_eq!(kind("time_start_hour"), EntityKind::Number);
    assert_eq!(kind("time_start_minute"), EntityKind::Number);
    assert_eq!(kind("camera_motion_enable"), EntityKind::Switch);
    assert_eq!(kind("camera_snapshot"), EntityKind::Sensor);
    assert_eq!(kind("remote"), EntityKind::Text);
    assert_eq!(kind("water_heater"), EntityKind::Climate);
    assert_eq!(kind("lawn_mower"), EntityKind::Vacuum);
    let now = State::new();
    let minute = entity(&profile, "time_start_minute");
    assert_eq!(write(&minute, &Role::Value, &number("30"), &now).unwrap(), json!({"81": 30}));
    assert_eq!(message(write(&minute, &Role::Value, &number("60"), &now)), "minute goes from 0 to 59");
    let button = entity(&profile, "button_filter_reset_1");
    assert_eq!(button.channels[0].1.access, Access::WriteOnly);
    assert_eq!(write(&button, &Role::Value, &Value::Bool(true), &now).unwrap(), json!({"120": "reset"}));
    assert!(!entity(&profile, "switch_old").is_enabled);
}

#[test]
fn a_door_is_not_opened_by_the_way() {
    let profile = profile("parts");
    let door = entity(&profile, "lock");
    assert!(door.channels.iter().all(|(_, channel)| channel.access == Access::ReadOnly));
    let child_lock = entity(&profile, "lock_child_lock");
    assert_eq!(child_lock.kind, EntityKind::Switch);
    let set = write(&child_lock, &Role::Value, &Value::Bool(true), &State::new());
    assert_eq!(set.unwrap(), json!({"43": true}));
}

#[test]
fn secrets_are_not_printed() {
    let profile = profile("parts");
    assert_eq!(profile.sensitive_dps(), [42]);
    let lock = entity(&profile, "lock");
    let now = state([(42, json!("31415926"))]);
    let reading = channel(&lock, &Role::Attribute("code_unlock".into())).read(&now).unwrap();
    assert_eq!(reading.value, Value::text("31415926"));
    assert!(reading.is_sensitive && !format!("{reading:?}").contains("31415926"));

    let entries = lock.entries(&now);
    let entry = entries.iter().find(|entry| entry.name == "code_unlock").unwrap();
    assert!(entry.text() == "(secret)" && !format!("{entry:?}").contains("31415926"));

    let text = "name: x\nentities:\n  - entity: text\n    dps:\n      - id: 1\n        type: string\n        name: value\n        sensitive: true\n        mapping:\n          - dps_val: '2718'\n            value: secret-word\n";
    let profile = Profile::parse(text).unwrap();
    let mut writes = Writes::new();
    let text = entity(&profile, "text");
    channel(&text, &Role::Value).write(&Value::text("secret-word"), &State::new(), &mut writes).unwrap();
    assert_eq!(writes.dps[&1], json!("2718"));
    for printed in [format!("{writes:?}"), format!("{profile:?}"), format!("{text:?}")] {
        assert!(!printed.contains("2718") && !printed.contains("secret-word"), "{printed}");
    }
}

#[test]
fn facts_about_dps_have_their_source() {
    let specs = profile("heater").specs();
    let spec = |dp: u16| specs.iter().find(|spec| spec.dp == dp).unwrap();
    assert!(specs.iter().all(|spec| spec.origin == Origin::Profile && spec.code == format!("dp_{}", spec.dp)));
    assert_eq!(spec(19).access, Access::ReadOnly);
    assert_eq!(spec(1).kind, DpKind::Boolean);
    assert_eq!(spec(5).kind, DpKind::Enum { range: vec!["low".into(), "high".into(), "turbo".into()] });
    let DpKind::Integer(energy) = &spec(17).kind else { panic!("{:?}", spec(17).kind) };
    assert_eq!((energy.scale, energy.unit.as_str()), (2, "kWh"));
    assert_eq!(profile("heater").update_dps(), [17]);
}

/// A channel can write every value that it reads, and reads every value that it wrote.
#[test]
fn reading_and_writing_agree() {
    let states = [
        ("lamp", state([(20, json!(false)), (21, json!("colour")), (22, json!(10)), (23, json!(1000))])),
        (
            "lamp",
            state([(5, json!("0a141e01")), (6, json!(17)), (7, json!("high")), (8, json!("1")), (26, json!(7200))]),
        ),
        ("lamp", state([(21, json!("scene")), (22, json!(777)), (23, json!(333)), (24, json!("015e03e80001"))])),
        ("heater", state([(1, json!(true)), (4, json!("hot")), (2, json!(225)), (19, json!("c")), (5, json!("high"))])),
        ("heater", state([(1, json!(false)), (2, json!(680)), (19, json!("f")), (8, json!(true)), (9, json!(false))])),
        ("heater", state([(12, json!("auto")), (13, json!("winter")), (10, json!("1")), (40, json!(true))])),
        ("parts", state([(8, json!("17")), (9, json!(4)), (11, json!("AEgAaQ==")), (14, json!(0.75))])),
        ("parts", state([(50, json!(33)), (51, json!("ZZ")), (52, json!(77)), (61, json!(2)), (62, json!("rev"))])),
        (
            "parts",
            state([(63, json!("low")), (70, json!("ring1")), (71, json!("high")), (80, json!(23)), (81, json!(7))]),
        ),
        ("parts", state([(100, json!("b")), (111, json!("StartMowing")), (121, json!(true)), (201, json!("x"))])),
    ];
    let mut count = 0;
    for (name, now) in states {
        for entity in profile(name).entities() {
            for (role, channel) in entity.channels.iter().filter(|(_, channel)| channel.access != Access::ReadOnly) {
                let Some(reading) = channel.read(&now) else { continue };
                let mut writes = Writes::new();
                channel
                    .write(&reading.value, &now, &mut writes)
                    .unwrap_or_else(|error| panic!("{}: {error}", entity.id));
                assert!(!writes.dps.is_empty());
                let mut then = now.clone();
                then.extend(writes.dps.clone());
                let again = channel.read(&then);
                assert_eq!(again.as_ref(), Some(&reading), "{} {role:?} {writes:?}", entity.id);
                count += 1;
            }
        }
    }
    assert!(count >= 35, "{count}");
}

#[test]
fn profiles_match_by_product_type_and_share() {
    let mut profiles = Profiles::new();
    for (file, text) in [
        ("lamp.yaml", include_str!("profiles/lamp.yaml")),
        ("heater.yaml", include_str!("profiles/heater.yaml")),
        (
            "plain.yaml",
            "name: Plug\nentities:\n  - entity: switch\n    dps:\n      - {id: 20, type: boolean, name: switch}\n",
        ),
    ] {
        profiles.add(file, text).unwrap();
    }
    assert_eq!(profiles.len(), 3);
    let found = |observed: &State, ids: &[&str]| -> Vec<(u8, String)> {
        let candidates = profiles.candidates(observed, ids);
        candidates.into_iter().map(|candidate| (candidate.quality, candidate.file.to_owned())).collect()
    };
    let lamp = state([(20, json!(true)), (21, json!("white")), (22, json!(10)), (23, json!(0)), (26, json!(0))]);
    // Both have all of their DPs; the lamp's file explains all of the device's.
    assert_eq!(found(&lamp, &[]), [(100, "lamp.yaml".into()), (20, "plain.yaml".into())]);
    // A listed product may lack DPs; a child of a gateway is asked for with its own product.
    let off = state([(20, json!(true))]);
    assert_eq!(found(&off, &["other", "lampproduct00002"])[0], (101, "lamp.yaml".into()));
    assert_eq!(found(&State::new(), &["lampproduct00001"]), [(101, "lamp.yaml".into())]);
    assert_eq!(found(&State::new(), &[]), []);
    // A value of another type excludes even a listed product; numbers may be text.
    let wrong = state([(20, json!(1))]);
    assert_eq!(found(&wrong, &["lampproduct00001"]), []);
    let text = state([(20, json!(true)), (22, json!("10"))]);
    assert_eq!(found(&text, &["lampproduct00001"])[0].0, 101);
    // A null says nothing.
    let null = state([(20, json!(true)), (22, json!(null))]);
    assert_eq!(found(&null, &[]), [(100, "plain.yaml".into())]);
    assert_eq!(profiles.by_product("heaterproduct001").map(|(file, _)| file).collect::<Vec<_>>(), ["heater.yaml"]);
    assert!(profiles.get("lamp").is_some() && profiles.get("lamp.yaml").is_some() && profiles.get("no").is_none());
}

#[test]
fn what_is_not_understood_is_told() {
    let text = "name: x\nwheels: 4\nproducts:\n  - name: without\nentities:\n  - entity: teleporter\n    colour: red\n    dps:\n      - {id: one, type: boolean, name: a}\n      - {id: 2, type: quaternion, name: b, spin: 1, mapping: [{dps_val: {x: 1}, value: 1}, {value_redirect: nowhere, step: wide}]}\n      - {id: 3, type: hex, name: c, mask: \"00\", range: {min: 1}}\n  - entity: switch\n    dps:\n      - {id: 4, type: boolean, name: switch}\n";
    let profile = Profile::parse(text).unwrap();
    assert_eq!(profile.notes, ["key `wheels`", "a product has no id"]);
    assert_eq!((profile.coverage().understood, profile.coverage().entities), (1, 2));
    assert_eq!(
        profile.entities[0].notes,
        [
            "key `colour`",
            "platform `teleporter`",
            "a DP has no number",
            "DP 2: type `quaternion`",
            "DP 2: rule: dps_val is a map",
            "DP 2: rule: `step` is no number",
            "DP 2: key `spin`",
            "DP 3: `range` has no max",
            "DP 2: value_redirect `nowhere` is no DP of the entity",
            "DP 3: mask is empty, or wider than 64 bits",
        ]
    );
    // Even so its DPs can be read.
    let entity = entity(&profile, "teleporter");
    assert_eq!(read(&entity, &Role::Attribute("c".into()), &state([(3, json!("0a"))])), Some(Value::Bytes(vec![10])));
}
