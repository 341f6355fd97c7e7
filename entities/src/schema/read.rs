//! Reading specifications of DPs out of JSON that others wrote: liberal in what it takes, bounded, and never failing.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::{Access, DpKind, NumberSpec};
use crate::tables::units;
use crate::value::Number;

/// Most characters of a code.
const MAX_CODE: usize = 64;
/// Most characters of a word or label.
const MAX_WORD: usize = 128;
/// Most words of an enum.
const MAX_WORDS: usize = 256;
/// Most bits of a bitmap: integers of devices have 64.
const MAX_LABELS: usize = 64;
/// Most bytes of JSON in a text.
const MAX_JSON: usize = 1 << 20;

/// Facts that one source has about one DP.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Number; a source without it names the DP by its code.
    pub(super) dp: Option<u16>,
    pub(super) code: Option<String>,
    pub(super) kind: Option<DpKind>,
    pub(super) access: Option<Access>,
}

/// Reads a `mapping` of `devices.json`: an object by DP number, also as JSON text; a list of objects with `dp_id`.
pub(super) fn mapping(json: &Json) -> Vec<Found> {
    match &*parsed(json) {
        Json::Object(members) => members
            .iter()
            .map(|(key, entry)| {
                let mut found = described(entry);
                match key.trim().parse() {
                    Ok(dp) => found.dp = Some(dp),
                    // tinytuya writes the code where the cloud told no number.
                    Err(_) => found.code = found.code.or_else(|| code(key)),
                }
                found
            })
            .collect(),
        Json::Array(entries) => entries.iter().map(described).collect(),
        _ => Vec::new(),
    }
}

/// Reads the cloud's answer to the question for a device's specification: the whole answer, or its `result`.
pub(super) fn specification(json: &Json) -> Vec<Found> {
    let json = parsed(json);
    let result = json.get("result").unwrap_or(&json);
    let part = |name| result.get(name).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<Found> = part("functions").iter().map(described).collect();
    for function in &mut found {
        function.access = Some(Access::ReadWrite);
    }
    let settable = found.len();
    for entry in part("status") {
        let mut status = described(entry);
        let functions = found.get(..settable).unwrap_or_default();
        // A code of both lists is in `functions`, which has the same facts.
        if !functions.iter().any(|function| same_dp(function, &status)) {
            status.access = Some(Access::ReadOnly);
            found.push(status);
        }
    }
    found
}

fn same_dp(one: &Found, other: &Found) -> bool {
    match (one.dp, other.dp) {
        (Some(one), Some(other)) => one == other,
        _ => one.code.is_some() && one.code == other.code,
    }
}

/// Reads a thing model: the whole answer, its `result`, its `model` (JSON, also as text).
pub(super) fn thing_model(json: &Json) -> Vec<Found> {
    let json = parsed(json);
    let result = json.get("result").unwrap_or(&json);
    let model = parsed(result.get("model").unwrap_or(result));
    let mut found = Vec::new();
    for service in model.get("services").and_then(Json::as_array).into_iter().flatten() {
        for property in service.get("properties").and_then(Json::as_array).into_iter().flatten() {
            let spec = property.get("typeSpec").unwrap_or(&Json::Null);
            found.push(Found {
                dp: property.get("abilityId").and_then(dp),
                code: property.get("code").and_then(Json::as_str).and_then(code),
                kind: Some(kind(spec.get("type").and_then(Json::as_str), spec, None)),
                access: property.get("accessMode").and_then(Json::as_str).and_then(access),
            });
        }
    }
    found
}

/// Reads a direction in any of the usual words.
pub(super) fn access(word: &str) -> Option<Access> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "rw" | "wr+ro" | "readwrite" | "read-write" => Access::ReadWrite,
        "ro" | "r" | "read" | "readonly" | "read-only" => Access::ReadOnly,
        "wr" | "wo" | "w" | "write" | "writeonly" | "write-only" => Access::WriteOnly,
        _ => return None,
    })
}

/// Reads one entry: `{"code", "dp_id", "type", "values"}`.
fn described(entry: &Json) -> Found {
    if let Json::String(text) = entry {
        return Found { code: code(text), ..Found::default() };
    }
    let number = ["dp_id", "dpId", "id"].iter().find_map(|key| entry.get(key)).and_then(dp);
    let word = |keys: &[&str]| keys.iter().find_map(|key| entry.get(key)).and_then(Json::as_str);
    let values = entry.get("values").unwrap_or(&Json::Null);
    Found {
        dp: number,
        code: word(&["code", "dpCode"]).and_then(code),
        kind: Some(kind(word(&["type", "valueType"]), values, entry.get("raw_values"))),
        access: None,
    }
}

/// Reads the number of a DP, also as text.
pub(super) fn dp(json: &Json) -> Option<u16> {
    match json {
        Json::String(text) => text.trim().parse().ok(),
        _ => u16::try_from(integer(json)?).ok(),
    }
}

/// Reads a code. Control characters and blanks within make it unusable.
pub(super) fn code(text: &str) -> Option<String> {
    let text = text.trim();
    let is_usable = !text.is_empty()
        && text.chars().count() <= MAX_CODE
        && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    is_usable.then(|| text.to_owned())
}

/// Returns JSON that may be written as text.
fn parsed(json: &Json) -> Cow<'_, Json> {
    match json {
        Json::String(text) if text.len() <= MAX_JSON => match serde_json::from_str(text) {
            Ok(parsed) => Cow::Owned(parsed),
            Err(_) => Cow::Borrowed(json),
        },
        _ => Cow::Borrowed(json),
    }
}

/// Reads type and range. The members of `values` decide where the type is missing.
pub(super) fn kind(name: Option<&str>, values: &Json, raw_values: Option<&Json>) -> DpKind {
    let mut values = parsed(values);
    if !values.is_object()
        && let Some(raw) = raw_values
    {
        values = parsed(raw);
    }
    let has = |member: &str| values.get(member).is_some();
    match name.map(|name| name.trim().to_ascii_lowercase()).as_deref().unwrap_or_default() {
        "boolean" | "bool" => DpKind::Boolean,
        "integer" | "value" | "int" | "number" => DpKind::Integer(number_spec(&values)),
        "enum" => DpKind::Enum { range: range(&values) },
        "bitmap" | "fault" | "bitfield" => DpKind::Bitmap { labels: labels(&values) },
        "string" | "str" | "text" => DpKind::String { max_len: max_len(&values) },
        "raw" => DpKind::Raw { max_len: max_len(&values) },
        "json" => DpKind::Json { members: if values.is_object() { values.into_owned() } else { Json::Null } },
        "" if has("range") => DpKind::Enum { range: range(&values) },
        "" if has("label") => DpKind::Bitmap { labels: labels(&values) },
        "" if has("min") || has("max") || has("scale") => DpKind::Integer(number_spec(&values)),
        _ => DpKind::Opaque(name.unwrap_or_default().trim().chars().take(MAX_CODE).collect()),
    }
}

fn number_spec(values: &Json) -> NumberSpec {
    let member = |name: &str| values.get(name).and_then(integer);
    let (min, max) = match (member("min"), member("max")) {
        // Limits that exclude every integer say nothing.
        (Some(min), Some(max)) if min > max => (None, None),
        limits => limits,
    };
    NumberSpec {
        min,
        max,
        step: member("step").unwrap_or(1).max(1),
        scale: u8::try_from(member("scale").unwrap_or(0).clamp(0, 18)).unwrap_or_default(),
        unit: values.get("unit").and_then(Json::as_str).map(units::repair).unwrap_or_default(),
    }
}

/// Reads an integer, also as text or with a fraction.
pub(super) fn integer(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64().or_else(|| number.to_string().parse::<Number>().ok()?.rounded(0)),
        Json::String(text) => text.trim().parse::<Number>().ok()?.rounded(0),
        _ => None,
    }
}

fn max_len(values: &Json) -> Option<u32> {
    ["maxlen", "maxLen", "max_len"].iter().find_map(|key| u32::try_from(integer(values.get(key)?)?).ok())
}

fn range(values: &Json) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in list(values.get("range")) {
        if words.len() < MAX_WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Reads labels. They keep their places, because a place is a bit.
fn labels(values: &Json) -> Vec<String> {
    let labels = values.get("label").or_else(|| values.get("labels"));
    list(labels).take(MAX_LABELS).collect()
}

/// Reads a list of words. What is no word becomes text, and text that is too long is cut off.
fn list(json: Option<&Json>) -> impl Iterator<Item = String> {
    let entries = match json.map(parsed).as_deref() {
        Some(Json::Array(entries)) => entries.iter().take(MAX_WORDS).map(word).collect(),
        _ => Vec::new(),
    };
    entries.into_iter()
}

fn word(json: &Json) -> String {
    match json {
        Json::String(text) => text.chars().take(MAX_WORD).collect(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        _ => String::new(),
    }
}
