//! `Scanner`.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use pyo3::prelude::*;
use rustuya_runtime_tokio as rt;

use crate::docstring::docstring;
use crate::engine::engine;
use crate::lifecycle::lock;
use crate::operation::{Answer, Failure, Operation, finish};
use crate::receiver::{ScanReceiver, SweepReceiver};
use crate::{args, exceptions, models};

/// Finds devices on the local network. Every method that configures it returns it.
#[pyclass(frozen, module = "rustuya")]
pub(crate) struct Scanner(Mutex<Settings>, Arc<Mutex<LastScan>>);

/// Devices and counts that the last scan did not return.
#[derive(Default)]
struct LastScan {
    relayed: Vec<rt::DiscoveredDevice>,
    dropped: u64,
}

impl LastScan {
    fn of(scan: &rt::Scan) -> Self {
        Self { relayed: scan.relayed(), dropped: scan.counts().dropped.max(scan.missed()) }
    }
}

#[derive(Clone)]
struct Settings {
    timeout: Duration,
    bind: Option<Ipv4Addr>,
    broadcast: Option<Ipv4Addr>,
    ports: Option<[u16; 3]>,
    probe_to: Vec<SocketAddrV4>,
    active: bool,
    trust_relayed: bool,
}

fn address(py: Python<'_>, text: &str) -> PyResult<Ipv4Addr> {
    text.parse().map_err(|_| exceptions::invalid_address(py, text))
}

impl Scanner {
    fn scanner(&self, py: Python<'_>) -> PyResult<rt::Scanner> {
        let settings = lock(&self.0).clone();
        let mut scanner = rt::Scanner::new(engine(py)?.driver()).timeout(settings.timeout).active(settings.active);
        if let Some(bind) = settings.bind {
            scanner = scanner.bind_address(bind);
        }
        if let Some(broadcast) = settings.broadcast {
            scanner = scanner.broadcast_address(broadcast);
        }
        if let Some(ports) = settings.ports {
            scanner = scanner.ports(ports);
        }
        Ok(scanner.probe_to(settings.probe_to).trust_relayed(settings.trust_relayed))
    }

    pub(crate) fn scan_operation(&self, py: Python<'_>) -> PyResult<Operation> {
        let (scanner, last) = (self.scanner(py)?, Arc::clone(&self.1));
        Ok(Box::pin(async move {
            let mut scan = scanner.stream().map_err(Failure::Ports)?;
            let found = scan.all().await;
            *lock(&last) = LastScan::of(&scan);
            Ok(Answer::AllFound(found))
        }))
    }

    pub(crate) fn discover_operation(&self, py: Python<'_>, id: &str) -> PyResult<Operation> {
        let (scanner, last, id) = (self.scanner(py)?, Arc::clone(&self.1), id.to_owned());
        Ok(Box::pin(async move {
            let mut scan = scanner.stream_of(&id).map_err(Failure::Ports)?;
            let found = scan.recv().await;
            *lock(&last) = LastScan::of(&scan);
            Ok(Answer::Found(found))
        }))
    }

    fn change(slf: Bound<'_, Self>, change: impl FnOnce(&mut Settings)) -> Bound<'_, Self> {
        change(&mut lock(&slf.get().0));
        slf
    }
}

#[pymethods]
impl Scanner {
    #[new]
    fn py_new() -> Self {
        let settings = Settings {
            timeout: Duration::from_secs(18),
            bind: None,
            broadcast: None,
            ports: None,
            probe_to: Vec::new(),
            active: true,
            trust_relayed: false,
        };
        Self(Mutex::new(settings), Arc::default())
    }

    /// Sets the duration of a scan, in seconds.
    #[doc = docstring!(args: timeout_sec)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: types)]
    fn timeout<'py>(slf: Bound<'py, Self>, timeout_sec: args::TimeoutSec) -> PyResult<Bound<'py, Self>> {
        let timeout = args::duration(timeout_sec.0)?;
        Ok(Self::change(slf, |settings| settings.timeout = timeout))
    }

    /// Sets the local address to listen on and to probe from.
    #[doc = docstring!(args: ip)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: address)]
    fn bind_address<'py>(slf: Bound<'py, Self>, address: args::Ip) -> PyResult<Bound<'py, Self>> {
        let bind = self::address(slf.py(), &address.0)?;
        Ok(Self::change(slf, |settings| settings.bind = Some(bind)))
    }

    /// Sets the destination of probes, instead of each interface's own broadcast address.
    #[doc = docstring!(args: ip)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: address)]
    fn broadcast_address<'py>(slf: Bound<'py, Self>, address: args::Ip) -> PyResult<Bound<'py, Self>> {
        let broadcast = self::address(slf.py(), &address.0)?;
        Ok(Self::change(slf, |settings| settings.broadcast = Some(broadcast)))
    }

    /// Sets the three UDP ports to listen on; 0 takes a free one.
    #[doc = docstring!(args: ports)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: types)]
    fn ports(slf: Bound<'_, Self>, ports: args::Ports) -> Bound<'_, Self> {
        Self::change(slf, |settings| settings.ports = Some(ports.0))
    }

    /// Probes these addresses and ports instead of broadcasting.
    #[doc = docstring!(args: addresses)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: address types)]
    fn probe_to<'py>(slf: Bound<'py, Self>, addresses: args::Addresses) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let socket = |(host, port): &(String, u16)| Ok(SocketAddrV4::new(address(py, host)?, *port));
        let to = addresses.0.iter().map(socket).collect::<PyResult<Vec<_>>>()?;
        Ok(Self::change(slf, |settings| settings.probe_to = to))
    }

    /// Sets whether to probe for devices, or only to listen.
    #[doc = docstring!(args: active)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: types)]
    fn active(slf: Bound<'_, Self>, active: args::Active) -> Bound<'_, Self> {
        Self::change(slf, |settings| settings.active = active.0)
    }

    /// Sets whether to believe announcements whose sender is not the address that they name.
    #[doc = docstring!(args: trust)]
    #[doc = docstring!(returns: scanner)]
    #[doc = docstring!(raises: types)]
    fn trust_relayed(slf: Bound<'_, Self>, trust: args::Trust) -> Bound<'_, Self> {
        Self::change(slf, |settings| settings.trust_relayed = trust.0)
    }

    /// The devices of the last scan() or discover() whose announcements all came from another address than they name.
    #[getter]
    fn relayed(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        lock(&self.1).relayed.clone().iter().map(|found| models::found(py, found).map(Bound::unbind)).collect()
    }

    /// Number of announcements that the last scan() or discover() dropped for lack of room; 0 on every real network.
    #[getter]
    fn dropped(&self) -> u64 {
        lock(&self.1).dropped
    }

    /// Scans, and returns all devices found.
    #[doc = docstring!(raises: ports)]
    fn scan<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        finish(py, self.scan_operation(py)?)
    }

    /// Scans until this device is found. Returns None if it is not.
    #[doc = docstring!(args: id)]
    #[doc = docstring!(raises: ports types)]
    fn discover<'py>(&self, py: Python<'py>, id: args::Id) -> PyResult<Bound<'py, PyAny>> {
        finish(py, self.discover_operation(py, &id.0)?)
    }

    /// Scans, and returns a receiver of the devices as they are found.
    #[doc = docstring!(raises: ports)]
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ScanReceiver>> {
        let scan = self.scanner(py)?.stream().map_err(|error| Failure::Ports(error).into_error(py))?;
        ScanReceiver::make(py, scan, ())
    }

    /// Scans a network address by address. Returns a receiver of what it finds.
    #[doc = docstring!(args: network sweep_port probe_port)]
    #[doc = docstring!(raises: network types)]
    #[pyo3(signature = (network, *, port=6668, probe_port=7000))]
    fn sweep<'py>(
        &self,
        py: Python<'py>,
        network: args::Network,
        #[pyo3(from_py_with = args::sweep_port)] port: u16,
        #[pyo3(from_py_with = args::probe_port)] probe_port: u16,
    ) -> PyResult<Bound<'py, SweepReceiver>> {
        let network: rt::Network = network.0.parse().map_err(|error| exceptions::invalid_network(py, error))?;
        let network = network.port(port).probe_port(probe_port);
        let sweep = self.scanner(py)?.sweep(network).map_err(|error| Failure::Ports(error).into_error(py))?;
        SweepReceiver::make(py, sweep, ())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ScanReceiver>> {
        self.stream(py)
    }

    fn __repr__(&self) -> String {
        format!("<rustuya.Scanner of {} s>", lock(&self.0).timeout.as_secs_f64())
    }
}
