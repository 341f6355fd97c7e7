//! Entities with one value: numbers, selects, sensors, texts, buttons.

use super::access::Plan;
use super::{Capabilities, IntentError};
use crate::entity::{Codec, Entity, EntityKind, Role};
use crate::schema::NumberSpec;
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

impl NumberCapabilities {
    fn of(spec: &NumberSpec) -> Self {
        Self {
            min: spec.min.map(|min| spec.number(min)),
            max: spec.max.map(|max| spec.number(max)),
            step: Some(spec.number(spec.step.max(1))),
            decimals: spec.scale,
        }
    }
}

pub(super) fn capabilities(entity: &Entity) -> Capabilities {
    match entity.channel(&Role::Value).map(|channel| &channel.codec) {
        Some(Codec::Number(spec)) => Capabilities::Number(NumberCapabilities::of(spec)),
        #[cfg(feature = "profiles")]
        Some(Codec::Rules(rules)) if rules.spec().is_some() && entity.kind != EntityKind::Text => {
            rules.spec().map_or(Capabilities::None, |spec| Capabilities::Number(NumberCapabilities::of(spec)))
        }
        Some(Codec::Percent { .. } | Codec::Steps { .. }) => Capabilities::Number(NumberCapabilities {
            min: Some(Number::from(0)),
            max: Some(Number::from(100)),
            step: Some(Number::from(1)),
            decimals: 0,
        }),
        Some(codec) if codec.is_words() => Capabilities::Words(codec.words()),
        Some(Codec::Text { max_len }) => Capabilities::Text(*max_len),
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
