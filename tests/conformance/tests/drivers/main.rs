//! Runs the conformance list on every runtime, and compares the results with `docs/conformance.md`.
//!
//! `RUSTUYA_ONLY=text` runs the scenarios whose name contains the text, `RUSTUYA_WRITE=1` rewrites the page.

#[expect(dead_code, reason = "the example's own program is not run here")]
#[path = "../../../../runtime-futures/examples/async_std.rs"]
mod async_std_example;
#[expect(dead_code, reason = "the example's own program is not run here")]
#[path = "../../../../runtime-futures/examples/smol.rs"]
mod smol_example;

use rustuya_conformance::{Asynchronous, Bare, Blocking, Subject, Table};
use rustuya_runtime_futures::Futures;
use rustuya_runtime_tokio::TokioHandle;

#[test]
fn every_scenario_holds_on_every_runtime() {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().expect("threads");
    let on_tokio = Asynchronous::new("tokio", TokioHandle(tokio.handle().clone()));
    let blocking = Blocking::new();
    let on_smol = Asynchronous::new("smol", Futures::new(smol_example::Smol));
    let on_async_std = Asynchronous::new("async-std", Futures::new(async_std_example::AsyncStd));
    let subjects: [&dyn Subject; 5] = [&on_tokio, &blocking, &on_smol, &on_async_std, &Bare];
    Table::check(&subjects, 24, "conformance.md", INTRODUCTION);
}

const INTRODUCTION: &str = "\
# Conformance

One list of scenarios, as data, runs on every driver: steps on the public API, faults at the device and on the wire,
and what has to come of them: results, events, diagnosis, and what arrived at the device. Each run has devices and a
controller of its own; a control that arrives twice, or a frame that is delivered although its check failed, fails any
scenario. The list is in `tests/conformance/src/list`.

This page is generated. `cargo test -p rustuya-conformance --test drivers` runs the list and compares; with
`RUSTUYA_WRITE=1` it writes the page anew.

";
