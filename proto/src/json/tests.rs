//! Limits of the reader, broken text, and strings with invalid UTF-8 or escapes.

extern crate std;

use std::string::{String, ToString as _};
use std::vec::Vec;
use std::{format, vec};

use super::{Array, Decimal, JsonText, Object, Text, Value, Writer, parse_integer};

#[test]
fn nesting_is_limited_and_costs_no_stack() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
        assert!(Value::parse(nested(32).as_bytes()).is_some());
        assert!(Value::parse(nested(33).as_bytes()).is_none());
        assert!(Value::parse(nested(200_000).as_bytes()).is_none());
        assert!(Value::parse(open.repeat(200_000).as_bytes()).is_none());
    }
    let alternating = format!("{}{}", "[{\"a\":".repeat(16), "0".to_string() + &"}]".repeat(16));
    assert!(Value::parse(alternating.as_bytes()).is_some());
}

#[test]
fn unfinished_and_mismatched_text_is_no_value() {
    for bad in [
        "",
        " ",
        "\"",
        "\"abc",
        "\"abc\\\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[}",
        "{]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "[1}",
        "{\"a\":1]",
        "[[1]",
        "tru",
        "True",
        "nul",
        "falze",
        "-",
        "+1",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "01",
        "-01",
        "00",
        "NaN",
        "[01]",
        "\u{feff}1",
        "'a'",
    ] {
        assert!(Value::parse(bad.as_bytes()).is_none(), "{bad}");
    }
}

#[test]
fn values_are_distinguished() {
    let of = |text: &'static str| Value::parse(text.as_bytes()).expect("a value");
    assert!(matches!(of(" \t\r\nnull"), Value::Null));
    assert!(matches!(of("true"), Value::Bool(true)));
    assert!(matches!(of("false"), Value::Bool(false)));
    assert!(matches!(of("-0.5e-7,"), Value::Number(b"-0.5e-7")));
    assert!(matches!(of("10]"), Value::Number(b"10")));
    assert!(matches!(of("[ ]x"), Value::Array(b"[ ]")));
    assert!(matches!(of("{ \"]\" : \"}\\\"\" } "), Value::Object(b"{ \"]\" : \"}\\\"\" }")));
    assert_eq!(of("\"a\\n\"").text().expect("text"), *"a\n");
    assert_eq!(of("\"17\"").integer(), Some(17));
    assert_eq!(of("17").integer(), Some(17));
    assert_eq!(of("17.0").integer(), None);
    assert_eq!(of("\"17x\"").integer(), None);
}

#[test]
fn integers_are_exact_or_refused() {
    for (text, value) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("99999999999999999999999999", None),
        ("1e2", None),
        ("1.0", None),
        ("+1", None),
        ("-", None),
        ("", None),
    ] {
        assert_eq!(parse_integer(text.as_bytes()), value, "{text}");
    }
}

#[test]
fn entries_come_in_order_and_end_at_nonsense() {
    let entries = |text: &'static str| {
        let mut object = Object::new(text.as_bytes()).expect("an object");
        let keys: Vec<String> = object.by_ref().map(|(key, _)| key.to_string()).collect();
        (keys, object.is_closed())
    };
    assert_eq!(entries("{}"), (vec![], true));
    assert_eq!(
        entries(" { \"b\" : [1,{}] , \"a\" : {\"x\":\"}\"} } tail"),
        (vec!["b".to_string(), "a".to_string()], true)
    );
    assert_eq!(entries("{\"a\":1,\"b\":tru}"), (vec!["a".to_string()], false));
    assert_eq!(entries("{\"a\":1,\"b\""), (vec!["a".to_string()], false));
    assert_eq!(entries("{\"a\":1"), (vec!["a".to_string()], false));
    assert_eq!(entries("{\"a\":1]"), (vec!["a".to_string()], false));
    assert!(Object::new(b"[1]").is_none() && Object::new(b"").is_none());
    let numbers: Vec<i64> =
        Array::new(b" [1, \"2\" ,3]").expect("an array").filter_map(|value| value.integer()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(Array::new(b"{}").is_none());
}

fn literal(inside: &[u8]) -> String {
    Text::literal(inside).chars().collect()
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(literal(br#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
    assert_eq!(literal(br"caf\u00e9 \u00E9"), "café é");
    assert_eq!(literal(br"\ud83d\ude00"), "😀");
    assert_eq!(Text::plain(r"\n").to_string(), r"\n", "plain text has no escapes");
}

#[test]
fn broken_escapes_and_lone_surrogates_are_replaced() {
    for (inside, text) in [
        (&br"a\ud83db"[..], "a\u{fffd}b"),
        (br"\ude00", "\u{fffd}"),
        (br"\ud83d\n", "\u{fffd}\n"),
        (br"\ud83d\u0041", "\u{fffd}A"),
        (br"\ud83d\ud83d\ude00", "\u{fffd}😀"),
        (br"\u12", "\u{fffd}12"),
        (br"\uzzzz", "\u{fffd}zzzz"),
        (br"\u", "\u{fffd}"),
        (br"a\", "a\u{fffd}"),
        (br"\q", "q"),
    ] {
        assert_eq!(literal(inside), text, "{}", inside.escape_ascii());
    }
}

#[test]
fn invalid_utf8_is_replaced_and_the_rest_kept() {
    for (inside, text) in [
        (&b"caf\xc3\xa9"[..], "café"),
        (b"\xf0\x9f\x98\x80!", "😀!"),
        (b"a\xffb", "a\u{fffd}b"),
        (b"a\xc3", "a\u{fffd}"),
        (b"\xe2\x82x", "\u{fffd}\u{fffd}x"),
        (b"\x80\x80", "\u{fffd}\u{fffd}"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xc3\xa9\xff\xc3\xa9", "é\u{fffd}é"),
    ] {
        assert_eq!(literal(inside), text, "{}", inside.escape_ascii());
        let found = Text::literal(inside);
        assert_eq!(found.as_str().is_some(), !text.contains('\u{fffd}'));
        assert_eq!(found.to_string(), text);
    }
}

#[test]
fn equal_texts_are_those_of_equal_characters() {
    assert_eq!(Text::literal(br"caf\u00e9"), Text::plain("café"));
    assert_ne!(Text::literal(br"cafe"), Text::plain("café"));
    assert_eq!(format!("{:?}", Text::literal(br"a\n\u0007")), r#""a\n\u{7}""#);
}

#[test]
fn numbers_and_json_given_by_callers_are_checked() {
    for good in ["0", "-1", "21.5", "1e400", "-1E-3"] {
        assert_eq!(Decimal::new(good).map(|d| d.as_str()), Some(good));
    }
    for bad in ["", " 1", "1 ", "1,", "0x1", "1.", "\"1\"", "NaN", "true"] {
        assert!(Decimal::new(bad).is_none(), "{bad}");
    }
    assert_eq!(Decimal::new("21.5").expect("a number").to_f64().to_bits(), 21.5_f64.to_bits());
    for good in ["{}", " [1] ", "\"a\"", "1"] {
        assert_eq!(JsonText::new(good).and_then(|j| j.as_str()), Some(good));
    }
    for bad in ["", "{} x", "{", "[1]]", "a"] {
        assert!(JsonText::new(bad).is_none(), "{bad}");
    }
}

#[test]
fn integers_are_written_digit_by_digit() {
    let mut numbers = vec![0, 1, 9, 10, 11, 99, 100, 101, 1_700_000_000, -1, -10, i64::MAX, i64::MIN, i64::MIN + 1];
    numbers.extend((0..19).flat_map(|n| [10_i64.pow(n) - 1, 10_i64.pow(n), 1 - 10_i64.pow(n)]));
    for number in numbers {
        let mut buf = [0; 32];
        let mut w = Writer::new(&mut buf);
        w.integer(number);
        let len = w.len();
        assert_eq!(buf.get(..len), Some(number.to_string().as_bytes()));
    }
    let mut buf = [0; 20];
    Writer::new(&mut buf).unsigned(u64::MAX);
    assert_eq!(&buf, u64::MAX.to_string().as_bytes());
}
