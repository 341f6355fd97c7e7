//! Time as the caller's clock counts it.

use core::ops::Add;
use core::time::Duration;

/// A point in time: microseconds since an epoch of the driver's choosing, such as the start of the process.
///
/// The crate never reads a clock. Every call that depends on time takes an `Instant`; the values that one driver
/// passes must not run backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const ZERO: Self = Self(0);

    /// Returns the instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the instant `millis` milliseconds after the epoch; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds since the epoch.
    // Divides by 64 and then by 15,625, 16 bits at a time, so that 32-bit divisions suffice: on small chips the routine
    // for 64-bit division takes nearly a kilobyte.
    #[cfg(feature = "emulator")]
    #[expect(clippy::arithmetic_side_effects, reason = "the shift falls from 64 to zero by sixteens")]
    pub(crate) const fn as_secs(self) -> u64 {
        let (mut shift, mut rest, mut seconds) = (64, 0, 0);
        while shift > 0 {
            shift -= 16;
            let part = rest << 16 | ((self.0 >> 6) >> shift) as u32 & 0xffff;
            seconds = seconds << 16 | (part / 15_625) as u64;
            rest = part % 15_625;
        }
        seconds
    }

    /// Returns the time from `earlier` to `self`, or zero when `earlier` is the later one.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of representable time (584,000 years).
    // inline(never): each copy of the saturating 64-bit product takes half a kilobyte of small flash.
    #[inline(never)]
    fn add(self, rhs: Duration) -> Self {
        // Not `as_micros`: its 128 bits cost a small chip more than the sum does.
        let micros = rhs.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(rhs.subsec_micros()));
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "emulator")]
    #[test]
    fn seconds_are_millions_of_microseconds() {
        let edges = [0, 1, 999_999, 1_000_000, 1_000_001, u64::from(u32::MAX), 1 << 48, u64::MAX - 1, u64::MAX];
        let spread = (0..2000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 64));
        for micros in edges.into_iter().chain(spread) {
            assert_eq!(super::Instant::from_micros(micros).as_secs(), micros / 1_000_000, "{micros}");
        }
    }
}
