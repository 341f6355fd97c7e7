//! Values both ways, by properties: what was written is read, and no input breaks a codec or an entity.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rustuya_entities::{
    Access, Channel, Codec, Color, ColorForm, Entity, EntityKind, Number, NumberSpec, Role, Value, Word, Writes,
};
use serde_json::{Value as Json, json};

fn channel(codec: Codec) -> Channel {
    Channel::new(1, "code", Access::ReadWrite, codec)
}

fn written(codec: &Codec, value: &Value) -> Json {
    let mut writes = Writes::new();
    let result = channel(codec.clone()).write(value, &BTreeMap::new(), &mut writes);
    result.unwrap_or_else(|error| panic!("{value:?}: {error}"));
    writes.dps.remove(&1).expect("one DP")
}

fn read(codec: &Codec, data: Json) -> Value {
    let reading = channel(codec.clone()).read(&BTreeMap::from([(1, data)])).expect("one DP");
    assert!(!reading.is_out_of_spec, "{reading:?}");
    reading.value
}

fn assert_same(codec: &Codec, value: Value) {
    assert_eq!(read(codec, written(codec, &value)), value, "{codec:?}");
}

fn spec(min: i64, max: i64, step: i64, scale: u8) -> NumberSpec {
    let mut spec = NumberSpec::default();
    (spec.min, spec.max, spec.step, spec.scale) = (Some(min), Some(max), step, scale);
    spec
}

fn color() -> impl Strategy<Value = Color> {
    (0..=360_u16, 0..=1000_u16, 0..=1000_u16).prop_map(|(hue, saturation, value)| Color::hsv(hue, saturation, value))
}

fn group<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Group(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn whole(number: u16) -> Value {
    Value::Number(number.into())
}

proptest! {
    #[test]
    fn numbers_of_every_scale(
        min in -1_000_000..1_000_000_i64, steps in 1..10_000_i64, step in 1..100_i64, scale in 0..=9_u8, at in 0..10_000_i64
    ) {
        let raw = min + at % (steps + 1) * step;
        let codec = Codec::Number(spec(min, min + steps * step, step, scale));
        let value = Value::Number(Number::new(raw, scale));
        prop_assert_eq!(written(&codec, &value), json!(raw));
        assert_same(&codec, value);
    }

    #[test]
    fn whole_percent_of_ranges_that_have_them(
        min in -1000..1000_i64, span in 100..100_000_i64, percent in 0..=100_u16, is_inverted: bool
    ) {
        assert_same(&Codec::Percent { spec: spec(min, min + span, 1, 0), is_inverted }, whole(percent));
    }

    #[test]
    fn hundreds_of_kelvin(span in 255..2000_i64, min in 0..100_i64, hundreds in 20..=65_u16) {
        let codec = Codec::ColorTemp { spec: spec(min, min + span, 1, 0), min_kelvin: 2000, max_kelvin: 6500 };
        assert_same(&codec, whole(hundreds * 100));
    }

    #[test]
    fn colors_of_16_bits_are_exact(color in color()) {
        for form in [ColorForm::Hsv16, ColorForm::JsonText] {
            assert_same(&Codec::Color { form }, color.into());
        }
    }

    #[test]
    fn colors_of_8_bits_settle(color in color()) {
        for form in [ColorForm::Rgb8, ColorForm::Rgb] {
            let codec = Codec::Color { form };
            let text = written(&codec, &color.into());
            let rounded = read(&codec, text.clone());
            prop_assert_eq!(text.to_string(), text.to_string().to_ascii_lowercase());
            if form == ColorForm::Rgb8 {
                let Value::Color(rounded) = rounded else { panic!("a color") };
                prop_assert_eq!(rounded.hue, color.hue);
                prop_assert!(rounded.saturation.abs_diff(color.saturation) <= 2, "{:?}", rounded);
                prop_assert!(rounded.value.abs_diff(color.value) <= 2, "{:?}", rounded);
                let tail = |json: &Json| json.as_str().map(|text| text[6..].to_owned());
                prop_assert_eq!(tail(&written(&codec, &rounded.into())), tail(&text));
            }
        }
    }

    #[test]
    fn red_green_and_blue_are_found_again(red: u8, green: u8, blue: u8) {
        let [r, g, b] = Color::rgb(red, green, blue).to_rgb();
        for (given, found) in [(red, r), (green, g), (blue, b)] {
            prop_assert!(given.abs_diff(found) <= 2, "{given} as {found}");
        }
    }

    #[test]
    fn texts_and_bytes(text in ".{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for codec in [
            Codec::Text { max_len: Some(40) },
            Codec::Base64Text { is_utf16: false },
            Codec::Base64Text { is_utf16: true },
        ] {
            assert_same(&codec, text.as_str().into());
        }
        assert_same(&Codec::Bytes, Value::Bytes(bytes));
    }

    #[test]
    fn scenes(scene in 0..=255_u16, steps in proptest::collection::vec((0..=255_u16, color(), 0..=1000_u16), 0..8)) {
        let steps = steps.into_iter().map(|(time, color, level)| {
            group([
                ("switch_time", whole(time)),
                ("change_time", whole(255 - time)),
                ("change", "gradual".into()),
                ("color", color.into()),
                ("brightness", whole(level)),
                ("color_temp", whole(1000 - level)),
            ])
        });
        let steps = Value::List(steps.collect());
        assert_same(&Codec::Scene { is_v2: true }, group([("scene", whole(scene)), ("steps", steps)]));
    }

    #[test]
    fn live_colors(color in color(), brightness in 0..=1000_u16, color_temp in 0..=1000_u16, is_gradual: bool) {
        let change = if is_gradual { "gradual" } else { "jump" };
        assert_same(&Codec::Live, group([
            ("change", change.into()),
            ("color", color.into()),
            ("brightness", whole(brightness)),
            ("color_temp", whole(color_temp)),
        ]));
    }
}

#[test]
fn booleans_and_words() {
    for value in [false, true] {
        for is_inverted in [false, true] {
            assert_same(&Codec::Bool { is_inverted }, value.into());
        }
    }
    let codec = Codec::Words(vec![Word::new("auto", "heat_cool"), Word::new("hot", "heat")]);
    assert_same(&codec, "heat_cool".into());
    assert_same(&codec, "heat".into());
}

#[test]
fn every_integer_of_a_color_temperature_comes_back() {
    for max in [255, 1000] {
        let codec = Codec::ColorTemp { spec: spec(0, max, 1, 0), min_kelvin: 2000, max_kelvin: 6500 };
        for raw in 0..=max {
            assert_eq!(written(&codec, &read(&codec, json!(raw))), json!(raw));
        }
    }
}

/// Any JSON, also what devices never send.
fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        ".{0,30}".prop_map(Json::from),
        "[0-9a-fA-F]{0,60}".prop_map(Json::from),
        "[A-Za-z0-9+/]{0,40}={0,2}".prop_map(Json::from),
        Just(json!("{\"h\":99999,\"s\":-1,\"v\":1.5}")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("[hsv]|voltage|power", inner, 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

fn any_spec() -> impl Strategy<Value = NumberSpec> {
    let end = || proptest::option::of(prop_oneof![any::<i64>(), -300..1000_i64]);
    (end(), end(), any::<i64>(), any::<u8>()).prop_map(|(min, max, step, scale)| {
        let mut spec = NumberSpec::default();
        (spec.min, spec.max, spec.step, spec.scale) = (min, max, step, scale);
        spec
    })
}

fn codec() -> impl Strategy<Value = Codec> {
    let words = || proptest::collection::vec("white|colour|open|stop|off|heat|eco|.{0,5}", 0..5);
    prop_oneof![
        any::<bool>().prop_map(|is_inverted| Codec::Bool { is_inverted }),
        proptest::collection::vec(json(), 0..3).prop_map(|on| Codec::On { on }),
        any::<u8>().prop_map(|bit| Codec::Bit { bit }),
        Just(Codec::AnyBit),
        any_spec().prop_map(Codec::Number),
        (any_spec(), any::<bool>()).prop_map(|(spec, is_inverted)| Codec::Percent { spec, is_inverted }),
        words().prop_map(|range| Codec::Steps { range }),
        (any_spec(), any::<u32>(), any::<u32>()).prop_map(|(spec, min_kelvin, max_kelvin)| Codec::ColorTemp {
            spec,
            min_kelvin,
            max_kelvin
        }),
        Just(Codec::Color { form: ColorForm::Rgb8 }),
        words().prop_map(|words| Codec::Words(words.iter().map(|word| Word::new(&**word, &**word)).collect())),
        words().prop_map(Codec::Labels),
        proptest::option::of(any::<u32>()).prop_map(|max_len| Codec::Text { max_len }),
        any::<bool>().prop_map(|is_utf16| Codec::Base64Text { is_utf16 }),
        Just(Codec::Bytes),
        Just(Codec::Phase { part: None }),
        Just(Codec::Phase { part: Some("power".into()) }),
        any::<bool>().prop_map(|is_v2| Codec::Scene { is_v2 }),
        Just(Codec::Live),
        Just(Codec::Json),
    ]
}

const KINDS: [EntityKind; 18] = [
    EntityKind::Alarm,
    EntityKind::BinarySensor,
    EntityKind::Button,
    EntityKind::Climate,
    EntityKind::Cover,
    EntityKind::Event,
    EntityKind::Fan,
    EntityKind::Humidifier,
    EntityKind::Light,
    EntityKind::Lock,
    EntityKind::Number,
    EntityKind::Select,
    EntityKind::Sensor,
    EntityKind::Siren,
    EntityKind::Switch,
    EntityKind::Text,
    EntityKind::Vacuum,
    EntityKind::Valve,
];

const ROLES: [Role; 35] = [
    Role::Value,
    Role::Power,
    Role::Brightness,
    Role::BrightnessMin,
    Role::BrightnessMax,
    Role::ColorTemp,
    Role::Color,
    Role::Mode,
    Role::Effect,
    Role::Command,
    Role::Position,
    Role::CurrentPosition,
    Role::Action,
    Role::Tilt,
    Role::IsOpen,
    Role::Preset,
    Role::TargetTemperature,
    Role::CurrentTemperature,
    Role::TemperatureUnit,
    Role::TargetHumidity,
    Role::CurrentHumidity,
    Role::FanSpeed,
    Role::Swing,
    Role::SwingHorizontal,
    Role::SwingVertical,
    Role::Direction,
    Role::Oscillate,
    Role::Status,
    Role::Pause,
    Role::Dock,
    Role::Locate,
    Role::Fault,
    Role::Tone,
    Role::Volume,
    Role::Duration,
];

proptest! {
    #[test]
    fn no_data_break_a_codec(codec in codec(), data in json(), other in json()) {
        let channel = channel(codec);
        let dps = BTreeMap::from([(1, data.clone())]);
        if let Some(reading) = channel.read(&dps) {
            let _text = reading.value.to_string();
            let _json = reading.value.to_json();
            let mut writes = Writes::new();
            let is_written = channel.write(&reading.value, &dps, &mut writes).is_ok();
            prop_assert_eq!(is_written, !writes.dps.is_empty());
        }
        for value in [Value::Json(other.clone()), Value::from("on"), Number::new(i64::MIN, 18).into(), Number::from(i64::MAX).into()] {
            let mut writes = Writes::new();
            if let Err(error) = channel.write(&value, &dps, &mut writes) {
                prop_assert!(writes.dps.is_empty());
                prop_assert!(error.to_string().starts_with("code "));
            }
        }
    }

    #[test]
    fn no_device_breaks_an_entity(
        kind in proptest::sample::select(&KINDS[..]),
        channels in proptest::collection::vec((proptest::sample::select(&ROLES[..]), codec(), json()), 0..8),
        names in proptest::collection::vec("power|brightness|color|mode|position|temperature|preset|swing|.{0,6}", 3),
        texts in proptest::collection::vec("on|off|toggle|50%|red|heat|open|stop|white|eco|.{0,6}", 3),
    ) {
        let mut entity = Entity::new("it", kind, "it");
        let mut dps = BTreeMap::new();
        for (dp, (role, codec, data)) in (1..).zip(channels) {
            dps.insert(dp, data);
            entity.channels.push((role, Channel::new(dp, "code", Access::ReadWrite, codec)));
        }
        let _state = entity.state(&dps).to_json();
        let _entries: Vec<String> = entity.entries(&dps).iter().map(rustuya_entities::StateEntry::text).collect();
        let _capabilities = entity.capabilities();
        let _out_of_spec = entity.out_of_spec(&dps);
        let pairs: Vec<(&str, &str)> =
            names.iter().map(String::as_str).chain([""]).zip(texts.iter().map(String::as_str).chain(["on"])).collect();
        for pair in pairs.iter().chain(&[("", "toggle"), ("", "50%"), ("", "stop")]) {
            if let Ok(intent) = entity.intent(pair.0, pair.1) {
                let result = entity.apply(&intent, &dps);
                prop_assert!(result.is_err() || result.is_ok_and(|writes| writes.dps.values().all(|value| !value.is_null())));
            }
        }
        let _merged = entity.intents(pairs);
    }
}
