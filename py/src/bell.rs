//! What wakes an event loop from any thread, without Python: a pair of sockets, one of which the loop watches.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::os::{fd::AsRawFd as _, unix::net::UnixStream};

#[cfg(unix)]
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;

#[cfg(unix)]
use crate::errors;

/// A bell that an event loop listens to.
#[cfg(unix)]
pub(crate) struct Bell {
    near: UnixStream,
    far: UnixStream,
}

#[cfg(unix)]
impl Bell {
    /// A bell for this loop; `None` when it cannot watch sockets.
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let (near, far) = UnixStream::pair().map_err(|error| errors::system(event_loop.py(), error))?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        // Nothing is watched yet, but a loop that cannot watch says so here, too.
        match event_loop.call_method1("remove_reader", (near.as_raw_fd(),)) {
            Ok(_) => Ok(Some(Self { near, far })),
            Err(error) if error.is_instance_of::<PyNotImplementedError>(event_loop.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has `answer` called by the loop whenever the bell has rung.
    pub(crate) fn hang(&self, event_loop: &Bound<'_, PyAny>, answer: Bound<'_, PyAny>) -> PyResult<()> {
        event_loop.call_method1("add_reader", (self.near.as_raw_fd(), answer)).map(drop)
    }

    /// Rings. A bell that rings already, and that nobody has heard yet, may be full.
    pub(crate) fn ring(&self) {
        let _ = io::Write::write(&mut &self.far, &[0]);
    }

    /// Stops the ringing.
    pub(crate) fn quiet(&self) {
        let _ = io::Read::read(&mut &self.near, &mut [0; 64]);
    }
}

/// No event loop can watch sockets in such a way here.
#[cfg(not(unix))]
pub(crate) enum Bell {}

#[cfg(not(unix))]
impl Bell {
    pub(crate) fn new(_: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn hang(&self, _: &Bound<'_, PyAny>, _: Bound<'_, PyAny>) -> PyResult<()> {
        match *self {}
    }

    pub(crate) fn ring(&self) {
        match *self {}
    }

    pub(crate) fn quiet(&self) {
        match *self {}
    }
}
