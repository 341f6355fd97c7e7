//! Wakes an event loop from any thread without the GIL: writes to one of two connected sockets; the loop watches the
//! other.

#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::os::{fd::AsRawFd as _, unix::net::UnixStream};

#[cfg(unix)]
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;

#[cfg(unix)]
use crate::errors;

/// Connected sockets that wake one event loop.
#[cfg(unix)]
pub(crate) struct SocketPair {
    watched: UnixStream,
    written: UnixStream,
}

#[cfg(unix)]
impl SocketPair {
    /// Creates the pair for a loop; `None` when the loop cannot watch sockets.
    pub(crate) fn new(event_loop: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let (watched, written) = UnixStream::pair().map_err(|error| errors::system(event_loop.py(), error))?;
        watched.set_nonblocking(true)?;
        written.set_nonblocking(true)?;
        // Nothing is watched yet: this only asks whether the loop can watch at all.
        match event_loop.call_method1("remove_reader", (watched.as_raw_fd(),)) {
            Ok(_) => Ok(Some(Self { watched, written })),
            Err(error) if error.is_instance_of::<PyNotImplementedError>(event_loop.py()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the loop call `callback` after each [`wake`](Self::wake).
    pub(crate) fn watch(&self, event_loop: &Bound<'_, PyAny>, callback: Bound<'_, PyAny>) -> PyResult<()> {
        event_loop.call_method1("add_reader", (self.watched.as_raw_fd(), callback)).map(drop)
    }

    /// Wakes the loop. A full socket is no error: the loop has a wake-up pending then.
    pub(crate) fn wake(&self) {
        let _ = io::Write::write(&mut &self.written, &[0]);
    }

    /// Reads what the wake-ups wrote.
    pub(crate) fn clear(&self) {
        let _ = io::Read::read(&mut &self.watched, &mut [0; 64]);
    }
}

/// Never created: the usual event loop of this platform cannot watch sockets.
#[cfg(not(unix))]
pub(crate) enum SocketPair {}

#[cfg(not(unix))]
impl SocketPair {
    pub(crate) fn new(_: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn watch(&self, _: &Bound<'_, PyAny>, _: Bound<'_, PyAny>) -> PyResult<()> {
        match *self {}
    }

    pub(crate) fn wake(&self) {
        match *self {}
    }

    pub(crate) fn clear(&self) {
        match *self {}
    }
}
