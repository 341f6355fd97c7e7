//! Lines on stdout.

use core::time::Duration;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use rustuya_proto::{CommandCode, Dialect, FrameError};
use serde::Serialize;
use serde_json::{Map, Value};

/// Writes one value as one line of JSON.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}

/// Writes one line of text.
pub(crate) fn line(out: &mut impl Write, text: &impl core::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(out, "{text}")?)
}

/// Writes one value as one line of JSON, and makes it visible at once.
pub(crate) fn json_line_now(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    json_line(&mut out, value)?;
    Ok(out.flush()?)
}

/// Writes one line of text, and makes it visible at once.
pub(crate) fn line_now(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// DPs as a table for people.
pub(crate) fn dp_table(dps: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["DP", "value"]);
    for (dp, value) in dps {
        table.add_row([dp.clone(), value.to_string()]);
    }
    table
}

/// DPs in one line for people.
pub(crate) fn dp_line(dps: &Map<String, Value>) -> String {
    let pairs: Vec<String> = dps.iter().map(|(dp, value)| format!("{dp}={value}")).collect();
    pairs.join(" ")
}

/// A duration for people, in the unit that suits it.
pub(crate) fn short(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// Whether the command failed only because nobody reads its output any more, as with `| head`.
pub(crate) fn reader_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A command's name, or its code where it has none.
pub(crate) fn command_name(command: CommandCode) -> String {
    command.name().map_or_else(|| format!("{:#04x}", command.0), str::to_owned)
}

/// The word for a dialect.
pub(crate) const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Default => "default",
        Dialect::Device22 => "device22",
    }
}

/// The word for a frame error in JSON.
pub(crate) fn error_kind(error: FrameError) -> &'static str {
    match error {
        FrameError::Prefix => "prefix",
        FrameError::Length | FrameError::TooLong { .. } => "length",
        FrameError::Suffix => "suffix",
        FrameError::Integrity => "integrity",
        FrameError::Padding => "padding",
        _ => "malformed",
    }
}
