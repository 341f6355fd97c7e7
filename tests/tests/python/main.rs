//! The conformance list on the Python package, by `rustuya` and by `rustuya.aio`; see `docs/conformance-python.md`,
//! which this compares with what it finds.
//!
//! It needs an interpreter in which the package is installed, so it is ignored by default: `RUSTUYA_PYTHON` names the
//! interpreter, and `cargo xtask test --only python` makes one and runs this. `RUSTUYA_ONLY=words` runs the scenarios
//! whose name holds these words, `RUSTUYA_WRITE=1` writes the page anew.

mod agent;
mod stage;
mod told;

use std::path::PathBuf;

use rustuya_tests::conformance::{Subject, Table};

use self::stage::{Face, Python};

/// Each of them has a process.
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
`RUSTUYA_PYTHON=<interpreter> RUSTUYA_WRITE=1 cargo test -p rustuya-tests --test python -- --ignored` writes the page
anew.

";
