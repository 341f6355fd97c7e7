//! Alarms, events, locks and sirens.

use std::sync::Arc;

use super::access::Plan;
use super::{IntentError, Power};
use crate::entity::{Entity, Role};
use crate::value::{DpSource, Number, Value, Writes};

/// State of an alarm.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AlarmState {
    /// Mode that is set.
    pub mode: Option<AlarmMode>,
    /// It was triggered. A low battery of a sensor is reported in the same way and is none.
    pub is_triggered: Option<bool>,
    /// Message of the host about it.
    pub message: Option<Arc<str>>,
}

/// Mode of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own name")]
pub enum AlarmMode {
    Disarmed,
    ArmedAway,
    ArmedHome,
    /// The alarm itself, by hand.
    Triggered,
}

impl AlarmMode {
    /// Returns Home Assistant's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disarmed => "disarmed",
            Self::ArmedAway => "armed_away",
            Self::ArmedHome => "armed_home",
            Self::Triggered => "triggered",
        }
    }

    /// Reads Home Assistant's name, or a device's word.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "disarmed" | "disarm" => Self::Disarmed,
            "arm" | "armed_away" | "arm_away" | "away" => Self::ArmedAway,
            "home" | "armed_home" | "arm_home" => Self::ArmedHome,
            "sos" | "triggered" | "trigger" => Self::Triggered,
            _ => return None,
        })
    }

    pub(super) fn all_of(entity: &Entity) -> Vec<Self> {
        entity.words(&mode_role(entity)).iter().filter_map(|word| Self::from_word(word)).collect()
    }
}

/// Intent of a user for an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "an alarm has a mode and nothing else")]
pub struct AlarmIntent(
    /// Mode.
    pub AlarmMode,
);

/// An event.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct EventState {
    /// Its type, such as `click`; `None` if the message reports none. A kept state repeats the last one.
    pub event_type: Option<Arc<str>>,
}

/// State of a lock. Locks are only reported.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct LockState {
    /// Locked or unlocked.
    pub is_locked: Option<bool>,
    /// Users who unlocked it, as the message reports.
    pub unlocked_by: Vec<Unlocked>,
}

/// An unlocking of a lock.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Unlocked {
    /// Way: `fingerprint`, `card`, `app`.
    pub by: String,
    /// Number of the user.
    pub user: Number,
}

/// State of a siren.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SirenState {
    /// It sounds.
    pub is_on: Option<bool>,
    /// Tone.
    pub tone: Option<Arc<str>>,
    /// Volume: a number, or a word of the device.
    pub volume: Option<Value>,
    /// Duration in the unit of the device, mostly seconds.
    pub duration: Option<Number>,
}

/// Intent of a user for a siren.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SirenIntent {
    /// On, off, the other of both.
    pub power: Option<Power>,
    /// Tone.
    pub tone: Option<String>,
    /// Volume: a number, or a word of the device.
    pub volume: Option<Value>,
    /// Duration.
    pub duration: Option<Number>,
}

/// Capabilities of a siren.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SirenCapabilities {
    /// Tones.
    pub tones: Vec<String>,
    /// Volumes, if they are words.
    pub volumes: Vec<String>,
    /// Its volume can be set.
    pub can_set_volume: bool,
    /// Its duration can be set.
    pub can_set_duration: bool,
}

fn mode_role(entity: &Entity) -> Role {
    if entity.has(&Role::Mode) { Role::Mode } else { Role::Value }
}

impl AlarmState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let mode = entity.text(&mode_role(entity), dps).and_then(|word| AlarmMode::from_word(&word));
        let message = entity.text(&Role::AlarmMessage, dps);
        let alarms = match entity.read(&Role::AlarmState, dps) {
            Some(Value::Bool(alarms)) => Some(alarms),
            Some(Value::Text(word)) => Some(matches!(&*word, "alarm" | "triggered")),
            _ => None,
        };
        let is_battery = message.as_deref().is_some_and(|text| text.contains("Sensor Low Battery"));
        let by_mode = (mode == Some(AlarmMode::Triggered)).then_some(true);
        Self { mode, is_triggered: alarms.map(|alarms| alarms && !is_battery).or(by_mode), message }
    }
}

impl AlarmIntent {
    pub(super) fn apply(self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        let role = mode_role(plan.entity);
        let words = plan.entity.words(&role);
        let word = words.into_iter().find(|word| AlarmMode::from_word(word) == Some(self.0));
        let word = word.ok_or_else(|| plan.unsupported(self.0.as_str()))?;
        plan.set(&role, &word.as_str().into(), "mode")?;
        Ok(plan.writes)
    }
}

impl EventState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let event_type = match entity.value(dps).map(|reading| reading.value) {
            Some(Value::Text(word)) => Some(word),
            Some(Value::Bool(true)) => Some("on".into()),
            Some(Value::Number(number)) => Some(number.to_string().into()),
            _ => None,
        };
        Self { event_type }
    }
}

impl LockState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let is_locked = [Role::IsLocked, Role::Value].iter().find_map(|role| match entity.read(role, dps)? {
            Value::Bool(is_locked) => Some(is_locked),
            Value::Text(word) => match &*word {
                "locked" | "lock" => Some(true),
                "unlocked" | "unlock" => Some(false),
                _ => None,
            },
            _ => None,
        });
        let ways = entity.channels.iter().filter_map(|(role, channel)| match role {
            Role::UnlockedBy(by) => Some((by, channel)),
            _ => None,
        });
        let unlocked_by = ways
            .filter_map(|(by, channel)| match channel.read(dps)?.value {
                Value::Number(user) => Some(Unlocked { by: by.clone(), user }),
                _ => None,
            })
            .collect();
        Self { is_locked, unlocked_by }
    }
}

fn switch_role(entity: &Entity) -> Role {
    if entity.has(&Role::Power) { Role::Power } else { Role::Value }
}

impl SirenState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        Self {
            is_on: entity.bool(&switch_role(entity), dps),
            tone: entity.text(&Role::Tone, dps),
            volume: entity.read(&Role::Volume, dps),
            duration: entity.number(&Role::Duration, dps),
        }
    }
}

impl SirenCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        Self {
            tones: entity.words(&Role::Tone),
            volumes: entity.words(&Role::Volume),
            can_set_volume: entity.can_set(&Role::Volume),
            can_set_duration: entity.can_set(&Role::Duration),
        }
    }
}

impl SirenIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        if let Some(power) = self.power {
            let is_on = plan.resolve(power)?;
            plan.set(&switch_role(plan.entity), &is_on.into(), "power")?;
        }
        if let Some(tone) = &self.tone {
            plan.set(&Role::Tone, &tone.as_str().into(), "tone")?;
        }
        if let Some(volume) = &self.volume {
            plan.set(&Role::Volume, volume, "volume")?;
        }
        if let Some(duration) = self.duration {
            plan.set(&Role::Duration, &duration.into(), "duration")?;
        }
        Ok(plan.writes)
    }
}
