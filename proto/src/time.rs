//! The caller's clock.

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

    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the epoch; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`, or zero when `earlier` is the later one.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at the end of representable time (584,000 years).
    // A 64-bit product that saturates: in each place where it is needed it would fill half a kilobyte of small flash.
    #[inline(never)]
    fn add(self, rhs: Duration) -> Self {
        // Not `as_micros`: its 128 bits cost a small chip more than the sum does.
        let micros = rhs.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(rhs.subsec_micros()));
        Self(self.0.saturating_add(micros))
    }
}
