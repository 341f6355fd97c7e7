//! Verbs of the asyncio face: each returns a future of the loop.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::args;
use crate::bridge::{LoopBridge, start};
use crate::cloud::CloudRun;
use crate::handle::Device;
use crate::manager::Manager;
use crate::operation::Answer;
use crate::scanner::Scanner;
use crate::sub_device::SubDevice;
use crate::target::Target;
use crate::testing::{self, VirtualDevice};
use crate::verbs::{self, Options};

/// Commands of a device or sub-device, and waits of the other classes, as futures of a loop.
#[pyclass(frozen, module = "rustuya._native")]
pub(crate) struct AsyncVerbs(Option<Subject>);

/// Python object that the commands go to: the handle itself, since it may be closed meanwhile.
enum Subject {
    Device(Py<Device>),
    Sub(Py<SubDevice>),
}

impl AsyncVerbs {
    fn target(&self, py: Python<'_>) -> PyResult<Target> {
        match &self.0 {
            Some(Subject::Device(device)) => device.get().target(py),
            Some(Subject::Sub(sub)) => sub.get().target(py),
            None => Err(PyTypeError::new_err("no device was given")),
        }
    }
}

type Awaitable<'py> = PyResult<Bound<'py, PyAny>>;

#[pymethods]
impl AsyncVerbs {
    #[new]
    fn py_new(target: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let Some(target) = target else { return Ok(Self(None)) };
        if let Ok(device) = target.cast::<Device>() {
            return Ok(Self(Some(Subject::Device(device.clone().unbind()))));
        }
        match target.cast::<SubDevice>() {
            Ok(sub) => Ok(Self(Some(Subject::Sub(sub.clone().unbind())))),
            Err(_) => Err(args::wrong_type(target, "device", "a Device or SubDevice of the package rustuya")),
        }
    }

    fn status<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.status(bridge.py(), Options::of(&wait, &timeout))?.start())
    }

    fn query<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dps: Option<args::Dps<'py>>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.query(dps, timeout.map(|limit| limit.0))?)
    }

    fn set_value<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dp_id: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.set_value(dp_id, value, Options::of(&wait, &timeout))?.start())
    }

    fn set_dps<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dps: &Bound<'py, PyAny>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.set_dps(dps, Options::of(&wait, &timeout))?.start())
    }

    fn update_dps<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        dp_ids: args::DpIds<'py>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(
            bridge,
            self.target(bridge.py())?.update_dps(bridge.py(), &dp_ids.0, Options::of(&wait, &timeout))?.start(),
        )
    }

    fn request<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        command: args::Command,
        data: Option<&Bound<'py, PyAny>>,
        cid: Option<args::Cid>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        let prepared = self.target(bridge.py())?.request(
            bridge.py(),
            command.0,
            data,
            cid.as_ref().map(|cid| &*cid.0),
            Options::of(&wait, &timeout),
        )?;
        start(bridge, prepared.start())
    }

    fn sub_discover<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, self.target(bridge.py())?.sub_discover(bridge.py(), Options::of(&wait, &timeout))?.start())
    }

    #[staticmethod]
    fn detect_dps<'py>(bridge: &Bound<'py, LoopBridge>, device: &Device) -> Awaitable<'py> {
        start(bridge, verbs::detect_dps(device.open(bridge.py())?))
    }

    #[staticmethod]
    fn wait_connected<'py>(
        bridge: &Bound<'py, LoopBridge>,
        device: &Device,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, verbs::wait_connected(device.open(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn wait_ready<'py>(
        bridge: &Bound<'py, LoopBridge>,
        device: &Device,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, verbs::wait_ready(device.open(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn wait_settled<'py>(
        bridge: &Bound<'py, LoopBridge>,
        manager: &Manager,
        timeout: Option<args::Timeout>,
    ) -> Awaitable<'py> {
        start(bridge, verbs::wait_settled(manager.inner(bridge.py())?, timeout.map(|limit| limit.0))?)
    }

    #[staticmethod]
    fn close<'py>(bridge: &Bound<'py, LoopBridge>, device: &Device) -> Awaitable<'py> {
        start(bridge, device.close_operation(bridge.py())?)
    }

    #[staticmethod]
    fn shutdown<'py>(bridge: &Bound<'py, LoopBridge>, manager: &Manager) -> Awaitable<'py> {
        start(bridge, verbs::shutdown(manager.inner(bridge.py())?))
    }

    #[staticmethod]
    fn shutdown_all<'py>(bridge: &Bound<'py, LoopBridge>) -> Awaitable<'py> {
        match verbs::shutdown_all() {
            Some(operation) => start(bridge, operation),
            None => start(bridge, Box::pin(core::future::ready(Ok(Answer::Nothing)))),
        }
    }

    #[staticmethod]
    fn unplug<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::unplug(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn plug<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::plug(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn stop<'py>(bridge: &Bound<'py, LoopBridge>, device: &VirtualDevice) -> Awaitable<'py> {
        start(bridge, testing::stop(device.inner(bridge.py())?))
    }

    #[staticmethod]
    fn cloud_next<'py>(bridge: &Bound<'py, LoopBridge>, run: &CloudRun) -> Awaitable<'py> {
        start(bridge, run.next_operation(bridge.py())?)
    }

    #[staticmethod]
    fn cloud_close<'py>(bridge: &Bound<'py, LoopBridge>, run: &CloudRun) -> Awaitable<'py> {
        start(bridge, run.close_operation(bridge.py())?)
    }

    #[staticmethod]
    fn scan<'py>(bridge: &Bound<'py, LoopBridge>, scanner: &Scanner) -> Awaitable<'py> {
        start(bridge, scanner.scan_operation(bridge.py())?)
    }

    #[staticmethod]
    fn discover<'py>(bridge: &Bound<'py, LoopBridge>, scanner: &Scanner, id: args::Id) -> Awaitable<'py> {
        start(bridge, scanner.discover_operation(bridge.py(), &id.0)?)
    }
}
