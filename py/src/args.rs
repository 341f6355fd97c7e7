//! Arguments of public functions. What does not fit is refused in the words of this package: which argument it is, what
//! is wanted, and the type of what was given, never its value, which may be a key.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyMapping, PyString};

use crate::{engine, errors};

/// Something that can be read from an argument, or cannot.
trait Given<'py>: Sized {
    /// What it is read from, and `Err(true)` where only the range is wrong.
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool>;
}

fn given<'py, T: Given<'py>>(value: &Bound<'py, PyAny>, name: &str, wanted: &str) -> PyResult<T> {
    let inside = engine::enter(value.py());
    let taken = T::take(value);
    drop(inside);
    taken.map_err(|range| if range { out_of_range(value.py(), name, wanted) } else { wrong_type(value, name, wanted) })
}

/// The type of an argument is wrong.
pub(crate) fn wrong_type(value: &Bound<'_, PyAny>, name: &str, wanted: &str) -> PyErr {
    let text = format!("{name} must be {wanted}, not {}", type_name(value));
    errors::leaf(value.py(), "InvalidType", 912, &text)
}

fn out_of_range(py: Python<'_>, name: &str, wanted: &str) -> PyErr {
    errors::leaf(py, "InvalidValue", 903, &format!("{name} must be {wanted}"))
}

/// The name of a value's type.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    if value.is_none() {
        return "None".to_owned();
    }
    value.get_type().name().map_or_else(|_| "what was given".to_owned(), |name| name.to_string())
}

/// Text, unless it has halves of characters, which no encoding carries.
pub(crate) fn text(value: &Bound<'_, PyString>) -> PyResult<String> {
    value.to_cow().map(std::borrow::Cow::into_owned).map_err(|_| {
        errors::leaf(value.py(), "InvalidValue", 903, "the text has surrogates, which cannot be written as UTF-8")
    })
}

impl<'py> Given<'py> for String {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let text = value.cast::<PyString>().map_err(|_| false)?;
        text.to_cow().map(std::borrow::Cow::into_owned).map_err(|_| true)
    }
}

impl<'py> Given<'py> for bool {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        value.cast::<PyBool>().map(|value| value.is_true()).map_err(|_| false)
    }
}

impl<'py> Given<'py> for f64 {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        if value.is_instance_of::<PyBool>() {
            return Err(false);
        }
        let number = value.extract::<Self>().map_err(|error| !is_type_error(value.py(), &error))?;
        if number.is_nan() { Err(true) } else { Ok(number) }
    }
}

/// How long a dial may take, in seconds. More is refused: it was meant in milliseconds.
pub(crate) struct Dial(pub(crate) f64);

impl<'py> Given<'py> for Dial {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let seconds = f64::take(value)?;
        if seconds <= 300.0 { Ok(Self(seconds)) } else { Err(true) }
    }
}

fn is_type_error(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<pyo3::exceptions::PyTypeError>(py)
}

macro_rules! whole {
    ($($type:ty)*) => {$(
        impl<'py> Given<'py> for $type {
            fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
                if value.is_instance_of::<PyBool>() {
                    return Err(false);
                }
                value.extract::<Self>().map_err(|error| !is_type_error(value.py(), &error))
            }
        }
    )*};
}
whole!(u16 u32 usize);

/// Any iterable but text and mappings, whose parts are seldom meant.
impl<'py> Given<'py> for Vec<Bound<'py, PyAny>> {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() || value.cast::<PyMapping>().is_ok()
        {
            return Err(false);
        }
        let items = value.try_iter().map_err(|_| false)?;
        items.collect::<PyResult<_>>().map_err(|_| false)
    }
}

impl<'py> Given<'py> for Vec<String> {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<Bound<'py, PyAny>>::take(value)?.iter().map(String::take).collect()
    }
}

impl<'py> Given<'py> for [u16; 3] {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let ports = Vec::<Bound<'py, PyAny>>::take(value)?.iter().map(u16::take).collect::<Result<Vec<_>, _>>()?;
        ports.try_into().map_err(|_| true)
    }
}

impl<'py> Given<'py> for (String, u16) {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        match &*Vec::<Bound<'py, PyAny>>::take(value)? {
            [host, port] => Ok((String::take(host)?, u16::take(port)?)),
            _ => Err(true),
        }
    }
}

impl<'py> Given<'py> for Vec<(String, u16)> {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<Bound<'py, PyAny>>::take(value)?.iter().map(<(String, u16)>::take).collect()
    }
}

impl<'py> Given<'py> for Vec<u8> {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        match (value.cast::<PyBytes>(), value.cast::<PyByteArray>()) {
            (Ok(bytes), _) => Ok(bytes.as_bytes().to_vec()),
            (_, Ok(bytes)) => Ok(bytes.to_vec()),
            _ => Err(false),
        }
    }
}

impl<'py> Given<'py> for [u8; 16] {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<u8>::take(value)?.try_into().map_err(|_| true)
    }
}

impl<'py> Given<'py> for PathBuf {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        value.extract().map_err(|_| false)
    }
}

impl<'py> Given<'py> for Vec<(String, Bound<'py, PyAny>)> {
    fn take(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let map = PyDict::new(value.py());
        let entries = value.cast::<PyMapping>().map_err(|_| false)?;
        map.update(entries).map_err(|_| false)?;
        map.iter().map(|(key, value)| Ok((String::take(&key)?, value))).collect()
    }
}

/// Types of arguments, each with its name and what it must be.
macro_rules! arguments {
    ($($type:ident $(<$py:lifetime>)? ($inner:ty) $name:literal, $wanted:literal;)*) => {$(
        #[doc = concat!("`", $name, "`: ", $wanted, ".")]
        pub(crate) struct $type $(<$py>)? (pub(crate) $inner);

        arguments!(@extract $type $(<$py>)?, $name, $wanted);
    )*};
    (@extract $type:ident, $name:literal, $wanted:literal) => {
        impl FromPyObject<'_, '_> for $type {
            type Error = PyErr;

            fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
                given(&value, $name, $wanted).map(Self)
            }
        }
    };
    (@extract $type:ident <$py:lifetime>, $name:literal, $wanted:literal) => {
        impl<$py> FromPyObject<'_, $py> for $type<$py> {
            type Error = PyErr;

            fn extract(value: Borrowed<'_, $py, PyAny>) -> PyResult<Self> {
                given(&value, $name, $wanted).map(Self)
            }
        }
    };
}

arguments! {
    Id(String) "id", "text";
    Name(String) "name", "text";
    Cid(String) "cid", "text";
    DevType(String) "dev_type", "text: \"default\", \"device22\" or \"Auto\"";
    WaitFor(String) "wait", "\"ack\", \"effect\", \"queue\" or None";
    Network(String) "network", "text, such as \"192.168.5.0/24\"";
    Ip(String) "address", "an IPv4 address, as text";
    BindAddress(String) "bind_address", "an IPv4 address, as text";
    BroadcastAddress(String) "broadcast_address", "an IPv4 address, as text";
    VirtualKey(String) "local_key", "text of 16 characters";
    Bind(String) "bind", "an IP address with a port, as text, such as \"127.0.0.1:0\"";
    ProductKey(String) "product_key", "text";
    Persist(bool) "persist", "True or False";
    Nowait(bool) "nowait", "True or False";
    QueryOnConnect(bool) "query_on_connect", "True or False";
    Active(bool) "active", "True or False";
    Trust(bool) "trust", "True or False";
    Online(bool) "online", "True or False";
    UseDiscovery(bool) "discovery", "True or False";
    TrustRelayed(bool) "trust_relayed", "True or False";
    ConnectionTimeout(Dial) "connection_timeout_sec", "a number of seconds, 300 at most";
    DialSec(Dial) "timeout_sec", "a number of seconds, 300 at most";
    TimeoutMs(f64) "timeout_ms", "a number of milliseconds";
    Timeout(f64) "timeout", "a number of seconds";
    TimeoutSec(f64) "timeout_sec", "a number of seconds";
    ReceiveLimit(usize) "receive_limit", "a whole number of bytes";
    MemoryLimit(usize) "memory_limit", "a whole number of bytes";
    BacklogLimit(usize) "backlog_limit", "a whole number of bytes";
    WorkerThreads(usize) "worker_threads", "a whole number, from 1 to 64";
    DialsAtOnce(usize) "dials_at_once", "a whole number, at least 1";
    Retcode(u32) "retcode", "a whole number from 0 to 4294967295";
    Port(u16) "port", "a TCP port: a whole number from 0 to 65535";
    Command(u32) "command", "a whole number from 0 to 4294967295, such as CommandType.Control";
    Ports([u16; 3]) "ports", "three UDP ports: whole numbers from 0 to 65535";
    ProbeTo(Vec<(String, u16)>) "probe_to", "pairs of an IPv4 address and a UDP port";
    Addresses(Vec<(String, u16)>) "addresses", "pairs of an IPv4 address and a UDP port";
    AnnounceTo(Vec<(String, u16)>) "announce_to", "pairs of an IP address and a UDP port";
    Probes((String, u16)) "probes", "a pair of an IP address and a UDP port";
    Quirks(Vec<String>) "quirks", "names, as text";
    Offline(Vec<String>) "offline", "cids, as text";
    Data(Vec<u8>) "data", "bytes";
    Datagram(Vec<u8>) "datagram", "bytes";
    ClientNonce([u8; 16]) "client_nonce", "16 bytes";
    DeviceNonce([u8; 16]) "device_nonce", "16 bytes";
    Path(PathBuf) "path", "a path: text, or an os.PathLike of text";
    Dps<'py>(Vec<Bound<'py, PyAny>>) "dps", "several DPs, such as [1, 2]";
    DpIds<'py>(Vec<Bound<'py, PyAny>>) "dp_ids", "several DPs, such as [1, 2]";
    Subs<'py>(Vec<(String, Bound<'py, PyAny>)>) "subs", "a mapping of cids, as text, to mappings of DPs";
}

/// Readers of arguments that have a default which `help()` shows.
macro_rules! readers {
    ($($function:ident($inner:ty) $name:literal, $wanted:literal;)*) => {$(
        #[doc = concat!("`", $name, "`: ", $wanted, ".")]
        pub(crate) fn $function(value: &Bound<'_, PyAny>) -> PyResult<$inner> {
            given(value, $name, $wanted)
        }
    )*};
}

readers! {
    sweep_port(u16) "port", "a TCP port: a whole number from 0 to 65535";
    probe_port(u16) "probe_port", "a UDP port: a whole number from 0 to 65535";
    announce_every(f64) "announce_every", "a number of seconds";
    max_clients(usize) "max_clients", "a whole number, 0 or more";
    idle(f64) "idle", "a number of seconds";
    strict(bool) "strict", "True or False";
    seqno(u32) "seqno", "a whole number from 0 to 4294967295";
}

/// `timeout`: a number of seconds, or None.
pub(crate) fn timeout(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    if value.is_none() { Ok(None) } else { given(value, "timeout", "a number of seconds, or None").map(Some) }
}

/// `sender`: who sends a frame.
pub(crate) fn sender(value: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let wanted = "\"client\" or \"device\"";
    match &*given::<String>(value, "sender", wanted)? {
        "client" => Ok("client"),
        "device" => Ok("device"),
        _ => Err(errors::leaf(value.py(), "ConfigError", 912, &format!("sender must be {wanted}"))),
    }
}
