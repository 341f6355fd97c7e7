//! Vacuum robots.

use std::sync::Arc;

use super::IntentError;
use super::access::Plan;
use crate::entity::{Entity, Role};
use crate::value::{DpSource, Number, Value, Writes};

/// State of a vacuum robot.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct VacuumState {
    /// Present activity.
    pub activity: Option<Activity>,
    /// The device's own word for that.
    pub status: Option<Arc<str>>,
    /// Suction.
    pub fan_speed: Option<Arc<str>>,
    /// Battery in percent.
    pub battery: Option<Number>,
    /// Faults.
    pub faults: Vec<String>,
}

/// Activity of a vacuum robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Activity {
    Cleaning,
    Docked,
    Returning,
    Idle,
    Paused,
    Error,
}

impl Activity {
    /// Returns Home Assistant's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cleaning => "cleaning",
            Self::Docked => "docked",
            Self::Returning => "returning",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Error => "error",
        }
    }

    /// Reads a device's word.
    pub fn from_status(status: &str) -> Option<Self> {
        Some(match status {
            "cleaning" | "goto_pos" | "mop_clean" | "part_clean" | "pick_zone_clean" | "pos_arrived"
            | "pos_unarrive" | "random" | "smart" | "smart_clean" | "spot_clean" | "wall_clean" | "wall_follow"
            | "zone_clean" => Self::Cleaning,
            "charging" | "chargego" | "charge_done" | "chargecompleted" | "docked" => Self::Docked,
            "docking" | "goto_charge" | "returning" => Self::Returning,
            "standby" | "sleep" | "idle" => Self::Idle,
            "paused" | "pause" => Self::Paused,
            "error" | "fault" => Self::Error,
            _ => return None,
        })
    }
}

/// Intent of a user for a vacuum robot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VacuumIntent {
    /// Clean, or go on.
    Start,
    /// Wait.
    Pause,
    /// Stop.
    Stop,
    /// Go back to the dock.
    ReturnToBase,
    /// Make itself heard.
    Locate,
    /// Suction, by a word of the device.
    FanSpeed(String),
    /// A mode, by a word of the device.
    Mode(String),
}

/// Capabilities of a vacuum robot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VacuumCapabilities {
    /// It starts and stops.
    pub can_start: bool,
    /// It pauses.
    pub can_pause: bool,
    /// It goes back to the dock.
    pub can_return: bool,
    /// It makes itself heard.
    pub can_locate: bool,
    /// Suctions.
    pub fan_speeds: Vec<String>,
    /// Modes.
    pub modes: Vec<String>,
}

impl VacuumState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let status = entity.text(&Role::Status, dps);
        let faults = match entity.read(&Role::Fault, dps) {
            Some(Value::Labels(labels)) => labels,
            Some(Value::Bool(true)) => vec!["fault".to_owned()],
            _ => Vec::new(),
        };
        let by_status = status.as_deref().and_then(Activity::from_status);
        let is_paused = entity.bool(&Role::Pause, dps) == Some(true);
        let activity = match by_status {
            Some(Activity::Cleaning) if is_paused => Some(Activity::Paused),
            None if !faults.is_empty() => Some(Activity::Error),
            found => found,
        };
        Self {
            activity,
            status,
            fan_speed: entity.text(&Role::FanSpeed, dps),
            battery: entity.number(&Role::Battery, dps),
            faults,
        }
    }
}

impl VacuumCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        Self {
            can_start: switch_role(entity).is_some() || has_word(entity, &Role::Command, START).is_some(),
            can_pause: entity.can_set(&Role::Pause)
                || switch_role(entity).is_some()
                || has_word(entity, &Role::Command, PAUSE).is_some(),
            can_return: entity.can_set(&Role::Dock)
                || has_word(entity, &Role::Command, RETURN).is_some()
                || has_word(entity, &Role::Mode, RETURN).is_some(),
            can_locate: entity.can_set(&Role::Locate),
            fan_speeds: entity.words(&Role::FanSpeed),
            modes: entity.words(&Role::Mode),
        }
    }
}

const START: &[&str] = &["start", "clean", "smart", "smart_clean"];
const PAUSE: &[&str] = &["pause", "paused"];
const STOP: &[&str] = &["stop", "standby"];
const RETURN: &[&str] = &["return_to_base", "chargego", "return_home", "charge", "docking"];

impl VacuumIntent {
    pub(super) fn apply(&self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        let entity = plan.entity;
        match self {
            Self::Start => {
                if plan.entity.can_set(&Role::Pause) && entity.bool(&Role::Pause, plan.dps) == Some(true) {
                    plan.set(&Role::Pause, &false.into(), "start")?;
                }
                switch_or_command(&mut plan, true, START, "start")?;
            }
            Self::Pause if entity.can_set(&Role::Pause) => plan.set(&Role::Pause, &true.into(), "pause")?,
            Self::Pause => switch_or_command(&mut plan, false, PAUSE, "pause")?,
            Self::Stop => switch_or_command(&mut plan, false, STOP, "stop")?,
            Self::ReturnToBase => {
                if entity.can_set(&Role::Dock) {
                    plan.set(&Role::Dock, &true.into(), "return_to_base")?;
                } else {
                    let word = [Role::Command, Role::Mode]
                        .into_iter()
                        .find_map(|role| has_word(entity, &role, RETURN).map(|word| (role, word)));
                    let (role, word) = word.ok_or_else(|| plan.unsupported("return_to_base"))?;
                    plan.set(&role, &word.as_str().into(), "return_to_base")?;
                }
            }
            Self::Locate => plan.set(&Role::Locate, &true.into(), "locate")?,
            Self::FanSpeed(word) => plan.set(&Role::FanSpeed, &word.as_str().into(), "fan_speed")?,
            Self::Mode(word) => plan.set(&Role::Mode, &word.as_str().into(), "mode")?,
        }
        Ok(plan.writes)
    }
}

/// Returns the switch that starts and stops the robot.
fn switch_role(entity: &Entity) -> Option<Role> {
    // Beside a command to clean, the switch is that of the whole device.
    [Role::Command, Role::Power].into_iter().find(|role| entity.can_set(role) && entity.is_bool(role))
}

fn has_word(entity: &Entity, role: &Role, words: &[&str]) -> Option<String> {
    entity.words(role).into_iter().find(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

fn switch_or_command(plan: &mut Plan<'_>, is_on: bool, words: &[&str], subject: &str) -> Result<(), IntentError> {
    let word = has_word(plan.entity, &Role::Command, words);
    match (word, switch_role(plan.entity)) {
        (Some(word), _) => plan.set(&Role::Command, &word.as_str().into(), subject),
        (None, Some(role)) => plan.set(&role, &is_on.into(), subject),
        (None, None) => Err(plan.unsupported(subject)),
    }
}
