//! Creates the records of the module `rustuya.models`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyModule, PyTuple};
use rustuya_runtime_tokio::{
    DeviceInfo, DiscoveredDevice, DownReason, Metrics, QueryReply, Reply, Stale, State, SweepEvent, Version,
};

use crate::{convert, lifecycle, reasons};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let module = MODULE.get_or_try_init(py, || py.import("rustuya.models").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// Returns the version's name, or "Auto" while it is unknown.
pub(crate) fn version(version: Option<Version>) -> &'static str {
    version.map_or("Auto", Version::as_str)
}

pub(crate) fn reply<'py>(py: Python<'py>, reply: &Reply) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let payload = reply.payload().map(|payload| convert::to_python(py, &payload)).transpose()?;
    let dps = convert::map_to_python(py, &reply.dps)?;
    class(py, "Reply")?.call1((reply.command.0, reply.retcode, payload, dps, reply.partial))
}

/// Creates a dict of the reported DPs.
pub(crate) fn queried<'py>(py: Python<'py>, state: QueryReply) -> PyResult<Bound<'py, PyAny>> {
    let dps = convert::map_to_python(py, &state.dps)?;
    class(py, "QueryReply")?.call1((dps, PyTuple::new(py, state.missing)?, state.partial))
}

/// Values of the kind of `SweepEvent`.
pub(crate) const SWEPT: [&str; 3] = ["found", "open", "progress"];

pub(crate) fn swept<'py>(py: Python<'py>, swept: &SweepEvent) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let class = class(py, "SweepEvent")?;
    let [found_kind, open, progress] = SWEPT;
    match swept {
        SweepEvent::Found(found) => class.call1((found_kind, self::found(py, found)?, found.ip.to_string())),
        SweepEvent::Open(ip) => class.call1((open, py.None(), ip.to_string())),
        SweepEvent::Progress { done, total } => class.call1((progress, py.None(), py.None(), *done, *total)),
    }
}

pub(crate) fn found<'py>(py: Python<'py>, found: &DiscoveredDevice) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let version = found.version.map(Version::as_str);
    class(py, "DiscoveredDevice")?.call1((
        &found.id,
        found.ip.to_string(),
        version,
        &found.product_key,
        found.relayed_by.map(|by| by.to_string()),
        found.unpaired,
    ))
}

pub(crate) fn diagnosis(py: Python<'_>, reason: Option<DownReason>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let Some(reason) = reason else { return Ok(None) };
    let _inside = lifecycle::enter(py);
    let (_, code, name) = reasons::classify(reason);
    let (speaks, sure) = reasons::evidence(reason);
    class(py, "Diagnosis")?.call1((code, name, reason.to_string(), reason.advice(), speaks, sure)).map(Some)
}

pub(crate) fn device_info<'py>(py: Python<'py>, info: &DeviceInfo) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let address = info.address.map_or_else(|| "Auto".to_owned(), |address| address.to_string());
    class(py, "DeviceInfo")?.call1((
        &*info.id,
        address,
        info.port,
        version(info.version),
        info.connected,
        info.last_seen.map(|age| age.as_secs_f64()),
        info.product_key.as_deref(),
        diagnosis(py, info.down)?,
    ))
}

pub(crate) fn metrics<'py>(py: Python<'py>, metrics: &Metrics) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let fields = PyDict::new(py);
    let counters = [
        ("connects", metrics.connects),
        ("reconnects", metrics.reconnects),
        ("failed_attempts", metrics.failed_attempts),
        ("frames", metrics.frames),
        ("bad_frames", metrics.bad_frames),
        ("ignored", metrics.ignored),
        ("resyncs", metrics.resyncs),
        ("sent", metrics.sent),
        ("acknowledged", metrics.acknowledged),
        ("rejected", metrics.rejected),
        ("unanswered", metrics.unanswered),
        ("lost", metrics.lost),
        ("lagged", metrics.lagged),
        ("values_dropped", metrics.values_dropped),
    ];
    for (name, value) in counters {
        fields.set_item(name, value)?;
    }
    for (name, share) in [("latency_p50", 0.5), ("latency_p99", 0.99)] {
        fields.set_item(name, metrics.latency.quantile(share).map(|time| time.as_secs_f64()))?;
    }
    class(py, "Metrics")?.call((), Some(&fields))
}

pub(crate) fn state<'py>(py: Python<'py>, state: &State) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let (values, ages, stale) = (PyDict::new(py), PyDict::new(py), PyList::empty(py));
    for (dp, reading) in &state.dps {
        let dp = dp.to_string();
        values.set_item(&dp, convert::to_python(py, &reading.value)?)?;
        ages.set_item(&dp, reading.age.as_secs_f64())?;
        if !reading.fresh {
            stale.append(&dp)?;
        }
    }
    let why = state.stale.as_ref();
    class(py, "State")?.call1((values, ages, stale, why.map(stale_reason), why.map(Stale::to_string)))
}

/// Returns the name for programs of the reason why a state may be out of date.
pub(crate) const fn stale_reason(why: &Stale) -> &'static str {
    match why {
        Stale::NotConnected => "not_connected",
        Stale::NotReported => "not_reported",
        Stale::Partly => "partly",
        Stale::SubDeviceOffline => "sub_device_offline",
        _ => "failed",
    }
}

/// Creates a dict of the diagnoses of devices.
pub(crate) fn settled<'py>(py: Python<'py>, list: &[DeviceInfo]) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let (diagnoses, unsettled) = (PyDict::new(py), PyList::empty(py));
    for info in list {
        diagnoses.set_item(&*info.id, diagnosis(py, info.down.filter(|_| !info.connected))?)?;
        if !info.is_settled() {
            unsettled.append(&*info.id)?;
        }
    }
    class(py, "Settled")?.call1((diagnoses, unsettled.to_tuple()))
}
