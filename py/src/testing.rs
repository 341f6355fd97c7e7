//! `VirtualDevice`.

use core::net::SocketAddr;
use core::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustuya_runtime_tokio as rt;

use crate::device::Device;
use crate::engine::{self, Held, engine};
use crate::operation::{self, Answer, Failure, Operation};
use crate::receiver::RequestReceiver;
use crate::words::words;
use crate::{args, config, convert, errors, handle};

/// A device that exists only in this process: it speaks the protocol on a real socket, as firmware does.
///
/// Args:
///     id: its id; "virtual-device" unless it is given.
///     local_key: the local key, text of 16 characters; "0123456789abcdef" unless it is given.
///     version: the version that it speaks, "3.1" to "3.5"; "3.4" unless it is given.
///     dps: a mapping of DPs to the values that it has at first.
///     subs: a mapping of cids to such mappings: makes it a gateway.
///     dev_type: the dialect that it speaks, "default" or "device22".
///     quirks: names of what it does otherwise, of those in `rustuya.testing.QUIRKS`.
///     bind: where it listens, an IP address with a port; a free port of 127.0.0.1 unless it is given.
///     announce_to: pairs of an IP address and a UDP port that hear of it.
///     announce_every: seconds between two announcements.
///     product_key: what it announces as its product.
///     probes: a pair of an IP address and a UDP port at which it answers scanners that ask.
///     max_clients: how many connections it accepts at a time.
///     idle: seconds of silence after which it ends a connection.
///     schema: what DPs can hold, as `mapping` in a `devices.json` says it.
///     offline: cids of sub-devices that it reports as offline.
///     strict: whether the end of a `with` block fails when a write was not taken.
///
/// Raises:
///     InvalidId, InvalidKey, InvalidVersion, InvalidAddress, ConfigError: there can be no such device.
///     InvalidDp, InvalidType, InvalidValue: an argument is of another type, or out of range.
///     OSError: the address cannot be listened on.
#[pyclass(frozen, module = "rustuya.testing", weakref)]
pub(crate) struct VirtualDevice {
    device: Held<rt::VirtualDevice>,
    local_key: String,
    strict: bool,
}

impl VirtualDevice {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<rt::VirtualDevice> {
        self.device.get(py).cloned()
    }
}

/// Takes it off the network.
pub(crate) fn unplugged(device: rt::VirtualDevice) -> Operation {
    Box::pin(async move {
        device.unplug().await;
        Ok(Answer::Nothing)
    })
}

/// Puts it back on the network.
pub(crate) fn plugged(device: rt::VirtualDevice) -> Operation {
    Box::pin(async move { device.plug().await.map(|()| Answer::Nothing).map_err(Failure::System) })
}

/// Ends it.
pub(crate) fn stopped(device: rt::VirtualDevice) -> Operation {
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
                        schema=None, offline=None, strict=false))]
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
    ) -> PyResult<Self> {
        let id = id.map_or_else(|| "virtual-device".to_owned(), |id| id.0);
        let local_key = local_key.map_or_else(|| "0123456789abcdef".to_owned(), |key| key.0);
        let engine = engine(py)?;
        let refused = |error| errors::simulation(py, error);
        let version = convert::version(version)?.unwrap_or(rt::Version::V34);
        let mut builder = rt::VirtualDevice::builder(&id, &local_key, version).map_err(refused)?;
        if let Some(dps) = dps {
            builder = builder.dps(convert::dps(dps)?).map_err(refused)?;
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
        let every = engine::seconds(Some(announce_every))?.unwrap_or(Duration::MAX);
        let idle = engine::seconds(Some(idle))?.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        let bind = bind.map_or_else(|| "127.0.0.1:0".to_owned(), |bind| bind.0);
        let builder =
            builder.bind(socket(py, &bind)?).announce_every(every).max_clients(max_clients).idle(idle).strict(strict);
        let _in = engine.handle().enter();
        let device = match engine::block(py, builder.start(), None)? {
            Some(Err(error)) => return Err(not_started(py, error)),
            Some(Ok(device)) => Some(device),
            None => None,
        };
        let device = device.ok_or_else(|| errors::leaf(py, "ClosedError", 906, "interrupted"))?;
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

    /// The version that it speaks.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.device.get(py)?.version().as_str())
    }

    /// Where it accepts controllers: IP address and port, as `Device` takes it.
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

    /// Where it hears requests for announcements, if it does.
    #[getter]
    fn probe_address(&self, py: Python<'_>) -> PyResult<Option<(String, u16)>> {
        Ok(self.device.get(py)?.probe_addr().map(|address| (address.ip().to_string(), address.port())))
    }

    /// A controller's handle of this device: a new connection.
    fn device(&self, py: Python<'_>) -> PyResult<Device> {
        let inner = self.device.get(py)?;
        let address = pyo3::types::PyString::new(py, &inner.local_addr().to_string()).into_any();
        let version = pyo3::types::PyString::new(py, inner.version().as_str()).into_any();
        let key = pyo3::types::PyString::new(py, &self.local_key).into_any();
        let (builder, located) = config::builder(py, inner.id(), Some(&address), Some(&key), Some(&version))?;
        handle::spawn(py, builder, located, inner.id())
    }

    /// What a controller needs, for `Device(**virtual.config)` or `Manager.add(**virtual.config)`: a new dict with `id`,
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

    /// How many pushes controllers did not get because they did not read: 1024 wait for each connection at most.
    #[getter]
    fn lost_pushes(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.device.get(py)?.lost_pushes())
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them, changed or not, to every controller whose
    /// connection is up at its own end.
    #[doc = words!(args: dps_virtual cid_virtual)]
    #[doc = words!(raises: simulation types)]
    #[pyo3(signature = (dps, cid=None))]
    fn set_dps(&self, dps: &Bound<'_, PyAny>, cid: Option<args::Cid>) -> PyResult<()> {
        let py = dps.py();
        let device = self.device.get(py)?;
        device
            .set_dps(cid.as_ref().map(|cid| &*cid.0), convert::dps(dps)?)
            .map_err(|error| errors::simulation(py, error))
    }

    /// The DPs that it has now.
    #[doc = words!(args: cid_virtual)]
    #[doc = words!(raises: types)]
    #[pyo3(signature = (cid=None))]
    fn dps<'py>(&self, py: Python<'py>, cid: Option<args::Cid>) -> PyResult<Bound<'py, PyDict>> {
        convert::map_to_python(py, &self.device.get(py)?.dps(cid.as_ref().map(|cid| &*cid.0)))
    }

    /// Says whether a sub-device is online, and reports that to all controllers.
    #[doc = words!(args: cid_sub online)]
    #[doc = words!(raises: simulation types)]
    fn set_online(&self, py: Python<'_>, cid: args::Cid, online: args::Online) -> PyResult<()> {
        self.device.get(py)?.set_online(&cid.0, online.0).map_err(|error| errors::simulation(py, error))
    }

    /// The values that controllers wrote and the device did not take, the first 1024 of them: a list of dicts with
    /// `cid`, `dp`, `value` and `why`.
    #[getter]
    fn unfit<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let writes = self.device.get(py)?.unfit_writes();
        writes.into_iter().map(|write| unfit_to_python(py, write)).collect()
    }

    /// Fails when a controller wrote what the device did not take.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        let writes = self.device.get(py)?.unfit_writes();
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

    /// Whether it was made with `strict`.
    #[getter]
    const fn strict(&self) -> bool {
        self.strict
    }

    /// Receives every request of every controller from now on.
    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, RequestReceiver>> {
        let device = self.device.get(py)?;
        RequestReceiver::make(py, device.requests(), device.clone())
    }

    /// Takes the device off the network, until it is plugged in again.
    fn unplug(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, unplugged(self.inner(py)?)).map(drop)
    }

    /// Puts the device back on the network, at the same address. Raises OSError when another program has taken the port.
    fn plug(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, plugged(self.inner(py)?)).map(drop)
    }

    /// Ends the device.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        operation::finish(py, stopped(self.inner(py)?)).map(drop)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*exc))]
    fn __exit__(&self, py: Python<'_>, exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.stop(py)?;
        // What has failed already is told, not what came of it.
        let is_clean = exc.get_item(0).map_or(true, |kind| kind.is_none());
        if self.strict && is_clean { self.check(py) } else { Ok(()) }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let device = self.device.get(py)?;
        Ok(format!("<VirtualDevice {:?} of version {} at {}>", device.id(), device.version(), device.local_addr()))
    }
}

/// Every quirk with what it does; `=N` stands for a number.
#[pyfunction]
pub(crate) fn quirk_names() -> Vec<(&'static str, &'static str)> {
    rt::Quirks::NAMES.to_vec()
}

fn not_started(py: Python<'_>, error: std::io::Error) -> PyErr {
    let refused = error.get_ref().and_then(|inner| inner.downcast_ref::<rt::SimulationError>()).copied();
    refused.map_or_else(|| error.into(), |refused| errors::simulation(py, refused))
}

fn why(write: &rt::UnfitWrite) -> String {
    write.why.map_or_else(|| "the request is not for this device".to_owned(), |why| why.to_string())
}

fn unfit_to_python(py: Python<'_>, write: rt::UnfitWrite) -> PyResult<Bound<'_, PyDict>> {
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
        errors::leaf(
            py,
            "InvalidAddress",
            912,
            &format!("{} is no IP address with a port, such as 127.0.0.1:0", errors::quoted(text)),
        )
    })
}
