//! Rust's errors as the leaves of `rustuya.exceptions`, each with its number.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyModule;
use rustuya_proto::{InvalidKey, SendError};
use rustuya_runtime_tokio::{
    AddError, CommandError, ConfigError, DevicesFileError, DownReason, SimulationError, is_out_of_descriptors, text,
};

use crate::{convert, engine, models};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// An exception of the package. `code` is one of tinytuya's numbers.
pub(crate) fn leaf(py: Python<'_>, name: &str, code: u16, text: &str) -> PyErr {
    make(py, name, code, text).unwrap_or_else(|error| error)
}

fn make(py: Python<'_>, name: &str, code: u16, text: &str) -> PyResult<PyErr> {
    let _inside = engine::enter(py);
    let module = MODULE.get_or_try_init(py, || py.import("rustuya.exceptions").map(Bound::unbind))?;
    let value = module.bind(py).getattr(name)?.call1((text,))?;
    value.setattr("code", code)?;
    Ok(PyErr::from_value(value))
}

fn with(py: Python<'_>, error: PyErr, name: &str, value: impl for<'py> IntoPyObject<'py>) -> PyErr {
    // Without the attribute it is still the right error.
    let _ = error.value(py).setattr(name, value);
    error
}

/// What was given, for the text of an error, unless it may be a local key in the place of something else.
pub(crate) fn quoted(text: &str) -> String {
    if text::may_be_key(text) { "what may be a local key".to_owned() } else { format!("{text:?}") }
}

pub(crate) fn no_address(py: Python<'_>, text: &str) -> PyErr {
    leaf(py, "InvalidAddress", 912, &format!("{} is no IPv4 address", quoted(text)))
}

pub(crate) fn no_network(py: Python<'_>, error: rustuya_runtime_tokio::NetworkError) -> PyErr {
    leaf(py, "InvalidAddress", 912, &error.to_string())
}

pub(crate) fn no_version(py: Python<'_>, text: &str) -> PyErr {
    let text = format!("{} is no known version: give 3.1, 3.2, 3.3, 3.4, 3.5 or \"Auto\"", quoted(text));
    leaf(py, "InvalidVersion", 914, &text)
}

pub(crate) fn no_key(py: Python<'_>, error: InvalidKey) -> PyErr {
    leaf(py, "InvalidKey", 914, &error.to_string())
}

/// What was given as a DP is none.
pub(crate) fn no_dp(given: &Bound<'_, PyAny>, text: &str) -> PyErr {
    with(given.py(), leaf(given.py(), "InvalidDp", 903, text), "dp", given.clone().unbind())
}

pub(crate) fn config(py: Python<'_>, error: ConfigError) -> PyErr {
    let text = |source: &dyn core::fmt::Display| format!("{error}: {source}");
    match &error {
        ConfigError::Id(source) => leaf(py, "InvalidId", 912, &text(source)),
        ConfigError::Key(source) => no_key(py, *source),
        ConfigError::Version(source) => leaf(py, "InvalidVersion", 914, &text(source)),
        ConfigError::Address => leaf(py, "InvalidAddress", 912, &error.to_string()),
        other => leaf(py, "ConfigError", 912, &other.to_string()),
    }
}

pub(crate) fn add(py: Python<'_>, id: &str, error: AddError) -> PyErr {
    match error {
        AddError::DuplicateDevice => {
            with(py, leaf(py, "DuplicateDevice", 912, &format!("{id}: {error}")), "device_id", id)
        }
        AddError::Conflict => {
            let text = format!(
                "{id}: this process has a connection to the device already, with another address, key, version or setting, \
                 and a device has one connection: give the same, or change it with Manager.add() or reconfigure()"
            );
            with(py, leaf(py, "DeviceConflict", 912, &text), "device_id", id)
        }
        AddError::Config(error) => config(py, error),
        AddError::Discovery(ref source) => leaf(py, "DiscoveryError", 901, &format!("{error}: {source}")),
        AddError::Closed => leaf(py, "ClosedError", 906, &error.to_string()),
        other => leaf(py, "TuyaError", 906, &other.to_string()),
    }
}

/// The threads for input and output cannot be started.
pub(crate) fn no_engine(py: Python<'_>, error: std::io::Error) -> PyErr {
    if is_out_of_descriptors(&error) {
        return system(py, error);
    }
    leaf(py, "ClosedError", 906, &format!("the threads for input and output cannot be started: {error}"))
}

/// What the operating system says.
pub(crate) fn system(py: Python<'_>, error: std::io::Error) -> PyErr {
    if !is_out_of_descriptors(&error) {
        return error.into();
    }
    let reason = DownReason::OutOfDescriptors;
    let (name, code, word) = down(reason);
    with(py, leaf(py, name, code, &format!("{reason}: {}", reason.advice())), "reason", word)
}

/// The number of a reason, and the leaf that names what is to be done about it.
pub(crate) const fn down(reason: DownReason) -> (&'static str, u16, &'static str) {
    match reason {
        DownReason::Unreachable => ("DeviceOffline", 905, "unreachable"),
        DownReason::Refused => ("DeviceOffline", 901, "refused"),
        DownReason::Busy => ("DeviceBusy", 901, "busy"),
        DownReason::Silent => ("DeviceTimeout", 902, "silent"),
        DownReason::WrongKey { .. } => ("WrongKey", 914, "wrong_key"),
        DownReason::WrongVersion { .. } => ("WrongVersion", 914, "wrong_version"),
        DownReason::TooOld { .. } => ("WrongVersion", 914, "too_old"),
        DownReason::LeftOut { .. } => ("WrongVersion", 914, "left_out"),
        DownReason::KeyOrVersion => ("KeyOrVersionError", 914, "key_or_version"),
        DownReason::PeerClosed => ("ConnectionLost", 901, "peer_closed"),
        DownReason::Unresponsive => ("DeviceTimeout", 902, "unresponsive"),
        DownReason::Garbage => ("PayloadError", 904, "garbage"),
        DownReason::Unresolved => ("DeviceOffline", 905, "unresolved"),
        DownReason::OutOfDescriptors => ("OutOfDescriptors", 901, "out_of_descriptors"),
        DownReason::Relayed => ("DeviceOffline", 905, "relayed"),
        DownReason::Ended => ("ClosedError", 906, "ended"),
        _ => ("ConnectError", 901, "other"),
    }
}

/// The version that a device speaks instead, where that is the reason, and whether the reason is proven.
pub(crate) const fn evidence(reason: DownReason) -> (Option<&'static str>, bool) {
    match reason {
        DownReason::WrongVersion { speaks: Some(version) }
        | DownReason::TooOld { version }
        | DownReason::LeftOut { version } => (Some(version.as_str()), true),
        DownReason::WrongKey { sure } => (None, sure),
        // Closing and silence are told by what was seen, and prove nothing about the cause.
        DownReason::KeyOrVersion => (None, false),
        _ => (None, true),
    }
}

/// The number and the leaf of a command's error.
pub(crate) fn command_code(error: &CommandError) -> (&'static str, u16) {
    match error {
        CommandError::Rejected { .. } => ("CommandRejected", 904),
        CommandError::NoAnswer | CommandError::Unanswered => ("DeviceTimeout", 902),
        CommandError::NotConnected { reason: None } => ("DeviceOffline", 905),
        CommandError::ConnectionLost { reason: DownReason::Unresponsive } => ("DeviceTimeout", 902),
        CommandError::ConnectionLost { reason } if reason.is_auth() => {
            let (name, code, _) = down(*reason);
            (name, code)
        }
        CommandError::ConnectionLost { .. } => ("ConnectionLost", 901),
        CommandError::NotConnected { reason: Some(reason) } => {
            let (name, code, _) = down(*reason);
            (name, code)
        }
        CommandError::Busy => ("DeviceBusy", 902),
        CommandError::SubDeviceOffline => ("SubDeviceOffline", 905),
        CommandError::Closed | CommandError::RuntimeGone => ("ClosedError", 906),
        CommandError::TooLarge => ("TooLarge", 903),
        CommandError::NoEffect { .. } => ("NoEffect", 904),
        CommandError::Partial { cause, .. } => ("PartialWrite", command_code(cause).1),
        CommandError::AnswerTooLarge { .. } => ("TooLarge", 904),
        CommandError::InvalidDp(_) => ("InvalidDp", 903),
        CommandError::InvalidValue(_) => ("InvalidValue", 903),
        CommandError::Invalid(SendError::InvalidData) => ("InvalidValue", 903),
        _ => ("PayloadError", 904),
    }
}

pub(crate) fn command(py: Python<'_>, id: &str, error: &CommandError) -> PyErr {
    if *error == CommandError::Closed && engine::is_ending() {
        return leaf(py, "ClosedError", 906, "the interpreter is ending");
    }
    with(py, described(py, &format!("{id}: {error}"), error), "device_id", id)
}

/// The error of a command that nobody waits for; who tells it knows the device.
pub(crate) fn late(py: Python<'_>, error: &CommandError) -> PyErr {
    described(py, &error.to_string(), error)
}

fn described(py: Python<'_>, words: &str, error: &CommandError) -> PyErr {
    let (name, code) = command_code(error);
    let mut raised = leaf(py, name, code, words);
    match error {
        CommandError::Rejected { retcode, text } => {
            raised = with(py, raised, "text", text);
            raised = with(py, raised, "retcode", *retcode);
        }
        CommandError::InvalidDp(dp) => raised = with(py, raised, "dp", dp),
        CommandError::NoEffect { wanted, shown } => {
            for (name, dps) in [("wanted", wanted), ("shown", shown)] {
                if let Ok(dps) = convert::map_to_python(py, dps) {
                    raised = with(py, raised, name, dps.unbind());
                }
            }
        }
        CommandError::Partial { acknowledged, uncertain, failed, cause } => {
            for (name, dps) in [("acknowledged", acknowledged), ("uncertain", uncertain), ("failed", failed)] {
                raised = with(py, raised, name, dps);
            }
            raised = with(py, raised, "cause", described(py, &cause.to_string(), cause));
        }
        CommandError::AnswerTooLarge { len, limit } => {
            raised = with(py, raised, "size", *len);
            raised = with(py, raised, "limit", *limit);
        }
        _ => {}
    }
    let sent = matches!(
        error,
        CommandError::Rejected { .. }
            | CommandError::NoAnswer
            | CommandError::Unanswered
            | CommandError::AnswerTooLarge { .. }
            | CommandError::NoEffect { .. }
            | CommandError::Partial { .. }
            | CommandError::ConnectionLost { .. }
    );
    raised = with(py, raised, "was_sent", sent);
    if let Some(reason) = error.diagnosis() {
        raised = with(py, raised, "reason", down(reason).2);
        if let Ok(diagnosis) = models::diagnosis(py, Some(reason)) {
            raised = with(py, raised, "diagnosis", diagnosis.map(Bound::unbind));
        }
    }
    raised
}

/// The error that `open` would raise, with the name of the file.
fn unread(py: Python<'_>, path: &str, source: std::io::Error) -> PyErr {
    let _inside = engine::enter(py);
    let words = |code| py.import("os")?.call_method1("strerror", (code,))?.extract::<String>();
    match source.raw_os_error().map(|code| (code, words(code))) {
        Some((code, Ok(words))) => pyo3::exceptions::PyOSError::new_err((code, words, path.to_owned())),
        _ => source.into(),
    }
}

pub(crate) fn devices_file(py: Python<'_>, path: &str, error: DevicesFileError) -> PyErr {
    let path = if text::may_be_key(path) { "the devices file" } else { path };
    match error {
        DevicesFileError::Io(source) | DevicesFileError::Write(source) => unread(py, path, source),
        DevicesFileError::Ambiguous(_) => leaf(py, "DeviceNotFound", 912, &format!("{path}: {error}")),
        other => leaf(py, "ConfigError", 912, &format!("{path}: {other}")),
    }
}

pub(crate) fn simulation(py: Python<'_>, error: SimulationError) -> PyErr {
    let source = core::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    match error {
        SimulationError::Key(source) => no_key(py, source),
        SimulationError::Id(_) => leaf(py, "InvalidId", 912, &format!("{error}{source}")),
        SimulationError::Impossible { dp, .. } => with(py, leaf(py, "InvalidValue", 903, &error.to_string()), "dp", dp),
        SimulationError::Dps => leaf(py, "InvalidDp", 903, &error.to_string()),
        other => leaf(py, "ConfigError", 912, &format!("{other}{source}")),
    }
}
