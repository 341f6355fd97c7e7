//! Conversion of borrowed messages to owned values.

use rustuya_proto::{DeviceError, DpValue, Dps, Message, Payload};
use serde_json::{Map, Number, Value};

/// Converts a payload to JSON, or a string if it is not JSON; `None` if it is empty.
///
/// ```
/// # use rustuya_runtime::{convert, proto::Payload};
/// # use serde_json::json;
/// assert_eq!(convert::payload(&Payload::new(br#"{"dps":{"1":true}}"#)), Some(json!({ "dps": { "1": true } })));
/// assert_eq!(convert::payload(&Payload::new(b"data unvalid")), Some(json!("data unvalid")));
/// assert_eq!(convert::payload(&Payload::new(b"")), None);
/// ```
pub fn payload(payload: &Payload<'_>) -> Option<Value> {
    if payload.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(payload.as_bytes());
    Some(serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned())))
}

/// Converts DPs to a JSON object, in the order of the payload.
///
/// ```
/// # use rustuya_runtime::{convert, proto::Dps};
/// let dps = Dps::parse(br#"{"20":true,"1":-5}"#).expect("an object");
/// let map = convert::dp_map(dps);
/// assert_eq!(map.keys().collect::<Vec<_>>(), ["20", "1"]);
/// ```
pub fn dp_map(dps: Dps<'_>) -> Map<String, Value> {
    dps.map(|(id, value)| (id.to_string(), dp_value(&value))).collect()
}

/// Converts one value.
///
/// ```
/// # use rustuya_runtime::{convert, proto::DpValue};
/// assert_eq!(convert::dp_value(&DpValue::Int(-5)), serde_json::json!(-5));
/// ```
pub fn dp_value(value: &DpValue<'_>) -> Value {
    match value {
        DpValue::Null => Value::Null,
        DpValue::Bool(value) => Value::Bool(*value),
        DpValue::Int(value) => Value::from(*value),
        DpValue::Float(number) => {
            let exact = number.as_str().parse::<u64>().ok().map(Number::from);
            exact.or_else(|| Number::from_f64(number.to_f64())).map_or(Value::Null, Value::Number)
        }
        DpValue::Str(text) => Value::String(text.to_string()),
        DpValue::Json(json) => serde_json::from_str(&String::from_utf8_lossy(json.as_bytes())).unwrap_or(Value::Null),
    }
}

/// Assigns a value; allocates only if it differs.
pub(crate) fn assign(known: &mut Value, value: &DpValue<'_>) {
    match (&*known, value) {
        (Value::Bool(known), DpValue::Bool(value)) if known == value => {}
        (Value::Number(known), DpValue::Int(value)) if known.as_i64() == Some(*value) => {}
        (Value::String(known), DpValue::Str(text)) if text.chars().eq(known.chars()) => {}
        _ => *known = dp_value(value),
    }
}

/// Returns the device's text of a refusal, escaped for display.
pub(crate) fn refusal(message: Option<&Message<'_>>, error: Option<DeviceError>) -> String {
    let words = message.map(|message| message.payload.as_bytes()).unwrap_or_default();
    if words.is_empty() {
        return error.map_or("no reason given", DeviceError::text).to_owned();
    }
    words.escape_ascii().map(char::from).take(255).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dps_keep_their_order_and_kinds() {
        let text =
            br#"{"20":true,"1":-5,"9":"a\u00e9\n","3":1.5,"4":[1,{"x":null}],"5":null,"6":18446744073709551615}"#;
        let map = dp_map(Dps::parse(text).expect("an object"));
        let expected: Value = serde_json::from_slice(text).expect("JSON");
        assert_eq!(Value::Object(map.clone()), expected);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["20", "1", "9", "3", "4", "5", "6"]);
    }

    #[test]
    fn payloads_are_json_or_text_or_nothing() {
        assert_eq!(payload(&Payload::new(b"")), None);
        assert_eq!(payload(&Payload::new(b"{\"a\":1} \0")), Some(serde_json::json!({ "a": 1 })));
        assert_eq!(payload(&Payload::new(b"data \xffunvalid")), Some(Value::from("data \u{fffd}unvalid")));
    }
}
