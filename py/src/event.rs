//! Events: immutable, with attributes, also readable like a dict.

use std::sync::Arc;

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyIterator, PyString, PyTuple};
use rustuya_runtime_tokio::{Event, Failed, Message};

use crate::docstring::docstring;
use crate::{convert, errors, lifecycle, models, reasons};

/// Event of a device.
///
/// `kind` is one of: "state" (DPs), "acknowledgement" (an answer without DPs), "connection" (the connection or a
/// sub-device came up or went down), "freshness" (the state became current, or may be out of date), "error" (a command
/// failed and nothing waited for it), "lag" (this listener lost events), "skipped" (a frame was larger than
/// `receive_limit`), "dropped" (`state` lacks values beyond `memory_limit`), "ignored" (a frame that was replayed or
/// reflected).
#[pyclass(frozen, subclass, module = "rustuya")]
pub(crate) struct DeviceEvent {
    event: Event,
    payload: PyOnceLock<Py<PyAny>>,
}

/// Event of one of a manager's devices, with its `device_id`.
#[pyclass(frozen, extends = DeviceEvent, module = "rustuya")]
pub(crate) struct ManagerEvent {
    id: Arc<str>,
}

/// Values of `kind`.
pub(crate) const KINDS: [&str; 9] =
    ["state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "dropped", "ignored"];
const KEYS: [&str; 8] = ["kind", "cmd", "seqno", "payload", "dps", "cid", "retcode", "error"];
const MANAGER_KEYS: [&str; 9] = ["device_id", "kind", "cmd", "seqno", "payload", "dps", "cid", "retcode", "error"];

impl DeviceEvent {
    pub(crate) const fn new(event: Event) -> Self {
        Self { event, payload: PyOnceLock::new() }
    }

    fn message(&self) -> Option<&Message> {
        if let Event::Message(message) = &self.event { Some(message) } else { None }
    }

    fn failed(&self) -> Option<&Failed> {
        if let Event::Failed(failed) = &self.event { Some(failed) } else { None }
    }

    fn make_payload(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let dict = PyDict::new(py);
        match &self.event {
            Event::Message(message) => {
                let payload = message.payload();
                return Ok(match payload {
                    Some(payload) => convert::to_python(py, &payload)?.unbind(),
                    None => py.None(),
                });
            }
            Event::Up { version } => {
                dict.set_item("connected", true)?;
                dict.set_item("version", version.as_str())?;
            }
            Event::Down { reason, retry_in } => {
                dict.set_item("connected", false)?;
                dict.set_item("Error", reason.to_string())?;
                dict.set_item("Err", reasons::classify(*reason).1.to_string())?;
                dict.set_item("reason", reasons::classify(*reason).2)?;
                dict.set_item("advice", reason.advice())?;
                let (speaks, sure) = reasons::evidence(*reason);
                dict.set_item("speaks", speaks)?;
                dict.set_item("sure", sure)?;
                dict.set_item("retry_in", retry_in.map(|time| time.as_secs_f64()))?;
            }
            Event::SubDevice { cid, online } => {
                dict.set_item("cid", &**cid)?;
                dict.set_item("online", online)?;
            }
            Event::Failed(failed) => {
                dict.set_item("Error", failed.error.to_string())?;
                dict.set_item("Err", errors::command_code(&failed.error).1.to_string())?;
            }
            Event::Dialect(dialect) => dict.set_item("dev_type", convert::dialect_name(*dialect))?,
            Event::Fresh | Event::Stale(_) => {
                let why = if let Event::Stale(why) = &self.event { Some(why) } else { None };
                dict.set_item("is_fresh", why.is_none())?;
                dict.set_item("reason", why.map(models::stale_reason))?;
                dict.set_item("text", why.map(ToString::to_string))?;
            }
            Event::Lagged(lost) => dict.set_item("lost", lost)?,
            Event::Skipped { len, limit, .. } => {
                dict.set_item("size", len)?;
                dict.set_item("limit", limit)?;
            }
            Event::ValuesDropped { values, limit } => {
                dict.set_item("values", values)?;
                dict.set_item("limit", limit)?;
            }
            Event::Ignored { why, .. } => dict.set_item("reason", convert::repeated_name(*why))?,
            _ => {}
        }
        Ok(dict.into_any().unbind())
    }

    fn item<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(Some(match key {
            "kind" => self.kind().into_pyobject(py)?.into_any(),
            "cmd" => self.cmd().into_pyobject(py)?.into_any(),
            "seqno" => self.seqno().into_pyobject(py)?.into_any(),
            "payload" => self.payload(py)?.into_bound(py),
            "dps" => self.dps(py)?.into_any(),
            "cid" => self.cid().into_pyobject(py)?.into_any(),
            "retcode" => self.retcode().into_pyobject(py)?.into_any(),
            "error" => self.error(py).into_pyobject(py)?.into_any(),
            _ => return Ok(None),
        }))
    }
}

fn key_error(key: &Bound<'_, PyAny>) -> PyErr {
    PyKeyError::new_err(key.clone().unbind())
}

fn text<'a>(key: &'a Bound<'_, PyAny>) -> Option<std::borrow::Cow<'a, str>> {
    key.cast::<PyString>().ok()?.to_cow().ok()
}

fn show(event: &Bound<'_, PyAny>, name: &str, fields: &[&str]) -> PyResult<String> {
    let _inside = lifecycle::enter(event.py());
    let mut shown = Vec::new();
    for field in fields {
        let value = event.getattr(*field)?;
        if !value.is_none() {
            shown.push(format!("{field}={}", value.repr()?.to_cow()?));
        }
    }
    Ok(format!("{name}({})", shown.join(", ")))
}

#[pymethods]
impl DeviceEvent {
    /// Kind of the event: "state", "acknowledgement", "connection", "freshness", "error", "lag", "skipped", "dropped" or
    /// "ignored".
    #[getter]
    fn kind(&self) -> &'static str {
        let [state, acknowledgement, connection, freshness, error, lag, skipped, dropped, ignored] = KINDS;
        match &self.event {
            Event::Message(message) if !message.has_dps() => acknowledgement,
            Event::Message(_) => state,
            Event::Failed(_) => error,
            Event::Fresh | Event::Stale(_) => freshness,
            Event::Lagged(_) => lag,
            Event::Skipped { .. } => skipped,
            Event::ValuesDropped { .. } => dropped,
            Event::Ignored { .. } => ignored,
            _ => connection,
        }
    }

    /// Command number of the frame, or of the command that failed.
    #[getter]
    fn cmd(&self) -> Option<u32> {
        let command = match &self.event {
            Event::Message(message) => Some(message.command()),
            Event::Failed(failed) => Some(failed.command),
            Event::Skipped { command, .. } | Event::Ignored { command, .. } => Some(*command),
            _ => None,
        };
        command.map(|command| command.0)
    }

    /// Sequence number of the frame.
    #[getter]
    fn seqno(&self) -> Option<u32> {
        self.message().map(Message::seqno)
    }

    /// The parsed JSON of the frame, or its text if it is not JSON; for other events, a dict with details.
    #[getter]
    fn payload(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.payload.get_or_try_init(py, || self.make_payload(py)).map(|payload| payload.clone_ref(py))
    }

    /// The DPs in the frame.
    #[getter]
    fn dps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        match self.message() {
            Some(message) => convert::map_to_python(py, &message.dps()),
            None => Ok(PyDict::new(py)),
        }
    }

    /// The cid of the sub-device, if the event is about one.
    #[getter]
    fn cid(&self) -> Option<&str> {
        match &self.event {
            Event::SubDevice { cid, .. } => Some(cid),
            Event::Failed(failed) => failed.cid.as_deref(),
            _ => self.message().and_then(Message::cid),
        }
    }

    /// Return code of the frame, if it has one.
    #[getter]
    fn retcode(&self) -> Option<u32> {
        self.message().and_then(Message::retcode)
    }

    /// The exception of the failed command.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let failed = self.failed()?;
        Some(errors::for_event(py, &failed.error).into_value(py).into_any())
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let item = match text(key).as_deref() {
            Some("device_id") => return id_of(slf).ok_or_else(|| key_error(key)),
            Some(key) => slf.get().item(slf.py(), key)?,
            None => None,
        };
        item.ok_or_else(|| key_error(key))
    }

    /// Returns the value under a name, or the default for an unknown name.
    #[doc = docstring!(args: key_of_event default)]
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match Self::__getitem__(slf, key) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_instance_of::<PyKeyError>(slf.py()) => Ok(default),
            Err(error) => Err(error),
        }
    }

    fn __contains__(slf: &Bound<'_, Self>, key: &Bound<'_, PyAny>) -> bool {
        text(key).is_some_and(|key| names(slf).contains(&&*key))
    }

    fn __len__(slf: &Bound<'_, Self>) -> usize {
        names(slf).len()
    }

    /// The names of this event's values.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(slf.py(), names(slf))
    }

    /// The values, in the order of the names.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let values: Vec<_> = names(slf).iter().map(|name| slf.get_item(name)).collect::<PyResult<_>>()?;
        PyTuple::new(slf.py(), values)
    }

    /// Pairs of names and values.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let pairs = names(slf).iter().map(|name| Ok((*name, slf.get_item(name)?)));
        PyTuple::new(slf.py(), pairs.collect::<PyResult<Vec<_>>>()?)
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        Self::keys(slf)?.try_iter()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let class = slf.get_type().name()?;
        let fields: &[&str] = match slf.cast::<ManagerEvent>() {
            Ok(_) => &["device_id", "kind", "cmd", "seqno", "cid", "payload"],
            Err(_) => &["kind", "cmd", "seqno", "cid", "payload"],
        };
        show(slf.as_any(), &class.to_cow()?, fields)
    }
}

fn names(event: &Bound<'_, DeviceEvent>) -> &'static [&'static str] {
    if event.cast::<ManagerEvent>().is_ok() { &MANAGER_KEYS } else { &KEYS }
}

fn id_of<'py>(event: &Bound<'py, DeviceEvent>) -> Option<Bound<'py, PyAny>> {
    let event = event.cast::<ManagerEvent>().ok()?;
    Some(PyString::new(event.py(), &event.get().id).into_any())
}

#[pymethods]
impl ManagerEvent {
    /// Id of the device; empty for the kind "lag", which concerns the listener.
    #[getter]
    fn device_id(&self) -> &str {
        &self.id
    }
}

pub(crate) fn device_event(py: Python<'_>, event: Event) -> PyResult<Py<PyAny>> {
    Ok(Bound::new(py, DeviceEvent::new(event))?.into_any().unbind())
}

pub(crate) fn manager_event(py: Python<'_>, event: rustuya_runtime_tokio::ManagerEvent) -> PyResult<Py<PyAny>> {
    let whole =
        PyClassInitializer::from(DeviceEvent::new(event.event)).add_subclass(ManagerEvent { id: event.device_id });
    Ok(Bound::new(py, whole)?.into_any().unbind())
}

pub(crate) fn request(py: Python<'_>, request: rustuya_virtual_device::Request) -> PyResult<Py<PyAny>> {
    let payload = request.payload.as_ref().map(|payload| convert::to_python(py, payload)).transpose()?;
    let _inside = lifecycle::enter(py);
    let class = models::class(py, "Request")?;
    Ok(class.call1((request.command.0, request.name, request.seqno, request.cid, payload))?.unbind())
}
