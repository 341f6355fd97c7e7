//! Covers and valves.

use super::access::Plan;
use super::{IntentError, Power};
use crate::entity::{Entity, Role};
use crate::value::{DpSource, Limit, Number, Value, ValueError, Writes};

/// State of a cover. Positions are in percent; 100 is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoverState {
    /// Position as it is, or that is asked for where the device reports no other.
    pub position: Option<u8>,
    /// Tilt.
    pub tilt: Option<u8>,
    /// Movement, if the device reports it.
    pub movement: Option<Movement>,
    /// Closed, as a contact or the position says.
    pub is_closed: Option<bool>,
}

/// Movement of a cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own name")]
pub enum Movement {
    Opening,
    Closing,
    Stopped,
}

/// Intent of a user for a cover. Positions are in percent; 100 is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoverIntent {
    /// Open.
    Open,
    /// Close.
    Close,
    /// Stop.
    Stop,
    /// Go on after a stop.
    Continue,
    /// Open if it is closed, close if it is open.
    Toggle,
    /// Go to a position.
    Position(u8),
    /// Tilt.
    Tilt(u8),
}

/// Capabilities of a cover or a valve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CoverCapabilities {
    /// It opens and closes by command.
    pub can_open: bool,
    /// It stops.
    pub can_stop: bool,
    /// It goes to a position.
    pub can_set_position: bool,
    /// It reports a position.
    pub has_position: bool,
    /// It tilts.
    pub can_tilt: bool,
}

/// State of a valve.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValveState {
    /// Open or closed.
    pub is_open: Option<bool>,
    /// Position in percent; 100 is open.
    pub position: Option<u8>,
}

/// Intent of a user for a valve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValveIntent {
    /// Open.
    Open,
    /// Close.
    Close,
    /// The other of both.
    Toggle,
    /// Go to a position in percent; 100 is open.
    Position(u8),
}

/// Words of one family of commands. Devices have one of eight families; booleans are one more.
struct Family {
    open: &'static str,
    close: &'static str,
    stop: Option<&'static str>,
    go_on: Option<&'static str>,
}

const FAMILIES: [Family; 7] = [
    Family { open: "open", close: "close", stop: Some("stop"), go_on: Some("continue") },
    Family { open: "fopen", close: "fclose", stop: None, go_on: None },
    Family { open: "on", close: "off", stop: Some("stop"), go_on: None },
    Family { open: "up", close: "down", stop: Some("stop"), go_on: None },
    // Of codes such as `mach_operate`: the motor's sense of rotation, where forward closes.
    Family { open: "FZ", close: "ZZ", stop: Some("STOP"), go_on: None },
    Family { open: "1", close: "2", stop: Some("0"), go_on: None },
    Family { open: "01", close: "02", stop: Some("00"), go_on: Some("03") },
];

impl Family {
    fn words(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.open), Some(self.close), self.stop, self.go_on].into_iter().flatten()
    }

    /// Returns the family of a device by the words of its enum, else by the word that it reports.
    fn of(words: &[String], present: Option<&str>) -> &'static Self {
        let by_words = FAMILIES.iter().find(|family| {
            words.iter().any(|word| word == family.open) && words.iter().any(|word| word == family.close)
        });
        let by_present =
            || FAMILIES.iter().find(|family| present.is_some_and(|word| family.words().any(|own| own == word)));
        let [first, ..] = &FAMILIES;
        by_words.or_else(by_present).unwrap_or(first)
    }
}

impl CoverState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let position = percent(entity, &Role::CurrentPosition, dps).or_else(|| percent(entity, &Role::Position, dps));
        let (by_contact, by_word) = match entity.read(&Role::IsOpen, dps) {
            Some(Value::Bool(is_open)) => (Some(!is_open), None),
            Some(Value::Text(word)) => match &*word {
                "fully_close" | "close" | "closed" => (None, Some(true)),
                "fully_open" | "open" | "opened" => (None, Some(false)),
                _ => (None, None),
            },
            _ => (None, None),
        };
        Self {
            position,
            tilt: percent(entity, &Role::Tilt, dps),
            movement: entity.text(&Role::Action, dps).and_then(|word| movement(&word)),
            // A contact sees the door. A word is the end that was last asked for or reached, and many devices keep it.
            is_closed: by_contact.or(position.map(|position| position == 0)).or(by_word),
        }
    }

    /// Returns Home Assistant's word for the state: `open`, `closed`, `opening`, `closing`.
    pub const fn as_str(&self) -> Option<&'static str> {
        match (self.movement, self.is_closed) {
            (Some(Movement::Opening), _) => Some("opening"),
            (Some(Movement::Closing), _) => Some("closing"),
            (_, Some(true)) => Some("closed"),
            (_, Some(false)) => Some("open"),
            (_, None) => None,
        }
    }
}

impl CoverCapabilities {
    pub(super) fn of(entity: &Entity) -> Self {
        let can_set_position = entity.can_set(&Role::Position);
        let is_switched = entity.kind == crate::EntityKind::Valve && !entity.can_set(&Role::Command);
        let can_stop = entity.can_set(&Role::Command) && {
            let words = command_words(entity);
            !is_boolean(entity) && (words.is_empty() || words.iter().any(|word| is_stop(word)))
        };
        Self {
            can_open: entity.can_set(&Role::Command) || can_set_position || is_switched,
            can_stop,
            can_set_position,
            has_position: entity.has(&Role::Position) || entity.has(&Role::CurrentPosition),
            can_tilt: entity.can_set(&Role::Tilt),
        }
    }
}

impl CoverIntent {
    pub(super) fn apply(self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        match self {
            Self::Position(percent) => plan.set(&Role::Position, &checked("position", percent)?, "position")?,
            Self::Tilt(percent) => plan.set(&Role::Tilt, &checked("tilt", percent)?, "tilt")?,
            Self::Toggle => {
                let is_closed = CoverState::read(plan.entity, plan.dps).is_closed;
                let is_closed =
                    is_closed.ok_or_else(|| IntentError::UnknownState { entity: plan.entity.id.clone() })?;
                return if is_closed { Self::Open.apply(plan) } else { Self::Close.apply(plan) };
            }
            Self::Open | Self::Close | Self::Stop | Self::Continue => self.command(&mut plan)?,
        }
        Ok(plan.writes)
    }

    fn command(self, plan: &mut Plan<'_>) -> Result<(), IntentError> {
        let is_open = self == Self::Open;
        let moves = is_open || self == Self::Close;
        if !plan.entity.can_set(&Role::Command) {
            return if moves && plan.entity.can_set(&Role::Position) {
                plan.set(&Role::Position, &Number::from(if is_open { 100 } else { 0 }).into(), "position")
            } else {
                Err(plan.unsupported(self.name()))
            };
        }
        if is_boolean(plan.entity) {
            return if moves {
                plan.set(&Role::Command, &is_open.into(), self.name())
            } else {
                Err(plan.unsupported(self.name()))
            };
        }
        let words = command_words(plan.entity);
        let present = plan.entity.text(&Role::Command, plan.dps);
        let family = Family::of(&words, present.as_deref());
        let word = match self {
            Self::Open => Some(family.open),
            Self::Close => Some(family.close),
            Self::Stop => family.stop,
            _ => family.go_on,
        };
        let word = word.filter(|word| words.is_empty() || words.iter().any(|known| known == word));
        // A device may spell the stop of its family in another way.
        let other_stop = || words.iter().find(|word| self == Self::Stop && is_stop(word)).map(String::as_str);
        match word.or_else(other_stop) {
            Some(word) => plan.set(&Role::Command, &word.into(), self.name()),
            None => Err(plan.unsupported(self.name())),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::Stop => "stop",
            Self::Continue => "continue",
            Self::Toggle => "toggle",
            Self::Position(_) => "position",
            Self::Tilt(_) => "tilt",
        }
    }
}

impl ValveState {
    pub(super) fn read(entity: &Entity, dps: &dyn DpSource) -> Self {
        let position = percent(entity, &Role::CurrentPosition, dps).or_else(|| percent(entity, &Role::Position, dps));
        let is_open = [Role::IsOpen, Role::Power, Role::Value].iter().find_map(|role| entity.bool(role, dps));
        Self { is_open: is_open.or(position.map(|position| position > 0)), position }
    }
}

impl ValveIntent {
    pub(super) fn apply(self, mut plan: Plan<'_>) -> Result<Writes, IntentError> {
        let power = match self {
            Self::Position(percent) => {
                plan.set(&Role::Position, &checked("position", percent)?, "position")?;
                return Ok(plan.writes);
            }
            Self::Open => Power::On,
            Self::Close => Power::Off,
            Self::Toggle => Power::Toggle,
        };
        let has_switch = plan.entity.has(&Role::Power) || plan.entity.has(&Role::Value);
        if has_switch {
            return plan.switched(power);
        }
        let is_open = match power {
            Power::Toggle => ValveState::read(plan.entity, plan.dps).is_open.map(|is_open| !is_open),
            power => Some(power == Power::On),
        };
        match is_open {
            None => Err(IntentError::UnknownState { entity: plan.entity.id.clone() }),
            Some(true) => CoverIntent::Open.apply(plan),
            Some(false) => CoverIntent::Close.apply(plan),
        }
    }
}

fn checked(subject: &str, percent: u8) -> Result<Value, IntentError> {
    if percent > 100 {
        return Err(ValueError::new(subject, Limit::range(0, 100, "%")).into());
    }
    Ok(Number::from(percent).into())
}

fn percent(entity: &Entity, role: &Role, dps: &dyn DpSource) -> Option<u8> {
    u8::try_from(entity.number(role, dps)?.rounded(0)?.clamp(0, 100)).ok()
}

fn movement(word: &str) -> Option<Movement> {
    match word.to_ascii_lowercase().as_str() {
        "opening" | "open" | "up" => Some(Movement::Opening),
        "closing" | "close" | "down" => Some(Movement::Closing),
        "stop" | "stopped" | "idle" | "standby" => Some(Movement::Stopped),
        _ => None,
    }
}

fn is_boolean(entity: &Entity) -> bool {
    entity.is_bool(&Role::Command)
}

fn command_words(entity: &Entity) -> Vec<String> {
    entity.words(&Role::Command)
}

fn is_stop(word: &str) -> bool {
    matches!(word, "stop" | "STOP" | "Stop" | "0" | "00" | "pause")
}
