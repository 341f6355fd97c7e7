//! Random lives of devices on every runtime, held against a model; see `rustuya_tests::chaos`.
//!
//! `cargo xtask chaos` runs this with other numbers, and repeats an episode that failed: `RUSTUYA_CHAOS_COMMANDS`,
//! `_SEED`, `_STEPS`, `_RUNTIME` and `_STRICT`.

#[path = "../conformance/blocking.rs"]
mod blocking;
#[expect(dead_code, reason = "the example's own program is not run here")]
#[path = "../../../runtime-futures/examples/smol.rs"]
mod smol_example;

use core::fmt::Debug;
use core::str::FromStr;

use rustuya_runtime_futures::Futures;
use rustuya_runtime_tokio::TokioHandle;
use rustuya_tests::chaos::{Options, run};
use rustuya_tests::conformance::{Asynchronous, InMemory, Subject};

fn setting<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = std::env::var(format!("RUSTUYA_CHAOS_{name}")).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("RUSTUYA_CHAOS_{name}: {error:?}")))
}

/// Runs the episodes on a subject, if it is wanted; `commands` is its share of a whole run.
fn chaos(subject: &dyn Subject, share: f64, real_time: bool) {
    if setting::<String>("RUNTIME").is_some_and(|wanted| wanted != subject.name()) {
        return;
    }
    let commands = setting("COMMANDS").unwrap_or(100_000.0) * share;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let options = Options {
        commands: (commands as u64).max(1),
        seed: setting("SEED").unwrap_or(0x5eed),
        // Real devices wait most of the time.
        at_once: if commands < 100.0 {
            1
        } else if real_time {
            16
        } else {
            cores
        },
        // Where the next write to a DP waits for the one before, lives are slow.
        steps: setting("STEPS").unwrap_or(if subject.gives_at_once() { 200 } else { 40 }),
        real_time,
        strict: setting::<u8>("STRICT").is_some_and(|strict| strict > 0),
    };
    match run(subject, &options) {
        Ok(tally) => println!("{}: {tally}", subject.name()),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn simulated() {
    chaos(&InMemory::new(0), 0.9, false);
}

#[test]
fn tokio() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().expect("threads");
    chaos(&Asynchronous::new("tokio", TokioHandle(tokio.handle().clone())), 0.04, true);
}

#[test]
fn blocking() {
    chaos(&blocking::Blocking::new(), 0.02, true);
}

#[test]
fn smol() {
    chaos(&Asynchronous::new("smol", Futures::new(smol_example::Smol)), 0.04, true);
}
