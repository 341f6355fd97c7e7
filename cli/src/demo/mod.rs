//! `rustuya demo`: the library with virtual devices.

mod fleet;
mod script;
mod view;

use core::time::Duration;

use anyhow::bail;

use crate::block_on;
use view::View;

/// Watch the library at work on virtual devices of every protocol version, in ten seconds
///
/// Nothing leaves this machine: the devices are on the loopback interface. Every answer is checked against the state of
/// the device; the exit status is 1 if one is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object per step, {"step":..,"name":..,"id":..,"micros":..}; does not pause for people
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    block_on(async {
        let mut view = View::new(args.json);
        match tokio::time::timeout(LIMIT, script::play(&mut view)).await {
            Ok(result) => result,
            Err(_) => bail!("the demo was not done after {} s, at: {}", LIMIT.as_secs(), view.phase()),
        }
    })
}

/// Time limit of the whole demo.
const LIMIT: Duration = Duration::from_secs(30);
