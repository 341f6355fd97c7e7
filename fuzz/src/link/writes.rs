//! Counts of sent writes.

use core::ops::Range;
use std::collections::BTreeMap;

use rustuya_proto::CommandCode;
use serde_json::{Map, Value, json};

use super::OTHER_KEY;
use crate::machines::KEY;
use crate::tap::Tap;

/// Writes, each with a unique number as its value.
pub(super) struct Writes {
    /// For each number, the number of DPs in its command and the number of frames that contained it.
    known: BTreeMap<i64, (u32, u32)>,
    /// True if writes of several callers may have been sent in one frame.
    pub(super) may_join: bool,
}

impl Writes {
    pub(super) const fn new(may_join: bool) -> Self {
        Self { known: BTreeMap::new(), may_join }
    }

    /// Makes the values for these DPs in one command.
    pub(super) fn give(&mut self, dps: Range<u16>) -> Map<String, Value> {
        let count = u32::from(dps.end - dps.start);
        let first = self.known.last_key_value().map_or(0, |(number, _)| number + 1);
        let numbers = dps.zip(first..);
        numbers
            .map(|(dp, number)| {
                self.known.insert(number, (count, 0));
                (dp.to_string(), json!(number))
            })
            .collect()
    }

    /// Counts a sent frame with these numbers.
    ///
    /// # Panics
    /// If one of them was sent more often than refusals explain: a refused joint write is repeated for each caller,
    /// then in halves.
    pub(super) fn note(&mut self, numbers: &[i64]) {
        for number in numbers {
            let (count, sent) = self.known.get_mut(number).expect("no caller wrote this number");
            *sent += 1;
            let most = 1 + count.next_power_of_two().ilog2() + u32::from(self.may_join);
            assert!(*sent <= most, "a write of {count} DPs was sent {sent} times, with {number}");
        }
    }
}

/// Returns the numbers that a whole frame of the controller writes; none for a query.
pub(super) fn numbers(tap: &Tap, frame: &[u8]) -> Vec<i64> {
    let at = if frame.starts_with(&[0, 0, 0x66, 0x99]) { 10 } else { 8 };
    let command = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    let command = CommandCode(command.expect("a frame has a command"));
    if command != CommandCode::CONTROL && command != CommandCode::CONTROL_NEW {
        return Vec::new();
    }
    let data = tap.read(frame, &[KEY, OTHER_KEY]).expect("a write under a key that is known");
    let dps = data.get("dps").or_else(|| data.get("data")?.get("dps"));
    // Nulls are a query.
    dps.and_then(Value::as_object).into_iter().flatten().filter_map(|(_, value)| value.as_i64()).collect()
}
