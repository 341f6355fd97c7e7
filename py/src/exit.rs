//! Interpreter exit and fork.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use pyo3::prelude::*;

use crate::blocking::block;
use crate::lifecycle::{self, Life};
use crate::{bridge, cloud, engine, log, subscription};

/// Time limit for pending commands and connections to end when the interpreter ends.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(1);

/// Ends every connection and with them every listener, so that threads blocked in one return. Called before the
/// interpreter joins its threads.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if lifecycle::is_forked() || BEGUN.swap(true, Ordering::SeqCst) {
        return;
    }
    lifecycle::set_ending();
    cloud::leave(py);
    if let Some(engine) = engine::started() {
        // A second Ctrl-C ends this wait.
        let _ = block(py, engine.registry.shutdown(), Some(SHUTDOWN_LIMIT));
    }
    lifecycle::set_life(Life::Leaving);
    bridge::leave(py);
    // The threads of callbacks stop between two calls; a running call is waited for.
    subscription::leave();
    log::leave();
    lifecycle::wait_for_callbacks(py);
}

/// Marks the end of the interpreter. Called after its threads were joined.
#[pyfunction]
pub(crate) fn left(py: Python<'_>) {
    if !lifecycle::is_forked() {
        lifecycle::end(py);
    }
}

/// Marks this process as a forked child, where the engine's threads do not exist.
#[pyfunction]
pub(crate) fn forked() {
    if engine::started().is_some() || cloud::is_running() {
        lifecycle::set_life(Life::Forked);
    }
}
