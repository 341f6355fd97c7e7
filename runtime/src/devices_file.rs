//! Lists of devices in the files that tinytuya writes.

use core::fmt;
use core::net::IpAddr;
use std::io;
use std::path::Path;

use rustuya_proto::{DeviceId, InvalidKey, LocalKey, Version};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::device::{Device, DeviceBuilder};
use crate::error::ConfigError;

/// The devices of a file: tinytuya's `devices.json`, which its wizard writes, or its `snapshot.json`, which its
/// scanner writes and which has addresses, too.
///
/// Entries and fields that make no sense are passed over. Keys are wiped when this is dropped, absent from `Debug`
/// output, and in no error.
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
pub struct DevicesFile(Vec<Listed>);

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
pub struct Listed {
    id: String,
    name: Option<String>,
    key: Option<Result<LocalKey, InvalidKey>>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    version: Option<Version>,
    is_sub_device: bool,
    cid: Option<String>,
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
    /// Reads a file: a list of devices, or an object that has one in `devices`.
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
        let parsed: Result<Field, _> = serde_json::from_slice(text);
        match parsed {
            Ok(Field { list: Some(list), .. }) => Ok(Self(list)),
            Ok(Field { devices: Some(list), .. }) => Ok(Self(list)),
            Ok(_) => Err(DevicesFileError::NoList),
            Err(error) => Err(DevicesFileError::NotJson {
                line: error.line(),
                column: error.column(),
                kind: if error.is_eof() { "the end is missing (EOF)" } else { "not JSON" },
            }),
        }
    }

    /// All devices, sub-devices among them, in the order of the file.
    pub fn devices(&self) -> impl Iterator<Item = &Listed> {
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
    pub fn find(&self, wanted: &str) -> Result<Option<&Listed>, DevicesFileError> {
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
    pub fn gateway(&self, listed: &Listed) -> Option<&Listed> {
        if !listed.is_sub_device {
            return None;
        }
        if let Some(parent) = &listed.parent {
            return self.0.iter().find(|other| other.id == *parent && !other.is_sub_device);
        }
        let key = listed.key.as_ref()?.as_ref().ok()?;
        let same_key =
            |other: &&Listed| !other.is_sub_device && matches!(&other.key, Some(Ok(other_key)) if other_key == key);
        let mut gateways = self.0.iter().filter(same_key);
        gateways.next().filter(|_| gateways.next().is_none())
    }
}

impl Listed {
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

    /// The address at which it was when the file was written.
    pub const fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The TCP port, where it is not the usual one.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The version that it speaks.
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Whether it is reached through a [gateway](DevicesFile::gateway).
    pub const fn is_sub_device(&self) -> bool {
        self.is_sub_device
    }

    /// Of a sub-device, its cid at the gateway, which the file calls `node_id`.
    pub fn cid(&self) -> Option<&str> {
        self.cid.as_deref()
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
        let key = self.local_key()?.ok_or(InvalidKey)?;
        let mut builder = Device::builder_with(DeviceId::new(&self.id)?, key).version(self.version);
        if let Some(ip) = self.ip {
            builder = builder.address(ip);
        }
        Ok(match self.port {
            Some(port) => builder.port(port),
            None => builder,
        })
    }

    /// Takes one field of the entry in.
    fn take(&mut self, name: &str, field: Field) {
        let text = field.text.filter(|text| !text.is_empty());
        let owned = |text: Zeroizing<String>| Some(text.as_str().to_owned());
        match name {
            "id" => self.id = text.and_then(owned).unwrap_or_default(),
            "gwId" if self.id.is_empty() => self.id = text.and_then(owned).unwrap_or_default(),
            "name" => self.name = text.and_then(owned),
            "key" => self.key = text.map(|text| LocalKey::from_text(&text)),
            "ip" => self.ip = text.and_then(|text| text.parse().ok()),
            "port" => self.port = field.number.as_ref().and_then(|number| number.parse().ok()),
            "version" | "ver" => {
                let said = text.as_ref().map(|text| text.as_str()).or(field.number.as_deref());
                self.version = said.and_then(|said| said.parse().ok()).or(self.version);
            }
            "sub" => self.is_sub_device |= field.is_true,
            "parent" => {
                self.is_sub_device |= !field.is_null;
                self.parent = text.and_then(owned);
            }
            "node_id" => self.cid = text.and_then(owned).or_else(|| self.cid.take()),
            "cid" if self.cid.is_none() => self.cid = text.and_then(owned),
            _ => {}
        }
    }
}

/// One value of the file, as far as it matters. Reading it never fails by itself: errors of typed parsing quote text,
/// and with it keys.
#[derive(Default)]
struct Field {
    text: Option<Zeroizing<String>>,
    number: Option<String>,
    is_true: bool,
    is_null: bool,
    /// Of a list, the objects in it that have an id.
    list: Option<Vec<Listed>>,
    /// Of an object: what it says of a device.
    entry: Option<Listed>,
    /// Of an object: the list in its `devices`.
    devices: Option<Vec<Listed>>,
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;

        impl<'de> Visitor<'de> for Anything {
            type Value = Field;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                Ok(Field { text: Some(Zeroizing::new(text.to_owned())), ..Field::default() })
            }

            fn visit_bool<E>(self, is_true: bool) -> Result<Field, E> {
                Ok(Field { is_true, ..Field::default() })
            }

            fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
                Ok(Field { number: Some(number.to_string()), ..Field::default() })
            }

            fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
                Ok(Field { number: Some(number.to_string()), ..Field::default() })
            }

            fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
                Ok(Field { number: Some(number.to_string()), ..Field::default() })
            }

            fn visit_unit<E>(self) -> Result<Field, E> {
                Ok(Field { is_null: true, ..Field::default() })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element::<Field>()? {
                    list.extend(item.entry.filter(|entry| !entry.id.is_empty()));
                }
                Ok(Field { list: Some(list), ..Field::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Field, A::Error> {
                let mut entry = Listed::default();
                let mut devices = None;
                while let Some(name) = fields.next_key::<String>()? {
                    match name.as_str() {
                        "devices" => devices = fields.next_value::<Field>()?.list,
                        // Of no interest, and of any depth.
                        "dps" | "mapping" => drop(fields.next_value::<IgnoredAny>()?),
                        name => entry.take(name, fields.next_value()?),
                    }
                }
                Ok(Field { entry: Some(entry), devices, ..Field::default() })
            }
        }

        deserializer.deserialize_any(Anything)
    }
}

#[cfg(test)]
mod tests;
