//! Delays between attempts.

use core::time::Duration;

use rand_core::CryptoRng;

use super::config::Timing;

/// Returns the delay before the next attempt after `failures` failed ones in a row, with jitter on top.
///
/// After a connection that worked (`failures` is zero) the delay is the jitter alone, half the first delay at most, so
/// that a fleet that lost its access point does not come back in one instant.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the divisor is not zero, and half a second has fewer than 4.2 million microseconds"
)]
pub(super) fn delay(timing: &Timing, failures: u32, rng: &mut dyn CryptoRng) -> Duration {
    let mut base = if failures == 0 { Duration::ZERO } else { timing.backoff_min.min(timing.backoff_max) };
    // Adds instead of multiplying: a product of durations needs a 64-bit division, which is a large routine on small
    // chips.
    for _ in 1..failures.min(17) {
        base = base.saturating_add(base).min(timing.backoff_max);
    }
    let spread = timing.backoff_min.min(Duration::from_secs(1)) / 2;
    // At most half a second, so 32 bits hold it.
    let jitter = rng.next_u32().checked_rem(spread.subsec_micros()).unwrap_or(0);
    base.saturating_add(Duration::new(0, jitter * 1_000))
}
