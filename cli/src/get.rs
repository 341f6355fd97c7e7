//! `rustuya get`: the state of a device.

use std::io::Write;

use rustuya_runtime_tokio::CommandCode;
use serde_json::Value;

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
    /// Ask for these DPs. device22 firmware, which includes 3.2, tells only what it is asked for, DP 1 if nothing is
    /// named; other firmware tells everything
    #[arg(long, value_name = "DP,...", value_delimiter = ',')]
    dp: Vec<u16>,
    /// Print one JSON object, such as {"1":true,"2":50}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let dps = block_on(async {
        let (target, device) = args.target.open(&args.id, args.cid.as_deref()).await?;
        let cid = target.cid.as_ref().map(|cid| cid.as_str());
        let ids = args.dp.iter().map(|dp| (dp.to_string(), Value::Null));
        let asked = (!args.dp.is_empty()).then(|| Value::Object(ids.collect()));
        let ask = || device.request(CommandCode::DP_QUERY, asked.clone(), cid).acknowledged();
        let state = async {
            let mut dps = ask().await?.dps;
            // device22 firmware answers with a push, and pushes do not tell which query they answer: the one taken
            // for the answer may be that of the query by which the version was found out.
            if args.dp.iter().any(|dp| !dps.contains_key(&dp.to_string())) {
                dps.extend(ask().await?.dps);
            }
            Ok(dps)
        };
        target.run(&device, state).await
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
