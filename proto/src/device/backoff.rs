//! Delays between attempts.

use core::time::Duration;

use rand_core::CryptoRng;

use super::config::Timing;

/// The delay before the next attempt after `failures` failed ones in a row, with jitter on top.
///
/// After a connection that worked (`failures` is zero) only the jitter is waited, half the first delay at most, so
/// that a fleet that lost its access point does not come back in one instant.
pub(super) fn delay(timing: &Timing, failures: u32, rng: &mut dyn CryptoRng) -> Duration {
    let base = match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => timing.backoff_min.saturating_mul(1 << doublings.min(16)).min(timing.backoff_max),
    };
    let spread = timing.backoff_min.min(Duration::from_secs(1)) / 2;
    let micros = u64::try_from(spread.as_micros()).unwrap_or(u64::MAX);
    let jitter = if micros == 0 { 0 } else { rng.next_u64() % micros };
    base.saturating_add(Duration::from_micros(jitter))
}
