//! Shared parts of the measurements of every library.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use rustuya_proto::Version;

use super::Seen;
use crate::control::{Control, Counts};
use crate::figures::{Idle, Latency, Rate, median, percentile};
use crate::usage;

/// Sizes and durations of the measurements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) devices: usize,
    pub(crate) version: Version,
    /// Time to watch the idle fleet; zero skips it.
    pub(crate) idle: Duration,
    /// Number of set-to-push exchanges for each caller.
    pub(crate) exchanges: usize,
    /// Time to send commands.
    pub(crate) commands: Duration,
    /// Time to receive events, in rounds.
    pub(crate) events: Duration,
    /// Number of pushes per device in the burst.
    pub(crate) burst: usize,
    /// True if the connections are cut at the end.
    pub(crate) cut: bool,
}

/// Ports of the device server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) orders: u16,
}

/// Measured period.
#[derive(Debug)]
pub(crate) struct Span {
    counts: Counts,
    cpu: Duration,
    pub(crate) begin: Instant,
}

/// Resources used in a period.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    /// CPU time of the client, microseconds.
    pub(crate) cpu: f64,
    /// CPU time of the device server, microseconds.
    pub(crate) server_cpu: f64,
    heartbeats: u64,
}

impl Span {
    pub(crate) fn begin(control: &mut Control) -> Result<Self> {
        let counts = control.counts()?;
        Ok(Self { counts, cpu: usage::cpu()?, begin: Instant::now() })
    }

    pub(crate) fn end(self, control: &mut Control) -> Result<Spent> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let cpu = (usage::cpu()? - self.cpu).as_secs_f64() * 1e6;
        let counts = control.counts()?;
        let server_cpu = (counts.cpu_us - self.counts.cpu_us) as f64;
        Ok(Spent { seconds, cpu, server_cpu, heartbeats: counts.heartbeats - self.counts.heartbeats })
    }
}

impl Spent {
    /// Returns the rate of `count` operations in the period.
    pub(crate) fn rate(&self, count: u64) -> Rate {
        let count = count as f64;
        Rate { per_second: count / self.seconds, cpu_us: self.cpu / count, server_cpu_us: self.server_cpu / count }
    }

    pub(crate) fn idle(&self) -> Idle {
        let heartbeats = self.heartbeats;
        let us_per_heartbeat = (heartbeats > 0).then(|| self.cpu / heartbeats as f64);
        Idle { cpu_percent: self.cpu / 1e4 / self.seconds, heartbeats, us_per_heartbeat }
    }
}

/// Times of exchanges with a library and with the raw socket, in turns.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    times: Vec<Duration>,
    raw: Vec<Duration>,
    ratios: Vec<f64>,
}

impl Turns {
    pub(crate) fn add(&mut self, mut times: Vec<Duration>, mut raw: Vec<Duration>) {
        self.ratios.push(percentile(&mut times, 0.5) / percentile(&mut raw, 0.5));
        self.times.append(&mut times);
        self.raw.append(&mut raw);
    }

    pub(crate) fn latency(mut self) -> Result<Latency> {
        Ok(Latency {
            p50: percentile(&mut self.times, 0.5),
            p99: percentile(&mut self.times, 0.99),
            raw_p50: percentile(&mut self.raw, 0.5),
            raw_p99: percentile(&mut self.raw, 0.99),
            ratio: median(self.ratios).context("no exchange")?,
        })
    }
}

/// Counter of commands until there are enough.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    stopped: AtomicBool,
    done: AtomicU64,
}

impl Progress {
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Counts a completed command.
    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// Counts of a listener during a burst.
#[derive(Debug)]
pub(crate) struct Tally {
    sent: u64,
    seen: Arc<ReceivedCounts>,
    over: Sender<Result<Instant>>,
}

#[derive(Debug, Default)]
struct ReceivedCounts {
    received: AtomicU64,
    lost: AtomicU64,
}

/// Reader of a listener, and the function that ends it.
pub(crate) struct Reader {
    seen: Arc<ReceivedCounts>,
    over: Receiver<Result<Instant>>,
    abandon: Box<dyn FnOnce()>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Time without an event after which missing ones count as lost.
const SILENCE: Duration = Duration::from_secs(10);

impl Reader {
    /// Creates a reader: `start` starts it with a tally of `sent` pushes, and returns the function that ends it.
    pub(crate) fn new<A: FnOnce() + 'static>(sent: u64, start: impl FnOnce(Tally) -> Result<A>) -> Result<Self> {
        let (tell, over) = channel();
        let seen = Arc::<ReceivedCounts>::default();
        let abandon = start(Tally { sent, seen: Arc::clone(&seen), over: tell })?;
        Ok(Self { seen, over, abandon: Box::new(abandon) })
    }

    /// Waits for the reader while events arrive. Returns the time of its end, the number of received pushes, and the
    /// number reported as lost.
    pub(crate) fn finish(self) -> Result<(Instant, u64, u64)> {
        let (mut before, mut since) = (0, Instant::now());
        let last = loop {
            match self.over.recv_timeout(Duration::from_millis(200)) {
                Ok(last) => break last?,
                Err(RecvTimeoutError::Disconnected) => bail!("the reader is gone"),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.seen.received.load(Ordering::Relaxed);
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > SILENCE {
                (self.abandon)();
                break since;
            }
        };
        Ok((last, self.seen.received.load(Ordering::Relaxed), self.seen.lost.load(Ordering::Relaxed)))
    }
}

impl Tally {
    /// Counts an entry of a listener. Returns whether more are expected.
    pub(crate) fn note(&self, seen: Option<Seen>) -> bool {
        // Only one thread counts.
        let add = |to: &AtomicU64, count| to.store(to.load(Ordering::Relaxed) + count, Ordering::Relaxed);
        match seen {
            Some(Seen::Push) => add(&self.seen.received, 1),
            Some(Seen::Lost(count)) => add(&self.seen.lost, count),
            Some(Seen::Other) => return true,
            None => {
                // Fails without a receiver, which then needs no result.
                let _ = self.over.send(Err(anyhow::anyhow!("the listener ended")));
                return false;
            }
        }
        let more = self.seen.received.load(Ordering::Relaxed) + self.seen.lost.load(Ordering::Relaxed) < self.sent;
        if !more {
            let _ = self.over.send(Ok(Instant::now()));
        }
        more
    }
}
