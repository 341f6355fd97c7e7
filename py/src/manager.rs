//! `Manager`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList, PyTuple};
use rustuya_runtime_tokio as rt;

use crate::config::{self, DeviceOptions};
use crate::described::{self, Described};
use crate::docstring::docstring;
use crate::engine::engine;
use crate::handle::Device;
use crate::held::{Held, check};
use crate::lifecycle::lock;
use crate::operation::finish;
use crate::receiver::ManagerEventReceiver;
use crate::subscription::Subscription;
use crate::{args, errors, event, log, models, verbs};

/// Set of devices with one stream of events. All managers of a process share their devices' connections.
#[pyclass(frozen, module = "rustuya", weakref)]
pub(crate) struct Manager {
    manager: Held<rt::Manager>,
    /// Descriptions by id, for every handle that this manager makes.
    described: Mutex<HashMap<String, Arc<Described>>>,
}

impl Manager {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<&rt::Manager> {
        self.manager.get(py)
    }

    fn described(&self, id: &str) -> Arc<Described> {
        Arc::clone(lock(&self.described).entry(id.to_owned()).or_default())
    }

    fn handle(&self, py: Python<'_>, device: rt::Device) -> PyResult<Py<Device>> {
        let described = self.described(device.id());
        Device::of(py, device, described)
    }
}

#[pymethods]
impl Manager {
    #[new]
    fn py_new(py: Python<'_>) -> PyResult<Self> {
        let manager = Held::new(rt::Manager::new(&engine(py)?.registry));
        Ok(Self { manager, described: Mutex::default() })
    }

    /// Raises the limit of open files to the maximum that the system allows. Does nothing on Windows.
    #[doc = docstring!(raises: os)]
    #[staticmethod]
    fn maximize_fd_limit() -> PyResult<()> {
        rlimit::increase_nofile_limit(u64::MAX)?;
        Ok(())
    }

    /// Ends every device of the process. Managers can be filled again afterwards.
    #[staticmethod]
    fn shutdown_all(py: Python<'_>) -> PyResult<()> {
        check(py)?;
        verbs::shutdown_all().map_or(Ok(()), |operation| finish(py, operation).map(drop))
    }

    /// Adds a device, or changes the configuration of the one with this id. Returns its handle.
    #[doc = docstring!(args: id address local_key version port dev_type persist nowait connection_timeout_sec timeout_device timing pacing receive_limit memory_limit backlog_limit min_version query_on_connect description)]
    #[doc = docstring!(returns: device)]
    #[doc = docstring!(raises: duplicate config types discovery closed)]
    #[pyo3(signature = (id, address=None, local_key=None, version=None, *, port=None, dev_type=None, persist=None,
                        nowait=None, connection_timeout_sec=None, timeout=None, timing=None, pacing=None,
                        receive_limit=None, memory_limit=None, backlog_limit=None, min_version=None,
                        query_on_connect=None, description=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn add(
        &self,
        py: Python<'_>,
        id: args::Id,
        address: Option<&Bound<'_, PyAny>>,
        local_key: Option<&Bound<'_, PyAny>>,
        version: Option<&Bound<'_, PyAny>>,
        port: Option<args::Port>,
        dev_type: Option<args::DevType>,
        persist: Option<args::Persist>,
        nowait: Option<args::Nowait>,
        connection_timeout_sec: Option<args::ConnectionTimeout>,
        timeout: Option<args::Timeout>,
        timing: Option<Bound<'_, PyAny>>,
        pacing: Option<Bound<'_, PyAny>>,
        receive_limit: Option<args::ReceiveLimit>,
        memory_limit: Option<args::MemoryLimit>,
        backlog_limit: Option<args::BacklogLimit>,
        min_version: Option<Bound<'_, PyAny>>,
        query_on_connect: Option<args::QueryOnConnect>,
        description: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<Device>> {
        let description = description.as_ref().map(described::given).transpose()?;
        let options = DeviceOptions {
            port,
            dev_type,
            persist,
            nowait,
            connection_timeout_sec,
            timeout,
            timing,
            pacing,
            receive_limit,
            memory_limit,
            backlog_limit,
            min_version,
            query_on_connect,
        };
        let (builder, located) = config::builder(py, &id.0, address, local_key, version)?;
        let builder = options.apply(py, builder)?;
        let builder = engine(py)?.with_discovery(builder, located).map_err(|error| errors::add(py, &id.0, error))?;
        let added = self.inner(py)?.add_with(log::with_frame_log(builder, &id.0));
        let device = added.map_err(|error| errors::add(py, &id.0, error))?;
        if let Some(description) = &description {
            self.described(&id.0).describe(description);
        }
        self.handle(py, device)
    }

    /// Returns the device with this id, or None.
    #[doc = docstring!(args: id)]
    #[doc = docstring!(raises: types)]
    fn get(&self, py: Python<'_>, id: args::Id) -> PyResult<Option<Py<Device>>> {
        self.inner(py)?.get(&id.0).map(|device| self.handle(py, device)).transpose()
    }

    fn __getitem__(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Py<Device>> {
        // As in a dict: an invalid id is a missing one.
        let device = match id.extract::<args::Id>() {
            Ok(id) => self.inner(py)?.get(&id.0),
            Err(_) => None,
        };
        match device {
            Some(device) => self.handle(py, device),
            None => Err(PyKeyError::new_err(id.clone().unbind())),
        }
    }

    fn __contains__(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<bool> {
        let id = id.extract::<String>();
        Ok(id.is_ok_and(|id| self.inner(py).is_ok_and(|manager| manager.get(&id).is_some())))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let devices = self.inner(py)?.devices();
        PyList::new(py, devices.iter().map(rt::Device::id))?.try_iter()
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner(py)?.len())
    }

    /// A manager is true even while it has no devices.
    fn __bool__(&self) -> bool {
        true
    }

    /// Releases a device. Returns whether the manager had it.
    #[doc = docstring!(args: id)]
    #[doc = docstring!(returns: was_there)]
    #[doc = docstring!(raises: types)]
    fn remove(&self, py: Python<'_>, id: args::Id) -> PyResult<bool> {
        let was_there = self.inner(py)?.remove(&id.0);
        lock(&self.described).remove(&id.0);
        Ok(was_there)
    }

    /// Ends a device for all managers and handles. Returns whether the manager had it.
    #[doc = docstring!(args: id)]
    #[doc = docstring!(returns: was_there)]
    #[doc = docstring!(raises: types)]
    fn delete(&self, py: Python<'_>, id: args::Id) -> PyResult<bool> {
        let was_there = self.inner(py)?.delete(&id.0);
        lock(&self.described).remove(&id.0);
        Ok(was_there)
    }

    /// Releases all devices.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        self.inner(py)?.clear();
        lock(&self.described).clear();
        Ok(())
    }

    /// Returns a `DeviceInfo` of each device, ordered by id.
    fn list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for info in self.inner(py)?.list() {
            list.append(models::device_info(py, &info)?)?;
        }
        Ok(list)
    }

    /// Returns handles of all devices.
    fn devices(&self, py: Python<'_>) -> PyResult<Vec<Py<Device>>> {
        self.inner(py)?.devices().into_iter().map(|device| self.handle(py, device)).collect()
    }

    /// Creates a receiver of the events of all devices from now on, including devices added later.
    #[doc = docstring!(raises: closed)]
    fn listener<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, ManagerEventReceiver>> {
        let manager = self.inner(py)?;
        ManagerEventReceiver::make(py, manager.listener(), manager.clone())
    }

    /// Calls a function with every event, in a thread that all such functions share.
    #[doc = docstring!(args: callback)]
    #[doc = docstring!(raises: types closed)]
    fn subscribe(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<Subscription> {
        let manager = self.inner(py)?;
        Subscription::start(py, manager.listener(), manager.clone(), callback, event::manager_event)
    }

    /// Waits until every device is connected and has answered the state query, if there was one, or has a diagnosis.
    #[doc = docstring!(args: timeout_connected)]
    #[doc = docstring!(returns: settled)]
    #[doc = docstring!(raises: types)]
    #[pyo3(signature = (timeout=10.0))]
    fn wait_settled<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = args::timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        finish(py, verbs::wait_settled(self.inner(py)?, timeout)?)
    }

    /// Sums of the counters of all devices.
    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        models::metrics(py, &self.inner(py)?.metrics())
    }

    /// Ends this manager, its listeners, and every device that neither another manager nor a `Device(...)` holds.
    fn shutdown(&self, py: Python<'_>) -> PyResult<()> {
        finish(py, verbs::shutdown(self.inner(py)?)).map(drop)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.shutdown(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<rustuya.Manager of {} devices>", self.inner(py)?.len()))
    }
}
