//! Effects of writes: the values that a device reports after a write, apart from its acknowledgement.

use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{Cid, CommandCode, DpId, DpValue, Dps, Instant};
use serde_json::{Map, Value};

use crate::error::CommandError;
use crate::reply::Reply;
use crate::slot::Slot;
use crate::state::Gathered;

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

    fn ids(&self) -> Vec<DpId> {
        self.wanted.keys().filter_map(|dp| dp.parse().ok()).map(DpId).collect()
    }
}

/// Compares numbers by value: devices may write 5 as 5.0.
fn is_same(shown: &Value, wanted: &Value) -> bool {
    shown == wanted || matches!((shown.as_f64(), wanted.as_f64()), (Some(shown), Some(wanted)) if shown == wanted)
}

/// Write whose effect is watched for after its acknowledgement.
#[derive(Debug)]
pub(crate) struct PendingEffect {
    pub(crate) slot: Arc<Slot>,
    cid: Option<Cid>,
    /// Time limit of the caller, if there is one.
    ends: Option<Instant>,
    /// Time of the query; `None` until it is set.
    ask_at: Option<Instant>,
    asked: bool,
}

/// Query for the effect of a write.
#[derive(Debug)]
pub(crate) struct EffectQuery {
    pub(crate) ids: Vec<DpId>,
    pub(crate) cid: Option<Cid>,
    pub(crate) ends: Option<Instant>,
    pub(crate) slot: Arc<Slot>,
}

/// Writes of one device whose effect is watched for.
#[derive(Debug, Default)]
pub(crate) struct Effects(Vec<PendingEffect>);

/// Time for a push to arrive after the acknowledgement, before the device is queried. Firmware pushes within
/// milliseconds, often before it acknowledges.
const PUSH: Duration = Duration::from_secs(1);

impl Effects {
    pub(crate) fn add(&mut self, slot: &Arc<Slot>, cid: Option<&Cid>, ends: Option<Instant>) {
        if !self.0.iter().any(|known| Arc::ptr_eq(&known.slot, slot)) {
            let (slot, cid) = (Arc::clone(slot), cid.cloned());
            self.0.push(PendingEffect { slot, cid, ends, ask_at: None, asked: false });
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Iterates over those of the device, or of this sub-device.
    pub(crate) fn of<'a>(&'a self, cid: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Slot>> {
        self.0.iter().filter(move |known| known.cid.as_ref().map(Cid::as_str) == cid).map(|known| &known.slot)
    }

    /// Removes those that are complete, or that no caller waits for.
    pub(crate) fn tidy(&mut self) {
        self.0.retain(|known| known.slot.awaits_effect());
    }

    /// Returns the time of the next query.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|known| !known.asked).filter_map(|known| known.ask_at).min()
    }

    /// Returns the queries that are due.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<EffectQuery> {
        self.tidy();
        let mut queries = Vec::new();
        for known in self.0.iter_mut().filter(|known| !known.asked) {
            // Without an acknowledgement there is no push to wait for.
            let wait = if known.slot.is_acknowledged() {
                known.ends.map_or(PUSH, |ends| (ends.saturating_since(now) / 2).min(PUSH))
            } else {
                Duration::ZERO
            };
            if *known.ask_at.get_or_insert(now + wait) <= now {
                known.asked = true;
                let ids = known.slot.with_effect(Effect::ids).unwrap_or_default();
                let (cid, ends) = (known.cid.clone(), known.ends);
                queries.push(EffectQuery { ids, cid, ends, slot: Arc::clone(&known.slot) });
            }
        }
        queries
    }

    /// Removes all, because nothing more will be received.
    pub(crate) fn take(&mut self) -> Vec<Arc<Slot>> {
        core::mem::take(&mut self.0).into_iter().map(|known| known.slot).collect()
    }
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
