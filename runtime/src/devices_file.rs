//! Lists of devices in the files that tinytuya writes.

mod field;
mod remember;

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::path::Path;

use rustuya_proto::{DeviceId, Dialect, InvalidKey, LocalKey, Version};
use serde_json::Value;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use self::field::Field;
use crate::address::Address;
use crate::device::{Device, DeviceBuilder};
use crate::error::ConfigError;
use crate::text::{self, NotText};

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

/// One device of a file.
///
/// ```
/// # use rustuya_runtime::DevicesFile;
/// let file = DevicesFile::parse(br#"[
///     { "id": "gw0123456789abcdefgh", "name": "hub", "key": "0123456789abcdef", "ip": "192.168.1.20" },
///     { "id": "ch0123456789abcdefgh", "name": "sensor", "key": "0123456789abcdef", "node_id": "a4c1", "sub": true }
/// ]"#)?;
/// let hub = file.find("hub")?.ok_or("is listed")?;
/// assert_eq!((hub.id(), hub.ip()), ("gw0123456789abcdefgh", "192.168.1.20".parse().ok()));
/// let builder = hub.builder()?; // for `spawn`, or for `Manager::add_with`
/// # let _ = builder;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct DeviceEntry {
    id: String,
    name: Option<String>,
    key: Option<Result<LocalKey, InvalidKey>>,
    address: Address,
    port: Option<u16>,
    version: Option<Version>,
    min_version: Option<Version>,
    dialect: Option<Dialect>,
    is_sub_device: bool,
    cid: Option<String>,
    uuid: Option<String>,
    parent: Option<String>,
    category: Option<String>,
    product_id: Option<String>,
    product_name: Option<String>,
    model: Option<String>,
    /// JSON text, so that a list of thousands of devices is read without a tree for each.
    mapping: Option<Box<RawValue>>,
}

/// Reason why a file of devices cannot be used.
///
/// ```
/// # use rustuya_runtime::{DevicesFile, DevicesFileError};
/// assert!(matches!(DevicesFile::parse(b"{}"), Err(DevicesFileError::NoList)));
/// let error = DevicesFile::parse(b"[{").expect_err("has no end");
/// assert!(error.to_string().contains("line 1"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevicesFileError {
    /// The file cannot be read.
    #[error("the file cannot be read: check path and permissions")]
    Io(#[source] io::Error),
    /// The file cannot be written. It is unchanged.
    #[error("the file cannot be written: check the permissions of it and of its folder; it is unchanged")]
    Write(#[source] io::Error),
    /// The file is not Unicode text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The file is UTF-16, which other programs that use it cannot read.
    #[error(
        "the file is UTF-16: save it as UTF-8, as other programs expect it (PowerShell: `Out-File -Encoding utf8`)"
    )]
    Utf16,
    /// The file is not JSON.
    #[error("the file is damaged at line {line}, column {column}: {kind}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// Kind of the error. Quotes nothing of the text.
        kind: &'static str,
    },
    /// The file is JSON without devices.
    #[error("the file has no list of devices: give a devices.json or snapshot.json as tinytuya writes it")]
    NoList,
    /// Several devices have this name.
    #[error("several devices are called {0}: give the id")]
    Ambiguous(String),
}

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
            Err(error) => Err(not_json(&error)),
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

/// Returns the position at which the text is not JSON.
fn not_json(error: &serde_json::Error) -> DevicesFileError {
    DevicesFileError::NotJson {
        line: error.line(),
        column: error.column(),
        kind: if error.is_eof() { "the end is missing (EOF)" } else { "not JSON" },
    }
}

impl DeviceEntry {
    /// Returns the device id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the name that the user has given.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the local key; `None` if the file has none.
    ///
    /// # Errors
    /// [`InvalidKey`] if the field is not a key.
    pub fn local_key(&self) -> Result<Option<LocalKey>, InvalidKey> {
        self.key.clone().transpose()
    }

    /// Returns the address or host name as of the time when the file was written; [`Address::Auto`] if there is none.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the address, if it is an IP address.
    pub const fn ip(&self) -> Option<IpAddr> {
        match &self.address {
            Address::Ip(ip) => Some(*ip),
            Address::Socket(SocketAddr::V4(socket)) => Some(IpAddr::V4(*socket.ip())),
            Address::Socket(SocketAddr::V6(socket)) => Some(IpAddr::V6(*socket.ip())),
            Address::Auto | Address::Name(..) => None,
        }
    }

    /// Returns the TCP port, if it differs from the default.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// Returns the dialect, if the file has a `dev_type` or `dialect` of `default` or `device22`.
    pub const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// Returns the version.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Returns the oldest version to accept if the file has no version: its `min_version`.
    pub const fn min_version(&self) -> Option<Version> {
        self.min_version
    }

    /// Returns whether it is a sub-device, connected through a [gateway](DevicesFile::gateway).
    pub const fn is_sub_device(&self) -> bool {
        self.is_sub_device
    }

    /// Returns the cid of a sub-device: the field `node_id` or, if that is missing, `uuid`.
    pub fn cid(&self) -> Option<&str> {
        let uuid = self.uuid.as_deref().filter(|_| self.is_sub_device);
        self.cid.as_deref().or(uuid)
    }

    /// Returns the id of a sub-device's gateway. [`DevicesFile::gateway`] also finds one that is not named.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Returns the category of the product, such as `dj` for lights.
    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Returns the id of the product.
    pub fn product_id(&self) -> Option<&str> {
        self.product_id.as_deref()
    }

    /// Returns the name of the product.
    pub fn product_name(&self) -> Option<&str> {
        self.product_name.as_deref()
    }

    /// Returns the model of the product.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Returns the `mapping` of the file: the code, type and range of each DP, as the cloud gave them. `None` if the
    /// file has none, or one that is nested deeper than 127 levels.
    ///
    /// ```
    /// # use rustuya_runtime::DevicesFile;
    /// let file = DevicesFile::parse(br#"[{ "id": "bf0123456789abcdefgh", "category": "dj",
    ///     "mapping": { "20": { "code": "switch_led", "type": "Boolean", "values": {} } } }]"#)?;
    /// let lamp = file.find("bf0123456789abcdefgh")?.ok_or("is listed")?;
    /// let mapping = lamp.mapping().ok_or("has one")?;
    /// assert_eq!((lamp.category(), &mapping["20"]["code"]), (Some("dj"), &"switch_led".into()));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn mapping(&self) -> Option<Value> {
        serde_json::from_str(self.mapping.as_deref()?.get()).ok()
    }

    /// Configures the device as the file does. Fields that the file lacks are detected.
    ///
    /// # Errors
    /// [`ConfigError::Id`] or [`ConfigError::Key`] if the file has no valid one; [`ConfigError::SubDevice`] for a
    /// sub-device.
    pub fn builder(&self) -> Result<DeviceBuilder, ConfigError> {
        if self.is_sub_device {
            return Err(ConfigError::SubDevice);
        }
        let key = self.local_key()?.ok_or(InvalidKey::Length { len: 0 })?;
        let builder = Device::builder_with(DeviceId::new(&self.id)?, key).version(self.version).dialect(self.dialect);
        let builder = builder.address(self.address.clone());
        let builder = match self.min_version {
            Some(least) => builder.min_version(least),
            None => builder,
        };
        Ok(match self.port {
            Some(port) => builder.port(port),
            None => builder,
        })
    }
}

#[cfg(test)]
mod tests;
