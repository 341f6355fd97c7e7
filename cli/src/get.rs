//! `rustuya get`: the state of a device.

use std::io::Write;

use crate::block_on;
use crate::output::{dp_table, json_line};
use crate::target::TargetArgs;

/// Ask a device for its state; prints its DPs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device id; with --devices, also its name
    #[arg(value_name = "ID")]
    id: String,
    /// Ask the gateway ID for this sub-device
    #[arg(long, value_name = "CID")]
    cid: Option<String>,
    /// Print one JSON object, such as {"1":true,"2":50}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let dps = block_on(async {
        let (target, device) = args.target.open(&args.id, args.cid.as_deref()).await?;
        match &target.cid {
            Some(cid) => target.run(&device, device.sub(cid.as_str())?.query()).await,
            None => target.run(&device, device.query()).await,
        }
    })?;
    let mut out = std::io::stdout().lock();
    if args.json {
        return json_line(&mut out, &dps);
    }
    if dps.is_empty() {
        writeln!(out, "the device answered, but shows no DPs")?;
    } else {
        writeln!(out, "{}", dp_table(&dps))?;
    }
    Ok(())
}
