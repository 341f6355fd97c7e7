//! Effects of writes: the values that a device reports after a write, apart from its acknowledgement.

use rustuya_proto::{CommandCode, DpId, DpValue, Dps};
use serde_json::{Map, Value};

use crate::report::error::CommandError;
use crate::report::reply::Reply;
use crate::report::state::Gathered;

/// Values of a write, and the values that the device has reported since it was sent.
#[derive(Debug)]
pub(crate) struct Effect {
    wanted: Map<String, Value>,
    shown: Gathered,
}

/// Memory limit of reported values, in bytes: several times the size of a command.
const SHOWN: usize = 16 * 1024;

impl Effect {
    /// Parses the JSON text of DPs; `None` if it is no object of DPs.
    pub(crate) fn new(json: &str) -> Option<Self> {
        let wanted: Map<String, Value> = serde_json::from_str(json).ok()?;
        let are_dps = !wanted.is_empty() && wanted.keys().all(|dp| dp.parse::<u16>().is_ok());
        are_dps.then(|| Self { wanted, shown: Gathered::new(SHOWN) })
    }

    /// Records reported values. The last value of each DP counts.
    pub(crate) fn observe(&mut self, dps: Dps<'_>) {
        for (id, value) in dps {
            let dp = id.to_string();
            let Some(wanted) = self.wanted.get(&dp) else { continue };
            // Answers to queries show raw DPs as false, whatever their value.
            if !(wanted.is_string() && matches!(value, DpValue::Bool(false))) {
                self.shown.insert(id, &value);
            }
        }
    }

    /// Returns whether the device reports all written values.
    pub(crate) fn is_shown(&self) -> bool {
        let shown = |dp: &str| dp.parse().ok().and_then(|dp| self.shown.get(dp));
        self.wanted.iter().all(|(dp, value)| shown(dp).is_some_and(|shown| is_same(&shown, value)))
    }

    /// Combines the acknowledgement, `result`, with the effect.
    pub(crate) fn settle(&self, result: Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        match result {
            result if self.is_shown() => {
                let mut reply = result.unwrap_or_else(|_| Reply::empty(CommandCode::STATUS));
                reply.dps = self.shown.to_map();
                Ok(reply)
            }
            // Without an acknowledgement and a report of these DPs, nothing is known.
            Err(error) if self.shown.is_empty() => Err(error),
            _ => Err(CommandError::NoEffect {
                wanted: Box::new(self.wanted.clone()),
                shown: Box::new(self.shown.to_map()),
            }),
        }
    }

    pub(super) fn ids(&self) -> Vec<DpId> {
        self.wanted.keys().filter_map(|dp| dp.parse().ok()).map(DpId).collect()
    }
}

/// Compares numbers by value: devices may write 5 as 5.0.
fn is_same(shown: &Value, wanted: &Value) -> bool {
    shown == wanted || matches!((shown.as_f64(), wanted.as_f64()), (Some(shown), Some(wanted)) if shown == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn effect(shown: &[&str]) -> Effect {
        let mut effect = Effect::new(r#"{"1":true,"2":50,"9":"AAEC"}"#).expect("DPs");
        shown.iter().for_each(|dps| effect.observe(Dps::parse(dps.as_bytes()).expect("DPs")));
        effect
    }

    #[test]
    fn all_values_must_be_shown_and_the_last_one_counts() {
        let acknowledged = || Ok(Reply::empty(CommandCode::CONTROL));
        let there = effect(&[r#"{"2":10,"1":true}"#, r#"{"9":"AAEC","7":1}"#, r#"{"2":50.0}"#]);
        assert!(there.is_shown());
        let reply = there.settle(Err(CommandError::Unanswered)).expect("the push is an answer");
        assert_eq!(Value::Object(reply.dps), json!({ "1": true, "2": 50.0, "9": "AAEC" }));
        let clamped = effect(&[r#"{"2":50}"#, r#"{"1":true,"9":false,"2":40}"#]);
        let Err(CommandError::NoEffect { wanted, shown }) = clamped.settle(acknowledged()) else {
            panic!("DP 2 is another");
        };
        assert_eq!(wanted.len(), 3);
        assert_eq!(Value::Object(*shown), json!({ "1": true, "2": 40 }), "false stands for raw DPs in queries");
        assert!(
            matches!(effect(&[]).settle(acknowledged()), Err(CommandError::NoEffect { shown, .. }) if shown.is_empty())
        );
        assert_eq!(effect(&[]).settle(Err(CommandError::Unanswered)), Err(CommandError::Unanswered));
    }

    #[test]
    fn what_is_no_map_of_dps_has_no_effect() {
        for json in ["{}", "[1]", r#"{"switch":true}"#, "no JSON", r#"{"70000":1}"#] {
            assert!(Effect::new(json).is_none(), "{json}");
        }
    }
}
