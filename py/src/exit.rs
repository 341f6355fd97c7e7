//! The ends of a process: interpreter exit and fork.

use core::time::Duration;

use pyo3::prelude::*;

use crate::aio;
use crate::engine::{self, Life};

/// How long pending commands and connections have to end when the interpreter does.
const FAREWELL: Duration = Duration::from_secs(1);

/// Ends every connection, and with them every listener, so that threads blocked in one come back. Called before
/// the interpreter joins its threads.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    if engine::is_forked() || engine::is_leaving() {
        return;
    }
    if let Some(engine) = engine::started() {
        // A second Ctrl-C ends the farewell.
        let _ = engine::block(py, engine.registry.shutdown(), Some(FAREWELL));
    }
    engine::set_life(Life::Leaving);
    aio::leave(py);
    py.detach(engine::wait_outside);
}

/// Notes that threads were joined and that the interpreter ends now.
#[pyfunction]
pub(crate) fn left() {
    if !engine::is_forked() {
        engine::set_life(Life::Over);
    }
}

/// Notes that this process is a forked child. Its parent's threads do not exist here.
#[pyfunction]
pub(crate) fn forked() {
    if engine::started().is_some() {
        engine::set_life(Life::Forked);
    }
}
