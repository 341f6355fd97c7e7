//! `Device` of Python: the handle that it holds, and the connection that handles share.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use rustuya_runtime_tokio as rt;

use crate::closing::{CloseGuard, Closing, HandleFeed};
use crate::described::Described;
use crate::docstring::docstring;
use crate::engine::engine;
use crate::entities::WithEntities;
use crate::held::Held;
use crate::host::Host;
use crate::operation::{Answer, Operation};
use crate::target::Target;
use crate::{errors, exceptions, lifecycle, log, verbs};

/// One device on the local network, kept connected in the background.
///
/// It is a handle, which threads can share. A process has one connection to a device: `Device(id, ...)` shares it with
/// the managers and the other `Device(id, ...)` of this id, and the last of them ends it. Handles of one connection are
/// equal.
#[doc = docstring!(args: id address local_key version port dev_type persist nowait connection_timeout_sec timeout_device timing pacing receive_limit memory_limit backlog_limit min_version query_on_connect description)]
#[doc = docstring!(raises: config conflict types discovery closed)]
#[pyclass(frozen, subclass, extends = WithEntities, module = "rustuya", weakref)]
pub(crate) struct Device(pub(crate) OnceLock<Arc<Handle>>);

/// Contents of a `Device` of Python.
pub(crate) struct Handle {
    pub(crate) device: Held<rt::Device>,
    /// Keeps the device alive for a handle made by `Device(...)`, as a manager does for its devices.
    pub(crate) own: Option<Held<rt::Manager>>,
    /// True if this handle was closed. Other handles may still use the device.
    pub(crate) closed: AtomicBool,
    closing: Arc<Closing>,
    pub(crate) described: Arc<Described>,
}

impl Handle {
    pub(crate) fn new(device: rt::Device, own: Option<rt::Manager>, described: Arc<Described>) -> Self {
        let (device, own) = (Held::new(device), own.map(Held::new));
        Self { device, own, closed: AtomicBool::new(false), closing: Arc::default(), described }
    }

    /// Listens to the device until it or this handle is closed.
    pub(crate) fn listen(&self, device: &rt::Device) -> HandleFeed {
        HandleFeed::new(device.listener(), Arc::clone(&self.closing))
    }

    /// Returns the device, unless this handle was closed.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<&rt::Device> {
        let device = self.device.get(py)?;
        if self.closed.load(Ordering::Acquire) {
            return Err(errors::command(py, device.id(), &rt::CommandError::Closed));
        }
        Ok(device)
    }
}

impl Host for Handle {
    fn target(&self, py: Python<'_>) -> PyResult<Target> {
        let device = self.device.get(py)?.clone();
        Ok(if self.closed.load(Ordering::Acquire) { Target::Closed(device) } else { Target::Device(device) })
    }

    fn described(&self) -> &Arc<Described> {
        &self.described
    }

    fn feed(&self, py: Python<'_>) -> PyResult<(HandleFeed, rt::Device)> {
        let device = self.open(py)?;
        Ok((self.listen(device), device.clone()))
    }
}

impl Device {
    /// Makes a handle of a device that others keep alive.
    pub(crate) fn of(py: Python<'_>, device: rt::Device, described: Arc<Described>) -> PyResult<Py<Self>> {
        Self::make(py, Handle::new(device, None, described))
    }

    fn make(py: Python<'_>, handle: Handle) -> PyResult<Py<Self>> {
        let handle = Arc::new(handle);
        let base = WithEntities::new(Arc::clone(&handle) as Arc<dyn Host>);
        Py::new(py, PyClassInitializer::from(base).add_subclass(Self(OnceLock::from(handle))))
    }

    pub(crate) fn handle(&self, py: Python<'_>) -> PyResult<&Arc<Handle>> {
        let missing = "__init__() of rustuya.Device was not called: call super().__init__() in the subclass's";
        self.0.get().ok_or_else(|| exceptions::leaf(py, "ClosedError", 906, missing))
    }

    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<&rt::Device> {
        self.handle(py)?.device.get(py)
    }

    /// Returns the device, unless this handle was closed.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<&rt::Device> {
        self.handle(py)?.open(py)
    }

    pub(crate) fn target(&self, py: Python<'_>) -> PyResult<Target> {
        self.handle(py)?.target(py)
    }

    /// Sets the handle. Does nothing where one is set.
    pub(crate) fn init(slf: &Bound<'_, Self>, handle: Handle) {
        let handle = Arc::new(handle);
        slf.as_super().get().init(Arc::clone(&handle) as Arc<dyn Host>);
        drop(slf.get().0.set(handle));
    }

    /// Makes the operation that ends the connection, or releases it where other handles hold the device.
    pub(crate) fn close_operation(&self, py: Python<'_>) -> PyResult<Operation> {
        let handle = self.handle(py)?;
        let device = handle.device.get(py)?.clone();
        let Some(own) = &handle.own else {
            return Ok(Box::pin(async move {
                device.close().await;
                Ok(Answer::Nothing)
            }));
        };
        handle.closed.store(true, Ordering::Release);
        // Listeners end after the device, whose end is an event for them.
        let (shutdown, guard) = (verbs::shutdown(own.get(py)?), CloseGuard(Arc::clone(&handle.closing)));
        Ok(Box::pin(async move {
            let result = shutdown.await;
            drop(guard);
            result
        }))
    }

    /// Listens to the device until it or this handle is closed. Returns the device, too.
    pub(crate) fn feed(&self, py: Python<'_>) -> PyResult<(HandleFeed, rt::Device)> {
        self.handle(py)?.feed(py)
    }

    /// Changes the configuration and returns the handle. Calls `change` again when another thread changed it first.
    pub(crate) fn change(
        slf: Bound<'_, Self>,
        change: impl Fn(rt::DeviceBuilder) -> PyResult<rt::DeviceBuilder>,
    ) -> PyResult<Bound<'_, Self>> {
        let py = slf.py();
        let device = slf.get().open(py)?;
        let mut failed = None;
        let changed = device.change(|known| match change(known.clone()) {
            Ok(builder) => builder,
            Err(error) => {
                failed = Some(error);
                known
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        changed.map_err(|error| errors::config(py, error))?;
        Ok(slf)
    }
}

/// Creates a device with a connection of its own, not shared with other handles.
pub(crate) fn spawn(py: Python<'_>, builder: rt::DeviceBuilder, located: bool, id: &str) -> PyResult<Py<Device>> {
    let engine = engine(py)?;
    let builder = engine.with_discovery(builder, located).map_err(|error| errors::add(py, id, error))?;
    Device::of(py, log::with_frame_log(builder, id).spawn(&engine.driver()), Arc::default())
}

/// Creates a handle of a device, which it shares with the managers and handles that hold it already. `describe` changes
/// their configuration to the wanted one.
pub(crate) fn share(
    py: Python<'_>,
    new: rt::DeviceBuilder,
    located: bool,
    describe: impl Fn(rt::DeviceBuilder) -> PyResult<rt::DeviceBuilder>,
) -> PyResult<Handle> {
    let engine = engine(py)?;
    let id = new.id().to_owned();
    let new = log::with_frame_log(new, &id);
    // A shared device needs no discovery.
    let (new, no_discovery) = match engine.with_discovery(new.clone(), located) {
        Ok(new) => (new, None),
        Err(error) => (new, Some(error)),
    };
    let own = rt::Manager::new(&engine.registry);
    let (mut failed, mut is_new) = (None, false);
    let mut share = || {
        own.share(&id, |known| {
            is_new = known.is_none();
            match known.map(|known| (describe(known.clone()), known)) {
                None => new.clone(),
                Some((Ok(wanted), _)) => wanted,
                Some((Err(error), known)) => {
                    failed = Some(error);
                    known
                }
            }
        })
    };
    let mut shared = share();
    if matches!(shared, Err(rt::AddError::Conflict)) {
        // Unreachable handles that were not collected yet may hold the old configuration.
        let _inside = lifecycle::enter(py);
        py.import("gc")?.call_method0("collect")?;
        shared = share();
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let device = shared.map_err(|error| errors::add(py, &id, error))?;
    match no_discovery.filter(|_| is_new) {
        Some(error) => Err(errors::add(py, &id, error)),
        None => Ok(Handle::new(device, Some(own), Arc::default())),
    }
}
