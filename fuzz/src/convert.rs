//! Conversion of messages, compared with `serde_json`: the same values, or none.

use core::fmt;

use rustuya_proto::{Dps, Payload};
use rustuya_runtime::convert;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Deepest nesting that the protocol's reader accepts.
const DEPTH: usize = 32;

/// Converts `data` as a payload and as a map of DPs.
///
/// # Panics
/// If the result differs from that of `serde_json`.
pub fn convert(data: &[u8]) {
    let whole = convert::payload(&Payload::new(data));
    let trimmed = Payload::new(data);
    let reference = serde_json::from_slice::<Value>(trimmed.as_bytes());
    match (&whole, &reference) {
        (None, _) => assert!(trimmed.is_empty()),
        (Some(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        // Invalid JSON becomes a text.
        (Some(ours), Err(_)) => {
            let text = String::from_utf8_lossy(trimmed.as_bytes());
            assert!(ours.as_str() == Some(&text) || serde_json::from_str::<Value>(&text).ok().as_ref() == Some(ours));
        }
    }
    let ours = Dps::parse(data).map(convert::dp_map);
    let theirs = serde_json::from_slice::<Entries>(data).ok();
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let shallow = theirs.0.iter().all(|(_, value)| depth(value) < DEPTH);
            if shallow {
                assert_eq!(ours, theirs.dps(), "{}", data.escape_ascii());
            }
        }
        // JSON allows values that `serde_json` refuses: numbers beyond a double, and single surrogates.
        (Some(ours), None) => drop(Value::Object(ours).to_string()),
        (None, Some(theirs)) => {
            let deep = theirs.0.iter().any(|(_, value)| depth(value) >= DEPTH);
            assert!(deep, "not read: {}", data.escape_ascii());
        }
        (None, None) => {}
    }
}

/// Object with all its members in order, including duplicates.
struct Entries(Vec<(String, Value)>);

impl Entries {
    /// Returns its DPs: of duplicates, the last one.
    fn dps(self) -> Map<String, Value> {
        let mut dps = Map::new();
        for (key, value) in self.0 {
            let is_number = (1..=5).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_digit());
            if let Some(number) = key.parse::<u16>().ok().filter(|_| is_number) {
                dps.insert(number.to_string(), value);
            }
        }
        dps
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
