//! Numbers and raw JSON, as in a payload.

use core::fmt;

use super::reader::Value;

/// A number that is not an `i64`, as its JSON text: a fraction, an exponent, or too many digits.
///
/// Kept as text so that firmware that does not read fractions does not link the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a>(&'a str);

impl<'a> Decimal<'a> {
    /// Takes a number in JSON syntax, such as `21.5` or `-1e3`; `None` for any other text.
    pub fn new(text: &'a str) -> Option<Self> {
        match Value::parse(text.as_bytes())? {
            Value::Number(number) if number.len() == text.len() => Some(Self(text)),
            _ => None,
        }
    }

    pub(crate) fn checked(text: &'a [u8]) -> Self {
        Self(core::str::from_utf8(text).unwrap_or("0"))
    }

    /// Returns the number as it is written.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Returns the nearest `f64`; infinite when the number is too large.
    pub fn to_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// JSON text as received: an array or object that is not parsed further.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JsonText<'a>(&'a [u8]);

impl<'a> JsonText<'a> {
    /// Takes text that is one whole JSON value; `None` for anything else.
    pub fn new(text: &'a str) -> Option<Self> {
        let (_, rest) = Value::split(text.as_bytes())?;
        rest.iter().all(u8::is_ascii_whitespace).then_some(Self(text.as_bytes()))
    }

    pub(crate) const fn checked(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// Returns the bytes; strings inside may hold invalid UTF-8.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the text, when it is valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }
}

impl fmt::Debug for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}
