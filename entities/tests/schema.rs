//! Schemas from every source, and what each of them wins.

use std::collections::{BTreeMap, BTreeSet};

use rustuya_entities::{Access, Data, DpKind, EntityKind, Fact, Origin, OverrideError, Overrides, Schema, StateClass};
use serde_json::{Value as Json, json};

fn samples() -> Vec<Json> {
    serde_json::from_str(include_str!("samples/devices.json")).unwrap()
}

fn specifications() -> BTreeMap<String, Json> {
    serde_json::from_str(include_str!("samples/specifications.json")).unwrap()
}

/// Checks what holds for every device: no DP is out of reach, and ids are unique.
fn check(schema: &Schema) {
    let entities = schema.entities();
    let reached: BTreeSet<u16> =
        entities.iter().flat_map(|entity| entity.channels.iter().map(|(_, channel)| channel.dp)).collect();
    let visible = schema.dps.values().filter(|spec| !spec.options.is_hidden).map(|spec| spec.dp);
    assert!(visible.eq(reached.iter().copied()), "{schema:?}");
    let ids: BTreeSet<&str> = entities.iter().map(|entity| entity.id.as_str()).collect();
    assert_eq!(ids.len(), entities.len());
    for entity in &entities {
        assert!(!entity.id.is_empty() && entity.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        assert!(!entity.channels.is_empty(), "{}", entity.id);
    }
    assert_eq!(schema.explain().len(), schema.dps.len());
}

#[test]
fn every_sample_is_understood() {
    for device in samples() {
        let schema = Schema::builder().device(&device).build();
        check(&schema);
        let count = device.get("mapping").and_then(Json::as_object).map_or(0, serde_json::Map::len);
        assert_eq!(schema.dps.len(), count, "{}", device["name"]);
        assert!(schema.dps.values().all(|spec| !matches!(spec.kind, DpKind::Opaque(_))));
        assert_eq!(schema.is_gateway(), matches!(schema.category.as_str(), "wg2" | "wnykq"), "{}", schema.category);
        assert!(schema.category_name().is_some());
    }
}

#[test]
fn mapping_and_specification_say_the_same() {
    let mappings: Vec<Schema> = samples().iter().map(|device| Schema::builder().device(device).build()).collect();
    for answer in specifications().into_values() {
        let schema = Schema::builder().specification(&answer).build();
        check(&schema);
        let same = mappings
            .iter()
            .find(|mapping| mapping.category == schema.category && mapping.dps.keys().eq(schema.dps.keys()));
        let Some(same) = same else { panic!("no mapping for {answer}") };
        for (spec, other) in schema.dps.values().zip(same.dps.values()) {
            assert_eq!((&spec.code, &spec.kind), (&other.code, &other.kind));
            assert_eq!((spec.origin, spec.origin_of(Fact::Access)), (Origin::Cloud, Some(Origin::Cloud)));
        }
    }
}

#[test]
fn the_best_source_wins_and_others_fill_in() {
    let mapping = json!({
        "1": {"code": "switch", "type": "Boolean", "values": {}},
        "2": {"code": "temp_set", "type": "Integer", "values": ""},
        "3": {"code": "temp_current", "type": "Integer", "values": "{\"unit\":\"℃\",\"scale\":1}"},
    });
    let answer = json!({"result": {"category": "wk",
        "functions": [
            {"code": "temp_set", "dp_id": 2, "type": "Integer", "values": "{\"unit\":\"℃\",\"min\":50,\"max\":350,\"scale\":1,\"step\":5}"},
            {"code": "mode", "dp_id": 4, "type": "Enum", "values": "{\"range\":[\"auto\",\"manual\"]}"},
        ],
        "status": [{"code": "window_state", "dp_id": 8, "type": "Enum", "values": "{\"range\":[\"close\",\"open\"]}"}],
    }, "success": true});
    let model = json!({"result": {"model": json!({"services": [{"properties": [
        {"abilityId": 104, "code": "reset", "accessMode": "wr", "typeSpec": {"type": "bool"}},
        {"abilityId": 1, "code": "power", "accessMode": "rw", "typeSpec": {"type": "bool"}},
    ]}]}).to_string()}});
    let schema = Schema::builder().mapping(&mapping).specification(&answer).thing_model(&model).build();
    check(&schema);
    assert_eq!(schema.category, "wk");
    let set = &schema.dps[&2];
    assert_eq!(
        (set.origin, set.origin_of(Fact::Range), set.access),
        (Origin::Mapping, Some(Origin::Cloud), Access::ReadWrite)
    );
    let DpKind::Integer(range) = &set.kind else { panic!() };
    assert_eq!((range.min, range.max, range.step, range.scale, range.unit.as_str()), (Some(50), Some(350), 5, 1, "°C"));
    assert_eq!(schema.dps[&3].origin_of(Fact::Access), Some(Origin::Standard));
    assert_eq!(schema.dps[&3].access, Access::ReadOnly);
    assert_eq!((schema.dps[&4].origin, schema.dps[&8].access), (Origin::Cloud, Access::ReadOnly));
    assert_eq!((schema.dps[&104].origin, schema.dps[&104].access), (Origin::Cloud, Access::WriteOnly));
    assert_eq!(schema.dps[&1].code, "switch", "the mapping is better than the model");
    assert_eq!(schema.dps[&1].origin_of(Fact::Access), Some(Origin::Cloud));
}

#[test]
fn odd_entries_survive() {
    let mapping = json!({
        "1": {"code": "switch_1", "type": "bool"},
        " 2 ": {"code": "level", "type": "enum", "values": {"range": ["low", 2, true, "low"]}},
        "3": {"code": "temp", "type": "value", "values": {"min": "0", "max": "50.0", "scale": "1", "step": 0, "unit": 7}},
        "4": {"code": "bits", "type": "BITMAP", "values": "{\"label\":[\"a\",\"b\"]}"},
        "5": {"code": "blob", "type": "Quaternion", "values": [1, 2]},
        "6": {"type": "Integer", "values": {"min": 9, "max": 1, "scale": 99}},
        "7": "countdown_1",
        "8": null,
        "9": {"values": {"range": ["x"]}},
        "10": {"code": "a b", "type": "String", "values": "{\"maxlen\":12}"},
        "70000": {"code": "beyond", "type": "Boolean"},
        "-1": {"code": "below", "type": "Boolean"},
    });
    let schema = Schema::builder().mapping(&mapping).build();
    check(&schema);
    assert!(schema.dps.keys().copied().eq(1..=10));
    assert_eq!(schema.dps[&1].kind, DpKind::Boolean);
    assert_eq!(schema.dps[&2].kind, DpKind::Enum { range: vec!["low".into(), "2".into(), "true".into()] });
    let DpKind::Integer(range) = &schema.dps[&3].kind else { panic!() };
    assert_eq!((range.min, range.max, range.step, range.scale, range.unit.as_str()), (Some(0), Some(50), 1, 1, ""));
    assert_eq!(schema.dps[&4].kind, DpKind::Bitmap { labels: vec!["a".into(), "b".into()] });
    assert_eq!(schema.dps[&5].kind, DpKind::Opaque("Quaternion".into()));
    let DpKind::Integer(range) = &schema.dps[&6].kind else { panic!() };
    assert_eq!((range.min, range.max, range.scale), (None, None, 18));
    assert_eq!((schema.dps[&6].code.as_str(), schema.dps[&7].code.as_str()), ("dp_6", "countdown_1"));
    assert_eq!(schema.dps[&9].kind, DpKind::Enum { range: vec!["x".into()] });
    assert_eq!(
        (schema.dps[&10].code.as_str(), &schema.dps[&10].kind),
        ("dp_10", &DpKind::String { max_len: Some(12) })
    );
    for nonsense in [json!(null), json!(7), json!("{"), json!("[]"), json!([[], 1, {"code": "x"}]), json!({"a": {}})] {
        let schema = Schema::builder().mapping(&nonsense).specification(&nonsense).thing_model(&nonsense).build();
        assert!(schema.dps.is_empty(), "{nonsense}");
        check(&schema);
    }
}

#[test]
fn a_code_without_a_number_joins_its_dp() {
    let mapping = json!({"cur_power": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "scale": 1}}});
    let answer = json!({"status": [{"code": "cur_power", "dp_id": 19, "type": "Integer", "values": "{}"}]});
    let schema = Schema::builder().mapping(&mapping).specification(&answer).build();
    let DpKind::Integer(range) = &schema.dps[&19].kind else { panic!() };
    assert_eq!(range.unit, "W");
    assert_eq!(schema.dps[&19].origin_of(Fact::Unit), Some(Origin::Mapping));
}

fn observed(dps: &Json) -> BTreeMap<u16, Json> {
    dps.as_object().unwrap().iter().map(|(dp, value)| (dp.parse().unwrap(), value.clone())).collect()
}

fn from_observed(category: &str, dps: &Json) -> Schema {
    let dps = observed(dps);
    let data = dps.iter().filter_map(|(dp, value)| Some((*dp, Data::from_json(value)?)));
    Schema::builder().category(category).observed(data).build()
}

#[test]
fn customary_numbers_count_without_a_mapping_only() {
    let schema =
        from_observed("dj", &json!({"20": true, "21": "white", "22": 500, "23": 0, "24": "000003e803e8", "101": 7}));
    check(&schema);
    assert_eq!(schema.dps[&22].code, "bright_value_v2");
    assert_eq!((schema.dps[&22].origin, schema.dps[&101].origin), (Origin::Customary, Origin::Observed));
    let entities = schema.entities();
    assert_eq!((entities[0].kind, entities[0].channels.len()), (EntityKind::Light, 5));
    assert_eq!((entities[1].id.as_str(), entities[1].is_enabled), ("dp_101", false));

    // The right type decides: DP 4 of a plug is a gang, or a current.
    let gangs = from_observed("cz", &json!({"1": true, "4": false}));
    assert_eq!(gangs.dps[&4].code, "switch_4");
    let meter = from_observed("cz", &json!({"1": true, "4": 120}));
    assert_eq!(meter.dps[&4].code, "cur_current");
    assert_eq!(from_observed("cz", &json!({"1": "on"})).dps[&1].code, "dp_1");
    // 215 is no room temperature, so it has a decimal.
    let warm = from_observed("wk", &json!({"1": true, "2": 215, "3": 21}));
    let scale = |dp: u16| match &warm.dps[&dp].kind {
        DpKind::Integer(range) => range.scale,
        _ => panic!(),
    };
    assert_eq!((scale(2), scale(3)), (1, 0));

    let mapping = json!({"1": {"code": "switch_led", "type": "Boolean"}});
    let dps = observed(&json!({"1": true, "3": 255}));
    let data = dps.iter().filter_map(|(dp, value)| Some((*dp, Data::from_json(value)?)));
    let schema = Schema::builder().category("dj").mapping(&mapping).observed(data).build();
    assert_eq!((schema.dps[&3].code.as_str(), schema.dps[&3].origin), ("dp_3", Origin::Observed));
}

#[test]
fn the_users_file_comes_first() {
    let file = json!({
        "products": {"plug": {"dps": {"17": {"state_class": "total_increasing", "scale": 2}, "101": {"hidden": true}}}},
        "devices": {"bf01": {
            "name": "Fridge", "category": "cz", "cover": {"inverted": false}, "light": {"min_kelvin": 2700, "max_kelvin": 5000},
            "dps": {
                "1": {"name": "Cooling", "kind": "light"},
                "17": {"scale": 1},
                "19": {"unit": "kW", "access": "ro", "enabled": false, "category": "diagnostic"},
                "50": {"code": "mode", "type": "enum", "range": ["a", "b"], "access": "rw"}
            }
        }}
    });
    let overrides = Overrides::from_json(&file).unwrap();
    let mapping = json!({
        "1": {"code": "switch_1", "type": "Boolean"},
        "17": {"code": "add_ele", "type": "Integer", "values": {"unit": "kwh", "scale": 3}},
        "19": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "max": 80000, "scale": 1}},
        "101": {"code": "junk", "type": "Raw"},
    });
    let schema =
        Schema::builder().id("bf01").product_id("plug").category("kg").mapping(&mapping).overrides(&overrides).build();
    check(&schema);
    assert_eq!((schema.name.as_deref(), schema.category.as_str()), (Some("Fridge"), "cz"));
    assert_eq!(schema.options.is_cover_inverted, Some(false));
    assert_eq!((schema.options.min_kelvin, schema.options.max_kelvin), (Some(2700), Some(5000)));
    let DpKind::Integer(range) = &schema.dps[&17].kind else { panic!() };
    assert_eq!((range.scale, range.unit.as_str()), (1, "kWh"));
    assert_eq!(schema.dps[&17].origin_of(Fact::Range), Some(Origin::Override));
    assert_eq!(schema.dps[&17].origin_of(Fact::Unit), Some(Origin::Mapping));
    assert_eq!(schema.dps[&50].origin, Origin::Override);
    let entities = schema.entities();
    let by_id = |id: &str| entities.iter().find(|entity| entity.id == id).unwrap();
    assert_eq!((by_id("switch_1").kind, by_id("switch_1").name.as_deref()), (EntityKind::Light, Some("Cooling")));
    assert_eq!(by_id("add_ele").state_class, Some(StateClass::TotalIncreasing));
    let power = by_id("cur_power");
    assert_eq!((power.unit.as_str(), power.is_enabled, power.category.as_str()), ("kW", false, "diagnostic"));
    assert_eq!(power.device_class.as_deref(), Some("power"));
    assert_eq!(by_id("mode").kind, EntityKind::Select);
    assert!(!entities.iter().any(|entity| entity.code == "junk"));
}

#[test]
fn errors_of_the_users_file_say_where_and_what() {
    let error = |text: &str| Overrides::from_text(text).unwrap_err().to_string();
    assert_eq!(
        error(r#"{"devices": {"bf01": {"dps": {"22": {"scale": 25}}}}}"#),
        "devices.bf01.dps.22.scale: 25 is not allowed; allowed: an integer from 0 to 18"
    );
    assert_eq!(
        error(r#"{"devices": {"bf01": {"dps": {"22": {"access": "both"}}}}}"#),
        r#"devices.bf01.dps.22.access: "both" is not allowed; allowed: rw, ro, wr"#
    );
    assert_eq!(
        error(r#"{"devices": {"bf01": {"dps": {"x": {}}}}}"#),
        r#"devices.bf01.dps.x: "x" is not allowed; allowed: a DP number, 0 to 65535"#
    );
    assert_eq!(error(r#"{"device": {}}"#), r#"the file: "device" is not allowed; allowed: devices, products"#);
    assert_eq!(
        error(r#"{"products": {"p": {"dps": {"3": {"device_class": "temperature", "unit": "W"}}}}}"#),
        r#"products.p.dps.3.unit: "W" is not allowed; allowed: for temperature: °C, °F, K"#
    );
    assert_eq!(
        error(r#"{"products": {"p": {"dps": {"3": {"min": 5, "max": 4}}}}}"#),
        "products.p.dps.3.min: 5 is not allowed; allowed: at most max, 4"
    );
    assert_eq!(
        error(r#"{"products": {"p": {"light": {"min_kelvin": 5000, "max_kelvin": 4000}}}}"#),
        "products.p.light.min_kelvin: 5000 is not allowed; allowed: below max_kelvin, 4000"
    );
    assert!(error(r#"{"products": {"p": {"dps": {"3": {"kind": "lamp"}}}}}"#).contains("light, lock, number"));
    let syntax = Overrides::from_text("{\n \"devices\": }").unwrap_err();
    assert!(matches!(syntax, OverrideError::Syntax { line: 2, .. }), "{syntax}");
}

#[test]
fn the_guide_has_a_valid_file() {
    let guide = include_str!("../../docs/entities.md");
    let (_, text) = guide.split_once("```json\n").unwrap();
    let (text, _) = text.split_once("```").unwrap();
    let overrides = Overrides::from_text(text).unwrap();
    let samples = samples();
    let by_name = |name: &str| samples.iter().find(|device| device["name"] == name).unwrap();
    let plug = Schema::builder().device(by_name("Washing machine")).overrides(&overrides).build();
    let entities = plug.entities();
    assert_eq!(entities[0].name.as_deref(), Some("Machine"));
    assert!(!entities.iter().any(|entity| entity.channels.iter().any(|(_, channel)| channel.dp == 44)));
    let blind = Schema::builder().device(by_name("Living room blind")).overrides(&overrides).build();
    assert_eq!(blind.options.is_cover_inverted, Some(false));
    assert_eq!(blind.name.as_deref(), Some("Blind of the living room"));
}
