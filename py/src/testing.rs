//! `VirtualDevice`.

use core::net::SocketAddr;
use core::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustuya_runtime_tokio as rt;

use crate::device::{self, Device};
use crate::engine::{self, Held, engine};
use crate::receiver::RequestReceiver;
use crate::{config, convert, errors};

/// A device that exists only in this process: it speaks the protocol on a real socket, as firmware does.
#[pyclass(frozen, module = "rustuya.testing", weakref)]
pub(crate) struct VirtualDevice {
    device: Held<rt::VirtualDevice>,
    local_key: String,
}

impl VirtualDevice {
    fn wait<T: Send>(&self, py: Python<'_>, work: impl Future<Output = T> + Send) -> PyResult<T> {
        self.device.get(py)?;
        let _in = engine(py)?.handle().enter();
        engine::block(py, work, None)?.ok_or_else(|| errors::leaf(py, "ClosedError", 906, "interrupted"))
    }
}

#[pymethods]
impl VirtualDevice {
    #[new]
    #[pyo3(signature = (id="virtual-device", local_key="0123456789abcdef", version=None, *, dps=None, subs=None, dev_type=None,
                        quirks=Vec::new(), bind="127.0.0.1:0", announce_to=Vec::new(), announce_every=5.0,
                        product_key=None, probes=None, max_clients=3, idle=30.0))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn py_new(
        py: Python<'_>,
        id: &str,
        local_key: &str,
        version: Option<&Bound<'_, PyAny>>,
        dps: Option<&Bound<'_, PyAny>>,
        subs: Option<&Bound<'_, PyDict>>,
        dev_type: Option<&str>,
        quirks: Vec<String>,
        bind: &str,
        announce_to: Vec<(String, u16)>,
        announce_every: f64,
        product_key: Option<&str>,
        probes: Option<(String, u16)>,
        max_clients: usize,
        idle: f64,
    ) -> PyResult<Self> {
        let engine = engine(py)?;
        let refused = |error| errors::simulation(py, error);
        let version = convert::version(version)?.unwrap_or(rt::Version::V34);
        let mut builder = rt::VirtualDevice::builder(id, local_key, version).map_err(refused)?;
        if let Some(dps) = dps {
            builder = builder.dps(convert::dps(dps)?).map_err(refused)?;
        }
        for (cid, dps) in subs.into_iter().flatten() {
            builder = builder.sub(&cid.extract::<String>()?, convert::dps(&dps)?).map_err(refused)?;
        }
        if let Some(dialect) = dev_type.map(|dev_type| convert::dialect(py, dev_type)).transpose()?.flatten() {
            builder = builder.dialect(dialect);
        }
        for quirk in &quirks {
            builder = builder.quirk(quirk).map_err(refused)?;
        }
        for (host, port) in &announce_to {
            builder = builder.announce_to(socket(py, &format!("{host}:{port}"))?);
        }
        if let Some(product_key) = product_key {
            builder = builder.product_key(product_key);
        }
        if let Some((host, port)) = probes {
            builder = builder.answer_probes(socket(py, &format!("{host}:0"))?, port);
        }
        let every = engine::seconds(Some(announce_every))?.unwrap_or(Duration::MAX);
        let idle = engine::seconds(Some(idle))?.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        let builder = builder.bind(socket(py, bind)?).announce_every(every).max_clients(max_clients).idle(idle);
        let _in = engine.handle().enter();
        let device = engine::block(py, builder.start(), None)?.transpose()?;
        let device = device.ok_or_else(|| errors::leaf(py, "ClosedError", 906, "interrupted"))?;
        Ok(Self { device: Held::new(device), local_key: local_key.to_owned() })
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
        device::spawn(py, builder, located, inner.id())
    }

    /// Changes or adds DPs, as if by hand at the device, and pushes them to all controllers.
    #[pyo3(signature = (dps, cid=None))]
    fn set_dps(&self, dps: &Bound<'_, PyAny>, cid: Option<&str>) -> PyResult<()> {
        let py = dps.py();
        let device = self.device.get(py)?;
        device.set_dps(cid, convert::dps(dps)?).map_err(|error| errors::simulation(py, error))
    }

    /// The DPs that it has now.
    #[pyo3(signature = (cid=None))]
    fn dps<'py>(&self, py: Python<'py>, cid: Option<&str>) -> PyResult<Bound<'py, PyDict>> {
        convert::map_to_python(py, &self.device.get(py)?.dps(cid))
    }

    /// Receives every request of every controller from now on.
    fn requests<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, RequestReceiver>> {
        let device = self.device.get(py)?;
        RequestReceiver::make(py, device.requests(), device.clone())
    }

    /// Takes the device off the network, until it is plugged in again.
    fn unplug(&self, py: Python<'_>) -> PyResult<()> {
        let device = self.device.get(py)?.clone();
        self.wait(py, async move { device.unplug().await })
    }

    /// Puts the device back on the network, at the same address.
    fn plug(&self, py: Python<'_>) -> PyResult<()> {
        let device = self.device.get(py)?.clone();
        Ok(self.wait(py, async move { device.plug().await })??)
    }

    /// Ends the device.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let device = self.device.get(py)?.clone();
        self.wait(py, async move { device.stop().await })
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.stop(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let device = self.device.get(py)?;
        Ok(format!("<VirtualDevice {:?} of version {} at {}>", device.id(), device.version(), device.local_addr()))
    }
}

fn socket(py: Python<'_>, text: &str) -> PyResult<SocketAddr> {
    text.parse().map_err(|_| {
        errors::leaf(py, "InvalidAddress", 912, &format!("{text:?} is no IP address with a port, such as 127.0.0.1:0"))
    })
}
