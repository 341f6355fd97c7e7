//! Exceptions of the package, and those that refuse an argument.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;
use rustuya_proto::InvalidKey;
use rustuya_runtime_tokio::{NetworkError, text};

use crate::lifecycle;

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Makes an exception of the package. `code` is one of tinytuya's numbers.
pub(crate) fn leaf(py: Python<'_>, name: &str, code: u16, text: &str) -> PyErr {
    make(py, name, code, text).unwrap_or_else(|error| error)
}

fn make(py: Python<'_>, name: &str, code: u16, text: &str) -> PyResult<PyErr> {
    let _inside = lifecycle::enter(py);
    let module = MODULE.get_or_try_init(py, || py.import("rustuya.exceptions").map(Bound::unbind))?;
    let value = module.bind(py).getattr(name)?.call1((text,))?;
    value.setattr("code", code)?;
    Ok(PyErr::from_value(value))
}

/// Sets an attribute of an exception.
pub(crate) fn with(py: Python<'_>, error: PyErr, name: &str, value: impl for<'py> IntoPyObject<'py>) -> PyErr {
    // Without the attribute it is still the right error.
    let _ = error.value(py).setattr(name, value);
    error
}

/// Quotes an argument for the text of an error, unless it may be a local key in the wrong place.
pub(crate) fn quoted(text: &str) -> String {
    if text::may_be_key(text) { "a text that may be a local key".to_owned() } else { format!("{text:?}") }
}

pub(crate) fn invalid_address(py: Python<'_>, text: &str) -> PyErr {
    leaf(py, "InvalidAddress", 912, &format!("{} is not an IPv4 address", quoted(text)))
}

pub(crate) fn invalid_network(py: Python<'_>, error: NetworkError) -> PyErr {
    leaf(py, "InvalidAddress", 912, &error.to_string())
}

pub(crate) fn invalid_version(py: Python<'_>, text: &str) -> PyErr {
    let text = format!("{} is not a known version: give 3.1, 3.2, 3.3, 3.4, 3.5 or \"Auto\"", quoted(text));
    leaf(py, "InvalidVersion", 914, &text)
}

pub(crate) fn invalid_key(py: Python<'_>, error: InvalidKey) -> PyErr {
    leaf(py, "InvalidKey", 914, &error.to_string())
}

/// Refuses an argument that is not a DP number.
pub(crate) fn invalid_dp(given: &Bound<'_, PyAny>, text: &str) -> PyErr {
    with(given.py(), leaf(given.py(), "InvalidDp", 903, text), "dp", given.clone().unbind())
}
