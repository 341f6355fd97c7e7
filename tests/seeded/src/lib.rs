//! Seeded generator of the tests and the fuzz targets: the same seed gives the same numbers, on every machine and in every
//! version. Never use it for keys or nonces: an attacker can predict it.
//!
//! ```
//! use rustuya_seeded::SeededRng;
//!
//! let mut rng = SeededRng::new(7);
//! let dice = [rng.below(6), rng.below(6)];
//! assert!(dice.iter().all(|die| *die < 6));
//! assert_eq!(SeededRng::new(7).bits(), SeededRng::new(7).bits());
//! ```
//!
//! Recorded seeds and the corpora of the fuzz targets depend on these numbers: a change of them changes the course of
//! every seeded test. Tests that compare bytes with known ones use a counter in place of a generator.

#![no_std]

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// Seeded generator (SplitMix64).
#[derive(Clone, Debug)]
pub struct SeededRng(u64);

impl SeededRng {
    /// Creates the generator of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `limit`; zero when `limit` is zero.
    pub const fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.bits() % limit }
    }

    /// Returns an index of a list of `len` entries, from the upper 31 bits; zero when the list is empty.
    pub const fn index(&mut self, len: usize) -> usize {
        let bits = (self.bits() >> 33) as usize;
        if len == 0 { 0 } else { bits % len }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(8) {
            let bits = self.bits().to_be_bytes();
            chunk.copy_from_slice(&bits[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}

#[cfg(test)]
mod tests {
    use super::SeededRng;

    /// Numbers of the reference implementation of SplitMix64.
    #[test]
    fn the_numbers_stay_as_they_are() {
        let mut rng = SeededRng::new(1_234_567);
        let numbers = [rng.bits(), rng.bits(), rng.bits()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
