//! `Fetched`, and the records of `rustuya.cloud`.

use core::net::IpAddr;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule};
use rustuya_cloud::{Change, CloudDevice, DevicesJson, Fetched as CloudFetched, Heard, Progress, QrText};
use rustuya_runtime_tokio::Version;

use crate::docstring::docstring;
use crate::{args, cloud_errors, convert, lifecycle};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let module = MODULE.get_or_try_init(py, || py.import("rustuya.cloud._records").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// Devices of an account, as the cloud lists them.
#[pyclass(frozen, module = "rustuya.cloud")]
pub(crate) struct Fetched(pub(crate) Box<CloudFetched>);

#[pymethods]
impl Fetched {
    /// The devices, in the cloud's order: a new list of `CloudDevice`.
    #[getter]
    fn devices<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let _inside = lifecycle::enter(py);
        self.0.devices.iter().map(|listed| device(py, listed)).collect()
    }

    /// Failures of single requests: a new list of `Note`.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let _inside = lifecycle::enter(py);
        let note = |note: &rustuya_cloud::Note| {
            class(py, "Note")?.call1((&note.about, cloud_errors::fetch(py, &note.error).into_value(py)))
        };
        self.0.notes.iter().map(note).collect()
    }

    /// Code of the data centre that has the devices; None if it is not known, as after `fetch_with_app`.
    #[getter]
    fn region(&self) -> Option<&'static str> {
        self.0.endpoint.centre.map(rustuya_cloud::DataCentre::code)
    }

    /// The cloud's clock less that of this computer, in seconds.
    #[getter]
    #[expect(clippy::cast_precision_loss, reason = "no clock is that far off")]
    fn clock_offset(&self) -> f64 {
        self.0.clock_offset_ms as f64 / 1000.0
    }

    /// Number of requests that the fetch took.
    #[getter]
    fn calls(&self) -> u32 {
        self.0.calls
    }

    /// Brings a `devices.json` up to date, in tinytuya's format. Creates the file if there is none; only its owner can
    /// read it, and it is replaced in one step. Keeps entries and fields of the file that the cloud does not have.
    #[doc = docstring!(args: path_written heard)]
    #[doc = docstring!(returns: written)]
    #[doc = docstring!(raises: devices_json types)]
    #[pyo3(signature = (path, heard=None))]
    fn write<'py>(
        &self,
        py: Python<'py>,
        path: args::Path,
        heard: Option<args::Heard<'py>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let path = path.0;
        let heard = heard.into_iter().flat_map(|heard| heard.0);
        let heard = heard.map(|device| self::heard(&device)).collect::<PyResult<Vec<_>>>()?;
        let merged = py.detach(|| {
            let mut file = DevicesJson::read(&path)?;
            let merged = file.merge(&self.0.devices, &self.0.endpoint.icons(), &heard);
            file.write(&path).map(|()| merged)
        });
        let merged = merged.map_err(|error| cloud_errors::devices_json(py, &path, error))?;
        let _inside = lifecycle::enter(py);
        let changes = PyDict::new(py);
        for (listed, change) in self.0.devices.iter().zip(&merged.changes) {
            changes.set_item(&listed.id, change_name(*change))?;
        }
        class(py, "Written")?.call1((changes, merged.new, merged.kept))
    }

    fn __len__(&self) -> usize {
        self.0.devices.len()
    }

    fn __repr__(&self) -> String {
        format!("<rustuya.cloud.Fetched of {} devices from {}>", self.0.devices.len(), self.0.endpoint.name())
    }
}

/// Reads a device that a scan found.
fn heard(found: &Bound<'_, PyAny>) -> PyResult<Heard> {
    let _inside = lifecycle::enter(found.py());
    let wrong = |_| args::wrong_type(found, "heard", "several DiscoveredDevice, as Scanner.scan() returns them");
    let text = |name| found.getattr(name)?.extract::<Option<String>>();
    let id = text("id").map_err(wrong)?.unwrap_or_default();
    let address: Option<IpAddr> = text("ip").map_err(wrong)?.and_then(|ip| ip.parse().ok());
    let version = text("version").map_err(wrong)?.and_then(|version| version.parse().ok()).map(Version::as_str);
    let address =
        address.ok_or_else(|| args::wrong_type(found, "heard", "several DiscoveredDevice, each with an ip"))?;
    Ok(Heard { id, address, version })
}

/// All names of changes.
pub(crate) const CHANGES: [&str; 4] = ["new", "key", "field", "same"];

const fn change_name(change: Change) -> &'static str {
    let [new, key, field, same] = CHANGES;
    match change {
        Change::New => new,
        Change::Key => key,
        Change::Other => field,
        _ => same,
    }
}

fn device<'py>(py: Python<'py>, device: &CloudDevice) -> PyResult<Bound<'py, PyAny>> {
    let mapping = device.mapping.as_ref().map(|mapping| convert::to_python(py, &mapping.to_json())).transpose()?;
    let fields = PyDict::new(py);
    fields.set_item("id", &device.id)?;
    fields.set_item("name", &device.name)?;
    fields.set_item("local_key", device.key.expose())?;
    fields.set_item("category", &device.category)?;
    fields.set_item("product_id", &device.product_id)?;
    fields.set_item("product_name", &device.product_name)?;
    fields.set_item("model", &device.model)?;
    fields.set_item("mac", &device.mac)?;
    fields.set_item("uuid", &device.uuid)?;
    fields.set_item("sn", &device.sn)?;
    fields.set_item("is_sub_device", device.is_child())?;
    fields.set_item("gateway_id", &device.gateway_id)?;
    fields.set_item("node_id", &device.node_id)?;
    fields.set_item("icon", &device.icon)?;
    fields.set_item("online", device.is_online)?;
    fields.set_item("mapping", mapping)?;
    class(py, "CloudDevice")?.call((), Some(&fields))
}

/// Creates the record of a step.
#[expect(clippy::cast_precision_loss, reason = "no clock is that far off")]
pub(crate) fn progress<'py>(py: Python<'py>, news: &Progress) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let fields = PyDict::new(py);
    match news {
        Progress::Trying(place) | Progress::Accepted(place) => fields.set_item("place", place)?,
        Progress::Refused(tried) => {
            fields.set_item("place", &tried.place)?;
            fields.set_item("error", cloud_errors::fetch(py, &tried.error).into_value(py))?;
        }
        Progress::Clock(ms) => fields.set_item("seconds", *ms as f64 / 1000.0)?,
        Progress::Devices(count) => fields.set_item("count", *count)?,
        Progress::Product { at, of } => {
            fields.set_item("count", *at)?;
            fields.set_item("total", *of)?;
        }
        Progress::Waiting(time, error) => {
            fields.set_item("seconds", time.as_secs_f64())?;
            fields.set_item("error", cloud_errors::fetch(py, error).into_value(py))?;
        }
        Progress::Code(text) => fields.set_item("code", qr_code(py, text)?)?,
        _ => {}
    }
    class(py, "Progress")?.call((news.kind(), news.to_string()), Some(&fields))
}

fn qr_code<'py>(py: Python<'py>, text: &QrText) -> PyResult<Bound<'py, PyAny>> {
    class(py, "QrCode")?.call1((text.expose(), text.draw().unwrap_or_default()))
}
