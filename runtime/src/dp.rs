//! DP numbers and values, as callers give them.

use rustuya_proto::DpId;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::CommandError;
use crate::link::{Ask, Writes};

/// A DP: its number, or its number as text.
///
/// ```
/// # use rustuya_runtime::Dp;
/// assert_eq!(Dp::from(20).number(), Some(20));
/// assert_eq!(Dp::from("20").number(), Some(20));
/// assert_eq!(Dp::from("switch").number(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dp(Result<u16, String>);

impl Dp {
    /// The number; `None` when the text was none from 0 to 65535.
    pub fn number(&self) -> Option<u16> {
        self.0.as_ref().ok().copied()
    }
}

impl From<u16> for Dp {
    fn from(number: u16) -> Self {
        Self(Ok(number))
    }
}

impl From<&str> for Dp {
    fn from(text: &str) -> Self {
        Self(text.parse().map_err(|_| text.to_owned()))
    }
}

impl From<String> for Dp {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<DpId> for Dp {
    fn from(id: DpId) -> Self {
        Self(Ok(id.0))
    }
}

/// Writing one DP.
pub(crate) fn set_value(dp: Dp, value: impl Serialize) -> Result<Ask, CommandError> {
    let dp = dp.0.map_err(CommandError::InvalidDp)?;
    let mut json = format!("{{\"{dp}\":").into_bytes();
    serde_json::to_writer(&mut json, &value).map_err(|error| CommandError::InvalidValue(error.to_string()))?;
    json.push(b'}');
    // What is written is always text.
    Ok(Ask::Set(Writes { json: String::from_utf8(json).unwrap_or_default(), count: 1 }))
}

/// Writing several DPs.
pub(crate) fn set_dps(dps: impl Serialize) -> Result<Ask, CommandError> {
    let dps = serde_json::to_value(dps).map_err(|error| CommandError::InvalidValue(error.to_string()))?;
    let Value::Object(dps) = dps else {
        return Err(CommandError::InvalidValue("it is no map from DPs to values".into()));
    };
    if dps.is_empty() {
        return Err(CommandError::InvalidValue("it holds no DPs".into()));
    }
    let mut numbered = Map::new();
    for (dp, value) in dps {
        let number: u16 = dp.parse().map_err(|_| CommandError::InvalidDp(dp))?;
        numbered.insert(number.to_string(), value);
    }
    Ok(Ask::Set(Writes::new(&numbered)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn json(ask: Result<Ask, CommandError>) -> Result<String, CommandError> {
        ask.map(|ask| match ask {
            Ask::Set(writes) => format!("{} {}", writes.count, writes.json),
            _ => String::new(),
        })
    }

    #[test]
    fn whatever_serializes_can_be_written() {
        assert_eq!(json(set_value(1.into(), true)), Ok(r#"1 {"1":true}"#.into()));
        assert_eq!(json(set_value("24".into(), "000003e803e8")), Ok(r#"1 {"24":"000003e803e8"}"#.into()));
        assert_eq!(json(set_value(2.into(), [1, 2])), Ok(r#"1 {"2":[1,2]}"#.into()));
        assert_eq!(json(set_dps(BTreeMap::from([(1, 5), (3, 6)]))), Ok(r#"2 {"1":5,"3":6}"#.into()));
        assert_eq!(json(set_dps(serde_json::json!({ "07": 1 }))), Ok(r#"1 {"7":1}"#.into()));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_reason() {
        assert_eq!(json(set_value("x".into(), 1)), Err(CommandError::InvalidDp("x".into())));
        assert_eq!(json(set_dps(BTreeMap::from([("70000", 1)]))), Err(CommandError::InvalidDp("70000".into())));
        assert!(matches!(json(set_dps(5)), Err(CommandError::InvalidValue(_))));
        assert!(matches!(json(set_dps(BTreeMap::<u16, u16>::new())), Err(CommandError::InvalidValue(_))));
        let keys = BTreeMap::from([((1, 2), 3)]);
        assert!(matches!(json(set_value(1.into(), keys)), Err(CommandError::InvalidValue(_))));
    }
}
