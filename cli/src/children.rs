//! `rustuya children`: the sub-devices of a gateway.

use clap_complete::ArgValueCompleter;
use core::time::Duration;
use std::collections::BTreeMap;

use anyhow::bail;
use comfy_table::{Table, presets};
use rustuya_runtime_tokio::{CommandCode, CommandError, Device, Event};
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::block_on;
use crate::completions;
use crate::each::each;
use crate::output::{json_line_now, line_now, lines_now, plain};
use crate::target::{Child, Target, TargetArgs};

/// Ask gateways for their sub-devices; prints which of them are online
///
/// With --devices, names are printed as well, and sub-devices in the file that the gateway did not report. Gateways of
/// 3.3, and devices that are no gateways, often do not answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids of gateways; with --devices, also names
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "GATEWAY", add = ArgValueCompleter::new(completions::devices))]
    ids: Vec<String>,
    /// Print one JSON object for each sub-device: {"gateway":..,"cid":..,"online":true}, with --devices also "id" and
    /// "name". "online" is null if the gateway did not report it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// Time without a further report after which the last one was the end: gateways with many sub-devices send several.
const PAUSE: Duration = Duration::from_millis(500);

/// Sub-devices that a gateway has reported, by cid.
type Reported = BTreeMap<String, bool>;

#[derive(Serialize)]
struct ChildLine<'a> {
    gateway: &'a str,
    cid: &'a str,
    online: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    block_on(async {
        let mut selected = args.target.resolve(&args.ids, None)?;
        if args.target.is_all() {
            let behind = |target: &Target| selected.children.iter().any(|child| child.gateway == target.id.as_str());
            selected.targets.retain(|target| target.cid.is_none() && behind(target));
            selected.unusable.clear();
            if selected.targets.is_empty() {
                bail!("--devices lists no gateways with sub-devices");
            }
        }
        let listed = core::mem::take(&mut selected.children);
        let show = |target: &Target, reported: Reported| show(target, &listed, &reported, args.json);
        each(&args.target, selected, args.json, |device, target| ask(device, target.timeout), show).await
    })
}

async fn ask(device: Device, limit: Duration) -> Result<Reported, CommandError> {
    let mut events = device.listener();
    let mut reported = Reported::new();
    let reply = device.sub_discover().acknowledged().await?;
    take(&mut reported, reply.payload().as_ref());
    // Limits the wait for a gateway that never stops sending reports.
    let ends = Instant::now() + limit;
    while let Ok(Some(event)) = timeout_at(ends.min(Instant::now() + PAUSE), events.recv()).await {
        if let Event::Message(message) = event
            && message.command() == CommandCode::LAN_EXT_STREAM
        {
            take(&mut reported, serde_json::from_slice(message.bytes()).ok().as_ref());
        }
    }
    Ok(reported)
}

/// Adds the content of a report. A later report replaces earlier entries.
fn take(reported: &mut Reported, report: Option<&Value>) {
    for (list, online) in [("/data/online", true), ("/data/offline", false)] {
        let cids = report.and_then(|report| report.pointer(list)?.as_array()).into_iter().flatten();
        reported.extend(cids.filter_map(Value::as_str).map(|cid| (cid.to_owned(), online)));
    }
}

fn show(target: &Target, listed: &[Child], reported: &Reported, json: bool) -> anyhow::Result<()> {
    let mine = || listed.iter().filter(|child| child.gateway == target.id.as_str());
    let known = |cid: &str| mine().find(|child| child.cid == cid);
    let answered = reported.iter().map(|(cid, online)| (cid.as_str(), Some(*online), known(cid)));
    let missing = mine().filter(|child| !reported.contains_key(&child.cid));
    let all: Vec<_> = answered.chain(missing.map(|child| (child.cid.as_str(), None, Some(child)))).collect();
    if json {
        return all.iter().try_for_each(|(cid, online, child)| {
            let (id, name) = (child.map(|child| child.id.as_str()), child.and_then(|child| child.name.as_deref()));
            json_line_now(&ChildLine { gateway: target.id.as_str(), cid, online: *online, id, name })
        });
    }
    if all.is_empty() {
        return line_now(&format!("{}: the gateway answered, but has no sub-devices", target.name));
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["cid", "state", "name"]);
    for (cid, online, child) in all {
        let state = match online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "not reported",
        };
        let name = child.and_then(|child| child.name.as_deref()).unwrap_or_default();
        table.add_row([plain(cid), state.to_owned(), plain(name)]);
    }
    lines_now(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_are_added_up() {
        let mut reported = Reported::new();
        take(&mut reported, Some(&json!({ "data": { "online": ["a", "b"], "offline": ["c", 5] } })));
        take(&mut reported, Some(&json!({ "data": { "online": ["c"], "offline": 7 } })));
        take(&mut reported, Some(&json!("data unvalid")));
        take(&mut reported, None);
        let expected = [("a".to_owned(), true), ("b".to_owned(), true), ("c".to_owned(), true)];
        assert_eq!(reported, Reported::from(expected));
    }
}
