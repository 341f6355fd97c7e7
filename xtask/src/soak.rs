//! A house that goes on for minutes, and must not grow.

use anyhow::{Context as _, Result};

use crate::context::Context;

/// Duration of a run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Minutes
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
}

/// Runs the test of the same name for longer, and has it look at the memory, too.
pub(crate) fn run(context: &Context, args: &Args) -> Result<()> {
    let cargo = context.cargo().args(["test", "--locked", "--package", "rustuya-tests", "--test", "soak"]);
    let cargo = cargo.args(["--", "--nocapture"]).env("RUSTUYA_SOAK_SECONDS", (args.minutes * 60).to_string());
    cargo.run().context("something grows: the lines above say what")
}
