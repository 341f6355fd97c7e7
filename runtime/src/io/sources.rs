//! Sources of time and randomness.

use core::convert::Infallible;
use std::time::Instant;

use rand::Rng as _;
use rustuya_proto::{TryCryptoRng, TryRng};

/// Sources of time and randomness for the links of a [`Runtime`](crate::driver::Runtime): the system's, unless the runtime
/// replaces them. With its own sources, a runtime for simulations controls time and is reproducible.
///
/// ```
/// # use rustuya_runtime::driver::Sources;
/// # use core::cell::Cell;
/// # use core::time::Duration;
/// # use std::time::Instant;
/// thread_local! {
///     static NOW: Cell<Instant> = Cell::new(Instant::now());
/// }
///
/// /// Time passes when the simulation says so. Randomness is still the system's.
/// fn simulated() -> Sources {
///     Sources::SYSTEM.with_now(|| NOW.get())
/// }
/// # let sources = simulated();
/// # let before = sources.now();
/// NOW.set(NOW.get() + Duration::from_secs(3600));
/// # assert_eq!(sources.now() - before, Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sources {
    pub(crate) now: fn() -> Instant,
    pub(crate) random: fn(&mut [u8]),
}

impl Sources {
    /// Monotonic clock of the system, and the thread's generator, which the system seeds.
    pub const SYSTEM: Self = Self { now: Instant::now, random: |into| rand::rng().fill_bytes(into) };

    /// Reads the time from `now`, which must never go back.
    #[must_use]
    pub const fn with_now(mut self, now: fn() -> Instant) -> Self {
        self.now = now;
        self
    }

    /// Draws random bytes from `random`. Session keys depend on them: predictable bytes are for simulations alone.
    #[must_use]
    pub const fn with_random(mut self, random: fn(&mut [u8])) -> Self {
        self.random = random;
        self
    }

    /// Returns the time.
    pub fn now(&self) -> Instant {
        (self.now)()
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::SYSTEM
    }
}

/// Generator that calls a function for bytes.
pub(crate) struct Drawn(pub(crate) fn(&mut [u8]));

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), Infallible> {
        (self.0)(into);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}
