//! `rustuya watch`: events of devices.

use clap_complete::ArgValueCompleter;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::bail;
use rustuya_runtime_tokio::{CommandCode, CommandError, Device, Event, Manager};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::block_on;
use crate::completions;
use crate::connect::{connect_with, manager};
use crate::input::seconds;
use crate::names::{Product, by_number};
use crate::output::{Named, command_name, complain, dialect_name, dp_line, json_line_now, line_now, short};
use crate::record::Record;
use crate::signal::Stop;
use crate::target::{Selected, Target, TargetArgs, Unusable};

/// Stay connected to devices and print their events, until Ctrl-C
///
/// With --json, each line is {"time":..,"id":..,"event":..} and the details of the event: up (version), down (reason,
/// advice, retry_in), state (command, cid, dps), message (command, cid, payload), sub_device (cid, online), error
/// (reason), dialect, lagged (lost; without id).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids; with --devices, also names
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID", add = ArgValueCompleter::new(completions::devices))]
    ids: Vec<String>,
    /// Watch only this sub-device of the gateway ID
    #[arg(long, value_name = "CID", conflicts_with = "all")]
    cid: Option<String>,
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this number of seconds. With --for or --count, a device that was never connected is a failure
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    /// Write every byte with direction and time to this file, which is overwritten, for a bug report: `rustuya replay`
    /// repeats it without the device. Keys, ids, addresses and values are masked; sizes, times, DP numbers and the
    /// structure of payloads stay
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Record the original bytes, with real ids and addresses: the file together with the local key shows everything.
    /// One device only
    #[arg(long, requires = "record")]
    record_payloads: bool,
    #[command(flatten)]
    target: TargetArgs,
}

/// Connection, with the targets that it serves.
struct Watched {
    device: Device,
    targets: Vec<Target>,
    /// What is known of each sub-device, by cid.
    children: BTreeMap<String, Arc<Product>>,
    /// True if it has been up.
    up: bool,
    /// Errors of queries that were printed already, with their cid.
    printed: Vec<(Option<String>, String)>,
}

/// Failed query for the state of a device.
struct FailedQuery {
    id: String,
    cid: Option<String>,
    error: CommandError,
}

#[derive(Default, Serialize)]
struct EventLine<'a> {
    time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dps: Option<Map<String, Value>>,
    /// Names and values with units, where the device has names.
    #[serde(skip_serializing_if = "Map::is_empty")]
    values: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    block_on(async {
        let mut stop = Stop::new()?;
        let Selected { targets, unusable, several, children } = args.target.resolve(&args.ids, args.cid.as_deref())?;
        let manager = manager(&args.target, &targets)?;
        let mut record = Record::create(args.record.as_deref(), args.record_payloads, &targets)?;
        for entry in &unusable {
            EventLine::unusable(entry).show(args.json)?;
        }
        let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
        let mut events = manager.listener();
        for target in targets {
            let id = target.id.to_string();
            let device = connect_with(&manager, &target, |builder| record.add_to(builder))?;
            let own = children.iter().filter(|child| child.gateway == id);
            let children = own.map(|child| (child.cid.clone(), Arc::clone(&child.product))).collect();
            let entry = watched.entry(id).or_insert_with(|| Watched {
                device,
                targets: Vec::new(),
                children,
                up: false,
                printed: Vec::new(),
            });
            entry.targets.push(target);
        }
        let (send, mut failures) = mpsc::channel(64);
        let mut end = core::pin::pin!(async {
            match args.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => core::future::pending().await,
            }
        });
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 {
            let line = tokio::select! {
                Some(received) = events.recv() => match watched.get_mut(&*received.device_id) {
                    Some(watched) => {
                        watched.on_event(&received.event, &send);
                        watched.line(received.event)
                    }
                    None => EventLine::lost_events(&received.event),
                },
                Some(FailedQuery { id, cid, error }) = failures.recv() => {
                    watched.get_mut(&id).and_then(|watched| watched.failed_query(cid, &error))
                }
                () = &mut end => break,
                () = stop.wait() => {
                    manager.shutdown().await;
                    return record.finish();
                }
            };
            if let Some(line) = line {
                line.show(args.json)?;
                left -= 1;
            }
            record.check()?;
        }
        let diagnoses = watched.values().filter(|watched| !watched.up).map(Watched::never_connected).collect();
        finish(&manager, record, diagnoses, several, unusable.len(), watched.len()).await
    })
}

/// Ends the connections, and reports the devices that were never connected.
async fn finish(
    manager: &Manager,
    record: Record,
    never_connected: Vec<anyhow::Error>,
    several: bool,
    unusable: usize,
    connections: usize,
) -> anyhow::Result<()> {
    manager.shutdown().await;
    record.finish()?;
    let failed = never_connected.len() + unusable;
    if several {
        never_connected.iter().for_each(complain);
        return if failed == 0 { Ok(()) } else { bail!("{failed} of {} devices failed", connections + unusable) };
    }
    never_connected.into_iter().next().map_or(Ok(()), Err)
}

impl Watched {
    /// Asks for the state on each new connection; the answer arrives as an event.
    fn on_event(&mut self, event: &Event, send: &mpsc::Sender<FailedQuery>) {
        if !matches!(event, Event::Up { .. }) {
            return;
        }
        self.up = true;
        for target in &self.targets {
            tokio::spawn(ask(self.device.clone(), target.cid.as_ref().map(ToString::to_string), send.clone()));
        }
    }

    /// Returns why the connection was never up.
    fn never_connected(&self) -> anyhow::Error {
        let error = CommandError::NotConnected { reason: self.device.diagnosis() };
        anyhow::Error::new(error).context(self.targets.first().map_or("", Target::error_name).to_owned())
    }

    /// Returns the user's name for the device, or for its sub-device.
    fn name(&self, cid: Option<&str>) -> &str {
        let same = |target: &&Target| target.cid.as_ref().map(|cid| cid.as_str()) == cid;
        self.targets.iter().find(same).or(self.targets.first()).map_or("", |target| &target.name)
    }

    /// Returns whether events of this sub-device, or of the device itself, are watched.
    fn wants(&self, cid: Option<&str>) -> bool {
        self.targets.iter().any(|target| match &target.cid {
            None => true,
            Some(wanted) => Some(wanted.as_str()) == cid,
        })
    }

    /// Returns names and values of what a message reports. Values that depend on other DPs, such as the brightness of a
    /// light, are those of the whole state.
    fn values(&self, cid: Option<&str>, dps: &Map<String, Value>, is_push: bool) -> Map<String, Value> {
        let own = self.targets.iter().find(|target| target.cid.as_ref().map(|cid| cid.as_str()) == cid);
        let product = match (cid, own) {
            (_, Some(target)) => &target.product,
            (Some(cid), None) => match self.children.get(cid) {
                Some(product) => product,
                None => return Map::new(),
            },
            (None, None) => return Map::new(),
        };
        if !product.is_known() {
            return Map::new();
        }
        let state = match cid.map(|cid| self.device.sub(cid)) {
            Some(Ok(sub)) => sub.state(),
            _ => self.device.state(),
        };
        let mut present: BTreeMap<u16, Value> =
            state.dps.into_iter().map(|(dp, reading)| (dp, reading.value)).collect();
        present.extend(by_number(dps));
        let named = product.named(&present, Some(dps), is_push);
        named.into_iter().map(|Named { name, text }| (name, Value::from(text))).collect()
    }

    /// Returns the line for an event, if it is printed.
    fn line(&self, event: Event) -> Option<EventLine<'_>> {
        let mut line = EventLine { id: self.device.id(), ..EventLine::default() };
        match event {
            Event::Up { version } => {
                line.event = "up";
                line.version = Some(version.as_str());
            }
            Event::Down { reason, retry_in } => {
                line.event = "down";
                line.reason = Some(reason.to_string());
                line.advice = Some(reason.advice());
                line.retry_in = retry_in.map(|wait| wait.as_secs_f64());
            }
            Event::Message(message) => {
                let (command, dps) = (message.command(), message.dps());
                line.cid = message.cid().map(str::to_owned);
                if !self.wants(line.cid.as_deref()) {
                    return None;
                }
                line.command = Some(command_name(command));
                if dps.is_empty() {
                    line.event = "message";
                    line.payload = message.payload();
                } else {
                    line.event = "state";
                    line.values = self.values(line.cid.as_deref(), &dps, command == CommandCode::STATUS);
                    line.dps = Some(dps);
                }
            }
            Event::SubDevice { cid, online } => {
                if !self.wants(Some(&*cid)) {
                    return None;
                }
                line.event = "sub_device";
                line.cid = Some(cid.to_string());
                line.online = Some(online);
            }
            Event::Dialect(dialect) => {
                line.event = "dialect";
                line.dialect = Some(dialect_name(dialect));
            }
            Event::Ignored { command, why } => {
                line.event = "error";
                line.reason = Some(format!("a frame (command {}) was ignored: {why}", command.0));
            }
            Event::Skipped { len, limit, .. } => {
                line.event = "error";
                line.reason = Some(format!("a frame of {len} bytes was skipped: it is larger than {limit}"));
            }
            _ => return None,
        }
        Some(self.named(line))
    }

    /// Returns the line for a failed query; each failure only once, and not on each connection.
    fn failed_query(&mut self, cid: Option<String>, error: &CommandError) -> Option<EventLine<'_>> {
        let printed = (cid.clone(), error.to_string());
        if self.printed.contains(&printed) {
            return None;
        }
        self.printed.push(printed);
        let reason = Some(format!("the query failed: {error}"));
        Some(self.named(EventLine { id: self.device.id(), event: "error", cid, reason, ..EventLine::default() }))
    }

    fn named<'a>(&'a self, mut line: EventLine<'a>) -> EventLine<'a> {
        let name = self.name(line.cid.as_deref());
        line.name = (name != line.id).then_some(name);
        line.time = now();
        line
    }
}

/// Asks for the state.
async fn ask(device: Device, cid: Option<String>, send: mpsc::Sender<FailedQuery>) {
    let result = match &cid {
        Some(text) => match device.sub(text) {
            Ok(sub) => sub.status().acknowledged().await,
            Err(_) => return,
        },
        None => device.status().acknowledged().await,
    };
    // A connection that ended is reported by itself.
    if let Err(
        error @ (CommandError::Rejected { .. }
        | CommandError::NoAnswer
        | CommandError::AnswerTooLarge { .. }
        | CommandError::SubDeviceOffline),
    ) = result
    {
        // The receiver is gone only when the command ends.
        let _ = send.send(FailedQuery { id: device.id().to_owned(), cid, error }).await;
    }
}

fn now() -> String {
    stamp(SystemTime::now())
}

/// Formats a time. A clock before 1970 or after 9999 is moved to the nearest time that has a format.
fn stamp(time: SystemTime) -> String {
    // 9999-12-31T23:59:59.999Z
    const LAST: Duration = Duration::from_millis(253_402_300_799_999);
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LAST);
    humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + since).to_string()
}

impl<'a> EventLine<'a> {
    /// Creates the line for an entry of the file that cannot be used.
    fn unusable(entry: &'a Unusable) -> Self {
        let name = (entry.name != entry.id).then_some(entry.name.as_str());
        let reason = Some(format!("{:#}", entry.error));
        Self { time: now(), id: &entry.id, name, event: "error", reason, ..Self::default() }
    }

    /// Creates the line for lost events, which belong to no device.
    fn lost_events(event: &Event) -> Option<Self> {
        match event {
            Event::Lagged(lost) => Some(Self { time: now(), event: "lagged", lost: Some(*lost), ..Self::default() }),
            _ => None,
        }
    }

    fn show(&self, json: bool) -> anyhow::Result<()> {
        if json { json_line_now(self) } else { line_now(&self.to_text()) }
    }

    fn to_text(&self) -> String {
        let name = self.name.unwrap_or(self.id);
        let who = match &self.cid {
            Some(cid) if cid != name => format!("{name} {cid}"),
            _ => name.to_owned(),
        };
        let what = match self.event {
            "up" => format!("up, version {}", self.version.unwrap_or_default()),
            "down" => {
                let retry = match self.retry_in {
                    Some(wait) => format!("next attempt in {}", short(Duration::from_secs_f64(wait))),
                    None => "no further attempt by itself".to_owned(),
                };
                let (reason, advice) = (self.reason.as_deref().unwrap_or_default(), self.advice.unwrap_or_default());
                format!("down: {reason} ({advice}); {retry}")
            }
            "state" if !self.values.is_empty() => {
                let pairs =
                    self.values.iter().map(|(name, text)| format!("{name}={}", text.as_str().unwrap_or_default()));
                pairs.collect::<Vec<_>>().join(" ")
            }
            "state" => dp_line(self.dps.as_ref().unwrap_or(&Map::new())),
            "message" => {
                let payload = self.payload.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{} {payload}", self.command.as_deref().unwrap_or_default())
            }
            "dialect" => format!("uses the {} dialect", self.dialect.unwrap_or_default()),
            "lagged" => format!("{} events lost: the reader is too slow", self.lost.unwrap_or_default()),
            "sub_device" => if self.online == Some(true) { "is online" } else { "is offline" }.to_owned(),
            _ => self.reason.clone().unwrap_or_default(),
        };
        if who.is_empty() { format!("{} {what}", self.time) } else { format!("{} {who} {what}", self.time) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_has_a_time() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(stamp(at(1_700_000_000)), "2023-11-14T22:13:20.000Z");
        assert_eq!(stamp(SystemTime::UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(at(300_000_000_000)), "9999-12-31T23:59:59.999Z");
    }
}
