//! A random life of devices and their controller, held against a model of what may come of it.
//!
//! An episode is one device and everything that is done to it and asked of it, drawn from a seed: writes
//! of every kind and urgency, queries, changes of the configuration and of the pacing, closing and beginning anew;
//! faults, cuts, power losses, other keys and versions. The same episodes run on every [`Subject`], which carries out
//! the steps of conformance scenarios, too. In simulated time an episode repeats itself exactly.
//!
//! What has to hold is in the model: every command is decided once and in time; the device obeys the writes to one DP
//! in the order in which they were given, none of them twice, and none that was said not to have been sent; it has what
//! it acknowledged, as far as its answers can be told apart; every refusal is counted; no event and no failure is lost
//! untold, or told twice.

mod books;
mod episode;
mod give;
mod model;
mod plan;
mod rest;

use core::fmt;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::conformance::Subject;
use crate::rng::SeededRng;
use episode::Episode;

/// How much is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Commands given, over all episodes, at least.
    pub commands: u64,
    /// What everything is drawn from. The first episode has this seed.
    pub seed: u64,
    /// Episodes at a time, each on a thread of its own.
    pub at_once: usize,
    /// Steps of each episode.
    pub steps: usize,
    /// Time that passes on the subject is the system's, and what is not exact there is left out.
    pub real_time: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Episodes.
    pub episodes: u64,
    /// Commands given.
    pub commands: u64,
    /// Commands that succeeded.
    pub succeeded: u64,
    /// Commands that failed, told to their callers.
    pub failed: u64,
    /// Writes that the devices obeyed.
    pub obeyed: u64,
    /// Events heard.
    pub events: u64,
    /// How long it took.
    pub took: Duration,
}

/// An episode in which something did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Name of the subject.
    pub subject: &'static str,
    /// Seed of the episode.
    pub seed: u64,
    /// The fewest steps that show it, as far as they could be found.
    pub steps: usize,
    /// What did not hold.
    pub why: String,
}

/// Lives through episodes until enough commands were given.
///
/// # Errors
/// The first episode in which something did not hold. In simulated time it is shortened to as few steps as show it.
pub fn run(subject: &dyn Subject, options: &Options) -> Result<Tally, Failure> {
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

/// The seed of an episode; that of the first is the seed itself.
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

/// The same failure, or another one, with as few steps as possible: an episode of fewer steps begins in the same way
/// and then comes to its end.
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
        self.obeyed += other.obeyed;
        self.events += other.events;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episodes, commands, succeeded, failed, obeyed, events, took } = self;
        let rate = *commands as f64 / took.as_secs_f64().max(0.001);
        write!(
            f,
            "{commands} commands in {episodes} episodes, {succeeded} succeeded, {failed} failed; {obeyed} writes \
             obeyed, {events} events heard; {:.1} s, {rate:.0} commands/s",
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
