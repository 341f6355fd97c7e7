//! Benchmarks. Each prints its own table; `docs/benchmarks.md` says how to read them.

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::context::Context;

pub(crate) mod python;

const FLEET: &str = "benches/fleet/Cargo.toml";

/// Benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bench {
    /// Fleets of virtual devices on loopback, driven by this library and by another one (Linux)
    Fleet,
    /// Single frames, beside the bare cipher and checksum work
    Codec,
    /// The Python package, beside two others and a raw socket (Linux)
    Python,
}

/// Runs a benchmark; `args` are its own arguments. With `smoke`, a few seconds of it whose results are only checked
/// for sense, and the sources are checked as those of the workspace are.
pub(crate) fn run(context: &Context, bench: Bench, smoke: bool, args: &[String]) -> Result<()> {
    match bench {
        Bench::Fleet => fleet(context, smoke, args),
        Bench::Codec => {
            let quick: &[&str] = if smoke { &["--test"] } else { &[] };
            let cargo = context.cargo().args(["bench", "--locked", "--package", "rustuya-tests", "--bench", "codec"]);
            cargo.arg("--").args(quick.iter().copied()).args(args).run()
        }
        Bench::Python => python::run(context, smoke, args),
    }
}

fn fleet(context: &Context, smoke: bool, args: &[String]) -> Result<()> {
    let target = context.target.join("fleet");
    let cargo =
        |verb: &str| context.cargo().args([verb, "--manifest-path", FLEET]).env("CARGO_TARGET_DIR", target.clone());
    if smoke {
        cargo("fmt").arg("--check").run().with_context(|| format!("run `cargo fmt --manifest-path {FLEET}`"))?;
    }
    let mut run = cargo("run").args(["--locked", "--release", "--", "run"]);
    if smoke {
        run = run.arg("--smoke");
    }
    run.args(args).run().with_context(|| {
        format!("if its Cargo.lock is said to need an update: `cargo update --workspace --manifest-path {FLEET}`")
    })
}
