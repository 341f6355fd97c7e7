//! `Device`.

use core::sync::atomic::Ordering;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use rustuya_runtime_tokio as rt;

use crate::config::{self, Extra};
use crate::engine;
use crate::handle::{Handle, share};
pub(crate) use crate::handle::{connected, detected, ready};
use crate::operation::finish;
use crate::receiver::DeviceMessageReceiver;
use crate::sub_device::SubDevice;
use crate::subscription::{self, Subscription};
use crate::verbs::Options;
use crate::words::words;
use crate::{args, convert, errors, event, listed, models};

/// One device on the local network, kept connected in the background.
///
/// It is a handle, which threads can share. A process has one connection to a device: `Device(id, ...)` shares that of
/// the managers and of other `Device(id, ...)` of this id, and it ends with the last of them. Handles of one connection
/// are equal.
#[doc = words!(args: id address local_key version port dev_type persist nowait connection_timeout_sec timeout_device timing pacing receive_limit memory_limit backlog_limit min_version query_on_connect)]
#[doc = words!(raises: config conflict types discovery closed)]
#[pyclass(frozen, subclass, module = "rustuya", weakref)]
pub(crate) struct Device(pub(crate) OnceLock<Handle>);

#[pymethods]
impl Device {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(id, address=None, local_key=None, version=None, *, \
                        port=None, dev_type=None, persist=None, nowait=None, connection_timeout_sec=None, \
                        timeout=None, timing=None, pacing=None, receive_limit=None, memory_limit=None, \
                        backlog_limit=None, min_version=None, query_on_connect=None)")]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self(OnceLock::new())
    }

    #[pyo3(signature = (id, address=None, local_key=None, version=None, *, port=None, dev_type=None, persist=None,
                        nowait=None, connection_timeout_sec=None, timeout=None, timing=None, pacing=None,
                        receive_limit=None, memory_limit=None, backlog_limit=None, min_version=None,
                        query_on_connect=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn __init__(
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
    ) -> PyResult<()> {
        let extra = Extra {
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
        let new = extra.apply(py, builder)?;
        let wanted = new.clone();
        let handle = share(py, new, located, |known| extra.apply(py, known.reached_as(&wanted)))?;
        self.begin(handle);
        Ok(())
    }

    /// The device that a file of tinytuya describes, found by name or id.
    #[doc = words!(args: path name id_listed address_listed version_listed)]
    #[doc = words!(returns: device)]
    #[doc = words!(raises: file config discovery types)]
    #[classmethod]
    #[pyo3(signature = (path, name=None, *, id=None, address=None, version=None))]
    fn from_devices_file<'py>(
        cls: &Bound<'py, PyType>,
        path: args::Path,
        name: Option<args::Name>,
        id: Option<args::Id>,
        address: Option<&Bound<'_, PyAny>>,
        version: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = cls.py();
        let (builder, located, _) = listed::builder(
            py,
            &path.0,
            name.as_ref().map(|name| &*name.0),
            id.as_ref().map(|id| &*id.0),
            address,
            version,
        )?;
        let wanted = builder.clone();
        let handle = share(py, builder, located, |known| Ok(known.reached_as(&wanted)))?;
        let _inside = engine::enter(py);
        let object = cls.call_method1("__new__", (cls,))?;
        object.cast::<Self>()?.get().begin(handle);
        Ok(object)
    }

    /// Writes the version and the address of the connection into the file that describes the device, so that the next start
    /// begins with them, whatever somebody announces. All else in the file stays as it is. Says whether something was new.
    #[doc = words!(args: path)]
    #[doc = words!(raises: remember types)]
    fn remember(&self, py: Python<'_>, path: args::Path) -> PyResult<bool> {
        listed::remember(py, self.inner(py)?, &path.0)
    }

    /// The device id.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<&str> {
        Ok(self.inner(py)?.id())
    }

    /// The version that is configured or was found out, "Auto" while it is not known.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(models::version(self.inner(py)?.version()))
    }

    /// The address that is configured or was heard of, "Auto" while it is not known.
    #[getter]
    fn address(&self, py: Python<'_>) -> PyResult<String> {
        let device = self.inner(py)?;
        Ok(match (device.address(), device.host_name()) {
            (Some(address), _) => address.to_string(),
            (None, Some(name)) => name.as_ref().to_owned(),
            (None, None) => "Auto".to_owned(),
        })
    }

    /// The TCP port.
    #[getter]
    fn port(&self, py: Python<'_>) -> PyResult<u16> {
        Ok(self.inner(py)?.port())
    }

    /// The dialect in use: "default" or "device22".
    #[getter]
    fn dev_type(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(convert::dialect_name(self.inner(py)?.dialect()))
    }

    /// Whether the connection is usable at this moment.
    #[getter]
    fn is_connected(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner(py)?.is_connected())
    }

    /// Whether the device was closed. A closed device stays so.
    #[getter]
    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        let device = self.inner(py)?;
        Ok(device.is_closed() || self.handle(py)?.left.load(Ordering::Acquire))
    }

    /// Whether commands return as soon as they are queued.
    #[getter]
    fn nowait(&self, py: Python<'_>) -> PyResult<bool> {
        let config = self.inner(py)?.config();
        Ok(config.clone().nowait(true) == config)
    }

    /// Whether the connection is kept while there is nothing to do.
    #[getter]
    fn persist(&self, py: Python<'_>) -> PyResult<bool> {
        let config = self.inner(py)?.config();
        Ok(config.clone().persist(true) == config)
    }

    /// The product id, once the device has announced it.
    #[getter]
    fn product_key(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.inner(py)?.product_key().map(|key| key.to_string()))
    }

    /// Seconds since the device was last heard or seen.
    #[getter]
    fn last_seen(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.inner(py)?.last_seen().map(|age| age.as_secs_f64()))
    }

    /// Why the device could not be used, since it last could; None if it can.
    #[getter]
    fn diagnosis<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        models::diagnosis(py, self.inner(py)?.diagnosis())
    }

    /// The DPs as they were last heard, with their ages, and whether that was on the present connection. Asks nobody.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        models::state(py, &self.inner(py)?.state())
    }

    /// Counters since the device was made.
    #[getter]
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        models::metrics(py, &self.inner(py)?.metrics())
    }

    /// Sets whether commands return as soon as they are queued, or once they are written. Returns the device.
    #[doc = words!(args: nowait)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn set_nowait<'py>(slf: Bound<'py, Self>, nowait: args::Nowait) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.nowait(nowait.0)))
    }

    /// The same as `set_nowait`.
    #[doc = words!(args: nowait)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn with_nowait<'py>(slf: Bound<'py, Self>, nowait: args::Nowait) -> PyResult<Bound<'py, Self>> {
        Self::set_nowait(slf, nowait)
    }

    /// Sets whether the connection is kept while there is nothing to do. Returns the device.
    #[doc = words!(args: persist)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn set_persist<'py>(slf: Bound<'py, Self>, persist: args::Persist) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.persist(persist.0)))
    }

    /// The same as `set_persist`.
    #[doc = words!(args: persist)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn with_persist<'py>(slf: Bound<'py, Self>, persist: args::Persist) -> PyResult<Bound<'py, Self>> {
        Self::set_persist(slf, persist)
    }

    /// Sets the TCP port. Returns the device.
    #[doc = words!(args: port)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn set_port<'py>(slf: Bound<'py, Self>, port: args::Port) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.port(port.0)))
    }

    /// The same as `set_port`.
    #[doc = words!(args: port)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn with_port<'py>(slf: Bound<'py, Self>, port: args::Port) -> PyResult<Bound<'py, Self>> {
        Self::set_port(slf, port)
    }

    /// Limits the time that the dial may take, in seconds.
    #[doc = words!(args: timeout_sec_dial)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn set_connection_timeout<'py>(slf: Bound<'py, Self>, timeout_sec: args::DialSec) -> PyResult<Bound<'py, Self>> {
        let limit = engine::seconds(Some(timeout_sec.0.0))?.unwrap_or(rt::Timing::DEFAULT.connect);
        Self::change(slf, |builder| Ok(config::connection_timeout(builder, limit)))
    }

    /// The same as `set_connection_timeout`.
    #[doc = words!(args: timeout_sec_dial)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: types)]
    fn with_connection_timeout<'py>(slf: Bound<'py, Self>, timeout_sec: args::DialSec) -> PyResult<Bound<'py, Self>> {
        Self::set_connection_timeout(slf, timeout_sec)
    }

    /// Sets the protocol version, "3.1" to "3.5"; "Auto" has it found out. Returns the device.
    #[doc = words!(args: version)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: config types)]
    fn set_version<'py>(slf: Bound<'py, Self>, version: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.version(convert::version(Some(version))?)))
    }

    /// The same as `set_version`.
    #[doc = words!(args: version)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: config types)]
    fn with_version<'py>(slf: Bound<'py, Self>, version: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        Self::set_version(slf, version)
    }

    /// Sets the dialect: "default", "device22", or "Auto" to have it found out. Returns the device.
    #[doc = words!(args: dev_type)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: config types)]
    fn set_dev_type<'py>(slf: Bound<'py, Self>, dev_type: args::DevType) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        Self::change(slf, |builder| Ok(builder.dialect(convert::dialect(py, &dev_type.0)?)))
    }

    /// The same as `set_dev_type`.
    #[doc = words!(args: dev_type)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: config types)]
    fn with_dev_type<'py>(slf: Bound<'py, Self>, dev_type: args::DevType) -> PyResult<Bound<'py, Self>> {
        Self::set_dev_type(slf, dev_type)
    }

    /// Changes what is given, all at once: a connection that must be made anew is so once.
    #[doc = words!(args: address local_key version port dev_type persist nowait connection_timeout_sec timeout_device timing pacing receive_limit memory_limit backlog_limit min_version query_on_connect)]
    #[doc = words!(returns: itself)]
    #[doc = words!(raises: config types discovery)]
    #[pyo3(signature = (*, address=None, local_key=None, version=None, port=None, dev_type=None, persist=None,
                        nowait=None, connection_timeout_sec=None, timeout=None, timing=None, pacing=None,
                        receive_limit=None, memory_limit=None, backlog_limit=None, min_version=None,
                        query_on_connect=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn reconfigure<'py>(
        slf: Bound<'py, Self>,
        address: Option<&Bound<'py, PyAny>>,
        local_key: Option<&Bound<'py, PyAny>>,
        version: Option<&Bound<'py, PyAny>>,
        port: Option<args::Port>,
        dev_type: Option<args::DevType>,
        persist: Option<args::Persist>,
        nowait: Option<args::Nowait>,
        connection_timeout_sec: Option<args::ConnectionTimeout>,
        timeout: Option<args::Timeout>,
        timing: Option<Bound<'py, PyAny>>,
        pacing: Option<Bound<'py, PyAny>>,
        receive_limit: Option<args::ReceiveLimit>,
        memory_limit: Option<args::MemoryLimit>,
        backlog_limit: Option<args::BacklogLimit>,
        min_version: Option<Bound<'py, PyAny>>,
        query_on_connect: Option<args::QueryOnConnect>,
    ) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        let extra = Extra {
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
        Self::change(slf, |builder| extra.apply(py, config::edited(py, builder, address, local_key, version)?))
    }

    /// Asks for the state; the answer comes as an event.
    ///
    /// `wait="ack"` waits for it and returns it as a `Reply`.
    #[doc = words!(args: wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: connection answer types)]
    #[pyo3(signature = (*, wait=None, timeout=None))]
    fn status(
        &self,
        py: Python<'_>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?.status(py, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Asks for the state and returns the DPs in the answer, as a dict that also tells what is `missing` of the DPs that
    /// were named, and whether it is `partial`.
    #[doc = words!(args: dps timeout)]
    #[doc = words!(returns: queried)]
    #[doc = words!(raises: dp_ids connection answer)]
    #[pyo3(signature = (dps=None, *, timeout=None))]
    fn query<'py>(
        &self,
        py: Python<'py>,
        dps: Option<args::Dps<'py>>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Bound<'py, PyAny>> {
        engine::check(py)?;
        finish(py, self.target(py)?.query(dps, timeout.map(|limit| limit.0))?)
    }

    /// Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
    /// shows what was written.
    #[doc = words!(args: dp_id value wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: dp connection answer effect)]
    #[pyo3(signature = (dp_id, value, *, wait=None, timeout=None))]
    fn set_value(
        &self,
        dp_id: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        let py = dp_id.py();
        self.target(py)?.set_value(dp_id, value, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
    /// shows what was written.
    #[doc = words!(args: dps_dict wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: dp connection answer effect)]
    #[pyo3(signature = (dps_dict, *, wait=None, timeout=None))]
    fn set_dps(
        &self,
        dps_dict: &Bound<'_, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        let py = dps_dict.py();
        self.target(py)?.set_dps(dps_dict, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Asks the device to measure DPs again and to report them.
    #[doc = words!(args: dp_ids wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: dp_ids connection answer)]
    #[pyo3(signature = (dp_ids, *, wait=None, timeout=None))]
    fn update_dps(
        &self,
        py: Python<'_>,
        dp_ids: args::DpIds<'_>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?.update_dps(py, &dp_ids.0, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Sends a raw command, to a sub-device if `cid` is given.
    ///
    /// `wait="ack"` waits for the answer and returns it as a `Reply`.
    #[doc = words!(args: command data cid wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: types cid connection answer)]
    #[pyo3(signature = (command, data=None, cid=None, *, wait=None, timeout=None))]
    fn request(
        &self,
        py: Python<'_>,
        command: args::Command,
        data: Option<&Bound<'_, PyAny>>,
        cid: Option<args::Cid>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?
            .request(py, command.0, data, cid.as_ref().map(|cid| &*cid.0), Options::of(&wait, &timeout))?
            .finish(py)
    }

    /// Asks a gateway for its sub-devices. `wait="ack"` waits for the answer and returns it as a `Reply`.
    #[doc = words!(args: wait timeout)]
    #[doc = words!(returns: reply)]
    #[doc = words!(raises: connection answer types)]
    #[pyo3(signature = (*, wait=None, timeout=None))]
    fn sub_discover(
        &self,
        py: Python<'_>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?.sub_discover(py, Options::of(&wait, &timeout))?.finish(py)
    }

    /// A sub-device of this gateway, by its cid.
    #[doc = words!(args: cid_sub)]
    #[doc = words!(raises: cid types)]
    fn sub(&self, py: Python<'_>, cid: args::Cid) -> PyResult<SubDevice> {
        self.inner(py)?.sub(&cid.0).map(SubDevice::new).map_err(|error| errors::config(py, error))
    }

    /// The sub-devices that were heard of, and whether the gateway reaches them.
    fn sub_devices(&self, py: Python<'_>) -> PyResult<std::collections::BTreeMap<String, Option<bool>>> {
        Ok(self.inner(py)?.sub_devices().into_iter().map(|(cid, online)| (cid.to_string(), online)).collect())
    }

    /// Finds out which DPs the device has.
    #[doc = words!(raises: connection answer)]
    fn detect_dps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        finish(py, detected(self.open(py)?))
    }

    /// Waits until the connection is usable; returns the version that is spoken.
    #[doc = words!(args: timeout_connected)]
    #[doc = words!(raises: connection types)]
    #[pyo3(signature = (timeout=10.0))]
    fn wait_connected<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = args::timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        finish(py, connected(self.open(py)?, timeout)?)
    }

    /// Waits until the connection is usable and the device has told its state on it, or has refused to or not answered:
    /// then `stale_reason` of the state says so.
    #[doc = words!(args: timeout_connected)]
    #[doc = words!(returns: state)]
    #[doc = words!(raises: connection ready types)]
    #[pyo3(signature = (timeout=10.0))]
    fn wait_ready<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = args::timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        finish(py, ready(self.open(py)?, timeout)?)
    }

    /// Connects without waiting for the delay between attempts. Returns at once.
    fn connect_now(&self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.connect_now();
        Ok(())
    }

    /// A receiver of what happens to the device from now on.
    #[doc = words!(raises: closed)]
    fn listener<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, DeviceMessageReceiver>> {
        let device = self.open(py)?;
        DeviceMessageReceiver::make(py, device.listener(), device.clone())
    }

    /// Has a function called with every event, in a thread that all such functions share.
    #[doc = words!(args: callback)]
    #[doc = words!(raises: types closed)]
    fn subscribe(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<Subscription> {
        subscription::check(callback.bind(py))?;
        let device = self.open(py)?;
        Subscription::start(py, device.listener(), device.clone(), callback, event::device_event)
    }

    /// Ends the connection, for all handles. A handle that was made by `Device(...)` lets go of it: it ends unless a
    /// manager or another such handle holds the device.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        finish(py, self.closed(py)?).map(drop)
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        Ok(core::ptr::eq(self, other) || self.inner(py)? == other.inner(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(engine::hash(self.inner(py)?))
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let device = self.inner(py)?;
        let state = if device.is_connected() { "connected" } else { "not connected" };
        let (id, address, version) = (device.id(), self.address(py)?, self.version(py)?);
        Ok(format!("<rustuya.Device {id:?} at {address}, version {version}, {state}>"))
    }
}
