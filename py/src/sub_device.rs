//! `SubDevice`.

use std::sync::Arc;

use pyo3::prelude::*;
use rustuya_runtime_tokio as rt;

use crate::closing::HandleFeed;
use crate::described::Described;
use crate::docstring::docstring;
use crate::entities::WithEntities;
use crate::handle::{Device, Handle};
use crate::held::{Held, check, hash};
use crate::host::Host;
use crate::operation::finish;
use crate::target::Target;
use crate::verbs::Options;
use crate::{args, models};

/// A device behind a gateway. Shares the connection and the configuration of the gateway, whose listeners receive
/// its events, marked with its cid. Made by `Device.sub`.
#[pyclass(frozen, extends = WithEntities, module = "rustuya", weakref)]
pub(crate) struct SubDevice(Arc<SubHandle>);

/// Contents of a `SubDevice` of Python.
struct SubHandle {
    sub: Held<rt::SubDevice>,
    /// Handle of the gateway that made it.
    gateway: Arc<Handle>,
    described: Arc<Described>,
}

impl SubHandle {
    fn get(&self, py: Python<'_>) -> PyResult<&rt::SubDevice> {
        self.sub.get(py)
    }
}

impl Host for SubHandle {
    fn target(&self, py: Python<'_>) -> PyResult<Target> {
        Ok(Target::Sub(self.get(py)?.clone()))
    }

    fn described(&self) -> &Arc<Described> {
        &self.described
    }

    fn feed(&self, py: Python<'_>) -> PyResult<(HandleFeed, rt::Device)> {
        let gateway = self.gateway.open(py)?;
        Ok((self.gateway.listen(gateway), gateway.clone()))
    }
}

impl SubDevice {
    /// Makes a sub-device of the gateway of this handle.
    pub(crate) fn of(py: Python<'_>, sub: rt::SubDevice, gateway: &Arc<Handle>) -> PyResult<Py<Self>> {
        let described = gateway.described.child(sub.id());
        let handle = Arc::new(SubHandle { sub: Held::new(sub), gateway: Arc::clone(gateway), described });
        let base = WithEntities::new(Arc::clone(&handle) as Arc<dyn Host>);
        Py::new(py, PyClassInitializer::from(base).add_subclass(Self(handle)))
    }

    pub(crate) fn target(&self, py: Python<'_>) -> PyResult<Target> {
        self.0.target(py)
    }
}

#[pymethods]
impl SubDevice {
    fn __eq__(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        Ok(self.0.get(py)? == other.0.get(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(hash(self.0.get(py)?))
    }

    /// Its cid.
    #[getter]
    fn id(&self, py: Python<'_>) -> PyResult<&str> {
        Ok(self.0.get(py)?.id())
    }

    /// A handle of its gateway.
    #[getter]
    fn gateway(&self, py: Python<'_>) -> PyResult<Py<Device>> {
        Device::of(py, self.0.get(py)?.gateway().clone(), Arc::clone(&self.0.gateway.described))
    }

    /// True if the gateway reaches it, as last reported; None before the first report.
    #[getter]
    fn is_online(&self, py: Python<'_>) -> PyResult<Option<bool>> {
        Ok(self.0.get(py)?.is_online())
    }

    /// Its DPs as last reported, with their ages. Sends nothing.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        models::state(py, &self.0.get(py)?.state())
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

    /// Asks the sub-device to measure DPs anew and to report them.
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

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let sub = self.0.get(py)?;
        Ok(format!("<rustuya.SubDevice {:?} of {:?}>", sub.id(), sub.gateway().id()))
    }
}
