//! What one caller has in a command that several callers may share.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use rustuya_proto::Instant;
use serde_json::{Map, Value};

use crate::slot::Slot;

/// DPs to be written: JSON text of an object, and how many it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Writes {
    pub(crate) json: Arc<str>,
    pub(crate) count: usize,
}

impl Writes {
    pub(crate) fn new(dps: &Map<String, Value>) -> Self {
        // A map of strings and values is always written.
        Self { json: serde_json::to_string(dps).unwrap_or_default().into(), count: dps.len() }
    }

    pub(super) fn map(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }
}

/// One caller of a command, with a time limit of its own and, of a write, with its own DPs.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) slot: Arc<Slot>,
    /// Until when the command may wait to be sent.
    pub(crate) deadline: Instant,
    /// When its caller has waited long enough for everything, if there is a limit to that.
    pub(crate) ends: Option<Instant>,
    /// When this caller has waited long enough for the answer; `None` as long as the machine waits, and no longer.
    pub(crate) answer_by: Option<Instant>,
    /// What it writes; `None` where that is not told by DPs.
    pub(super) writes: Option<Writes>,
}

impl Claim {
    /// The DPs that it writes.
    pub(crate) fn dps(&self) -> Vec<u16> {
        let map = self.writes.as_ref().map(Writes::map).unwrap_or_default();
        map.keys().filter_map(|dp| dp.parse().ok()).collect()
    }

    /// The part of it that writes these DPs, if there is one.
    pub(super) fn part(&self, takes: impl Fn(&str) -> bool) -> Option<Self> {
        let mut dps = self.writes.as_ref()?.map();
        dps.retain(|dp, _| takes(dp));
        (!dps.is_empty()).then(|| Self { writes: Some(Writes::new(&dps)), ..self.clone() })
    }
}

/// What these callers write together; of what two write to one DP, the later value.
pub(super) fn joined(claims: &[Claim]) -> Map<String, Value> {
    let mut dps = Map::new();
    claims.iter().filter_map(|claim| claim.writes.as_ref()).for_each(|writes| dps.extend(writes.map()));
    dps
}

/// The DPs of a write of several callers, apart: those that each is the last to write, in the order of the callers.
pub(super) fn apart(claims: &[Claim]) -> Vec<Vec<String>> {
    let mut known = std::collections::HashSet::new();
    let mut groups = Vec::new();
    for writes in claims.iter().rev().filter_map(|claim| claim.writes.as_ref()) {
        let own: Vec<String> =
            writes.map().into_iter().map(|(dp, _)| dp).filter(|dp| known.insert(dp.clone())).collect();
        if !own.is_empty() {
            groups.push(own);
        }
    }
    groups.reverse();
    groups
}

/// A write that a device refused and that is tried in smaller parts.
#[derive(Debug)]
pub(crate) struct Trial {
    size: usize,
    left: AtomicU32,
}

impl Trial {
    pub(super) fn new(size: usize, parts: u32) -> Arc<Self> {
        Arc::new(Self { size, left: AtomicU32::new(parts) })
    }

    /// One part was accepted. The size of the parts, once all of them were.
    pub(crate) fn accepted(&self) -> Option<usize> {
        (self.left.fetch_sub(1, Ordering::Relaxed) == 1).then_some(self.size)
    }
}
