//! DPs of a faulty device.

use std::collections::BTreeMap;

use rustuya_proto::{Decimal, DpId, DpValue, JsonText, Model, Text, WriteError};
use serde_json::{Map, Value};

/// DPs of the device (`None`) and of its sub-devices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    maps: BTreeMap<Option<String>, BTreeMap<u16, Value>>,
    /// The sub-device that reports list as offline.
    pub(crate) offline: Option<String>,
    written: Vec<Write>,
}

/// Change of a DP by a controller's write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The sub-device; `None` for the device itself.
    pub cid: Option<String>,
    /// The DP.
    pub dp: u16,
    /// Its new value.
    pub value: Value,
}

impl Store {
    /// Adds or replaces DPs; a new cid adds a sub-device.
    ///
    /// # Panics
    /// If a key is not a DP number.
    pub(crate) fn set(&mut self, cid: Option<&str>, dps: &Map<String, Value>) {
        let slot = self.maps.entry(cid.map(str::to_owned)).or_default();
        for (key, value) in dps {
            let id = key.parse().unwrap_or_else(|_| panic!("not the number of a DP: {key:?}"));
            slot.insert(id, value.clone());
        }
    }

    /// The DPs of the device or of a sub-device; empty when there is none of that name.
    pub(crate) fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        let dps = self.of(cid).into_iter().flatten();
        dps.map(|(id, value)| (id.to_string(), value.clone())).collect()
    }

    /// Returns all changes by controllers, in order.
    pub(crate) fn written(&self) -> &[Write] {
        &self.written
    }

    fn of(&self, cid: Option<&str>) -> Option<&BTreeMap<u16, Value>> {
        self.maps.get(&cid.map(str::to_owned))
    }
}

impl Model for Store {
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool {
        let dps = self.of(cid);
        for (id, value) in dps.into_iter().flatten() {
            lend(value, |value| visit(DpId(*id), value));
        }
        // A gateway without DPs of its own refuses a query for them; a plain device without DPs answers.
        dps.is_some() || (cid.is_none() && !self.is_gateway())
    }

    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, WriteError> {
        let slot = self.maps.get_mut(&cid.map(str::to_owned)).and_then(|dps| dps.get_mut(&dp.0));
        let slot = slot.ok_or(WriteError::Unknown)?;
        let value = owned(&value);
        if core::mem::discriminant(slot) != core::mem::discriminant(&value) {
            return Err(WriteError::Kind);
        }
        let changes = core::mem::replace(slot, value.clone()) != value;
        if changes {
            self.written.push(Write { cid: cid.map(str::to_owned), dp: dp.0, value });
        }
        Ok(changes)
    }

    fn children(&self, visit: &mut dyn FnMut(&str, bool)) {
        for cid in self.maps.keys().flatten() {
            visit(cid, self.offline.as_ref() != Some(cid));
        }
    }
}

/// Converts a value to JSON.
pub(crate) fn owned(value: &DpValue<'_>) -> Value {
    match value {
        DpValue::Null => Value::Null,
        DpValue::Bool(value) => Value::from(*value),
        DpValue::Int(value) => Value::from(*value),
        DpValue::Float(number) => Value::from(number.to_f64()),
        DpValue::Str(text) => Value::from(text.to_string()),
        DpValue::Json(json) => serde_json::from_slice(json.as_bytes()).unwrap_or_default(),
    }
}

fn lend(value: &Value, visit: impl FnOnce(DpValue<'_>)) {
    match value {
        Value::Null => visit(DpValue::Null),
        Value::Bool(value) => visit(DpValue::Bool(*value)),
        Value::String(text) => visit(DpValue::Str(Text::plain(text))),
        Value::Number(number) => match number.as_i64() {
            Some(number) => visit(DpValue::Int(number)),
            None => visit(Decimal::new(&number.to_string()).map_or(DpValue::Null, DpValue::Float)),
        },
        Value::Array(_) | Value::Object(_) => {
            visit(JsonText::new(&value.to_string()).map_or(DpValue::Null, DpValue::Json));
        }
    }
}

/// Converts a payload to JSON, or to a string if it is not JSON; `None` if it is empty.
pub(crate) fn json(payload: &[u8]) -> Option<Value> {
    if payload.is_empty() {
        return None;
    }
    let text = String::from_utf8_lossy(payload);
    Some(serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.trim_end())))
}

/// Returns a field of a request, which some versions put inside `data`.
pub(crate) fn field<'a>(request: &'a Option<Value>, name: &str) -> Option<&'a Value> {
    let request = request.as_ref()?;
    request.get("data").and_then(|data| data.get(name)).or_else(|| request.get(name))
}
