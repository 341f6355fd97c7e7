//! JSON from devices: no bytes cause a panic, and valid JSON gives the same values as with `serde_json`.

use std::collections::BTreeMap;

use rustuya_proto::{CidList, Decimal, DpValue, Dps, JsonText, Payload, Report, Text};
use serde_json::Value;

/// Parses `data` as a message, as a map of DPs and as a single value.
///
/// # Panics
/// If `serde_json` reads `data` differently.
pub fn json(data: &[u8]) {
    let payload = Payload::new(data);
    let _ = (payload.error(), format!("{payload:?}"));
    let report = payload.report();
    if let Some(report) = &report {
        visit(report);
    }
    if let Some(dps) = Dps::parse(data) {
        dps.for_each(|(_, value)| value_is_readable(&value));
    }
    if let Ok(text) = core::str::from_utf8(data) {
        single(text);
    }
    let Ok(reference) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    if depth(&reference) > 32 || !reference.is_object() {
        return;
    }
    let report = report.unwrap_or_else(|| panic!("not read: {}", data.escape_ascii()));
    // Skips keys with escapes, which are unknown keys here, and duplicate keys.
    if !data.contains(&b'\\') && !repeats(data) {
        agrees(&report, &reference);
    }
}

fn visit(report: &Report<'_>) {
    for text in [report.cid, report.device_id, report.req_type].into_iter().flatten() {
        text_is_readable(&text);
    }
    for list in [report.online, report.offline, report.nearby].into_iter().flatten() {
        list.for_each(|text| text_is_readable(&text));
    }
    for (id, value) in report.dps.into_iter().flatten() {
        value_is_readable(&value);
        assert!(report.value(id).is_some());
    }
}

fn text_is_readable(text: &Text<'_>) {
    let characters: String = text.chars().collect();
    assert_eq!(text.to_string(), characters);
    assert_eq!(*text, *characters.as_str());
    if let Some(borrowed) = text.as_str() {
        assert_eq!(borrowed, characters);
    }
    let _ = format!("{text:?}");
}

fn value_is_readable(value: &DpValue<'_>) {
    match value {
        DpValue::Str(text) => text_is_readable(text),
        DpValue::Float(number) => assert!(Decimal::new(number.as_str()).is_some(), "{number}"),
        DpValue::Json(json) => {
            if let Some(text) = json.as_str() {
                assert!(JsonText::new(text).is_some(), "{text}");
            }
        }
        DpValue::Null | DpValue::Bool(_) | DpValue::Int(_) => {}
    }
}

fn single(text: &str) {
    let reference = serde_json::from_str::<Value>(text).ok();
    let ours = JsonText::new(text);
    if let Some(reference) = reference.filter(|value| depth(value) <= 32) {
        assert!(ours.is_some(), "refused: {text}");
        // Skips numbers with white space around: that is valid JSON, but not a number by itself.
        if reference.is_number() && text.trim_ascii() == text {
            let number = Decimal::new(text).unwrap_or_else(|| panic!("not a number: {text}"));
            assert!(close(number.to_f64(), &reference), "{text}");
        }
    }
}

fn agrees(report: &Report<'_>, reference: &Value) {
    let data = reference.get("data");
    let find = |name: &str, fits: fn(&Value) -> bool| {
        [Some(reference), data].into_iter().flatten().find_map(|level| level.get(name).filter(|value| fits(value)))
    };
    let text = |name| find(name, Value::is_string).and_then(Value::as_str);
    let same = |ours: Option<Text<'_>>, theirs: Option<&str>| match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => ours == *theirs,
        _ => false,
    };
    assert!(same(report.cid, text("cid")), "cid of {reference}");
    assert!(same(report.device_id, text("devId")), "devId of {reference}");
    let list = |list: Option<CidList<'_>>| list.map(|l| l.map(|t| t.to_string()).collect::<Vec<_>>());
    let theirs = find("online", Value::is_array)
        .and_then(Value::as_array)
        .map(|l| l.iter().filter_map(|v| v.as_str().map(ToOwned::to_owned)).collect::<Vec<_>>());
    assert_eq!(list(report.online), theirs, "{reference}");

    let theirs = find("dps", Value::is_object).and_then(Value::as_object);
    assert_eq!(report.dps.is_some(), theirs.is_some(), "dps of {reference}");
    let (Some(ours), Some(theirs)) = (report.dps, theirs) else {
        return;
    };
    let mut expected: BTreeMap<u16, Vec<&Value>> = BTreeMap::new();
    for (key, value) in theirs {
        if let Some(id) = dp_number(key) {
            expected.entry(id).or_default().push(value);
        }
    }
    let mut seen: Vec<u16> = ours.map(|(id, _)| id.0).collect();
    for (id, value) in ours {
        let candidates = expected.get(&id.0).map(Vec::as_slice).unwrap_or_default();
        assert!(
            candidates.iter().any(|theirs| same_value(&value, theirs)),
            "DP {id}: {value:?} against {candidates:?}"
        );
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, expected.into_keys().collect::<Vec<_>>(), "{reference}");
}

fn dp_number(key: &str) -> Option<u16> {
    let digits = (1..=5).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| key.parse().ok()).flatten()
}

fn same_value(ours: &DpValue<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (DpValue::Null, Value::Null) => true,
        (DpValue::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        // `-0` is the integer 0 here and a float there.
        (DpValue::Int(ours), theirs) => theirs.as_i64() == Some(*ours) || (*ours == 0 && theirs.as_f64() == Some(0.0)),
        (DpValue::Float(ours), theirs) => close(ours.to_f64(), theirs),
        (DpValue::Str(ours), Value::String(theirs)) => *ours == *theirs.as_str(),
        (DpValue::Json(ours), Value::Array(_) | Value::Object(_)) => {
            serde_json::from_slice::<Value>(ours.as_bytes()).is_ok_and(|ours| ours == *theirs)
        }
        _ => false,
    }
}

/// `serde_json` rounds within one unit in the last place.
fn close(ours: f64, theirs: &Value) -> bool {
    theirs.as_f64().is_some_and(|theirs| (ours - theirs).abs() <= theirs.abs() * 4.0 * f64::EPSILON)
}

/// Returns the nesting of arrays and objects.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Returns whether a quoted text occurs twice, as a duplicate key does.
fn repeats(data: &[u8]) -> bool {
    let mut quoted: Vec<&[u8]> = data.split(|b| *b == b'"').skip(1).step_by(2).collect();
    let count = quoted.len();
    quoted.sort_unstable();
    quoted.dedup();
    quoted.len() < count
}
