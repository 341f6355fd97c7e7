//! Exact arithmetic for scales and ranges. Every result is `None` beyond the integers that it is made with.

use crate::profile::model::Range;
use crate::value::Number;

/// Most decimals of a result that is no decimal number, such as a third.
const DECIMALS: u8 = 6;

/// A fraction in lowest terms with a positive denominator.
#[derive(Clone, Copy)]
struct Ratio {
    num: i128,
    den: i128,
}

impl Ratio {
    fn new(num: i128, den: i128) -> Option<Self> {
        let (mut a, mut b) = (num.unsigned_abs(), den.unsigned_abs());
        while b != 0 {
            (a, b) = (b, a.checked_rem(b)?);
        }
        let divisor = i128::try_from(a).ok()?.checked_mul(den.signum())?;
        Some(Self { num: num.checked_div(divisor)?, den: den.checked_div(divisor)? })
    }

    fn of(number: Number) -> Option<Self> {
        Self::new(i128::from(number.mantissa()), 10_i128.checked_pow(u32::from(number.scale()))?)
    }

    fn add(self, other: Self) -> Option<Self> {
        let num = self.num.checked_mul(other.den)?.checked_add(other.num.checked_mul(self.den)?)?;
        Self::new(num, self.den.checked_mul(other.den)?)
    }

    fn negate(self) -> Option<Self> {
        Some(Self { num: self.num.checked_neg()?, den: self.den })
    }

    fn mul(self, other: Self) -> Option<Self> {
        Self::new(self.num.checked_mul(other.num)?, self.den.checked_mul(other.den)?)
    }

    fn invert(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    /// Returns the decimal number, with as few decimals as it needs, rounded half away from zero.
    fn number(self) -> Option<Number> {
        let scale =
            (0..=9).find(|scale| 10_i128.pow(*scale) % self.den == 0).and_then(|scale| u8::try_from(scale).ok());
        let scale = scale.unwrap_or(DECIMALS);
        let scaled = self.num.checked_mul(10_i128.checked_pow(u32::from(scale))?)?;
        let half = self.den.checked_div(2)?.checked_mul(scaled.signum())?;
        let mantissa = scaled.checked_add(half)?.checked_div(self.den)?;
        Some(trimmed(Number::new(i64::try_from(mantissa).ok()?, scale)))
    }
}

/// Drops zeros behind the point.
fn trimmed(number: Number) -> Number {
    let scale = (0..number.scale()).find(|scale| number.exact(*scale).is_some());
    scale.and_then(|scale| Some(Number::new(number.exact(scale)?, scale))).unwrap_or(number)
}

/// Returns `a / b`.
pub(super) fn quotient(a: Number, b: Number) -> Option<Number> {
    Ratio::of(a)?.mul(Ratio::of(b)?.invert()?)?.number()
}

/// Returns `a * b`.
pub(super) fn product(a: Number, b: Number) -> Option<Number> {
    Ratio::of(a)?.mul(Ratio::of(b)?)?.number()
}

/// Returns the multiple of `step` that is nearest to a number.
pub(super) fn stepped(number: Number, step: Number) -> Option<Number> {
    let steps = Ratio::of(number)?.mul(Ratio::of(step)?.invert()?)?.number()?.rounded(0)?;
    product(Number::from(steps), step)
}

/// Returns the number as far from the end of a range as it was from the beginning.
pub(super) fn inverted(number: Number, range: Range) -> Option<Number> {
    let ends = Ratio::of(range.min)?.add(Ratio::of(range.max)?)?;
    ends.add(Ratio::of(number)?.negate()?)?.number()
}

/// Returns the number of range `to` that lies where the number lies in range `from`.
pub(super) fn remapped(number: Number, from: Range, to: Range) -> Option<Number> {
    let length = |range: Range| Ratio::of(range.max)?.add(Ratio::of(range.min)?.negate()?);
    let offset = Ratio::of(number)?.add(Ratio::of(from.min)?.negate()?)?;
    offset.mul(length(to)?)?.mul(length(from)?.invert()?)?.add(Ratio::of(to.min)?)?.number()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: i64, max: i64) -> Range {
        Range { min: Number::from(min), max: Number::from(max) }
    }

    #[test]
    fn results_are_exact_where_they_can_be() {
        let text = |number: Option<Number>| number.map(|number| number.to_string()).unwrap_or_default();
        assert_eq!(text(quotient(Number::from(215), Number::from(10))), "21.5");
        assert_eq!(text(quotient(Number::from(210), Number::from(10))), "21");
        assert_eq!(text(quotient(Number::from(1), Number::from(3))), "0.333333");
        assert_eq!(text(quotient(Number::from(-2), Number::from(3))), "-0.666667");
        assert_eq!(text(quotient(Number::from(2), Number::new(3, 2))), "66.666667");
        assert_eq!(text(product(Number::new(215, 1), Number::from(10))), "215");
        assert_eq!(text(stepped(Number::new(214, 1), Number::from(5))), "20");
        assert_eq!(text(inverted(Number::from(30), range(0, 100))), "70");
        assert_eq!(text(remapped(Number::from(500), range(0, 1000), range(2700, 6500))), "4600");
        assert_eq!(text(remapped(Number::from(4600), range(2700, 6500), range(0, 1000))), "500");
    }

    #[test]
    fn no_input_overflows() {
        let odd = [0, 1, -1, 3, i64::MAX, i64::MIN, 1_000_000_007];
        for a in odd {
            for b in odd {
                for scale in [0, 9, 18] {
                    let (a, b) = (Number::new(a, scale), Number::new(b, 18 - scale));
                    let ends = Range { min: a, max: b };
                    _ = (quotient(a, b), product(a, b), stepped(a, b), inverted(a, ends));
                    _ = (remapped(a, ends, range(-7, 13)), remapped(a, range(0, 3), ends));
                }
            }
        }
        assert!(quotient(Number::from(1), Number::from(0)).is_none());
        assert!(remapped(Number::from(1), range(3, 3), range(0, 100)).is_none());
    }
}
