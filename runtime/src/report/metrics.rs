//! Counters.

use core::time::Duration;

use rustuya_proto::Stats;

/// Counts of one device, or of all devices of a manager, since it was added.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// device.query().await?;
/// let metrics = device.metrics();
/// assert_eq!((metrics.connects, metrics.reconnects), (1, 0));
/// assert_eq!((metrics.sent, metrics.acknowledged, metrics.unanswered), (1, 1, 0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Connections that became usable.
    pub connects: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Connection attempts that failed.
    pub failed_attempts: u64,
    /// Valid frames received.
    pub frames: u64,
    /// Frames that failed a check.
    pub bad_frames: u64,
    /// Times that bytes were skipped to find the next frame.
    pub resyncs: u64,
    /// Frames that were ignored as echoes or replays; see [`Event::Ignored`](crate::Event::Ignored).
    pub ignored: u64,
    /// Commands sent.
    pub sent: u64,
    /// Commands acknowledged.
    pub acknowledged: u64,
    /// Commands rejected.
    pub rejected: u64,
    /// Commands without an answer in time.
    pub unanswered: u64,
    /// Commands whose connection ended before the answer.
    pub lost: u64,
    /// Events that slow listeners lost.
    pub lagged: u64,
    /// Values and sub-devices that `state()` lacks for want of room, see
    /// [`memory_limit`](crate::DeviceBuilder::memory_limit).
    pub values_dropped: u64,
    /// Times from sending a command to its acknowledgement.
    pub latency: Latency,
}

impl Metrics {
    pub(crate) fn with_machine(mut self, stats: Stats) -> Self {
        self.connects = stats.connects.into();
        self.reconnects = self.connects.saturating_sub(1);
        self.failed_attempts = stats.failed_attempts.into();
        self.frames = stats.frames;
        self.bad_frames = stats.bad_frames.into();
        self.resyncs = stats.resyncs.into();
        self.ignored = stats.ignored.into();
        self
    }

    /// Adds another device's counters.
    pub(crate) fn add(&mut self, other: &Self) {
        self.connects += other.connects;
        self.reconnects += other.reconnects;
        self.failed_attempts += other.failed_attempts;
        self.frames += other.frames;
        self.bad_frames += other.bad_frames;
        self.resyncs += other.resyncs;
        self.ignored += other.ignored;
        self.sent += other.sent;
        self.acknowledged += other.acknowledged;
        self.rejected += other.rejected;
        self.unanswered += other.unanswered;
        self.lost += other.lost;
        self.lagged += other.lagged;
        self.values_dropped += other.values_dropped;
        for (mine, others) in self.latency.counts.iter_mut().zip(other.latency.counts) {
            *mine = mine.saturating_add(others);
        }
    }
}

/// Histogram of times, in steps that double.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// for _ in 0..10 {
///     device.query().await?;
/// }
/// let latency = device.metrics().latency;
/// assert_eq!(latency.count(), 10);
/// println!("half of the answers within {:?}", latency.quantile(0.5));
/// for (below, count) in latency.steps() {
///     println!("below {below:?}: {count}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    counts: [u32; STEPS],
}

/// The last step counts everything above 2 s.
const STEPS: usize = 16;
/// Upper end of the first step.
const FIRST: Duration = Duration::from_micros(128);

impl Latency {
    pub(crate) fn record(&mut self, time: Duration) {
        let mut at = 0;
        let mut limit = FIRST;
        while at + 1 < STEPS && time >= limit {
            limit *= 2;
            at += 1;
        }
        if let Some(count) = self.counts.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }

    /// Iterates over the steps: upper end, `None` for the last one, and count.
    pub fn steps(&self) -> impl Iterator<Item = (Option<Duration>, u32)> + '_ {
        let limit = |at: usize| (at + 1 < STEPS).then(|| FIRST * (1 << at));
        self.counts.iter().enumerate().map(move |(at, &count)| (limit(at), count))
    }

    /// Returns the number of times recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// Returns a time below which this share (0 to 1) of the times is; `None` if there are none, or above 2 s.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = share.clamp(0.0, 1.0) * self.count() as f64;
        let mut seen = 0.0;
        self.steps().find_map(|(limit, count)| {
            seen += f64::from(count);
            (count > 0 && seen >= wanted).then_some(limit)
        })?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_steps_that_double() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for micros in [0, 127, 128, 255, 256, 10_000_000] {
            latency.record(Duration::from_micros(micros));
        }
        let counts: Vec<u32> = latency.steps().map(|(_, count)| count).collect();
        assert_eq!((&counts[..3], counts[STEPS - 1], latency.count()), (&[2, 2, 1][..], 1, 6));
        assert_eq!(latency.quantile(0.5), Some(Duration::from_micros(256)));
        assert_eq!(latency.quantile(1.0), None);
        let (limit, _) = latency.steps().nth(STEPS - 2).expect("a step");
        assert_eq!(limit, Some(Duration::from_micros(128 << (STEPS - 2))));
    }
}
