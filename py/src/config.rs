//! Configuration of a device from Python's arguments.

use core::num::NonZeroU16;
use core::time::Duration;

use pyo3::prelude::*;
use rustuya_runtime_tokio::{Address, Device, DeviceBuilder, DeviceId, Pacing, Timing};

use crate::engine::engine;
use crate::{args, convert, errors, exceptions, lifecycle};

/// Keyword arguments of a device, besides id, address, key and version.
pub(crate) struct DeviceOptions<'py> {
    pub(crate) port: Option<args::Port>,
    pub(crate) dev_type: Option<args::DevType>,
    pub(crate) persist: Option<args::Persist>,
    pub(crate) nowait: Option<args::Nowait>,
    pub(crate) connection_timeout_sec: Option<args::ConnectionTimeout>,
    pub(crate) timeout: Option<args::Timeout>,
    pub(crate) timing: Option<Bound<'py, PyAny>>,
    pub(crate) pacing: Option<Bound<'py, PyAny>>,
    pub(crate) receive_limit: Option<args::ReceiveLimit>,
    pub(crate) memory_limit: Option<args::MemoryLimit>,
    pub(crate) backlog_limit: Option<args::BacklogLimit>,
    pub(crate) min_version: Option<Bound<'py, PyAny>>,
    pub(crate) query_on_connect: Option<args::QueryOnConnect>,
}

/// Makes the builder of a device, and returns whether it has an address.
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
    refuse_key(py, &address, &builder)?;
    let located = address != Address::Auto;
    Ok((builder.address(address).version(convert::version(version)?), located))
}

/// Refuses the local key in place of an address: resolved as a host name it would be sent to the network.
pub(crate) fn refuse_key(py: Python<'_>, address: &Address, builder: &DeviceBuilder) -> PyResult<()> {
    match address {
        Address::Name(name, _) if builder.is_local_key(name) => Err(exceptions::leaf(
            py,
            "InvalidAddress",
            912,
            "the address is the local key: give an IP address or a host name",
        )),
        _ => Ok(()),
    }
}

/// Changes the settings whose arguments are given.
pub(crate) fn edited(
    py: Python<'_>,
    mut builder: DeviceBuilder,
    address: Option<&Bound<'_, PyAny>>,
    local_key: Option<&Bound<'_, PyAny>>,
    version: Option<&Bound<'_, PyAny>>,
) -> PyResult<DeviceBuilder> {
    if local_key.is_some() {
        builder = builder.local_key(convert::key(local_key)?);
    }
    if version.is_some() {
        builder = builder.version(convert::version(version)?);
    }
    if address.is_none() {
        return Ok(builder);
    }
    let address = convert::address(address)?;
    refuse_key(py, &address, &builder)?;
    let located = address != Address::Auto;
    let builder = builder.address(address);
    engine(py)?.with_discovery(builder, located).map_err(|error| errors::add(py, "the device", error))
}

impl DeviceOptions<'_> {
    pub(crate) fn apply(&self, py: Python<'_>, mut builder: DeviceBuilder) -> PyResult<DeviceBuilder> {
        if let Some(args::Port(port)) = self.port {
            builder = builder.port(port);
        }
        if let Some(dev_type) = &self.dev_type {
            builder = builder.dialect(convert::dialect(py, &dev_type.0)?);
        }
        if let Some(args::Persist(persist)) = self.persist {
            builder = builder.persist(persist);
        }
        if let Some(args::Nowait(nowait)) = self.nowait {
            builder = builder.nowait(nowait);
        }
        if let Some(limits) = &self.timing {
            builder = builder.timing(timing(limits)?);
        }
        if let Some(rules) = &self.pacing {
            builder = builder.pacing(pacing(rules)?);
        }
        if let Some(args::ReceiveLimit(limit)) = self.receive_limit {
            builder = builder.receive_limit(limit);
        }
        if let Some(args::MemoryLimit(limit)) = self.memory_limit {
            builder = builder.memory_limit(limit);
        }
        if let Some(args::BacklogLimit(limit)) = self.backlog_limit {
            builder = builder.backlog_limit(limit);
        }
        if let Some(least) = convert::version(self.min_version.as_ref())? {
            builder = builder.min_version(least);
        }
        if let Some(args::QueryOnConnect(query)) = self.query_on_connect {
            builder = builder.query_on_connect(query);
        }
        if let Some(limit) = args::seconds(self.connection_timeout_sec.as_ref().map(|limit| limit.0.0))? {
            builder = connection_timeout(builder, limit);
        }
        if let Some(limit) = args::seconds(self.timeout.as_ref().map(|limit| limit.0))? {
            builder = builder.command_timeout(limit);
        }
        Ok(builder)
    }
}

/// Limits the time for a TCP connect to `limit`, at least 1 ms.
pub(crate) fn connection_timeout(builder: DeviceBuilder, limit: Duration) -> DeviceBuilder {
    builder.connect_timeout(limit.max(Duration::from_millis(1)))
}

/// Reads an attribute of a settings object; `what` names its class for the error text.
fn field<'py, T: FromPyObjectOwned<'py>>(object: &Bound<'py, PyAny>, name: &str, what: &str) -> PyResult<T> {
    let _inside = lifecycle::enter(object.py());
    let value = object.getattr(name).and_then(|value| value.extract().map_err(Into::into));
    value.map_err(|_| {
        let wanted = format!("a rustuya.{what}, whose `{name}` is a number");
        args::wrong_type(object, &what.to_ascii_lowercase(), &wanted)
    })
}

fn timing(limits: &Bound<'_, PyAny>) -> PyResult<Timing> {
    let limit = |name| args::duration(field(limits, name, "Timing")?);
    let mut timing = Timing::DEFAULT;
    timing.connect = limit("connect")?;
    timing.negotiate = limit("negotiate")?;
    timing.answer = limit("answer")?;
    timing.heartbeat = limit("heartbeat")?;
    timing.backoff_min = limit("backoff_min")?;
    timing.backoff_max = limit("backoff_max")?;
    Ok(timing)
}

fn pacing(rules: &Bound<'_, PyAny>) -> PyResult<Pacing> {
    let sleeps: Option<f64> = field(rules, "sleeps", "Pacing")?;
    let mut pacing = Pacing::NONE;
    pacing.merge = args::duration(field(rules, "merge", "Pacing")?)?;
    pacing.gap = args::duration(field(rules, "gap", "Pacing")?)?;
    pacing.max_dps = field::<Option<NonZeroU16>>(rules, "max_dps", "Pacing")?;
    pacing.max_bytes = field::<Option<NonZeroU16>>(rules, "max_bytes", "Pacing")?;
    pacing.sleeps = sleeps.map(args::duration).transpose()?;
    Ok(pacing)
}
