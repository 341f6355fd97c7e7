//! Conversion of Rust's errors to the exceptions of `rustuya.exceptions`, each with its number.

use pyo3::prelude::*;
use rustuya_proto::SendError;
use rustuya_runtime_tokio::{
    AddError, CommandError, ConfigError, DevicesFileError, DownReason, is_out_of_descriptors, text,
};
use rustuya_virtual_device::SimulationError;

use crate::exceptions::{invalid_key, leaf, with};
use crate::reasons::classify;
use crate::{convert, lifecycle, models};

pub(crate) fn config(py: Python<'_>, error: ConfigError) -> PyErr {
    let text = |source: &dyn core::fmt::Display| format!("{error}: {source}");
    match &error {
        ConfigError::Id(source) => leaf(py, "InvalidId", 912, &text(source)),
        ConfigError::Key(source) => invalid_key(py, *source),
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

/// Converts the error of the engine's start.
pub(crate) fn no_engine(py: Python<'_>, error: std::io::Error) -> PyErr {
    if is_out_of_descriptors(&error) {
        return system(py, error);
    }
    leaf(py, "ClosedError", 906, &format!("the threads for input and output cannot be started: {error}"))
}

/// Converts an error of the operating system.
pub(crate) fn system(py: Python<'_>, error: std::io::Error) -> PyErr {
    if !is_out_of_descriptors(&error) {
        return error.into();
    }
    let reason = DownReason::OutOfDescriptors;
    let (name, code, reason_name) = classify(reason);
    with(py, leaf(py, name, code, &format!("{reason}: {}", reason.advice())), "reason", reason_name)
}

/// Returns the exception's name and number of a command's error.
pub(crate) fn command_code(error: &CommandError) -> (&'static str, u16) {
    match error {
        CommandError::Rejected { .. } => ("CommandRejected", 904),
        CommandError::NoAnswer | CommandError::Unanswered => ("DeviceTimeout", 902),
        CommandError::NotConnected { reason: None } => ("DeviceOffline", 905),
        CommandError::ConnectionLost { reason: DownReason::Unresponsive } => ("DeviceTimeout", 902),
        CommandError::ConnectionLost { reason } if reason.is_auth() => {
            let (name, code, _) = classify(*reason);
            (name, code)
        }
        CommandError::ConnectionLost { .. } => ("ConnectionLost", 901),
        CommandError::NotConnected { reason: Some(reason) } => {
            let (name, code, _) = classify(*reason);
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
    if *error == CommandError::Closed && lifecycle::is_ending() {
        return leaf(py, "ClosedError", 906, "the interpreter is ending");
    }
    with(py, described(py, &format!("{id}: {error}"), error), "device_id", id)
}

/// Converts the error of a command that nothing waits for. Its event names the device.
pub(crate) fn for_event(py: Python<'_>, error: &CommandError) -> PyErr {
    described(py, &error.to_string(), error)
}

fn described(py: Python<'_>, text: &str, error: &CommandError) -> PyErr {
    let (name, code) = command_code(error);
    let mut raised = leaf(py, name, code, text);
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
        raised = with(py, raised, "reason", classify(reason).2);
        if let Ok(diagnosis) = models::diagnosis(py, Some(reason)) {
            raised = with(py, raised, "diagnosis", diagnosis.map(Bound::unbind));
        }
    }
    raised
}

/// Makes the error that `open` would raise, with the name of the file.
pub(crate) fn file_error(py: Python<'_>, path: &str, source: std::io::Error) -> PyErr {
    let _inside = lifecycle::enter(py);
    let text = |code| py.import("os")?.call_method1("strerror", (code,))?.extract::<String>();
    match source.raw_os_error().map(|code| (code, text(code))) {
        Some((code, Ok(text))) => pyo3::exceptions::PyOSError::new_err((code, text, path.to_owned())),
        _ => source.into(),
    }
}

pub(crate) fn devices_file(py: Python<'_>, path: &str, error: DevicesFileError) -> PyErr {
    let path = if text::may_be_key(path) { "the devices file" } else { path };
    match error {
        DevicesFileError::Io(source) | DevicesFileError::Write(source) => file_error(py, path, source),
        DevicesFileError::Ambiguous(_) => leaf(py, "DeviceNotFound", 912, &format!("{path}: {error}")),
        other => leaf(py, "ConfigError", 912, &format!("{path}: {other}")),
    }
}

pub(crate) fn simulation(py: Python<'_>, error: SimulationError) -> PyErr {
    let source = core::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
    match error {
        SimulationError::Key(source) => invalid_key(py, source),
        SimulationError::Id(_) => leaf(py, "InvalidId", 912, &format!("{error}{source}")),
        SimulationError::Impossible { dp, .. } => with(py, leaf(py, "InvalidValue", 903, &error.to_string()), "dp", dp),
        SimulationError::Dps => leaf(py, "InvalidDp", 903, &error.to_string()),
        other => leaf(py, "ConfigError", 912, &format!("{other}{source}")),
    }
}
