//! Integers of a device's range as scaled numbers, shares of the range and color temperatures.

use super::{Limit, Number};
use crate::schema::NumberSpec;

impl NumberSpec {
    fn min_or_zero(&self) -> i64 {
        self.min.unwrap_or(0)
    }

    /// Returns whether a number of the device is an integer in the range. Steps are not looked at: they say what can be
    /// set, and devices report what is.
    pub(crate) fn holds(&self, raw: Number) -> bool {
        raw.exact(0).is_some_and(|raw| self.contains(raw))
    }

    fn contains(&self, raw: i64) -> bool {
        self.min.is_none_or(|min| raw >= min) && self.max.is_none_or(|max| raw <= max)
    }

    /// Applies the scale to a number that the device sent.
    pub(crate) fn scaled(&self, raw: Number) -> Number {
        match raw.exact(0) {
            Some(integer) => self.number(integer),
            // A device that sends a fraction where its specification has an integer has applied the scale itself.
            None => raw,
        }
    }

    /// Returns the integer that stands for a number.
    pub(crate) fn raw(&self, number: Number) -> Result<i64, Limit> {
        let Some(raw) = number.exact(self.scale) else {
            return Err(if self.is_near(number) { self.step_limit() } else { self.range_limit() });
        };
        if !self.contains(raw) {
            return Err(self.range_limit());
        }
        let steps = raw.checked_sub(self.min_or_zero());
        if self.step > 1 && steps.is_none_or(|steps| steps.checked_rem(self.step) != Some(0)) {
            return Err(self.step_limit());
        }
        Ok(raw)
    }

    /// Returns whether a number is in the range, if not on a step.
    fn is_near(&self, number: Number) -> bool {
        number.rounded(self.scale).is_some_and(|raw| self.contains(raw))
    }

    fn range_limit(&self) -> Limit {
        Limit::Range {
            min: self.min.map(|min| self.number(min)),
            max: self.max.map(|max| self.number(max)),
            unit: self.unit.clone(),
        }
    }

    fn step_limit(&self) -> Limit {
        Limit::Step {
            step: self.number(self.step.max(1)),
            from: self.number(self.min_or_zero()),
            unit: self.unit.clone(),
        }
    }

    /// Returns the ends of the range, if it is one.
    fn ends(&self) -> Option<(i64, i64)> {
        let (min, max) = (self.min_or_zero(), self.max?);
        (min < max).then_some((min, max))
    }

    /// Returns the integers that stand for 0 and 100 %: the ends of the range. A range from 1 to 100 is percent already.
    fn percent_ends(&self) -> Option<(i64, i64)> {
        self.ends().map(|(min, max)| if (min, max) == (1, 100) { (0, max) } else { (min, max) })
    }

    /// Returns the integer nearest to a share `part / whole` of the range that is on a step.
    fn raw_of_share(&self, (min, max): (i64, i64), part: i64, whole: i64) -> Option<i64> {
        let step = self.step.max(1);
        let span = max.checked_sub(min)?;
        let steps = divided(span.checked_mul(part)?, whole.checked_mul(step)?)?;
        let raw = min.checked_add(steps.checked_mul(step)?)?;
        // The last step may end beyond the range.
        if raw > max { raw.checked_sub(step) } else { Some(raw) }
    }

    /// Returns the share of the range in percent, with one decimal where a whole percent stands for another integer.
    pub(crate) fn percent(&self, raw: Number, is_inverted: bool) -> Option<Number> {
        let raw = raw.rounded(0)?;
        let (min, max) = self.percent_ends()?;
        let span = max.checked_sub(min)?;
        let part = raw.checked_sub(min)?;
        let part = if is_inverted { span.checked_sub(part)? } else { part };
        let whole = divided(part.checked_mul(100)?, span)?;
        let number = Number::from(whole);
        let is_exact = self.raw_of_percent(number, is_inverted).ok() == Some(raw);
        if is_exact {
            return Some(number);
        }
        let tenths = divided(part.checked_mul(1000)?, span)?;
        Some(if tenths.checked_rem(10) == Some(0) { number } else { Number::new(tenths, 1) })
    }

    /// Returns the integer that stands for a share of the range in percent.
    pub(crate) fn raw_of_percent(&self, percent: Number, is_inverted: bool) -> Result<i64, Limit> {
        let error = || Limit::range(0, 100, "%");
        if percent < Number::from(0) || percent > Number::from(100) {
            return Err(error());
        }
        // Six decimals are finer than any range.
        let scale = percent.scale().min(6);
        let whole = 10_i64.pow(scale.into()).saturating_mul(100);
        let part = percent.rounded(scale).ok_or_else(error)?;
        let part = if is_inverted { whole.saturating_sub(part) } else { part };
        let raw = self.percent_ends().and_then(|ends| self.raw_of_share(ends, part, whole)).ok_or_else(error)?;
        // 0 is off. A little of something is more than that.
        let raw = if raw == 0 && part > 0 && !is_inverted && self.min_or_zero() >= 0 {
            self.step.max(1).min(self.max.unwrap_or(i64::MAX))
        } else {
            raw
        };
        Ok(self.min.map_or(raw, |min| raw.max(min)))
    }

    /// Returns the color temperature in kelvin, linear in mireds: `min` is the warmest. Of the kelvin that stand for
    /// the same integer it is the roundest: a multiple of 100, else of 10.
    pub(crate) fn kelvin(&self, raw: Number, min_kelvin: u32, max_kelvin: u32) -> Option<u32> {
        let raw = raw.rounded(0)?;
        let (min, max) = self.ends()?;
        let (warm, cold) = kelvin_ends(min_kelvin, max_kelvin)?;
        let span = max.checked_sub(min)?;
        let part = raw.clamp(min, max).checked_sub(min)?;
        // 1/K = 1/warm - share * (1/warm - 1/cold)
        let below = cold.checked_mul(span)?.checked_sub(part.checked_mul(cold.checked_sub(warm)?)?)?;
        let kelvin = divided(warm.checked_mul(cold)?.checked_mul(span)?, below)?;
        let round = [100, 10].into_iter().find_map(|unit| {
            let round = divided(kelvin, unit)?.checked_mul(unit)?;
            let number = Number::from(round);
            (self.raw_of_kelvin(number, min_kelvin, max_kelvin).ok()? == raw).then_some(round)
        });
        u32::try_from(round.unwrap_or(kelvin)).ok()
    }

    /// Returns the integer that stands for a color temperature.
    pub(crate) fn raw_of_kelvin(&self, kelvin: Number, min_kelvin: u32, max_kelvin: u32) -> Result<i64, Limit> {
        let error = || Limit::range(min_kelvin, max_kelvin, "K");
        if kelvin < Number::from(min_kelvin) || kelvin > Number::from(max_kelvin) {
            return Err(error());
        }
        let kelvin = kelvin.rounded(0).ok_or_else(error)?;
        let share = || {
            let (warm, cold) = kelvin_ends(min_kelvin, max_kelvin)?;
            let part = cold.checked_mul(kelvin.checked_sub(warm)?)?;
            self.raw_of_share(self.ends()?, part, kelvin.checked_mul(cold.checked_sub(warm)?)?)
        };
        share().ok_or_else(error)
    }
}

fn kelvin_ends(min_kelvin: u32, max_kelvin: u32) -> Option<(i64, i64)> {
    (0 < min_kelvin && min_kelvin < max_kelvin).then(|| (min_kelvin.into(), max_kelvin.into()))
}

/// Divides, rounded half away from zero, by a number above zero.
fn divided(dividend: i64, divisor: i64) -> Option<i64> {
    let half = divisor.checked_div(2)?.checked_mul(dividend.signum())?;
    dividend.checked_add(half)?.checked_div(divisor)
}
