//! Rules of an entity's DPs: from data to values, and back.

mod channel;
mod color;
mod exact;
mod read;
mod words;
mod write;

use core::cell::Cell;
use std::collections::BTreeSet;

pub use channel::{Rules, Shape};

use super::model::{ProfileDp, Range, Rule};
use super::yaml::Scalar;
use crate::tables::units;
use crate::value::DpSource;

/// Most DPs that a rule may lead through: files with rules in a circle exist.
const MAX_REDIRECTS: u8 = 8;

/// Most values that one look at a DP may read: rules may name each other so that their number multiplies.
const MAX_STEPS: u32 = 2048;

/// One look at a state of the device.
struct Walk<'a> {
    source: &'a dyn DpSource,
    steps: Cell<u32>,
}

impl<'a> Walk<'a> {
    const fn new(source: &'a dyn DpSource) -> Self {
        Self { source, steps: Cell::new(0) }
    }

    /// Counts a value. Returns `false` if there were too many.
    fn step(&self) -> bool {
        self.steps.set(self.steps.get().saturating_add(1));
        self.steps.get() <= MAX_STEPS
    }
}

/// The DPs of an entity, with their rules.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RuleSet {
    /// DPs, in the order of the file.
    pub dps: Vec<ProfileDp>,
}

impl RuleSet {
    pub(super) const fn new(dps: Vec<ProfileDp>) -> Self {
        Self { dps }
    }

    /// Returns the number in the set of the first DP of this name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.dps.iter().position(|dp| dp.name == name)
    }

    /// Notes what the rules ask for and cannot have.
    pub(super) fn check(&self, notes: &mut Vec<String>) {
        for dp in &self.dps {
            let names = dp.mapping.iter().flat_map(names).collect::<BTreeSet<_>>();
            for (key, name) in names {
                if self.find(name).is_none() {
                    let name: String = name.chars().take(60).collect();
                    notes.push(format!("DP {}: {key} `{name}` is no DP of the entity", dp.id));
                }
            }
            let is_wide = dp.mask.as_deref().is_some_and(|mask| read::mask_bits(mask).is_none());
            if is_wide {
                notes.push(format!("DP {}: mask is empty, or wider than 64 bits", dp.id));
            }
        }
    }

    /// Returns the numbers of the DPs on which the value of a DP depends, its own first.
    pub fn inputs(&self, index: usize) -> Vec<u16> {
        let mut found: Vec<usize> = vec![index];
        let mut next = 0;
        while let Some(dp) = found.get(next).and_then(|index| self.dps.get(*index)) {
            for (_, name) in dp.mapping.iter().flat_map(names) {
                if let Some(index) = self.find(name).filter(|index| !found.contains(index)) {
                    found.push(index);
                }
            }
            next += 1;
        }
        let mut ids = Vec::new();
        for id in found.into_iter().filter_map(|index| Some(self.dps.get(index)?.id)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }
}

/// Returns the names of DPs in a rule, with the keys that have them.
pub(super) fn names(rule: &Rule) -> Vec<(&'static str, &str)> {
    let mut names = Vec::new();
    for rule in core::iter::once(rule).chain(&rule.conditions) {
        let keys = [
            ("value_redirect", &rule.value_redirect),
            ("value_mirror", &rule.value_mirror),
            ("available", &rule.available),
            ("constraint", &rule.constraint),
        ];
        names.extend(keys.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?))));
    }
    names
}

/// Returns `true` if a value of a file and one of a device, or of a user, are the same.
fn is_same(a: &Scalar, b: &Scalar) -> bool {
    match (a, b) {
        (Scalar::Number(number), Scalar::Text(text)) | (Scalar::Text(text), Scalar::Number(number)) => {
            *number.to_string() == **text
        }
        (Scalar::Bool(value), Scalar::Text(text)) | (Scalar::Text(text), Scalar::Bool(value)) => {
            text.eq_ignore_ascii_case(if *value { "true" } else { "false" })
        }
        _ => a == b,
    }
}

impl Rule {
    /// Returns `true` if the rule is for absent data alone. Such a value is never written.
    fn is_for_null(&self) -> bool {
        self.dps_val.as_deref() == Some(&[Scalar::Null])
    }
}

/// Returns the numbers of a range divided by a scale.
fn scaled(range: Range, scale: Option<crate::value::Number>) -> Option<Range> {
    let Some(scale) = scale else { return Some(range) };
    Some(Range { min: exact::quotient(range.min, scale)?, max: exact::quotient(range.max, scale)? })
}

/// Returns a unit in Home Assistant's spelling: the files write temperatures short.
pub(super) fn unit(unit: Option<&str>) -> String {
    unit.map(units::repair).unwrap_or_default()
}
