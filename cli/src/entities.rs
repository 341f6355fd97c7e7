//! `rustuya entities`: the parts of devices that have names.

use clap_complete::ArgValueCompleter;
use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use comfy_table::{Table, presets};
use rustuya_entities::{Category, Entity};
use rustuya_runtime_tokio::DeviceEntry;
use serde::Serialize;

use crate::completions;
use crate::input::{shown, unfit};
use crate::names::FileArgs;
use crate::output::{json_line_now, line_now, lines_now, plain};

/// List the parts of devices that have names: lights, switches, sensors, settings
///
/// Asks nobody: the devices file says what a device is. `get` shows their values, and `set` sets them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Names or ids of devices. Without any, those of every device of the file
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(completions::devices))]
    names: Vec<String>,
    /// Print one JSON object for each device: a list of objects with id, kind, name, code, dps, unit, device_class,
    /// category, set (the names that `set` takes) and enabled
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    files: FileArgs,
}

/// One entity, in JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    kind: &'static str,
    name: Option<&'a str>,
    code: &'a str,
    dps: Vec<u16>,
    unit: &'a str,
    device_class: Option<&'a str>,
    category: Option<&'static str>,
    set: Vec<&'static str>,
    enabled: bool,
}

/// Entities of one of several devices, in JSON.
#[derive(Serialize)]
struct DeviceLine<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    entities: Vec<Line<'a>>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(list) = args.files.list()? else {
        return Err(unfit("no devices file: run `rustuya wizard`, or give --devices").into());
    };
    let sources = args.files.sources()?;
    let mut wanted: Vec<&DeviceEntry> = Vec::new();
    for name in &args.names {
        let listed = list.find(name).with_context(|| args.files.shown())?;
        wanted.push(listed.with_context(|| format!("{}: {} does not list it", shown(name), args.files.shown()))?);
    }
    if args.names.is_empty() {
        wanted.extend(list.devices());
    }
    let is_single = args.names.len() == 1;
    let mut without: Vec<&str> = Vec::new();
    for listed in wanted {
        let name = listed.name().unwrap_or(listed.id());
        let entities = sources.product(listed.id(), Some(listed)).entities(&BTreeMap::new());
        if entities.is_empty() {
            without.push(name);
        }
        if args.json {
            let entities: Vec<Line<'_>> = entities.iter().map(Line::new).collect();
            if is_single {
                json_line_now(&entities)?;
            } else {
                json_line_now(&DeviceLine { id: listed.id(), name: listed.name(), entities })?;
            }
        } else if !entities.is_empty() {
            if !is_single {
                line_now(&format!("{name}:"))?;
            }
            lines_now(&table(&entities))?;
        }
    }
    if is_single && !without.is_empty() {
        bail!(
            "{}: the file has no mapping for it: run `rustuya wizard` again, or give --profiles or --overrides",
            without.join(", ")
        );
    }
    if !without.is_empty() {
        eprintln!("rustuya: no mapping in the file: {}", plain(&without.join(", ")));
    }
    Ok(())
}

impl<'a> Line<'a> {
    fn new(entity: &'a Entity) -> Self {
        let mut dps: Vec<u16> = entity.channels.iter().map(|(_, channel)| channel.dp).collect();
        dps.sort_unstable();
        dps.dedup();
        Self {
            id: &entity.id,
            kind: entity.kind.as_str(),
            name: entity.name.as_deref(),
            code: &entity.code,
            dps,
            unit: &entity.unit,
            device_class: entity.device_class.as_deref(),
            category: match entity.category {
                Category::Config => Some("config"),
                Category::Diagnostic => Some("diagnostic"),
                _ => None,
            },
            set: entity.verbs(),
            enabled: entity.is_enabled,
        }
    }
}

fn table(entities: &[Entity]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(["id", "kind", "DPs", "unit", "set"]);
    for entity in entities.iter().filter(|entity| entity.is_enabled) {
        let line = Line::new(entity);
        let dps: Vec<String> = line.dps.iter().map(u16::to_string).collect();
        let kind = match line.device_class {
            Some(class) => format!("{} ({class})", line.kind),
            None => line.kind.to_owned(),
        };
        table.add_row([plain(line.id), plain(&kind), dps.join(", "), plain(line.unit), line.set.join(", ")]);
    }
    table
}
