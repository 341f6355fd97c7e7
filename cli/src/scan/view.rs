//! Output of a scan: a table that is redrawn in place, or a line for each device.

use core::net::{IpAddr, Ipv4Addr};
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use comfy_table::{ContentArrangement, Table, presets};
use crossterm::terminal::{Clear, ClearType};
use crossterm::{cursor, execute, terminal};
use rustuya_runtime_tokio::{DevicesFile, DiscoveredDevice};
use serde::Serialize;

use crate::output::{json_line_now, line_now, plain, short};

pub(super) struct View<'a> {
    mode: Mode,
    list: Option<&'a DevicesFile>,
    begun: Instant,
    /// Rows of the table, in the order of the first announcements.
    rows: Vec<(String, [String; 6])>,
    /// Number of announcements of devices that the table has no room for.
    left_out: u64,
}

enum Mode {
    Json,
    /// A line for each device.
    Plain,
    /// The table, redrawn for each device. `drawn` lines of it are on the screen.
    Live {
        drawn: u16,
    },
}

#[derive(Serialize)]
struct DeviceLine<'a> {
    id: &'a str,
    ip: Ipv4Addr,
    version: Option<&'static str>,
    product_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relayed_by: Option<IpAddr>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    unpaired: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(json: bool, list: Option<&'a DevicesFile>) -> Self {
        let screen = if io::stdout().is_terminal() { terminal::size().ok() } else { None };
        let mode = match screen {
            _ if json => Mode::Json,
            Some((columns, _)) if columns >= NARROW => Mode::Live { drawn: 0 },
            _ => Mode::Plain,
        };
        Self { mode, list, begun: Instant::now(), rows: Vec::new(), left_out: 0 }
    }

    /// Shows a device that is new or has changed.
    pub(super) fn show_device(&mut self, found: &DiscoveredDevice) -> anyhow::Result<()> {
        let listed = self.list.and_then(|list| list.devices().find(|listed| listed.id() == found.id));
        let name = listed.and_then(|listed| listed.name());
        let version = found.version.map(|version| version.as_str());
        let product_key = found.product_key.as_deref();
        match self.mode {
            Mode::Json => json_line_now(&DeviceLine {
                id: &found.id,
                ip: found.ip,
                version,
                product_key,
                name,
                relayed_by: found.relayed_by,
                unpaired: found.unpaired,
            }),
            Mode::Plain => {
                let name = name.map(|name| format!("  {}", plain(name))).unwrap_or_default();
                let (ip, version) = (found.ip.to_string(), version.unwrap_or("?"));
                let remarks: String = remarks(found).map(|remark| format!("  ({remark})")).collect();
                line_now(&format!("{ip:<15}  {:<22}  {version}{name}{remarks}", plain(&found.id)))
            }
            Mode::Live { .. } => {
                let row = [
                    name.map(plain).unwrap_or_default(),
                    plain(&found.id),
                    found.ip.to_string(),
                    remarks(found).fold(version.unwrap_or("?").to_owned(), |all, remark| format!("{all}, {remark}")),
                    product_key.map(plain).unwrap_or_default(),
                    short(self.begun.elapsed()),
                ];
                let has_room = self.rows.len() < MOST_ROWS;
                match self.rows.iter_mut().find(|(id, _)| *id == found.id) {
                    Some((_, known)) => *known = row,
                    None if has_room => self.rows.push((found.id.clone(), row)),
                    None => self.left_out += 1,
                }
                self.draw(false)
            }
        }
    }

    /// Shows an address with an open port and an unknown device.
    pub(super) fn show_open_port(&mut self, ip: IpAddr, port: u16) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct OpenPortLine {
            id: Option<&'static str>,
            ip: IpAddr,
            port: u16,
        }

        match self.mode {
            Mode::Json => json_line_now(&OpenPortLine { id: None, ip, port }),
            Mode::Plain => line_now(&format!("{:<15}  {:<22}  (TCP {port} is open)", ip.to_string(), "?")),
            Mode::Live { .. } => {
                let row = ["", "?", &ip.to_string(), "?", "TCP port is open", &short(self.begun.elapsed())];
                self.rows.push((ip.to_string(), row.map(str::to_owned)));
                self.draw(false)
            }
        }
    }

    /// Shows the final state.
    pub(super) fn done(&mut self) -> anyhow::Result<()> {
        if matches!(self.mode, Mode::Live { .. }) && !self.rows.is_empty() {
            self.draw(true)?;
        }
        if self.left_out > 0 {
            eprintln!(
                "rustuya: the table ends after {MOST_ROWS} devices: {} announcements of others were left out; --json shows all",
                self.left_out
            );
        }
        Ok(())
    }

    /// Draws the table. While the scan is running, only as much of its end as fits the screen, because lines that have
    /// scrolled away cannot be redrawn.
    fn draw(&mut self, whole: bool) -> anyhow::Result<()> {
        let Mode::Live { drawn } = &mut self.mode else { return Ok(()) };
        let (width, height) = terminal::size().unwrap_or(SCREEN);
        let text = table(&self.rows, self.list.is_some(), width);
        let lines: Vec<&str> = text.lines().collect();
        let room = usize::from(height.saturating_sub(2).max(1));
        let skipped = if whole { 0 } else { lines.len().saturating_sub(room) };
        let mut out = io::stdout().lock();
        if *drawn > 0 {
            execute!(out, cursor::MoveToPreviousLine(*drawn), Clear(ClearType::FromCursorDown))?;
        }
        for line in lines.iter().skip(skipped) {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
        *drawn = u16::try_from(lines.len() - skipped).unwrap_or(u16::MAX);
        Ok(())
    }
}

/// Returns remarks about an unusual device.
fn remarks(found: &DiscoveredDevice) -> impl Iterator<Item = String> {
    let unpaired = found.unpaired.then(|| "waiting to be paired".to_owned());
    let relayed = found.relayed_by.map(|by| format!("announced by {by}"));
    unpaired.into_iter().chain(relayed)
}

/// Formats all devices as a table, no wider than `width`, with their names if there are any.
fn table(rows: &[(String, [String; 6])], names: bool, width: u16) -> String {
    let columns = usize::from(!names);
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header(COLUMNS.into_iter().skip(columns));
    for (_, row) in rows {
        table.add_row(row.iter().skip(columns));
    }
    table.to_string()
}

/// Most rows of the table: each new one redraws all of them.
const MOST_ROWS: usize = 1024;

const COLUMNS: [&str; 6] = ["name", "id", "address", "version", "product", "after"];

/// Least columns for a readable table.
const NARROW: u16 = 60;

/// Columns and lines of a screen of unknown size.
const SCREEN: (u16, u16) = (80, 24);

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> (String, [String; 6]) {
        (
            id.to_owned(),
            [String::from("lamp"), id.to_owned(), "192.0.2.7".into(), "3.3".into(), "".into(), "1 s".into()],
        )
    }

    #[test]
    fn names_have_a_column_if_there_is_a_file() {
        let rows = [row("a"), row("b")];
        let (with, without) = (table(&rows, true, 100), table(&rows, false, 100));
        assert!(with.contains("lamp") && with.contains("name") && with.contains("192.0.2.7"), "{with}");
        assert!(!without.contains("lamp") && !without.contains("name") && without.contains("192.0.2.7"), "{without}");
        assert_eq!(with.lines().count(), 6);
        let narrow = table(&rows, true, 40);
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
    }

    #[test]
    fn control_sequences_do_not_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\r\n\u{9b}c"), "a\\u{1b}[31mb\\r\\n\\u{9b}c");
    }
}
