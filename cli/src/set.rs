//! `rustuya set`: write DPs.

use std::io::Write;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::block_on;
use crate::input::{UsageError, is_dp, unfit};
use crate::output::{dp_line, json_line, short};
use crate::target::TargetArgs;

/// Set DPs of a device, and wait until it acknowledges them
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device id; with --devices, also its name
    #[arg(value_name = "ID")]
    id: String,
    /// What to set, such as 1=true 2=50 5='"red"'. Values that are not JSON are taken as text
    #[arg(required = true, value_name = "DP=VALUE")]
    dps: Vec<String>,
    /// Let the gateway ID set them on this sub-device
    #[arg(long, value_name = "CID")]
    cid: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Serialize)]
struct Done<'a> {
    id: &'a str,
    cid: Option<&'a str>,
    set: &'a Map<String, Value>,
    /// Name of the command that answered.
    answer: Option<&'static str>,
    retcode: Option<u32>,
    /// From handing the command over to its answer, on the connection that is up by then.
    micros: u128,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let dps = assignments(&args.dps)?;
    block_on(async {
        let (target, device) = args.target.open(&args.id, args.cid.as_deref()).await?;
        let cid = target.cid.as_ref().map(|cid| cid.as_str());
        let sub = cid.map(|cid| device.sub(cid)).transpose()?;
        let wanted = dps.clone();
        let set = async {
            device.wait_connected(args.target.timeout()).await?;
            let begun = Instant::now();
            let reply = match &sub {
                Some(sub) => sub.set_dps(wanted).acknowledged().await?,
                None => device.set_dps(wanted).acknowledged().await?,
            };
            Ok((reply, begun.elapsed()))
        };
        let (reply, took) = target.run(&device, set).await?;
        let mut out = std::io::stdout().lock();
        if !args.json {
            writeln!(out, "{}: {} acknowledged in {}", target.name, dp_line(&dps), short(took))?;
            return Ok(());
        }
        let done = Done {
            id: target.id.as_str(),
            cid,
            set: &dps,
            answer: reply.command.name(),
            retcode: reply.retcode,
            micros: took.as_micros(),
        };
        json_line(&mut out, &done)
    })
}

fn assignments(texts: &[String]) -> Result<Map<String, Value>, UsageError> {
    let mut dps = Map::new();
    for text in texts {
        let (dp, value) = text
            .split_once('=')
            .filter(|(dp, _)| is_dp(dp))
            .ok_or_else(|| unfit(&format!("{text}: must be DP=VALUE, the DP being a number, such as 1=true")))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        if dps.insert(dp.to_owned(), value).is_some() {
            return Err(unfit(&format!("DP {dp} is given twice")));
        }
    }
    Ok(dps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_or_else_text() {
        let texts = ["1=true", "2=-50", "3=white", "4=\"12\"", "5=", "24=01e0=", "6={\"a\":[1]}"].map(str::to_owned);
        let expected = serde_json::json!({
            "1": true, "2": -50, "3": "white", "4": "12", "5": "", "24": "01e0=", "6": { "a": [1] }
        });
        assert_eq!(assignments(&texts).map(Value::Object).ok(), Some(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [&["1"][..], &["switch=true"], &["=1"], &["70000=1"], &["01=1"], &["1=true", "1=false"]] {
            let texts: Vec<String> = bad.iter().map(|text| (*text).to_owned()).collect();
            assert!(assignments(&texts).is_err(), "{bad:?}");
        }
    }
}
