//! Arguments of public functions. An invalid one is refused with its name, the wanted type and the given type, never
//! with its value, which may be a key.

use core::time::Duration;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyMapping, PyString};

use crate::{exceptions, lifecycle};

/// Type that is read from an argument.
trait FromArgument<'py>: Sized {
    /// Reads the value; `Err(true)` if only the range is wrong, `Err(false)` if the type is.
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool>;
}

fn given<'py, T: FromArgument<'py>>(value: &Bound<'py, PyAny>, name: &str, wanted: &str) -> PyResult<T> {
    let inside = lifecycle::enter(value.py());
    let result = T::read(value);
    drop(inside);
    result.map_err(|range| if range { out_of_range(value.py(), name, wanted) } else { wrong_type(value, name, wanted) })
}

/// Makes the error of an argument of the wrong type.
pub(crate) fn wrong_type(value: &Bound<'_, PyAny>, name: &str, wanted: &str) -> PyErr {
    let text = format!("{name} must be {wanted}, not {}", type_name(value));
    exceptions::leaf(value.py(), "InvalidType", 912, &text)
}

fn out_of_range(py: Python<'_>, name: &str, wanted: &str) -> PyErr {
    exceptions::leaf(py, "InvalidValue", 903, &format!("{name} must be {wanted}"))
}

/// Returns the name of a value's type.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    if value.is_none() {
        return "None".to_owned();
    }
    value.get_type().name().map_or_else(|_| "the given type".to_owned(), |name| name.to_string())
}

/// Reads text; refuses surrogates, which UTF-8 cannot encode.
pub(crate) fn text(value: &Bound<'_, PyString>) -> PyResult<String> {
    value.to_cow().map(std::borrow::Cow::into_owned).map_err(|_| {
        exceptions::leaf(value.py(), "InvalidValue", 903, "the text has surrogates, which cannot be written as UTF-8")
    })
}

impl<'py> FromArgument<'py> for String {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let text = value.cast::<PyString>().map_err(|_| false)?;
        text.to_cow().map(std::borrow::Cow::into_owned).map_err(|_| true)
    }
}

impl<'py> FromArgument<'py> for bool {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        value.cast::<PyBool>().map(|value| value.is_true()).map_err(|_| false)
    }
}

impl<'py> FromArgument<'py> for f64 {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        if value.is_instance_of::<PyBool>() {
            return Err(false);
        }
        let number = value.extract::<Self>().map_err(|error| !is_type_error(value.py(), &error))?;
        if number.is_nan() { Err(true) } else { Ok(number) }
    }
}

/// Time limit for connecting, in seconds, 300 at most. A larger number was probably meant in milliseconds.
pub(crate) struct Dial(pub(crate) f64);

impl<'py> FromArgument<'py> for Dial {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let seconds = f64::read(value)?;
        if seconds <= 300.0 { Ok(Self(seconds)) } else { Err(true) }
    }
}

fn is_type_error(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<pyo3::exceptions::PyTypeError>(py)
}

macro_rules! whole {
    ($($type:ty)*) => {$(
        impl<'py> FromArgument<'py> for $type {
            fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
                if value.is_instance_of::<PyBool>() {
                    return Err(false);
                }
                value.extract::<Self>().map_err(|error| !is_type_error(value.py(), &error))
            }
        }
    )*};
}
whole!(u16 u32 u64 usize);

/// Reads any iterable except text and mappings, where iteration is rarely intended.
impl<'py> FromArgument<'py> for Vec<Bound<'py, PyAny>> {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        if value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>() || value.cast::<PyMapping>().is_ok()
        {
            return Err(false);
        }
        let items = value.try_iter().map_err(|_| false)?;
        items.collect::<PyResult<_>>().map_err(|_| false)
    }
}

impl<'py> FromArgument<'py> for Vec<String> {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<Bound<'py, PyAny>>::read(value)?.iter().map(String::read).collect()
    }
}

impl<'py> FromArgument<'py> for [u16; 3] {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let ports = Vec::<Bound<'py, PyAny>>::read(value)?.iter().map(u16::read).collect::<Result<Vec<_>, _>>()?;
        ports.try_into().map_err(|_| true)
    }
}

impl<'py> FromArgument<'py> for (String, u16) {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        match &*Vec::<Bound<'py, PyAny>>::read(value)? {
            [host, port] => Ok((String::read(host)?, u16::read(port)?)),
            _ => Err(true),
        }
    }
}

impl<'py> FromArgument<'py> for Vec<(String, u16)> {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<Bound<'py, PyAny>>::read(value)?.iter().map(<(String, u16)>::read).collect()
    }
}

impl<'py> FromArgument<'py> for Vec<u8> {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        match (value.cast::<PyBytes>(), value.cast::<PyByteArray>()) {
            (Ok(bytes), _) => Ok(bytes.as_bytes().to_vec()),
            (_, Ok(bytes)) => Ok(bytes.to_vec()),
            _ => Err(false),
        }
    }
}

impl<'py> FromArgument<'py> for [u8; 16] {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        Vec::<u8>::read(value)?.try_into().map_err(|_| true)
    }
}

impl<'py> FromArgument<'py> for PathBuf {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        value.extract().map_err(|_| false)
    }
}

impl<'py> FromArgument<'py> for Vec<(String, Bound<'py, PyAny>)> {
    fn read(value: &Bound<'py, PyAny>) -> Result<Self, bool> {
        let map = PyDict::new(value.py());
        let entries = value.cast::<PyMapping>().map_err(|_| false)?;
        map.update(entries).map_err(|_| false)?;
        map.iter().map(|(key, value)| Ok((String::read(&key)?, value))).collect()
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
    AccessId(String) "access_id", "text";
    AccessSecret(String) "access_secret", "text";
    Region(String) "region", "text, such as \"eu\" or \"auto\"";
    Endpoint(String) "endpoint", "text: an address that begins with https://";
    ClientId(String) "client_id", "text";
    AppSchema(String) "schema", "text";
    UserCode(String) "user_code", "text";
    Mappings(bool) "mappings", "True or False";
    ProfileName(String) "profile", "text, such as \"light\"";
    Seed(u64) "seed", "a whole number from 0 to 18446744073709551615";
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
    DeviceIds(Vec<String>) "device_ids", "ids of devices, as text";
    Offline(Vec<String>) "offline", "cids, as text";
    Data(Vec<u8>) "data", "bytes";
    Datagram(Vec<u8>) "datagram", "bytes";
    ClientNonce([u8; 16]) "client_nonce", "16 bytes";
    DeviceNonce([u8; 16]) "device_nonce", "16 bytes";
    CaFile(PathBuf) "ca_file", "a path: text, or an os.PathLike of text";
    Known(PathBuf) "known", "a path: text, or an os.PathLike of text";
    Category(String) "category", "text, such as \"dj\"";
    ProductId(String) "product_id", "text";
    Model(String) "model", "text";
    Profiles(PathBuf) "profiles", "a path: text, or an os.PathLike of text";
    Overrides(PathBuf) "overrides", "a path: text, or an os.PathLike of text";
    Path(PathBuf) "path", "a path: text, or an os.PathLike of text";
    Heard<'py>(Vec<Bound<'py, PyAny>>) "heard", "several DiscoveredDevice, as Scanner.scan() returns them";
    Dps<'py>(Vec<Bound<'py, PyAny>>) "dps", "several DPs, such as [1, 2]";
    DpIds<'py>(Vec<Bound<'py, PyAny>>) "dp_ids", "several DPs, such as [1, 2]";
    Subs<'py>(Vec<(String, Bound<'py, PyAny>)>) "subs", "a mapping of cids, as text, to mappings of DPs";
}

/// Readers of arguments with a default that `help()` shows.
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
    request_timeout(f64) "timeout", "a number of seconds";
    strict(bool) "strict", "True or False";
    speed(u32) "speed", "a whole number from 0 to 4294967295";
    seqno(u32) "seqno", "a whole number from 0 to 4294967295";
}

/// Reads `timeout`: a number of seconds, or None.
pub(crate) fn timeout(value: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    if value.is_none() { Ok(None) } else { given(value, "timeout", "a number of seconds, or None").map(Some) }
}

/// Reads `sender`, the sender of a frame.
pub(crate) fn sender(value: &Bound<'_, PyAny>) -> PyResult<&'static str> {
    let wanted = "\"client\" or \"device\"";
    match &*given::<String>(value, "sender", wanted)? {
        "client" => Ok("client"),
        "device" => Ok("device"),
        _ => Err(exceptions::leaf(value.py(), "ConfigError", 912, &format!("sender must be {wanted}"))),
    }
}

/// Longest time limit, in seconds: 136 years.
const LONGEST: f64 = u32::MAX as f64;

/// Converts seconds. Infinity gives the longest limit; a negative limit is over at once.
pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    // NaN stays NaN.
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST))
        .map_err(|_| pyo3::exceptions::PyValueError::new_err("a time limit is a number of seconds, or None"))
}

/// Converts a time limit in seconds; `None` for none.
pub(crate) fn seconds(limit: Option<f64>) -> PyResult<Option<Duration>> {
    limit.map(duration).transpose()
}

/// Converts a time limit in milliseconds; `None` for none.
pub(crate) fn milliseconds(limit: Option<f64>) -> PyResult<Option<Duration>> {
    seconds(limit.map(|limit| limit / 1000.0))
        .map_err(|_| pyo3::exceptions::PyValueError::new_err("a time limit is a number of milliseconds, or None"))
}
