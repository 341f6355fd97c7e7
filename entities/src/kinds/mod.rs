//! States of entities, and intents: what a user wants an entity to do.

mod access;
mod assign;
mod climate;
mod cover;
mod describe;
mod error;
mod fan;
mod level;
mod light;
mod merge;
mod parse;
mod security;
mod setters;
mod simple;
mod vacuum;

pub use assign::{assign, assignable};
pub use climate::{ClimateCapabilities, ClimateIntent, ClimateState, HvacMode, TemperatureUnit};
pub use cover::{CoverCapabilities, CoverIntent, CoverState, Movement, ValveIntent, ValveState};
pub use describe::StateEntry;
pub use error::IntentError;
pub use fan::{FanCapabilities, FanIntent, FanState, HumidifierCapabilities, HumidifierIntent, HumidifierState};
pub use level::Level;
pub use light::{ColorMode, LightCapabilities, LightIntent, LightState};
pub use security::{
    AlarmIntent, AlarmMode, AlarmState, EventState, LockState, SirenCapabilities, SirenIntent, SirenState, Unlocked,
};
pub use simple::NumberCapabilities;
pub use vacuum::{Activity, VacuumCapabilities, VacuumIntent, VacuumState};

use crate::entity::{Entity, EntityKind, Role};
use crate::value::{DpSource, Number, Reading, Writes};
use access::Plan;

/// State of an entity, as far as the DPs say: a message of the device has a part of them, its kept state all.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EntityState {
    /// An alarm.
    Alarm(AlarmState),
    /// A climate.
    Climate(ClimateState),
    /// A cover.
    Cover(CoverState),
    /// An event: the one that the message reports.
    Event(EventState),
    /// A fan.
    Fan(FanState),
    /// A humidifier.
    Humidifier(HumidifierState),
    /// A light.
    Light(LightState),
    /// A lock.
    Lock(LockState),
    /// A siren.
    Siren(SirenState),
    /// A vacuum robot.
    Vacuum(VacuumState),
    /// A valve.
    Valve(ValveState),
    /// The one value of a binary sensor, button, number, select, sensor, switch or text.
    Value(Option<Reading>),
}

/// Intent of a user for an entity.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Intent {
    /// For an alarm.
    Alarm(AlarmIntent),
    /// For a climate.
    Climate(ClimateIntent),
    /// For a cover.
    Cover(CoverIntent),
    /// For a fan.
    Fan(FanIntent),
    /// For a humidifier.
    Humidifier(HumidifierIntent),
    /// For a light.
    Light(LightIntent),
    /// For a number: the number in its unit.
    Number(Number),
    /// For a button.
    Press,
    /// For a select: one of its words.
    Select(String),
    /// For a siren.
    Siren(SirenIntent),
    /// For a switch, and for every other entity that is switched.
    Switch(Power),
    /// For a text.
    Text(String),
    /// For a vacuum robot.
    Vacuum(VacuumIntent),
    /// For a valve.
    Valve(ValveIntent),
}

/// Switching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a switch has two states")]
pub enum Power {
    /// On.
    On,
    /// Off.
    Off,
    /// On if it is off, off if it is on.
    Toggle,
}

impl From<bool> for Power {
    fn from(is_on: bool) -> Self {
        if is_on { Self::On } else { Self::Off }
    }
}

/// Capabilities of an entity.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Capabilities {
    /// An alarm: the modes that can be set.
    Alarm(Vec<AlarmMode>),
    /// A climate.
    Climate(ClimateCapabilities),
    /// A cover or a valve.
    Cover(CoverCapabilities),
    /// An event: its types.
    Event(Vec<String>),
    /// A fan.
    Fan(FanCapabilities),
    /// A humidifier.
    Humidifier(HumidifierCapabilities),
    /// A light.
    Light(LightCapabilities),
    /// A number, or a sensor of numbers.
    Number(NumberCapabilities),
    /// A select, or a sensor of words: the words.
    Words(Vec<String>),
    /// A text: most characters.
    Text(Option<u32>),
    /// A siren.
    Siren(SirenCapabilities),
    /// A vacuum robot.
    Vacuum(VacuumCapabilities),
    /// Nothing that differs from others of its kind.
    None,
}

impl Entity {
    /// Returns the state of the entity. What the source does not have is `None` in it.
    pub fn state(&self, dps: &dyn DpSource) -> EntityState {
        match self.kind {
            EntityKind::Alarm => EntityState::Alarm(AlarmState::read(self, dps)),
            EntityKind::Climate => EntityState::Climate(ClimateState::read(self, dps)),
            EntityKind::Cover => EntityState::Cover(CoverState::read(self, dps)),
            EntityKind::Event => EntityState::Event(EventState::read(self, dps)),
            EntityKind::Fan => EntityState::Fan(FanState::read(self, dps)),
            EntityKind::Humidifier => EntityState::Humidifier(HumidifierState::read(self, dps)),
            EntityKind::Light => EntityState::Light(LightState::read(self, dps)),
            EntityKind::Lock => EntityState::Lock(LockState::read(self, dps)),
            EntityKind::Siren => EntityState::Siren(SirenState::read(self, dps)),
            EntityKind::Vacuum => EntityState::Vacuum(VacuumState::read(self, dps)),
            EntityKind::Valve => EntityState::Valve(ValveState::read(self, dps)),
            EntityKind::BinarySensor
            | EntityKind::Button
            | EntityKind::Number
            | EntityKind::Select
            | EntityKind::Sensor
            | EntityKind::Switch
            | EntityKind::Text => EntityState::Value(self.value(dps)),
        }
    }

    /// Turns an intent into the DPs to be written with one command. The present DPs decide on what the intent leaves
    /// open: the mode of a light whose brightness is set, the form of a color, the direction of a toggle.
    ///
    /// # Errors
    /// Says what the entity takes instead.
    pub fn apply(&self, intent: &Intent, dps: &dyn DpSource) -> Result<Writes, IntentError> {
        let writes = self.planned(intent, dps)?;
        // A climate without a switch is always in its one mode.
        if writes.dps.is_empty() {
            return Err(Plan::new(self, dps).unsupported("DP for this"));
        }
        Ok(writes)
    }

    fn planned(&self, intent: &Intent, dps: &dyn DpSource) -> Result<Writes, IntentError> {
        let mut plan = Plan::new(self, dps);
        let kind = match (intent, self.kind) {
            (_, EntityKind::Lock | EntityKind::BinarySensor | EntityKind::Sensor | EntityKind::Event) => {
                return Err(IntentError::ReadOnly { entity: self.id.clone() });
            }
            (Intent::Switch(power), EntityKind::Climate) if !self.can_set(&Role::Power) => {
                return ClimateIntent::default().with_power(*power).apply(plan);
            }
            (Intent::Switch(power), EntityKind::Light) if !self.can_set(&Role::Power) => {
                return LightIntent::default().with_power(*power).apply(plan);
            }
            (Intent::Switch(power), _) => return plan.switched(*power),
            (Intent::Alarm(intent), EntityKind::Alarm) => return intent.apply(plan),
            (Intent::Climate(intent), EntityKind::Climate) => return intent.apply(plan),
            (Intent::Cover(intent), EntityKind::Cover) => return intent.apply(plan),
            (Intent::Fan(intent), EntityKind::Fan) => return intent.apply(plan),
            (Intent::Humidifier(intent), EntityKind::Humidifier) => return intent.apply(plan),
            (Intent::Light(intent), EntityKind::Light) => return intent.apply(plan),
            (Intent::Siren(intent), EntityKind::Siren) => return intent.apply(plan),
            (Intent::Vacuum(intent), EntityKind::Vacuum) => return intent.apply(plan),
            (Intent::Valve(intent), EntityKind::Valve) => return intent.apply(plan),
            (Intent::Number(number), EntityKind::Number) => {
                plan.set(&Role::Value, &(*number).into(), &self.id)?;
                return Ok(plan.writes);
            }
            (Intent::Select(text), EntityKind::Select) | (Intent::Text(text), EntityKind::Text) => {
                plan.set(&Role::Value, &text.as_str().into(), &self.id)?;
                return Ok(plan.writes);
            }
            (Intent::Press, EntityKind::Button) => return plan.pressed(),
            (Intent::Alarm(_), _) => "alarm",
            (Intent::Climate(_), _) => "climate",
            (Intent::Cover(_), _) => "cover",
            (Intent::Fan(_), _) => "fan",
            (Intent::Humidifier(_), _) => "humidifier",
            (Intent::Light(_), _) => "light",
            (Intent::Number(_), _) => "number",
            (Intent::Press, _) => "button",
            (Intent::Select(_), _) => "select",
            (Intent::Siren(_), _) => "siren",
            (Intent::Text(_), _) => "text",
            (Intent::Vacuum(_), _) => "vacuum",
            (Intent::Valve(_), _) => "valve",
        };
        Err(IntentError::WrongKind { entity: self.id.clone(), kind })
    }

    /// Returns what the entity can do: modes, ranges, words.
    pub fn capabilities(&self) -> Capabilities {
        match self.kind {
            EntityKind::Alarm => Capabilities::Alarm(AlarmMode::all_of(self)),
            EntityKind::Climate => Capabilities::Climate(ClimateCapabilities::of(self)),
            EntityKind::Cover | EntityKind::Valve => Capabilities::Cover(CoverCapabilities::of(self)),
            EntityKind::Event => Capabilities::Event(self.words(&Role::Value)),
            EntityKind::Fan => Capabilities::Fan(FanCapabilities::of(self)),
            EntityKind::Humidifier => Capabilities::Humidifier(HumidifierCapabilities::of(self)),
            EntityKind::Light => Capabilities::Light(LightCapabilities::of(self)),
            EntityKind::Siren => Capabilities::Siren(SirenCapabilities::of(self)),
            EntityKind::Vacuum => Capabilities::Vacuum(VacuumCapabilities::of(self)),
            EntityKind::Number | EntityKind::Select | EntityKind::Sensor | EntityKind::Text => {
                simple::capabilities(self)
            }
            EntityKind::BinarySensor | EntityKind::Button | EntityKind::Lock | EntityKind::Switch => Capabilities::None,
        }
    }
}

#[cfg(test)]
mod tests;
