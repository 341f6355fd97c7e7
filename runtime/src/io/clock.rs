//! Clock of one machine.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustuya_proto as proto;

/// Monotonic clock of the system, counted from the start of a machine.
///
/// ```
/// # use rustuya_runtime::driver::Clock;
/// # use core::time::Duration;
/// let clock = Clock::start();
/// let now = clock.now(); // input of machines
/// let deadline = now + Duration::from_secs(5); // their output
/// let wake_up = clock.wake_up(deadline); // time for a timer
/// assert!(wake_up > std::time::Instant::now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    read: fn() -> Instant,
}

impl Clock {
    /// Starts a clock at zero.
    pub fn start() -> Self {
        Self::with(Instant::now)
    }

    /// Starts a clock at zero that reads the time from `read`.
    pub(crate) fn with(read: fn() -> Instant) -> Self {
        Self { epoch: read(), read }
    }

    /// Returns the time for timers and listeners.
    pub(crate) fn system_time(&self) -> Instant {
        (self.read)()
    }

    /// Returns the time since the start.
    pub fn now(&self) -> proto::Instant {
        self.machine_time(self.system_time())
    }

    /// Converts a time of the system.
    pub(crate) fn machine_time(&self, at: Instant) -> proto::Instant {
        let since = at.saturating_duration_since(self.epoch);
        proto::Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Converts a deadline to the time of a timer. Never earlier than the deadline, or the machine would find nothing
    /// to do.
    pub fn wake_up(&self, deadline: proto::Instant) -> Instant {
        // Limit times to a year: system clocks cannot represent all times of the machine.
        let since = Duration::from_micros(deadline.as_micros()).min(A_YEAR);
        self.epoch.checked_add(since).unwrap_or(self.epoch)
    }
}

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Returns the seconds since 1970; 0 if the system's clock is set to an earlier time.
///
/// ```
/// assert!(rustuya_runtime::driver::unix_time() > 1_700_000_000);
/// ```
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
