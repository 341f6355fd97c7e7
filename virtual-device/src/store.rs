//! DPs of a virtual device.

use core::str::FromStr as _;
use std::collections::{BTreeMap, BTreeSet};

use rustuya_proto::{Cid, Decimal, DpId, DpKind, DpValue, JsonText, Model, Text, WriteError};
use rustuya_runtime::convert;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::behavior::{Behavior, Changed, Devices};
use crate::error::SimulationError;
use crate::profile::Profile;
use crate::spec::{Spec, check_alike, impossible, is_sendable, parse_all};

/// DPs of a device and of its sub-devices, and what they do by themselves.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    devices: All,
    behavior: Behavior,
    /// Accepted writes to which the device has not reacted yet: cids and DPs.
    written: Vec<(Option<String>, u16)>,
}

#[derive(Clone, Debug, Default)]
struct All {
    own: Dps,
    children: Vec<Child>,
}

#[derive(Clone, Debug, Default)]
struct Dps {
    values: Map<String, Value>,
    specs: BTreeMap<u16, Spec>,
    /// DPs that no controller can write.
    read_only: BTreeSet<u16>,
    /// Profile of the device, if it has one.
    profile: Option<Profile>,
}

#[derive(Clone, Debug)]
struct Child {
    cid: Cid,
    dps: Dps,
    is_online: bool,
}

impl Store {
    /// Returns the DPs of the device, or of a sub-device; `None` if it does not exist.
    pub(crate) fn dps(&self, cid: Option<&str>) -> Option<&Map<String, Value>> {
        self.devices.of(cid).map(|dps| &dps.values)
    }

    /// Adds or replaces DPs of any kind; a new cid adds a sub-device. Null stands for a DP that was never set.
    ///
    /// # Errors
    /// If a key is not a DP number, no device could send a value, or the cid is invalid. Then nothing is changed.
    pub(crate) fn set(&mut self, cid: Option<&str>, dps: Map<String, Value>) -> Result<(), SimulationError> {
        for (key, value) in &dps {
            let dp = dp_id(key).ok_or(SimulationError::Dps)?.0;
            if let Some(what) = impossible(value) {
                return Err(SimulationError::Impossible { dp, what });
            }
        }
        self.devices.made(cid)?.values.extend(dps);
        Ok(())
    }

    /// As [`set`](Self::set), for values that are pushed.
    pub(crate) fn change(&mut self, cid: Option<&str>, dps: &Map<String, Value>) -> Result<(), SimulationError> {
        if let Some((key, _)) = dps.iter().find(|(_, value)| value.is_null()) {
            let dp = dp_id(key).ok_or(SimulationError::Dps)?.0;
            return Err(SimulationError::Impossible { dp, what: "null" });
        }
        self.set(cid, dps.clone())
    }

    /// Sets the types of DPs. Those that have no value yet exist from now on, never set.
    ///
    /// # Errors
    /// [`SimulationError::Schema`], or the cid is invalid. Then nothing is changed.
    pub(crate) fn specify(&mut self, cid: Option<&str>, schema: &Map<String, Value>) -> Result<(), SimulationError> {
        let specs = parse_all(schema).map_err(|key| SimulationError::Schema { dp: key.parse().ok() })?;
        let dps = self.devices.made(cid)?;
        for (dp, spec) in specs {
            dps.values.entry(dp.to_string()).or_insert(Value::Null);
            dps.specs.insert(dp, spec);
        }
        Ok(())
    }

    /// Sets whether a sub-device is online; returns whether it exists.
    pub(crate) fn set_online(&mut self, cid: &str, is_online: bool) -> bool {
        let child = self.devices.children.iter_mut().find(|child| child.cid.as_str() == cid);
        child.map(|child| child.is_online = is_online).is_some()
    }

    /// Checks that a real device could have these values: its DPs exist, and each value fits its type.
    ///
    /// # Errors
    /// [`SimulationError::Value`] names the first that does not. `limit` is the largest DP number.
    pub(crate) fn check_all(
        &self,
        cid: Option<&str>,
        dps: &Map<String, Value>,
        limit: u16,
    ) -> Result<(), SimulationError> {
        for (key, value) in dps {
            let dp = dp_id(key).ok_or(SimulationError::Dps)?.0;
            let spec = self.devices.of(cid).and_then(|dps| dps.specs.get(&dp));
            let why = if dp > limit {
                Err(WriteError::Unknown)
            } else if value.is_null() && self.dps(cid).is_none_or(|dps| dps.get(key).is_none_or(Value::is_null)) {
                // It was never set.
                Ok(())
            } else if !is_sendable(value) {
                Err(WriteError::Kind)
            } else {
                spec.map_or(Ok(()), |spec| spec.check(value))
            };
            why.map_err(|why| SimulationError::Value { dp, why })?;
        }
        Ok(())
    }

    /// As [`check_all`](Self::check_all), for all DPs.
    pub(crate) fn check_everything(&self, limit: u16) -> Result<(), SimulationError> {
        self.check_all(None, &self.devices.own.values, limit)?;
        self.devices
            .children
            .iter()
            .try_for_each(|child| self.check_all(Some(child.cid.as_str()), &child.dps.values, limit))
    }

    /// Checks that a controller may write this.
    pub(crate) fn check(&self, cid: Option<&str>, dp: DpId, value: &Value) -> Result<(), WriteError> {
        let dps = self.devices.of(cid).ok_or(WriteError::Unknown)?;
        let old = dps.values.get(&dp.to_string()).ok_or(WriteError::Unknown)?;
        if dps.read_only.contains(&dp.0) {
            return Err(WriteError::ReadOnly);
        }
        match dps.specs.get(&dp.0) {
            Some(spec) => spec.check(value),
            None => check_alike(old, value),
        }
    }

    /// Gives a device or a sub-device the DPs and the behavior of a profile. Its sub-devices are not added.
    pub(crate) fn install(&mut self, cid: Option<&str>, profile: Profile) -> Result<(), SimulationError> {
        let dps = self.devices.made(cid)?;
        dps.profile = Some(profile);
        for point in profile.template().points {
            dps.specs.insert(point.dp, point.spec());
            if !point.is_writable {
                dps.read_only.insert(point.dp);
            }
        }
        for (dp, first) in profile.dps() {
            dps.values.entry(dp).or_insert(first);
        }
        self.behavior.add(cid, profile.template().parts);
        Ok(())
    }

    /// Returns the cids of all sub-devices.
    pub(crate) fn cids(&self) -> impl Iterator<Item = &str> {
        self.devices.children.iter().map(|child| child.cid.as_str())
    }

    /// Returns the profile of the device or of a sub-device.
    pub(crate) fn profile(&self, cid: Option<&str>) -> Option<Profile> {
        self.devices.of(cid).and_then(|dps| dps.profile)
    }

    pub(crate) const fn behavior_mut(&mut self) -> &mut Behavior {
        &mut self.behavior
    }

    /// Returns when the device does something by itself.
    pub(crate) fn wake_up(&self) -> Option<Instant> {
        self.behavior.wake_up()
    }

    /// Lets time pass from now on.
    pub(crate) fn start(&mut self, now: Instant) {
        self.behavior.start(&mut self.devices, now);
    }

    /// Does what is due by itself, and returns what that changed.
    pub(crate) fn advance(&mut self, now: Instant) -> Vec<Changed> {
        self.behavior.advance(&mut self.devices, now)
    }

    /// Remembers that these DPs were set by hand.
    pub(crate) fn note(&mut self, cid: Option<&str>, dps: &Map<String, Value>) {
        if !self.behavior.is_empty() {
            let keys = dps.keys().filter_map(|key| key.parse().ok());
            self.written.extend(keys.map(|dp| (cid.map(str::to_owned), dp)));
        }
    }

    /// Returns whether there are writes to which the device has not reacted yet.
    pub(crate) const fn has_news(&self) -> bool {
        !self.written.is_empty()
    }

    /// Does what follows from the writes so far, and returns what that changed.
    pub(crate) fn react(&mut self, now: Instant) -> Vec<Changed> {
        let mut all = Vec::new();
        while let Some((cid, _)) = self.written.first() {
            let cid = cid.clone();
            let same: Vec<_> = self.written.extract_if(.., |(other, _)| *other == cid).map(|(_, dp)| dp).collect();
            all.extend(self.behavior.react(&mut self.devices, cid.as_deref(), same, now));
        }
        all
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { devices: All::default(), behavior: Behavior::new(), written: Vec::new() }
    }
}

impl Devices for All {
    fn values(&mut self, cid: Option<&str>) -> Option<&mut Map<String, Value>> {
        self.of_mut(cid).map(|dps| &mut dps.values)
    }

    fn is_reachable(&self, cid: Option<&str>) -> bool {
        let child = self.children.iter().find(|child| Some(child.cid.as_str()) == cid);
        child.is_none_or(|child| child.is_online)
    }
}

impl All {
    fn of(&self, cid: Option<&str>) -> Option<&Dps> {
        match cid {
            None => Some(&self.own),
            Some(cid) => self.children.iter().find(|child| child.cid.as_str() == cid).map(|child| &child.dps),
        }
    }

    fn of_mut(&mut self, cid: Option<&str>) -> Option<&mut Dps> {
        match cid {
            None => Some(&mut self.own),
            Some(cid) => self.children.iter_mut().find(|child| child.cid.as_str() == cid).map(|child| &mut child.dps),
        }
    }

    /// Returns the DPs of the device or of a sub-device, which is added if it does not exist.
    fn made(&mut self, cid: Option<&str>) -> Result<&mut Dps, SimulationError> {
        let Some(name) = cid else { return Ok(&mut self.own) };
        let at = match self.children.iter().position(|child| child.cid.as_str() == name) {
            Some(at) => at,
            None => {
                self.children.push(Child { cid: Cid::new(name)?, dps: Dps::default(), is_online: true });
                self.children.len() - 1
            }
        };
        Ok(self.children.get_mut(at).map_or(&mut self.own, |child| &mut child.dps))
    }
}

impl Model for Store {
    fn dps(&self, cid: Option<&str>, visit: &mut dyn FnMut(DpId, DpValue<'_>)) -> bool {
        let Some(dps) = self.dps(cid) else { return false };
        // A DP that was never set is left out.
        for (key, value) in dps.iter().filter(|(_, value)| !value.is_null()) {
            if let Some(id) = dp_id(key) {
                with_value(value, |value| visit(id, value));
            }
        }
        // A gateway without DPs of its own refuses a query for them.
        !dps.is_empty() || cid.is_some() || self.devices.children.is_empty()
    }

    fn write(&mut self, cid: Option<&str>, dp: DpId, value: DpValue<'_>) -> Result<bool, WriteError> {
        let value = convert::dp_value(&value);
        self.check(cid, dp, &value)?;
        let slot =
            self.devices.of_mut(cid).and_then(|dps| dps.values.get_mut(&dp.to_string())).ok_or(WriteError::Unknown)?;
        let changes = *slot != value;
        *slot = value;
        if !self.behavior.is_empty() {
            self.written.push((cid.map(str::to_owned), dp.0));
        }
        Ok(changes)
    }

    fn kind(&self, cid: Option<&str>, dp: DpId) -> DpKind {
        self.devices.of(cid).and_then(|dps| dps.specs.get(&dp.0)).map_or(DpKind::Plain, Spec::kind)
    }

    fn children(&self, visit: &mut dyn FnMut(&str, bool)) {
        for child in &self.devices.children {
            visit(child.cid.as_str(), child.is_online);
        }
    }
}

fn dp_id(key: &str) -> Option<DpId> {
    DpId::from_str(key).ok().filter(|id| id.to_string() == *key)
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
        assert_eq!(store.write(None, DpId(1), DpValue::Bool(true)), Ok(true));
        assert_eq!(store.write(None, DpId(1), DpValue::Bool(true)), Ok(false), "unchanged");
        assert_eq!(store.write(None, DpId(1), DpValue::Int(1)), Err(WriteError::Kind));
        assert_eq!(store.write(None, DpId(9), DpValue::Int(1)), Err(WriteError::Unknown));
        assert_eq!(store.write(Some("x"), DpId(1), DpValue::Bool(false)), Err(WriteError::Unknown), "nobody's");
        assert_eq!(store.dps(None), Some(&map(json!({ "1": true, "2": "a" }))));
    }

    #[test]
    fn every_kind_of_value_reaches_the_machine() {
        let dps = map(json!({ "1": true, "2": -3, "3": 2.5, "4": "x y", "5": i64::MIN }));
        let mut store = Store::default();
        store.set(None, dps.clone()).expect("numbers");
        store.set(None, map(json!({ "6": null }))).expect("never set");
        let mut seen = Map::new();
        assert!(Model::dps(&store, None, &mut |id, value| {
            seen.insert(id.to_string(), convert::dp_value(&value));
        }));
        assert_eq!(seen, dps);
    }

    #[test]
    fn what_no_device_sends_is_refused_and_changes_nothing() {
        let mut store = Store::default();
        store.set(None, map(json!({ "1": true, "2": null }))).expect("2 was never set");
        let long = "x".repeat(48_001);
        for value in [json!([1]), json!({ "a": 1 }), json!(u64::MAX), json!(long)] {
            let dps = map(json!({ "1": false, "2": value }));
            let error = store.set(None, dps.clone()).expect_err("impossible");
            assert!(matches!(error, SimulationError::Impossible { dp: 2, .. }), "{error}");
            assert_eq!(store.change(None, &dps), Err(error));
        }
        let null = store.change(None, &map(json!({ "1": false, "2": null })));
        assert_eq!(null, Err(SimulationError::Impossible { dp: 2, what: "null" }));
        assert_eq!(store.dps(None), Some(&map(json!({ "1": true, "2": null }))));
        store.change(None, &map(json!({ "2": "x".repeat(48_000), "3": i64::MAX, "4": 0.1 }))).expect("possible");
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

    #[test]
    fn a_schema_says_what_is_there_and_what_it_can_hold() {
        let mut store = Store::default();
        let schema = json!({ "2": { "type": "value", "min": 10, "max": 20 }, "5": { "type": "string" }, "7": { "type": "raw" } });
        store.specify(None, &map(schema)).expect("a schema");
        store.set(None, map(json!({ "2": 10 }))).expect("numbers");
        assert_eq!(store.write(None, DpId(2), DpValue::Int(20)), Ok(true));
        assert_eq!(store.write(None, DpId(2), DpValue::Int(21)), Err(WriteError::Range));
        assert_eq!((store.kind(None, DpId(7)), store.kind(None, DpId(2))), (DpKind::Raw, DpKind::Plain));
        let mut seen = Vec::new();
        Model::dps(&store, None, &mut |id, _| seen.push(id.0));
        assert_eq!(seen, [2], "5 and 7 were never set");
        assert_eq!(store.write(None, DpId(5), DpValue::text("x")), Ok(true));
        let wrong = store.specify(None, &map(json!({ "3": { "type": "thing" } })));
        assert_eq!(wrong, Err(SimulationError::Schema { dp: Some(3) }));
        for (dps, expected) in [
            (json!({ "2": 15, "5": "y", "9": true }), Ok(())),
            (json!({ "2": 9 }), Err((2, WriteError::Range))),
            (json!({ "9": 1.5 }), Err((9, WriteError::Kind))),
            (json!({ "5": null }), Err((5, WriteError::Kind))),
            (json!({ "7": null }), Ok(())),
            (json!({ "256": 1 }), Err((256, WriteError::Unknown))),
        ] {
            let expected = expected.map_err(|(dp, why)| SimulationError::Value { dp, why });
            assert_eq!(store.check_all(None, &map(dps.clone()), 255), expected, "{dps}");
        }
    }

    #[test]
    fn children_come_and_go() {
        let mut store = Store::default();
        store.set(Some("child"), map(json!({ "1": true }))).expect("numbers");
        assert!(store.set_online("child", false) && !store.set_online("other", false));
        let mut seen = Vec::new();
        store.children(&mut |cid, online| seen.push((cid.to_owned(), online)));
        assert_eq!(seen, [("child".to_owned(), false)]);
    }
}
