//! Values as the cloud spells them: numbers may be text, texts numbers.

use core::ops::{Deref, DerefMut};

use serde_json::Value;
use zeroize::Zeroize as _;

/// A value whose texts are wiped when it is dropped: keys and tokens are among them.
#[derive(Default)]
pub(crate) struct Wiped(pub(crate) Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Deref for Wiped {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(object) => object.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first of these members that is text or a number, as text.
pub(crate) fn text(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// As [`text`], without what is empty.
pub(crate) fn filled(value: &Value, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| text(value, &[name]).filter(|text| !text.is_empty()))
}

/// The first of these members that is an integer, or text that is one.
pub(crate) fn integer(value: &Value, names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "checked: a whole number that an i64 holds")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// Returns whether the first present of these members means yes.
pub(crate) fn truth(value: &Value, names: &[&str]) -> Option<bool> {
    names.iter().find_map(|name| match value.get(name)? {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        _ => None,
    })
}

/// A list: the value itself, or the first of these members that is one.
pub(crate) fn list<'a>(value: &'a Value, names: &[&str]) -> Option<&'a [Value]> {
    let inner = || names.iter().find_map(|name| value.get(name)?.as_array());
    value.as_array().or_else(inner).map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odd_spellings_are_read() {
        let value =
            json!({ "a": "5", "b": 5, "c": 5.0, "d": "x", "e": true, "f": "False", "g": null, "h": "", "i": 1 });
        assert_eq!(["a", "b", "c", "d"].map(|name| integer(&value, &[name])), [Some(5), Some(5), Some(5), None]);
        assert_eq!(
            ["e", "f", "g", "i"].map(|name| truth(&value, &[name])),
            [Some(true), Some(false), None, Some(true)]
        );
        assert_eq!((text(&value, &["g", "b"]), filled(&value, &["h", "d"])), (Some("5".into()), Some("x".into())));
        assert_eq!(list(&json!({ "list": [1] }), &["devices", "list"]).map(<[_]>::len), Some(1));
        assert_eq!(list(&json!([1, 2]), &[]).map(<[_]>::len), Some(2));
    }
}
