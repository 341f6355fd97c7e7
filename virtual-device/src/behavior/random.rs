//! Repeatable random numbers, which need not be secret.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};

/// Generator whose numbers are the same in every version and on every machine.
#[derive(Clone, Debug)]
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Returns a number below `limit`; 0 if that is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0.random_range(0..limit.max(1))
    }

    /// Returns a number from -by to by; 0 if that is negative.
    pub(super) fn within(&mut self, by: i64) -> i64 {
        let by = by.max(0);
        self.0.random_range(-by..=by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_range_at_its_ends_too() {
        let mut random = Random::new(1);
        assert_eq!((random.below(0), random.below(1), random.within(0), random.within(-5)), (0, 0, 0, 0));
        let drawn: Vec<_> = (0..200).map(|_| random.within(2)).collect();
        assert!((-2..=2).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| number.abs() <= 2));
        random.within(i64::MAX);
        assert!((0..200).all(|_| random.below(3) < 3));
    }
}
