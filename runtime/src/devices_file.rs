//! Lists of devices in the files that tinytuya writes.

mod field;
mod remember;

use core::net::{IpAddr, SocketAddr};
use std::io;
use std::path::Path;

use rustuya_proto::{DeviceId, Dialect, InvalidKey, LocalKey, Version};
use zeroize::Zeroizing;

use self::field::Field;
use crate::address::Address;
use crate::device::{Device, DeviceBuilder};
use crate::error::ConfigError;
use crate::text::{self, NotText};

/// The devices of a file: tinytuya's `devices.json`, which its wizard writes, its `snapshot.json`, which its scanner
/// writes and which has addresses, too, or its `tuya-raw.json`, the cloud's own list. The settings that localtuya and
/// tuya-local keep of their devices are read as well, as a list or as an object whose members are the devices.
///
/// Entries and fields that make no sense are passed over. The text is UTF-8, with or without a byte order mark. Keys are wiped when this is dropped, absent from `Debug` output, and in no error.
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

/// What the file says about one device.
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
}

/// A file of devices is of no use.
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
    /// The file cannot be written. It is as it was.
    #[error("the file cannot be written: check the permissions of it and of its folder; it is as it was")]
    Write(#[source] io::Error),
    /// The file is no text in Unicode.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The file is UTF-16, which the other programs that share it do not read.
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
        /// What is wrong there. Says nothing of the text.
        kind: &'static str,
    },
    /// The file is JSON, but holds no devices.
    #[error("the file holds no list of devices: give a devices.json or snapshot.json as tinytuya writes it")]
    NoList,
    /// Several devices have the name that was looked for.
    #[error("several devices are called {0}: give the id")]
    Ambiguous(String),
}

impl DevicesFile {
    /// Reads a file: a list of devices, or an object that has one in `devices` or in `result`, or a member for each.
    ///
    /// # Errors
    /// [`DevicesFileError`]; nothing of the file's text is in it.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DevicesFileError> {
        let text = std::fs::read(path).map_err(DevicesFileError::Io)?;
        Self::parse(&Zeroizing::new(text))
    }

    /// As [`read`](Self::read), from text that was read before.
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

    /// All devices, sub-devices among them, in the order of the file.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceEntry> {
        self.0.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the list is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The device with this id, else the only one with this name.
    ///
    /// # Errors
    /// [`DevicesFileError::Ambiguous`] when no id matches and several names do.
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

    /// The gateway of a sub-device: the one named as its parent, else the only device with the same key, which
    /// sub-devices share with their gateway. `None` when the file does not tell, or for what is no sub-device.
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

/// Where the text ceases to be JSON.
fn not_json(error: &serde_json::Error) -> DevicesFileError {
    DevicesFileError::NotJson {
        line: error.line(),
        column: error.column(),
        kind: if error.is_eof() { "the end is missing (EOF)" } else { "not JSON" },
    }
}

impl DeviceEntry {
    /// Device id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the user calls it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The local key; `None` when the file has none.
    ///
    /// # Errors
    /// [`InvalidKey`] when what stands there is no key.
    pub fn local_key(&self) -> Result<Option<LocalKey>, InvalidKey> {
        self.key.clone().transpose()
    }

    /// The address at which it was when the file was written, or its host name; [`Address::Auto`] when the file has
    /// none.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The address, where it is an IP address.
    pub const fn ip(&self) -> Option<IpAddr> {
        match &self.address {
            Address::Ip(ip) => Some(*ip),
            Address::Socket(SocketAddr::V4(socket)) => Some(IpAddr::V4(*socket.ip())),
            Address::Socket(SocketAddr::V6(socket)) => Some(IpAddr::V6(*socket.ip())),
            Address::Auto | Address::Name(..) => None,
        }
    }

    /// The TCP port, where it is not the usual one.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The dialect that it speaks, where the file has a `dev_type` or `dialect` of `default` or `device22`.
    pub const fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    /// The version that it speaks.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// The oldest version that is believed where the file has no version: its `min_version`.
    pub const fn min_version(&self) -> Option<Version> {
        self.min_version
    }

    /// Whether it is reached through a [gateway](DevicesFile::gateway).
    pub const fn is_sub_device(&self) -> bool {
        self.is_sub_device
    }

    /// Of a sub-device, its cid at the gateway: what the file calls `node_id`, or where that is missing, `uuid`.
    pub fn cid(&self) -> Option<&str> {
        let uuid = self.uuid.as_deref().filter(|_| self.is_sub_device);
        self.cid.as_deref().or(uuid)
    }

    /// Of a sub-device, the id of its gateway. [`DevicesFile::gateway`] also finds one that is not named.
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_deref()
    }

    /// Describes the device as the file does. What the file leaves open is found out.
    ///
    /// # Errors
    /// [`ConfigError::Id`] or [`ConfigError::Key`] when the file has no usable one; [`ConfigError::SubDevice`] for a
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
