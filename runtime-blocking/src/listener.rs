//! Blocking listener of events.

use core::time::Duration;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use rustuya_runtime::{Entry, Event};

use crate::wait::{block_on, poll_until};

/// Receiver of the events since its creation, in order. Also an [`Iterator`], which waits for each entry.
///
/// Each listener has a queue of its own, limited in entries and in bytes. While a listener keeps reading, a device that
/// pushes much waits for it a moment, unless it has commands to answer; a slow listener loses the oldest entries and
/// receives their number. No command and no other device waits for a listener.
///
/// Ends (`None`) when the source was closed or its last handle dropped, after everything queued was received.
#[derive(Debug)]
pub struct Listener<T: Entry = Event>(rustuya_runtime::Listener<T>);

impl<T: Entry> Listener<T> {
    pub(crate) const fn new(inner: rustuya_runtime::Listener<T>) -> Self {
        Self(inner)
    }

    /// Waits for the next entry; `None` after the last.
    pub fn recv(&mut self) -> Option<T> {
        block_on(self.0.recv())
    }

    /// Like [`recv`](Self::recv), for `timeout` at most.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when there was nothing in time, [`RecvTimeoutError::Disconnected`] after the last
    /// entry.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let deadline = Instant::now().checked_add(timeout);
        match poll_until(deadline, |cx| self.0.poll_recv(cx)) {
            Some(Some(entry)) => Ok(entry),
            Some(None) => Err(RecvTimeoutError::Disconnected),
            None => Err(RecvTimeoutError::Timeout),
        }
    }

    /// Returns the next entry, if there is one already.
    pub fn try_recv(&mut self) -> Option<T> {
        self.0.try_recv()
    }

    /// Returns the number of entries that this listener has lost so far.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }

    /// Returns whether the source has ended; queued entries can still be received.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl<T: Entry> Iterator for Listener<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.recv()
    }
}
