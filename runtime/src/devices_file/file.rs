//! Lists of devices in the files that tinytuya writes.

use std::path::Path;

use zeroize::Zeroizing;

use super::entry::DeviceEntry;
use super::error::DevicesFileError;
use super::field::Field;
use crate::text;

/// Devices of a file: `devices.json` of tinytuya's wizard; `snapshot.json` of its scanner, which contains addresses,
/// too; or `tuya-raw.json`, the list of the cloud. Also reads the settings of localtuya and tuya-local, as a list or as
/// an object whose members are the devices.
///
/// Skips entries and fields that make no sense. The text is UTF-8, with or without a byte order mark. Keys are wiped on
/// drop, absent from `Debug` output, and in no error.
///
/// ```
/// # use rustuya_runtime::{DevicesFile, DevicesFileError};
/// # fn show(path: &std::path::Path) -> Result<(), DevicesFileError> {
/// for listed in DevicesFile::read(path)?.devices() {
///     println!("{} {}", listed.id(), listed.name().unwrap_or_default());
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DevicesFile(Vec<DeviceEntry>);

impl DevicesFile {
    /// Reads a file: a list of devices, or an object with a list in `devices` or `result`, or with a member for each
    /// device.
    ///
    /// # Errors
    /// [`DevicesFileError`]; it quotes nothing of the text.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DevicesFileError> {
        let text = std::fs::read(path).map_err(DevicesFileError::Io)?;
        Self::parse(&Zeroizing::new(text))
    }

    /// Parses text that was read before, as [`read`](Self::read) does.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &[u8]) -> Result<Self, DevicesFileError> {
        if text::is_utf_16(text) {
            return Err(DevicesFileError::Utf16);
        }
        let text = text::decode(text)?;
        match serde_json::from_str::<Field>(&text) {
            Ok(file) => file.into_devices().map(Self).ok_or(DevicesFileError::NoList),
            Err(error) => Err(DevicesFileError::not_json(&error)),
        }
    }

    /// Returns all devices, including sub-devices, in the order of the file.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceEntry> {
        self.0.iter()
    }

    /// Returns the number of devices.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the list is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the device with this id, or else the only one with this name.
    ///
    /// # Errors
    /// [`DevicesFileError::Ambiguous`] if no id matches and several names do.
    pub fn find(&self, wanted: &str) -> Result<Option<&DeviceEntry>, DevicesFileError> {
        if let Some(listed) = self.0.iter().find(|listed| listed.id == wanted) {
            return Ok(Some(listed));
        }
        let mut named = self.0.iter().filter(|listed| listed.name.as_deref() == Some(wanted));
        match (named.next(), named.next()) {
            (found, None) => Ok(found),
            _ => Err(DevicesFileError::Ambiguous(wanted.to_owned())),
        }
    }

    /// Returns the gateway of a sub-device: its named parent, or else the only device with the same key, which
    /// sub-devices share with their gateway. `None` if neither identifies one, or if the device is not a sub-device.
    ///
    /// ```
    /// # use rustuya_runtime::DevicesFile;
    /// let file = DevicesFile::parse(br#"[
    ///     { "id": "gw0123456789abcdefgh", "name": "hub", "key": "0123456789abcdef", "ip": "192.168.1.20" },
    ///     { "id": "ch0123456789abcdefgh", "name": "sensor", "key": "0123456789abcdef", "node_id": "a4c1", "sub": true }
    /// ]"#)?;
    /// let sensor = file.find("sensor")?.ok_or("is listed")?;
    /// assert_eq!(file.gateway(sensor).map(|gateway| gateway.id()), Some("gw0123456789abcdefgh"));
    /// assert_eq!(sensor.cid(), Some("a4c1")); // for `Device::sub`
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn gateway(&self, listed: &DeviceEntry) -> Option<&DeviceEntry> {
        if !listed.is_sub_device {
            return None;
        }
        if let Some(parent) = &listed.parent {
            return self.0.iter().find(|other| other.id == *parent && !other.is_sub_device);
        }
        let key = listed.key.as_ref()?.as_ref().ok()?;
        let same_key = |other: &&DeviceEntry| {
            !other.is_sub_device && matches!(&other.key, Some(Ok(other_key)) if other_key == key)
        };
        let mut gateways = self.0.iter().filter(same_key);
        gateways.next().filter(|_| gateways.next().is_none())
    }
}
