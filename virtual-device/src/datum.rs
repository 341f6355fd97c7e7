//! Constant values of DPs.

use serde_json::Value;

/// Constant value of a DP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datum {
    /// No value: as a first value, the DP was never set; as a condition, any value meets it.
    Any,
    Bool(bool),
    Int(i64),
    Text(&'static str),
}

impl Datum {
    /// Returns whether a value meets this condition.
    pub(crate) fn fits(self, value: Option<&Value>) -> bool {
        match self {
            Self::Any => true,
            datum => value.is_some_and(|value| *value == datum.value()),
        }
    }

    /// Returns the value; null for [`Any`](Self::Any).
    pub(crate) fn value(self) -> Value {
        match self {
            Self::Any => Value::Null,
            Self::Bool(value) => value.into(),
            Self::Int(value) => value.into(),
            Self::Text(text) => text.into(),
        }
    }
}
