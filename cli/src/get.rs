//! `rustuya get`: the state of devices.

use clap_complete::ArgValueCompleter;
use core::net::IpAddr;

use anyhow::Context as _;
use rustuya_runtime_tokio::{CommandError, Device, DevicesFile, QueryReply, SendError, Version};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::block_on;
use crate::completions;
use crate::each::each;
use crate::input::{dp, unfit};
use crate::names::by_number;
use crate::output::{Named, dp_line, dp_table, json_line_now, line_now, lines_now, named_line, named_table};
use crate::target::{Target, TargetArgs};

/// Ask devices for their state; prints names, values and units
///
/// The mapping in the devices file has the names: `set` takes them, `entities` lists them. Several devices are asked at the same time, and each is printed in a line as it answers. Failures are printed on
/// stderr, with --json as {"id":..,"error":..}; the exit status is 1 then.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids; with --devices, also names
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID", add = ArgValueCompleter::new(completions::devices))]
    ids: Vec<String>,
    /// Ask the gateway ID for this sub-device
    #[arg(long, value_name = "CID", conflicts_with = "all")]
    cid: Option<String>,
    /// Ask for these DPs. device22 firmware, which includes 3.2, answers only for named DPs; other firmware sends its
    /// whole state. DPs that do not come are listed on stderr
    #[arg(long, value_name = "DP,...", value_delimiter = ',', value_parser = dp)]
    dp: Vec<u16>,
    /// Print DP numbers and the device's own values in place of names, values and units. Without a mapping in the devices
    /// file, they are printed anyway
    #[arg(long)]
    dps: bool,
    /// Print one JSON object of DPs, such as {"1":true,"2":50}; of several devices, one for each, such as
    /// {"id":..,"name":..,"dps":{"1":true}}
    #[arg(long)]
    json: bool,
    /// Write the version and the address that worked into the devices file, so that the next command begins with them,
    /// whatever is announced. All else in the file stays as it is
    #[arg(long)]
    remember: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// State of one of several devices.
#[derive(Serialize)]
struct StateLine<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<&'a str>,
    dps: &'a Map<String, Value>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    block_on(async {
        if args.remember && args.target.devices().is_none() {
            return Err(unfit("--remember needs a devices file: give --devices").into());
        }
        let selected = args.target.resolve(&args.ids, args.cid.as_deref())?;
        let several = selected.several;
        let remember = args.target.devices().filter(|_| args.remember);
        let show = |target: &Target, (state, worked): (QueryReply, Worked)| {
            let dps = state.dps;
            let named = named(args, target, &dps);
            if several {
                show_line(target, &dps, named, args.json)?
            } else {
                show(&dps, named, args.json)?
            }
            if let Some(path) = remember {
                DevicesFile::update(path, target.id.as_str(), worked.version, worked.address).context("--remember")?;
            }
            Ok(())
        };
        each(&args.target, selected, args.json, |device, target| ask(device, target, &args.dp), show).await
    })
}

/// Version and address that a device has answered with.
struct Worked {
    version: Option<Version>,
    address: Option<IpAddr>,
}

/// Queries one device, for `dps` if any are given.
fn ask(
    device: Device,
    target: &Target,
    dps: &[u16],
) -> impl Future<Output = Result<(QueryReply, Worked), CommandError>> + Send + use<> {
    let cid = target.cid.as_ref().map(ToString::to_string);
    let (wanted, name) = (dps.to_vec(), target.name.clone());
    async move {
        let state = match cid.map(|cid| device.sub(&cid)).transpose() {
            Ok(Some(sub)) if wanted.is_empty() => sub.query().await?,
            Ok(Some(sub)) => sub.query_dps(&wanted).await?,
            Ok(None) if wanted.is_empty() => device.query().await?,
            Ok(None) => device.query_dps(&wanted).await?,
            Err(_) => return Err(CommandError::Invalid(SendError::InvalidData)),
        };
        if !state.missing.is_empty() {
            let missing: Vec<String> = state.missing.iter().map(ToString::to_string).collect();
            eprintln!("rustuya: {name}: no answer for DP {}", missing.join(", "));
        }
        if wanted.is_empty() && state.partial {
            eprintln!("rustuya: {name}: may have more DPs; --dp asks for others");
        }
        Ok((state, Worked { version: device.version(), address: device.address() }))
    }
}

/// Returns names and values, unless numbers are wanted or the device has no names.
fn named(args: &Args, target: &Target, dps: &Map<String, Value>) -> Option<Vec<Named>> {
    if args.dps || args.json || !target.product.is_known() {
        return None;
    }
    let wanted = args.dp.iter().map(|dp| (dp.to_string(), Value::Null)).collect();
    let only = Some(&wanted).filter(|_| !args.dp.is_empty());
    Some(target.product.named(&by_number(dps), only, false)).filter(|named| !named.is_empty())
}

fn show(dps: &Map<String, Value>, named: Option<Vec<Named>>, json: bool) -> anyhow::Result<()> {
    if json {
        return json_line_now(dps);
    }
    if let Some(named) = named {
        return lines_now(&named_table(&named));
    }
    if dps.is_empty() { line_now(NOTHING) } else { lines_now(&dp_table(dps)) }
}

fn show_line(target: &Target, dps: &Map<String, Value>, named: Option<Vec<Named>>, json: bool) -> anyhow::Result<()> {
    if json {
        let cid = target.cid.as_ref().map(|cid| cid.as_str());
        return json_line_now(&StateLine { id: target.id.as_str(), name: target.display_name(), cid, dps });
    }
    let state = match named {
        Some(named) => named_line(&named),
        None if dps.is_empty() => NOTHING.to_owned(),
        None => dp_line(dps),
    };
    line_now(&format!("{}: {state}", target.name))
}

const NOTHING: &str = "the device answered, but shows no DPs";
