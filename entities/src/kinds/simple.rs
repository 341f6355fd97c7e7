//! Entities with one value: numbers, selects, sensors, texts, buttons.

use super::access::Plan;
use super::{Capabilities, IntentError};
use crate::entity::{Codec, Entity, EntityKind, Role};
use crate::value::{Number, Value, Writes};

/// Range of a number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NumberCapabilities {
    /// Least number.
    pub min: Option<Number>,
    /// Greatest number.
    pub max: Option<Number>,
    /// Distance of two numbers.
    pub step: Option<Number>,
    /// Digits after the point.
    pub decimals: u8,
}

pub(super) fn capabilities(entity: &Entity) -> Capabilities {
    let Some(channel) = entity.channel(&Role::Value) else { return Capabilities::None };
    let words = entity.words(&Role::Value);
    if !words.is_empty() {
        return Capabilities::Words(words);
    }
    match (&channel.codec, channel.codec.range()) {
        (Codec::Text { max_len }, _) => Capabilities::Text(*max_len),
        (_, Some(range)) => Capabilities::Number(NumberCapabilities {
            min: range.min,
            max: range.max,
            step: range.step,
            decimals: range.decimals,
        }),
        _ if entity.kind == EntityKind::Text => Capabilities::Text(None),
        _ => Capabilities::None,
    }
}

impl Plan<'_> {
    /// Presses a button: writes `true`, or the one word that it has.
    pub(crate) fn pressed(mut self) -> Result<Writes, IntentError> {
        let value = match self.entity.words(&Role::Value).as_slice() {
            [word, ..] => word.as_str().into(),
            [] => Value::Bool(true),
        };
        self.set(&Role::Value, &value, "press")?;
        Ok(self.writes)
    }
}
