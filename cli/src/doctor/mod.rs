//! `rustuya doctor`: what may be wrong with a device, step by step.

mod examine;
mod listen;

use clap_complete::ArgValueCompleter;
use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustuya_runtime_tokio::{Address, DeviceEntry, DevicesFile};
use serde::Serialize;

use crate::block_on;
use crate::completions;
use crate::input::{self, Ports, seconds, unfit};
use crate::key::KeyArgs;
use crate::names::USUAL;
use crate::output::{json_line_now, line_now};
use listen::Heard;

/// Find out why a device does not answer: goes through what may be wrong, and says at each step what it saw and what helps
///
/// The steps are: listed (in the file), key, announced (in the local network), address (and version), port (open), busy
/// (with another client), negotiation (key and version), query. The first that fails is most likely the cause. With --json,
/// each step gives {"name":..,"id":..,"step":..,"result":"ok"|"note"|"failed"|"skipped","saw":..,"advice":..}. Nothing is
/// set on the device. Exit status: 0 when every device answers the query.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Device ids; with --devices, also names. Without any, every device of the file is examined
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completions::devices))]
    names: Vec<String>,
    /// A devices.json as `rustuya wizard` writes it [default: devices.json, where there is one]
    #[arg(long, value_name = "FILE")]
    devices: Option<PathBuf>,
    /// Address of the device, instead of the announced one and the one in the file
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Option<Address>,
    /// TCP port, unless --address or --devices says so [default: 6668]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    #[command(flatten)]
    key: KeyArgs,
    /// Time limit for announcements; ends earlier when all devices were heard
    #[arg(long, value_name = "SECONDS", default_value = "12", value_parser = seconds)]
    listen: Duration,
    /// Time limit for the connection; the answer may take three tenths of it
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// UDP ports to listen on: of clear announcements, of encrypted ones, and of answers to probes
    #[arg(long, value_name = "A,B,C", default_value = "6666,6667,7000")]
    discovery_ports: Ports,
    /// Believe announcements that come from another address than the one they name
    #[arg(long)]
    trust_relayed: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    /// Not as it should be, but no obstacle by itself.
    Note,
    Failed,
    /// Earlier failures leave nothing to see.
    Skipped,
}

/// One step.
#[derive(Debug, Serialize)]
struct Step<'a> {
    name: &'a str,
    id: Option<&'a str>,
    step: &'static str,
    result: Outcome,
    saw: String,
    advice: Option<String>,
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match self.result {
            Outcome::Ok => "ok",
            Outcome::Note => "note",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "-",
        };
        write!(f, "  {result:<6}  {:<11}  {}", self.step, self.saw)
    }
}

/// The file, and what it is called in messages.
struct List {
    file: DevicesFile,
    name: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let list = args.list()?;
    let names = match &list {
        _ if !args.names.is_empty() => args.names.clone(),
        Some(list) => list.file.devices().map(|listed| listed.id().to_owned()).collect(),
        None => {
            return Err(unfit("no device: name one, or give --devices; there is no devices.json in this folder").into());
        }
    };
    if names.is_empty() {
        bail!("the file lists no devices: run `rustuya wizard`");
    }
    block_on(async {
        let heard = Heard::listen(args, &args.announcers(list.as_ref(), &names)).await;
        let mut sick = 0;
        for name in &names {
            let mut report = Report { json: args.json, name: shown(list.as_ref(), name), id: None };
            report.begin()?;
            if !examine::device(args, list.as_ref(), name, &heard, &mut report).await? {
                sick += 1;
            }
        }
        if sick > 0 {
            bail!("{sick} of {} do not answer", names.len());
        }
        Ok(())
    })
}

/// Returns the name of a device in the file, or else the name from the command line.
fn shown(list: Option<&List>, name: &str) -> String {
    let listed = list.and_then(|list| list.file.find(name).ok().flatten());
    listed.and_then(DeviceEntry::name).unwrap_or_else(|| input::shown(name)).to_owned()
}

impl Args {
    fn list(&self) -> anyhow::Result<Option<List>> {
        let path = match &self.devices {
            Some(path) => path.as_path(),
            None if Path::new(USUAL).exists() => Path::new(USUAL),
            None => return Ok(None),
        };
        let file = DevicesFile::read(path).with_context(|| input::file("--devices", path))?;
        Ok(Some(List { file, name: input::file("", path) }))
    }

    /// The ids of those that announce themselves: of sub-devices, their gateways.
    fn announcers(&self, list: Option<&List>, names: &[String]) -> Vec<String> {
        let announcer = |name: &String| {
            let Some(list) = list else { return Some(name.clone()) };
            match list.file.find(name).ok().flatten() {
                Some(child) if child.is_sub_device() => list.file.gateway(child).map(|gateway| gateway.id().to_owned()),
                Some(listed) => Some(listed.id().to_owned()),
                None => Some(name.clone()),
            }
        };
        names.iter().filter_map(announcer).collect()
    }
}

/// Shows the steps as they are taken.
struct Report {
    json: bool,
    name: String,
    id: Option<String>,
}

impl Report {
    fn begin(&self) -> anyhow::Result<()> {
        if self.json { Ok(()) } else { line_now(&self.name) }
    }

    fn step(
        &self,
        step: &'static str,
        result: Outcome,
        saw: impl Into<String>,
        advice: Option<&str>,
    ) -> anyhow::Result<()> {
        let id = self.id.as_deref();
        let step = Step { name: &self.name, id, step, result, saw: saw.into(), advice: advice.map(str::to_owned) };
        if self.json {
            return json_line_now(&step);
        }
        line_now(&step.to_string())?;
        match &step.advice {
            Some(advice) => line_now(&format!("{:23}{advice}", "")),
            None => Ok(()),
        }
    }

    fn ok(&self, step: &'static str, saw: impl Into<String>) -> anyhow::Result<()> {
        self.step(step, Outcome::Ok, saw, None)
    }

    fn note(&self, step: &'static str, saw: impl Into<String>, advice: &str) -> anyhow::Result<()> {
        self.step(step, Outcome::Note, saw, Some(advice))
    }

    fn failed(&self, step: &'static str, saw: impl Into<String>, advice: &str) -> anyhow::Result<()> {
        self.step(step, Outcome::Failed, saw, Some(advice))
    }

    fn skipped(&self, steps: &[&'static str], why: &str) -> anyhow::Result<()> {
        steps.iter().try_for_each(|step| self.step(step, Outcome::Skipped, why, None))
    }
}
