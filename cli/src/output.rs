//! Output on stdout and stderr.

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
    // These occur only in strings, where JSON has an equal escape for them.
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

/// Makes foreign text safe for a terminal: escapes characters that would move the cursor, colour, reorder or end the
/// line.
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

/// Returns whether a terminal acts on the character instead of showing it: control characters, line ends beyond ASCII,
/// and characters that change the direction of text.
fn is_active(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Writes one value as one line of JSON, and flushes it.
pub(crate) fn json_line_now(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    json_line(&mut out, value)?;
    Ok(out.flush()?)
}

/// Writes one line of text, whatever is in it, and flushes it.
pub(crate) fn line_now(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", plain(text))?;
    Ok(out.flush()?)
}

/// Writes several lines, such as a table, and flushes them. Their content must be [`plain`].
pub(crate) fn lines_now(lines: &impl core::fmt::Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{lines}")?;
    Ok(out.flush()?)
}

/// Prints an error on stderr, escaped, because errors contain text of devices and files.
pub(crate) fn complain(error: &impl core::fmt::Display) {
    eprintln!("rustuya: {}", plain(&format!("{error:#}")));
}

/// Formats DPs as a table.
pub(crate) fn dp_table(dps: &Map<String, Value>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["DP", "value"]);
    for (dp, value) in dps {
        table.add_row([plain(dp), plain(&value.to_string())]);
    }
    table
}

/// A value with its name and unit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Formats values in one line.
pub(crate) fn named_line(named: &[Named]) -> String {
    let pairs: Vec<String> = named.iter().map(|Named { name, text }| format!("{name}={text}")).collect();
    pairs.join(" ")
}

/// Formats named values as a table.
pub(crate) fn named_table(named: &[Named]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["name", "value"]);
    for Named { name, text } in named {
        table.add_row([plain(name), plain(text)]);
    }
    table
}

/// Formats DPs in one line.
pub(crate) fn dp_line(dps: &Map<String, Value>) -> String {
    let pairs: Vec<String> = dps.iter().map(|(dp, value)| format!("{dp}={value}")).collect();
    pairs.join(" ")
}

/// Formats a duration in a suitable unit.
pub(crate) fn short(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", duration.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

/// Returns whether the command failed only because the reader of its output has ended, as with `| head`.
pub(crate) fn reader_left(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns a command's name, or its code if it has none.
pub(crate) fn command_name(command: CommandCode) -> String {
    command.name().map_or_else(|| format!("{:#04x}", command.0), str::to_owned)
}

/// Returns the word for a dialect.
pub(crate) const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Default => "default",
        Dialect::Device22 => "device22",
    }
}

/// Returns the word for a frame error in JSON.
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

    /// Text that clears the screen (C0 and C1), deletes, changes the direction of text and ends the line.
    const HOSTILE: &str = "\u{1b}[2J\u{9b}2J\u{7f}\u{202e}\u{2066}\u{61c}\u{2028}\n\r";

    #[test]
    fn control_characters_are_escaped() {
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
