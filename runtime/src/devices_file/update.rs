//! Writing of detected properties to a file of devices.

use core::net::IpAddr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustuya_proto::Version;
use serde::Serialize as _;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value};
use zeroize::{Zeroize as _, Zeroizing};

use super::error::DevicesFileError;
use super::file::DevicesFile;
use crate::device::Address;
use crate::text;

impl DevicesFile {
    /// Writes a proven version and address to the file, so that the next start begins with them: no announcement
    /// changes a version that is stored. Everything else stays, including unknown fields and the order; a host name is
    /// not replaced. Writes a new file and renames it to replace the old one in one step. Returns whether something was
    /// new.
    ///
    /// Pass only what was proven: the version of a device that has answered under the local key.
    ///
    /// ```
    /// # use rustuya_runtime::{DevicesFile, Version};
    /// # fn main() -> Result<(), Box<dyn core::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("remember-{}.json", std::process::id()));
    /// std::fs::write(&path, r#"[{ "id": "lamp", "room": "hall", "version": "" }]"#)?;
    /// assert!(DevicesFile::update(&path, "lamp", Some(Version::V34), "192.168.1.20".parse().ok())?);
    /// let text = std::fs::read_to_string(&path)?;
    /// assert_eq!(text, r#"[{"id":"lamp","room":"hall","version":"3.4","ip":"192.168.1.20"}]"#);
    /// # std::fs::remove_file(&path)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`DevicesFileError`]: as for [`read`](Self::read), and [`Write`](DevicesFileError::Write).
    /// [`NoList`](DevicesFileError::NoList) if the file lists no device with this id.
    pub fn update(
        path: impl AsRef<Path>,
        id: &str,
        version: Option<Version>,
        address: Option<IpAddr>,
    ) -> Result<bool, DevicesFileError> {
        // Keep a symbolic link.
        let path = fs::canonicalize(path).map_err(DevicesFileError::Io)?;
        let old = Zeroizing::new(fs::read(&path).map_err(DevicesFileError::Io)?);
        match changed(&old, id, version, address)? {
            Some(new) => replace(&path, &new).map_err(DevicesFileError::Write).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Returns the changed text; `None` if nothing is new.
fn changed(
    old: &[u8],
    id: &str,
    version: Option<Version>,
    address: Option<IpAddr>,
) -> Result<Option<Zeroizing<Vec<u8>>>, DevicesFileError> {
    if text::is_utf_16(old) {
        return Err(DevicesFileError::Utf16);
    }
    let old = text::decode(old)?;
    let mut file: Value = serde_json::from_str(&old).map_err(|error| DevicesFileError::not_json(&error))?;
    let entry = entry(&mut file, id).ok_or(DevicesFileError::NoList)?;
    let mut is_new = false;
    if let Some(version) = version {
        is_new |= put(entry, &["version", "ver", "protocol_version"], version.as_str());
    }
    if let Some(address) = address {
        let is_name = |name: &str| {
            let known = entry.get(name).and_then(Value::as_str).and_then(|known| known.trim().parse().ok());
            matches!(known, Some(Address::Name(..)))
        };
        if !is_name("ip") && !is_name("host") {
            is_new |= put(entry, &["ip", "host"], &address.to_string());
        }
    }
    let new = is_new.then(|| write(&file, old.trim_end().contains('\n')));
    wipe(&mut file);
    Ok(new)
}

/// Returns the entry of the device with this id.
fn entry<'a>(file: &'a mut Value, id: &str) -> Option<&'a mut Map<String, Value>> {
    match file {
        Value::Array(list) => list.iter_mut().find_map(|item| item.as_object_mut().filter(|entry| is_of(entry, id))),
        Value::Object(object) => {
            if let Some(inner) = ["devices", "result"].into_iter().find(|name| object.contains_key(*name)) {
                return entry(object.get_mut(inner)?, id);
            }
            if is_of(object, id) {
                return Some(object);
            }
            let member = |(name, value): (&String, &'a mut Value)| {
                let entry = value.as_object_mut()?;
                let nameless = !entry.contains_key("id") && !entry.contains_key("device_id");
                (is_of(entry, id) || nameless && name == id).then_some(entry)
            };
            object.iter_mut().find_map(member)
        }
        _ => None,
    }
}

fn is_of(entry: &Map<String, Value>, id: &str) -> bool {
    ["id", "gwId", "device_id"].into_iter().find_map(|name| entry.get(name)?.as_str()) == Some(id)
}

/// Sets the first of these fields that exists, or else adds the first. Returns whether it had another value.
fn put(entry: &mut Map<String, Value>, names: &[&str], value: &str) -> bool {
    let known = names.iter().find(|name| entry.contains_key(**name));
    let Some(name) = known.or(names.first()) else { return false };
    let is_same = match entry.get(*name) {
        Some(Value::String(text)) => text.trim().trim_start_matches(['v', 'V']) == value,
        Some(Value::Number(number)) => number.to_string() == value,
        _ => false,
    };
    if !is_same {
        entry.insert((*name).to_owned(), Value::from(value));
    }
    !is_same
}

fn write(file: &Value, in_lines: bool) -> Zeroizing<Vec<u8>> {
    let mut new = Zeroizing::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = if in_lines {
        // The format of tinytuya.
        file.serialize(&mut Serializer::with_formatter(&mut *new, PrettyFormatter::with_indent(b"    ")))
    } else {
        file.serialize(&mut Serializer::new(&mut *new))
    };
    if in_lines {
        new.push(b'\n');
    }
    new
}

/// Replaces a file in one step. It contains keys: until then, no other user may read the new one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = |mut file: File| {
        file.write_all(text)?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.sync_all()?;
        drop(file);
        fs::rename(&beside, path)
    };
    let written = written(options.open(&beside)?);
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Wipes every text, because keys are among them.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(list) => list.iter_mut().for_each(wipe),
        Value::Object(object) => object.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(text: &str, id: &str) -> Option<String> {
        let new = changed(text.as_bytes(), id, Some(Version::V35), "192.0.2.9".parse().ok()).expect("a list");
        new.map(|new| String::from_utf8(new.to_vec()).expect("text"))
    }

    #[test]
    fn what_is_new_is_put_where_the_file_has_it_and_all_else_stays() {
        let list = r#"[{"z":1.50,"id":"other","version":"3.3"},{"note":{"b":1,"a":[2]},"id":"lamp","ip":"","ver":"v3.3","a":"é"}]"#;
        let expected = r#"[{"z":1.5,"id":"other","version":"3.3"},{"note":{"b":1,"a":[2]},"id":"lamp","ip":"192.0.2.9","ver":"3.5","a":"é"}]"#;
        assert_eq!(remembered(list, "lamp").as_deref(), Some(expected));
        assert_eq!(remembered(expected, "lamp"), None, "nothing is new");
        let known = r#"{"devices":[{"gwId":"lamp","host":"lamp.lan","version":3.5}]}"#;
        assert_eq!(remembered(known, "lamp"), None, "a host name is kept, and a number is a version");
        let members = r#"{"lamp":{"local_key":"k"}}"#;
        let expected = r#"{"lamp":{"local_key":"k","version":"3.5","ip":"192.0.2.9"}}"#;
        assert_eq!(remembered(members, "lamp").as_deref(), Some(expected));
        let lines = "[\n    {\n        \"id\": \"lamp\",\n        \"version\": \"3.5\"\n    }\n]\n";
        let expected = lines.replace("3.5\"\n", "3.5\",\n        \"ip\": \"192.0.2.9\"\n");
        assert_eq!(remembered(lines, "lamp"), Some(expected));
        assert!(matches!(changed(b"[]", "lamp", None, None), Err(DevicesFileError::NoList)));
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_replaced_in_one_step_with_its_permissions_and_links() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = std::env::temp_dir().join(format!("rustuya-remember-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (file, link) = (folder.join("devices.json"), folder.join("link.json"));
        fs::write(&file, r#"[{"id":"lamp","key":"0123456789abcdef"}]"#).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("permissions");
        symlink(&file, &link).expect("a link");
        assert!(DevicesFile::update(&link, "lamp", Some(Version::V34), None).expect("writable"));
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        let text = fs::read_to_string(&file).expect("readable");
        assert_eq!(text, r#"[{"id":"lamp","key":"0123456789abcdef","version":"3.4"}]"#);
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2, "nothing is left beside it");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
