//! Random episodes of devices on every runtime, compared with a model.
//!
//! `cargo xtask chaos` runs this with other numbers, and repeats a failed episode: `RUSTUYA_CHAOS_COMMANDS`,
//! `_SEED`, `_STEPS` and `_RUNTIME`.

mod episodes;
#[expect(dead_code, reason = "the example's own program is not run here")]
#[path = "../../../runtime-futures/examples/smol.rs"]
mod smol_example;

use core::fmt::Debug;
use core::str::FromStr;
use core::time::Duration;

use rustuya_conformance::{Asynchronous, Blocking, InMemory, KEY, Plan, ReceivedEvent, Source, Subject};
use rustuya_faulty::{Fault, FaultyDevice};
use rustuya_proto::{LocalKey, Timing, Version};
use rustuya_runtime::Pacing;
use rustuya_runtime_futures::Futures;
use rustuya_runtime_tokio::TokioHandle;

use episodes::{Options, run};

fn setting<T: FromStr<Err: Debug>>(name: &str) -> Option<T> {
    let text = std::env::var(format!("RUSTUYA_CHAOS_{name}")).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("RUSTUYA_CHAOS_{name}: {error:?}")))
}

/// Runs episodes on a subject, unless another one is selected; `share` is its share of the commands.
fn chaos(subject: &dyn Subject, share: f64, real_time: bool) {
    if setting::<String>("RUNTIME").is_some_and(|wanted| wanted != subject.name()) {
        return;
    }
    let commands = setting("COMMANDS").unwrap_or(100_000.0) * share;
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let options = Options {
        commands: (commands as u64).max(1),
        seed: setting("SEED").unwrap_or(0x5eed),
        // Episodes in real time mostly wait.
        at_once: if commands < 100.0 {
            1
        } else if real_time {
            16
        } else {
            cores
        },
        // Episodes are slow where each write to a DP waits for the previous one.
        steps: setting("STEPS").unwrap_or(if subject.gives_at_once() { 200 } else { 40 }),
        real_time,
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
    chaos(&Blocking::new(), 0.02, true);
}

#[test]
fn smol() {
    chaos(&Asynchronous::new("smol", Futures::new(smol_example::Smol)), 0.04, true);
}

#[test]
fn limits_of_nothing_dial_and_beat_with_pauses() {
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        for fault in [None, Some(Fault::RefuseDial), Some(Fault::AcceptAndClose), Some(Fault::Silent)] {
            let subject = InMemory::new(0);
            let mut stage = subject.stage_of(0x5eed);
            let key = LocalKey::from_text(KEY).expect("16 characters");
            let device = stage.plug_in(FaultyDevice::builder("bf0123456789abcd0000", KEY, Version::V33));
            if let Some(fault) = fault.clone() {
                device.set_fault(fault);
            }
            let mut timing = Timing::DEFAULT;
            (timing.negotiate, timing.answer, timing.heartbeat) = (limit, limit, limit);
            (timing.connect, timing.backoff_min, timing.backoff_max) = (limit, limit, limit);
            let plan = Plan {
                query_on_connect: true,
                id: device.id(),
                key,
                address: Some(device.addr().ip()),
                port: device.addr().port(),
                version: Some(Version::V33),
                dialect: None,
                persist: true,
                nowait: false,
                command_timeout: Duration::from_secs(5),
                timing,
                pacing: Pacing::NONE,
                discovered: false,
                receive_limit: 65_536,
                memory_limit: 262_144,
                min_version: Version::V33,
            };
            stage.spawn(0, &plan);
            let start = stage.now();
            stage.until(&device, Duration::from_secs(10), &mut |_| false);
            let passed = stage.now() - start;
            let most = passed.as_millis() / Timing::LEAST.as_millis() + 2;
            let (dialed, sent) = (u128::from(device.connections()), device.requests().len() as u128);
            // A refused dial shows only in the events.
            let mut failed = 0;
            while let Some(received) = stage.receive(0, Source::Own, Duration::ZERO) {
                failed += match received {
                    ReceivedEvent::Down(_) => 1,
                    ReceivedEvent::Lagged(lost) => u128::from(lost),
                    _ => 0,
                };
            }
            assert!(passed >= Duration::from_secs(10), "{passed:?}");
            assert!(dialed <= most && failed <= most, "{limit:?}, {fault:?}: {dialed} dials, {failed} failed");
            assert!(sent <= 2 * most, "{limit:?}, {fault:?}: {sent} frames");
            assert!(dialed + failed + sent >= 10, "{limit:?}, {fault:?}: {dialed}, {failed}, {sent}");
        }
    }
}
