//! States as text for people and as JSON.

use core::fmt;
use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::{
    AlarmState, ClimateState, CoverState, EntityState, FanState, HumidifierState, LightState, LockState, SirenState,
    VacuumState, ValveState,
};
use crate::entity::{Entity, EntityKind};
use crate::value::{DpSource, Number, Reading, Value, phase};

/// One named value of a state, for printing.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct StateEntry {
    /// Name, such as `brightness`; empty for the one value of a switch or sensor.
    pub name: Cow<'static, str>,
    /// Value.
    pub value: Value,
    /// Unit; empty if there is none.
    pub unit: Cow<'static, str>,
    /// The value is secret: neither `Debug` nor [`text`](Self::text) shows it.
    pub is_sensitive: bool,
}

impl fmt::Debug for StateEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateEntry").field("name", &self.name).field("text", &self.text()).finish_non_exhaustive()
    }
}

impl StateEntry {
    fn new(name: impl Into<Cow<'static, str>>, value: impl Into<Value>, unit: &'static str) -> Self {
        Self { name: name.into(), value: value.into(), unit: unit.into(), is_sensitive: false }
    }

    /// Returns value and unit as text, such as `21.5 °C`.
    pub fn text(&self) -> String {
        if self.is_sensitive {
            return "(secret)".to_owned();
        }
        let gap = if self.unit.is_empty() { "" } else { " " };
        format!("{}{gap}{}", self.value, self.unit)
    }
}

/// Gathers the parts of a state that are known.
struct Entries(Vec<StateEntry>);

impl Entries {
    fn put<V: Into<Value>>(&mut self, name: &'static str, value: Option<V>, unit: &'static str) {
        self.0.extend(value.map(|value| StateEntry::new(name, value, unit)));
    }

    fn put_text(&mut self, name: &'static str, text: Option<&str>) {
        self.put(name, text, "");
    }

    fn put_power(&mut self, is_on: Option<bool>) {
        self.put("power", is_on, "");
    }
}

impl Entity {
    /// Returns what is known of the state, named as [`intent`](Self::intent) names it, and the entity's attributes.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use rustuya_entities::{Access, Channel, Codec, Entity, EntityKind, NumberSpec, Role};
    /// let mut spec = NumberSpec::default();
    /// (spec.scale, spec.unit) = (1, "°C".into());
    /// let mut sensor = Entity::new("temp_current", EntityKind::Sensor, "temp_current");
    /// sensor.unit = "°C".into();
    /// sensor.channels = vec![(Role::Value, Channel::new(3, "temp_current", Access::ReadOnly, Codec::Number(spec)))];
    /// let dps = BTreeMap::from([(3, 215.into())]);
    /// assert_eq!(sensor.entries(&dps)[0].text(), "21.5 °C");
    /// ```
    pub fn entries(&self, dps: &dyn DpSource) -> Vec<StateEntry> {
        let mut entries = Entries(Vec::new());
        match self.state(dps) {
            EntityState::Alarm(state) => state.list(&mut entries),
            EntityState::Climate(state) => state.list(&mut entries),
            EntityState::Cover(state) => state.list(&mut entries),
            EntityState::Event(state) => entries.put_text("", state.event_type.as_deref()),
            EntityState::Fan(state) => state.list(&mut entries),
            EntityState::Humidifier(state) => state.list(&mut entries),
            EntityState::Light(state) => state.list(&mut entries),
            EntityState::Lock(state) => state.list(&mut entries),
            EntityState::Siren(state) => state.list(&mut entries),
            EntityState::Vacuum(state) => state.list(&mut entries),
            EntityState::Valve(state) => state.list(&mut entries),
            // A button has nothing to report.
            EntityState::Value(_) if self.kind == EntityKind::Button => {}
            EntityState::Value(Some(reading)) => list_value(&mut entries.0, "", reading, &self.unit),
            EntityState::Value(None) => {}
        }
        for (name, reading) in self.attributes(dps) {
            list_value(&mut entries.0, name, reading, "");
        }
        entries.0
    }
}

/// Adds a value; a group as its members.
fn list_value(entries: &mut Vec<StateEntry>, name: &str, reading: Reading, unit: &str) {
    let Reading { value, is_sensitive, .. } = reading;
    let Value::Group(members) = value else {
        let unit = Cow::Owned(unit.to_owned());
        entries.push(StateEntry { name: Cow::Owned(name.to_owned()), value, unit, is_sensitive });
        return;
    };
    let dot = if name.is_empty() { "" } else { "." };
    entries.extend(members.into_iter().map(|(member, value)| StateEntry {
        unit: phase::unit(&member).into(),
        name: format!("{name}{dot}{member}").into(),
        value,
        is_sensitive,
    }));
}

impl EntityState {
    /// Returns the state as JSON. A light's is that of Home Assistant's JSON schema for lights; those of other kinds are
    /// objects whose members have Home Assistant's names, and the one value of a switch or sensor is itself.
    pub fn to_json(&self) -> Json {
        let mut entries = Entries(Vec::new());
        match self {
            Self::Light(state) => return state.to_json(),
            Self::Value(reading) => return reading.as_ref().map_or(Json::Null, |reading| reading.value.to_json()),
            Self::Event(state) => entries.put_text("event_type", state.event_type.as_deref()),
            Self::Alarm(state) => state.list(&mut entries),
            Self::Climate(state) => state.list(&mut entries),
            Self::Cover(state) => state.list(&mut entries),
            Self::Fan(state) => state.list(&mut entries),
            Self::Humidifier(state) => state.list(&mut entries),
            Self::Lock(state) => state.list(&mut entries),
            Self::Siren(state) => state.list(&mut entries),
            Self::Vacuum(state) => state.list(&mut entries),
            Self::Valve(state) => state.list(&mut entries),
        }
        let member = |entry: StateEntry| match (entry.name.as_ref(), entry.value) {
            ("power", Value::Bool(is_on)) => ("state".to_owned(), Json::from(if is_on { "ON" } else { "OFF" })),
            (_, value) => (entry.name.into_owned(), value.to_json()),
        };
        Json::Object(entries.0.into_iter().map(member).collect::<Map<_, _>>())
    }

    /// Returns the value of a kind that has only one.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Value(Some(Reading { value, .. })) => Some(value),
            _ => None,
        }
    }
}

impl AlarmState {
    fn list(&self, entries: &mut Entries) {
        let state = match (self.is_triggered, self.mode) {
            (Some(true), _) => Some("triggered"),
            (_, mode) => mode.map(super::AlarmMode::as_str),
        };
        entries.put_text("state", state);
        entries.put_text("message", self.message.as_deref());
    }
}

impl ClimateState {
    fn list(&self, entries: &mut Entries) {
        let unit = self.unit.as_str();
        entries.put_text("mode", self.hvac_mode.map(super::HvacMode::as_str));
        entries.put_text("action", self.action.as_deref());
        entries.put("temperature", self.target_temperature, unit);
        entries.put("temperature_low", self.target_temperature_low, unit);
        entries.put("temperature_high", self.target_temperature_high, unit);
        entries.put("current_temperature", self.current_temperature, unit);
        entries.put("humidity", self.target_humidity, "%");
        entries.put("current_humidity", self.current_humidity, "%");
        entries.put_text("preset", self.preset.as_deref());
        entries.put_text("fan_mode", self.fan_mode.as_deref());
        entries.put_text("swing_mode", self.swing_mode.as_deref());
        entries.put_text("swing_horizontal_mode", self.swing_horizontal_mode.as_deref());
    }
}

impl CoverState {
    fn list(&self, entries: &mut Entries) {
        entries.put_text("state", self.as_str());
        entries.put("position", self.position.map(Number::from), "%");
        entries.put("tilt", self.tilt.map(Number::from), "%");
    }
}

impl FanState {
    fn list(&self, entries: &mut Entries) {
        entries.put_power(self.is_on);
        entries.put("percentage", self.percentage.map(Number::from), "%");
        entries.put_text("preset", self.preset.as_deref());
        entries.put("oscillate", self.is_oscillating, "");
        entries.put_text("direction", self.direction.as_deref());
    }
}

impl HumidifierState {
    fn list(&self, entries: &mut Entries) {
        entries.put_power(self.is_on);
        entries.put("humidity", self.target_humidity, "%");
        entries.put("current_humidity", self.current_humidity, "%");
        entries.put_text("mode", self.mode.as_deref());
        entries.put_text("action", self.action.as_deref());
    }
}

impl LightState {
    fn list(&self, entries: &mut Entries) {
        entries.put_power(self.is_on);
        entries.put("brightness", self.brightness.map(|level| Number::from(level.percent())), "%");
        let is_colored = self.color_mode == Some(super::ColorMode::Hs);
        entries.put("color", self.color.filter(|_| is_colored), "");
        entries.put("color_temp", self.color_temp.filter(|_| !is_colored).map(Number::from), "K");
        entries.put_text("mode", self.mode.as_deref());
        entries.put_text("effect", self.effect.as_deref());
    }
}

impl LockState {
    fn list(&self, entries: &mut Entries) {
        entries.put_text("state", self.is_locked.map(|is_locked| if is_locked { "locked" } else { "unlocked" }));
        let unlocked = self.unlocked_by.iter();
        entries.0.extend(
            unlocked.map(|unlocked| StateEntry::new(format!("unlocked_by_{}", unlocked.by), unlocked.user, "")),
        );
    }
}

impl SirenState {
    fn list(&self, entries: &mut Entries) {
        entries.put_power(self.is_on);
        entries.put_text("tone", self.tone.as_deref());
        entries.put("volume", self.volume.clone(), "");
        entries.put("duration", self.duration, "s");
    }
}

impl VacuumState {
    fn list(&self, entries: &mut Entries) {
        entries.put_text("state", self.activity.map(super::Activity::as_str));
        entries.put_text("status", self.status.as_deref());
        entries.put_text("fan_speed", self.fan_speed.as_deref());
        entries.put("battery", self.battery, "%");
        entries.put("faults", (!self.faults.is_empty()).then(|| Value::Labels(self.faults.clone())), "");
    }
}

impl ValveState {
    fn list(&self, entries: &mut Entries) {
        entries.put_text("state", self.is_open.map(|is_open| if is_open { "open" } else { "closed" }));
        entries.put("position", self.position.map(Number::from), "%");
    }
}
