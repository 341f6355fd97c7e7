//! Sums of increments.

use super::Number;

/// Sum of a counter that reports what was added since its last report, as `add_ele` of most plugs does
/// ([`StateClass::Increment`](crate::StateClass::Increment)).
///
/// A device repeats its last report when it is queried. So an amount counts once: when the device pushes it with a new
/// time. Keep [`sum`](Self::sum) and [`time`](Self::time) beyond the end of the program, and go on from them.
///
/// ```
/// # use rustuya_entities::{Number, Total};
/// let mut energy = Total::default();
/// energy.add(Number::new(5, 3), Some(1_700_000_000));
/// energy.add(Number::new(5, 3), Some(1_700_000_000)); // the same report once more
/// energy.add(Number::new(12, 3), Some(1_700_000_060));
/// energy.add(Number::new(12, 3), None); // the answer to a query
/// assert_eq!(energy.sum().to_string(), "0.017");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Total {
    sum: Number,
    time: Option<u64>,
}

impl Total {
    /// Goes on from a kept sum, and the time of the last report in it.
    pub const fn new(sum: Number, time: Option<u64>) -> Self {
        Self { sum, time }
    }

    /// Adds the amount of a report, with the time that the device gave to it (`t`, in seconds or milliseconds). Returns
    /// whether it counted: a report without a time, or no newer than the last one, does not, nor does an amount below 0
    /// or one that leads beyond 64 bits.
    pub fn add(&mut self, amount: Number, time: Option<u64>) -> bool {
        let is_new = time.is_some() && time > self.time && amount >= Number::from(0);
        match self.sum.checked_add(amount).filter(|_| is_new) {
            Some(sum) => {
                *self = Self { sum, time };
                true
            }
            None => false,
        }
    }

    /// Returns the sum.
    pub const fn sum(&self) -> Number {
        self.sum
    }

    /// Returns the time of the last report that counted.
    pub const fn time(&self) -> Option<u64> {
        self.time
    }
}
