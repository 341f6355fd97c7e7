//! Verbs that the synchronous and the asyncio classes share: commands of devices and sub-devices, and waits.

use core::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyString;
use rustuya_runtime_tokio::{self as rt, CommandCode, Sending};
use serde_json::{Map, Value};

use crate::engine::started;
use crate::operation::{Answer, Failure, Operation, PreparedCommand, Wait};
use crate::target::Target;
use crate::{args, convert, errors, exceptions};

/// The two options of every command.
#[derive(Clone, Copy)]
pub(crate) struct Options<'a> {
    pub(crate) wait: Option<&'a str>,
    pub(crate) timeout: Option<f64>,
}

impl<'a> Options<'a> {
    pub(crate) fn of(wait: &'a Option<args::WaitFor>, timeout: &Option<args::Timeout>) -> Self {
        Self { wait: wait.as_ref().map(|wait| &*wait.0), timeout: timeout.as_ref().map(|limit| limit.0) }
    }
}

impl Target {
    fn prepare(self, py: Python<'_>, sending: Sending, options: Options<'_>) -> PyResult<PreparedCommand> {
        let Options { wait, timeout } = options;
        let (wait, limit) = (Wait::new(py, wait)?, args::seconds(timeout)?);
        if let Self::Closed(device) = &self {
            return Err(errors::command(py, device.id(), &rt::CommandError::Closed));
        }
        Ok(PreparedCommand::new(self, sending, wait, limit))
    }

    pub(crate) fn status(self, py: Python<'_>, options: Options<'_>) -> PyResult<PreparedCommand> {
        let sending = self.query_state();
        self.prepare(py, sending, options)
    }

    /// Queries the state, or the named DPs.
    pub(crate) fn query(self, dps: Option<args::Dps<'_>>, timeout: Option<f64>) -> PyResult<Operation> {
        let numbers = dps.map(|dps| dps.0.iter().map(convert::dp).collect::<PyResult<Vec<u16>>>()).transpose()?;
        let limit = args::seconds(timeout)?;
        Ok(Box::pin(async move {
            let result = match (&self, numbers) {
                (Self::Closed(_), _) => Err(rt::CommandError::Closed),
                (Self::Device(device), Some(dps)) => match limit {
                    Some(limit) => device.query_dps_within(&dps, limit).await,
                    None => device.query_dps(&dps).await,
                },
                (Self::Sub(sub), Some(dps)) => match limit {
                    Some(limit) => sub.query_dps_within(&dps, limit).await,
                    None => sub.query_dps(&dps).await,
                },
                (target, None) => {
                    let sending = target.query_state();
                    let sending = match limit {
                        Some(limit) => sending.timeout(limit),
                        None => sending,
                    };
                    sending.acknowledged().await.map(Into::into)
                }
            };
            result.map(Answer::QueryReply).map_err(|error| Failure::Command(self, error))
        }))
    }

    pub(crate) fn set_value(
        self,
        dp: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        options: Options<'_>,
    ) -> PyResult<PreparedCommand> {
        let (number, json) = (convert::dp(dp)?, convert::to_json(value)?);
        let sending = match &self {
            Self::Device(device) | Self::Closed(device) => device.set_value(number, json),
            Self::Sub(sub) => sub.set_value(number, json),
        };
        self.prepare(dp.py(), sending, options)
    }

    pub(crate) fn set_dps(self, dps: &Bound<'_, PyAny>, options: Options<'_>) -> PyResult<PreparedCommand> {
        let py = dps.py();
        let map = convert::dps(dps)?;
        if let Some(wrong) = map.keys().find(|dp| dp.parse::<u16>().is_err()) {
            let text = format!("{} is not a DP number: DPs are numbers from 0 to 65535", exceptions::quoted(wrong));
            return Err(exceptions::invalid_dp(PyString::new(py, wrong).as_any(), &text));
        }
        self.write(py, map, options)
    }

    /// Sets DPs that are known to have numbers.
    pub(crate) fn write(
        self,
        py: Python<'_>,
        dps: Map<String, Value>,
        options: Options<'_>,
    ) -> PyResult<PreparedCommand> {
        let sending = self.sending(dps);
        self.prepare(py, sending, options)
    }

    /// Makes the command that sets these DPs.
    pub(crate) fn sending(&self, dps: Map<String, Value>) -> Sending {
        match self {
            Self::Device(device) | Self::Closed(device) => device.set_dps(dps),
            Self::Sub(sub) => sub.set_dps(dps),
        }
    }

    /// Makes the query of the state.
    pub(crate) fn query_state(&self) -> Sending {
        match self {
            Self::Device(device) | Self::Closed(device) => device.status(),
            Self::Sub(sub) => sub.status(),
        }
    }

    pub(crate) fn update_dps(
        self,
        py: Python<'_>,
        dps: &[Bound<'_, PyAny>],
        options: Options<'_>,
    ) -> PyResult<PreparedCommand> {
        let numbers = dps.iter().map(convert::dp).collect::<PyResult<Vec<u16>>>()?;
        let sending = match &self {
            Self::Device(device) | Self::Closed(device) => device.update_dps(&numbers),
            Self::Sub(sub) => sub.update_dps(&numbers),
        };
        self.prepare(py, sending, options)
    }

    pub(crate) fn request(
        self,
        py: Python<'_>,
        command: u32,
        data: Option<&Bound<'_, PyAny>>,
        cid: Option<&str>,
        options: Options<'_>,
    ) -> PyResult<PreparedCommand> {
        let data = data.filter(|data| !data.is_none()).map(convert::to_json).transpose()?;
        if data.as_ref().is_some_and(|data| !data.is_object()) {
            return Err(exceptions::leaf(py, "InvalidType", 912, "data must be a mapping, or None"));
        }
        if let Some(cid) = cid {
            self.device().sub(cid).map_err(|error| errors::config(py, error))?;
        }
        let sending = self.device().request(CommandCode(command), data, cid);
        self.prepare(py, sending, options)
    }

    pub(crate) fn sub_discover(self, py: Python<'_>, options: Options<'_>) -> PyResult<PreparedCommand> {
        let sending = self.device().sub_discover();
        self.prepare(py, sending, options)
    }
}

/// Waits until a device is connected.
pub(crate) fn wait_connected(device: &rt::Device, timeout: Option<f64>) -> PyResult<Operation> {
    let limit = args::seconds(timeout)?.unwrap_or(Duration::MAX / 4);
    let device = device.clone();
    Ok(Box::pin(async move {
        let version = device.wait_connected(limit).await;
        version.map(Answer::Version).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    }))
}

/// Waits until a device is connected and has reported its state, or has refused or failed to.
pub(crate) fn wait_ready(device: &rt::Device, timeout: Option<f64>) -> PyResult<Operation> {
    let limit = args::seconds(timeout)?.unwrap_or(Duration::MAX / 4);
    let device = device.clone();
    Ok(Box::pin(async move {
        let state = device.wait_ready(limit).await;
        state.map(Answer::State).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    }))
}

/// Asks a device which DPs it has.
pub(crate) fn detect_dps(device: &rt::Device) -> Operation {
    let device = device.clone();
    Box::pin(async move {
        let numbers = device.detect_dps().await;
        numbers.map(Answer::Numbers).map_err(|error| Failure::Command(Target::Device(device.clone()), error))
    })
}

/// Ends a manager, and every device that no other manager holds.
pub(crate) fn shutdown(manager: &rt::Manager) -> Operation {
    let manager = manager.clone();
    Box::pin(async move {
        manager.shutdown().await;
        Ok(Answer::Nothing)
    })
}

/// Waits until every device of a manager is connected or has a diagnosis.
pub(crate) fn wait_settled(manager: &rt::Manager, timeout: Option<f64>) -> PyResult<Operation> {
    let limit = args::seconds(timeout)?.unwrap_or(Duration::MAX / 4);
    let manager = manager.clone();
    Ok(Box::pin(async move { Ok(Answer::Settled(manager.wait_settled(limit).await)) }))
}

/// Ends every device of the process; `None` when no engine was started.
pub(crate) fn shutdown_all() -> Option<Operation> {
    let registry = started()?.registry.clone();
    Some(Box::pin(async move {
        registry.shutdown().await;
        Ok(Answer::Nothing)
    }))
}
