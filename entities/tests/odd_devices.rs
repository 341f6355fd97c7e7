//! Devices and requests at the edge: nothing is written that was not asked for, and nothing that the device does not take.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use rustuya_entities::profile::Profile;
use rustuya_entities::{Capabilities, Data, Entity, EntityKind, EntityState, Intent, Power, Schema, assign};
use serde_json::{Value as Json, json};

type Dps = BTreeMap<u16, Json>;

fn entities(category: &str, mapping: &Json) -> Vec<Entity> {
    Schema::builder().category(category).mapping(mapping).build().entities()
}

fn of_kind(entities: Vec<Entity>, kind: EntityKind) -> Entity {
    entities.into_iter().find(|entity| entity.kind == kind).unwrap_or_else(|| panic!("no {kind:?}"))
}

fn observed(category: &str, dps: &Json) -> Vec<Entity> {
    let dps = state(dps);
    let data = dps.iter().filter_map(|(dp, value)| Some((*dp, Data::from_json(value)?)));
    Schema::builder().category(category).observed(data).build().entities()
}

fn state(dps: &Json) -> Dps {
    dps.as_object().unwrap().iter().map(|(dp, value)| (dp.parse().unwrap(), value.clone())).collect()
}

fn set(entity: &Entity, pairs: &[(&str, &str)], present: &Json) -> Result<Json, String> {
    let intent = entity.intents(pairs.iter().copied()).map_err(|error| error.to_string())?;
    let writes = entity.apply(&intent, &state(present)).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(writes.dps).unwrap())
}

fn entry(entity: &Entity, name: &str, present: &Json) -> Option<String> {
    let entries = entity.entries(&state(present));
    entries.iter().find(|entry| entry.name == name).map(|entry| entry.text())
}

#[test]
fn degrees_of_another_scale_are_refused() {
    let celsius = json!({
        "1": {"code": "switch", "type": "Boolean"},
        "2": {"code": "temp_set", "type": "Integer", "values": {"unit": "℃", "min": 5, "max": 75}},
        "3": {"code": "temp_alarm_set", "type": "Integer", "values": {"unit": "℃", "min": 0, "max": 100}}
    });
    let found = entities("rs", &celsius);
    let number = found.iter().find(|entity| entity.id == "temp_alarm_set").unwrap().clone();
    let heater = of_kind(found, EntityKind::Climate);
    let now = json!({});
    for text in ["50 °C", "50C", "50°", "50"] {
        assert_eq!(set(&heater, &[("temperature", text)], &now), Ok(json!({"2": 50})), "{text}");
        assert_eq!(set(&number, &[("", text)], &now), Ok(json!({"3": 50})), "{text}");
    }
    // 50 °F are 10 °C.
    for text in ["50 °F", "50F", "50 f"] {
        assert!(set(&heater, &[("temperature", text)], &now).is_err(), "{text}");
        assert!(set(&number, &[("", text)], &now).is_err(), "{text}");
    }
    let mut either = celsius;
    either["2"]["values"]["unit"] = json!("");
    either["9"] = json!({"code": "temp_unit_convert", "type": "Enum", "values": {"range": ["c", "f"]}});
    let heater = of_kind(entities("wk", &either), EntityKind::Climate);
    assert_eq!(set(&heater, &[("temperature", "50°")], &json!({"9": "f"})), Ok(json!({"2": 50})));
    assert!(set(&heater, &[("temperature", "50 °F")], &json!({"9": "c"})).is_err());
}

fn lamp() -> Entity {
    let mapping = json!({
        "20": {"code": "switch_led", "type": "Boolean"},
        "21": {"code": "work_mode", "type": "Enum", "values": {"range": ["white", "colour", "scene", "music"]}},
        "22": {"code": "bright_value_v2", "type": "Integer", "values": {"min": 10, "max": 1000}},
        "24": {"code": "colour_data_v2", "type": "Json"}
    });
    of_kind(entities("dj", &mapping), EntityKind::Light)
}

#[test]
fn a_scene_has_no_brightness() {
    let now = json!({"20": true, "21": "white", "22": 500});
    let error = set(&lamp(), &[("mode", "scene"), ("brightness", "50%")], &now);
    assert_eq!(error, Err("mode and brightness exclude each other".into()));
    let white = json!({"20": true, "21": "white", "22": 505});
    assert_eq!(set(&lamp(), &[("mode", "white"), ("brightness", "50%")], &now), Ok(white));
}

#[test]
fn a_little_light_is_not_off() {
    let dimmer = |max: i64| {
        let mapping = json!({
            "1": {"code": "switch_led", "type": "Boolean"},
            "2": {"code": "bright_value", "type": "Integer", "values": {"min": 0, "max": max}}
        });
        of_kind(entities("tgq", &mapping), EntityKind::Light)
    };
    // The least brightness of Home Assistant, 1 of 255.
    assert_eq!(set(&dimmer(100), &[("brightness", "0.39%")], &json!({})), Ok(json!({"1": true, "2": 1})));
    assert_eq!(set(&dimmer(1000), &[("brightness", "0.04%")], &json!({})), Ok(json!({"1": true, "2": 1})));
    assert_eq!(set(&dimmer(100), &[("brightness", "50%")], &json!({})), Ok(json!({"1": true, "2": 50})));
    let first = json!({
        "1": {"code": "switch_led", "type": "Boolean"},
        "2": {"code": "work_mode", "type": "Enum", "values": {"range": ["white", "colour"]}},
        "3": {"code": "bright_value", "type": "Integer", "values": {"min": 25, "max": 255}},
        "5": {"code": "colour_data", "type": "Json"}
    });
    let lamp = of_kind(entities("dj", &first), EntityKind::Light);
    let now = json!({"1": true, "2": "colour", "5": "ff00000000ffff"});
    let dark = set(&lamp, &[("brightness", "0.1%")], &now).unwrap();
    assert_eq!(dark["5"].as_str().unwrap().get(12..), Some("01"));
    let file = "name: x\nentities:\n  - entity: light\n    dps:\n      - {id: 1, type: boolean, name: switch}\n      - {id: 2, type: integer, name: brightness, range: {min: 0, max: 100}}\n  - entity: fan\n    dps:\n      - {id: 3, type: boolean, name: switch}\n      - {id: 4, type: integer, name: speed, range: {min: 1, max: 3}}\n";
    let found = Profile::parse(file).unwrap().entities();
    assert_eq!(set(&found[0], &[("brightness", "0.39%")], &json!({})), Ok(json!({"1": true, "2": 1})));
    for (percent, speed) in [("1%", 1), ("16%", 1), ("33%", 1), ("67%", 2), ("100%", 3)] {
        assert_eq!(set(&found[1], &[("speed", percent)], &json!({})), Ok(json!({"3": true, "4": speed})), "{percent}");
    }
}

#[test]
fn limits_of_a_dimmer_may_have_a_wider_range() {
    let mapping = json!({
        "1": {"code": "switch_led_1", "type": "Boolean"},
        "2": {"code": "bright_value_1", "type": "Integer", "values": {"min": 10, "max": 1000}},
        "3": {"code": "brightness_min_1", "type": "Integer", "values": {"min": 0, "max": 1000}},
        "5": {"code": "brightness_max_1", "type": "Integer", "values": {"min": 0, "max": 1000}}
    });
    let dimmer = of_kind(entities("tgq", &mapping), EntityKind::Light);
    let now = json!({"1": true, "2": 500, "3": 0, "5": 2000});
    assert_eq!(set(&dimmer, &[("brightness", "0.39%")], &now), Ok(json!({"1": true, "2": 14})));
    assert_eq!(set(&dimmer, &[("brightness", "100%")], &now), Ok(json!({"1": true, "2": 1000})));
}

#[test]
fn speeds_of_a_fan_are_shares() {
    let mapping = |min: i64, max: i64| {
        json!({
            "1": {"code": "switch", "type": "Boolean"},
            "3": {"code": "fan_speed", "type": "Integer", "values": {"min": min, "max": max}}
        })
    };
    let fan = of_kind(entities("fs", &mapping(1, 3)), EntityKind::Fan);
    let Capabilities::Fan(can) = fan.capabilities() else { panic!() };
    assert_eq!(can.speed_count, Some(3));
    for (percent, speed) in [(33, 1), (67, 2), (100, 3)] {
        let text = percent.to_string();
        assert_eq!(entry(&fan, "percentage", &json!({"1": true, "3": speed})), Some(format!("{percent} %")));
        assert_eq!(set(&fan, &[("speed", &text)], &json!({})), Ok(json!({"1": true, "3": speed})));
    }
    assert_eq!(set(&fan, &[("speed", "1")], &json!({})), Ok(json!({"1": true, "3": 1})));
    // Its lowest speed is not standing still.
    let fan = of_kind(entities("fs", &mapping(20, 100)), EntityKind::Fan);
    assert_eq!(entry(&fan, "percentage", &json!({"1": true, "3": 20})), Some("1 %".into()));
    assert_eq!(set(&fan, &[("speed", "1")], &json!({})), Ok(json!({"1": true, "3": 21})));
}

#[test]
fn json_of_a_color_keeps_to_its_ranges() {
    let lamp = |values: Json| {
        let mapping = json!({
            "11": {"code": "switch_led", "type": "Boolean"},
            "5": {"code": "work_mode", "type": "Enum", "values": {"range": ["white", "colour"]}},
            "6": {"code": "colour_data_hsv", "type": "Json", "values": values}
        });
        of_kind(entities("jsq", &mapping), EntityKind::Light)
    };
    let bytes = json!({"h": {"min": 0, "max": 360}, "s": {"min": 0, "max": 255}, "v": {"min": 0, "max": 255}});
    let permille = json!({"h": {"max": 360}, "s": {"max": 1000}, "v": {"max": 1000}});
    for (values, most) in [(bytes, 255), (json!({}), 255), (permille, 1000)] {
        let text = json!({"h": 0, "s": most, "v": most}).to_string();
        let now = json!({"11": true, "5": "colour", "6": text});
        assert_eq!(entry(&lamp(values.clone()), "color", &now), Some("#ff0000".into()));
        let red = set(&lamp(values), &[("color", "red")], &now);
        assert_eq!(red, Ok(json!({"5": "colour", "6": text, "11": true})));
    }
}

#[test]
fn the_position_of_a_curtain_is_newer_than_the_situation() {
    let mapping = json!({
        "1": {"code": "control", "type": "Enum", "values": {"range": ["open", "stop", "close"]}},
        "3": {"code": "percent_state", "type": "Integer", "values": {"min": 0, "max": 100}},
        "11": {"code": "situation_set", "type": "Enum", "values": {"range": ["fully_open", "fully_close"]}}
    });
    let curtain = of_kind(entities("cl", &mapping), EntityKind::Cover);
    let text = |now: Json| entry(&curtain, "state", &now);
    assert_eq!(text(json!({"3": 100, "11": "fully_open"})), Some("closed".into()));
    assert_eq!(text(json!({"3": 40, "11": "fully_close"})), Some("open".into()));
    assert_eq!(text(json!({"11": "fully_close"})), Some("closed".into()));
    assert_eq!(text(json!({"11": "fully_open"})), Some("open".into()));
    assert_eq!(text(json!({"11": ""})), None);
    assert_eq!(set(&curtain, &[("", "toggle")], &json!({"3": 40, "11": "fully_close"})), Ok(json!({"1": "close"})));
    assert!(set(&curtain, &[("", "toggle")], &json!({"11": "unknown"})).is_err());
}

#[test]
fn a_curtain_without_a_list_of_words_is_told_its_own() {
    let mapping = json!({"1": {"code": "control", "type": "Enum", "values": {}}});
    let curtain = of_kind(entities("cl", &mapping), EntityKind::Cover);
    for (present, close) in [("up", "down"), ("FZ", "ZZ"), ("1", "2"), ("open", "close")] {
        assert_eq!(set(&curtain, &[("", "close")], &json!({"1": present})), Ok(json!({"1": close})), "{present}");
    }
    assert_eq!(set(&curtain, &[("", "close")], &json!({})), Ok(json!({"1": "close"})));
    let curtain = of_kind(observed("cl", &json!({"1": "fopen"})), EntityKind::Cover);
    assert_eq!(set(&curtain, &[("", "close")], &json!({"1": "fopen"})), Ok(json!({"1": "fclose"})));
}

#[test]
fn a_climate_that_is_on_stays_in_its_mode() {
    let mapping = json!({
        "2": {"code": "temp_set", "type": "Integer", "values": {"unit": "℃", "min": 5, "max": 35}},
        "4": {"code": "mode", "type": "Enum", "values": {"range": ["off", "cold", "hot", "eco"]}}
    });
    let climate = of_kind(entities("kt", &mapping), EntityKind::Climate);
    assert_eq!(set(&climate, &[("power", "on")], &json!({"4": "cold"})), Ok(json!({"4": "cold"})));
    assert_eq!(set(&climate, &[("power", "on")], &json!({"4": "eco"})), Ok(json!({"4": "eco"})));
    assert_eq!(set(&climate, &[("power", "on")], &json!({"4": "off"})), Ok(json!({"4": "hot"})));
    assert_eq!(set(&climate, &[("power", "off")], &json!({"4": "cold"})), Ok(json!({"4": "off"})));
    assert_eq!(set(&climate, &[("power", "on"), ("preset", "eco")], &json!({})), Ok(json!({"4": "eco"})));
    for pair in [("mode", "off"), ("power", "off")] {
        let error = set(&climate, &[pair, ("preset", "eco")], &json!({"4": "cold"}));
        assert_eq!(error, Err("mode and preset exclude each other".into()));
    }
}

#[test]
fn swings_of_two_types_are_two() {
    let mapping = json!({
        "1": {"code": "switch", "type": "Boolean"},
        "2": {"code": "temp_set", "type": "Integer", "values": {"unit": "℃", "min": 16, "max": 31}},
        "8": {"code": "switch_horizontal", "type": "Enum", "values": {"range": ["left", "right"]}},
        "9": {"code": "switch_vertical", "type": "Boolean"}
    });
    let climate = of_kind(entities("kt", &mapping), EntityKind::Climate);
    let Capabilities::Climate(can) = climate.capabilities() else { panic!() };
    assert_eq!(
        (can.swing_modes, can.swing_horizontal_modes),
        (vec!["off".to_owned(), "on".to_owned()], vec!["left".to_owned(), "right".to_owned()])
    );
    assert_eq!(set(&climate, &[("swing_mode", "on")], &json!({})), Ok(json!({"9": true})));
    assert_eq!(set(&climate, &[("swing_horizontal_mode", "left")], &json!({})), Ok(json!({"8": "left"})));
    let EntityState::Climate(now) = climate.state(&state(&json!({"8": "left", "9": false}))) else { panic!() };
    assert_eq!((now.swing_mode.as_deref(), now.swing_horizontal_mode.as_deref()), (Some("off"), Some("left")));
}

#[test]
fn a_value_beyond_the_customary_range_moves_its_end_only() {
    let lamp = of_kind(observed("dj", &json!({"1": true, "2": "white", "3": 1000, "4": 900})), EntityKind::Light);
    let half = json!({"1": true, "2": "white", "3": 505});
    assert_eq!(set(&lamp, &[("brightness", "50%")], &json!({"2": "white"})), Ok(half));
    assert_eq!(entry(&lamp, "brightness", &json!({"2": "white", "3": 1000})), Some("100 %".into()));
    // A dimmer that is off reports 0.
    let dimmer = of_kind(observed("tgq", &json!({"1": false, "2": 0})), EntityKind::Light);
    assert_eq!(set(&dimmer, &[("brightness", "100%")], &json!({})), Ok(json!({"1": true, "2": 1000})));
    let humidifier = of_kind(observed("jsq", &json!({"1": true, "2": 90})), EntityKind::Humidifier);
    assert!(set(&humidifier, &[("humidity", "5")], &json!({})).is_err());
    assert_eq!(set(&humidifier, &[("humidity", "85")], &json!({})), Ok(json!({"2": 85})));
}

#[test]
fn the_motor_of_a_lock_is_never_set() {
    let mapping = json!({"47": {"code": "lock_motor_state", "type": "Boolean"}});
    for category in ["", "gyms", "jtmspro"] {
        let found = entities(category, &mapping);
        assert!(found.iter().all(|entity| set(entity, &[("", "on")], &json!({})).is_err()), "{category}");
    }
}

#[test]
fn bits_of_a_mask_hold_their_number_only() {
    let file = "name: x\nentities:\n  - entity: number\n    dps:\n      - {id: 5, type: hex, name: value, mask: \"00FF00\"}\n  - entity: number\n    dps:\n      - {id: 5, type: hex, name: value, mask: \"00FF00\", mask_signed: true}\n";
    let found = Profile::parse(file).unwrap().entities();
    let now = json!({"5": "112233"});
    assert_eq!(set(&found[0], &[("", "255")], &now), Ok(json!({"5": "11ff33"})));
    for number in ["256", "300", "-1"] {
        assert!(set(&found[0], &[("", number)], &now).is_err(), "{number}");
    }
    assert_eq!(set(&found[1], &[("", "-1")], &now), Ok(json!({"5": "11ff33"})));
    assert!(set(&found[1], &[("", "200")], &now).is_err());
}

#[test]
fn secrets_stay_secret_among_assignments() {
    let file = "name: x\nentities:\n  - entity: text\n    name: Code\n    dps:\n      - {id: 7, type: string, name: value, sensitive: true}\n";
    let found = Profile::parse(file).unwrap().entities();
    let writes = assign(&found, [("text_code", "4711")], &Dps::new()).unwrap();
    assert_eq!(writes.dps, state(&json!({"7": "4711"})));
    assert!(!format!("{writes:?}").contains("4711"));
}

#[test]
fn a_temperature_of_another_unit_is_no_part_of_a_climate() {
    let mapping = |unit: &str| {
        json!({
            "1": {"code": "switch", "type": "Boolean"},
            "2": {"code": "temp_set", "type": "Integer", "values": {"unit": "℃", "min": 16, "max": 31}},
            "3": {"code": "temp_current_f", "type": "Integer", "values": {"unit": unit, "min": 0, "max": 120}}
        })
    };
    for unit in ["℉", "ºF", ""] {
        let found = entities("kt", &mapping(unit));
        let sensor = found.iter().find(|entity| entity.id == "temp_current_f").unwrap();
        assert_eq!(entry(sensor, "", &json!({"3": 72})), Some("72 °F".into()));
        assert_eq!(entry(&of_kind(found, EntityKind::Climate), "current_temperature", &json!({"3": 72})), None);
    }
}

#[test]
fn kinds_without_a_switch_of_their_own_are_switched_too() {
    let mapping = json!({
        "2": {"code": "temp_set", "type": "Integer", "values": {"unit": "℃", "min": 5, "max": 35}},
        "4": {"code": "mode", "type": "Enum", "values": {"range": ["off", "cold", "hot"]}}
    });
    let climate = of_kind(entities("kt", &mapping), EntityKind::Climate);
    let switch = |entity: &Entity, power: Power, now: Json| {
        entity.apply(&Intent::Switch(power), &state(&now)).map(|writes| writes.dps)
    };
    assert_eq!(switch(&climate, Power::Off, json!({"4": "hot"})), Ok(state(&json!({"4": "off"}))));
    assert_eq!(switch(&climate, Power::Toggle, json!({"4": "off"})), Ok(state(&json!({"4": "hot"}))));
    assert!(switch(&climate, Power::Toggle, json!({})).is_err());
    let file = "name: x\nentities:\n  - entity: light\n    dps:\n      - {id: 2, type: integer, name: brightness, range: {min: 0, max: 100}}\n";
    let light = Profile::parse(file).unwrap().entities().remove(0);
    assert_eq!(switch(&light, Power::Off, json!({})), Ok(state(&json!({"2": 0}))));
    assert_eq!(switch(&light, Power::Toggle, json!({"2": 0})), Ok(state(&json!({"2": 100}))));
    // A switch that is only reported is no reason to dim.
    let specification = json!({"result": {
        "functions": [{"code": "bright_value_v2", "dp_id": 22, "type": "Integer", "values": {"min": 10, "max": 1000}}],
        "status": [{"code": "switch_led", "dp_id": 20, "type": "Boolean", "values": {}}]
    }});
    let found = Schema::builder().category("dj").specification(&specification).build().entities();
    let light = of_kind(found, EntityKind::Light);
    assert!(switch(&light, Power::Off, json!({"20": true})).is_err());
    assert!(set(&light, &[("power", "off")], &json!({"20": true})).is_err());
    assert_eq!(set(&light, &[("brightness", "50%")], &json!({"20": true})), Ok(json!({"22": 505})));
}

#[test]
fn thousands_of_equal_codes_are_read_at_once() {
    const COUNT: u32 = 30_000;
    let numbered = (0..COUNT).map(|dp| (dp.to_string(), json!({"code": "same", "type": "Boolean"})));
    let mapping: Json = numbered.collect::<serde_json::Map<_, _>>().into();
    let listed: Vec<Json> = (0..COUNT).map(|at| json!({"code": format!("other_{at}"), "type": "Boolean"})).collect();
    let answer = json!({"result": {"functions": listed}});
    let begin = Instant::now();
    let schema = Schema::builder().mapping(&mapping).specification(&answer).build();
    let explained = schema.explain();
    assert_eq!(explained.len(), schema.dps.len());
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
