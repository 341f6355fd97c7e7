//! Operations: futures that a thread or an event loop waits for, with their results.

use core::pin::Pin;
use core::time::Duration;
use std::collections::BTreeSet;
use std::io;

use pyo3::prelude::*;
use pyo3::types::PyList;
use rustuya_cloud::{FetchError, Progress};
use rustuya_entities::IntentError;
use rustuya_runtime_tokio::{
    AddError, CommandError, DeviceInfo, DiscoveredDevice, QueryReply, Reply, Sending, State, Version,
};

use crate::blocking::block;
use crate::engine::engine;
use crate::fetched::Fetched;
use crate::held::check;
use crate::target::Target;
use crate::{args, cloud_errors, errors, exceptions, fetched, intents, models};

/// A started operation.
pub(crate) type Operation = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// Result of an operation.
pub(crate) enum Answer {
    Nothing,
    Reply(Reply),
    QueryReply(QueryReply),
    Version(Version),
    State(State),
    Settled(Vec<DeviceInfo>),
    Numbers(BTreeSet<u16>),
    Found(Option<DiscoveredDevice>),
    AllFound(Vec<DiscoveredDevice>),
    Step(Progress),
    Fetched(Box<rustuya_cloud::Fetched>),
}

/// Error of an operation.
pub(crate) enum Failure {
    Command(Target, CommandError),
    Ports(io::Error),
    System(io::Error),
    Cloud(FetchError),
    Intent(IntentError),
}

impl Answer {
    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        match self {
            Self::Nothing => Ok(py.None().into_bound(py)),
            Self::Reply(reply) => models::reply(py, &reply),
            Self::QueryReply(state) => models::queried(py, state),
            Self::Version(version) => Ok(version.as_str().into_pyobject(py)?.into_any()),
            Self::State(state) => models::state(py, &state),
            Self::Settled(list) => models::settled(py, &list),
            Self::Numbers(numbers) => Ok(PyList::new(py, numbers)?.into_any()),
            Self::Step(step) => fetched::progress(py, &step),
            Self::Fetched(fetched) => Ok(Bound::new(py, Fetched(fetched))?.into_any()),
            Self::Found(None) => Ok(py.None().into_bound(py)),
            Self::Found(Some(found)) => models::found(py, &found),
            Self::AllFound(all) => {
                let list = PyList::empty(py);
                for found in &all {
                    list.append(models::found(py, found)?)?;
                }
                Ok(list.into_any())
            }
        }
    }
}

impl Failure {
    pub(crate) fn into_error(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Command(target, error) => errors::command(py, &target.name(), &error),
            Self::Ports(error) => errors::add(py, "", AddError::Discovery(error)),
            Self::System(error) => errors::system(py, error),
            Self::Cloud(error) => cloud_errors::fetch(py, &error),
            Self::Intent(error) => intents::error(py, &error),
        }
    }
}

/// Makes an operation that waits for `event`, for `timeout` seconds at most.
pub(crate) fn within(
    py: Python<'_>,
    timeout: Option<f64>,
    event: impl Future<Output = ()> + Send + 'static,
) -> PyResult<Operation> {
    let Some(limit) = args::seconds(timeout)? else {
        return Ok(Box::pin(async move {
            event.await;
            Ok(Answer::Nothing)
        }));
    };
    let _runtime = engine(py)?.handle().enter();
    let limited = tokio::time::timeout(limit, event);
    Ok(Box::pin(async move {
        let _ = limited.await;
        Ok(Answer::Nothing)
    }))
}

/// Waits for an operation on this thread.
pub(crate) fn finish(py: Python<'_>, operation: Operation) -> PyResult<Bound<'_, PyAny>> {
    match block(py, operation, None)? {
        Some(Ok(answer)) => answer.into_python(py),
        Some(Err(failure)) => Err(failure.into_error(py)),
        None => Ok(py.None().into_bound(py)),
    }
}

/// Values of the argument `wait`.
pub(crate) const WAITS: [&str; 3] = ["ack", "effect", "queue"];

/// Point until which a command is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As the device's `nowait` says.
    Usual,
    /// Until it is in the queue.
    Queue,
    /// Until the device has answered.
    Ack,
    /// Until the device shows what was written.
    Effect,
}

impl Wait {
    pub(crate) fn new(py: Python<'_>, wait: Option<&str>) -> PyResult<Self> {
        let [ack, effect, queue] = WAITS;
        match wait {
            None => Ok(Self::Usual),
            Some(wait) if wait == queue => Ok(Self::Queue),
            Some(wait) if wait == ack => Ok(Self::Ack),
            Some(wait) if wait == effect => Ok(Self::Effect),
            Some(other) => {
                let other = exceptions::quoted(other);
                let text = format!("wait={other} is not known: give \"effect\", \"ack\", \"queue\" or None");
                Err(exceptions::leaf(py, "ConfigError", 912, &text))
            }
        }
    }
}

/// A command that was not sent yet, with the point until which it is waited for.
pub(crate) struct PreparedCommand {
    pub(crate) target: Target,
    pub(crate) sending: Sending,
    pub(crate) wait: Wait,
}

impl PreparedCommand {
    pub(crate) fn new(target: Target, sending: Sending, wait: Wait, timeout: Option<Duration>) -> Self {
        let sending = match timeout {
            Some(timeout) => sending.timeout(timeout),
            None => sending,
        };
        Self { target, sending, wait }
    }

    /// Sends the command and waits on this thread.
    pub(crate) fn finish(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        check(py)?;
        let Self { target, sending, wait } = self;
        let result = match wait {
            Wait::Queue => sending.queue(),
            Wait::Usual => block(py, sending, None)?.unwrap_or(Ok(())),
            Wait::Ack => match block(py, sending.acknowledged(), None)? {
                Some(Ok(reply)) => return models::reply(py, &reply).map(Bound::unbind),
                Some(Err(error)) => Err(error),
                None => Ok(()),
            },
            Wait::Effect => match block(py, sending.confirmed(), None)? {
                Some(Ok(reply)) => return models::reply(py, &reply).map(Bound::unbind),
                Some(Err(error)) => Err(error),
                None => Ok(()),
            },
        };
        result.map(|()| py.None()).map_err(|error| errors::command(py, &target.name(), &error))
    }

    /// Makes the operation that sends the command when it is first polled; with `Wait::Queue` sends it now.
    pub(crate) fn start(self) -> Operation {
        let Self { target, sending, wait } = self;
        match wait {
            Wait::Queue => {
                let result = sending.queue();
                Box::pin(
                    async move { result.map(|()| Answer::Nothing).map_err(|error| Failure::Command(target, error)) },
                )
            }
            Wait::Usual => Box::pin(async move {
                sending.await.map(|()| Answer::Nothing).map_err(|error| Failure::Command(target, error))
            }),
            Wait::Ack => Box::pin(async move {
                sending.acknowledged().await.map(Answer::Reply).map_err(|error| Failure::Command(target, error))
            }),
            Wait::Effect => Box::pin(async move {
                sending.confirmed().await.map(Answer::Reply).map_err(|error| Failure::Command(target, error))
            }),
        }
    }
}
