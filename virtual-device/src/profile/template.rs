//! Description of a kind of device, and constants for all kinds.

use super::point::Point;
use crate::behavior::{Effect, Part};
use crate::datum::Datum;

/// Description of a kind of device.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) name: &'static str,
    /// Name that a user might give it.
    pub(crate) title: &'static str,
    pub(crate) product: &'static str,
    pub(crate) category: &'static str,
    pub(crate) model: &'static str,
    pub(crate) points: &'static [Point],
    pub(crate) parts: &'static [Part],
    /// Cids and profiles of sub-devices.
    pub(crate) children: &'static [(&'static str, &'static Self)],
}

/// Sets a word once a switch has this position.
pub(super) const fn when(switch: u16, is: bool, then: u16, to: &'static str) -> Effect {
    Effect { when: switch, is: Datum::Bool(is), then, to: Datum::Text(to) }
}

/// Sets a word once another DP has this one.
pub(super) const fn when_word(when: u16, is: &'static str, then: u16, to: &'static str) -> Effect {
    Effect { when, is: Datum::Text(is), then, to: Datum::Text(to) }
}

/// Sets a word after any write of another DP.
pub(super) const fn set_word(when: u16, then: u16, to: &'static str) -> Effect {
    Effect { when, is: Datum::Any, then, to: Datum::Text(to) }
}

/// Milliseconds of a second.
pub(super) const SECOND: u64 = 1000;
/// Milliseconds of a minute.
pub(super) const MINUTE: u64 = 60 * SECOND;
/// Milliseconds of an hour.
pub(super) const HOUR: u64 = 60 * MINUTE;
