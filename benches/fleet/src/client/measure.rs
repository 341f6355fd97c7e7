//! What the measurements of every library have in common.

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

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) devices: usize,
    pub(crate) version: Version,
    /// Watching the idle fleet; zero leaves it out.
    pub(crate) idle: Duration,
    /// Set-to-push exchanges for each of the callers.
    pub(crate) exchanges: usize,
    /// Sending commands.
    pub(crate) commands: Duration,
    /// Receiving events, in rounds.
    pub(crate) events: Duration,
    /// Pushes per device in the burst.
    pub(crate) burst: usize,
    /// Whether to cut the connections in the end.
    pub(crate) cut: bool,
}

/// Where the devices are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) orders: u16,
}

/// A stretch of time that is measured.
#[derive(Debug)]
pub(crate) struct Span {
    counts: Counts,
    cpu: Duration,
    pub(crate) begin: Instant,
}

/// What a stretch of time took.
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
    /// The rate of `count` things that were done meanwhile.
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

/// Exchanges with a library and with the raw socket, in turns.
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

/// Commands that are given until there were enough.
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

    /// One more command was carried out.
    pub(crate) fn count(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// What a listener has seen of a burst.
#[derive(Debug)]
pub(crate) struct Tally {
    sent: u64,
    seen: Arc<SoFar>,
    over: Sender<Result<Instant>>,
}

#[derive(Debug, Default)]
struct SoFar {
    received: AtomicU64,
    lost: AtomicU64,
}

/// Somebody who reads a listener, and what to do when nothing comes any more.
pub(crate) struct Reader {
    seen: Arc<SoFar>,
    over: Receiver<Result<Instant>>,
    abandon: Box<dyn FnOnce()>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Without an event for so long, what is missing is lost.
const SILENCE: Duration = Duration::from_secs(10);

impl Reader {
    /// A reader that `start` sets to work on a tally of `sent` pushes. What `start` returns ends it.
    pub(crate) fn new<A: FnOnce() + 'static>(sent: u64, start: impl FnOnce(Tally) -> Result<A>) -> Result<Self> {
        let (tell, over) = channel();
        let seen = Arc::<SoFar>::default();
        let abandon = start(Tally { sent, seen: Arc::clone(&seen), over: tell })?;
        Ok(Self { seen, over, abandon: Box::new(abandon) })
    }

    /// Waits for the reader, but not longer than events keep coming. Returns when it was done, how many pushes it
    /// received, and how many it was told to be lost.
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
    /// Takes note of what a listener handed out. Says whether more is to come.
    pub(crate) fn note(&self, seen: Option<Seen>) -> bool {
        // Nobody else counts here.
        let add = |to: &AtomicU64, count| to.store(to.load(Ordering::Relaxed) + count, Ordering::Relaxed);
        match seen {
            Some(Seen::Push) => add(&self.seen.received, 1),
            Some(Seen::Lost(count)) => add(&self.seen.lost, count),
            Some(Seen::Other) => return true,
            None => {
                // Without a receiver nobody asks any more.
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
