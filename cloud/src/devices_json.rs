//! `devices.json`, as tinytuya's wizard writes it.

use core::net::IpAddr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::device::CloudDevice;
use crate::json::{self, Wiped};
use crate::mapping::Mapping;
use crate::python_json;
use crate::secret::Secret;

/// A `devices.json` that is being brought up to date. Its texts are wiped when this is dropped; `Debug` shows none.
///
/// ```
/// use rustuya_cloud::{CloudDevice, DevicesJson};
/// let mut file = DevicesJson::parse(br#"[{ "id": "old", "key": "k", "ip": "192.0.2.7" }]"#)?;
/// let lamp = CloudDevice::from_json(&serde_json::json!({ "id": "lamp", "local_key": "0123456789abcdef" }));
/// let merged = file.merge(&[lamp.ok_or("has an id")?], "https://images.tuyaeu.com/", &[]);
/// assert_eq!((merged.new, merged.kept), (1, 1));
/// assert!(file.to_text().starts_with(b"[\n    {\n        \"id\": \"old\""));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct DevicesJson {
    list: Wiped,
    /// Object around the list, if the list is a member of one.
    around: Option<Wiped>,
}

/// Facts about a device from the local network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Device id.
    pub id: String,
    /// Its address.
    pub address: IpAddr,
    /// The version that it speaks, such as `3.4`.
    pub version: Option<&'static str>,
}

/// Effect of a merge on one device of the cloud's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It was not in the file.
    New,
    /// Its key is another one than before: it was paired anew.
    Key,
    /// Something else of it has changed.
    Other,
    /// It is as it was.
    Same,
}

/// Result of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merged {
    /// For each device of the cloud's list, in its order.
    pub changes: Vec<Change>,
    /// Number of devices that were not in the file.
    pub new: usize,
    /// Number of entries of the file that the cloud does not list. They stay.
    pub kept: usize,
}

/// A `devices.json` is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevicesJsonError {
    /// It cannot be read.
    #[error("the file cannot be read: check its permissions")]
    Read(#[source] io::Error),
    /// It cannot be written. It is as it was.
    #[error("the file cannot be written: check the permissions of its folder; it is as it was")]
    Write(#[source] io::Error),
    /// It is not a list of devices, and is not replaced.
    #[error("the file is no list of devices and is not replaced: move it away, or name another with --output")]
    NoList,
}

impl Default for DevicesJson {
    fn default() -> Self {
        Self { list: Wiped(Value::Array(Vec::new())), around: None }
    }
}

impl core::fmt::Debug for DevicesJson {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("DevicesJson").field("len", &self.entries().len()).finish_non_exhaustive()
    }
}

impl DevicesJson {
    /// Reads a file; an empty list where there is none.
    ///
    /// # Errors
    /// [`DevicesJsonError`]
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DevicesJsonError> {
        match fs::read(path) {
            Ok(text) => Self::parse(&Zeroizing::new(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(DevicesJsonError::Read(error)),
        }
    }

    /// Reads a text: a list, or an object with one in `devices`. White space alone is an empty list.
    ///
    /// # Errors
    /// [`DevicesJsonError::NoList`]
    pub fn parse(text: &[u8]) -> Result<Self, DevicesJsonError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let mut whole = serde_json::from_slice(text).map(Wiped).map_err(|_| DevicesJsonError::NoList)?;
        if whole.is_array() {
            return Ok(Self { list: whole, around: None });
        }
        match whole.get_mut("devices") {
            Some(list) if list.is_array() => Ok(Self { list: Wiped(list.take()), around: Some(whole) }),
            _ => Err(DevicesJsonError::NoList),
        }
    }

    /// The mappings in the file that are known and not empty, once for each product, so that the cloud need not be asked for
    /// them again.
    pub fn mappings(&self) -> Vec<(String, Mapping)> {
        let mut found: Vec<(String, Mapping)> = Vec::new();
        for entry in self.entries() {
            let Some(product) = json::filled(entry, &["product_id"]) else { continue };
            let Some(mapping) = entry.get("mapping").and_then(Mapping::from_json) else { continue };
            if !mapping.is_empty() && found.iter().all(|(known, _)| *known != product) {
                found.push((product, mapping));
            }
        }
        found
    }

    /// Brings the file up to date: devices that are new come to its end; of those that are in it, what the cloud and the
    /// local network know replaces what was there. Fields that they do not know stay, as do entries that the cloud does
    /// not list. A key that the cloud does not tell, and a mapping that it has nothing for, replace none.
    pub fn merge(&mut self, devices: &[CloudDevice], icons: &str, heard: &[Heard]) -> Merged {
        let mut merged = Merged::default();
        for device in devices {
            let lan = heard.iter().find(|heard| heard.id == device.id);
            let entry = entry(device, devices, icons);
            let list = self.list.as_array_mut();
            let Some(list) = list else { continue };
            let old = list.iter_mut().find(|old| is_of(old, &device.id));
            let change = match old {
                Some(old) => {
                    let change = update(old, entry);
                    let moved = announce(old, lan);
                    if change == Change::Same && moved { Change::Other } else { change }
                }
                None => {
                    let mut entry = Value::Object(entry);
                    announce(&mut entry, lan);
                    list.push(entry);
                    merged.new += 1;
                    Change::New
                }
            };
            merged.changes.push(change);
        }
        let listed = |entry: &&Value| devices.iter().any(|device| is_of(entry, &device.id));
        merged.kept = self.entries().len() - self.entries().iter().filter(listed).count();
        merged
    }

    /// Puts in an entry as it is: in place of one with the same `id`, or at the end.
    pub fn put(&mut self, entry: Map<String, Value>) {
        let Some(list) = self.list.as_array_mut() else { return };
        let id = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        match list.iter_mut().find(|old| is_of(old, id)) {
            Some(old) => json::wipe(&mut core::mem::replace(old, Value::Object(entry))),
            None => list.push(Value::Object(entry)),
        }
    }

    /// The text, as tinytuya writes it.
    pub fn to_text(&self) -> Zeroizing<Vec<u8>> {
        match &self.around {
            None => python_json::write(&self.list),
            Some(around) => {
                let mut whole = Wiped(around.0.clone());
                if let Some(place) = whole.get_mut("devices") {
                    *place = self.list.0.clone();
                }
                python_json::write(&whole)
            }
        }
    }

    /// Puts the file in its place in one step. Only its owner can read it.
    ///
    /// # Errors
    /// [`DevicesJsonError::Write`]; the old file is as it was.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), DevicesJsonError> {
        replace(path.as_ref(), &self.to_text()).map_err(DevicesJsonError::Write)
    }

    /// Returns the number of devices in the file.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Returns whether it lists no device.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    fn entries(&self) -> &[Value] {
        self.list.as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

fn is_of(entry: &Value, id: &str) -> bool {
    entry.get("id").and_then(Value::as_str) == Some(id)
}

/// Makes the entry of a device from the cloud's facts, in tinytuya's order.
fn entry(device: &CloudDevice, all: &[CloudDevice], icons: &str) -> Map<String, Value> {
    let mut entry = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value
            && !entry.contains_key(name)
        {
            entry.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    put("name", Some(Value::from(device.name.as_str())));
    put("id", Some(Value::from(device.id.as_str())));
    put("key", Some(Value::from(device.key.expose())));
    put("mac", Some(Value::from(device.mac.as_deref().unwrap_or_default())));
    if device.has_factory_info {
        put("uuid", text(&device.uuid));
        put("sn", text(&device.sn));
    }
    put("category", text(&device.category));
    put("product_name", text(&device.product_name));
    put("product_id", text(&device.product_id));
    put("biz_type", device.biz_type.map(Value::from));
    put("model", text(&device.model));
    put("sub", device.is_sub_device.map(Value::from));
    put("icon", device.icon.as_ref().map(|icon| picture(icon, icons)));
    put("uuid", text(&device.uuid));
    put("node_id", text(&device.node_id));
    put("sn", text(&device.sn));
    put("mapping", device.mapping.as_ref().map(Mapping::to_json));
    if device.is_child() {
        let same_key =
            || all.iter().find(|other| !other.is_child() && !other.key.is_empty() && other.key == device.key);
        let gateway = device.gateway_id.as_deref().or_else(|| same_key().map(|gateway| gateway.id.as_str()));
        put("parent", Some(Value::from(gateway.unwrap_or_default())));
    }
    entry
}

fn picture(icon: &str, icons: &str) -> Value {
    Value::from(if icon.contains("://") || icon.is_empty() { icon.to_owned() } else { format!("{icons}{icon}") })
}

/// Takes the cloud's fields over into an entry of the file.
fn update(old: &mut Value, new: Map<String, Value>) -> Change {
    let Some(old) = old.as_object_mut() else { return Change::Same };
    let mut change = Change::Same;
    for (name, mut value) in new {
        let known = old.get(&name);
        let keeps = match name.as_str() {
            // Keeps a known value where the cloud has none.
            "key" | "mac" | "parent" | "node_id" | "uuid" | "sn" => value.as_str() == Some(""),
            "mapping" => {
                let is_empty = |value: &Value| value.as_object().is_none_or(Map::is_empty);
                is_empty(&value) && known.is_some_and(|known| !is_empty(known))
            }
            _ => false,
        };
        if known == Some(&value) || keeps && known.is_some() {
            json::wipe(&mut value);
            continue;
        }
        if name == "key" && known.and_then(Value::as_str).is_some_and(|known| !known.is_empty()) {
            change = Change::Key;
        } else if change == Change::Same {
            change = Change::Other;
        }
        if let Some(mut before) = old.insert(name, value) {
            json::wipe(&mut before);
        }
    }
    change
}

/// Takes over what the local network said. Whether it is new.
fn announce(entry: &mut Value, heard: Option<&Heard>) -> bool {
    let (Some(entry), Some(heard)) = (entry.as_object_mut(), heard) else { return false };
    let mut is_new = false;
    let mut put = |name: &str, value: Value| {
        if entry.get(name) != Some(&value) {
            is_new = true;
            entry.insert(name.to_owned(), value);
        }
    };
    put("ip", Value::from(heard.address.to_string()));
    if let Some(version) = heard.version {
        put("version", Value::from(version));
    }
    is_new
}

/// Puts a file in the place of another, or where none is, in one step. Keys are in it: nobody else may read it.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    drop(file);
    let written = written.and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

impl CloudDevice {
    /// Sets the local key, for devices that did not come from the cloud.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<Secret>) -> Self {
        self.key = key.into();
        self
    }
}

#[cfg(test)]
mod tests;
