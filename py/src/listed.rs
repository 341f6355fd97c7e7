//! Devices from the files that tinytuya writes.

use pyo3::prelude::*;
use rustuya_runtime_tokio::{Address, DeviceBuilder, DevicesFile};

use crate::{convert, errors};

/// The description of the wanted device, whether it has an address, and its id.
pub(crate) fn builder(
    path: &Bound<'_, PyAny>,
    name: Option<&str>,
    id: Option<&str>,
    address: Option<&Bound<'_, PyAny>>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<(DeviceBuilder, bool, String)> {
    let py = path.py();
    let shown = path.str()?.to_string();
    let file = DevicesFile::read(path.extract::<std::path::PathBuf>()?)
        .map_err(|error| errors::devices_file(py, &shown, error))?;
    let listed = match (id.or(name), file.len()) {
        (Some(wanted), _) => file.find(wanted).map_err(|error| errors::devices_file(py, &shown, error))?,
        (None, 1) => file.devices().next(),
        (None, count) => {
            let text = format!("{shown} lists {count} devices: say which one, with name= or id=");
            return Err(errors::leaf(py, "DeviceNotFound", 912, &text));
        }
    };
    let Some(listed) = listed else {
        let text = format!("{shown} lists no device called {:?}", id.or(name).unwrap_or_default());
        return Err(errors::leaf(py, "DeviceNotFound", 912, &text));
    };
    let mut builder = listed.builder().map_err(|error| errors::config(py, error))?;
    let mut located = listed.ip().is_some();
    if address.is_some() {
        let address = convert::address(address)?;
        located = address != Address::Auto;
        builder = builder.address(address);
    }
    if version.is_some() {
        builder = builder.version(convert::version(version)?);
    }
    Ok((builder, located, listed.id().to_owned()))
}
