//! Devices from the files of tinytuya.

use pyo3::prelude::*;
use rustuya_runtime_tokio::{Address, Device, DeviceBuilder, DeviceEntry, DevicesFile, Version};
use serde_json::Value;

use crate::{args, config, convert, described, errors, exceptions};

/// Name, id, local key, address, version, port, dialect, minimum version and description of a device; `None` where the
/// file has none.
type DeviceFields<'py> = (
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    Option<&'static str>,
    Option<u16>,
    Option<&'static str>,
    Option<&'static str>,
    Bound<'py, PyAny>,
);

/// Reads the devices of a file of tinytuya, without sub-devices, which have no connection of their own.
#[pyfunction]
pub(crate) fn listed_devices(py: Python<'_>, path: args::Path) -> PyResult<Vec<DeviceFields<'_>>> {
    let file =
        DevicesFile::read(&path.0).map_err(|error| errors::devices_file(py, &path.0.display().to_string(), error))?;
    let fields = |device: &DeviceEntry| {
        // An invalid key is refused, with advice, when the device is made.
        let key = device.local_key().ok().flatten();
        let key = key.and_then(|key| core::str::from_utf8(key.expose()).map(str::to_owned).ok());
        let (name, id) = (device.name().map(str::to_owned), device.id().to_owned());
        let ip = match device.address() {
            Address::Auto => None,
            Address::Name(name, _) => Some(name.clone()),
            Address::Ip(_) | Address::Socket(_) => device.ip().map(|ip| ip.to_string()),
        };
        let description = described::to_python(py, &described::description(&file, device))?;
        Ok((
            name,
            id,
            key,
            ip,
            device.version().map(Version::as_str),
            device.port(),
            device.dialect().map(convert::dialect_name),
            device.min_version().map(Version::as_str),
            description,
        ))
    };
    file.devices().filter(|device| !device.is_sub_device()).map(fields).collect()
}

/// Writes the version and the address of the connection to the file.
pub(crate) fn remember(py: Python<'_>, device: &Device, path: &std::path::Path) -> PyResult<bool> {
    if !device.is_connected() {
        return Err(exceptions::leaf(
            py,
            "ConnectError",
            901,
            "there is no connection, so no version and address to write",
        ));
    }
    DevicesFile::update(path, device.id(), device.version(), device.address())
        .map_err(|error| errors::devices_file(py, &path.display().to_string(), error))
}

/// Makes the builder of the wanted device; returns also whether it has an address, and its description.
pub(crate) fn builder(
    py: Python<'_>,
    path: &std::path::Path,
    name: Option<&str>,
    id: Option<&str>,
    address: Option<&Bound<'_, PyAny>>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<(DeviceBuilder, bool, Value)> {
    let shown = path.display().to_string();
    let file = DevicesFile::read(path).map_err(|error| errors::devices_file(py, &shown, error))?;
    let listed = match (id.or(name), file.len()) {
        (Some(wanted), _) => file.find(wanted).map_err(|error| errors::devices_file(py, &shown, error))?,
        (None, 1) => file.devices().next(),
        (None, count) => {
            let text = match count {
                0 => format!("{shown} lists no devices"),
                _ => format!("{shown} lists {count} devices: choose one with name= or id="),
            };
            return Err(exceptions::leaf(py, "DeviceNotFound", 912, &text));
        }
    };
    let Some(listed) = listed else {
        let text = format!("{shown} has no device named {}", exceptions::quoted(id.or(name).unwrap_or_default()));
        return Err(exceptions::leaf(py, "DeviceNotFound", 912, &text));
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
    Ok((builder, located, described::description(&file, listed)))
}
