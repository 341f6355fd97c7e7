//! State of the parts of a behavior, and the values that they read and change.

use serde_json::{Map, Value};

use super::random::Random;
use crate::datum::Datum;

/// State of one part of the behavior.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// Next call of [`Part::due`].
    pub(super) due: Option<u64>,
    /// Time of the last measurement.
    pub(super) last: u64,
    /// Level, or amount so far.
    pub(super) level: i64,
    /// Level or time to reach.
    pub(super) goal: i64,
    pub(super) stage: usize,
}

impl Memory {
    pub(super) fn wake_in(&mut self, now: u64, time: u64) {
        self.due = Some(now.saturating_add(time.max(1)));
    }

    /// Returns the number of whole periods since the last call, and accounts for them; at least one.
    pub(super) fn periods(&mut self, now: u64, every: u64) -> i64 {
        let count = now.saturating_sub(self.last) / every.max(1);
        self.last = now;
        i64::try_from(count.clamp(1, MOST_PERIODS)).unwrap_or(1)
    }
}

/// Values that a part reads and changes.
pub(super) struct Context<'a> {
    pub(super) now: u64,
    pub(super) values: &'a mut Map<String, Value>,
    pub(super) rng: &'a mut Random,
    pub(super) changes: Map<String, Value>,
}

impl Context<'_> {
    pub(super) fn get(&self, dp: u16) -> Option<&Value> {
        let value = self.values.get(&dp.to_string());
        debug_assert!(value.is_some(), "the profile has no DP {dp}");
        value
    }

    pub(super) fn is(&self, dp: u16, datum: Datum) -> bool {
        datum.fits(self.get(dp))
    }

    pub(super) fn is_on(&self, dp: u16) -> bool {
        self.is(dp, Datum::Bool(true))
    }

    /// Returns a number; 0 if the DP has none.
    pub(super) fn integer(&self, dp: u16) -> i64 {
        self.get(dp).and_then(Value::as_i64).unwrap_or_default()
    }

    pub(super) fn word(&self, dp: u16) -> &str {
        self.get(dp).and_then(Value::as_str).unwrap_or_default()
    }

    /// Sets a DP of the device; pushed if that changes it.
    pub(super) fn set(&mut self, dp: u16, value: impl Into<Value>) {
        let value = value.into();
        if self.get(dp).is_some_and(|old| *old != value) {
            self.report(dp, value);
        }
    }

    /// Sets a DP of the device; pushed in any case.
    pub(super) fn report(&mut self, dp: u16, value: impl Into<Value>) {
        let (key, value) = (dp.to_string(), value.into());
        debug_assert!(self.values.contains_key(&key), "the profile has no DP {dp}");
        if let Some(slot) = self.values.get_mut(&key) {
            slot.clone_from(&value);
            self.changes.insert(key, value);
        }
    }

    /// Returns a random number from -by to by.
    pub(super) fn jitter(&mut self, by: i64) -> i64 {
        self.rng.within(by)
    }

    /// Returns a random one of these.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let count = u64::try_from(from.len()).unwrap_or_default();
        let at = usize::try_from(self.rng.below(count)).unwrap_or_default();
        from.get(at).copied()
    }

    /// Returns this time, give or take a quarter of it.
    pub(super) fn about(&mut self, time: u64) -> u64 {
        let quarter = time / 4;
        time.saturating_sub(quarter).saturating_add(self.rng.below(quarter.saturating_mul(2)))
    }
}

/// Most periods that are made up for at once.
const MOST_PERIODS: u64 = 1000;
