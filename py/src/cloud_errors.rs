//! Conversion of the cloud's errors to the exceptions of `rustuya.exceptions`.

use std::path::Path;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustuya_cloud::{Cause, ClientError, CredentialsError, DevicesJsonError, FetchError, SendFailure};
use rustuya_runtime_tokio::text;

use crate::errors::file_error;
use crate::exceptions::{leaf, with};
use crate::lifecycle;

/// Returns the exception's name and number.
fn class(error: &FetchError) -> (&'static str, u16) {
    match error.most_telling() {
        FetchError::Api(refusal) => match refusal.cause() {
            Cause::Credentials => ("CloudCredentialsError", 909),
            Cause::Token => ("CloudTokenError", 911),
            Cause::Clock => ("CloudClockError", 913),
            Cause::Permission | Cause::CrossRegion | Cause::SkillId => ("CloudAccountError", 913),
            Cause::IpList => ("CloudAddressError", 913),
            Cause::Busy => ("CloudBusy", 913),
            Cause::NoService | Cause::NotSubscribed | Cause::NotAuthorized => ("CloudServiceError", 913),
            Cause::PlanExpired | Cause::Suspended => ("CloudPlanExpired", 913),
            Cause::QuotaUsed => ("CloudQuotaUsed", 913),
            Cause::Request => ("CloudAnswerError", 910),
            _ if refusal.is_of_login() => ("CloudLoginError", 911),
            _ => ("CloudError", 913),
        },
        FetchError::Clock { .. } => ("CloudClockError", 913),
        FetchError::Send { failure: SendFailure::TooLong, .. } => ("CloudAnswerError", 910),
        FetchError::Send { .. } => ("CloudUnreachable", 901),
        FetchError::Status { .. } => ("CloudBusy", 913),
        FetchError::NotJson { .. } | FetchError::Incomplete { .. } => ("CloudAnswerError", 910),
        FetchError::Seal { .. } | FetchError::LoginOver => ("CloudLoginError", 911),
        FetchError::NoDevices { .. } | FetchError::Nowhere { .. } => ("CloudAccountError", 913),
        FetchError::NotScanned => ("CodeNotScanned", 902),
        _ => ("CloudError", 913),
    }
}

/// Converts the error of a fetch.
pub(crate) fn fetch(py: Python<'_>, error: &FetchError) -> PyErr {
    if matches!(error, FetchError::Cancelled) && lifecycle::is_ending() {
        return leaf(py, "ClosedError", 906, "the interpreter is ending");
    }
    let (name, code) = class(error);
    let advice = error.advice();
    let mut raised = with(py, leaf(py, name, code, &format!("{error}: {advice}")), "advice", advice);
    if let Some(refusal) = error.most_telling().api() {
        raised = with(py, raised, "cloud_code", refusal.code);
        let tid = Some(refusal.tid.as_str()).filter(|tid| !tid.is_empty());
        raised = with(py, raised, "tid", tid);
    }
    if let FetchError::Nowhere { tried } = error {
        let errors = PyDict::new(py);
        for tried in tried {
            // Without the entry it is still the right error.
            let _ = errors.set_item(&tried.place, fetch(py, &tried.error).into_value(py));
        }
        raised = with(py, raised, "tried", errors.unbind());
    }
    raised
}

/// Converts the error of a client that cannot be made.
pub(crate) fn client(py: Python<'_>, ca_file: Option<&Path>, error: ClientError) -> PyErr {
    let path = ca_file.map(shown).unwrap_or_default();
    match error {
        ClientError::CaFile(source) => file_error(py, &path, source),
        ClientError::NoCertificates => leaf(py, "ConfigError", 912, &format!("{path}: {error}")),
        other => leaf(py, "ConfigError", 912, &other.to_string()),
    }
}

/// Converts the error of a `devices.json`.
pub(crate) fn devices_json(py: Python<'_>, path: &Path, error: DevicesJsonError) -> PyErr {
    let path = shown(path);
    match error {
        DevicesJsonError::Read(source) | DevicesJsonError::Write(source) => file_error(py, &path, source),
        other => leaf(py, "ConfigError", 912, &format!("{path}: {other}")),
    }
}

/// Converts the error of a file with a project.
pub(crate) fn credentials(py: Python<'_>, path: &Path, error: CredentialsError) -> PyErr {
    match error {
        CredentialsError::Io(source) => file_error(py, &shown(path), source),
        other => leaf(py, "ConfigError", 912, &format!("{}: {other}", shown(path))),
    }
}

/// The path, unless it may be a secret in the wrong place.
fn shown(path: &Path) -> String {
    let path = path.display().to_string();
    if text::may_be_key(&path) { "the file".to_owned() } else { path }
}
