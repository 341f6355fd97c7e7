//! Figures, sent from the client processes to the report.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Figures of one client process. `None` for skipped or unsupported measurements.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Figures {
    /// Time from the first device until all are connected, in milliseconds.
    pub(crate) connect_ms: f64,
    /// CPU time of the client for it, in milliseconds.
    pub(crate) connect_cpu_ms: f64,
    /// Resident memory per device once all are connected, KiB.
    pub(crate) idle_kib: f64,
    /// The same after all the load below, KiB.
    pub(crate) loaded_kib: f64,
    pub(crate) threads: usize,
    pub(crate) idle: Option<Idle>,
    /// Latency from set to push, called from a task of the runtime.
    pub(crate) from_task: Option<Latency>,
    /// Latency from set to push, called from a thread that waits for the call, besides the threads of the library.
    pub(crate) from_thread: Option<Latency>,
    /// Latency from set to push with one more device in a runtime of one thread.
    pub(crate) one_thread: Option<Latency>,
    pub(crate) commands: Rate,
    /// Commands that wait for the device's acknowledgement, without a listener.
    pub(crate) acknowledged: Option<Rate>,
    pub(crate) events: Rate,
    pub(crate) events_missing: u64,
    pub(crate) burst: Burst,
    pub(crate) back: Option<BackAgain>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Idle {
    /// CPU load, in per cent of one core.
    pub(crate) cpu_percent: f64,
    /// Heartbeats that the devices received in the period.
    pub(crate) heartbeats: u64,
    /// CPU time of the client per heartbeat.
    pub(crate) us_per_heartbeat: Option<f64>,
}

/// Latency in microseconds, alternating with a raw blocking socket.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) raw_p50: f64,
    pub(crate) raw_p99: f64,
    /// Median over all turns of the ratio of p50 to raw p50. Computed per turn, since the machine's speed varies
    /// between turns.
    pub(crate) ratio: f64,
}

/// Rate of the client's operations, in time and CPU time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) per_second: f64,
    pub(crate) cpu_us: f64,
    /// CPU time of the device server per operation.
    pub(crate) server_cpu_us: f64,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Burst {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// Number reported as lost by the library.
    pub(crate) told: u64,
    pub(crate) seconds: f64,
}

/// Reconnection times, in seconds from a cut.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct BackAgain {
    pub(crate) half: f64,
    pub(crate) all: f64,
}

/// Figures with their library and parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) client: String,
    pub(crate) version: String,
    pub(crate) devices: usize,
    pub(crate) round: usize,
    pub(crate) figures: Figures,
}

/// Returns the percentile `at`, from 0 to 1, of `times`, in microseconds.
pub(crate) fn percentile(times: &mut [Duration], at: f64) -> f64 {
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index between 0 and the length")]
    let index = (times.len().saturating_sub(1) as f64 * at).round() as usize;
    times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

/// Returns the median.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(middle).copied()
    } else {
        Some((values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};
    use core::time::Duration;

    #[test]
    fn percentiles_and_medians() {
        let mut times: Vec<Duration> = (1..=101).rev().map(Duration::from_micros).collect();
        assert!((percentile(&mut times, 0.5) - 51.0).abs() < 1e-6);
        assert!((percentile(&mut times, 0.99) - 100.0).abs() < 1e-6);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
