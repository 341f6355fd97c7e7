//! Random episodes of devices and their controller, compared with a model of the possible results.
//!
//! An episode has one device and random steps drawn from a seed: writes of every kind, queries, changes of the
//! configuration and of the pacing, closing and reopening; faults, cuts, power losses, other keys and versions. The
//! same episodes run on every [`Subject`], which runs the conformance scenarios, too. In simulated time an episode
//! repeats exactly.
//!
//! The model checks: every command resolves once and in time; the device executes the writes to one DP in their order,
//! none of them twice, and none that was reported as unsent; it has the values that it acknowledged, as far as its
//! answers are distinguishable; every refusal is counted; no event and no failure is lost without a report, or reported
//! twice.

mod balance;
mod commands;
mod episode;
mod model;
mod plan;
mod recovery;

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustuya_conformance::Subject;
use rustuya_seeded::SeededRng;

use episode::Episode;

/// Size of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Minimum number of commands, over all episodes.
    pub(crate) commands: u64,
    /// Seed of the run and of its first episode.
    pub(crate) seed: u64,
    /// Number of simultaneous episodes, each on a thread of its own.
    pub(crate) at_once: usize,
    /// Steps of each episode.
    pub(crate) steps: usize,
    /// True if the subject runs in real time; inexact checks are left out then.
    pub(crate) real_time: bool,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Episodes.
    pub(crate) episodes: u64,
    /// Commands given.
    pub(crate) commands: u64,
    /// Commands that succeeded.
    pub(crate) succeeded: u64,
    /// Commands whose failure was reported to their callers.
    pub(crate) failed: u64,
    /// Writes that the devices executed.
    pub(crate) executed: u64,
    /// Events received.
    pub(crate) events: u64,
    /// Duration.
    pub(crate) took: Duration,
}

/// Failed episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Name of the subject.
    pub(crate) subject: &'static str,
    /// Seed of the episode.
    pub(crate) seed: u64,
    /// Fewest steps found that show the failure.
    pub(crate) steps: usize,
    /// Description of the failure.
    pub(crate) why: String,
}

/// Runs episodes until enough commands were given.
///
/// # Errors
/// The first failed episode. In simulated time it is shortened to the fewest steps that show the failure.
pub(crate) fn run(subject: &dyn Subject, options: &Options) -> Result<Tally, Failure> {
    let started = Instant::now();
    let (next, given) = (AtomicU64::new(0), AtomicU64::new(0));
    let found = Mutex::new((Tally::default(), None::<Failure>));
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..options.at_once {
            scope.spawn(|| {
                while given.load(Ordering::Relaxed) < options.commands && lock().1.is_none() {
                    let seed = seed_of(options.seed, next.fetch_add(1, Ordering::Relaxed));
                    match live(subject, seed, options.steps, options) {
                        Ok(tally) => {
                            given.fetch_add(tally.commands, Ordering::Relaxed);
                            lock().0.add(&tally);
                        }
                        Err(why) => {
                            let failure = Failure { subject: subject.name(), seed, steps: options.steps, why };
                            lock().1.get_or_insert(failure);
                        }
                    }
                }
            });
        }
    });
    let (tally, failure) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    match failure {
        Some(failure) if !options.real_time => Err(shortened(subject, failure, options)),
        Some(failure) => Err(failure),
        None => Ok(Tally { took: started.elapsed(), ..tally }),
    }
}

/// Returns the seed of an episode; the first has the seed of the run.
fn seed_of(seed: u64, number: u64) -> u64 {
    if number == 0 { seed } else { SeededRng::new(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).bits() }
}

fn live(subject: &dyn Subject, seed: u64, steps: usize, options: &Options) -> Result<Tally, String> {
    let play = || {
        let mut stage = subject.stage_of(seed);
        Episode::new(&mut *stage, subject, seed, options).live(steps)
    };
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        Err(format!("panicked: {}", words.unwrap_or("without words")))
    })
}

/// Finds the same or another failure with fewer steps: a shorter episode has the same first steps, then its end.
fn shortened(subject: &dyn Subject, failure: Failure, options: &Options) -> Failure {
    let (mut passes, mut shortest) = (0, failure);
    while passes + 1 < shortest.steps {
        let steps = passes.midpoint(shortest.steps);
        match live(subject, shortest.seed, steps, options) {
            Ok(_) => passes = steps,
            Err(why) => shortest = Failure { steps, why, ..shortest },
        }
    }
    shortest
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.episodes += other.episodes;
        self.commands += other.commands;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.executed += other.executed;
        self.events += other.events;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episodes, commands, succeeded, failed, executed, events, took } = self;
        let rate = *commands as f64 / took.as_secs_f64().max(0.001);
        write!(
            f,
            "{commands} commands in {episodes} episodes, {succeeded} succeeded, {failed} failed; {executed} writes \
             executed, {events} events received; {:.1} s, {rate:.0} commands/s",
            took.as_secs_f64()
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, seed, steps, why } = self;
        write!(
            f,
            "{subject}: {why}\nagain: cargo xtask chaos --runtime {subject} --seed {seed} --steps {steps} --commands 1"
        )
    }
}

impl core::error::Error for Failure {}
