//! Fans and humidifiers.

use std::sync::Arc;

use super::access::Plan;
use super::{IntentError, Power};
use crate::entity::{Codec, Entity, Role};
use crate::value::{DpSource, Limit, Number, ValueError, Writes};

/// State of a fan.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct FanState {
    /// On or off.
    pub is_on: Option<bool>,
    /// Speed in percent, 1 to 100.
    pub percentage: Option<u8>,
    /// Preset: the mode of the fan, or its speed where that is one of words without an order.
    pub preset: Option<Arc<str>>,
    /// It oscillates.
    pub is_oscillating: Option<bool>,
    /// `forward` or `reverse`.
    pub direction: Option<Arc<str>>,
}

/// Intent of a user for a fan. Everything but `power: Off` also switches it on, except for the oscillation and the
/// direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FanIntent {
    /// On, off, the other of both.
    pub power: Option<Power>,
    /// Speed in percent; 0 is off.
    pub percentage: Option<u8>,
    /// Preset.
    pub preset: Option<String>,
    /// Oscillation.
    pub oscillate: Option<bool>,
    /// `forward` or `reverse`.
    pub direction: Option<String>,
}

/// Capabilities of a fan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FanCapabilities {
    /// Number of speeds; `None` if its speed is not set in percent.
    pub speed_count: Option<u32>,
    /// Presets.
    pub presets: Vec<String>,
    /// It oscillates.
    pub can_oscillate: bool,
    /// Directions.
    pub directions: Vec<String>,
}

/// State of a humidifier or dehumidifier.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HumidifierState {
    /// On or off.
    pub is_on: Option<bool>,
    /// Humidity that is asked for, in percent.
    pub target_humidity: Option<Number>,
    /// Humidity as it is, in percent.
    pub current_humidity: Option<Number>,
    /// Mode.
    pub mode: Option<Arc<str>>,
    /// Present action.
    pub action: Option<Arc<str>>,
}

/// Intent of a user for a humidifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HumidifierIntent {
    /// On, off, the other of both.
    pub power: Option<Power>,
    /// Humidity in percent.
    pub humidity: Option<Number>,
    /// Mode.
    pub mode: Option<String>,
}

/// Capabilities of a humidifier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HumidifierCapabilities {
    /// Least humidity that can be asked for.
    pub min_humidity: Option<Number>,
    /// Greatest humidity that can be asked for.
    pub max_humidity: Option<Number>,
    /// Modes.
    pub modes: Vec<String>,
}

impl FanState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let preset = [Role::Preset, Role::Mode].iter().find_map(|role| entity.text(role, dps));
        let by_speed = || entity.text(&Role::FanSpeed, dps);
        Self {
            is_on: entity.bool(&Role::Power, dps),
            percentage: percentage(entity, dps),
            preset: preset.or_else(by_speed),
            is_oscillating: entity.bool(&Role::Oscillate, dps),
            direction: entity.text(&Role::Direction, dps),
        }
    }
}

impl FanCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        let speed_count = match speed_codec(entity) {
            Some(Codec::Percent { spec, .. }) => spec.min.zip(spec.max).and_then(|(min, max)| {
                let step = spec.step.max(1);
                // The range may begin at standing still.
                let first = if min == 0 { step } else { min };
                u32::try_from(max.checked_sub(first)?.checked_div(step)?.checked_add(1)?).ok()
            }),
            Some(Codec::Steps { range }) => u32::try_from(range.len()).ok(),
            #[cfg(feature = "profiles")]
            Some(Codec::Rules(rules)) => rules.speed_count(),
            _ => None,
        };
        let mut presets = entity.words(&preset_role(entity));
        if presets.is_empty() && speed_count.is_none() {
            presets = entity.words(&Role::FanSpeed);
        }
        Self {
            speed_count,
            presets,
            can_oscillate: entity.can_set(&Role::Oscillate),
            directions: entity.words(&Role::Direction),
        }
    }
}

impl FanIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        let is_off = self.percentage == Some(0);
        let power = match self.power {
            Some(power) => Some(plan.resolve(power)?),
            None if is_off => Some(false),
            None => (self.percentage.is_some() || self.preset.is_some()).then_some(true),
        };
        match (power, self.percentage) {
            (Some(true), Some(0)) if self.power.is_some() => return Err(IntentError::conflict("on", "speed 0 %")),
            (Some(false), Some(1..)) => return Err(IntentError::conflict("off", "speed")),
            _ => {}
        }
        if let Some(is_on) = power {
            if !plan.entity.has(&Role::Power) && (self.power.is_some() || is_off) {
                return Err(plan.unsupported("power"));
            }
            plan.set_power(is_on)?;
        }
        if let Some(percent) = self.percentage.filter(|percent| *percent > 0) {
            set_percentage(&mut plan, percent)?;
        }
        if let Some(preset) = &self.preset {
            let own = preset_role(plan.entity);
            let role = if plan.entity.has(&own) { own } else { Role::FanSpeed };
            plan.set(&role, &preset.as_str().into(), "preset")?;
        }
        if let Some(is_oscillating) = self.oscillate {
            let value = match plan.entity.has_words(&Role::Oscillate) {
                true => if is_oscillating { "on" } else { "off" }.into(),
                false => is_oscillating.into(),
            };
            plan.set(&Role::Oscillate, &value, "oscillate")?;
        }
        if let Some(direction) = &self.direction {
            plan.set(&Role::Direction, &direction.as_str().into(), "direction")?;
        }
        Ok(plan.writes)
    }
}

impl HumidifierState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        Self {
            is_on: entity.bool(&Role::Power, dps),
            target_humidity: entity.number(&Role::TargetHumidity, dps),
            current_humidity: entity.number(&Role::CurrentHumidity, dps),
            mode: entity.text(&Role::Mode, dps),
            action: entity.text(&Role::Action, dps),
        }
    }
}

impl HumidifierCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        let range = entity.range(&Role::TargetHumidity);
        Self {
            min_humidity: range.as_ref().and_then(|range| range.min),
            max_humidity: range.as_ref().and_then(|range| range.max),
            modes: entity.words(&Role::Mode),
        }
    }
}

impl HumidifierIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        if let Some(power) = self.power {
            let is_on = plan.resolve(power)?;
            if !plan.entity.has(&Role::Power) {
                return Err(plan.unsupported("power"));
            }
            plan.set_power(is_on)?;
        }
        if let Some(humidity) = self.humidity {
            plan.set(&Role::TargetHumidity, &humidity.into(), "humidity")?;
        }
        if let Some(mode) = &self.mode {
            plan.set(&Role::Mode, &mode.as_str().into(), "mode")?;
        }
        Ok(plan.writes)
    }
}

fn speed_codec(entity: &Entity) -> Option<&Codec> {
    entity.channel(&Role::FanSpeed).map(|channel| &channel.codec)
}

fn preset_role(entity: &Entity) -> Role {
    if entity.has(&Role::Preset) { Role::Preset } else { Role::Mode }
}

fn percentage(entity: &Entity, dps: &dyn DpSource) -> Option<u8> {
    let percent = entity.number(&Role::FanSpeed, dps)?.rounded(0)?;
    // The lowest speed of a range that begins above 0 is not standing still.
    let least = match speed_codec(entity) {
        Some(Codec::Percent { spec, .. }) => i64::from(spec.min.is_some_and(|min| min > 0)),
        _ => 0,
    };
    u8::try_from(percent.clamp(least, 100)).ok()
}

fn set_percentage(plan: &mut Plan<'_>, percent: u8) -> Result<(), IntentError> {
    if percent > 100 {
        return Err(ValueError::new("speed", Limit::range(0, 100, "%")).into());
    }
    plan.set(&Role::FanSpeed, &Number::from(percent).into(), "speed")
}
