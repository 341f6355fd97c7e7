//! Types of the DPs of a virtual device.

use rustuya_proto::{DpKind, WriteError};
use serde_json::{Map, Value};

use crate::form::Form;

/// Type of a DP.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Spec {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    Enum(Vec<String>),
    /// Most bytes.
    Text(u64),
    Raw,
    /// Number of bits.
    Bitmap(u32),
    /// Hex digits of a color or a scene.
    Digits(Form),
}

impl Spec {
    /// Parses an entry of `mapping` in tinytuya's `devices.json`, or of the vendor's specifications. `None` if it is
    /// neither.
    pub(crate) fn parse(entry: &Value) -> Option<Self> {
        let kind = entry.get("type")?.as_str()?;
        // An object, the JSON text of one, or the fields themselves.
        let values = match entry.get("values") {
            Some(Value::String(text)) => serde_json::from_str(text).ok()?,
            Some(values) => values.clone(),
            None => entry.clone(),
        };
        let number = |name: &str| values.get(name).and_then(Value::as_i64);
        Some(match kind.to_ascii_lowercase().as_str() {
            "boolean" | "bool" => Self::Bool,
            "integer" | "value" => Self::Integer {
                min: number("min").unwrap_or_else(|| i32::MIN.into()),
                max: number("max").unwrap_or_else(|| i32::MAX.into()),
            },
            "enum" => {
                let range = values.get("range")?.as_array()?;
                Self::Enum(range.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?)
            }
            "string" | "json" => Self::Text(number("maxlen").and_then(|max| max.try_into().ok()).unwrap_or(u64::MAX)),
            "raw" => Self::Raw,
            "bitmap" | "fault" => {
                let labels = values.get("label").and_then(Value::as_array).map(Vec::len);
                let bits = number("maxlen").and_then(|max| max.try_into().ok());
                Self::Bitmap(bits.or_else(|| labels?.try_into().ok()).unwrap_or(32))
            }
            _ => return None,
        })
    }

    pub(crate) const fn kind(&self) -> DpKind {
        match self {
            Self::Raw => DpKind::Raw,
            Self::Bitmap(_) => DpKind::Bitmap,
            Self::Bool | Self::Integer { .. } | Self::Enum(_) | Self::Text(_) | Self::Digits(_) => DpKind::Plain,
        }
    }

    /// Checks a value against the type.
    pub(crate) fn check(&self, value: &Value) -> Result<(), WriteError> {
        let text = || value.as_str().ok_or(WriteError::Kind);
        let integer = || value.as_i64().ok_or(WriteError::Kind);
        let fits = match self {
            Self::Bool if value.is_boolean() => true,
            Self::Bool => return Err(WriteError::Kind),
            Self::Integer { min, max } => (*min..=*max).contains(&integer()?),
            Self::Enum(range) => {
                let text = text()?;
                range.iter().any(|name| name == text)
            }
            Self::Text(max) => u64::try_from(text()?.len()).is_ok_and(|len| len <= *max),
            Self::Digits(form) => form.is_met_by(text()?),
            Self::Raw => is_base64(text()?).then_some(true).ok_or(WriteError::Kind)?,
            Self::Bitmap(bits) => {
                let value = integer()?;
                value >= 0 && value.checked_shr(*bits).unwrap_or(0) == 0
            }
        };
        if fits { Ok(()) } else { Err(WriteError::Range) }
    }
}

/// Checks `value` against the former value, `old`, of a DP without a type: it must be of the same kind. A DP that was
/// never set is a text.
pub(crate) fn check_alike(old: &Value, value: &Value) -> Result<(), WriteError> {
    let alike = match old {
        Value::Null => value.is_string(),
        _ => core::mem::discriminant(old) == core::mem::discriminant(value),
    };
    if alike { Ok(()) } else { Err(WriteError::Kind) }
}

/// Returns whether any device could send this value: booleans, numbers of 32 bits, and texts.
pub(crate) fn is_sendable(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_i64().is_some_and(|n| (i32::MIN.into()..=u32::MAX.into()).contains(&n)),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Returns the kind of a value that no device could send. Null may stand for a DP that was never set.
pub(crate) fn impossible(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null | Value::Bool(_) => None,
        Value::Number(number) if number.is_u64() && !number.is_i64() => Some("a number of more than 64 bits"),
        Value::Number(_) => None,
        Value::String(text) => (text.len() > LONGEST_TEXT).then_some("a text of more than 48000 bytes"),
        Value::Array(_) => Some("a list: give its JSON text, if it is one"),
        Value::Object(_) => Some("an object: give its JSON text, if it is one"),
    }
}

/// Keeps every push below the 64 KiB that controllers receive by default, in every version.
const LONGEST_TEXT: usize = 48_000;

/// Parses the types in an object by DP number; the error is the key of the first invalid one.
pub(crate) fn parse_all(schema: &Map<String, Value>) -> Result<Vec<(u16, Spec)>, String> {
    let entry = |(key, entry): (&String, &Value)| {
        let spec = Spec::parse(entry).ok_or_else(|| key.clone())?;
        let dp = key.parse().map_err(|_| key.clone())?;
        Ok((dp, spec))
    };
    schema.iter().map(entry).collect()
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(spec: Value, value: Value) -> Result<(), WriteError> {
        Spec::parse(&spec).expect("a specification").check(&value)
    }

    #[test]
    fn values_fit_their_specification_or_not() {
        let dimmer = json!({ "code": "bright", "type": "Integer", "values": { "min": 10, "max": 1000, "scale": 0 } });
        let mode = json!({ "type": "Enum", "values": "{\"range\":[\"white\",\"colour\"]}" });
        let name = json!({ "type": "String", "values": { "maxlen": 3 } });
        let fault = json!({ "type": "Bitmap", "values": { "label": ["a", "b"] } });
        for (spec, value, expected) in [
            (json!({ "type": "Boolean", "values": {} }), json!(true), Ok(())),
            (json!({ "type": "bool" }), json!(1), Err(WriteError::Kind)),
            (dimmer.clone(), json!(10), Ok(())),
            (dimmer.clone(), json!(9), Err(WriteError::Range)),
            (dimmer.clone(), json!(1001), Err(WriteError::Range)),
            (dimmer, json!("10"), Err(WriteError::Kind)),
            (json!({ "type": "value", "min": 0, "max": 1 }), json!(2), Err(WriteError::Range)),
            (mode.clone(), json!("white"), Ok(())),
            (mode, json!("red"), Err(WriteError::Range)),
            (name.clone(), json!("abc"), Ok(())),
            (name, json!("abcd"), Err(WriteError::Range)),
            (json!({ "type": "Json", "values": {} }), json!("{}"), Ok(())),
            (json!({ "type": "Raw" }), json!("aGVsbG8="), Ok(())),
            (json!({ "type": "Raw" }), json!("hello"), Err(WriteError::Kind)),
            (fault.clone(), json!(3), Ok(())),
            (fault.clone(), json!(4), Err(WriteError::Range)),
            (fault, json!(-1), Err(WriteError::Range)),
        ] {
            assert_eq!(checked(spec.clone(), value.clone()), expected, "{spec} {value}");
        }
        for wrong in [json!({}), json!({ "type": "Enum" }), json!({ "type": "Thing" }), json!("Boolean")] {
            assert_eq!(Spec::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_no_device_sends_is_known() {
        for value in [json!(true), json!("x"), json!(-5), json!(4_294_967_295_u32)] {
            assert!(is_sendable(&value), "{value}");
        }
        for value in [json!(null), json!(1.5), json!([1]), json!({}), json!(4_294_967_296_u64)] {
            assert!(!is_sendable(&value), "{value}");
        }
    }
}
