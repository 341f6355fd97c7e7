//! Devices from the files that tinytuya writes.

use pyo3::prelude::*;
use rustuya_runtime_tokio::{Address, Device, DeviceBuilder, DeviceEntry, DevicesFile, Version};

use crate::{args, config, convert, errors};

/// Name, id, local key, address, version, port, dialect and least version of a device, as far as a file tells.
type Described = (
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<&'static str>,
    Option<u16>,
    Option<&'static str>,
    Option<&'static str>,
);

/// The devices that a file of tinytuya describes, but for those behind gateways, which have no connection of their own.
#[pyfunction]
pub(crate) fn listed_devices(py: Python<'_>, path: args::Path) -> PyResult<Vec<Described>> {
    let file =
        DevicesFile::read(&path.0).map_err(|error| errors::devices_file(py, &path.0.display().to_string(), error))?;
    let described = |device: &DeviceEntry| {
        // What is no key is refused, with advice, when the device is made.
        let key = device.local_key().ok().flatten();
        let key = key.and_then(|key| core::str::from_utf8(key.expose()).map(str::to_owned).ok());
        let (name, id) = (device.name().map(str::to_owned), device.id().to_owned());
        let ip = match device.address() {
            Address::Auto => None,
            Address::Name(name, _) => Some(name.clone()),
            Address::Ip(_) | Address::Socket(_) => device.ip().map(|ip| ip.to_string()),
        };
        (
            name,
            id,
            key,
            ip,
            device.version().map(Version::as_str),
            device.port(),
            device.dialect().map(convert::dialect_name),
            device.min_version().map(Version::as_str),
        )
    };
    Ok(file.devices().filter(|device| !device.is_sub_device()).map(described).collect())
}

/// Writes back what works.
pub(crate) fn remember(py: Python<'_>, device: &Device, path: &std::path::Path) -> PyResult<bool> {
    if !device.is_connected() {
        return Err(errors::leaf(
            py,
            "ConnectError",
            901,
            "there is no connection whose version and address could be kept",
        ));
    }
    DevicesFile::remember(path, device.id(), device.version(), device.address())
        .map_err(|error| errors::devices_file(py, &path.display().to_string(), error))
}

/// The description of the wanted device, whether it has an address, and its id.
pub(crate) fn builder(
    py: Python<'_>,
    path: &std::path::Path,
    name: Option<&str>,
    id: Option<&str>,
    address: Option<&Bound<'_, PyAny>>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<(DeviceBuilder, bool, String)> {
    let shown = path.display().to_string();
    let file = DevicesFile::read(path).map_err(|error| errors::devices_file(py, &shown, error))?;
    let listed = match (id.or(name), file.len()) {
        (Some(wanted), _) => file.find(wanted).map_err(|error| errors::devices_file(py, &shown, error))?,
        (None, 1) => file.devices().next(),
        (None, count) => {
            let text = format!("{shown} lists {count} devices: say which one, with name= or id=");
            return Err(errors::leaf(py, "DeviceNotFound", 912, &text));
        }
    };
    let Some(listed) = listed else {
        let text = format!("{shown} lists no device called {}", errors::quoted(id.or(name).unwrap_or_default()));
        return Err(errors::leaf(py, "DeviceNotFound", 912, &text));
    };
    let mut builder = listed.builder().map_err(|error| errors::config(py, error))?;
    let mut located = *listed.address() != Address::Auto;
    if address.is_some() {
        let address = convert::address(address)?;
        config::refuse_key(py, &address, &builder)?;
        located = address != Address::Auto;
        builder = builder.address(address);
    }
    if version.is_some() {
        builder = builder.version(convert::version(version)?);
    }
    Ok((builder, located, listed.id().to_owned()))
}
