//! What a `Device` of Python holds, and how it comes to share a connection.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

use pyo3::prelude::*;
use rustuya_runtime_tokio as rt;

use crate::device::Device;
use crate::engine::{self, Held, engine};
use crate::operation::{Answer, Failure, Operation};
use crate::verbs::Target;
use crate::{errors, log, manager};

/// What a `Device` of Python holds.
pub(crate) struct Handle {
    pub(crate) device: Held<rt::Device>,
    /// Holds the device for this handle, where it was made by `Device(...)`, as a manager does for its own.
    pub(crate) own: Option<Held<rt::Manager>>,
    /// This handle was closed, and the device goes on for others.
    pub(crate) left: AtomicBool,
}

impl Handle {
    pub(crate) fn new(device: rt::Device, own: Option<rt::Manager>) -> Self {
        Self { device: Held::new(device), own: own.map(Held::new), left: AtomicBool::new(false) }
    }
}

impl Device {
    pub(crate) fn new(device: rt::Device) -> Self {
        Self(OnceLock::from(Handle::new(device, None)))
    }

    pub(crate) fn handle(&self, py: Python<'_>) -> PyResult<&Handle> {
        let missing = "__init__() of rustuya.Device was not called: call super().__init__() in that of the subclass";
        self.0.get().ok_or_else(|| errors::leaf(py, "ClosedError", 906, missing))
    }

    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<&rt::Device> {
        self.handle(py)?.device.get(py)
    }

    /// The device, for what needs one that was not closed.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<&rt::Device> {
        let handle = self.handle(py)?;
        let device = handle.device.get(py)?;
        if handle.left.load(Ordering::Acquire) {
            return Err(errors::command(py, device.id(), &rt::CommandError::Closed));
        }
        Ok(device)
    }

    pub(crate) fn target(&self, py: Python<'_>) -> PyResult<Target> {
        let handle = self.handle(py)?;
        let device = handle.device.get(py)?.clone();
        Ok(if handle.left.load(Ordering::Acquire) { Target::Left(device) } else { Target::Device(device) })
    }

    /// Becomes a handle that holds its device. Does nothing for one that has been one.
    pub(crate) fn begin(&self, handle: Handle) {
        drop(self.0.set(handle));
    }

    /// Ends the connection, or lets go of it where others hold the device, too.
    pub(crate) fn closed(&self, py: Python<'_>) -> PyResult<Operation> {
        let handle = self.handle(py)?;
        let device = handle.device.get(py)?.clone();
        let Some(own) = &handle.own else {
            return Ok(Box::pin(async move {
                device.close().await;
                Ok(Answer::Nothing)
            }));
        };
        handle.left.store(true, Ordering::Release);
        Ok(manager::ended(own.get(py)?))
    }

    /// Changes the configuration and gives the handle back. `change` is called again when another thread was faster.
    pub(crate) fn change(
        slf: Bound<'_, Self>,
        change: impl Fn(rt::DeviceBuilder) -> PyResult<rt::DeviceBuilder>,
    ) -> PyResult<Bound<'_, Self>> {
        let py = slf.py();
        let device = slf.get().inner(py)?;
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

/// A device with a connection of its own, whatever else the process has.
pub(crate) fn spawn(py: Python<'_>, builder: rt::DeviceBuilder, located: bool, id: &str) -> PyResult<Device> {
    let engine = engine(py)?;
    let builder = engine.with_discovery(builder, located).map_err(|error| errors::add(py, id, error))?;
    Ok(Device::new(log::framed(builder, id).spawn(&engine.driver())))
}

/// A handle of a device that belongs to no other manager, or shares it with those who have it. `describe` changes what is
/// known of the device to what is wanted.
pub(crate) fn share(
    py: Python<'_>,
    new: rt::DeviceBuilder,
    located: bool,
    describe: impl Fn(rt::DeviceBuilder) -> PyResult<rt::DeviceBuilder>,
) -> PyResult<Handle> {
    let engine = engine(py)?;
    let id = new.id().to_owned();
    let new = engine.with_discovery(log::framed(new, &id), located).map_err(|error| errors::add(py, &id, error))?;
    let own = rt::Manager::new(&engine.registry);
    let mut failed = None;
    let mut share = || {
        own.share(&id, |known| match known.map(|known| (describe(known.clone()), known)) {
            None => new.clone(),
            Some((Ok(wanted), _)) => wanted,
            Some((Err(error), known)) => {
                failed = Some(error);
                known
            }
        })
    };
    let mut shared = share();
    if matches!(shared, Err(rt::AddError::Conflict)) {
        // Handles that nobody can use any more may be in the way.
        let _inside = engine::enter(py);
        py.import("gc")?.call_method0("collect")?;
        shared = share();
    }
    if let Some(error) = failed {
        return Err(error);
    }
    let device = shared.map_err(|error| errors::add(py, &id, error))?;
    Ok(Handle::new(device, Some(own)))
}

/// Waits until a device can be used.
pub(crate) fn connected(device: &rt::Device, timeout: Option<f64>) -> PyResult<Operation> {
    let limit = engine::seconds(timeout)?.unwrap_or(core::time::Duration::MAX / 4);
    let device = device.clone();
    Ok(Box::pin(async move {
        let version = device.wait_connected(limit).await;
        version.map(Answer::Version).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    }))
}

/// Waits until a device can be used and its state is known, or known not to be had.
pub(crate) fn ready(device: &rt::Device, timeout: Option<f64>) -> PyResult<Operation> {
    let limit = engine::seconds(timeout)?.unwrap_or(core::time::Duration::MAX / 4);
    let device = device.clone();
    Ok(Box::pin(async move {
        let state = device.wait_ready(limit).await;
        state.map(Answer::State).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    }))
}

pub(crate) fn detected(device: &rt::Device) -> Operation {
    let device = device.clone();
    Box::pin(async move {
        let numbers = device.detect_dps().await;
        numbers.map(Answer::Numbers).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    })
}
