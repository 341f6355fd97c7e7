//! One machine's clock.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustuya_proto as proto;

/// The system's steady clock, counted from the birth of a machine.
///
/// ```
/// # use rustuya_runtime::Clock;
/// # use core::time::Duration;
/// let clock = Clock::start();
/// let now = clock.now(); // what machines are told
/// let deadline = now + Duration::from_secs(5); // what they answer
/// let wake_up = clock.wake_up(deadline); // what a timer is set to
/// assert!(wake_up > std::time::Instant::now());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    read: fn() -> Instant,
}

impl Clock {
    /// A clock at zero.
    pub fn start() -> Self {
        Self::with(Instant::now)
    }

    /// A clock at zero that shows another time than the system's.
    pub(crate) fn with(read: fn() -> Instant) -> Self {
        Self { epoch: read(), read }
    }

    /// The time as timers and listeners have it.
    pub(crate) fn system_time(&self) -> Instant {
        (self.read)()
    }

    /// The time.
    pub fn now(&self) -> proto::Instant {
        self.machine_time(self.system_time())
    }

    /// A time of the system on this clock.
    pub(crate) fn machine_time(&self, at: Instant) -> proto::Instant {
        let since = at.saturating_duration_since(self.epoch);
        proto::Instant::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// The moment to wake up for a deadline: never before it, or the machine would find nothing to do.
    pub fn wake_up(&self, deadline: proto::Instant) -> Instant {
        // Times beyond a year are cut: system clocks cannot represent all of the machine's.
        let since = Duration::from_micros(deadline.as_micros()).min(A_YEAR);
        self.epoch.checked_add(since).unwrap_or(self.epoch)
    }
}

const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Seconds since 1970; 0 under a clock that is set to an earlier time.
///
/// ```
/// assert!(rustuya_runtime::unix_time() > 1_700_000_000);
/// ```
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
