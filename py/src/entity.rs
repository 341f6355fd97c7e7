//! One entity of a device, for the classes of `rustuya.entities`.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rustuya_entities::{Entity, Intent, StateClass, Writes};
use rustuya_runtime_tokio::CommandError;
use serde_json::{Map, Value};

use crate::bridge::{LoopBridge, start};
use crate::host::Host;
use crate::operation::{Failure, Operation, PreparedCommand, Wait, finish};
use crate::target::Target;
use crate::verbs::Options;
use crate::{args, errors, intents, states};

/// Command of a verb.
enum Prepared {
    Now(Box<PreparedCommand>),
    /// The state is queried first.
    Later(Operation),
}

/// Returns DPs as a JSON object.
fn object(writes: Writes) -> Map<String, Value> {
    writes.dps.into_iter().map(|(dp, value)| (dp.to_string(), value)).collect()
}

/// Description of an entity, with the device that it is a part of.
#[pyclass(frozen, module = "rustuya._native")]
pub(crate) struct EntityHandle {
    host: Arc<dyn Host>,
    entities: Arc<[Entity]>,
    at: usize,
}

impl EntityHandle {
    /// Makes a handle of the entity at a position in the list.
    pub(crate) fn new(host: &Arc<dyn Host>, entities: &Arc<[Entity]>, at: usize) -> Self {
        Self { host: Arc::clone(host), entities: Arc::clone(entities), at }
    }

    #[expect(clippy::indexing_slicing, reason = "the list never changes, and `at` was found in it")]
    pub(crate) fn entity(&self) -> &Entity {
        &self.entities[self.at]
    }

    /// Prepares the command of a verb.
    fn prepare(
        &self,
        parts: &Bound<'_, PyDict>,
        wait: &Option<args::WaitFor>,
        timeout: &Option<args::Timeout>,
    ) -> PyResult<Prepared> {
        let py = parts.py();
        let target = self.host.target(py)?;
        if let Target::Closed(device) = &target {
            return Err(errors::command(py, device.id(), &CommandError::Closed));
        }
        let intent = intents::intent(self.entity(), parts)?;
        let options = Options::of(wait, timeout);
        let point = Wait::new(py, options.wait)?;
        let waits = match point {
            Wait::Queue => false,
            Wait::Usual => !target.is_nowait(),
            Wait::Ack | Wait::Effect => true,
        };
        if waits && target.state().dps.is_empty() {
            let limit = args::seconds(options.timeout)?;
            return Ok(Prepared::Later(self.after_query(target, intent, point, limit)));
        }
        let writes = self.entity().apply(&intent, &target.state()).map_err(|refused| intents::error(py, &refused))?;
        target.write(py, object(writes), options).map(|command| Prepared::Now(Box::new(command)))
    }

    /// Makes the command of a verb for a device that has reported nothing yet. Most verbs depend on the state, so it is
    /// queried first. A device that does not answer is written to without.
    fn after_query(&self, target: Target, intent: Intent, wait: Wait, limit: Option<Duration>) -> Operation {
        let (entities, at) = (Arc::clone(&self.entities), self.at);
        Box::pin(async move {
            let begun = Instant::now();
            let query = target.query_state();
            let query = match limit {
                Some(limit) => query.timeout(limit),
                None => query,
            };
            if let Err(error) = query.acknowledged().await
                && !target.device().is_connected()
            {
                return Err(Failure::Command(target, error));
            }
            let entity = entities.get(at).map(|entity| entity.apply(&intent, &target.state()));
            let writes = entity.transpose().map_err(Failure::Intent)?.unwrap_or_default();
            let sending = target.sending(object(writes));
            let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
            PreparedCommand::new(target, sending, wait, left).start().await
        })
    }

    /// Returns the device and the sub-device's cid.
    fn owner(&self, py: Python<'_>) -> PyResult<(String, Option<String>)> {
        let target = self.host.target(py)?;
        let cid = if let Target::Sub(sub) = &target { Some(sub.id().to_owned()) } else { None };
        Ok((target.device().id().to_owned(), cid))
    }
}

#[pymethods]
impl EntityHandle {
    #[getter]
    fn id(&self) -> &str {
        &self.entity().id
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.entity().kind.as_str()
    }

    #[getter]
    fn name(&self) -> Option<&str> {
        self.entity().name.as_deref()
    }

    #[getter]
    fn code(&self) -> &str {
        &self.entity().code
    }

    #[getter]
    fn dps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut dps: Vec<u16> = Vec::new();
        for (_, channel) in &self.entity().channels {
            if !dps.contains(&channel.dp) {
                dps.push(channel.dp);
            }
        }
        PyTuple::new(py, dps)
    }

    #[getter]
    fn unit(&self) -> Option<&str> {
        Some(self.entity().unit.as_str()).filter(|unit| !unit.is_empty())
    }

    #[getter]
    fn device_class(&self) -> Option<&str> {
        self.entity().device_class.as_deref()
    }

    #[getter]
    fn state_class(&self) -> Option<&'static str> {
        self.entity().state_class.map(StateClass::as_str)
    }

    #[getter]
    fn category(&self) -> &'static str {
        self.entity().category.as_str()
    }

    #[getter]
    fn enabled(&self) -> bool {
        self.entity().is_enabled
    }

    #[getter]
    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.entity().verbs())
    }

    #[getter]
    fn capabilities<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        states::capabilities(py, self.entity())
    }

    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let state = self.host.target(py)?.state();
        states::state(py, &self.entity().state(&state))
    }

    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (state, dict) = (self.host.target(py)?.state(), PyDict::new(py));
        for (name, reading) in self.entity().attributes(&state) {
            dict.set_item(name, states::value(py, &reading.value)?)?;
        }
        Ok(dict)
    }

    #[getter]
    fn is_out_of_spec(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!self.entity().out_of_spec(&self.host.target(py)?.state()).is_empty())
    }

    #[getter]
    fn device_id(&self, py: Python<'_>) -> PyResult<String> {
        self.owner(py).map(|(id, _)| id)
    }

    #[getter]
    fn cid(&self, py: Python<'_>) -> PyResult<Option<String>> {
        self.owner(py).map(|(_, cid)| cid)
    }

    /// Writes the DPs of an intent, which is given in parts.
    fn write(
        &self,
        py: Python<'_>,
        parts: &Bound<'_, PyDict>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Py<PyAny>> {
        match self.prepare(parts, &wait, &timeout)? {
            Prepared::Now(command) => command.finish(py),
            Prepared::Later(operation) => finish(py, operation).map(Bound::unbind),
        }
    }

    /// The same for an event loop.
    fn start<'py>(
        &self,
        bridge: &Bound<'py, LoopBridge>,
        parts: &Bound<'py, PyDict>,
        wait: Option<args::WaitFor>,
        timeout: Option<args::Timeout>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let operation = match self.prepare(parts, &wait, &timeout)? {
            Prepared::Now(command) => command.start(),
            Prepared::Later(operation) => operation,
        };
        start(bridge, operation)
    }
}
