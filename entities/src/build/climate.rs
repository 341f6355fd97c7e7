//! Thermostats, air conditioners and heaters; humidifiers.

use std::collections::BTreeMap;

use super::{Builder, ON_OFF, entity, plain_words};
use crate::entity::{Codec, Entity, EntityKind, Role, Word};
use crate::schema::{DpKind, DpSpec, NumberSpec};

/// Modes of devices, and the HVAC modes that they are.
const HVAC_MODES: &[(&str, &str)] = &[
    ("auto", "heat_cool"),
    ("cold", "cool"),
    ("cool", "cool"),
    ("dehumidify", "dry"),
    ("dry", "dry"),
    ("fan", "fan_only"),
    ("fan_only", "fan_only"),
    ("freeze", "cool"),
    ("heat", "heat"),
    ("heat_cool", "heat_cool"),
    ("hot", "heat"),
    ("manual", "heat_cool"),
    ("off", "off"),
    ("wet", "dry"),
    ("wind", "fan_only"),
];

/// States of work, and the HVAC actions that they are.
const ACTIONS: &[(&str, &str)] = &[
    ("close", "idle"),
    ("closed", "idle"),
    ("cold", "cooling"),
    ("cooling", "cooling"),
    ("heat", "heating"),
    ("heating", "heating"),
    ("hot", "heating"),
    ("idle", "idle"),
    ("off", "off"),
    ("open", "heating"),
    ("opened", "heating"),
    ("standby", "idle"),
    ("stop", "idle"),
    ("warming", "idle"),
];

impl Builder<'_> {
    pub(super) fn climate(&mut self, on_mode: &'static str) {
        let power = self.boolean(&["switch", "power_switch", "power", "switch_1"]);
        let target = self.integer(&["temp_set", "temp_set_f"]);
        let mode = self.words(&["mode"]);
        let current = self.current_temperature(target);
        if target.is_none() && mode.is_none() && (current.is_none() || power.is_none()) {
            return;
        }
        let main = [power, target.map(|(spec, _)| spec), mode.map(|(spec, _)| spec)].into_iter().flatten().next();
        let Some(main) = main else { return };
        let mut climate = entity(EntityKind::Climate, main);
        climate.name = Some("Climate".to_owned());
        if let Some(spec) = power {
            climate.with(Role::Power, spec, ON_OFF);
        }
        if let Some((spec, limits)) = target {
            climate.unit = self.degrees(spec, limits);
            climate.with(Role::TargetTemperature, spec, Codec::Number(in_unit(limits, &climate.unit)));
        }
        if let Some((spec, limits)) = current {
            let unit = self.degrees(spec, limits);
            climate.with(Role::CurrentTemperature, spec, Codec::Number(in_unit(limits, &unit)));
            if climate.unit.is_empty() {
                climate.unit = unit;
            }
        }
        let mut has_modes = false;
        if let Some((spec, range)) = mode {
            let (modes, presets) = modes(range);
            has_modes = modes.iter().any(|word| *word.name != *"off");
            if !modes.is_empty() {
                climate.with(Role::Mode, spec, Codec::Words(modes));
            }
            if !presets.is_empty() {
                climate.with(Role::Preset, spec, Codec::Words(presets));
            }
            if range.is_empty() {
                climate.with(Role::Preset, spec, plain_words(range));
            }
        }
        if !has_modes {
            climate.on_mode = Some(on_mode.into());
        }
        self.air(&mut climate);
        let temperature_unit = self.words(&["temp_unit_convert", "c_f"]);
        if let Some((spec, range)) = temperature_unit {
            climate.with(Role::TemperatureUnit, spec, plain_words(range));
        }
        let action = self.words(&["work_state", "valve_state"]);
        if let Some((spec, range)) = action {
            climate.with(Role::Action, spec, super::named_words(range, ACTIONS));
        }
        self.add(climate);
        // Settings and facts that users want to see beside the thermostat.
        for spec in [temperature_unit, action].into_iter().flatten().map(|(spec, _)| spec) {
            self.claimed.remove(&spec.dp);
        }
    }

    /// Returns the current temperature in the unit of the target.
    fn current_temperature(&self, target: Option<(&DpSpec, &NumberSpec)>) -> Option<(&'_ DpSpec, &'_ NumberSpec)> {
        let asked = target.map(|(spec, limits)| self.degrees(spec, limits)).unwrap_or_default();
        // One in another unit is a sensor of its own: a climate has one unit.
        let is_alike = |(spec, limits): &(&DpSpec, &NumberSpec)| {
            let unit = self.degrees(spec, limits);
            asked.is_empty() || unit.is_empty() || unit == asked
        };
        let is_fahrenheit = target.is_some_and(|(spec, limits)| spec.code == "temp_set_f" || limits.unit == "°F");
        let has_celsius_unit = target.is_some_and(|(_, limits)| limits.unit == "°C");
        let codes = match is_fahrenheit && !has_celsius_unit {
            true => ["temp_current_f", "temp_current", "upper_temp_f"],
            false => ["temp_current", "upper_temp", "temp_current_f"],
        };
        codes.iter().filter_map(|code| self.integer(&[*code])).find(is_alike)
    }

    /// Returns the unit of a temperature.
    fn degrees(&self, spec: &DpSpec, limits: &NumberSpec) -> String {
        match limits.unit.as_str() {
            "" if spec.code.ends_with("_f") => "°F".to_owned(),
            // The device itself says which, while it runs.
            "" if self.words(&["temp_unit_convert", "c_f"]).is_some() => String::new(),
            "" | "%" => "°C".to_owned(),
            unit => unit.to_owned(),
        }
    }

    /// Adds humidity, fan and swing.
    fn air(&self, climate: &mut Entity) {
        if let Some((spec, limits)) = self.integer(&["humidity_set"]) {
            climate.with(Role::TargetHumidity, spec, Codec::Number(in_unit(limits, "%")));
        }
        if let Some((spec, limits)) = self.integer(&["humidity_current"]) {
            climate.with(Role::CurrentHumidity, spec, Codec::Number(in_unit(limits, "%")));
        }
        if let Some((spec, range)) = self.words(&["fan_speed_enum", "level", "windspeed", "fan_speed"]) {
            climate.with(Role::FanSpeed, spec, plain_words(range));
        }
        let is_swing = |kind: &DpKind| matches!(kind, DpKind::Boolean | DpKind::Enum { .. });
        for (role, codes) in [
            (Role::Swing, &["swing", "shake"][..]),
            (Role::SwingHorizontal, &["switch_horizontal"]),
            (Role::SwingVertical, &["switch_vertical"]),
        ] {
            if let Some(spec) = self.first(codes, is_swing) {
                let codec = match &spec.kind {
                    DpKind::Enum { range } => plain_words(range),
                    _ => ON_OFF,
                };
                climate.with(role, spec, codec);
            }
        }
    }

    pub(super) fn humidifier(&mut self, class: &'static str) {
        let Some(power) = self.boolean(&["switch", "switch_spray", "power", "switch_1"]) else { return };
        let mut humidifier = entity(EntityKind::Humidifier, power);
        humidifier.name = Some(if class == "dehumidifier" { "Dehumidifier" } else { "Humidifier" }.to_owned());
        humidifier.device_class = Some(class.into());
        humidifier.with(Role::Power, power, ON_OFF);
        let target = self.integer(&["dehumidify_set_value", "humidity_set"]);
        if let Some((spec, limits)) = target {
            humidifier.unit = "%".to_owned();
            humidifier.with(Role::TargetHumidity, spec, Codec::Number(in_unit(limits, "%")));
        }
        let current = self.integer(&["humidity_indoor", "humidity_current"]);
        if let Some((spec, limits)) = current {
            humidifier.with(Role::CurrentHumidity, spec, Codec::Number(in_unit(limits, "%")));
        }
        // Beside a lamp, `work_mode` is the lamp's.
        let modes: &[&str] = if self.get("switch_led").is_some() { &["mode"] } else { &["mode", "work_mode"] };
        if let Some((spec, range)) = self.words(modes) {
            humidifier.with(Role::Mode, spec, plain_words(range));
        }
        self.add(humidifier);
        // The humidity of the room is worth a sensor.
        if let Some((spec, _)) = current {
            self.claimed.remove(&spec.dp);
        }
    }
}

fn in_unit(limits: &NumberSpec, unit: &str) -> NumberSpec {
    let unit = if limits.unit.is_empty() { unit } else { &limits.unit };
    NumberSpec { unit: unit.to_owned(), ..limits.clone() }
}

/// Splits the modes of a device: those that are an HVAC mode alone, and presets. Two modes that are the same HVAC mode
/// are presets both, since neither can stand for it.
fn modes(range: &[String]) -> (Vec<Word>, Vec<Word>) {
    let hvac = |word: &str| HVAC_MODES.iter().find(|(raw, _)| *raw == word).map(|(_, mode)| *mode);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for mode in range.iter().filter_map(|word| hvac(word)) {
        let count = counts.entry(mode).or_default();
        *count = count.saturating_add(1);
    }
    let (mut modes, mut presets) = (Vec::new(), Vec::new());
    for word in range {
        match hvac(word) {
            Some(mode) if counts.get(mode) == Some(&1) => modes.push(Word::new(word.clone(), mode)),
            _ => presets.push(Word::new(word.clone(), word.clone())),
        }
    }
    (modes, presets)
}
