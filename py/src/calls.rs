//! Queues of the two threads that call functions of the program: one for callbacks, one for log records.
//!
//! They are threads of Python, which fetch one call after the other from here. The interpreter, when it ends, kills a
//! daemon thread where it waits for the GIL, and no frame of this library may lie below the Python code then.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::lifecycle::{self, Inside, lock};

/// Queue of entries for one thread.
pub(crate) struct CallQueue<T> {
    /// Name of the function in the package's module `_calls` that the thread runs.
    function: &'static str,
    /// Largest number of waiting entries; more are refused.
    capacity: usize,
    state: Mutex<Entries<T>>,
    ready: Condvar,
    /// Guard of the call that was handed out and has not returned.
    running: Mutex<Option<Inside>>,
}

struct Entries<T> {
    entries: VecDeque<T>,
    started: bool,
    ended: bool,
}

impl<T: Send> CallQueue<T> {
    pub(crate) const fn new(function: &'static str, capacity: usize) -> Self {
        Self {
            function,
            capacity,
            state: Mutex::new(Entries { entries: VecDeque::new(), started: false, ended: false }),
            ready: Condvar::new(),
            running: Mutex::new(None),
        }
    }

    /// Starts the thread, once.
    pub(crate) fn start(&self, py: Python<'_>) -> PyResult<()> {
        if core::mem::replace(&mut lock(&self.state).started, true) {
            return Ok(());
        }
        let _inside = lifecycle::enter(py);
        let start = || py.import("rustuya._calls")?.getattr("start")?.call1((self.function,)).map(drop);
        start().inspect_err(|_| lock(&self.state).started = false)
    }

    /// Queues an entry, from any thread. Returns whether there was room.
    pub(crate) fn send(&self, entry: T) -> bool {
        let mut state = lock(&self.state);
        let has_room = state.entries.len() < self.capacity && !state.ended;
        if has_room {
            state.entries.push_back(entry);
        }
        drop(state);
        self.ready.notify_one();
        has_room
    }

    /// Ends the count of the call that was handed out.
    pub(crate) fn returned(&self) {
        lock(&self.running).take();
    }

    /// Counts a call as running. Returns whether it may still be made.
    pub(crate) fn hand_out(&self) -> bool {
        let inside = Inside::callback();
        let allowed = !lifecycle::is_leaving();
        if allowed {
            *lock(&self.running) = Some(inside);
        }
        allowed
    }

    /// Waits for the next entry; `None` at the end.
    pub(crate) fn next(&self, py: Python<'_>) -> Option<T> {
        loop {
            let mut state = lock(&self.state);
            if state.ended || lifecycle::is_leaving() {
                return None;
            }
            if let Some(entry) = state.entries.pop_front() {
                return Some(entry);
            }
            drop(state);
            py.detach(|| {
                let state = lock(&self.state);
                let waits = |state: &mut Entries<T>| state.entries.is_empty() && !state.ended;
                drop(self.ready.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner));
                lifecycle::stay_outside();
            });
        }
    }

    /// Makes the thread end between two calls.
    pub(crate) fn end(&self) {
        lock(&self.state).ended = true;
        self.ready.notify_all();
    }
}
