//! What a write is to come to at the device, apart from its acknowledgement.

use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{Cid, CommandCode, DpId, DpValue, Dps, Instant};
use serde_json::{Map, Value};

use crate::error::CommandError;
use crate::reply::Reply;
use crate::slot::Slot;
use crate::state::Gathered;

/// The values that a write is to show, and what the device has shown since it was sent.
#[derive(Debug)]
pub(crate) struct Effect {
    wanted: Map<String, Value>,
    shown: Gathered,
}

/// What is kept of the values that a device shows: several times what fits a command.
const SHOWN: usize = 16 * 1024;

impl Effect {
    /// Of the JSON text of DPs; `None` where that is no object of DPs.
    pub(crate) fn new(json: &str) -> Option<Self> {
        let wanted: Map<String, Value> = serde_json::from_str(json).ok()?;
        let are_dps = !wanted.is_empty() && wanted.keys().all(|dp| dp.parse::<u16>().is_ok());
        are_dps.then(|| Self { wanted, shown: Gathered::new(SHOWN) })
    }

    /// Takes in what the device shows. The last value of each DP counts.
    pub(crate) fn show(&mut self, dps: Dps<'_>) {
        for (id, value) in dps {
            let dp = id.to_string();
            let Some(wanted) = self.wanted.get(&dp) else { continue };
            // Queries show raw DPs as false, whatever they hold: that is no value.
            if !(wanted.is_string() && matches!(value, DpValue::Bool(false))) {
                self.shown.note(id, &value);
            }
        }
    }

    /// Whether the device shows all that was written.
    pub(crate) fn is_there(&self) -> bool {
        let shown = |dp: &str| dp.parse().ok().and_then(|dp| self.shown.get(dp));
        self.wanted.iter().all(|(dp, value)| shown(dp).is_some_and(|shown| is_same(&shown, value)))
    }

    /// What the write has come to. `result` is what its acknowledgement was.
    pub(crate) fn settle(&self, result: Result<Reply, CommandError>) -> Result<Reply, CommandError> {
        match result {
            result if self.is_there() => {
                let mut reply = result.unwrap_or_else(|_| Reply::empty(CommandCode::STATUS));
                reply.dps = self.shown.to_map();
                Ok(reply)
            }
            // Without an acknowledgement, and without a word about these DPs, nothing is known.
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

/// Numbers by value: devices may write 5 as 5.0.
fn is_same(shown: &Value, wanted: &Value) -> bool {
    shown == wanted || matches!((shown.as_f64(), wanted.as_f64()), (Some(shown), Some(wanted)) if shown == wanted)
}

/// A write that is decided as far as its acknowledgement goes, and whose effect is looked for.
#[derive(Debug)]
pub(crate) struct Confirming {
    pub(crate) slot: Arc<Slot>,
    cid: Option<Cid>,
    /// When its caller has waited long enough, if there is a limit to that.
    ends: Option<Instant>,
    /// When the device is asked what it shows; `None` before that is decided.
    ask_at: Option<Instant>,
    asked: bool,
}

/// A query that looks for the effect of a write.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) ids: Vec<DpId>,
    pub(crate) cid: Option<Cid>,
    pub(crate) ends: Option<Instant>,
    pub(crate) slot: Arc<Slot>,
}

/// The writes of one device whose effect is looked for.
#[derive(Debug, Default)]
pub(crate) struct Effects(Vec<Confirming>);

/// How long a push may take after the acknowledgement before the device is asked. Firmware pushes within milliseconds,
/// often before it acknowledges.
const PUSH: Duration = Duration::from_secs(1);

impl Effects {
    pub(crate) fn add(&mut self, slot: &Arc<Slot>, cid: Option<&Cid>, ends: Option<Instant>) {
        if !self.0.iter().any(|known| Arc::ptr_eq(&known.slot, slot)) {
            let (slot, cid) = (Arc::clone(slot), cid.cloned());
            self.0.push(Confirming { slot, cid, ends, ask_at: None, asked: false });
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those about the device, or about this sub-device.
    pub(crate) fn of<'a>(&'a self, cid: Option<&'a str>) -> impl Iterator<Item = &'a Arc<Slot>> {
        self.0.iter().filter(move |known| known.cid.as_ref().map(Cid::as_str) == cid).map(|known| &known.slot)
    }

    /// Forgets those that are settled, and those that nobody waits for.
    pub(crate) fn tidy(&mut self) {
        self.0.retain(|known| known.slot.is_open());
    }

    /// When a device is to be asked.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|known| !known.asked).filter_map(|known| known.ask_at).min()
    }

    /// The queries that are due.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Look> {
        self.tidy();
        let mut looks = Vec::new();
        for known in self.0.iter_mut().filter(|known| !known.asked) {
            // Where the acknowledgement did not come, a push would have been one.
            let wait = if known.slot.is_acknowledged() {
                known.ends.map_or(PUSH, |ends| (ends.saturating_since(now) / 2).min(PUSH))
            } else {
                Duration::ZERO
            };
            if *known.ask_at.get_or_insert(now + wait) <= now {
                known.asked = true;
                let ids = known.slot.with_effect(Effect::ids).unwrap_or_default();
                let (cid, ends) = (known.cid.clone(), known.ends);
                looks.push(Look { ids, cid, ends, slot: Arc::clone(&known.slot) });
            }
        }
        looks
    }

    /// There will be no more news.
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
        shown.iter().for_each(|dps| effect.show(Dps::parse(dps.as_bytes()).expect("DPs")));
        effect
    }

    #[test]
    fn all_values_must_be_shown_and_the_last_one_counts() {
        let acknowledged = || Ok(Reply::empty(CommandCode::CONTROL));
        let there = effect(&[r#"{"2":10,"1":true}"#, r#"{"9":"AAEC","7":1}"#, r#"{"2":50.0}"#]);
        assert!(there.is_there());
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
