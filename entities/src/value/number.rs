//! Exact decimal numbers.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde_json::Value as Json;

/// Most digits after the point.
const MAX_SCALE: u8 = 18;

/// An exact decimal number: `mantissa / 10^scale`. The vendor gives readings this way (215 with scale 1 is 21.5), and a
/// binary fraction would turn them into 21.499999.
///
/// Equal numbers are equal whatever their scale: 21.50 is 21.5.
#[derive(Clone, Copy, Debug, Default)]
pub struct Number {
    mantissa: i64,
    scale: u8,
}

impl Number {
    /// Makes `mantissa / 10^scale`. A scale beyond 18 counts as 18.
    pub const fn new(mantissa: i64, scale: u8) -> Self {
        Self { mantissa, scale: if scale > MAX_SCALE { MAX_SCALE } else { scale } }
    }

    /// Returns the digits without the point.
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// Returns the number of digits after the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Returns the number times `10^scale`, rounded half away from zero; `None` beyond 64 bits.
    pub fn rounded(self, scale: u8) -> Option<i64> {
        let scale = scale.min(MAX_SCALE);
        if scale == self.scale {
            return Some(self.mantissa);
        }
        let mantissa = i128::from(self.mantissa);
        let scaled = if scale >= self.scale {
            mantissa * 10_i128.pow(u32::from(scale - self.scale))
        } else {
            let divisor = 10_i128.pow(u32::from(self.scale - scale));
            (mantissa + mantissa.signum() * (divisor / 2)) / divisor
        };
        i64::try_from(scaled).ok()
    }

    /// Returns the number times `10^scale`; `None` if that is no integer of 64 bits.
    pub fn exact(self, scale: u8) -> Option<i64> {
        if scale == self.scale {
            return Some(self.mantissa);
        }
        self.rounded(scale).filter(|mantissa| Self::new(*mantissa, scale) == self)
    }

    /// Adds two numbers exactly; `None` beyond 64 bits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let sum = self.exact(scale)?.checked_add(other.exact(scale)?)?;
        Some(Self::new(sum, scale))
    }

    /// Returns the number without zeros at the end of its decimals: 21.50 as 21.5, 5.0 as 5.
    #[must_use]
    pub const fn shortest(self) -> Self {
        let mut shortest = self;
        while shortest.scale > 0 && shortest.mantissa % 10 == 0 {
            shortest = Self { mantissa: shortest.mantissa / 10, scale: shortest.scale - 1 };
        }
        shortest
    }

    /// Returns the nearest binary fraction.
    pub fn to_f64(self) -> f64 {
        // Text is the one way that rounds once.
        self.to_string().parse().unwrap_or_default()
    }

    /// Returns the number as JSON: an integer if it is one, else a number with a fraction.
    pub fn to_json(self) -> Json {
        match self.exact(0) {
            Some(integer) => integer.into(),
            None => self.to_f64().into(),
        }
    }

    fn widened(self) -> i128 {
        i128::from(self.mantissa) * 10_i128.pow(u32::from(MAX_SCALE - self.scale))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.widened().hash(state);
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        self.widened().cmp(&other.widened())
    }
}

impl fmt::Display for Number {
    /// Writes all digits of the scale: 21.50 stays 21.50.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return self.mantissa.fmt(f);
        }
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs(), width = usize::from(self.scale) + 1);
        let (integer, fraction) = digits.split_at(digits.len() - usize::from(self.scale));
        f.pad_integral(self.mantissa >= 0, "", &format!("{integer}.{fraction}"))
    }
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Number {
            fn from(integer: $integer) -> Self {
                Self::new(i64::from(integer), 0)
            }
        }
    )*};
}

from_integers!(i64 i32 i16 i8 u32 u16 u8);

/// Error of a text that is no decimal number, or has more digits than 64 bits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of at most 18 digits, such as 21.5")]
#[non_exhaustive]
pub struct ParseNumberError;

impl FromStr for Number {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().map_err(|_| ParseNumberError)?),
            None => (text, 0),
        };
        let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let unsigned = integer.strip_prefix(['-', '+']).unwrap_or(integer);
        let is_number = !(unsigned.is_empty() && fraction.is_empty())
            && unsigned.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(ParseNumberError);
        }
        // A zero behind the fraction carries nothing, and a device may send many.
        let fraction = if fraction.len() > usize::from(MAX_SCALE) { fraction.trim_end_matches('0') } else { fraction };
        let scale = i32::try_from(fraction.len()).map_err(|_| ParseNumberError)?;
        let scale = scale.checked_sub(exponent).ok_or(ParseNumberError)?;
        let mut mantissa: i64 = format!("{integer}{fraction}").parse().map_err(|_| ParseNumberError)?;
        if mantissa == 0 {
            return Ok(Self::new(0, u8::try_from(scale.clamp(0, i32::from(MAX_SCALE))).unwrap_or_default()));
        }
        if scale < 0 {
            let factor = 10_i64.checked_pow(scale.unsigned_abs()).ok_or(ParseNumberError)?;
            mantissa = mantissa.checked_mul(factor).ok_or(ParseNumberError)?;
            return Ok(Self::new(mantissa, 0));
        }
        match u8::try_from(scale) {
            Ok(scale) if scale <= MAX_SCALE => Ok(Self::new(mantissa, scale)),
            _ => Err(ParseNumberError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(Number::new(215, 1).to_string(), "21.5");
        assert_eq!(Number::new(-5, 2).to_string(), "-0.05");
        assert_eq!("21.50".parse(), Ok(Number::new(215, 1)));
        assert_eq!("-0.05".parse(), Ok(Number::new(-5, 2)));
        assert_eq!(Number::new(-2150, 2).shortest().to_string(), "-21.5");
        assert_eq!(Number::new(0, 2).shortest().to_string(), "0");
        assert_eq!("1.5e3".parse(), Ok(Number::from(1500)));
        assert_eq!("25e-1".parse(), Ok(Number::new(25, 1)));
        assert_eq!(Number::new(215, 1).to_f64().to_string(), "21.5");
        assert_eq!(Number::new(215, 1).to_json().to_string(), "21.5");
        assert_eq!(Number::new(210, 1).to_json().to_string(), "21");
        for text in ["", "-", ".", "1.2.3", "1e", "nan", "9223372036854775808", "1e-19", "1e99", "--1", "- 1"] {
            assert_eq!(text.parse::<Number>(), Err(ParseNumberError), "{text}");
        }
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(Number::new(1, 1).checked_add(Number::new(25, 2)), Some(Number::new(35, 2)));
        assert_eq!(Number::from(i64::MAX).checked_add(Number::from(1)), None);
        assert_eq!(Number::from(i64::MAX).checked_add(Number::new(1, 1)), None);
    }

    #[test]
    fn rounds_half_away_from_zero() {
        assert_eq!(Number::new(25, 1).rounded(0), Some(3));
        assert_eq!(Number::new(-25, 1).rounded(0), Some(-3));
        assert_eq!(Number::new(24, 1).rounded(0), Some(2));
        assert_eq!(Number::new(25, 1).exact(0), None);
        assert_eq!(Number::new(250, 2).exact(1), Some(25));
        assert_eq!(Number::from(i64::MAX).rounded(1), None);
    }
}
