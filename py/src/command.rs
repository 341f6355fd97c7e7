//! The command line, the same as that of the Rust binary.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs a command; `args` begins with the program's name. Returns the exit status.
#[pyfunction]
pub(crate) fn run_command_line(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| rustuya_cli::run(args))
}
