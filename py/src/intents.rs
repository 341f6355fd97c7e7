//! Arguments of verbs as intents, and the errors of intents.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString, PyTuple};
use rustuya_entities::{Entity, EntityKind, Intent, IntentError, Level};

use crate::{args, exceptions, lifecycle};

/// Converts the error of an intent.
pub(crate) fn error(py: Python<'_>, error: &IntentError) -> PyErr {
    let (name, code) = match error {
        IntentError::UnknownState { .. } => ("UnknownState", 906),
        IntentError::Unsupported { .. } | IntentError::ReadOnly { .. } | IntentError::WrongKind { .. } => {
            ("Unsupported", 907)
        }
        _ => ("InvalidValue", 903),
    };
    exceptions::leaf(py, name, code, &error.to_string())
}

/// Makes one intent of the arguments of a verb. None stands for an argument that is not given.
pub(crate) fn intent(entity: &Entity, parts: &Bound<'_, PyDict>) -> PyResult<Intent> {
    let py = parts.py();
    let mut texts = Vec::new();
    for (name, value) in parts {
        if value.is_none() {
            continue;
        }
        let name = name.cast::<PyString>().map_err(|_| args::wrong_type(&name, "name", "text"))?;
        let name = args::text(name)?;
        let text = text(entity, &name, &value)?;
        texts.push((name, text));
    }
    // Blanks at the ends are part of a text.
    if let (EntityKind::Text, [(name, text)]) = (entity.kind, texts.as_slice())
        && matches!(name.as_str(), "" | "value")
    {
        return Ok(Intent::Text(text.clone()));
    }
    let pairs = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    entity.intents(pairs).map_err(|refused| error(py, &refused))
}

/// Returns an argument as the text that intents are read from.
fn text(entity: &Entity, name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    if let Ok(text) = value.cast::<PyString>() {
        return args::text(text);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(if flag.is_true() { "on" } else { "off" }.to_owned());
    }
    if let Ok(parts) = value.cast::<PyTuple>() {
        let parts = parts.iter().map(|part| number(&part, name)).collect::<PyResult<Vec<_>>>()?;
        return Ok(parts.join(","));
    }
    let text = number(value, name)?;
    if entity.kind == EntityKind::Light && matches!(name, "brightness" | "white") {
        // Numbers without a unit count from 1 to 255.
        let byte = text.parse::<rustuya_entities::Number>().ok().and_then(|number| number.exact(0));
        let level = Level::from_byte(byte.and_then(|byte| u8::try_from(byte).ok()).unwrap_or(0));
        return level.map(|level| format!("{}%", level.number())).map_err(|refused| error(py, &refused.into()));
    }
    Ok(text)
}

/// Returns the digits of a number.
fn number(value: &Bound<'_, PyAny>, name: &str) -> PyResult<String> {
    let _inside = lifecycle::enter(value.py());
    let is_decimal = value.get_type().module().is_ok_and(|module| module == "decimal");
    let is_number = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() || is_decimal;
    if !is_number || value.is_instance_of::<PyBool>() {
        return Err(args::wrong_type(value, name, "a number, text, True or False"));
    }
    // A subclass, such as an `IntEnum`, may have another text.
    if value.is_instance_of::<PyInt>() {
        return Ok(value.call_method0("__index__")?.str()?.to_cow()?.into_owned());
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(PyFloat::new(value.py(), value.extract()?).str()?.to_cow()?.into_owned());
    }
    Ok(value.str()?.to_cow()?.into_owned())
}
