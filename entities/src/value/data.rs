//! Data of DPs as devices send and take them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rustuya_proto::DpValue;
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

/// Values to be written to a device with one command, by DP number: what a verb makes of an intent.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Writes {
    /// Values by DP number.
    pub dps: BTreeMap<u16, Json>,
}

impl Writes {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self { dps: BTreeMap::new() }
    }

    /// Adds a DP, or replaces its value.
    pub fn set(&mut self, dp: u16, value: impl Into<Json>) {
        self.dps.insert(dp, value.into());
    }
}
