//! `VirtualDevice`.

use core::net::SocketAddr;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustuya_runtime_tokio as rt;
use rustuya_virtual_device as virtual_device;

use crate::blocking::block;
use crate::docstring::docstring;
use crate::engine::engine;
use crate::handle::{self, Device};
use crate::held::Held;
use crate::operation::{self, Answer, Failure, Operation};
use crate::receiver::RequestReceiver;
use crate::{args, config, convert, errors, exceptions};

/// Device that exists only in this process: it speaks the protocol on a real socket, as firmware does.
///
/// Args:
///     id: its id; "virtual-device" by default.
///     local_key: the local key, text of 16 characters; "0123456789abcdef" by default.
///     version: its protocol version, "3.1" to "3.5"; "3.4" by default.
///     dps: a mapping of DPs to their initial values.
///     subs: a mapping of cids to such mappings; makes it a gateway.
///     dev_type: its dialect, "default" or "device22".
///     quirks: names of deviations, from `rustuya.testing.QUIRKS`.
///     bind: the address it listens on, an IP address with a port; a free port of 127.0.0.1 by default.
///     announce_to: pairs of an IP address and a UDP port that it sends announcements to.
///     announce_every: seconds between two announcements.
///     product_key: the product key in its announcements.
///     probes: a pair of an IP address and a UDP port where it answers probes of scanners.
///     max_clients: the number of connections that it accepts at a time.
///     idle: seconds of silence after which it ends a connection.
///     schema: the types and ranges of DPs, in the format of `mapping` in a `devices.json`.
///     offline: cids of sub-devices that it reports as offline.
///     strict: whether the end of a `with` block fails after a write that the device did not accept.
///     profile: the kind of device, a name from `rustuya.testing.PROFILES`: gives it DPs, ranges and behavior.
///     speed: simulated seconds per second, for the behavior of the profile; at 0, only writes have effects.
///     seed: number that makes the random part of the behavior repeatable.
///     name: its name in `entries`; that of the profile by default.
///
/// Raises:
///     InvalidId, InvalidKey, InvalidVersion, InvalidAddress, ConfigError: an argument is invalid.
///     InvalidDp, InvalidType, InvalidValue: an argument is of another type, or out of range.
///     OSError: the address cannot be bound.
#[pyclass(frozen, module = "rustuya.testing", weakref)]
pub(crate) struct VirtualDevice {
    device: Held<virtual_device::VirtualDevice>,
    local_key: String,
    strict: bool,
}

impl VirtualDevice {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<virtual_device::VirtualDevice> {
        self.device.get(py).cloned()
    }
}

/// Takes the device off the network.
pub(crate) fn unplug(device: virtual_device::VirtualDevice) -> Operation {
    Box::pin(async move {
        device.unplug().await;
        Ok(Answer::Nothing)
    })
}

/// Puts the device back on the network.
pub(crate) fn plug(device: virtual_device::VirtualDevice) -> Operation {
    Box::pin(async move { device.plug().await.map(|()| Answer::Nothing).map_err(Failure::System) })
}

/// Ends the device.
pub(crate) fn stop(device: virtual_device::VirtualDevice) -> Operation {
    Box::pin(async move {
        device.stop().await;
        Ok(Answer::Nothing)
    })
}

#[pymethods]
impl VirtualDevice {
    #[new]
    #[pyo3(signature = (id=None, local_key=None, version=None, *, dps=None, subs=None, dev_type=None, quirks=None, bind=None,
                        announce_to=None, announce_every=5.0, product_key=None, probes=None, max_clients=3, idle=30.0,
                        schema=None, offline=None, strict=false, profile=None, speed=1, seed=None, name=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn py_new(
        py: Python<'_>,
        id: Option<args::Id>,
        local_key: Option<args::VirtualKey>,
        version: Option<&Bound<'_, PyAny>>,
        dps: Option<&Bound<'_, PyAny>>,
        subs: Option<args::Subs<'_>>,
        dev_type: Option<args::DevType>,
        quirks: Option<args::Quirks>,
        bind: Option<args::Bind>,
        announce_to: Option<args::AnnounceTo>,
        #[pyo3(from_py_with = args::announce_every)] announce_every: f64,
        product_key: Option<args::ProductKey>,
        probes: Option<args::Probes>,
        #[pyo3(from_py_with = args::max_clients)] max_clients: usize,
        #[pyo3(from_py_with = args::idle)] idle: f64,
        schema: Option<&Bound<'_, PyAny>>,
        offline: Option<args::Offline>,
        #[pyo3(from_py_with = args::strict)] strict: bool,
        profile: Option<args::ProfileName>,
        #[pyo3(from_py_with = args::speed)] speed: u32,
        seed: Option<args::Seed>,
        name: Option<args::Name>,
    ) -> PyResult<Self> {
        let id = id.map_or_else(|| "virtual-device".to_owned(), |id| id.0);
        let local_key = local_key.map_or_else(|| "0123456789abcdef".to_owned(), |key| key.0);
        let engine = engine(py)?;
        let refused = |error| errors::simulation(py, error);
        let version = convert::version(version)?.unwrap_or(rt::Version::V34);
        let mut builder = virtual_device::VirtualDevice::builder(&id, &local_key, version).map_err(refused)?;
        if let Some(dps) = dps {
            builder = builder.dps(convert::dps(dps)?).map_err(refused)?;
        }
        if let Some(args::ProfileName(name)) = profile {
            builder = builder.profile(name.parse().map_err(|error| unknown_profile(py, &name, &error))?).speed(speed);
        }
        if let Some(seed) = seed {
            builder = builder.seed(seed.0);
        }
        if let Some(name) = name {
            builder = builder.name(&name.0);
        }
        for (cid, dps) in subs.into_iter().flat_map(|subs| subs.0) {
            builder = builder.sub(&cid, convert::dps(&dps)?).map_err(refused)?;
        }
        if let Some(schema) = schema {
            builder = builder.schema(None, &convert::dps(schema)?).map_err(refused)?;
        }
        for cid in offline.into_iter().flat_map(|offline| offline.0) {
            builder = builder.offline(&cid).map_err(refused)?;
        }
        if let Some(dialect) = dev_type.map(|dev_type| convert::dialect(py, &dev_type.0)).transpose()?.flatten() {
            builder = builder.dialect(dialect);
        }
        for quirk in quirks.into_iter().flat_map(|quirks| quirks.0) {
            builder = builder.quirk(&quirk).map_err(refused)?;
        }
        for (host, port) in announce_to.into_iter().flat_map(|to| to.0) {
            builder = builder.announce_to(socket(py, &format!("{host}:{port}"))?);
        }
        if let Some(product_key) = product_key {
            builder = builder.product_key(&product_key.0);
        }
        if let Some(args::Probes((host, port))) = probes {
            builder = builder.answer_probes(socket(py, &format!("{host}:0"))?, port);
        }
        let (every, idle) = (args::duration(announce_every)?, args::duration(idle)?);
        let bind = bind.map_or_else(|| "127.0.0.1:0".to_owned(), |bind| bind.0);
        let builder =
            builder.bind(socket(py, &bind)?).announce_every(every).max_clients(max_clients).idle(idle).strict(strict);
        let _in = engine.handle().enter();
        let device = match block(py, builder.start(), None)? {
            Some(Err(error)) => return Err(not_started(py, error)),
            Some(Ok(device)) => Some(device),
            None => None,
        };
        let device = device.ok_or_else(|| exceptions::leaf(py, "ClosedError", 906, "interrupted"))?;
        Ok(Self { device: Held::new(device), local_key, strict })
    }

    /// The device id.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<&str> {
        Ok(self.device.get(py)?.id())
    }

    /// The local key that controllers need.
    #[getter]
    fn local_key(&self) -> &str {
        &self.local_key
    }

    /// The protocol version.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.device.get(py)?.version().as_str())
    }

    /// The address that it listens on: IP address and port, in the form that `Device` takes.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.device.get(py)?.local_addr().to_string())
    }

    /// The IP address alone.
    #[getter]
    fn ip(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.device.get(py)?.local_addr().ip().to_string())
    }

    /// The TCP port alone.
    #[getter]
    fn port(&self, py: Python<'_>) -> PyResult<u16> {
        Ok(self.device.get(py)?.local_addr().port())
    }

    /// The address where it receives probes, or None.
    #[getter]
    fn probe_address(&self, py: Python<'_>) -> PyResult<Option<(String, u16)>> {
        Ok(self.device.get(py)?.probe_addr().map(|address| (address.ip().to_string(), address.port())))
    }

    /// Creates a `Device` for this device, with a connection of its own.
    fn device(&self, py: Python<'_>) -> PyResult<Py<Device>> {
        let inner = self.device.get(py)?;
        let address = pyo3::types::PyString::new(py, &inner.local_addr().to_string()).into_any();
        let version = pyo3::types::PyString::new(py, inner.version().as_str()).into_any();
        let key = pyo3::types::PyString::new(py, &self.local_key).into_any();
        let (builder, located) = config::builder(py, inner.id(), Some(&address), Some(&key), Some(&version))?;
        handle::spawn(py, builder, located, inner.id())
    }

    /// Arguments for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
    /// `address`, `local_key`, `version`, `port` and `dev_type`.
    #[getter]
    fn config<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let device = self.device.get(py)?;
        let dict = PyDict::new(py);
        dict.set_item("id", device.id())?;
        dict.set_item("address", device.local_addr().ip().to_string())?;
        dict.set_item("local_key", &self.local_key)?;
        dict.set_item("version", device.version().as_str())?;
        dict.set_item("port", device.local_addr().port())?;
        dict.set_item("dev_type", convert::dialect_name(device.dialect()))?;
        Ok(dict)
    }

    /// The name of its profile, or None.
    #[getter]
    fn profile(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        Ok(self.device.get(py)?.profile().map(virtual_device::Profile::name))
    }

    /// Its entries in a `devices.json`, and those of its sub-devices: a new list of dicts with address, local key and, with
    /// a profile, `mapping`.
    #[getter]
    fn entries<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        self.device.get(py)?.entries().iter().map(|entry| convert::map_to_python(py, entry)).collect()
    }

    /// Number of pushes lost because controllers did not read: each connection queues 1024 at most.
    #[getter]
    fn lost_pushes(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.device.get(py)?.lost_pushes())
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them, changed or not, to every controller that
    /// regards itself as connected.
    #[doc = docstring!(args: dps_virtual cid_virtual)]
    #[doc = docstring!(raises: simulation types)]
    #[pyo3(signature = (dps, cid=None))]
    fn set_dps(&self, dps: &Bound<'_, PyAny>, cid: Option<args::Cid>) -> PyResult<()> {
        let py = dps.py();
        let device = self.device.get(py)?;
        device
            .set_dps(cid.as_ref().map(|cid| &*cid.0), convert::dps(dps)?)
            .map_err(|error| errors::simulation(py, error))
    }

    /// Returns the present DPs.
    #[doc = docstring!(args: cid_virtual)]
    #[doc = docstring!(raises: types)]
    #[pyo3(signature = (cid=None))]
    fn dps<'py>(&self, py: Python<'py>, cid: Option<args::Cid>) -> PyResult<Bound<'py, PyDict>> {
        convert::map_to_python(py, &self.device.get(py)?.dps(cid.as_ref().map(|cid| &*cid.0)))
    }

    /// Sets whether a sub-device is online, and reports that to all controllers.
    #[doc = docstring!(args: cid_sub online)]
    #[doc = docstring!(raises: simulation types)]
    fn set_online(&self, py: Python<'_>, cid: args::Cid, online: args::Online) -> PyResult<()> {
        self.device.get(py)?.set_online(&cid.0, online.0).map_err(|error| errors::simulation(py, error))
    }

    /// The first 1024 written values that the device did not accept: a list of dicts with `cid`, `dp`, `value` and
    /// `why`.
    #[getter]
    fn rejected_writes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let writes = self.device.get(py)?.rejected_writes();
        writes.into_iter().map(|write| rejected_to_python(py, write)).collect()
    }

    /// Raises AssertionError if a controller wrote a value that the device did not accept.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        let writes = self.device.get(py)?.rejected_writes();
        let Some(first) = writes.first() else { return Ok(()) };
        let what = match &first.cid {
            Some(cid) => format!("DP {} of {cid}", first.dp),
            None => format!("DP {}", first.dp),
        };
        let text = format!(
            "a device acknowledges this and does not do it: {what}, {}: {}{}",
            first.value,
            why(first),
            if writes.len() > 1 { format!(" (and {} more)", writes.len() - 1) } else { String::new() },
        );
        Err(pyo3::exceptions::PyAssertionError::new_err(text))
    }

    /// True if it was made with `strict`.
    #[getter]
    const fn strict(&self) -> bool {
        self.strict
    }

    /// Creates a receiver of every request of every controller from now on.
    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, RequestReceiver>> {
        let device = self.device.get(py)?;
        RequestReceiver::make(py, device.requests(), device.clone())
    }

    /// Takes the device off the network until `plug()`.
    fn unplug(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, unplug(self.inner(py)?)).map(drop)
    }

    /// Puts the device back on the network, at the same address. Raises OSError when another program has taken the
    /// port.
    fn plug(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, plug(self.inner(py)?)).map(drop)
    }

    /// Ends the device.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, stop(self.inner(py)?)).map(drop)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*exc))]
    fn __exit__(&self, py: Python<'_>, exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.stop(py)?;
        // An exception in the block is the cause; it must not be replaced by its consequence.
        let is_clean = exc.get_item(0).map_or(true, |kind| kind.is_none());
        if self.strict && is_clean { self.check(py) } else { Ok(()) }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let device = self.device.get(py)?;
        Ok(format!("<VirtualDevice {:?} of version {} at {}>", device.id(), device.version(), device.local_addr()))
    }
}

/// Returns every quirk with its description; `=N` stands for a number.
#[pyfunction]
pub(crate) fn quirk_names() -> Vec<(&'static str, &'static str)> {
    virtual_device::Quirks::NAMES.to_vec()
}

/// Returns every profile with what it is.
#[pyfunction]
pub(crate) fn profile_names() -> Vec<(&'static str, &'static str)> {
    virtual_device::Profile::all().map(|profile| (profile.name(), profile.product())).collect()
}

fn unknown_profile(py: Python<'_>, name: &str, error: &virtual_device::UnknownProfile) -> PyErr {
    let name = exceptions::quoted(name);
    let text = format!("profile {name}: {error}; rustuya.testing.PROFILES lists all");
    exceptions::leaf(py, "ConfigError", 912, &text)
}

fn not_started(py: Python<'_>, error: std::io::Error) -> PyErr {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<virtual_device::SimulationError>()).copied();
    refused.map_or_else(|| error.into(), |refused| errors::simulation(py, refused))
}

fn why(write: &virtual_device::RejectedWrite) -> String {
    write.why.map_or_else(|| "the request is not for this device".to_owned(), |why| why.to_string())
}

fn rejected_to_python(py: Python<'_>, write: virtual_device::RejectedWrite) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    let why = why(&write);
    dict.set_item("cid", write.cid)?;
    dict.set_item("dp", write.dp)?;
    dict.set_item("value", convert::to_python(py, &write.value)?)?;
    dict.set_item("why", why)?;
    Ok(dict)
}

fn socket(py: Python<'_>, text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        exceptions::leaf(
            py,
            "InvalidAddress",
            912,
            &format!("{} is not an IP address with a port, such as 127.0.0.1:0", exceptions::quoted(text)),
        )
    })
}
