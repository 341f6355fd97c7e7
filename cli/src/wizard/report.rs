//! Report of the found devices, at the end.

use core::net::IpAddr;
use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use rustuya_cloud::{Change, CloudDevice, Fetched, Heard, Merged};
use serde::Serialize;

use super::code_of;
use crate::output::{complain, json_line_now, line_now, lines_now, plain};

pub(super) struct Report<'a> {
    pub(super) fetched: &'a Fetched,
    pub(super) merged: &'a Merged,
    pub(super) heard: &'a [Heard],
    pub(super) path: &'a Path,
    /// True if the local network was searched.
    pub(super) searched: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
    category: Option<&'a str>,
    product_id: Option<&'a str>,
    key: bool,
    change: &'static str,
    address: Option<IpAddr>,
    version: Option<&'static str>,
    parent: Option<&'a str>,
    why: Option<&'static str>,
}

#[derive(Serialize)]
struct Summary<'a> {
    file: String,
    region: Option<&'static str>,
    devices: usize,
    new: usize,
    kept: usize,
    calls: u32,
    clock_offset_ms: i64,
    notes: Vec<Remark<'a>>,
    /// Devices in the local network that the cloud does not list.
    unlisted: Vec<Unlisted<'a>>,
}

#[derive(Serialize)]
struct Unlisted<'a> {
    id: &'a str,
    address: IpAddr,
    version: Option<&'static str>,
}

#[derive(Serialize)]
struct Remark<'a> {
    about: &'a str,
    error: String,
    advice: &'static str,
}

impl Report<'_> {
    pub(super) fn json(&self) -> anyhow::Result<()> {
        for (device, change) in self.devices() {
            let heard = self.heard(device);
            json_line_now(&Line {
                id: &device.id,
                name: &device.name,
                category: device.category.as_deref(),
                product_id: device.product_id.as_deref(),
                key: !device.key.is_empty(),
                change: word(change),
                address: heard.map(|heard| heard.address),
                version: heard.and_then(|heard| heard.version),
                parent: device.gateway_id.as_deref(),
                why: why_no_key(device),
            })?;
        }
        let notes = self.fetched.notes.iter();
        json_line_now(&Summary {
            file: self.path.display().to_string(),
            region: code_of(self.fetched),
            devices: self.fetched.devices.len(),
            new: self.merged.new,
            kept: self.merged.kept,
            calls: self.fetched.calls,
            clock_offset_ms: self.fetched.clock_offset_ms,
            notes: notes
                .map(|note| Remark { about: &note.about, error: note.error.to_string(), advice: note.error.advice() })
                .collect(),
            unlisted: self
                .unlisted()
                .map(|heard| Unlisted { id: &heard.id, address: heard.address, version: heard.version })
                .collect(),
        })
    }

    pub(super) fn people(&self) -> anyhow::Result<()> {
        for note in &self.fetched.notes {
            let about = if note.about.is_empty() { String::new() } else { format!("{}: ", note.about) };
            complain(&format!("{about}{}: {}", note.error, note.error.advice()));
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["name", "id", "key", "address", "version", "remarks"]);
        for (device, change) in self.devices() {
            let heard = self.heard(device);
            table.add_row([
                plain(&device.name),
                plain(&device.id),
                if device.key.is_empty() { "no" } else { "yes" }.to_owned(),
                heard.map(|heard| heard.address.to_string()).unwrap_or_default(),
                heard.and_then(|heard| heard.version).unwrap_or_default().to_owned(),
                plain(&self.remarks(device, change)),
            ]);
        }
        lines_now(&table)?;
        let devices = &self.fetched.devices;
        let keys = devices.iter().filter(|device| !device.key.is_empty()).count();
        let mut line =
            format!("{}: {} devices, {} new, {keys} with a key", self.path.display(), devices.len(), self.merged.new);
        if self.searched {
            let heard = devices.iter().filter(|device| self.heard(device).is_some()).count();
            line.push_str(&format!(", {heard} heard in the local network"));
        }
        if self.merged.kept > 0 {
            line.push_str(&format!("; {} more that the cloud does not list were kept", self.merged.kept));
        }
        line_now(&line)?;
        for heard in self.unlisted() {
            let text = format!(
                "{} answers at {}, but the cloud does not list it: it is of another account, or of another data centre",
                heard.id, heard.address
            );
            line_now(&plain(&text))?;
        }
        Ok(())
    }

    fn unlisted(&self) -> impl Iterator<Item = &Heard> {
        let is_listed = |heard: &Heard| self.fetched.devices.iter().any(|device| device.id == heard.id);
        self.heard.iter().filter(move |heard| !is_listed(heard))
    }

    fn devices(&self) -> impl Iterator<Item = (&CloudDevice, Change)> {
        self.fetched.devices.iter().zip(self.merged.changes.iter().copied())
    }

    fn heard(&self, device: &CloudDevice) -> Option<&Heard> {
        self.heard.iter().find(|heard| heard.id == device.id)
    }

    fn remarks(&self, device: &CloudDevice, change: Change) -> String {
        let mut remarks = Vec::new();
        match change {
            Change::New => remarks.push("new".to_owned()),
            Change::Key => remarks.push("another key than before: it was paired anew".to_owned()),
            _ => {}
        }
        if device.is_child() {
            let gateway = device.gateway_id.as_ref();
            let name = gateway.and_then(|id| self.fetched.devices.iter().find(|other| other.id == *id));
            remarks.push(match (name, gateway) {
                (Some(gateway), _) => format!("behind {}", gateway.name),
                (None, Some(id)) => format!("behind {id}"),
                (None, None) => "behind an unknown gateway".to_owned(),
            });
        } else if self.searched && self.heard(device).is_none() {
            remarks.push(if device.is_online == Some(false) { "offline" } else { "not heard" }.to_owned());
        }
        remarks.extend(why_no_key(device).map(str::to_owned));
        remarks.join("; ")
    }
}

const fn word(change: Change) -> &'static str {
    match change {
        Change::New => "new",
        Change::Key => "key",
        Change::Other => "field",
        _ => "same",
    }
}

/// Returns the reason for which the cloud gives no key.
fn why_no_key(device: &CloudDevice) -> Option<&'static str> {
    let is_remote = device.category.as_deref().is_some_and(|category| category.starts_with("infrared_"));
    match device {
        _ if !device.key.is_empty() => None,
        _ if is_remote => Some("a remote that another device imitates: it has no key of its own"),
        _ if device.is_child() => Some("the cloud tells none; its gateway's is enough"),
        _ => Some("the cloud tells none: link the account of the home's owner, no member or guest, and run this again"),
    }
}
