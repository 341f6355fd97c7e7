//! Output of the demo: a table that is redrawn in place, a table at the end, or lines of JSON.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::io::{self, IsTerminal, Write};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use crossterm::terminal::{Clear, ClearType};
use crossterm::{cursor, execute, terminal};
use rustuya_runtime_tokio::{DownReason, Version};
use serde_json::{Map, Value, json};

use super::fleet::Member;
use crate::output::{dp_line, json_line_now, lines_now, short};

/// Step that was done and checked.
pub(super) enum DemoStep<'a> {
    Found { ip: Ipv4Addr, version: Version, took: Duration },
    Connected { version: Version, took: Duration },
    State { dps: &'a Map<String, Value>, took: Duration },
    Set { dps: &'a Map<String, Value>, took: Duration },
    Pushed { dps: &'a Map<String, Value>, took: Duration },
    Down { reason: DownReason, took: Duration },
    Back { version: Version, took: Duration },
}

pub(super) struct View {
    mode: Mode,
    /// True if there is room for every column, and for lines between them.
    wide: bool,
    phase: &'static str,
    rows: Vec<Row>,
    /// Lines about the outage.
    outage: Vec<String>,
}

enum Mode {
    Json,
    /// The table once, at the end.
    Plain,
    /// The table, redrawn after each step. `drawn` lines of it are on the screen.
    Live {
        drawn: u16,
    },
}

struct Row {
    name: &'static str,
    id: String,
    cid: Option<&'static str>,
    version_text: String,
    link: Link,
    found: Option<Duration>,
    connected: Option<Duration>,
    state: Option<Duration>,
    set: Option<Duration>,
    pushed: Option<Duration>,
    dps: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq)]
enum Link {
    Off,
    Up,
    Down,
    Back,
}

impl View {
    pub(super) fn new(json: bool) -> Self {
        let screen = if io::stdout().is_terminal() { terminal::size().ok() } else { None };
        let wide = screen.is_none_or(|(columns, _)| columns >= WIDE);
        let mode = match screen {
            _ if json => Mode::Json,
            // A smaller screen cannot redraw it: lines have scrolled away or are wrapped.
            Some((columns, rows)) if columns >= NARROW && rows >= HEIGHT => Mode::Live { drawn: 0 },
            _ => Mode::Plain,
        };
        Self { mode, wide, phase: "", rows: Vec::new(), outage: Vec::new() }
    }

    /// Returns the current phase.
    pub(super) const fn phase(&self) -> &'static str {
        self.phase
    }

    pub(super) const fn set_phase(&mut self, phase: &'static str) {
        self.phase = phase;
    }

    /// Shows the devices.
    pub(super) fn rows(&mut self, members: &[Member]) -> anyhow::Result<()> {
        self.rows = members.iter().map(Row::new).collect();
        let devices = members.iter().filter(|member| member.cid.is_none()).count();
        match self.mode {
            Mode::Json => json_line_now(&json!({
                "step": "start", "devices": devices, "sub_devices": members.len() - devices,
            })),
            Mode::Plain => lines_now(&HEADLINE),
            Mode::Live { .. } => {
                lines_now(&HEADLINE)?;
                self.draw()
            }
        }
    }

    /// Shows a step of one device.
    pub(super) fn step(&mut self, row: usize, step: DemoStep<'_>) -> anyhow::Result<()> {
        let Some(row) = self.rows.get_mut(row) else {
            return Ok(());
        };
        if matches!(self.mode, Mode::Json) {
            return json_line_now(&row.json(&step));
        }
        if let Some(words) = row.take(&step) {
            self.outage.push(words);
        }
        if matches!(self.mode, Mode::Live { .. }) { self.draw() } else { Ok(()) }
    }

    /// Pauses on a terminal, for the reader.
    pub(super) async fn pause(&self, millis: u64) {
        if matches!(self.mode, Mode::Live { .. }) {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
    }

    /// Shows the success of the demo.
    pub(super) fn done(&mut self, took: Duration) -> anyhow::Result<()> {
        self.phase = "done: every answer was checked against the state of the device";
        match self.mode {
            Mode::Json => json_line_now(&json!({ "step": "done", "micros": micros(took) })),
            Mode::Plain => lines_now(&self.text()),
            Mode::Live { .. } => self.draw(),
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let text = self.text();
        if let Mode::Live { drawn } = &mut self.mode {
            let mut out = io::stdout().lock();
            if *drawn > 0 {
                execute!(out, cursor::MoveToPreviousLine(*drawn), Clear(ClearType::FromCursorDown))?;
            }
            writeln!(out, "{text}")?;
            out.flush()?;
            *drawn = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(if self.wide { presets::UTF8_FULL_CONDENSED } else { presets::NOTHING });
        table.set_content_arrangement(ContentArrangement::Disabled);
        let columns = if self.wide { COLUMNS.len() } else { COLUMNS.len() - 1 };
        table.set_header(COLUMNS.into_iter().take(columns));
        for row in &self.rows {
            table.add_row(row.cells().into_iter().take(columns));
        }
        if !self.wide {
            table.column_iter_mut().for_each(|column| {
                column.set_padding((0, 1));
            });
        }
        let mut text = table.to_string();
        for words in &self.outage {
            text.push_str("\n  ");
            text.push_str(words);
        }
        text.push_str("\n> ");
        text.push_str(self.phase);
        text
    }
}

impl Row {
    fn new(member: &Member) -> Self {
        Self {
            name: member.name,
            id: member.id.clone(),
            cid: member.cid,
            version_text: member.version_text(),
            link: Link::Off,
            found: None,
            connected: None,
            state: None,
            set: None,
            pushed: None,
            dps: Map::new(),
        }
    }

    /// Adds a step to the table. Returns a line to show below it, if any.
    fn take(&mut self, step: &DemoStep<'_>) -> Option<String> {
        match step {
            DemoStep::Found { took, .. } => self.found = Some(*took),
            DemoStep::Connected { took, .. } => {
                self.connected = Some(*took);
                self.link = Link::Up;
            }
            DemoStep::State { dps, took } => {
                self.state = Some(*took);
                self.show(dps);
            }
            DemoStep::Set { dps, took } => {
                self.set = Some(*took);
                self.show(dps);
            }
            DemoStep::Pushed { dps, took } => {
                self.pushed = Some(*took);
                self.show(dps);
            }
            DemoStep::Down { reason, took } => {
                self.link = Link::Down;
                return Some(format!("{} unplugged: down after {}, {reason}", self.name, short(*took)));
            }
            DemoStep::Back { took, .. } => {
                self.link = Link::Back;
                return Some(format!("{} plugged in: connected again after {}", self.name, short(*took)));
            }
        }
        None
    }

    fn show(&mut self, dps: &Map<String, Value>) {
        self.dps.extend(dps.iter().map(|(dp, value)| (dp.clone(), value.clone())));
    }

    fn cells(&self) -> Vec<Cell> {
        let link = match self.link {
            Link::Off => Cell::new("-"),
            Link::Up => Cell::new("up").fg(Color::Green),
            Link::Down => Cell::new("DOWN").fg(Color::Red).add_attribute(Attribute::Bold),
            Link::Back => Cell::new("up again").fg(Color::Green).add_attribute(Attribute::Bold),
        };
        let name = if self.cid.is_some() { format!("  {}", self.name) } else { self.name.to_owned() };
        let mut cells = vec![Cell::new(name), Cell::new(&self.version_text), link];
        for took in [self.found, self.connected, self.state, self.set, self.pushed] {
            cells.push(Cell::new(took.map(short).unwrap_or_default()));
        }
        cells.push(Cell::new(dp_line(&self.dps)));
        cells
    }

    fn json(&self, step: &DemoStep<'_>) -> Value {
        let (word, took, detail) = match step {
            DemoStep::Found { ip, version, took } => {
                ("found", took, json!({ "ip": ip.to_string(), "version": version.as_str() }))
            }
            DemoStep::Connected { version, took } => ("connected", took, json!({ "version": version.as_str() })),
            DemoStep::State { dps, took } => ("state", took, json!({ "dps": dps })),
            DemoStep::Set { dps, took } => ("set", took, json!({ "dps": dps })),
            DemoStep::Pushed { dps, took } => ("pushed", took, json!({ "dps": dps })),
            DemoStep::Down { reason, took } => ("down", took, json!({ "reason": reason.to_string() })),
            DemoStep::Back { version, took } => ("back", took, json!({ "version": version.as_str() })),
        };
        let mut line = json!({ "step": word, "name": self.name, "id": self.id, "cid": self.cid });
        if let (Value::Object(line), Value::Object(detail)) = (&mut line, detail) {
            line.extend(detail);
            line.insert("micros".to_owned(), micros(*took));
        }
        line
    }
}

fn micros(took: Duration) -> Value {
    Value::from(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
}

const COLUMNS: [&str; 9] = ["device", "version", "link", "found", "connect", "query", "set", "push", "DPs"];

const HEADLINE: &str = "\
rustuya demo: seven virtual Tuya devices, one of them a gateway with two
sub-devices, run on this machine's loopback interface. They are found by their
announcements, connected to in the protocol version that each of them uses,
queried, controlled and watched; one is unplugged and comes back.
";

/// Columns of the whole table.
const WIDE: u16 = 116;

/// Columns of the table without lines and without DPs.
const NARROW: u16 = 80;

/// Lines of the table, and of the text below it.
const HEIGHT: u16 = 20;
