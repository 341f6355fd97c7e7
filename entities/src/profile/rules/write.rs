//! From values to data, with the other DPs that must be set along.

use base64ct::{Base64, Encoding};
use serde_json::Value as Json;

use super::read::{bytes, data, holds, is_set, mask_bits};
use super::{MAX_REDIRECTS, RuleSet, Walk, exact, is_same, words};
use crate::profile::model::{DpType, ProfileDp, Range, Rule};
use crate::profile::yaml::Scalar;
use crate::value::{Data, DpSource, Limit, Number, ValueError, Writes};

/// State of the device, with the DPs that the same command sets in front of it.
struct Pending<'a> {
    writes: &'a Writes,
    source: &'a dyn DpSource,
}

impl DpSource for Pending<'_> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        self.writes.dps.data(dp).or_else(|| self.source.data(dp))
    }
}

impl RuleSet {
    /// Adds the data that make a DP take a value.
    pub(super) fn write(
        &self,
        index: usize,
        value: &Scalar,
        walk: &Walk<'_>,
        writes: &mut Writes,
        depth: u8,
    ) -> Result<(), ValueError> {
        let Some(dp) = self.dps.get(index).filter(|dp| !dp.is_readonly && depth <= MAX_REDIRECTS) else {
            let name = self.dps.get(index).map_or("", |dp| &dp.name);
            return Err(ValueError::new(name, Limit::ReadOnly));
        };
        let found = self.rule_for_value(index, dp, value, walk, depth);
        let Some((at, rule)) = found else {
            let data = data(dp, walk.source);
            let present = self.rule_for_data(dp, data.as_ref(), walk, depth);
            let other = present.and_then(|(_, rule)| self.find(rule.value_redirect.as_deref()?));
            if let Some(other) = other {
                return self.write(other, value, walk, writes, depth + 1);
            }
            self.check_word(index, dp, value, walk, depth)?;
            return self.set(index, value.clone(), walk, writes, depth);
        };
        self.check_now(index, at, rule, walk, depth)?;
        let condition = self.condition_for(index, at, rule, value, walk, depth);
        let mut result = rule.dps_val.as_ref().and_then(|values| values.first()).unwrap_or(value).clone();
        if let Some(condition) = condition {
            self.set_constraint(index, rule, condition, value, walk, writes, depth);
            let nested = condition
                .mapping
                .iter()
                .find(|nested| !nested.hidden && nested.value.as_ref().is_some_and(|found| is_same(found, value)));
            if let Some(data) = nested.and_then(|nested| nested.dps_val.as_ref()?.first()) {
                result = data.clone();
            }
        }
        let redirect = condition.and_then(|rule| rule.value_redirect.as_deref()).or(rule.value_redirect.as_deref());
        if let Some(other) = redirect.and_then(|name| self.find(name)) {
            return self.write(other, value, walk, writes, depth + 1);
        }
        if rule.dps_val.is_none()
            && let Scalar::Number(number) = result
        {
            result = self.untransformed(dp, rule, condition, number, walk, depth).unwrap_or(result);
        }
        self.set(index, result, walk, writes, depth)
    }

    /// Returns the rule by which a value is written, by its place in the mapping.
    fn rule_for_value<'r>(
        &'r self,
        index: usize,
        dp: &'r ProfileDp,
        value: &Scalar,
        walk: &Walk<'_>,
        depth: u8,
    ) -> Option<(usize, &'r Rule)> {
        let mut default = None;
        let mut nearest: Option<(Number, (usize, &Rule))> = None;
        for (at, rule) in dp.mapping.iter().enumerate() {
            let is_offered = !rule.hidden && self.is_available(rule, walk, depth);
            if rule.dps_val.is_none() && is_offered {
                default = Some((at, rule));
            }
            let is_written = is_offered && rule.dps_val.is_some() && !rule.is_for_null();
            if is_written && self.has_value(rule, value, walk, depth) {
                return Some((at, rule));
            }
            if let (true, Some(Scalar::Number(of_rule)), Scalar::Number(number)) = (is_written, &rule.value, value) {
                let distance = distance(*of_rule, *number);
                if nearest.is_none_or(|(least, _)| distance < least) {
                    nearest = Some((distance, (at, rule)));
                }
            }
            let data = || self.constraint_data(index, rule, walk, depth);
            let is_by_condition = rule.conditions.iter().any(|condition| {
                let is_it = !condition.hidden
                    && self.is_available(condition, walk, depth)
                    && self.has_value(condition, value, walk, depth);
                is_it && (self.sets_constraint(index, rule, condition) || holds(condition, data().as_ref()))
            });
            // A condition of the rule for all other data has no data to write.
            if is_by_condition && !rule.is_for_null() {
                return Some((at, rule));
            }
        }
        // Between rules for single numbers, the nearest is meant; a rule for all numbers takes it as it is.
        let plain_default = default.filter(|(_, rule)| rule.value.is_none());
        plain_default.or(nearest.map(|(_, found)| found)).or(default)
    }

    fn has_value(&self, rule: &Rule, value: &Scalar, walk: &Walk<'_>, depth: u8) -> bool {
        if let Some(of_rule) = &rule.value {
            return is_same(of_rule, value);
        }
        let mirror = rule.value_mirror.as_deref().and_then(|name| self.find(name));
        let mirrored = mirror.and_then(|other| self.value(other, walk, depth + 1));
        mirrored.is_some_and(|read| is_same(&read.value, value))
    }

    /// Returns `true` if a condition can be brought about: its constraint is another DP, and can be set to one value.
    fn sets_constraint(&self, index: usize, rule: &Rule, condition: &Rule) -> bool {
        let constraint = self.constraint(index, rule).and_then(|other| self.dps.get(other));
        let is_other = constraint.zip(self.dps.get(index)).is_some_and(|(other, dp)| other.id != dp.id);
        is_other && constraint.is_some_and(|other| !other.is_readonly) && !condition.is_list
    }

    /// Returns the condition under which a value is written: one that has the value, else the one that holds now.
    fn condition_for<'r>(
        &'r self,
        index: usize,
        at: usize,
        rule: &'r Rule,
        value: &Scalar,
        walk: &Walk<'_>,
        depth: u8,
    ) -> Option<&'r Rule> {
        let present = self.condition(index, at, walk, depth);
        let has_value = |condition: &&Rule| self.has_value(condition, value, walk, depth);
        // The present one is kept if it has the value, so that as few DPs as possible change.
        present.filter(has_value).or_else(|| rule.conditions.iter().find(has_value)).or(present)
    }

    /// Adds the data of the constraint, so that the condition holds.
    #[expect(clippy::too_many_arguments, reason = "one step of `write`")]
    fn set_constraint(
        &self,
        index: usize,
        rule: &Rule,
        condition: &Rule,
        value: &Scalar,
        walk: &Walk<'_>,
        writes: &mut Writes,
        depth: u8,
    ) {
        if !self.has_value(condition, value, walk, depth) || !self.sets_constraint(index, rule, condition) {
            return;
        }
        let other = self.constraint(index, rule);
        if let (Some(other), Some([data])) = (other, condition.dps_val.as_deref())
            && *data != Scalar::Null
        {
            // A constraint that takes no such data stays as it is.
            _ = self.set(other, data.clone(), walk, writes, depth + 1);
        }
    }

    /// Refuses a value that cannot be set in the present state.
    fn check_now(&self, index: usize, at: usize, rule: &Rule, walk: &Walk<'_>, depth: u8) -> Result<(), ValueError> {
        let present = self.condition(index, at, walk, depth);
        if !rule.invalid && !present.is_some_and(|condition| condition.invalid) {
            return Ok(());
        }
        let name = self.dps.get(index).map_or("", |dp| &dp.name);
        let other = self.constraint(index, rule).and_then(|other| self.dps.get(other));
        let subject = other.map_or_else(String::new, |dp| dp.name.clone());
        let data = self.constraint_data(index, rule, walk, depth).filter(|_| other.is_some_and(|dp| !dp.is_sensitive));
        let state = data.map_or_else(String::new, |data| words::text(&data).to_string());
        // The states in which it can be set: all that the file lists for it.
        let allowed = rule.conditions.iter().filter(|condition| !condition.invalid);
        let allowed = allowed.flat_map(|condition| condition.dps_val.iter().flatten());
        let allowed = allowed.map(|data| words::text(data).to_string()).collect();
        Err(ValueError::new(name, Limit::NotNow { subject, state, allowed }))
    }

    /// Refuses a word that no rule has.
    fn check_word(
        &self,
        index: usize,
        dp: &ProfileDp,
        value: &Scalar,
        walk: &Walk<'_>,
        depth: u8,
    ) -> Result<(), ValueError> {
        let is_word = matches!(value, Scalar::Text(_)) || !dp.kind.is_number() && dp.kind != DpType::Boolean;
        if !is_word {
            return Ok(());
        }
        let values = self.values(index, walk, depth);
        if values.is_empty() {
            return Ok(());
        }
        let words = values.iter().map(|value| words::text(value).to_string()).collect();
        Err(ValueError::new(&*dp.name, Limit::Words(words)))
    }

    /// Undoes scale, target range and inversion, and rounds to the step.
    fn untransformed(
        &self,
        dp: &ProfileDp,
        rule: &Rule,
        condition: Option<&Rule>,
        number: Number,
        walk: &Walk<'_>,
        depth: u8,
    ) -> Option<Scalar> {
        let mut number = number;
        if let Some(scale) = condition.and_then(|rule| rule.scale).or(rule.scale) {
            number = exact::product(number, scale)?;
        }
        if let Some(range) = dp.range {
            if let Some(target) = condition.and_then(|rule| rule.target_range).or(rule.target_range) {
                number = exact::remapped(number, target, range)?;
            }
            if condition.and_then(|rule| rule.invert).or(rule.invert) == Some(true) {
                number = exact::inverted(number, range)?;
            }
        }
        if let Some(step) = condition.and_then(|rule| rule.step).or(rule.step) {
            number = exact::stepped(number, step)?;
        }
        let result = Scalar::Number(number);
        if rule.scale.is_none() && rule.step.is_none() {
            return Some(result);
        }
        // A number that a rule gives to certain data, as the highest speed of a fan.
        let single = dp.mapping.iter().find(|rule| {
            let is_it = rule.value.as_ref().is_some_and(|value| is_same(value, &result));
            is_it && rule.dps_val.is_some() && !rule.hidden && self.is_available(rule, walk, depth)
        });
        Some(single.and_then(|rule| rule.dps_val.as_ref()?.first().cloned()).unwrap_or(result))
    }

    /// Adds data of a DP, as its type asks for, after a look at its range.
    fn set(
        &self,
        index: usize,
        data: Scalar,
        walk: &Walk<'_>,
        writes: &mut Writes,
        depth: u8,
    ) -> Result<(), ValueError> {
        let Some(dp) = self.dps.get(index) else { return Ok(()) };
        let error = |limit| ValueError::new(&*dp.name, limit);
        if let Scalar::Number(number) = &data
            && let Some(range) = self.range(index, walk, false, depth)
        {
            let number = Number::from(number.rounded(0).unwrap_or(i64::MAX));
            let number = if dp.kind == DpType::Float { data_number(&data) } else { number };
            if number < range.min || number > range.max {
                let Range { min, max } = self.range(index, walk, true, depth).unwrap_or(range);
                let unit = dp.unit.clone().unwrap_or_default();
                return Err(error(Limit::Range { min: Some(min), max: Some(max), unit }));
            }
        }
        let json = if let (Some(mask), Some(number)) = (&dp.mask, mask_number(&data)) {
            if let Some((min, max)) = mask_range(dp, mask).filter(|(min, max)| !(*min..=*max).contains(&number.into()))
            {
                let [min, max] = [min, max].map(|end| i64::try_from(end).ok().map(Number::from));
                return Err(error(Limit::Range { min, max, unit: String::new() }));
            }
            let pending = Pending { writes, source: walk.source };
            packed(dp, mask, number, &pending).ok_or_else(|| error(Limit::Kind("settable once its bytes are known")))?
        } else {
            let is_text = matches!(walk.source.data(dp.id), Some(Data::Text(_)));
            encoded(dp.kind, &data, is_text).map_err(|kind| error(Limit::Kind(kind)))?
        };
        writes.set(dp.id, json);
        if dp.is_sensitive {
            writes.sensitive.insert(dp.id);
        }
        Ok(())
    }
}

fn data_number(data: &Scalar) -> Number {
    match data {
        Scalar::Number(number) => *number,
        Scalar::Null | Scalar::Bool(_) | Scalar::Text(_) => Number::from(0),
    }
}

/// Returns a distance that orders numbers; exact as long as they are no giants.
fn distance(a: Number, b: Number) -> Number {
    let scale = a.scale().max(b.scale());
    let digits = |number: Number| number.rounded(scale).map_or(i128::from(i64::MAX), i128::from);
    Number::new(i64::try_from((digits(a) - digits(b)).abs()).unwrap_or(i64::MAX), scale)
}

/// Returns the least and the greatest number that the bits of a mask hold.
fn mask_range(dp: &ProfileDp, mask: &[u8]) -> Option<(i128, i128)> {
    let (_, count) = mask_bits(mask)?;
    let all = 1_i128.checked_shl(u32::try_from(count).ok()?)?;
    // A number of 64 bits is written with its sign.
    let is_signed = dp.is_mask_signed || count == 64;
    Some(if is_signed { (-(all / 2), all / 2 - 1) } else { (0, all - 1) })
}

fn mask_number(data: &Scalar) -> Option<i64> {
    match data {
        Scalar::Bool(value) => Some(i64::from(*value)),
        Scalar::Number(number) => number.rounded(0),
        Scalar::Null | Scalar::Text(_) => None,
    }
}

/// Returns data with the bits of a mask replaced.
fn packed(dp: &ProfileDp, mask: &[u8], number: i64, source: &dyn DpSource) -> Option<Json> {
    let (lowest, count) = mask_bits(mask)?;
    let text = match source.data(dp.id)? {
        Data::Number(present) => {
            let mut bytes = present.exact(0)?.to_be_bytes().to_vec();
            put(&mut bytes, mask, number, lowest, count);
            return Some(i64::from_be_bytes(bytes.try_into().ok()?).into());
        }
        Data::Text(text) => text.into_owned(),
        Data::Bool(_) | Data::Json(_) => return None,
    };
    let Some(mut bytes) = bytes(dp.kind, &text) else {
        // A number as text.
        let mut bytes = text.parse::<i64>().ok()?.to_be_bytes().to_vec();
        put(&mut bytes, mask, number, lowest, count);
        return Some(i64::from_be_bytes(bytes.try_into().ok()?).to_string().into());
    };
    if dp.is_little_endian {
        bytes.reverse();
    }
    // A device may send fewer bytes than the mask has.
    while bytes.len() < mask.len() {
        bytes.insert(0, 0);
    }
    put(&mut bytes, mask, number, lowest, count);
    if dp.is_little_endian {
        bytes.reverse();
    }
    Some(text_of(dp.kind, &bytes).into())
}

fn put(bytes: &mut [u8], mask: &[u8], number: i64, lowest: usize, count: usize) {
    for bit in (0..count).filter(|bit| is_set(mask, lowest + bit)) {
        let at = lowest + bit;
        let byte = bytes.len().checked_sub(at / 8 + 1).and_then(|place| bytes.get_mut(place));
        if let Some(byte) = byte {
            let one = 1_u8 << (at % 8);
            *byte = if number >> bit & 1 == 1 { *byte | one } else { *byte & !one };
        }
    }
}

/// Returns bytes as text of a type.
pub(super) fn text_of(kind: DpType, bytes: &[u8]) -> String {
    match kind {
        DpType::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => Base64::encode_string(bytes),
    }
}

/// Returns data as a DP of this type takes them. The error says which kind of value it takes.
fn encoded(kind: DpType, data: &Scalar, is_text: bool) -> Result<Json, &'static str> {
    match kind {
        DpType::Boolean => match data {
            Scalar::Bool(value) => Ok((*value).into()),
            Scalar::Number(number) => Ok((*number != Number::from(0)).into()),
            Scalar::Text(text) => Data::Text(text.as_ref().into()).as_bool().map(Json::Bool).ok_or("on or off"),
            Scalar::Null => Err("on or off"),
        },
        DpType::Integer | DpType::Bitfield | DpType::UnixTime | DpType::Float => {
            let number = match data {
                Scalar::Number(number) => *number,
                Scalar::Bool(value) => Number::from(u8::from(*value)),
                Scalar::Text(text) => text.parse().map_err(|_| "a number")?,
                Scalar::Null => return Err("a number"),
            };
            let json = match kind {
                DpType::Float => number.to_json(),
                _ => number.rounded(0).ok_or("a number")?.into(),
            };
            // The device takes numbers as it sends them.
            Ok(if is_text { json.to_string().into() } else { json })
        }
        DpType::Utf16Base64 => {
            let bytes: Vec<u8> = words::text(data).encode_utf16().flat_map(u16::to_be_bytes).collect();
            Ok(Base64::encode_string(&bytes).into())
        }
        DpType::String | DpType::Base64 | DpType::Hex | DpType::Json => match data {
            Scalar::Null => Err("a text"),
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Text(_) => Ok(words::text(data).to_string().into()),
        },
    }
}
