//! Files of devices: no file causes a panic, and the result agrees with the file.

use rustuya_runtime::{DevicesFile, DevicesFileError, text};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Reads `data` as a file of devices, and calls every method of the entries.
///
/// # Panics
/// If valid JSON is refused or invalid JSON accepted, a device is lost or unusable, an invalid entry is connected, or a
/// key is printed.
pub fn devices_file(data: &[u8]) {
    let parsed = DevicesFile::parse(data);
    let text = text::decode(data);
    match &parsed {
        Err(DevicesFileError::Utf16) => return assert!(text::is_utf_16(data)),
        Err(DevicesFileError::NotText(_)) => return assert!(text.is_err()),
        _ => {}
    }
    let text = text.expect("what was parsed is text");
    let reference = serde_json::from_str::<Value>(&text);
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
    let file = match parsed {
        Ok(file) => file,
        Err(DevicesFileError::NotJson { line, column, .. }) => {
            assert!(reference.is_err(), "called damaged at {line}:{column}: {}", text.as_str());
            return;
        }
        Err(_) => return assert!(is_json, "called JSON: {}", text.as_str()),
    };
    assert!(is_json, "called JSON: {}", text.as_str());
    assert_eq!(file.is_empty(), file.devices().next().is_none());
    assert_eq!(file.len(), file.devices().count());
    let shown = format!("{file:?}");
    for listed in file.devices() {
        asks(&file, listed, &text, &shown);
    }
    // A list of objects has at least the devices with an unambiguous id.
    if let Ok(Value::Array(items)) = &reference {
        for id in items.iter().filter_map(plain_id) {
            assert!(matches!(file.find(id), Ok(Some(listed)) if listed.id() == id), "{id} is lost: {}", text.as_str());
        }
        assert!(file.len() <= items.len());
    }
    // A byte order mark must change nothing.
    if !data.starts_with(b"\xef\xbb\xbf") && !text::is_utf_16(data) {
        let marked = DevicesFile::parse(&[b"\xef\xbb\xbf", data].concat());
        assert!(marked.is_ok_and(|marked| marked.len() == file.len()), "a mark changes the file");
    }
}

fn asks(file: &DevicesFile, listed: &rustuya_runtime::DeviceEntry, text: &str, shown: &str) {
    let id = listed.id();
    assert!(!id.trim().is_empty(), "a device without an id");
    assert!(matches!(file.find(id), Ok(Some(found)) if found.id() == id));
    if let Some(name) = listed.name() {
        let _ = file.find(name);
    }
    let gateway = file.gateway(listed);
    assert!(gateway.is_none_or(|gateway| listed.is_sub_device() && !gateway.is_sub_device()));
    let _ = (listed.cid(), listed.parent(), listed.port(), listed.version(), listed.dialect(), listed.address());
    assert!(listed.ip().is_none_or(|_| *listed.address() != rustuya_runtime::Address::Auto));
    let key = listed.local_key();
    let built = listed.builder();
    assert!(built.is_err() || (!listed.is_sub_device() && matches!(key, Ok(Some(_)))), "built without a key: {id:?}");
    if let Ok(Some(key)) = key
        && let Ok(key) = core::str::from_utf8(key.expose())
    {
        // If it is in the file only once, it is only the key.
        let once = text.matches(key).count() == 1;
        assert!(!once || !shown.contains(key), "a key is shown");
        assert!(!once || !format!("{:?}", built.ok()).contains(key), "a key is shown");
    }
}

/// Returns the id of an object that has it once, and no other field that may be an id.
fn plain_id(item: &Value) -> Option<&str> {
    let object = item.as_object()?;
    if object.contains_key("gwId") || object.contains_key("device_id") {
        return None;
    }
    object.get("id")?.as_str().filter(|id| !id.trim().is_empty())
}
