//! Model of the possible results of writes.

use std::collections::BTreeMap;

use rustuya_faulty::Write;
use serde_json::{Map, Value};

/// A DP of the device (`None`) or of a sub-device.
pub(super) type Place = (Option<&'static str>, u16);

/// Knowledge about a write. Its value is its number, and numbers grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It may take effect, or may have taken effect.
    Maybe,
    /// The device has acknowledged it.
    Done,
    /// It was not sent.
    Not,
}

/// All writes of an episode.
#[derive(Debug, Default)]
pub(super) struct Model {
    writes: BTreeMap<Place, BTreeMap<i64, Known>>,
    last: i64,
    /// Number of executed writes that were checked.
    seen: usize,
    executed: BTreeMap<(Option<String>, u16), i64>,
}

impl Model {
    /// Adds a write to a place. Returns its value.
    pub(super) fn add(&mut self, place: Place) -> i64 {
        self.last += 1;
        self.writes.entry(place).or_default().insert(self.last, Known::Maybe);
        self.last
    }

    /// Updates the knowledge about a write.
    pub(super) fn update(&mut self, place: Place, value: i64, known: Known) {
        self.writes.entry(place).or_default().insert(value, known);
    }

    /// Returns the number of writes that the device has executed.
    pub(super) fn executed(&self) -> u64 {
        self.seen as u64
    }

    /// Returns whether a place has the value of this write, or a newer one.
    pub(super) fn has(&self, (cid, dp): Place, value: i64) -> bool {
        self.executed.get(&(cid.map(str::to_owned), dp)).is_some_and(|executed| *executed >= value)
    }

    /// Compares the writes executed since the last check with the possible ones.
    pub(super) fn check(&mut self, written: &[Write]) -> Result<(), String> {
        for write in &written[self.seen..] {
            let Write { cid, dp, value } = write;
            let number = value.as_i64().ok_or_else(|| format!("a value that nobody wrote: {value}"))?;
            let place = (cid.clone(), *dp);
            let writes = self.writes.iter().find(|((known, id), _)| *known == cid.as_deref() && id == dp);
            match writes.and_then(|(_, writes)| writes.get(&number)) {
                None => return Err(format!("{} was executed, but never written", show(&place, number))),
                Some(Known::Not) => {
                    return Err(format!("{} was reported as unsent, but executed", show(&place, number)));
                }
                Some(Known::Maybe | Known::Done) => {}
            }
            match self.executed.insert(place.clone(), number) {
                Some(before) if before >= number => {
                    return Err(format!("{} was executed after {before}", show(&place, number)));
                }
                _ => {}
            }
        }
        self.seen = written.len();
        Ok(())
    }

    /// Compares the final DPs of the device with the writes to them.
    pub(super) fn check_end(&self, cid: Option<&'static str>, dps: &Map<String, Value>) -> Result<(), String> {
        for ((_, dp), writes) in self.writes.iter().filter(|((known, _), _)| *known == cid) {
            let done = writes.iter().rev().find(|(_, known)| **known == Known::Done).map_or(0, |(number, _)| *number);
            let value = dps.get(&dp.to_string()).and_then(Value::as_i64).unwrap_or(-1);
            if value < done {
                return Err(format!("DP {dp} of {cid:?} is {value} in the end, after {done} was acknowledged"));
            }
        }
        Ok(())
    }
}

fn show((cid, dp): &(Option<String>, u16), number: i64) -> String {
    let of = cid.as_ref().map(|cid| format!(" of {cid}")).unwrap_or_default();
    format!("write {number} to DP {dp}{of}")
}
