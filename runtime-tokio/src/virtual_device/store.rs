//! What a virtual device remembers.

use core::str::FromStr as _;

use rustuya_runtime::proto::{Cid, Decimal, DpId, DpValue, JsonText, Model, Text};
use serde_json::{Map, Value};

use super::error::SimulationError;
use rustuya_runtime::convert;

/// The DPs of a device and of its sub-devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    own: Map<String, Value>,
    children: Vec<(Cid, Map<String, Value>)>,
}

impl Store {
    /// The DPs of the device, or of a sub-device; `None` when there is no such one.
    pub(super) fn dps(&self, cid: Option<&str>) -> Option<&Map<String, Value>> {
        match cid {
            None => Some(&self.own),
            Some(cid) => self.children.iter().find(|(known, _)| known.as_str() == cid).map(|(_, dps)| dps),
        }
    }

    /// Adds or replaces DPs of any kind; a new cid makes a new sub-device.
    ///
    /// # Errors
    /// Nothing is changed when a key is not a DP number or the cid cannot be one.
    pub(super) fn set(&mut self, cid: Option<&str>, dps: Map<String, Value>) -> Result<(), SimulationError> {
        if !dps.keys().all(|key| DpId::from_str(key).is_ok_and(|id| id.to_string() == *key)) {
            return Err(SimulationError::Dps);
        }
        let slot = match cid {
            Some(cid) if self.dps_mut(Some(cid)).is_none() => {
                self.children.push((Cid::new(cid)?, Map::new()));
                self.dps_mut(Some(cid))
            }
            cid => self.dps_mut(cid),
        };
        slot.into_iter().for_each(|slot| slot.extend(dps.clone()));
        Ok(())
    }

    fn dps_mut(&mut self, cid: Option<&str>) -> Option<&mut Map<String, Value>> {
        match cid {
            None => Some(&mut self.own),
            Some(cid) => self.children.iter_mut().find(|(known, _)| known.as_str() == cid).map(|(_, dps)| dps),
        }
    }
}

impl Model for Store {
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool {
        let Some(dps) = self.dps(cid) else { return false };
        for (key, value) in dps {
            if let Ok(id) = DpId::from_str(key) {
                with_value(value, |value| visit(id, value));
            }
        }
        // A gateway without DPs of its own refuses to be asked for them.
        !dps.is_empty() || cid.is_some() || self.children.is_empty()
    }

    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> bool {
        let Some(slot) = self.dps_mut(cid).and_then(|dps| dps.get_mut(&dp.to_string())) else {
            return false;
        };
        let value = convert::dp_value(&value);
        let changes = *slot != value && same_kind(slot, &value);
        if changes {
            *slot = value;
        }
        changes
    }

    fn children(&self, visit: &mut dyn FnMut(&str, bool)) {
        for (cid, _) in &self.children {
            visit(cid.as_str(), true);
        }
    }
}

fn same_kind(a: &Value, b: &Value) -> bool {
    core::mem::discriminant(a) == core::mem::discriminant(b)
}

fn with_value(value: &Value, visit: impl FnOnce(DpValue<'_>)) {
    match value {
        Value::Null => visit(DpValue::Null),
        Value::Bool(value) => visit(DpValue::Bool(*value)),
        Value::String(text) => visit(DpValue::Str(Text::plain(text))),
        Value::Number(number) => match number.as_i64() {
            Some(value) => visit(DpValue::Int(value)),
            None => visit(Decimal::new(&number.to_string()).map_or(DpValue::Null, DpValue::Float)),
        },
        Value::Array(_) | Value::Object(_) => {
            visit(JsonText::new(&value.to_string()).map_or(DpValue::Null, DpValue::Json));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn writes_are_taken_for_known_dps_of_the_same_kind() {
        let mut store = Store::default();
        store.set(None, map(json!({ "1": false, "2": "a" }))).expect("numbers");
        assert!(store.write(None, DpId(1), DpValue::Bool(true)));
        assert!(!store.write(None, DpId(1), DpValue::Bool(true)), "unchanged");
        assert!(!store.write(None, DpId(1), DpValue::Int(1)), "another kind");
        assert!(!store.write(None, DpId(9), DpValue::Int(1)), "unknown");
        assert!(!store.write(Some("x"), DpId(1), DpValue::Bool(false)), "nobody's");
        assert_eq!(store.dps(None), Some(&map(json!({ "1": true, "2": "a" }))));
    }

    #[test]
    fn every_kind_of_value_reaches_the_machine() {
        let dps = map(json!({ "1": true, "2": -3, "3": 2.5, "4": "x y", "5": [1, { "a": null }], "6": null }));
        let mut store = Store::default();
        store.set(None, dps.clone()).expect("numbers");
        let mut seen = Map::new();
        assert!(Model::dps(&store, None, &mut |id, value| {
            seen.insert(id.to_string(), convert::dp_value(&value));
        }));
        assert_eq!(seen, dps);
    }

    #[test]
    fn a_gateway_without_dps_answers_for_its_children_only() {
        let mut store = Store::default();
        store.set(Some("child"), map(json!({ "1": true }))).expect("numbers");
        assert!(!Model::dps(&store, None, &mut |_, _| {}));
        assert!(Model::dps(&store, Some("child"), &mut |_, _| {}));
        assert!(store.is_gateway());
        for bad in [json!({ "x": 1 }), json!({ "70000": 1 }), json!({ "01": 1 })] {
            assert_eq!(store.set(None, map(bad)), Err(SimulationError::Dps));
        }
        assert!(store.set(Some("no space"), Map::new()).is_err());
    }
}
