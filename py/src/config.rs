//! What can be said of a device, beside id, address, key and version.

use core::time::Duration;

use pyo3::prelude::*;
use rustuya_runtime_tokio::{Address, Device, DeviceBuilder, DeviceId, Timing};

use crate::{convert, engine, errors, verbs};

/// The keyword arguments of a device.
pub(crate) struct Extra {
    pub(crate) port: Option<u16>,
    pub(crate) dev_type: Option<String>,
    pub(crate) persist: Option<bool>,
    pub(crate) nowait: Option<bool>,
    pub(crate) connection_timeout: Option<f64>,
    pub(crate) timeout: Option<f64>,
}

/// The description that arguments give, and whether it has an address.
pub(crate) fn builder(
    py: Python<'_>,
    id: &str,
    address: Option<&Bound<'_, PyAny>>,
    local_key: Option<&Bound<'_, PyAny>>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<(DeviceBuilder, bool)> {
    let id = DeviceId::new(id).map_err(|error| errors::config(py, error.into()))?;
    let address = convert::address(address)?;
    let builder = Device::builder_with(id, convert::key(local_key)?);
    Ok((builder.address(address).version(convert::version(version)?), address != Address::Auto))
}

impl Extra {
    pub(crate) fn apply(&self, py: Python<'_>, mut builder: DeviceBuilder) -> PyResult<DeviceBuilder> {
        if let Some(port) = self.port {
            builder = builder.port(port);
        }
        if let Some(dev_type) = &self.dev_type {
            builder = builder.dialect(convert::dialect(py, dev_type)?);
        }
        if let Some(persist) = self.persist {
            builder = builder.persist(persist);
        }
        if let Some(nowait) = self.nowait {
            builder = builder.nowait(nowait);
        }
        if let Some(limit) = verbs::milliseconds(self.connection_timeout)? {
            builder = connection_timeout(builder, limit);
        }
        if let Some(limit) = engine::seconds(self.timeout)? {
            builder = builder.command_timeout(limit);
        }
        Ok(builder)
    }
}

/// Limits the dial, the only time limit of a connection that Python sets.
pub(crate) fn connection_timeout(builder: DeviceBuilder, limit: Duration) -> DeviceBuilder {
    let mut timing = Timing::DEFAULT;
    timing.connect = limit.max(Duration::from_millis(1));
    builder.timing(timing)
}
