//! Handles that refuse to work in a forked child.

use core::hash::{Hash, Hasher};

use pyo3::prelude::*;

use crate::exceptions;
use crate::lifecycle::{is_forked, is_leaving};

/// Raises an error where no call can work: in a forked child, and while the interpreter ends.
pub(crate) fn check(py: Python<'_>) -> PyResult<()> {
    if is_forked() {
        let text = "rustuya was in use when this process was forked, and its threads stayed behind: use the \
                    start method 'spawn' or 'forkserver', or use rustuya for the first time after the fork";
        return Err(exceptions::leaf(py, "ForkedError", 906, text));
    }
    if is_leaving() {
        return Err(exceptions::leaf(py, "ClosedError", 906, "the interpreter is ending"));
    }
    Ok(())
}

/// A handle that is not dropped in a forked child: its drop would wait for locks whose holders do not exist there.
pub(crate) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(crate) const fn new(handle: T) -> Self {
        Self(Some(handle))
    }

    /// Returns the handle, unless this process is a forked child.
    pub(crate) fn get(&self, py: Python<'_>) -> PyResult<&T> {
        if is_forked() {
            check(py)?;
        }
        self.0.as_ref().ok_or_else(|| exceptions::leaf(py, "ClosedError", 906, "the handle is gone"))
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if is_forked() {
            core::mem::forget(self.0.take());
        }
    }
}

/// Hashes a handle. Equal handles have equal hashes.
pub(crate) fn hash(handle: &impl Hash) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    handle.hash(&mut hasher);
    hasher.finish()
}
