//! Brightness.

use core::fmt;

use crate::value::{Limit, Number, ValueError};

/// Brightness of a light, above 0 and up to 100 %: a light with brightness 0 is off.
///
/// Home Assistant counts brightness from 1 to 255, people in percent; both come back as they were set.
///
/// ```
/// # use rustuya_entities::Level;
/// assert_eq!(Level::from_byte(128).map(|level| level.percent()), Ok(50));
/// assert_eq!(Level::from_percent("12.5".parse()?)?.byte(), 32);
/// assert_eq!(Level::from_byte(0).unwrap_err().to_string(), "brightness goes from 1 to 255");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Number);

impl Level {
    /// Full brightness.
    pub const FULL: Self = Self(Number::new(100, 0));

    /// Makes a level of percent, also with decimals.
    ///
    /// # Errors
    /// 0 and below, and more than 100.
    pub fn from_percent(percent: Number) -> Result<Self, ValueError> {
        if percent > Number::from(0) && percent <= Number::from(100) {
            Ok(Self(percent))
        } else {
            Err(ValueError::new("brightness", Limit::range(1, 100, "%")))
        }
    }

    /// Makes a level of a number from 1 to 255.
    ///
    /// # Errors
    /// 0.
    pub fn from_byte(byte: u8) -> Result<Self, ValueError> {
        if byte == 0 {
            return Err(ValueError::new("brightness", Limit::range(1, 255, "")));
        }
        // Four decimals: rounding them moves no integer of a device's range.
        Ok(Self(Number::new(i64::from(byte).saturating_mul(1_000_000).saturating_add(127) / 255, 4)))
    }

    /// Makes a level of a device's report, which may be 0 at the lower end of its range.
    pub(crate) fn reported(percent: Number) -> Self {
        Self(percent.clamp(Number::from(0), Number::from(100)))
    }

    /// Returns whole percent, at least 1.
    pub fn percent(self) -> u8 {
        self.of(100)
    }

    /// Returns a number from 1 to 255.
    pub fn byte(self) -> u8 {
        self.of(255)
    }

    /// Returns permille, at least 1.
    pub(crate) fn permille(self) -> u16 {
        self.0.rounded(1).and_then(|permille| u16::try_from(permille).ok()).unwrap_or(1).clamp(1, 1000)
    }

    /// Returns percent with its decimals.
    pub const fn number(self) -> Number {
        self.0
    }

    fn of(self, whole: i64) -> u8 {
        let scaled =
            self.0.rounded(6).unwrap_or_default().saturating_mul(whole).saturating_add(50_000_000) / 100_000_000;
        u8::try_from(scaled).unwrap_or(u8::MAX).max(1)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.percent())
    }
}
