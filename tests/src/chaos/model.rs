//! What may come of writes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::faulty::Write;

/// A DP of the device (`None`) or of a sub-device.
pub(super) type Place = (Option<&'static str>, u16);

/// What is known of a write. Its value is its number, and numbers grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing yet, or nothing for certain: it may take effect, or have taken effect.
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
    /// How much of what the device has obeyed was looked at.
    seen: usize,
    obeyed: BTreeMap<(Option<String>, u16), i64>,
}

impl Model {
    /// A new write to a place; its value.
    pub(super) fn give(&mut self, place: Place) -> i64 {
        self.last += 1;
        self.writes.entry(place).or_default().insert(self.last, Known::Maybe);
        self.last
    }

    /// Something became known of a write.
    pub(super) fn learn(&mut self, place: Place, value: i64, fate: Known) {
        self.writes.entry(place).or_default().insert(value, fate);
    }

    /// How many writes the device has obeyed.
    pub(super) fn obeyed(&self) -> u64 {
        self.seen as u64
    }

    /// Whether what a write to a place brought about, or something newer, is there.
    pub(super) fn has(&self, (cid, dp): Place, value: i64) -> bool {
        self.obeyed.get(&(cid.map(str::to_owned), dp)).is_some_and(|obeyed| *obeyed >= value)
    }

    /// Holds what the device has obeyed since the last look against what may have arrived there.
    pub(super) fn check(&mut self, written: &[Write]) -> Result<(), String> {
        for write in &written[self.seen..] {
            let Write { cid, dp, value } = write;
            let number = value.as_i64().ok_or_else(|| format!("a value that nobody wrote: {value}"))?;
            let place = (cid.clone(), *dp);
            let writes = self.writes.iter().find(|((known, id), _)| *known == cid.as_deref() && id == dp);
            match writes.and_then(|(_, writes)| writes.get(&number)) {
                None => return Err(format!("{} was obeyed, which nobody wrote", show(&place, number))),
                Some(Known::Not) => {
                    return Err(format!("{} was said not to be sent, and obeyed", show(&place, number)));
                }
                Some(Known::Maybe | Known::Done) => {}
            }
            match self.obeyed.insert(place.clone(), number) {
                Some(before) if before >= number => {
                    return Err(format!("{} was obeyed after {before}", show(&place, number)));
                }
                _ => {}
            }
        }
        self.seen = written.len();
        Ok(())
    }

    /// Holds the DPs that the device has in the end against the writes to them.
    pub(super) fn check_end(&self, cid: Option<&'static str>, dps: &Map<String, Value>) -> Result<(), String> {
        for ((_, dp), writes) in self.writes.iter().filter(|((known, _), _)| *known == cid) {
            let done = writes.iter().rev().find(|(_, fate)| **fate == Known::Done).map_or(0, |(number, _)| *number);
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
