//! Values between Python and JSON.

use core::str::FromStr;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PyMemoryView, PySequence, PyString,
    PyTuple,
};
use rustuya_runtime_tokio::{Address, Dialect, LocalKey, Repeated, Version, VersionSpec, text};
use serde_json::{Map, Number, Value};

use crate::{args, exceptions, lifecycle};

/// Deepest nesting of lists and maps. Devices send and take none at all.
const DEPTH: usize = 32;

/// Converts a value to JSON.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    nested(value, DEPTH)
}

fn nested(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value> {
    let py = value.py();
    if depth == 0 {
        return Err(exceptions::leaf(py, "InvalidValue", 903, "the value is nested too deeply, or contains itself"));
    }
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return args::text(text).map(Value::String);
    }
    if value.is_instance_of::<PyInt>() {
        let number = value.extract::<i64>().map(Number::from).or_else(|_| value.extract::<u64>().map(Number::from));
        return number.map(Value::Number).map_err(|_| {
            exceptions::leaf(
                py,
                "InvalidValue",
                903,
                "the number does not fit into 64 bits, and no device takes more than 32",
            )
        });
    }
    if value.is_instance_of::<PyFloat>() {
        let number = Number::from_f64(value.extract()?).map(Value::Number);
        return number
            .ok_or_else(|| exceptions::leaf(py, "InvalidValue", 903, "JSON has no infinity and no not-a-number"));
    }
    if let Ok(map) = value.cast::<PyDict>() {
        return object(map, depth).map(Value::Object);
    }
    if let Ok(list) = value.cast::<PyList>() {
        return list.iter().map(|item| nested(&item, depth - 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    if let Ok(list) = value.cast::<PyTuple>() {
        return list.iter().map(|item| nested(&item, depth - 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    let is_raw = value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<PyByteArray>()
        || value.is_instance_of::<PyMemoryView>();
    if let Some(map) = other_map(value)? {
        return object(&map, depth).map(Value::Object);
    }
    if let Ok(list) = value.cast::<PySequence>().map_err(drop).and_then(|list| if is_raw { Err(()) } else { Ok(list) })
    {
        let _inside = lifecycle::enter(py);
        let items = list.to_list()?;
        return items.iter().map(|item| nested(&item, depth - 1)).collect::<PyResult<_>>().map(Value::Array);
    }
    let name = args::type_name(value);
    let advice = if is_raw {
        "encode raw DPs as base64 or hex text"
    } else {
        "JSON carries bool, int, float, str, None, sequences and mappings"
    };
    Err(exceptions::leaf(py, "InvalidType", 912, &format!("a value of type {name} cannot be sent: {advice}")))
}

fn object(map: &Bound<'_, PyDict>, depth: usize) -> PyResult<Map<String, Value>> {
    let mut object = Map::new();
    for (key, value) in map {
        let name = if let Ok(text) = key.cast::<PyString>() {
            args::text(text)?
        } else if key.is_instance_of::<PyInt>() && !key.is_instance_of::<PyBool>() {
            key.str()?.to_cow()?.into_owned()
        } else {
            let text = "the keys of a map must be text or whole numbers";
            return Err(exceptions::leaf(map.py(), "InvalidType", 912, text));
        };
        if object.contains_key(&name) {
            let text = format!("{} is given twice, as a number and as text", exceptions::quoted(&name));
            return Err(exceptions::leaf(map.py(), "InvalidValue", 903, &text));
        }
        object.insert(name, nested(&value, depth - 1)?);
    }
    Ok(object)
}

/// Copies a mapping that is not a dict into one; `None` for anything else.
fn other_map<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let _inside = lifecycle::enter(value.py());
    let Ok(mapping) = value.cast::<PyMapping>() else { return Ok(None) };
    let map = PyDict::new(value.py());
    map.update(mapping)?;
    Ok(Some(map))
}

/// Converts a map of DPs.
pub(crate) fn dps(value: &Bound<'_, PyAny>) -> PyResult<Map<String, Value>> {
    if let Ok(map) = value.cast::<PyDict>() {
        return object(map, DEPTH);
    }
    match other_map(value)? {
        Some(map) => object(&map, DEPTH),
        None => Err(args::wrong_type(value, "DPs", "a mapping, such as {\"1\": True, \"2\": 50}")),
    }
}

/// Reads a DP number, given as a number or as text.
pub(crate) fn dp(value: &Bound<'_, PyAny>) -> PyResult<u16> {
    let refused = |shown: String| {
        exceptions::invalid_dp(value, &format!("{shown} is not a DP number: DPs are numbers from 0 to 65535"))
    };
    if let Ok(text) = value.cast::<PyString>() {
        let text = args::text(text)?;
        return text.parse().map_err(|_| refused(exceptions::quoted(&text)));
    }
    if value.is_instance_of::<PyInt>() && !value.is_instance_of::<PyBool>() {
        return value.extract().map_err(|_| refused("the number".to_owned()));
    }
    Err(refused(format!("a value of type {}", args::type_name(value))))
}

/// Converts JSON to Python objects.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (_, Some(number)) => number.into_pyobject(py)?.into_any(),
            _ => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => map_to_python(py, map)?.into_any(),
    })
}

pub(crate) fn map_to_python<'py>(py: Python<'py>, map: &Map<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in map {
        dict.set_item(key, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// Reads a local key of 16 characters or bytes.
pub(crate) fn key(value: Option<&Bound<'_, PyAny>>) -> PyResult<LocalKey> {
    let Some(value) = value else {
        return Err(PyTypeError::new_err("missing required argument: 'local_key'"));
    };
    let py = value.py();
    if let Ok(text) = value.cast::<PyString>() {
        return text::local_key(&args::text(text)?).map_err(|error| exceptions::invalid_key(py, error));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return LocalKey::try_from(bytes.as_bytes()).map_err(|error| exceptions::invalid_key(py, error));
    }
    Err(args::wrong_type(value, "local_key", "text of 16 characters, or 16 bytes"))
}

/// Reads a version from text or a number; `None` for "Auto".
pub(crate) fn version(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Version>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    let is_number = value.is_instance_of::<PyFloat>() || value.is_instance_of::<PyInt>();
    if value.is_instance_of::<PyBool>() || !(is_number || value.is_instance_of::<PyString>()) {
        return Err(args::wrong_type(value, "version", "text or a number, such as \"3.4\", or \"Auto\""));
    }
    let _inside = lifecycle::enter(value.py());
    let text = &args::text(&value.str()?)?;
    let VersionSpec(version) =
        VersionSpec::from_str(text).map_err(|_| exceptions::invalid_version(value.py(), text))?;
    Ok(version)
}

/// Reads an address from text; a missing one is "Auto".
pub(crate) fn address(value: Option<&Bound<'_, PyAny>>) -> PyResult<Address> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(Address::Auto) };
    let _inside = lifecycle::enter(value.py());
    // Takes objects of the module `ipaddress`, too.
    let is_ip = value.get_type().module().is_ok_and(|module| module == "ipaddress");
    if !is_ip && !value.is_instance_of::<PyString>() {
        return Err(args::wrong_type(value, "address", "text: an IP address, a host name or \"Auto\""));
    }
    let text = &args::text(&value.str()?)?;
    Address::from_str(text).map_err(|error| {
        exceptions::leaf(value.py(), "InvalidAddress", 912, &format!("{} is an {error}", exceptions::quoted(text)))
    })
}

/// Reads a dialect by tinytuya's name for it; `None` for "Auto".
pub(crate) fn dialect(py: Python<'_>, text: &str) -> PyResult<Option<Dialect>> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Ok(None),
        "default" => Ok(Some(Dialect::Default)),
        "device22" => Ok(Some(Dialect::Device22)),
        _ => {
            let advice = format!(
                "{} is not a device type: give \"default\", \"device22\" or \"Auto\"",
                exceptions::quoted(text)
            );
            Err(exceptions::leaf(py, "ConfigError", 912, &advice))
        }
    }
}

pub(crate) const fn repeated_name(why: Repeated) -> &'static str {
    match why {
        Repeated::Reflected => "reflected",
        _ => "replayed",
    }
}

pub(crate) const fn dialect_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Default => "default",
        Dialect::Device22 => "device22",
    }
}
