//! What the threads do in which functions of the program are called: one for callbacks, one for log records.
//!
//! They are threads of Python, which fetch one call after the other from here. The interpreter, when it ends, kills a
//! daemon thread where it waits for the GIL, and no frame of this library may lie below the Python code then.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::engine::{self, Inside, lock};

/// Entries on their way to one thread.
pub(crate) struct Calls<T> {
    /// The function of the package's module `_calls` that the thread runs.
    function: &'static str,
    /// Entries that wait at most; more are refused.
    capacity: usize,
    state: Mutex<State<T>>,
    ready: Condvar,
    /// The call that was handed out and has not returned.
    under_way: Mutex<Option<Inside>>,
}

struct State<T> {
    entries: VecDeque<T>,
    started: bool,
    ended: bool,
}

impl<T: Send> Calls<T> {
    pub(crate) const fn new(function: &'static str, capacity: usize) -> Self {
        Self {
            function,
            capacity,
            state: Mutex::new(State { entries: VecDeque::new(), started: false, ended: false }),
            ready: Condvar::new(),
            under_way: Mutex::new(None),
        }
    }

    /// Starts the thread, once.
    pub(crate) fn start(&self, py: Python<'_>) -> PyResult<()> {
        if core::mem::replace(&mut lock(&self.state).started, true) {
            return Ok(());
        }
        let _inside = engine::enter(py);
        let start = || py.import("rustuya._calls")?.getattr("start")?.call1((self.function,)).map(drop);
        start().inspect_err(|_| lock(&self.state).started = false)
    }

    /// Hands an entry over, from any thread. Says whether there was room.
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

    /// Notes that the call that was handed out has returned.
    pub(crate) fn returned(&self) {
        lock(&self.under_way).take();
    }

    /// Notes that a call is handed out. Says whether it may still be made.
    pub(crate) fn hand_out(&self) -> bool {
        let inside = Inside::callback();
        let goes_on = !engine::is_leaving();
        if goes_on {
            *lock(&self.under_way) = Some(inside);
        }
        goes_on
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&self, py: Python<'_>) -> Option<T> {
        loop {
            let mut state = lock(&self.state);
            if state.ended || engine::is_leaving() {
                return None;
            }
            if let Some(entry) = state.entries.pop_front() {
                return Some(entry);
            }
            drop(state);
            py.detach(|| {
                let state = lock(&self.state);
                let waits = |state: &mut State<T>| state.entries.is_empty() && !state.ended;
                drop(self.ready.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner));
                engine::stay_outside();
            });
        }
    }

    /// Has the thread end between two calls.
    pub(crate) fn end(&self) {
        lock(&self.state).ended = true;
        self.ready.notify_all();
    }
}
