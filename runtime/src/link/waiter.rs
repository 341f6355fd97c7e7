//! One caller's share of a command that several callers may wait for.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use rustuya_proto::Instant;
use serde_json::{Map, Value};

use super::slot::Slot;

/// DPs to be written: JSON text of an object, and the number of its members. Shared by a request and its waiters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Writes {
    pub(crate) json: Arc<str>,
    pub(crate) count: usize,
}

impl Writes {
    pub(crate) fn new(dps: &Map<String, Value>) -> Self {
        // A map of strings and values always serializes.
        Self { json: serde_json::to_string(dps).unwrap_or_default().into(), count: dps.len() }
    }

    pub(super) fn map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// One caller of a [`Request`](super::request::Request). Adds the time limits of that caller and, for a write, its own
/// DPs, so that merged writes can be taken apart again.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) slot: Arc<Slot>,
    /// Time limit for the command to be sent.
    pub(crate) deadline: Instant,
    /// Time limit for the command as a whole, if there is one.
    pub(crate) ends: Option<Instant>,
    /// Time limit for the answer; `None` leaves it to the machine.
    pub(crate) answer_by: Option<Instant>,
    /// DPs of this caller; `None` if the command does not write DPs.
    pub(super) writes: Option<Writes>,
}

impl Waiter {
    /// Returns the DPs that it writes.
    pub(crate) fn dps(&self) -> Vec<u16> {
        let map = self.writes.as_ref().map(Writes::map).unwrap_or_default();
        map.keys().filter_map(|dp| dp.parse().ok()).collect()
    }

    /// Returns the part that writes these DPs, if there is one.
    pub(super) fn part(&self, takes: impl Fn(&str) -> bool) -> Option<Self> {
        let mut dps = self.writes.as_ref()?.map();
        dps.retain(|dp, _| takes(dp));
        (!dps.is_empty()).then(|| Self { writes: Some(Writes::new(&dps)), ..self.clone() })
    }
}

/// Joins the DPs of all callers; for a DP of two callers, the later value counts.
pub(super) fn joined(waiters: &[Waiter]) -> Map<String, Value> {
    let mut dps = Map::new();
    waiters.iter().filter_map(|waiter| waiter.writes.as_ref()).for_each(|writes| dps.extend(writes.map()));
    dps
}

/// Groups the DPs by the last caller that writes each, in the order of callers.
pub(super) fn apart(waiters: &[Waiter]) -> Vec<Vec<String>> {
    let mut known = std::collections::HashSet::new();
    let mut groups = Vec::new();
    for writes in waiters.iter().rev().filter_map(|waiter| waiter.writes.as_ref()) {
        let own: Vec<String> =
            writes.map().into_iter().map(|(dp, _)| dp).filter(|dp| known.insert(dp.clone())).collect();
        if !own.is_empty() {
            groups.push(own);
        }
    }
    groups.reverse();
    groups
}

/// Refused write that is retried in smaller parts.
#[derive(Debug)]
pub(crate) struct Trial {
    size: usize,
    left: AtomicU32,
}

impl Trial {
    pub(super) fn new(size: usize, parts: u32) -> Arc<Self> {
        Arc::new(Self { size, left: AtomicU32::new(parts) })
    }

    /// Counts an accepted part. Returns the size of the parts once all of them are accepted.
    pub(crate) fn accepted(&self) -> Option<usize> {
        (self.left.fetch_sub(1, Ordering::Relaxed) == 1).then_some(self.size)
    }
}
