//! The words that a DP takes.

use std::sync::Arc;

use super::{MAX_REDIRECTS, RuleSet, Walk};
use crate::profile::model::Rule;
use crate::profile::yaml::Scalar;

impl RuleSet {
    /// Returns the values that a DP takes now, in the order of the file.
    pub(super) fn values(&self, index: usize, walk: &Walk<'_>, depth: u8) -> Vec<Scalar> {
        let Some(dp) = self.dps.get(index).filter(|_| depth <= MAX_REDIRECTS && walk.step()) else { return Vec::new() };
        let mut values = Vec::new();
        for (at, rule) in dp.mapping.iter().enumerate() {
            let condition = self.condition(index, at, walk, depth);
            let nested = condition.map_or(&[][..], |condition| &condition.mapping);
            let nested: Vec<Scalar> = nested.iter().filter_map(|rule| self.shown(rule, walk, depth)).collect();
            if !nested.is_empty() {
                // They stand in place of all others.
                values = nested;
                break;
            }
            // Data that are absent cannot be written.
            if rule.is_for_null() {
                continue;
            }
            for rule in core::iter::once(rule).chain(&rule.conditions) {
                if let Some(value) = self.shown(rule, walk, depth) {
                    values.push(value);
                } else if let Some(other) = rule.value_mirror.as_deref().and_then(|name| self.find(name)) {
                    values.extend(self.values(other, walk, depth + 1));
                }
            }
        }
        let mut seen: Vec<Scalar> = Vec::with_capacity(values.len());
        for value in values {
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
        seen
    }

    fn shown(&self, rule: &Rule, walk: &Walk<'_>, depth: u8) -> Option<Scalar> {
        let is_shown = !rule.hidden && self.is_available(rule, walk, depth);
        rule.value.clone().filter(|value| is_shown && *value != Scalar::Null)
    }

    /// Returns the value to use where none is given.
    pub(super) fn default_value(&self, index: usize) -> Option<Scalar> {
        let dp = self.dps.get(index)?;
        dp.mapping.iter().find_map(|rule| {
            let own = || rule.value.clone().or_else(|| rule.dps_val.as_ref()?.first().cloned());
            if rule.default && !rule.hidden {
                return own();
            }
            let condition = rule.conditions.iter().find(|condition| condition.default && !condition.hidden)?;
            condition.value.clone().or_else(own)
        })
    }
}

/// Returns a value as text.
pub(super) fn text(value: &Scalar) -> Arc<str> {
    match value {
        Scalar::Null => "".into(),
        Scalar::Bool(true) => "true".into(),
        Scalar::Bool(false) => "false".into(),
        Scalar::Number(number) => number.to_string().into(),
        Scalar::Text(text) => text.clone(),
    }
}
