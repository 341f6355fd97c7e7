//! The commands that devices and sub-devices share.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustuya_runtime_tokio::{self as rt, CommandCode, Sending};

use crate::operation::{Answer, Failure, Operation, Order, Wait};
use crate::{args, convert, engine, errors};

/// Whom a command is for.
#[derive(Clone)]
pub(crate) enum Target {
    Device(rt::Device),
    /// A handle that was closed, while the device goes on for others.
    Left(rt::Device),
    Sub(rt::SubDevice),
}

/// The two options that every command has.
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
    fn device(&self) -> &rt::Device {
        match self {
            Self::Device(device) | Self::Left(device) => device,
            Self::Sub(sub) => sub.gateway(),
        }
    }

    /// What errors name: the id, or the id of the gateway and the cid.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Device(device) | Self::Left(device) => device.id().into(),
            Self::Sub(sub) => format!("{}/{}", sub.gateway().id(), sub.id()).into(),
        }
    }

    fn order(self, py: Python<'_>, sending: Sending, options: Options<'_>) -> PyResult<Order> {
        let Options { wait, timeout } = options;
        let (wait, limit) = (Wait::new(py, wait)?, engine::seconds(timeout)?);
        if let Self::Left(device) = &self {
            return Err(errors::command(py, device.id(), &rt::CommandError::Closed));
        }
        Ok(Order::new(self, sending, wait, limit))
    }

    pub(crate) fn status(self, py: Python<'_>, options: Options<'_>) -> PyResult<Order> {
        let sending = match &self {
            Self::Device(device) | Self::Left(device) => device.status(),
            Self::Sub(sub) => sub.status(),
        };
        self.order(py, sending, options)
    }

    /// Asks for the state, or for the DPs that are named.
    pub(crate) fn query(self, dps: Option<args::Dps<'_>>, timeout: Option<f64>) -> PyResult<Operation> {
        let numbers = dps.map(|dps| dps.0.iter().map(convert::dp).collect::<PyResult<Vec<u16>>>()).transpose()?;
        let limit = engine::seconds(timeout)?;
        Ok(Box::pin(async move {
            let result = match (&self, numbers) {
                (Self::Left(_), _) => Err(rt::CommandError::Closed),
                (Self::Device(device), Some(dps)) => match limit {
                    Some(limit) => device.query_dps_within(&dps, limit).await,
                    None => device.query_dps(&dps).await,
                },
                (Self::Sub(sub), Some(dps)) => match limit {
                    Some(limit) => sub.query_dps_within(&dps, limit).await,
                    None => sub.query_dps(&dps).await,
                },
                (target, None) => {
                    let sending = match target {
                        Self::Device(device) | Self::Left(device) => device.status(),
                        Self::Sub(sub) => sub.status(),
                    };
                    let sending = match limit {
                        Some(limit) => sending.timeout(limit),
                        None => sending,
                    };
                    sending.acknowledged().await.map(Into::into)
                }
            };
            result.map(Answer::Queried).map_err(|error| Failure::Command(self, error))
        }))
    }

    pub(crate) fn set_value(
        self,
        dp: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        options: Options<'_>,
    ) -> PyResult<Order> {
        let (number, json) = (convert::dp(dp)?, convert::to_json(value)?);
        let sending = match &self {
            Self::Device(device) | Self::Left(device) => device.set_value(number, json),
            Self::Sub(sub) => sub.set_value(number, json),
        };
        self.order(dp.py(), sending, options)
    }

    pub(crate) fn set_dps(self, dps: &Bound<'_, PyAny>, options: Options<'_>) -> PyResult<Order> {
        let py = dps.py();
        let map = convert::dps(dps)?;
        if let Some(wrong) = map.keys().find(|dp| dp.parse::<u16>().is_err()) {
            let text = format!("{} is no DP: DPs are numbers from 0 to 65535", errors::quoted(wrong));
            return Err(errors::no_dp(PyString::new(py, wrong).as_any(), &text));
        }
        let sending = match &self {
            Self::Device(device) | Self::Left(device) => device.set_dps(map),
            Self::Sub(sub) => sub.set_dps(map),
        };
        self.order(py, sending, options)
    }

    pub(crate) fn update_dps(self, py: Python<'_>, dps: &[Bound<'_, PyAny>], options: Options<'_>) -> PyResult<Order> {
        let numbers = dps.iter().map(convert::dp).collect::<PyResult<Vec<u16>>>()?;
        let sending = match &self {
            Self::Device(device) | Self::Left(device) => device.update_dps(&numbers),
            Self::Sub(sub) => sub.update_dps(&numbers),
        };
        self.order(py, sending, options)
    }

    pub(crate) fn request(
        self,
        py: Python<'_>,
        command: u32,
        data: Option<&Bound<'_, PyAny>>,
        cid: Option<&str>,
        options: Options<'_>,
    ) -> PyResult<Order> {
        let data = data.filter(|data| !data.is_none()).map(convert::to_json).transpose()?;
        if data.as_ref().is_some_and(|data| !data.is_object()) {
            return Err(errors::leaf(py, "InvalidType", 912, "data must be a mapping, or None"));
        }
        if let Some(cid) = cid {
            self.device().sub(cid).map_err(|error| errors::config(py, error))?;
        }
        let sending = self.device().request(CommandCode(command), data, cid);
        self.order(py, sending, options)
    }

    pub(crate) fn sub_discover(self, py: Python<'_>, options: Options<'_>) -> PyResult<Order> {
        let sending = self.device().sub_discover();
        self.order(py, sending, options)
    }
}

/// A number of milliseconds, as the documented methods take it.
pub(crate) fn milliseconds(limit: Option<f64>) -> PyResult<Option<core::time::Duration>> {
    engine::seconds(limit.map(|limit| limit / 1000.0))
        .map_err(|_| PyValueError::new_err("a time limit is a number of milliseconds, or None"))
}
