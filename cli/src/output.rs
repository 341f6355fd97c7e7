//! Lines on stdout.

use core::time::Duration;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use rustuya_proto::{CommandCode, Dialect, FrameError};
use serde::Serialize;
use serde_json::{Map, Value};

/// Writes one value as one line of JSON.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let line = serde_json::to_string(value)?;
    if !line.contains(is_active) {
        return Ok(writeln!(out, "{line}")?);
    }
    // These stand in strings only, where JSON has a spelling for them that means the same.
    let mut shown = String::with_capacity(line.len());
    for c in line.chars() {
        if is_active(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    Ok(writeln!(out, "{shown}")?)
}

/// Writes one line of text.
pub(crate) fn line(out: &mut impl Write, text: &impl core::fmt::Display) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", plain(&text.to_string()))?)
}

/// Text from elsewhere, fit for a terminal: what would move the cursor, colour or reorder the line, or end it, is shown as
/// its number.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_active(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a terminal does something with it instead of showing it: control characters, line ends beyond ASCII, and what
/// changes the direction of the text that follows.
fn is_active(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Writes one value as one line of JSON, and makes it visible at once.
pub(crate) fn json_line_now(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    json_line(&mut out, value)?;
    Ok(out.flush()?)
}

/// Writes one line of text, whatever is in it, and makes it visible at once.
pub(crate) fn line_now(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", plain(text))?;
    Ok(out.flush()?)
}

/// Writes several lines, such as a table, and makes them visible at once. What is in them is [`plain`].
pub(crate) fn lines_now(lines: &impl core::fmt::Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{lines}")?;
    Ok(out.flush()?)
}

/// Says on stderr why something failed. Errors hold what devices and files say.
pub(crate) fn complain(error: &impl core::fmt::Display) {
    eprintln!("rustuya: {}", plain(&format!("{error:#}")));
}

/// DPs as a table for people.
pub(crate) fn dp_table(dps: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["DP", "value"]);
    for (dp, value) in dps {
        table.add_row([plain(dp), plain(&value.to_string())]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Clears the screen (C0 and C1), deletes, turns the direction of the text, ends the line.
    const HOSTILE: &str = "\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{2066}\u{61c}\u{2028}\n\r";

    #[test]
    fn what_a_terminal_would_act_on_is_shown_instead() {
        let shown = plain(HOSTILE);
        assert!(!shown.contains(is_active), "{shown:?}");
        assert_eq!(plain("Lâmpada \"1\" 客厅 💡\\"), "Lâmpada \"1\" 客厅 💡\\");
        let table = dp_table(&Map::from_iter([("1".to_owned(), Value::from(HOSTILE))])).to_string();
        assert!(!table.replace('\n', "").contains(is_active), "{table:?}");
    }

    #[test]
    fn json_means_the_same_and_stays_one_line() {
        let value = json!({ HOSTILE: [HOSTILE, "客厅", 1.5] });
        let mut out = Vec::new();
        json_line(&mut out, &value).expect("is written");
        let line = String::from_utf8(out).expect("is text");
        assert_eq!(line.find(is_active), Some(line.len() - 1), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(value));
    }
}
