//! Runs the conformance list on the Python package, with `rustuya` and `rustuya.aio`, and compares the results with
//! `docs/conformance-python.md`.
//!
//! It needs an interpreter with the package, so it is ignored by default: `RUSTUYA_PYTHON` names the interpreter, and
//! `cargo xtask test --only python` makes one and runs this. `RUSTUYA_ONLY=text` runs the scenarios whose name contains
//! the text, `RUSTUYA_WRITE=1` rewrites the page.

mod agent;
mod stage;
mod values;

use std::path::PathBuf;

use rustuya_conformance::{Subject, Table};

use self::stage::{Face, Python};

/// Number of simultaneous runs, each with a process.
const AT_ONCE: usize = 10;

#[test]
#[ignore = "RUSTUYA_PYTHON names an interpreter with the package: cargo xtask test --only python has one"]
fn every_scenario_holds_from_python() {
    let interpreter = std::env::var_os("RUSTUYA_PYTHON").map(PathBuf::from);
    let interpreter = interpreter.expect("RUSTUYA_PYTHON names an interpreter in which the package is installed");
    let (threads, asyncio) = (Python::new(&interpreter, Face::Threads), Python::new(&interpreter, Face::Asyncio));
    let subjects: [&dyn Subject; 2] = [&threads, &asyncio];
    Table::check(&subjects, AT_ONCE, "conformance-python.md", INTRODUCTION);
}

const INTRODUCTION: &str = "\
# Conformance of the Python package

The [scenarios that every driver is held to](conformance.md), carried out from Python by the public API of the package
as it is installed: in threads by `rustuya`, in an event loop by `rustuya.aio`. The devices are the same, and so is what
has to come of it. Exceptions, events, diagnoses and counters are taken as Python shows them; the registry is known by
what the managers of the process hold.

This page is generated. `cargo xtask test --only python` runs the list with the wheel that it builds, and compares;
`RUSTUYA_PYTHON=<interpreter> RUSTUYA_WRITE=1 cargo test -p rustuya-conformance --test python -- --ignored` writes the
page anew.

";
