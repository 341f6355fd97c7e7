//! `rustuya watch`: what happens to devices.

use core::time::Duration;
use std::time::SystemTime;

use rustuya_runtime_tokio::{CommandError, Device, DeviceId, Dialect, Event, Listener};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::block_on;
use crate::input::{seconds, unfit};
use crate::output::{dp_line, json_line_now, line_now, short};
use crate::signal::Stop;
use crate::target::{Target, TargetArgs};

/// Stay connected to devices and print what happens, until Ctrl-C
///
/// With --json, each line is {"time":..,"id":..,"event":..} and what belongs to the event: up (version), down (reason,
/// advice, retry_in), state (command, cid, dps), message (command, cid, payload), error (reason), dialect, lagged
/// (lost).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids; with --devices, also names
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Watch this sub-device of the gateway ID alone
    #[arg(long, value_name = "CID")]
    cid: Option<String>,
    /// Print one JSON object per event
    #[arg(long)]
    json: bool,
    /// End after N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds. With --for or --count, a device that was never connected is a failure
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,
    #[command(flatten)]
    target: TargetArgs,
}

/// One connection, and what of it is of interest.
struct Watched {
    device: Device,
    targets: Vec<Target>,
    /// It has been up.
    up: bool,
}

/// What a connection's task has to tell.
enum News {
    Event(Event),
    /// The state could not be asked for.
    Unasked {
        cid: Option<String>,
        error: CommandError,
    },
}

#[derive(Default, Serialize)]
struct Line<'a> {
    time: String,
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
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dps: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    block_on(async {
        let mut stop = Stop::new()?;
        let targets = args.target.resolve(&args.ids, args.cid.as_deref()).await?;
        let discovery = args.target.discovery(&targets)?;
        let (send, mut news) = mpsc::channel(64);
        let mut watched: Vec<Watched> = Vec::new();
        for target in targets {
            if let Some(known) = watched.iter_mut().find(|known| known.id() == &target.id) {
                known.targets.push(target);
                continue;
            }
            let device = args.target.spawn(&target, discovery.as_ref());
            watched.push(Watched { device, targets: vec![target], up: false });
        }
        if args.target.has_address() && watched.len() > 1 {
            return Err(unfit("--address is for one device; use --devices for several").into());
        }
        for (index, watched) in watched.iter().enumerate() {
            let listener = watched.device.listener();
            tokio::spawn(follow(index, watched.device.clone(), listener, watched.cids(), send.clone()));
        }
        let mut end = core::pin::pin!(async {
            match args.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => core::future::pending().await,
            }
        });
        let mut left = args.count.unwrap_or(u64::MAX);
        while left > 0 {
            tokio::select! {
                Some((index, news)) = news.recv() => {
                    let Some(watched) = watched.get_mut(index) else { continue };
                    watched.up |= matches!(news, News::Event(Event::Up { .. }));
                    if let Some(line) = watched.line(news) {
                        if args.json { json_line_now(&line)? } else { line_now(&line.for_people())? }
                        left -= 1;
                    }
                }
                () = &mut end => break,
                () = stop.wait() => {
                    close(&watched).await;
                    return Ok(());
                }
            }
        }
        close(&watched).await;
        match watched.iter().find(|watched| !watched.up) {
            None => Ok(()),
            Some(never) => {
                let error = CommandError::NotConnected { reason: never.device.diagnosis() };
                Err(anyhow::Error::new(error).context(never.name(None).to_owned()))
            }
        }
    })
}

async fn close(watched: &[Watched]) {
    for watched in watched {
        watched.device.close().await;
    }
}

/// Passes on what happens, and asks for the state on each new connection.
async fn follow(
    index: usize,
    device: Device,
    mut listener: Listener,
    cids: Vec<Option<String>>,
    send: mpsc::Sender<(usize, News)>,
) {
    while let Some(event) = listener.recv().await {
        if matches!(event, Event::Up { .. }) {
            for cid in &cids {
                tokio::spawn(ask(index, device.clone(), cid.clone(), send.clone()));
            }
        }
        if send.send((index, News::Event(event))).await.is_err() {
            return;
        }
    }
}

/// Asks for the state. The answer arrives as an event.
async fn ask(index: usize, device: Device, cid: Option<String>, send: mpsc::Sender<(usize, News)>) {
    let result = match &cid {
        Some(text) => match device.sub(text) {
            Ok(sub) => sub.status().acknowledged().await,
            Err(_) => return,
        },
        None => device.status().acknowledged().await,
    };
    // A connection that ended is reported by itself.
    if let Err(error @ (CommandError::Rejected { .. } | CommandError::Unanswered)) = result {
        // The receiver is gone only when the command ends.
        let _ = send.send((index, News::Unasked { cid, error })).await;
    }
}

impl Watched {
    fn id(&self) -> &DeviceId {
        // Every group is made around a first target.
        &self.targets.first().expect("a group has a target").id
    }

    fn cids(&self) -> Vec<Option<String>> {
        self.targets.iter().map(|target| target.cid.as_ref().map(ToString::to_string)).collect()
    }

    /// What the user called the device, or its sub-device.
    fn name(&self, cid: Option<&str>) -> &str {
        let same = |target: &&Target| target.cid.as_ref().map(|cid| cid.as_str()) == cid;
        self.targets.iter().find(same).or(self.targets.first()).map_or("", |target| &target.name)
    }

    /// Whether news of this sub-device, or of the device itself, are of interest.
    fn wants(&self, cid: Option<&str>) -> bool {
        self.targets.iter().any(|target| match &target.cid {
            None => true,
            Some(wanted) => Some(wanted.as_str()) == cid,
        })
    }

    /// What is printed about it, if anything.
    fn line(&self, news: News) -> Option<Line<'_>> {
        let mut line = Line { id: self.id().as_str(), ..Line::default() };
        match news {
            News::Event(Event::Up { version }) => {
                line.event = "up";
                line.version = Some(version.as_str());
            }
            News::Event(Event::Down { reason, retry_in }) => {
                line.event = "down";
                line.reason = Some(reason.to_string());
                line.advice = Some(reason.advice());
                line.retry_in = retry_in.map(|wait| wait.as_secs_f64());
            }
            News::Event(Event::Message(message)) => {
                let (command, cid, dps) = (message.command(), message.cid(), message.dps());
                if !self.wants(cid.as_deref()) {
                    return None;
                }
                line.command = Some(command.name().map_or_else(|| format!("{:#04x}", command.0), str::to_owned));
                line.cid = cid;
                if dps.is_empty() {
                    line.event = "message";
                    line.payload = message.payload();
                } else {
                    line.event = "state";
                    line.dps = Some(dps);
                }
            }
            News::Event(Event::Dialect(dialect)) => {
                line.event = "dialect";
                line.dialect = Some(match dialect {
                    Dialect::Default => "default",
                    Dialect::Device22 => "device22",
                });
            }
            News::Event(Event::Lagged(lost)) => {
                line.event = "lagged";
                line.lost = Some(lost);
            }
            News::Event(_) => return None,
            News::Unasked { cid, error } => {
                line.event = "error";
                line.cid = cid;
                line.reason = Some(error.to_string());
            }
        }
        let name = self.name(line.cid.as_deref());
        line.name = (name != line.id).then_some(name);
        line.time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        Some(line)
    }
}

impl Line<'_> {
    fn for_people(&self) -> String {
        let name = self.name.unwrap_or(self.id);
        let who = match &self.cid {
            Some(cid) if cid != name => format!("{name} {cid}"),
            _ => name.to_owned(),
        };
        let what = match self.event {
            "up" => format!("up, speaks {}", self.version.unwrap_or_default()),
            "down" => {
                let retry = match self.retry_in {
                    Some(wait) => format!("next attempt in {}", short(Duration::from_secs_f64(wait))),
                    None => "no further attempt by itself".to_owned(),
                };
                let (reason, advice) = (self.reason.as_deref().unwrap_or_default(), self.advice.unwrap_or_default());
                format!("down: {reason} ({advice}); {retry}")
            }
            "state" => dp_line(self.dps.as_ref().unwrap_or(&Map::new())),
            "message" => {
                let payload = self.payload.as_ref().map(ToString::to_string).unwrap_or_default();
                format!("{} {payload}", self.command.as_deref().unwrap_or_default())
            }
            "dialect" => format!("speaks the {} dialect", self.dialect.unwrap_or_default()),
            "lagged" => format!("{} events lost: the reader is too slow", self.lost.unwrap_or_default()),
            _ => format!("does not tell its state: {}", self.reason.as_deref().unwrap_or_default()),
        };
        format!("{} {who} {what}", self.time)
    }
}
