//! From data to values.

use base64ct::{Base64, Encoding};

use super::{MAX_REDIRECTS, RuleSet, Walk, exact, is_same};
use crate::profile::model::{DpType, ProfileDp, Range, Rule};
use crate::profile::parse::hex;
use crate::profile::yaml::Scalar;
use crate::value::{Data, DpSource, Number};

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    /// The value.
    pub(super) value: Scalar,
    /// The file does not allow the data.
    pub(super) is_out_of_spec: bool,
}

impl RuleSet {
    /// Returns the value of a DP by all of its rules; `None` if it has none now.
    pub(super) fn value(&self, index: usize, walk: &Walk<'_>, depth: u8) -> Option<Read> {
        let dp = self.dps.get(index).filter(|_| depth <= MAX_REDIRECTS && walk.step())?;
        let data = data(dp, walk.source);
        let Some((at, rule)) = self.rule_for_data(dp, data.as_ref(), walk, depth) else {
            let value = data.filter(|data| *data != Scalar::Null)?;
            let is_known = dp.mapping.is_empty() || dp.mapping.iter().all(|rule| rule.value.is_none());
            let is_out_of_spec = !is_known && !dp.kind.is_number() || is_outside(&value, dp.range);
            return Some(Read { value, is_out_of_spec });
        };
        let condition = self.condition(index, at, walk, depth);
        if condition.is_some_and(|condition| condition.invalid) {
            return None;
        }
        let replaced = condition.and_then(|rule| rule.value.clone()).or_else(|| rule.value.clone());
        let mut value = replaced.clone().or(data.clone()).unwrap_or(Scalar::Null);
        for nested in condition.map_or(&[][..], |condition| &condition.mapping) {
            let is_it = nested.dps_val.iter().flatten().any(|found| is_same(found, &value));
            if let Some(nested) = nested.value.as_ref().filter(|_| is_it) {
                value = nested.clone();
                break;
            }
        }
        let pick =
            |of: fn(&Rule) -> &Option<String>| condition.and_then(|rule| of(rule).as_deref()).or(of(rule).as_deref());
        let other = pick(|rule| &rule.value_redirect).or_else(|| pick(|rule| &rule.value_mirror));
        if let Some(other) = other.and_then(|name| self.find(name)) {
            return self.value(other, walk, depth + 1);
        }
        let range = condition.and_then(|rule| rule.range).or(rule.range).or(dp.range);
        let is_out_of_spec = replaced.is_none() && is_outside(&value, range);
        if let Scalar::Number(number) = value {
            value = Scalar::Number(transformed(number, dp, rule, condition).unwrap_or(number));
        }
        (value != Scalar::Null).then_some(Read { value, is_out_of_spec })
    }

    /// Returns the rule for data of a DP, by its place in the mapping.
    pub(super) fn rule_for_data<'r>(
        &'r self,
        dp: &'r ProfileDp,
        data: Option<&Scalar>,
        walk: &Walk<'_>,
        depth: u8,
    ) -> Option<(usize, &'r Rule)> {
        let mut default = None;
        for (at, rule) in dp.mapping.iter().enumerate() {
            if rule.conditions.is_empty() && !self.is_available(rule, walk, depth) {
                continue;
            }
            match &rule.dps_val {
                None => default = Some((at, rule)),
                Some(values) if values.iter().any(|value| is_for(dp, value, data)) => return Some((at, rule)),
                Some(_) => {}
            }
        }
        default
    }

    /// Returns `true` if the DP that a rule is tied to says so, or if there is none.
    pub(super) fn is_available(&self, rule: &Rule, walk: &Walk<'_>, depth: u8) -> bool {
        let Some(index) = rule.available.as_deref().and_then(|name| self.find(name)) else { return true };
        match self.value(index, walk, depth + 1).map(|read| read.value) {
            Some(Scalar::Bool(value)) => value,
            Some(Scalar::Number(number)) => number != Number::from(0),
            Some(Scalar::Text(text)) => !text.is_empty(),
            Some(Scalar::Null) | None => false,
        }
    }

    /// Returns the condition of a rule that holds now.
    pub(super) fn condition(&self, index: usize, at: usize, walk: &Walk<'_>, depth: u8) -> Option<&Rule> {
        let rule = self.dps.get(index)?.mapping.get(at)?;
        if rule.conditions.is_empty() {
            return None;
        }
        let data = self.constraint_data(index, rule, walk, depth);
        let mut found = None;
        for condition in rule.conditions.iter().filter(|condition| self.is_available(condition, walk, depth)) {
            if holds(condition, data.as_ref()) {
                found = Some(condition);
            }
        }
        found
    }

    /// Returns the place of the DP that a rule's conditions are about.
    pub(super) fn constraint(&self, index: usize, rule: &Rule) -> Option<usize> {
        match &rule.constraint {
            Some(name) => self.find(name),
            None => Some(index),
        }
    }

    /// Returns the data of the DP that a rule's conditions are about: packed ones by their value.
    pub(super) fn constraint_data(&self, index: usize, rule: &Rule, walk: &Walk<'_>, depth: u8) -> Option<Scalar> {
        let index = self.constraint(index, rule)?;
        let dp = self.dps.get(index)?;
        if matches!(dp.kind, DpType::Base64 | DpType::Hex) {
            return self.value(index, walk, depth + 1).map(|read| read.value);
        }
        data(dp, walk.source)
    }

    /// Returns the range of a DP as it is now: in the device's numbers, or in those of the value.
    pub(super) fn range(&self, index: usize, walk: &Walk<'_>, in_values: bool, depth: u8) -> Option<Range> {
        let dp = self.dps.get(index).filter(|_| depth <= MAX_REDIRECTS)?;
        let data = data(dp, walk.source);
        let Some((at, rule)) = self.rule_for_data(dp, data.as_ref(), walk, depth) else { return dp.range };
        let condition = self.condition(index, at, walk, depth);
        let redirect = condition.and_then(|rule| rule.value_redirect.as_deref()).or(rule.value_redirect.as_deref());
        if let Some(other) = redirect.and_then(|name| self.find(name)).filter(|_| in_values) {
            return self.range(other, walk, in_values, depth + 1);
        }
        let target = condition.and_then(|rule| rule.target_range).or(rule.target_range);
        if let Some(target) = target.filter(|_| in_values) {
            return Some(target);
        }
        let range = condition.and_then(|rule| rule.range).or(rule.range).or(dp.range)?;
        let scale = condition.and_then(|rule| rule.scale).or(rule.scale).filter(|_| in_values);
        super::scaled(range, scale)
    }
}

/// Returns the data of a DP, unpacked; `None` if the device did not send it.
pub(super) fn data(dp: &ProfileDp, source: &dyn DpSource) -> Option<Scalar> {
    let scalar = match source.data(dp.id)? {
        Data::Bool(value) => Scalar::Bool(value),
        Data::Number(number) => Scalar::Number(number),
        Data::Text(text) => Scalar::Text(text.as_ref().into()),
        Data::Json(json) => Scalar::Text(json.to_string().into()),
    };
    Some(unpacked(dp, scalar))
}

impl RuleSet {
    /// Returns the ranges of a DP's values in all states of the device.
    pub(super) fn all_ranges(&self, index: usize) -> Vec<Range> {
        let Some(dp) = self.dps.get(index) else { return Vec::new() };
        let default = dp.mapping.iter().find(|rule| rule.dps_val.is_none());
        let range = |rule: Option<&Rule>, condition: Option<&Rule>| {
            let either = |of: fn(&Rule) -> Option<Range>| condition.and_then(of).or(rule.and_then(of));
            if let Some(target) = either(|rule| rule.target_range) {
                return Some(target);
            }
            let scale = condition.and_then(|rule| rule.scale).or(rule.and_then(|rule| rule.scale));
            super::scaled(either(|rule| rule.range).or(dp.range)?, scale)
        };
        let conditions = default.map_or(&[][..], |rule| &rule.conditions);
        let all = core::iter::once(None).chain(conditions.iter().map(Some));
        let mut ranges: Vec<Range> = all.filter_map(|condition| range(default, condition)).collect();
        if ranges.is_empty() {
            // Without a range, single numbers are one.
            let numbers = dp.mapping.iter().filter_map(|rule| match rule.value {
                Some(Scalar::Number(number)) if !rule.hidden => Some(number),
                _ => None,
            });
            ranges.extend(numbers.map(|number| Range { min: number, max: number }));
        }
        ranges
    }
}

/// Applies inversion, target range and scale.
fn transformed(number: Number, dp: &ProfileDp, rule: &Rule, condition: Option<&Rule>) -> Option<Number> {
    let mut number = number;
    if let Some(range) = dp.range {
        if condition.and_then(|rule| rule.invert).or(rule.invert) == Some(true) {
            number = exact::inverted(number, range)?;
        }
        if let Some(target) = condition.and_then(|rule| rule.target_range).or(rule.target_range) {
            number = exact::remapped(number, range, target)?;
        }
    }
    match condition.and_then(|rule| rule.scale).or(rule.scale) {
        Some(scale) => exact::quotient(number, scale),
        None => Some(number),
    }
}

/// Returns `true` if a value of a rule is for these data.
fn is_for(dp: &ProfileDp, value: &Scalar, data: Option<&Scalar>) -> bool {
    let data = data.unwrap_or(&Scalar::Null);
    if dp.kind == DpType::Bitfield
        && let (Scalar::Number(bits), Scalar::Number(data)) = (value, data)
        && let (Some(bits), Some(data)) = (bits.exact(0), data.exact(0))
        && bits != 0
    {
        return bits & data != 0;
    }
    is_same(value, data)
}

/// Returns `true` if a condition is for these data of its constraint.
pub(super) fn holds(condition: &Rule, data: Option<&Scalar>) -> bool {
    let data = data.unwrap_or(&Scalar::Null);
    condition.dps_val.iter().flatten().any(|value| is_same(value, data))
}

/// Returns `true` if a number is outside a range.
fn is_outside(value: &Scalar, range: Option<Range>) -> bool {
    match (value, range) {
        (Scalar::Number(number), Some(range)) => *number < range.min || *number > range.max,
        _ => false,
    }
}

/// Reads numbers in text, packed bits and encoded text.
fn unpacked(dp: &ProfileDp, data: Scalar) -> Scalar {
    let unpacked = match (&data, dp.kind) {
        (Scalar::Text(text), DpType::Boolean) => match text.as_ref() {
            "true" | "True" => Some(Scalar::Bool(true)),
            "false" | "False" => Some(Scalar::Bool(false)),
            _ => None,
        },
        (Scalar::Text(text), kind) if kind.is_number() => match text.trim().parse() {
            Ok(number) => Some(Scalar::Number(number)),
            Err(_) => None,
        },
        (Scalar::Text(text), DpType::Utf16Base64) => utf16(text).map(|text| Scalar::Text(text.into())),
        _ => None,
    };
    let data = unpacked.unwrap_or(data);
    match (&dp.mask, &data) {
        (Some(mask), Scalar::Text(text)) => match bytes(dp.kind, text) {
            Some(bytes) => masked(dp, mask, &bytes).map_or(data, Scalar::Number),
            None => data,
        },
        (Some(mask), Scalar::Number(number)) => match number.exact(0) {
            Some(number) => masked(dp, mask, &number.to_be_bytes()).map_or(data, Scalar::Number),
            None => data,
        },
        _ => data,
    }
}

/// Returns the bytes that a text of this type encodes.
pub(super) fn bytes(kind: DpType, text: &str) -> Option<Vec<u8>> {
    match kind {
        DpType::Hex => hex(text),
        DpType::Base64 => Base64::decode_vec(text).ok(),
        _ => None,
    }
}

fn utf16(text: &str) -> Option<String> {
    let bytes = Base64::decode_vec(text).ok()?;
    let units = bytes.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let text = String::from_utf16(&units.collect::<Vec<_>>()).ok()?;
    (bytes.len() % 2 == 0).then_some(text)
}

/// Returns the lowest set bit of a mask, counted from its end, and the number of bits up to the highest: at most 64.
pub(super) fn mask_bits(mask: &[u8]) -> Option<(usize, usize)> {
    let bits = mask.len() * 8;
    let lowest = (0..bits).find(|bit| is_set(mask, *bit))?;
    let highest = (lowest..bits).rev().find(|bit| is_set(mask, *bit))?;
    let count = highest - lowest + 1;
    (count <= 64).then_some((lowest, count))
}

/// Returns a bit of bytes, counted from the end of the last one.
pub(super) fn is_set(bytes: &[u8], bit: usize) -> bool {
    let byte = bytes.len().checked_sub(bit / 8 + 1).and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
}

/// Returns the number that a mask picks from bytes.
fn masked(dp: &ProfileDp, mask: &[u8], bytes: &[u8]) -> Option<Number> {
    let mut bytes = bytes.to_vec();
    if dp.is_little_endian {
        bytes.reverse();
    }
    let (lowest, count) = mask_bits(mask)?;
    let is_one = |bit: &usize| is_set(mask, lowest + bit) && is_set(&bytes, lowest + bit);
    let mut value: i128 = (0..count).filter(is_one).map(|bit| 1_i128 << bit).sum();
    let width = mask.iter().map(|byte| byte.count_ones()).sum::<u32>();
    if dp.is_mask_signed && (1..=64).contains(&width) && value >> (width - 1) & 1 == 1 {
        value -= 1_i128 << width;
    }
    Some(Number::from(i64::try_from(value).ok()?))
}
