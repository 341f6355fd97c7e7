//! Random lives of devices, longer than in the tests.

use anyhow::{Context as _, Result};

use crate::context::Context;

/// Size and choice of a run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Commands given, over all runtimes: most of them in simulated time
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    commands: u64,
    /// Seed of the run
    #[arg(long, value_name = "S", default_value_t = 0x5eed)]
    seed: u64,
    /// Steps of each device's life
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: u32,
    /// One runtime only: simulated, tokio, blocking or smol
    #[arg(long, value_name = "NAME")]
    runtime: Option<String>,
}

/// Runs the test of the same name with other numbers, as it is built for tests.
pub(crate) fn run(context: &Context, args: &Args) -> Result<()> {
    let cargo = context.cargo().args(["test", "--locked", "--package", "rustuya-tests", "--test", "chaos"]);
    let mut cargo = cargo
        .args(["--", "--nocapture", "--test-threads=1"])
        .env("RUSTUYA_CHAOS_COMMANDS", args.commands.to_string())
        .env("RUSTUYA_CHAOS_SEED", args.seed.to_string())
        .env("RUSTUYA_CHAOS_STEPS", args.steps.to_string());
    if let Some(runtime) = &args.runtime {
        cargo = cargo.arg(runtime.clone()).env("RUSTUYA_CHAOS_RUNTIME", runtime.clone());
    }
    cargo.run().context("the last lines above say how to repeat it")
}
