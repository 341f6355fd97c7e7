//! Writes whose effect is watched for, and the queries of those whose push does not come.

use core::time::Duration;
use std::sync::Arc;

use rustuya_proto::{Cid, DpId, Instant};

use super::effect::Effect;
use super::slot::Slot;

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
