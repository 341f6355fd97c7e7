//! Methods of `Device`.

use core::sync::atomic::Ordering;
use std::sync::OnceLock;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::config::{self, DeviceOptions};
use crate::described::Files;
use crate::docstring::docstring;
use crate::entities::WithEntities;
use crate::handle::{Device, share};
use crate::held::{check, hash};
use crate::operation::finish;
use crate::receiver::DeviceMessageReceiver;
use crate::sub_device::SubDevice;
use crate::subscription::{self, Subscription};
use crate::verbs::{self, Options};
use crate::{args, convert, described, devices_file, errors, event, lifecycle, models};

#[pymethods]
impl Device {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs), text_signature = "(id, address=None, local_key=None, version=None, *, \
                        port=None, dev_type=None, persist=None, nowait=None, connection_timeout_sec=None, \
                        timeout=None, timing=None, pacing=None, receive_limit=None, memory_limit=None, \
                        backlog_limit=None, min_version=None, query_on_connect=None, description=None)")]
    fn py_new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyClassInitializer<Self> {
        PyClassInitializer::from(WithEntities::empty()).add_subclass(Self(OnceLock::new()))
    }

    #[pyo3(signature = (id, address=None, local_key=None, version=None, *, port=None, dev_type=None, persist=None,
                        nowait=None, connection_timeout_sec=None, timeout=None, timing=None, pacing=None,
                        receive_limit=None, memory_limit=None, backlog_limit=None, min_version=None,
                        query_on_connect=None, description=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn __init__(
        slf: &Bound<'_, Self>,
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
    ) -> PyResult<()> {
        let py = slf.py();
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
        let new = options.apply(py, builder)?;
        let wanted = new.clone();
        let handle = share(py, new, located, |known| options.apply(py, known.endpoint_of(&wanted)))?;
        if let Some(description) = &description {
            handle.described.describe(description);
        }
        Self::init(slf, handle);
        Ok(())
    }

    /// Creates a device from a file of tinytuya, by name or id.
    #[doc = docstring!(args: path name id_listed address_listed version_listed overrides profiles)]
    #[doc = docstring!(returns: device)]
    #[doc = docstring!(raises: file config discovery types)]
    #[classmethod]
    #[pyo3(signature = (path, name=None, *, id=None, address=None, version=None, overrides=None, profiles=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keyword arguments in Python")]
    fn from_devices_file<'py>(
        cls: &Bound<'py, PyType>,
        path: args::Path,
        name: Option<args::Name>,
        id: Option<args::Id>,
        address: Option<&Bound<'_, PyAny>>,
        version: Option<&Bound<'_, PyAny>>,
        overrides: Option<args::Overrides>,
        profiles: Option<args::Profiles>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = cls.py();
        let files = Files::read(py, overrides, profiles)?;
        let (builder, located, description) = devices_file::builder(
            py,
            &path.0,
            name.as_ref().map(|name| &*name.0),
            id.as_ref().map(|id| &*id.0),
            address,
            version,
        )?;
        let wanted = builder.clone();
        let handle = share(py, builder, located, |known| Ok(known.endpoint_of(&wanted)))?;
        handle.described.describe(&description);
        handle.described.set_files(&files);
        let _inside = lifecycle::enter(py);
        let object = cls.call_method1("__new__", (cls,))?;
        Self::init(object.cast::<Self>()?, handle);
        Ok(object)
    }

    /// Writes the version and the address of the connection into the file that describes the device, so that the next
    /// start uses them, whatever is announced. Leaves the rest of the file unchanged. Returns whether something was
    /// new.
    #[doc = docstring!(args: path)]
    #[doc = docstring!(raises: remember types)]
    fn remember(&self, py: Python<'_>, path: args::Path) -> PyResult<bool> {
        devices_file::remember(py, self.inner(py)?, &path.0)
    }

    /// The device id.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<&str> {
        Ok(self.inner(py)?.id())
    }

    /// The configured or detected version, "Auto" while it is unknown.
    #[getter]
    fn version(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(models::version(self.inner(py)?.version()))
    }

    /// The configured or announced address, "Auto" while it is unknown.
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

    /// True if the connection is usable now.
    #[getter]
    fn is_connected(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner(py)?.is_connected())
    }

    /// True if the device was closed. A closed device stays closed.
    #[getter]
    fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        let device = self.inner(py)?;
        Ok(device.is_closed() || self.handle(py)?.closed.load(Ordering::Acquire))
    }

    /// True if commands return as soon as they are queued.
    #[getter]
    fn nowait(&self, py: Python<'_>) -> PyResult<bool> {
        let config = self.inner(py)?.config();
        Ok(config.clone().nowait(true) == config)
    }

    /// True if the connection is kept while it is idle.
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

    /// Seconds since the device last sent anything.
    #[getter]
    fn last_seen(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.inner(py)?.last_seen().map(|age| age.as_secs_f64()))
    }

    /// Why the device is not connected, since its last connection; None while it is connected.
    #[getter]
    fn diagnosis<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        models::diagnosis(py, self.inner(py)?.diagnosis())
    }

    /// The DPs as last reported, with their ages, and whether that was on the present connection. Sends nothing.
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
    #[doc = docstring!(args: nowait)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn set_nowait<'py>(slf: Bound<'py, Self>, nowait: args::Nowait) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.nowait(nowait.0)))
    }

    /// The same as `set_nowait`.
    #[doc = docstring!(args: nowait)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn with_nowait<'py>(slf: Bound<'py, Self>, nowait: args::Nowait) -> PyResult<Bound<'py, Self>> {
        Self::set_nowait(slf, nowait)
    }

    /// Sets whether the connection is kept while it is idle. Returns the device.
    #[doc = docstring!(args: persist)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn set_persist<'py>(slf: Bound<'py, Self>, persist: args::Persist) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.persist(persist.0)))
    }

    /// The same as `set_persist`.
    #[doc = docstring!(args: persist)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn with_persist<'py>(slf: Bound<'py, Self>, persist: args::Persist) -> PyResult<Bound<'py, Self>> {
        Self::set_persist(slf, persist)
    }

    /// Sets the TCP port. Returns the device.
    #[doc = docstring!(args: port)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn set_port<'py>(slf: Bound<'py, Self>, port: args::Port) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.port(port.0)))
    }

    /// The same as `set_port`.
    #[doc = docstring!(args: port)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn with_port<'py>(slf: Bound<'py, Self>, port: args::Port) -> PyResult<Bound<'py, Self>> {
        Self::set_port(slf, port)
    }

    /// Sets the time limit for connecting, in seconds. Returns the device.
    #[doc = docstring!(args: timeout_sec_dial)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn set_connection_timeout<'py>(slf: Bound<'py, Self>, timeout_sec: args::DialSec) -> PyResult<Bound<'py, Self>> {
        let limit = args::duration(timeout_sec.0.0)?;
        Self::change(slf, |builder| Ok(config::connection_timeout(builder, limit)))
    }

    /// The same as `set_connection_timeout`.
    #[doc = docstring!(args: timeout_sec_dial)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: types)]
    fn with_connection_timeout<'py>(slf: Bound<'py, Self>, timeout_sec: args::DialSec) -> PyResult<Bound<'py, Self>> {
        Self::set_connection_timeout(slf, timeout_sec)
    }

    /// Sets the protocol version, "3.1" to "3.5"; "Auto" detects it. Returns the device.
    #[doc = docstring!(args: version)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: config types)]
    fn set_version<'py>(slf: Bound<'py, Self>, version: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        Self::change(slf, |builder| Ok(builder.version(convert::version(Some(version))?)))
    }

    /// The same as `set_version`.
    #[doc = docstring!(args: version)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: config types)]
    fn with_version<'py>(slf: Bound<'py, Self>, version: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        Self::set_version(slf, version)
    }

    /// Sets the dialect: "default", "device22", or "Auto" to detect it. Returns the device.
    #[doc = docstring!(args: dev_type)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: config types)]
    fn set_dev_type<'py>(slf: Bound<'py, Self>, dev_type: args::DevType) -> PyResult<Bound<'py, Self>> {
        let py = slf.py();
        Self::change(slf, |builder| Ok(builder.dialect(convert::dialect(py, &dev_type.0)?)))
    }

    /// The same as `set_dev_type`.
    #[doc = docstring!(args: dev_type)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: config types)]
    fn with_dev_type<'py>(slf: Bound<'py, Self>, dev_type: args::DevType) -> PyResult<Bound<'py, Self>> {
        Self::set_dev_type(slf, dev_type)
    }

    /// Changes the given settings at once: the device reconnects once at most.
    #[doc = docstring!(args: address local_key version port dev_type persist nowait connection_timeout_sec timeout_device timing pacing receive_limit memory_limit backlog_limit min_version query_on_connect)]
    #[doc = docstring!(returns: itself)]
    #[doc = docstring!(raises: config types discovery)]
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
        Self::change(slf, |builder| options.apply(py, config::edited(py, builder, address, local_key, version)?))
    }

    /// Queries the state; the answer comes as an event.
    ///
    /// `wait="ack"` waits for the answer and returns it as a `Reply`.
    #[doc = docstring!(args: wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: connection answer types)]
    #[pyo3(signature = (*, wait=None, timeout=None))]
    fn status(
        &self,
        py: Python<'_>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?.status(py, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Queries the state, or the named DPs, and returns the DPs of the answer: a dict with two attributes, the named
    /// DPs that are `missing`, and whether the answer is `partial`.
    #[doc = docstring!(args: dps timeout)]
    #[doc = docstring!(returns: queried)]
    #[doc = docstring!(raises: dp_ids connection answer)]
    #[pyo3(signature = (dps=None, *, timeout=None))]
    fn query<'py>(
        &self,
        py: Python<'py>,
        dps: Option<args::Dps<'py>>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Bound<'py, PyAny>> {
        check(py)?;
        finish(py, self.target(py)?.query(dps, timeout.map(|limit| limit.0))?)
    }

    /// Sets one DP. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until the device
    /// reports the written value.
    #[doc = docstring!(args: dp_id value wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: dp connection answer effect)]
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

    /// Sets several DPs at once. `wait="ack"` waits for the answer and returns it as a `Reply`, `wait="effect"` until
    /// the device reports the written values.
    #[doc = docstring!(args: dps_dict wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: dp connection answer effect)]
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

    /// Asks the device to measure DPs anew and to report them.
    #[doc = docstring!(args: dp_ids wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: dp_ids connection answer)]
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
    #[doc = docstring!(args: command data cid wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: types cid connection answer)]
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

    /// Queries the sub-devices of a gateway. `wait="ack"` waits for the answer and returns it as a `Reply`.
    #[doc = docstring!(args: wait timeout)]
    #[doc = docstring!(returns: reply)]
    #[doc = docstring!(raises: connection answer types)]
    #[pyo3(signature = (*, wait=None, timeout=None))]
    fn sub_discover(
        &self,
        py: Python<'_>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        self.target(py)?.sub_discover(py, Options::of(&wait, &timeout))?.finish(py)
    }

    /// Returns a sub-device of this gateway by its cid.
    #[doc = docstring!(args: cid_sub)]
    #[doc = docstring!(raises: cid types)]
    fn sub(&self, py: Python<'_>, cid: args::Cid) -> PyResult<Py<SubDevice>> {
        let sub = self.inner(py)?.sub(&cid.0).map_err(|error| errors::config(py, error))?;
        SubDevice::of(py, sub, self.handle(py)?)
    }

    /// Returns the reported sub-devices by cid, and whether the gateway reaches them.
    fn sub_devices(&self, py: Python<'_>) -> PyResult<std::collections::BTreeMap<String, Option<bool>>> {
        Ok(self.inner(py)?.sub_devices().into_iter().map(|(cid, online)| (cid.to_string(), online)).collect())
    }

    /// Detects which DPs the device has.
    #[doc = docstring!(raises: connection answer)]
    fn detect_dps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        finish(py, verbs::detect_dps(self.open(py)?))
    }

    /// Waits until the connection is usable. Returns its version.
    #[doc = docstring!(args: timeout_connected)]
    #[doc = docstring!(raises: connection types)]
    #[pyo3(signature = (timeout=10.0))]
    fn wait_connected<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = args::timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        finish(py, verbs::wait_connected(self.open(py)?, timeout)?)
    }

    /// Waits until the connection is usable and the device has reported its state on it, or has refused or not
    /// answered: `stale_reason` of the state then says why.
    #[doc = docstring!(args: timeout_connected)]
    #[doc = docstring!(returns: state)]
    #[doc = docstring!(raises: connection ready types)]
    #[pyo3(signature = (timeout=10.0))]
    fn wait_ready<'py>(
        &self,
        py: Python<'py>,
        #[pyo3(from_py_with = args::timeout)] timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        finish(py, verbs::wait_ready(self.open(py)?, timeout)?)
    }

    /// Starts to connect without the delay between attempts. Returns at once.
    fn connect_now(&self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.connect_now();
        Ok(())
    }

    /// Creates a receiver of the device's events from now on.
    #[doc = docstring!(raises: closed)]
    fn listener<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, DeviceMessageReceiver>> {
        let (feed, device) = self.feed(py)?;
        DeviceMessageReceiver::make(py, feed, device)
    }

    /// Calls a function with every event, in a thread that all such functions share.
    #[doc = docstring!(args: callback)]
    #[doc = docstring!(raises: types closed)]
    fn subscribe(&self, py: Python<'_>, callback: Py<PyAny>) -> PyResult<Subscription> {
        subscription::check(callback.bind(py))?;
        let (feed, device) = self.feed(py)?;
        Subscription::start(py, feed, device, callback, event::device_event)
    }

    /// Ends the connection for all handles. A handle made by `Device(...)` only releases it: it ends unless a manager
    /// or another such handle holds the device. Listeners and subscriptions of that handle end in any case.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        finish(py, self.close_operation(py)?).map(drop)
    }

    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        Ok(core::ptr::eq(self, other) || self.inner(py)? == other.inner(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(hash(self.inner(py)?))
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
