//! One device of a file.

use core::net::{IpAddr, SocketAddr};

use rustuya_proto::{DeviceId, Dialect, InvalidKey, LocalKey, Version};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::device::{Address, Device, DeviceBuilder};
use crate::report::error::ConfigError;

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
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) key: Option<Result<LocalKey, InvalidKey>>,
    pub(super) address: Address,
    pub(super) port: Option<u16>,
    pub(super) version: Option<Version>,
    pub(super) min_version: Option<Version>,
    pub(super) dialect: Option<Dialect>,
    pub(super) is_sub_device: bool,
    pub(super) cid: Option<String>,
    pub(super) uuid: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) category: Option<String>,
    pub(super) product_id: Option<String>,
    pub(super) product_name: Option<String>,
    pub(super) model: Option<String>,
    /// JSON text, so that a list of thousands of devices is read without a tree for each.
    pub(super) mapping: Option<Box<RawValue>>,
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

    /// Returns whether it is a sub-device, connected through a [gateway](crate::DevicesFile::gateway).
    pub const fn is_sub_device(&self) -> bool {
        self.is_sub_device
    }

    /// Returns the cid of a sub-device: the field `node_id` or, if that is missing, `uuid`.
    pub fn cid(&self) -> Option<&str> {
        let uuid = self.uuid.as_deref().filter(|_| self.is_sub_device);
        self.cid.as_deref().or(uuid)
    }

    /// Returns the id of a sub-device's gateway. [`DevicesFile::gateway`](crate::DevicesFile::gateway) also finds one that is not named.
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
