//! Reads an entity's DPs by role, and gathers those that an intent writes.

use std::sync::Arc;

use super::{IntentError, Power};
use crate::entity::{Channel, Codec, Entity, Role};
use crate::schema::Access;
use crate::value::{Data, DpSource, Number, Reading, Value, ValueError, Writes};

impl Entity {
    /// Returns the main value: that of the role [`Role::Value`], else of the first channel.
    pub fn value(&self, dps: &dyn DpSource) -> Option<Reading> {
        let first = || self.channels.first().map(|(_, channel)| channel);
        self.channel(&Role::Value).or_else(first)?.read(dps)
    }

    /// Returns whether the entity is usable now, if the device says.
    pub fn is_available(&self, dps: &dyn DpSource) -> Option<bool> {
        self.bool(&Role::Available, dps)
    }

    /// Returns the entity's attributes: what belongs to it and has no role of its own.
    pub fn attributes<'a>(&'a self, dps: &dyn DpSource) -> Vec<(&'a str, Reading)> {
        let attributes = self.channels.iter().filter_map(|(role, channel)| match role {
            Role::Attribute(name) => Some((name.as_str(), channel)),
            _ => None,
        });
        attributes.filter_map(|(name, channel)| Some((name, channel.read(dps)?))).collect()
    }

    /// Returns the roles of all values that break the device's own specification.
    pub fn out_of_spec<'a>(&'a self, dps: &dyn DpSource) -> Vec<&'a Role> {
        let breaks = |channel: &Channel| channel.read(dps).is_some_and(|reading| reading.is_out_of_spec);
        self.channels.iter().filter(|(_, channel)| breaks(channel)).map(|(role, _)| role).collect()
    }

    pub(crate) fn has(&self, role: &Role) -> bool {
        self.channel(role).is_some()
    }

    /// Returns whether the role can be set.
    pub(crate) fn can_set(&self, role: &Role) -> bool {
        self.channel(role).is_some_and(|channel| channel.access != Access::ReadOnly)
    }

    pub(crate) fn read(&self, role: &Role, dps: &dyn DpSource) -> Option<Value> {
        Some(self.channel(role)?.read(dps)?.value)
    }

    pub(crate) fn bool(&self, role: &Role, dps: &dyn DpSource) -> Option<bool> {
        match self.read(role, dps)? {
            Value::Bool(value) => Some(value),
            Value::Text(text) => Data::Text((*text).into()).as_bool(),
            _ => None,
        }
    }

    pub(crate) fn text(&self, role: &Role, dps: &dyn DpSource) -> Option<Arc<str>> {
        match self.read(role, dps)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, role: &Role, dps: &dyn DpSource) -> Option<Number> {
        match self.read(role, dps)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the text of a role, unless it is a word that the device's own specification does not have.
    pub(crate) fn known_text(&self, role: &Role, dps: &dyn DpSource) -> Option<Arc<str>> {
        match self.channel(role)?.read(dps)? {
            Reading { value: Value::Text(text), is_out_of_spec: false, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns the names of the words of a role, in their order.
    pub(crate) fn words(&self, role: &Role) -> Vec<String> {
        self.channel(role).map(|channel| channel.codec.words()).unwrap_or_default()
    }

    /// Returns whether the role takes words.
    pub(crate) fn has_words(&self, role: &Role) -> bool {
        self.channel(role).is_some_and(|channel| channel.codec.is_words())
    }

    /// Returns whether the role is on or off, and has no words for it.
    pub(crate) fn is_bool(&self, role: &Role) -> bool {
        self.channel(role).is_some_and(|channel| channel.codec.is_switch())
    }

    /// Returns the range of numbers of a role.
    pub(crate) fn range(&self, role: &Role) -> Option<NumberRange> {
        self.channel(role)?.codec.range()
    }
}

/// Numbers that a channel takes.
pub(crate) struct NumberRange {
    pub(crate) min: Option<Number>,
    pub(crate) max: Option<Number>,
    pub(crate) step: Option<Number>,
    /// Digits after the point.
    pub(crate) decimals: u8,
}

impl NumberRange {
    /// Makes a range of whole numbers.
    fn whole(min: u32, max: u32) -> Self {
        Self { min: Some(min.into()), max: Some(max.into()), step: Some(Number::from(1)), decimals: 0 }
    }
}

impl Codec {
    pub(crate) fn range(&self) -> Option<NumberRange> {
        if let Some(spec) = self.number_spec() {
            return Some(NumberRange {
                min: spec.min.map(|min| spec.number(min)),
                max: spec.max.map(|max| spec.number(max)),
                step: Some(spec.number(spec.step.max(1))),
                decimals: spec.scale,
            });
        }
        match self {
            Self::Percent { .. } | Self::Steps { .. } => Some(NumberRange::whole(0, 100)),
            Self::ColorTemp { min_kelvin, max_kelvin, .. } => Some(NumberRange::whole(*min_kelvin, *max_kelvin)),
            _ => None,
        }
    }
}

/// DPs that an intent writes.
pub(crate) struct Plan<'a> {
    pub(crate) entity: &'a Entity,
    pub(crate) dps: &'a dyn DpSource,
    pub(crate) writes: Writes,
}

impl<'a> Plan<'a> {
    pub(crate) const fn new(entity: &'a Entity, dps: &'a dyn DpSource) -> Self {
        Self { entity, dps, writes: Writes::new() }
    }

    /// Adds the DP of a role. `subject` names it in errors.
    pub(crate) fn set(&mut self, role: &Role, value: &Value, subject: &str) -> Result<(), IntentError> {
        let Some(channel) = self.entity.channel(role) else {
            return Err(self.unsupported(subject));
        };
        let before = self.writes.clone();
        let present = Overlay { over: &before, under: self.dps };
        channel.write(value, &present, &mut self.writes).map_err(|error: ValueError| error.about(subject).into())
    }

    /// Adds the switch, if the entity has one that can be set.
    pub(crate) fn set_power(&mut self, is_on: bool) -> Result<(), IntentError> {
        if self.entity.can_set(&Role::Power) { self.set(&Role::Power, &is_on.into(), "power") } else { Ok(()) }
    }

    /// Resolves a toggle.
    pub(crate) fn resolve(&self, power: Power) -> Result<bool, IntentError> {
        match power {
            Power::On => Ok(true),
            Power::Off => Ok(false),
            Power::Toggle => {
                let role = if self.entity.has(&Role::Power) { Role::Power } else { Role::Value };
                let is_on = self.entity.bool(&role, self.dps);
                is_on.map(|is_on| !is_on).ok_or_else(|| IntentError::UnknownState { entity: self.entity.id.clone() })
            }
        }
    }

    /// Switches, and nothing else.
    pub(crate) fn switched(mut self, power: Power) -> Result<Writes, IntentError> {
        let role = [Role::Power, Role::Value].into_iter().find(|role| self.is_switch(role));
        let Some(role) = role else {
            return Err(match self.entity.channels.iter().all(|(_, channel)| channel.access == Access::ReadOnly) {
                true => IntentError::ReadOnly { entity: self.entity.id.clone() },
                false => self.unsupported("power"),
            });
        };
        let is_on = self.resolve(power)?;
        self.set(&role, &is_on.into(), "power")?;
        Ok(self.writes)
    }

    /// Returns whether a role is switched on and off. What another codec means by that is its own matter.
    fn is_switch(&self, role: &Role) -> bool {
        self.entity.channel(role).is_some_and(|channel| match &channel.codec {
            Codec::Number(_) | Codec::Percent { .. } | Codec::Words(_) | Codec::Text { .. } => *role == Role::Power,
            Codec::On { .. } | Codec::Bit { .. } | Codec::AnyBit | Codec::Labels(_) => false,
            #[cfg(feature = "profiles")]
            Codec::Rules(rules) => *role == Role::Power || rules.is_switch(),
            _ => true,
        } && channel.access != Access::ReadOnly)
    }

    pub(crate) fn unsupported(&self, what: &str) -> IntentError {
        IntentError::Unsupported {
            entity: self.entity.id.clone(),
            what: what.into(),
            supported: self.entity.verbs().into_iter().map(str::to_owned).collect(),
        }
    }
}

/// DPs that are about to be written, over those of the device.
struct Overlay<'a> {
    over: &'a Writes,
    under: &'a dyn DpSource,
}

impl DpSource for Overlay<'_> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        self.over.data(dp).or_else(|| self.under.data(dp))
    }
}
