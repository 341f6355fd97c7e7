//! Climates: thermostats, air conditioners, heaters.

use std::sync::Arc;

use super::access::Plan;
use super::{IntentError, Power};
use crate::entity::{Codec, Entity, Role};
use crate::value::{DpSource, Limit, Number, Value, ValueError, Writes};

/// State of a climate.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClimateState {
    /// Mode; `Off` while it is switched off.
    pub hvac_mode: Option<HvacMode>,
    /// Present action: `heating`, `cooling`, `idle`, `off` ..., in Home Assistant's words as far as they are known.
    pub action: Option<Arc<str>>,
    /// Temperature that is asked for.
    pub target_temperature: Option<Number>,
    /// Lower end of the temperatures that are asked for.
    pub target_temperature_low: Option<Number>,
    /// Upper end of the temperatures that are asked for.
    pub target_temperature_high: Option<Number>,
    /// Temperature as it is.
    pub current_temperature: Option<Number>,
    /// Unit of the temperatures.
    pub unit: TemperatureUnit,
    /// Humidity that is asked for, in percent.
    pub target_humidity: Option<Number>,
    /// Humidity as it is, in percent.
    pub current_humidity: Option<Number>,
    /// Preset, such as `eco`.
    pub preset: Option<Arc<str>>,
    /// Fan mode.
    pub fan_mode: Option<Arc<str>>,
    /// Swing: `on` and `off`; `horizontal`, `vertical`, `both` and `off`; or the device's own words.
    pub swing_mode: Option<Arc<str>>,
    /// Swing from side to side, where the device has words of its own for it.
    pub swing_horizontal_mode: Option<Arc<str>>,
}

/// Mode of a climate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "these are Home Assistant's")]
pub enum HvacMode {
    Off,
    Heat,
    Cool,
    HeatCool,
    Auto,
    Dry,
    FanOnly,
}

impl HvacMode {
    /// All modes.
    pub const ALL: [Self; 7] =
        [Self::Off, Self::Heat, Self::Cool, Self::HeatCool, Self::Auto, Self::Dry, Self::FanOnly];

    /// Returns Home Assistant's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Heat => "heat",
            Self::Cool => "cool",
            Self::HeatCool => "heat_cool",
            Self::Auto => "auto",
            Self::Dry => "dry",
            Self::FanOnly => "fan_only",
        }
    }

    /// Reads Home Assistant's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(name))
    }
}

/// Unit of temperatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own name")]
pub enum TemperatureUnit {
    #[default]
    Celsius,
    Fahrenheit,
}

impl TemperatureUnit {
    /// Returns `°C` or `°F`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Celsius => "°C",
            Self::Fahrenheit => "°F",
        }
    }
}

/// Intent of a user for a climate.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClimateIntent {
    /// On in its last mode, off, the other of both.
    pub power: Option<Power>,
    /// Mode. Every mode but `Off` also switches it on.
    pub hvac_mode: Option<HvacMode>,
    /// Temperature, in the unit of the state.
    pub temperature: Option<Number>,
    /// Lower end of a range of temperatures.
    pub temperature_low: Option<Number>,
    /// Upper end of a range of temperatures.
    pub temperature_high: Option<Number>,
    /// Humidity in percent.
    pub humidity: Option<Number>,
    /// Preset.
    pub preset: Option<String>,
    /// Fan mode.
    pub fan_mode: Option<String>,
    /// Swing.
    pub swing_mode: Option<String>,
    /// Swing from side to side, where the device has words of its own for it.
    pub swing_horizontal_mode: Option<String>,
}

/// Capabilities of a climate.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClimateCapabilities {
    /// Modes.
    pub hvac_modes: Vec<HvacMode>,
    /// Presets.
    pub presets: Vec<String>,
    /// Fan modes.
    pub fan_modes: Vec<String>,
    /// Swing modes.
    pub swing_modes: Vec<String>,
    /// Modes of the swing from side to side.
    pub swing_horizontal_modes: Vec<String>,
    /// Least temperature.
    pub min_temperature: Option<Number>,
    /// Greatest temperature.
    pub max_temperature: Option<Number>,
    /// Distance of two temperatures.
    pub temperature_step: Option<Number>,
    /// Unit of the temperatures, unless a setting of the device decides.
    pub unit: TemperatureUnit,
    /// Least and greatest humidity that can be asked for.
    pub humidity: Option<(Number, Number)>,
    /// It takes a range of temperatures.
    pub has_temperature_range: bool,
    /// It reports what it does.
    pub has_action: bool,
}

impl ClimateState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let is_on = entity.bool(&Role::Power, dps);
        let preset = entity.known_text(&Role::Preset, dps);
        let hvac_mode = match is_on {
            Some(false) => Some(HvacMode::Off),
            _ => mode(entity, dps, is_on, preset.is_some()),
        };
        let (swing_mode, swing_horizontal_mode) = swing(entity, dps);
        Self {
            hvac_mode,
            action: action(entity, dps, hvac_mode),
            target_temperature: entity.number(&Role::TargetTemperature, dps),
            target_temperature_low: entity.number(&Role::TargetTemperatureLow, dps),
            target_temperature_high: entity.number(&Role::TargetTemperatureHigh, dps),
            current_temperature: entity.number(&Role::CurrentTemperature, dps),
            unit: unit(entity, Some(dps)),
            target_humidity: entity.number(&Role::TargetHumidity, dps),
            current_humidity: entity.number(&Role::CurrentHumidity, dps),
            preset,
            fan_mode: fan_mode(entity, dps),
            swing_mode,
            swing_horizontal_mode,
        }
    }
}

impl ClimateCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        let temperature = entity.range(&Role::TargetTemperature);
        let humidity = entity.range(&Role::TargetHumidity);
        let both_ways = both_swings(entity);
        Self {
            hvac_modes: hvac_modes(entity),
            presets: entity.words(&Role::Preset),
            fan_modes: entity.words(&Role::FanSpeed),
            swing_modes: swing_modes(entity),
            swing_horizontal_modes: if both_ways { Vec::new() } else { entity.words(&Role::SwingHorizontal) },
            min_temperature: temperature.as_ref().and_then(|range| range.min),
            max_temperature: temperature.as_ref().and_then(|range| range.max),
            temperature_step: temperature.as_ref().and_then(|range| range.step),
            unit: unit(entity, None),
            humidity: humidity.and_then(|range| range.min.zip(range.max)),
            has_temperature_range: entity.has(&Role::TargetTemperatureLow) && entity.has(&Role::TargetTemperatureHigh),
            has_action: entity.has(&Role::Action),
        }
    }
}

impl ClimateIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        let is_on = self.power.map(|power| plan.resolve_climate(power)).transpose()?;
        match (is_on, self.hvac_mode) {
            (Some(true), Some(HvacMode::Off)) => return Err(IntentError::conflict("on", "mode off")),
            (Some(false), Some(mode)) if mode != HvacMode::Off => return Err(IntentError::conflict("off", "mode")),
            (_, Some(mode)) => set_mode(&mut plan, mode)?,
            (Some(true), None) if self.preset.is_none() && keeps_on(&mut plan)? => {}
            (Some(is_on), None) => switch(&mut plan, is_on)?,
            (None, None) => {}
        }
        if let Some(preset) = &self.preset {
            let dp = plan.entity.channel(&Role::Preset).map(|channel| channel.dp);
            let is_mode = dp.is_some() && dp == plan.entity.channel(&Role::Mode).map(|channel| channel.dp);
            // Off, too, where it is a word of the one DP.
            let is_set = dp.is_some_and(|dp| plan.writes.dps.contains_key(&dp)) && is_on != Some(true);
            if is_mode && (is_set || self.hvac_mode.is_some_and(|mode| mode != HvacMode::Off)) {
                return Err(IntentError::conflict("mode", "preset"));
            }
            plan.set(&Role::Preset, &preset.as_str().into(), "preset")?;
        }
        for (role, number, subject) in [
            (Role::TargetTemperature, self.temperature, "temperature"),
            (Role::TargetTemperatureLow, self.temperature_low, "temperature_low"),
            (Role::TargetTemperatureHigh, self.temperature_high, "temperature_high"),
            (Role::TargetHumidity, self.humidity, "humidity"),
        ] {
            if let Some(number) = number {
                plan.set(&role, &number.into(), subject)?;
            }
        }
        if let Some(mode) = &self.fan_mode {
            let value = worded(plan.entity, &Role::FanSpeed, mode);
            plan.set(&Role::FanSpeed, &value, "fan_mode")?;
        }
        if let Some(mode) = &self.swing_mode {
            set_swing(&mut plan, mode)?;
        }
        if let Some(mode) = &self.swing_horizontal_mode {
            plan.set(
                &Role::SwingHorizontal,
                &worded(plan.entity, &Role::SwingHorizontal, mode),
                "swing_horizontal_mode",
            )?;
        }
        Ok(plan.writes)
    }
}

impl Plan<'_> {
    /// Resolves a toggle of a climate, whose mode may be its switch.
    fn resolve_climate(&self, power: Power) -> Result<bool, IntentError> {
        if power == Power::Toggle && !self.entity.has(&Role::Power) {
            let mode = ClimateState::read(self.entity, self.dps).hvac_mode;
            let is_on = mode.map(|mode| mode != HvacMode::Off);
            return is_on
                .map(|is_on| !is_on)
                .ok_or_else(|| IntentError::UnknownState { entity: self.entity.id.clone() });
        }
        self.resolve(power)
    }
}

fn mode(entity: &Entity, dps: &dyn DpSource, is_on: Option<bool>, has_preset: bool) -> Option<HvacMode> {
    let on_mode = || entity.on_mode.as_deref().and_then(HvacMode::from_name);
    let switched = |is_on: bool| if is_on { on_mode() } else { Some(HvacMode::Off) };
    let Some(channel) = entity.channel(&Role::Mode) else { return is_on.and_then(switched) };
    let reading = channel.read(dps)?;
    match reading.value {
        Value::Text(name) if !reading.is_out_of_spec => HvacMode::from_name(&name),
        // A preset takes the place of a mode in the one DP that has both.
        _ if has_preset => on_mode().or_else(|| hvac_modes(entity).into_iter().find(|mode| *mode != HvacMode::Off)),
        Value::Bool(is_on) => switched(is_on),
        _ => None,
    }
}

/// Returns the modes, `Off` first.
fn hvac_modes(entity: &Entity) -> Vec<HvacMode> {
    let mut modes: Vec<HvacMode> =
        entity.words(&Role::Mode).iter().filter_map(|name| HvacMode::from_name(name)).collect();
    if let Some(mode) = entity.on_mode.as_deref().and_then(HvacMode::from_name) {
        modes.push(mode);
    }
    if entity.has(&Role::Power) {
        modes.push(HvacMode::Off);
    }
    modes.sort_unstable();
    modes.dedup();
    modes
}

fn set_mode(plan: &mut Plan<'_>, mode: HvacMode) -> Result<(), IntentError> {
    let modes = hvac_modes(plan.entity);
    if !modes.contains(&mode) {
        let words = modes.into_iter().map(|mode| mode.as_str().to_owned()).collect();
        return Err(ValueError::new("mode", Limit::Words(words)).into());
    }
    let has_word = plan.entity.words(&Role::Mode).iter().any(|word| word == mode.as_str());
    if mode == HvacMode::Off {
        return switch(plan, false);
    }
    plan.set_power(true)?;
    if has_word { plan.set(&Role::Mode, &mode.as_str().into(), "mode") } else { Ok(()) }
}

/// Writes the present mode or preset once more, if a climate without a switch is on already. Another mode would not be
/// what was asked for.
fn keeps_on(plan: &mut Plan<'_>) -> Result<bool, IntentError> {
    let (entity, dps) = (plan.entity, plan.dps);
    if entity.has(&Role::Power) || !entity.can_set(&Role::Mode) {
        return Ok(false);
    }
    let state = ClimateState::read(entity, dps);
    if state.hvac_mode.is_none_or(|mode| mode == HvacMode::Off) {
        return Ok(false);
    }
    for role in [Role::Mode, Role::Preset] {
        if let Some(word) = entity.known_text(&role, dps) {
            plan.set(&role, &Value::Text(word), "power")?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Switches on in the last mode, or off. Without a switch, the modes are the switch.
fn switch(plan: &mut Plan<'_>, is_on: bool) -> Result<(), IntentError> {
    if plan.entity.has(&Role::Power) {
        return plan.set_power(is_on);
    }
    let modes = hvac_modes(plan.entity);
    let mode = modes.into_iter().find(|mode| (*mode != HvacMode::Off) == is_on);
    match mode {
        Some(mode) => plan.set(&Role::Mode, &mode.as_str().into(), "mode"),
        None => Err(plan.unsupported("power")),
    }
}

fn action(entity: &Entity, dps: &dyn DpSource, mode: Option<HvacMode>) -> Option<Arc<str>> {
    if mode == Some(HvacMode::Off) && entity.has(&Role::Action) {
        return Some("off".into());
    }
    match entity.read(&Role::Action, dps)? {
        Value::Bool(true) => Some(if mode == Some(HvacMode::Cool) { "cooling".into() } else { "heating".into() }),
        Value::Bool(false) => Some("idle".into()),
        Value::Text(text) => Some(text),
        _ => None,
    }
}

/// Returns the unit of the temperatures that the entity itself says.
fn told_unit(entity: &Entity) -> Option<&str> {
    let roles = [Role::TargetTemperature, Role::CurrentTemperature];
    let is_told = |unit: &&str| !unit.is_empty();
    let by_spec = roles.iter().find_map(|role| match entity.channel(role).map(|channel| &channel.codec) {
        Some(Codec::Number(spec)) => Some(spec.unit.as_str()).filter(is_told),
        _ => None,
    });
    by_spec.or(Some(entity.unit.as_str()).filter(is_told))
}

fn unit(entity: &Entity, dps: Option<&dyn DpSource>) -> TemperatureUnit {
    match told_unit(entity) {
        Some("°F") => TemperatureUnit::Fahrenheit,
        Some(_) => TemperatureUnit::Celsius,
        None => match dps.and_then(|dps| entity.text(&Role::TemperatureUnit, dps)) {
            Some(word) if word.contains(['f', 'F']) => TemperatureUnit::Fahrenheit,
            _ => TemperatureUnit::Celsius,
        },
    }
}

impl Entity {
    /// Returns the unit in which a climate takes temperatures; `°` if a setting of the device decides.
    pub(super) fn degrees(&self) -> &'static str {
        match told_unit(self) {
            None if self.has(&Role::TemperatureUnit) => "°",
            _ => unit(self, None).as_str(),
        }
    }
}

fn fan_mode(entity: &Entity, dps: &dyn DpSource) -> Option<Arc<str>> {
    Some(match entity.read(&Role::FanSpeed, dps)? {
        Value::Text(text) => text,
        Value::Number(number) => number.to_string().into(),
        Value::Bool(is_on) => {
            if is_on {
                "on".into()
            } else {
                "off".into()
            }
        }
        _ => return None,
    })
}

/// Turns a word into the value that the codec of a role takes: `on` and `off` of booleans, numbers of numbers.
fn worded(entity: &Entity, role: &Role, word: &str) -> Value {
    if entity.is_bool(role) && (word == "on" || word == "off") {
        return Value::Bool(word == "on");
    }
    match entity.range(role) {
        Some(_) if !entity.has_words(role) => word.parse().map_or_else(|_| word.into(), Value::Number),
        _ => word.into(),
    }
}

/// Returns whether the device has one switch for either way, without words.
fn both_swings(entity: &Entity) -> bool {
    let ways = [Role::SwingHorizontal, Role::SwingVertical];
    let mut ways = ways.iter().filter(|way| entity.has(way)).peekable();
    !entity.has(&Role::Swing) && ways.peek().is_some() && ways.all(|way| entity.is_bool(way))
}

fn swing_modes(entity: &Entity) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    if both_swings(entity) {
        return match (entity.has(&Role::SwingHorizontal), entity.has(&Role::SwingVertical)) {
            (true, true) => words(&["off", "horizontal", "vertical", "both"]),
            (true, false) => words(&["off", "horizontal"]),
            _ => words(&["off", "vertical"]),
        };
    }
    let role = if entity.has(&Role::Swing) { Role::Swing } else { Role::SwingVertical };
    if entity.is_bool(&role) { words(&["off", "on"]) } else { entity.words(&role) }
}

fn swing(entity: &Entity, dps: &dyn DpSource) -> (Option<Arc<str>>, Option<Arc<str>>) {
    if both_swings(entity) {
        let (horizontal, vertical) = (entity.bool(&Role::SwingHorizontal, dps), entity.bool(&Role::SwingVertical, dps));
        let mode = match (horizontal, vertical) {
            (None, None) => return (None, None),
            (Some(true), Some(true)) => "both",
            (Some(true), _) => "horizontal",
            (_, Some(true)) => "vertical",
            _ => "off",
        };
        return (Some(mode.into()), None);
    }
    let role = if entity.has(&Role::Swing) { Role::Swing } else { Role::SwingVertical };
    let word = |role: &Role| {
        Some(match entity.read(role, dps)? {
            Value::Text(text) => text,
            Value::Bool(is_on) => {
                if is_on {
                    "on".into()
                } else {
                    "off".into()
                }
            }
            _ => return None,
        })
    };
    (word(&role), word(&Role::SwingHorizontal))
}

fn set_swing(plan: &mut Plan<'_>, mode: &str) -> Result<(), IntentError> {
    let modes = swing_modes(plan.entity);
    if !both_swings(plan.entity) {
        let role = if plan.entity.has(&Role::Swing) { Role::Swing } else { Role::SwingVertical };
        let value = worded(plan.entity, &role, mode);
        return plan.set(&role, &value, "swing_mode");
    }
    let Some(mode) = modes.iter().find(|word| word.eq_ignore_ascii_case(mode)) else {
        return Err(ValueError::new("swing_mode", Limit::Words(modes)).into());
    };
    for (role, own) in [(Role::SwingHorizontal, "horizontal"), (Role::SwingVertical, "vertical")] {
        if plan.entity.has(&role) {
            plan.set(&role, &(mode == own || mode == "both").into(), "swing_mode")?;
        }
    }
    Ok(())
}
