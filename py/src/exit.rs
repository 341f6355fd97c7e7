//! The ends of a process: interpreter exit and fork.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::engine::{self, Life};
use crate::{aio, log, subscription};

/// How long pending commands and connections have to end when the interpreter does.
const FAREWELL: Duration = Duration::from_secs(1);

/// Ends every connection, and with them every listener, so that threads blocked in one come back. Called before
/// the interpreter joins its threads.
#[pyfunction]
pub(crate) fn leave(py: Python<'_>) {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if engine::is_forked() || BEGUN.swap(true, Ordering::SeqCst) {
        return;
    }
    engine::set_ending();
    if let Some(engine) = engine::started() {
        // A second Ctrl-C ends the farewell.
        let _ = engine::block(py, engine.registry.shutdown(), Some(FAREWELL));
    }
    engine::set_life(Life::Leaving);
    aio::leave(py);
    // The threads of callbacks stop between two calls; the call under way is waited for.
    subscription::leave();
    log::leave();
    engine::wait_for_callbacks(py);
}

/// Notes that threads were joined and that the interpreter ends now.
#[pyfunction]
pub(crate) fn left(py: Python<'_>) {
    if !engine::is_forked() {
        engine::end(py);
    }
}

/// Notes that this process is a forked child. Its parent's threads do not exist here.
#[pyfunction]
pub(crate) fn forked() {
    if engine::started().is_some() {
        engine::set_life(Life::Forked);
    }
}

/// Leaves if the interpreter has begun to end. It calls the functions of those who registered last first: a pool of
/// threads that did so after this package waits for its threads, and one of them may wait here.
pub(crate) fn look(py: Python<'_>) {
    static THREADING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    if engine::is_leaving() {
        return;
    }
    let ending = || -> PyResult<bool> {
        let threading = THREADING.get_or_try_init(py, || py.import("threading").map(Bound::unbind))?;
        threading.bind(py).getattr("_SHUTTING_DOWN")?.is_truthy()
    };
    // An interpreter that does not tell is left in the usual way.
    if ending().unwrap_or(false) {
        leave(py);
    }
}
