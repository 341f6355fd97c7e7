use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::schema::NumberSpec;

fn channel(codec: Codec) -> Channel {
    Channel { dp: 1, code: "code".into(), access: Access::ReadWrite, codec }
}

fn read(codec: &Codec, data: Json) -> (Value, bool) {
    let dps = BTreeMap::from([(1, data)]);
    let reading = channel(codec.clone()).read(&dps).expect("the DP is there");
    (reading.value, reading.is_out_of_spec)
}

fn write_over(codec: &Codec, present: Json, value: impl Into<Value>) -> Result<Json, String> {
    let mut writes = Writes::new();
    let result = channel(codec.clone()).write(&value.into(), &BTreeMap::from([(1, present)]), &mut writes);
    match result {
        Ok(()) => Ok(writes.dps.remove(&1).expect("it is written")),
        Err(error) => {
            assert_eq!(writes, Writes::new(), "a refused value writes nothing");
            Err(error.to_string())
        }
    }
}

fn write(codec: &Codec, value: impl Into<Value>) -> Result<Json, String> {
    write_over(codec, Json::Null, value)
}

fn spec(min: i64, max: i64, step: i64, scale: u8, unit: &str) -> NumberSpec {
    NumberSpec { min: Some(min), max: Some(max), step, scale, unit: unit.into() }
}

fn number(text: &str) -> Value {
    Value::Number(text.parse().expect("a number"))
}

#[test]
fn numbers_keep_their_decimals_and_say_their_range() {
    let codec = Codec::Number(spec(50, 350, 5, 1, "°C"));
    assert_eq!(read(&codec, json!(215)), (number("21.5"), false));
    assert_eq!(read(&codec, json!("215")), (number("21.5"), true), "a number as text");
    assert_eq!(read(&codec, json!(400)), (number("40.0"), true), "out of range");
    assert_eq!(read(&codec, json!(21.5)), (number("21.5"), true), "the scale is applied already");
    assert_eq!(read(&codec, json!("warm")), (Value::text("warm"), true));
    assert_eq!(write(&codec, number("21.5")), Ok(json!(215)));
    assert_eq!(write(&codec, number("21.50")), Ok(json!(215)));
    assert_eq!(write(&codec, number("36")), Err("code goes from 5 to 35 °C".into()));
    assert_eq!(write(&codec, number("21.3")), Err("code goes in steps of 0.5 °C, from 5 on".into()));
    assert_eq!(write(&codec, number("21.55")), Err("code goes in steps of 0.5 °C, from 5 on".into()));
    assert_eq!(write(&codec, "warm"), Err("code is a number".into()));
    let open = Codec::Number(NumberSpec { step: 1, ..NumberSpec::default() });
    assert_eq!(write(&open, Number::from(i64::MIN)), Ok(json!(i64::MIN)));
}

#[test]
fn booleans_come_as_numbers_and_text_too() {
    let codec = Codec::Bool { is_inverted: false };
    assert_eq!(read(&codec, json!(true)), (Value::Bool(true), false));
    for on in [json!(1), json!("1"), json!("true"), json!("ON")] {
        assert_eq!(read(&codec, on), (Value::Bool(true), true));
    }
    assert_eq!(read(&codec, json!(2)), (Value::Number(Number::from(2)), true));
    assert_eq!(write(&codec, true), Ok(json!(true)));
    assert_eq!(write(&codec, "on"), Err("code is on or off".into()));
    let inverted = Codec::Bool { is_inverted: true };
    assert_eq!(read(&inverted, json!(true)), (Value::Bool(false), false));
    assert_eq!(write(&inverted, true), Ok(json!(false)));
}

#[test]
fn shares_of_a_range_come_back_as_they_were_set() {
    // v1, v2 and dimmers: 50 % lies in the middle between the ends.
    for (min, max, half) in [(25, 255, 140), (10, 1000, 505), (0, 100, 50), (1, 6, 4)] {
        let codec = Codec::Percent { spec: spec(min, max, 1, 0, ""), is_inverted: false };
        assert_eq!(write(&codec, number("50")), Ok(json!(half)));
        assert_eq!(write(&codec, number("0")), Ok(json!(min)));
        assert_eq!(write(&codec, number("100")), Ok(json!(max)));
        assert_eq!(write(&codec, number("101")), Err("code goes from 0 to 100 %".into()));
    }
    let codec = Codec::Percent { spec: spec(10, 1000, 1, 0, ""), is_inverted: false };
    assert_eq!(read(&codec, json!(505)), (number("50"), false));
    assert_eq!(read(&codec, json!(507)), (number("50.2"), false));
    assert_eq!(read(&codec, json!(1010)), (number("101"), true));
    let inverted = Codec::Percent { spec: spec(0, 100, 1, 0, "%"), is_inverted: true };
    assert_eq!(read(&inverted, json!(30)), (number("70"), false));
    assert_eq!(write(&inverted, number("70")), Ok(json!(30)));
    let coarse = Codec::Percent { spec: spec(0, 100, 30, 0, "%"), is_inverted: false };
    assert_eq!(write(&coarse, number("100")), Ok(json!(90)), "the last step within the range");
}

#[test]
fn kelvin_are_linear_in_mireds() {
    let v2 = Codec::ColorTemp { spec: spec(0, 1000, 1, 0, ""), min_kelvin: 2000, max_kelvin: 6500 };
    assert_eq!(read(&v2, json!(0)), (number("2000"), false));
    assert_eq!(read(&v2, json!(1000)), (number("6500"), false));
    // 2700 K are 370.4 mired: 129.6 of the 346.2 between 500 and 153.8.
    assert_eq!(write(&v2, number("2700")), Ok(json!(374)));
    assert_eq!(read(&v2, json!(374)), (number("2700"), false));
    assert_eq!(write(&v2, number("1900")), Err("code goes from 2000 to 6500 K".into()));
    let v1 = Codec::ColorTemp { spec: spec(0, 255, 1, 0, ""), min_kelvin: 2000, max_kelvin: 6500 };
    assert_eq!(write(&v1, number("4000")), Ok(json!(184)));
    assert_eq!(read(&v1, json!(184)), (number("4000"), false));
}

#[test]
fn colors_keep_the_form_of_the_device() {
    let codec = Codec::Color { form: ColorForm::Hsv16 };
    let red = Color::hsv(0, 1000, 1000);
    assert_eq!(read(&codec, json!("000003e803e8")), (red.into(), false));
    assert_eq!(read(&codec, json!("ff00000000ffff")), (red.into(), false));
    assert_eq!(read(&codec, json!("FF0000")), (red.into(), false));
    assert_eq!(read(&codec, json!("{\"h\":0,\"s\":1000,\"v\":1000}")), (red.into(), false));
    assert_eq!(read(&codec, json!({"h": 0, "s": 1000, "v": 1000})), (red.into(), false));
    // The tail that stands for "read red, green and blue".
    assert_eq!(read(&codec, json!("00ff000168ffff")), (Color::hsv(120, 1000, 1000).into(), false));
    assert_eq!(read(&codec, json!("00f001f402bc")), (Color::hsv(240, 500, 700).into(), false));
    assert_eq!(read(&codec, json!("0168ffffffff")), (Color { hue: 360, saturation: 65535, value: 65535 }.into(), true));
    assert_eq!(read(&codec, json!("0123456789abcdef")), (Value::text("0123456789abcdef"), true));
    assert_eq!(write(&codec, red), Ok(json!("000003e803e8")));
    assert_eq!(write_over(&codec, json!("00c902bc0310"), red), Ok(json!("000003e803e8")));
    assert_eq!(write_over(&codec, json!("3c96c800c9b2c8"), red), Ok(json!("ff00000000ffff")));
    assert_eq!(write_over(&codec, json!("3c96c8"), red), Ok(json!("ff0000")));
    assert_eq!(write_over(&codec, json!("not a color"), red), Ok(json!("000003e803e8")));
    assert_eq!(write(&codec, Color { hue: 361, saturation: 0, value: 0 }), Err("code is a color".into()));
}

#[test]
fn words_are_named_and_unknown_ones_passed_on() {
    let codec = Codec::Words(vec![Word::new("auto", "heat_cool"), Word::new("ZZ", "close")]);
    assert_eq!(read(&codec, json!("auto")), (Value::text("heat_cool"), false));
    assert_eq!(read(&codec, json!("turbo")), (Value::text("turbo"), true));
    assert_eq!(write(&codec, "close"), Ok(json!("ZZ")));
    assert_eq!(write(&codec, "Close"), Ok(json!("ZZ")));
    assert_eq!(write(&codec, "turbo"), Err("code is one of heat_cool, close".into()));
}

#[test]
fn bits_have_labels() {
    let codec = Codec::Labels(vec!["hot".into(), String::new(), "cold".into()]);
    assert_eq!(read(&codec, json!(5)), (Value::Labels(vec!["hot".into(), "cold".into()]), false));
    assert_eq!(read(&codec, json!(10)), (Value::Labels(vec!["bit_1".into(), "bit_3".into()]), false));
    assert_eq!(read(&codec, json!(i32::MIN)), (Value::Labels(vec!["bit_31".into()]), false));
    assert_eq!(read(&Codec::Bit { bit: 2 }, json!(5)), (Value::Bool(true), false));
    assert_eq!(read(&Codec::Bit { bit: 255 }, json!(5)), (Value::Bool(false), false));
    assert_eq!(read(&Codec::AnyBit, json!(0)), (Value::Bool(false), false));
    assert_eq!(write(&Codec::AnyBit, true), Err("code is only reported and cannot be set".into()));
}

#[test]
fn speeds_are_steps_of_percent() {
    let codec = Codec::Steps { range: vec!["low".into(), "middle".into(), "high".into()] };
    assert_eq!(read(&codec, json!("low")), (number("33"), false));
    assert_eq!(read(&codec, json!("high")), (number("100"), false));
    assert_eq!(write(&codec, number("33")), Ok(json!("low")));
    assert_eq!(write(&codec, number("34")), Ok(json!("middle")));
    assert_eq!(write(&codec, number("0")), Err("code goes from 1 to 100 %".into()));
}

#[test]
fn texts_and_bytes() {
    let utf16 = Codec::Base64Text { is_utf16: true };
    assert_eq!(write(&utf16, "aß"), Ok(json!("AGEA3w==")));
    assert_eq!(read(&utf16, json!("AGEA3w==")), (Value::text("aß"), false));
    assert_eq!(read(&utf16, json!("AGEA")), (Value::text("a"), true), "half a character");
    assert_eq!(read(&Codec::Bytes, json!("AQI")), (Value::Bytes(vec![1, 2]), false), "without padding");
    assert_eq!(write(&Codec::Bytes, Value::Bytes(vec![1, 2])), Ok(json!("AQI=")));
    let short = Codec::Text { max_len: Some(3) };
    assert_eq!(write(&short, "four"), Err("code has a length of at most 3".into()));
    assert_eq!(read(&short, json!("four")), (Value::text("four"), true));
}

#[test]
fn a_reported_dp_is_not_set() {
    let mut writes = Writes::new();
    let mut channel = channel(Codec::Bool { is_inverted: false });
    channel.access = Access::ReadOnly;
    let error = channel.write(&true.into(), &writes.clone(), &mut writes).expect_err("it is read-only");
    assert_eq!(error.limit, Limit::ReadOnly);
}

#[test]
fn scenes_of_version_2_have_a_number_and_steps() {
    let codec = Codec::Scene { is_v2: true };
    // Scene 1, one static step of brightness 200.
    let text = "000e0d0000000000000000c80000";
    let (value, is_out_of_spec) = read(&codec, json!(text));
    assert!(!is_out_of_spec);
    assert_eq!(value.member("scene"), Some(&number("0")));
    let Some(Value::List(steps)) = value.member("steps") else { panic!("steps") };
    let [step] = steps.as_slice() else { panic!("one step") };
    assert_eq!(step.member("change"), Some(&"static".into()));
    assert_eq!(step.member("switch_time"), Some(&number("14")));
    assert_eq!(step.member("brightness"), Some(&number("200")));
    assert_eq!(step.member("color_temp"), Some(&number("0")));
    assert_eq!(write(&codec, value), Ok(json!(text)));
    assert_eq!(write(&codec, text), Ok(json!(text)));
    assert_eq!(write(&codec, "000e"), Err("code is a scene in hexadecimal digits".into()));
    assert_eq!(read(&codec, json!("000e")), (Value::text("000e"), true));
}

#[test]
fn scenes_of_version_1_have_colors() {
    let codec = Codec::Scene { is_v2: false };
    let (value, is_out_of_spec) = read(&codec, json!("ffff500100ff00"));
    assert!(!is_out_of_spec);
    assert_eq!(value.member("frequency"), Some(&number("80")));
    let steps = Value::List(vec![Color::hsv(120, 1000, 1000).into()]);
    assert_eq!(value.member("steps"), Some(&steps));
    assert_eq!(write(&codec, value), Ok(json!("ffff500100ff00")));
    assert_eq!(read(&codec, json!("ffff500200ff00")), (Value::text("ffff500200ff00"), true), "a color is missing");
}

#[test]
fn live_colors_are_21_digits() {
    let (value, is_out_of_spec) = read(&Codec::Live, json!("1007803e803e800c80064"));
    assert!(!is_out_of_spec);
    assert_eq!(value.member("change"), Some(&"gradual".into()));
    assert_eq!(value.member("color"), Some(&Color::hsv(120, 1000, 1000).into()));
    assert_eq!(value.member("brightness"), Some(&number("200")));
    assert_eq!(value.member("color_temp"), Some(&number("100")));
    assert_eq!(write(&Codec::Live, value), Ok(json!("1007803e803e800c80064")));
    assert_eq!(read(&Codec::Live, json!("1007803e8")), (Value::text("1007803e8"), true));
}

#[test]
fn phases_are_packed_in_three_ways_and_in_json() {
    let group = |data: Json| match read(&Codec::Phase { part: None }, data) {
        (Value::Group(members), false) => members,
        other => panic!("{other:?}"),
    };
    let named = |members: &[(&str, &str)]| -> Vec<(String, Value)> {
        members.iter().map(|(name, text)| ((*name).to_owned(), number(text))).collect()
    };
    let short = [("voltage", "233.0"), ("current", "1.000"), ("power", "200")];
    assert_eq!(group(json!("CRoAA+gAAMg=")), named(&short));
    assert_eq!(group(json!("091a0003e80000c8")), named(&short), "hexadecimal");
    let long = |signs: [&str; 4]| {
        let [current, power, reactive, factor] = signs;
        let text = |sign: &str, digits: &str| format!("{sign}{digits}");
        vec![
            ("voltage".to_owned(), number("233.0")),
            ("current".to_owned(), number(&text(current, "1.000"))),
            ("power".to_owned(), number(&text(power, "200"))),
            ("reactive_power".to_owned(), number(&text(reactive, "30"))),
            ("apparent_power".to_owned(), number("202")),
            ("power_factor".to_owned(), number(&text(factor, "0.99"))),
        ]
    };
    assert_eq!(group(json!("010f091a0003e80000c800001e0000ca63")), long(["", "", "", ""]));
    assert_eq!(group(json!("020f091a0003e80000c800001e0000ca630a")), long(["", "-", "", "-"]));
    assert_eq!(group(json!("Ag8JGgAD6AAAyAAAHgAAymMF")), long(["-", "", "-", ""]));
    let members = json!({"voltage": 233.1, "electricCurrent": 1.5, "power": 0.2, "powerFactor": 0.98});
    let expected = [("voltage", "233.1"), ("current", "1.5"), ("power", "200"), ("power_factor", "0.98")];
    assert_eq!(group(members.clone()), named(&expected));
    assert_eq!(group(json!(members.to_string())), named(&expected));
    let part = Codec::Phase { part: Some("current".into()) };
    assert_eq!(read(&part, json!("CRoAA+gAAMg=")), (number("1.000"), false));
    assert_eq!(read(&part, json!("CRoA")), (Value::text("CRoA"), true));
}
