//! `rustuya replay`: repeats a record without the device.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Context, bail};
use rustuya_proto::{LossReason, Outcome, RetCode};
use rustuya_record::{Happened, Replay, Step};
use serde_json::{Map, Value, json};

use crate::input;
use crate::key::KeyArgs;
use crate::output::{command_name, dialect_name, json_line, line};

/// Repeat what `rustuya watch --record` wrote, without the device, and print what happens
///
/// The record is fed to the same code that was connected to the device. If that behaves differently, a step "diverged"
/// says so, and the exit status is 1: the record is not complete, the key is wrong, or this version behaves
/// differently. With --json, each step is {"micros":..,"device":..,"line":..,"step":..} and its details.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The record; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object per step
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    key: KeyArgs,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.file.as_os_str() == "-" {
        return replay(args, std::io::stdin().lock());
    }
    let name = || input::file("", &args.file);
    replay(args, BufReader::new(File::open(&args.file).with_context(name)?)).with_context(name)
}

fn replay(args: &Args, input: impl BufRead) -> anyhow::Result<()> {
    let mut replay = Replay::new(input)?;
    if !replay.is_redacted() {
        replay = replay.with_keys(vec![args.key.any()?]);
    }
    let mut out = std::io::stdout().lock();
    let mut diverged = 0u64;
    for step in replay {
        let step = step?;
        diverged += u64::from(matches!(step.what, Happened::Diverged(_)));
        if args.json { json_line(&mut out, &object(&step))? } else { line(&mut out, &step)? }
    }
    match diverged {
        0 => Ok(()),
        _ => bail!("the replay diverges from the record in {diverged} places: see the steps \"diverged\""),
    }
}

/// Converts a step to JSON.
fn object(step: &Step) -> Value {
    let (word, detail) = what(&step.what);
    let mut object = Map::new();
    object.insert("micros".to_owned(), json!(step.at.as_micros()));
    if step.device != 0 {
        object.insert("device".to_owned(), json!(step.device));
    }
    object.insert("line".to_owned(), json!(step.line));
    object.insert("step".to_owned(), json!(word));
    if let Value::Object(detail) = detail {
        object.extend(detail.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Value::Object(object)
}

/// Returns the JSON name of an event, and its details.
fn what(what: &Happened) -> (&'static str, Value) {
    match what {
        Happened::Created => ("created", Value::Null),
        Happened::Reconfigured => ("reconfigured", Value::Null),
        Happened::Dial { connection, to } => ("dial", json!({ "connection": connection, "to": to })),
        Happened::Hangup { connection } => ("hangup", json!({ "connection": connection })),
        Happened::Held { connection } => ("held", json!({ "connection": connection })),
        Happened::Dialed { connection } => ("dialed", json!({ "connection": connection })),
        Happened::Lost { connection, why } => ("lost", json!({ "connection": connection, "reason": loss_name(*why) })),
        Happened::Announced { address, version } => {
            ("announced", json!({ "ip": address, "version": version.map(|version| version.as_str()) }))
        }
        Happened::Relayed => ("relayed", Value::Null),
        Happened::ConnectNow => ("connect_now", Value::Null),
        Happened::Closed => ("closed", Value::Null),
        Happened::Asked { number, command, cid } => {
            ("asked", json!({ "number": number, "command": command_name(*command), "cid": cid }))
        }
        Happened::Refused { number, command, error } => {
            ("refused", json!({ "number": number, "command": command_name(*command), "reason": error.to_string() }))
        }
        Happened::Sent(frame) => {
            ("sent", json!({ "command": command_name(frame.command), "seqno": frame.seqno, "bytes": frame.len }))
        }
        Happened::Received { len } => ("received", json!({ "bytes": len })),
        Happened::Up { version } => ("up", json!({ "version": version.as_str() })),
        Happened::Down { reason, retry_at } => {
            let retry_at = retry_at.map(|at| at.as_micros());
            ("down", json!({ "reason": reason.to_string(), "advice": reason.advice(), "retry_at": retry_at }))
        }
        Happened::Dialect(dialect) => ("dialect", json!({ "dialect": dialect_name(*dialect) })),
        Happened::Message { command, seqno, retcode, payload } => {
            let retcode = retcode.map(RetCode::number);
            let command = command_name(*command);
            ("message", json!({ "command": command, "seqno": seqno, "retcode": retcode, "payload": payload }))
        }
        Happened::Resolved { number, outcome, payload } => {
            let (word, retcode) = outcome_name(*outcome);
            ("resolved", json!({ "number": number, "outcome": word, "retcode": retcode, "payload": payload }))
        }
        Happened::Diverged(divergence) => ("diverged", json!({ "reason": divergence.to_string() })),
        other => ("other", json!({ "text": other.to_string() })),
    }
}

/// Returns the JSON name of a command's outcome, and its return code.
fn outcome_name(outcome: Outcome) -> (&'static str, Option<u32>) {
    match outcome {
        Outcome::Acknowledged { retcode } => ("acknowledged", retcode.map(RetCode::number)),
        Outcome::Rejected { retcode, .. } => ("rejected", retcode.map(RetCode::number)),
        Outcome::Unanswered => ("unanswered", None),
        Outcome::ConnectionLost => ("connection-lost", None),
        _ => ("other", None),
    }
}

/// Returns the JSON name of a loss reason.
const fn loss_name(why: LossReason) -> &'static str {
    match why {
        LossReason::Refused => "refused",
        LossReason::Unreachable => "unreachable",
        LossReason::Unresolved => "unresolved",
        LossReason::TimedOut => "timed-out",
        LossReason::Reset => "reset",
        LossReason::Closed => "closed",
        LossReason::OutOfDescriptors => "out-of-descriptors",
        _ => "other",
    }
}
