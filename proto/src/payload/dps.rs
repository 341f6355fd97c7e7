//! Data points: values, maps to write, received maps.

use crate::ids::DpId;
use crate::json::{Decimal, JsonText, Object, Text, Value, Writer, parse_integer};

/// Value of a data point, received or to be written.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "these are the kinds of JSON values")]
pub enum DpValue<'a> {
    /// No value. Sent in device22 queries only; controls that hold it are refused.
    Null,
    /// A switch.
    Bool(bool),
    /// A number, a bitmap.
    Int(i64),
    /// A number that is not an `i64`.
    Float(Decimal<'a>),
    /// Text, an enum, raw data in base64.
    Str(Text<'a>),
    /// An array or object, as its JSON text.
    Json(JsonText<'a>),
}

impl<'a> DpValue<'a> {
    /// Creates a plain string.
    pub const fn text(text: &'a str) -> Self {
        Self::Str(Text::plain(text))
    }

    /// Returns the value, when it is a boolean.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value, when it is an integer.
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value, when it is a string without escapes and valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(text) => text.as_str(),
            _ => None,
        }
    }

    pub(crate) fn from_json(value: Value<'a>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(digits) => match parse_integer(digits) {
                Some(value) => Self::Int(value),
                None => Self::Float(Decimal::checked(digits)),
            },
            Value::String(text) => Self::Str(text),
            Value::Array(text) | Value::Object(text) => Self::Json(JsonText::checked(text)),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Null => w.text("null"),
            Self::Bool(true) => w.text("true"),
            Self::Bool(false) => w.text("false"),
            Self::Int(value) => w.integer(*value),
            Self::Float(number) => w.text(number.as_str()),
            Self::Str(text) => text.write(w),
            Self::Json(text) => match text.as_str() {
                Some(text) => w.json(text),
                None => w.text("null"),
            },
        }
    }
}

impl From<bool> for DpValue<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for DpValue<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a str> for DpValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::text(text)
    }
}

/// DPs to write, in one of two forms.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "both forms must be handled wherever DPs are written")]
pub enum DpMap<'a> {
    /// Numbers and values, written in this order.
    Pairs(&'a [(DpId, DpValue<'a>)]),
    /// The text of a JSON object whose keys are DP numbers, such as `{"1":true}`.
    Json(&'a str),
}

impl<'a> DpMap<'a> {
    /// Returns whether there is at least one DP, and JSON is an object of DP numbers.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Pairs(pairs) => !pairs.is_empty(),
            Self::Json(text) => JsonText::new(text).is_some_and(|text| {
                let entries = Object::new(text.as_bytes());
                let numbers = |(key, _): (Text<'_>, Value<'_>)| dp_id(&key).is_some();
                entries.is_some_and(|mut entries| entries.next().is_some_and(numbers) && entries.all(numbers))
            }),
        }
    }

    /// Returns whether one of the values is null, which firmware would take for a value to set.
    pub(crate) fn has_null(&self) -> bool {
        let mut found = false;
        self.each(&mut |_, value| found |= matches!(value, DpValue::Null));
        found
    }

    /// Calls `take` with each DP.
    pub(crate) fn each(&self, take: &mut dyn FnMut(DpId, DpValue<'a>)) {
        match self {
            Self::Pairs(pairs) => pairs.iter().for_each(|(id, value)| take(*id, *value)),
            Self::Json(text) => {
                Dps::parse(text.as_bytes()).into_iter().flatten().for_each(|(id, value)| take(id, value))
            }
        }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Pairs(pairs) => {
                w.byte(b'{');
                for (i, (id, value)) in pairs.iter().enumerate() {
                    write_key(w, i, *id);
                    value.write(w);
                }
                w.byte(b'}');
            }
            Self::Json(text) => w.json(text),
        }
    }
}

/// Writes the map of nulls that queries device22 firmware, with as many DPs as fit `limit` bytes.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the writer has moved forward from the start, in a buffer in memory"
)]
pub(crate) fn write_nulls(w: &mut Writer<'_>, ids: impl Iterator<Item = DpId>, limit: usize) {
    let start = w.len();
    w.byte(b'{');
    // 14 bytes: the longest entry, `,"65535":null`, and the closing bracket.
    for (i, id) in ids.enumerate() {
        if w.len() - start + 14 > limit {
            break;
        }
        write_key(w, i, id);
        w.text("null");
    }
    w.byte(b'}');
}

fn write_key(w: &mut Writer<'_>, index: usize, id: DpId) {
    if index > 0 {
        w.byte(b',');
    }
    w.byte(b'"');
    w.unsigned(u64::from(id.0));
    w.text("\":");
}

/// DPs of a received message, in order. Skips keys that are not DP numbers. Yields a repeated DP each time; its last
/// value counts.
#[derive(Clone, Copy, Debug)]
pub struct Dps<'a>(pub(super) Object<'a>);

impl<'a> Dps<'a> {
    /// Reads a JSON object of DPs, such as `{"1":true}`; `None` when it is no JSON object. Iteration ends at the first
    /// bytes that are not JSON.
    pub fn parse(json: &'a [u8]) -> Option<Self> {
        Object::new(json).map(Self)
    }

    /// Returns the text that has not been read yet: the next DPs, and the rest of the payload. A caller can store its
    /// offset beside a copy of the payload, for [`resume`](Self::resume).
    pub const fn remaining(&self) -> &'a [u8] {
        self.0.remaining()
    }

    /// Continues with a text that [`remaining`](Self::remaining) has returned, without a second search in the payload.
    ///
    /// ```
    /// # use rustuya_proto::{Dps, Report};
    /// let payload = br#"{"t":1,"dps":{"1":true}}"#;
    /// let dps = Report::parse(payload).and_then(|report| report.dps).expect("DPs");
    /// let at = payload.len() - dps.remaining().len();
    /// assert_eq!(Dps::resume(&payload[at..]).count(), 1);
    /// ```
    pub const fn resume(remaining: &'a [u8]) -> Self {
        Self(Object::resume(remaining))
    }

    /// Returns the value of one DP, the last one where it is repeated.
    pub fn value(self, id: DpId) -> Option<DpValue<'a>> {
        self.filter(|(found, _)| *found == id).last().map(|(_, value)| value)
    }
}

impl<'a> Iterator for Dps<'a> {
    type Item = (DpId, DpValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, value) = self.0.next()?;
            if let Some(id) = dp_id(&key) {
                return Some((id, DpValue::from_json(value)));
            }
        }
    }
}

/// Reads a key of plain digits.
#[expect(clippy::arithmetic_side_effects, reason = "five digits fit 32 bits")]
fn dp_id(key: &Text<'_>) -> Option<DpId> {
    let digits = key.raw();
    if !(1..=5).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    u16::try_from(value).ok().map(DpId)
}
