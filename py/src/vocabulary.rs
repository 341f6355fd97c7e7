//! Lists of names and literals for type checkers and programs.

use pyo3::prelude::*;
use rustuya_cloud::{DataCentre, Progress};
use rustuya_runtime_tokio::{CommandCode, Dialect, DownReason, Version};

use crate::{convert, event, fetched, models, operation, reasons};

/// Returns every named command with its number.
#[pyfunction]
pub(crate) fn command_names() -> Vec<(&'static str, u32)> {
    CommandCode::NAMED.iter().map(|(code, name)| (*name, code.0)).collect()
}

/// Returns the literals of `rustuya.typing` that this module makes: the name of the type, and all its values.
#[pyfunction]
pub(crate) fn vocabulary() -> Vec<(&'static str, Vec<&'static str>)> {
    let reasons = DownReason::ALL.iter().map(|reason| reasons::classify(*reason).2).collect();
    let dialects = [Dialect::Default, Dialect::Device22].map(convert::dialect_name).to_vec();
    let regions = DataCentre::ALL.iter().map(|centre| centre.code()).chain(["auto"]).collect();
    vec![
        ("Reason", reasons),
        ("DeviceType", dialects),
        ("ProtocolVersion", Version::ALL.map(Version::as_str).to_vec()),
        ("EventKind", event::KINDS.to_vec()),
        ("SweepEventKind", models::SWEPT.to_vec()),
        ("CloudChange", fetched::CHANGES.to_vec()),
        ("CloudProgressKind", Progress::KINDS.to_vec()),
        ("CloudRegion", regions),
        ("Wait", operation::WAITS.to_vec()),
    ]
}
