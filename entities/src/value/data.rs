//! Data of DPs as devices send and take them.

use core::fmt;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rustuya_proto::{DpId, DpValue, Dps};
use serde_json::Value as Json;

use super::Number;

/// Data of one DP as a device sends it, borrowed from a received frame or from a kept state.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Data<'a> {
    /// A boolean.
    Bool(bool),
    /// An integer, or a number with a fraction.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array or object.
    Json(Cow<'a, Json>),
}

impl<'a> Data<'a> {
    /// Reads a value of a received frame. `None` for null and for numbers beyond 64 bits.
    pub fn from_dp(value: &DpValue<'a>) -> Option<Self> {
        Some(match value {
            DpValue::Null => return None,
            DpValue::Bool(value) => Self::Bool(*value),
            DpValue::Int(value) => Self::Number(Number::from(*value)),
            DpValue::Float(value) => Self::Number(value.to_string().parse().ok()?),
            DpValue::Str(text) => Self::Text(match text.as_str() {
                Some(plain) => Cow::Borrowed(plain),
                None => Cow::Owned(text.chars().collect()),
            }),
            DpValue::Json(text) => Self::Json(Cow::Owned(serde_json::from_str(text.as_str()?).ok()?)),
        })
    }

    /// Reads a JSON value. `None` for null and for numbers beyond 64 bits.
    pub fn from_json(value: &'a Json) -> Option<Self> {
        Some(match value {
            Json::Null => return None,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(value) => Self::Number(value.to_string().parse().ok()?),
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Self::Json(Cow::Borrowed(value)),
        })
    }

    /// Returns the boolean that the data mean: also 0 and 1 as numbers or text, and `true`, `false`, `on`, `off` as text.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Number(number) => match number.exact(0)? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            Self::Text(text) => {
                let is = |words: [&str; 3]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
                if is(["true", "on", "1"]) {
                    Some(true)
                } else if is(["false", "off", "0"]) {
                    Some(false)
                } else {
                    None
                }
            }
            Self::Json(_) => None,
        }
    }

    /// Returns the number that the data mean: also as text.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Bool(value) => Some(Number::from(u8::from(*value))),
            Self::Json(_) => None,
        }
    }

    /// Returns the data as text: numbers and booleans in their JSON form.
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Json(value) => Cow::Owned(value.to_string()),
        }
    }

    /// Returns the data as a JSON value.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => value.to_json(),
            Self::Text(text) => Json::String(text.clone().into_owned()),
            Self::Json(value) => value.clone().into_owned(),
        }
    }
}

/// DPs of one device by number: a received message, or its last known state.
pub trait DpSource {
    /// Returns the data of a DP, if the source has it.
    fn data(&self, dp: u16) -> Option<Data<'_>>;
}

impl DpSource for BTreeMap<u16, Json> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        Data::from_json(self.get(&dp)?)
    }
}

impl DpSource for serde_json::Map<String, Json> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        Data::from_json(self.get(&dp.to_string())?)
    }
}

/// Reads the message anew for each DP. For more than a few DPs, collect its pairs first.
impl DpSource for Dps<'_> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        Data::from_dp(&self.value(DpId(dp))?)
    }
}

/// Pairs of a received message. The last value of a repeated DP counts.
impl DpSource for [(DpId, DpValue<'_>)] {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        Data::from_dp(self.iter().rev().find_map(|(id, value)| (id.0 == dp).then_some(value))?)
    }
}

impl DpSource for Vec<(DpId, DpValue<'_>)> {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        self.as_slice().data(dp)
    }
}

impl<const N: usize> DpSource for [(DpId, DpValue<'_>); N] {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        self.as_slice().data(dp)
    }
}

impl<S: DpSource + ?Sized> DpSource for &S {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        (**self).data(dp)
    }
}

impl DpSource for Writes {
    fn data(&self, dp: u16) -> Option<Data<'_>> {
        self.dps.data(dp)
    }
}

/// Values to be written to a device with one command, by DP number: what a verb makes of an intent.
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Writes {
    /// Values by DP number.
    pub dps: BTreeMap<u16, Json>,
    /// DPs whose values are secret: `Debug` does not print them.
    pub sensitive: BTreeSet<u16>,
}

impl fmt::Debug for Writes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.dps.iter().filter(|(dp, _)| !self.sensitive.contains(dp));
        f.debug_struct("Writes")
            .field("dps", &shown.collect::<BTreeMap<_, _>>())
            .field("sensitive", &self.sensitive)
            .finish()
    }
}

impl Writes {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self { dps: BTreeMap::new(), sensitive: BTreeSet::new() }
    }

    /// Adds a DP, or replaces its value.
    pub fn set(&mut self, dp: u16, value: impl Into<Json>) {
        self.dps.insert(dp, value.into());
    }
}
