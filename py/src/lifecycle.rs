//! Lifecycle of the process as far as this library is concerned: fork, the end of the interpreter, and the count of
//! Python calls that the end waits for.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Instant;

use pyo3::prelude::*;

static ENDING: AtomicBool = AtomicBool::new(false);
static LIFE: AtomicU8 = AtomicU8::new(Life::Running as u8);

/// Stage of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Life {
    /// Everything works.
    Running,
    /// Forked child: the engine's threads exist only in the parent.
    Forked,
    /// The interpreter is about to end: threads return from their waits.
    Leaving,
    /// The interpreter ends: no other thread may enter it any more.
    Over,
}

pub(crate) fn set_life(life: Life) {
    LIFE.store(life as u8, Ordering::SeqCst);
}

/// Returns whether this is a forked child that inherited an engine without its threads, whose locks may never be
/// released.
pub(crate) fn is_forked() -> bool {
    LIFE.load(Ordering::Acquire) == Life::Forked as u8
}

pub(crate) fn is_leaving() -> bool {
    LIFE.load(Ordering::Acquire) >= Life::Leaving as u8
}

/// Returns whether the interpreter has begun to end. A device closed after that was not closed by the program.
pub(crate) fn is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

pub(crate) fn set_ending() {
    ENDING.store(true, Ordering::Release);
}

fn is_over() -> bool {
    LIFE.load(Ordering::SeqCst) == Life::Over as u8
}

/// Number of Python calls that have not returned: callbacks of the program, with no frames of this library below them;
/// and Python code called by this library, with such frames.
static INSIDE: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
/// Thread in which the interpreter ends.
static LAST: OnceLock<ThreadId> = OnceLock::new();

/// Guard that counts one Python call while it runs.
pub(crate) struct Inside(&'static AtomicUsize);

impl Inside {
    fn begin(count: &'static AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }

    /// Counts a callback of the program.
    pub(crate) fn callback() -> Self {
        Self::begin(&INSIDE[0])
    }

    fn above_ours() -> Self {
        Self::begin(&INSIDE[1])
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Announces that Python code is about to be called. Up to Python 3.13 the interpreter, when it ends, kills a daemon
/// thread that waits for the GIL; with frames of this library below the Python code, that aborts the process. So the
/// end waits until all such calls have returned, and later callers park here for good, without the GIL.
pub(crate) fn enter(py: Python<'_>) -> Inside {
    let inside = Inside::above_ours();
    if is_over() {
        drop(inside);
        py.detach(stay_outside);
        return Inside::above_ours();
    }
    inside
}

fn ends_here() -> bool {
    LAST.get().is_some_and(|last| *last == std::thread::current().id())
}

/// Returns only while the interpreter may be entered; otherwise parks the thread for good.
pub(crate) fn stay_outside() {
    if is_over() && !ends_here() {
        park_forever();
    }
}

fn park_forever() {
    loop {
        std::thread::park();
    }
}

/// Marks this thread as the one in which the interpreter ends, and stops all others from entering it.
pub(crate) fn end(py: Python<'_>) {
    let _ = LAST.set(std::thread::current().id());
    set_life(Life::Over);
    py.detach(|| {
        wait_outside(&INSIDE[1], OWN_CALL_LIMIT);
        wait_outside(&INSIDE[0], CALLBACK_LIMIT);
    });
}

/// Runs Python code in a thread of this library; `None` when the interpreter is about to end.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _inside = Inside::above_ours();
    if LIFE.load(Ordering::SeqCst) == Life::Running as u8 { Python::try_attach(work) } else { None }
}

/// Time limit for a callback of the program to return; after it the interpreter ends all the same.
const CALLBACK_LIMIT: Duration = Duration::from_secs(2);

/// Time limit for Python code with frames of this library below it. Ending earlier aborts the process up to 3.13. Such
/// calls are short, except on overloaded machines.
const OWN_CALL_LIMIT: Duration = Duration::from_secs(30);

fn wait_outside(count: &AtomicUsize, limit: Duration) {
    let ends = Instant::now() + limit;
    while count.load(Ordering::SeqCst) > 0 && Instant::now() < ends {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until the running callback of the program has returned. Other threads may still make calls.
pub(crate) fn wait_for_callbacks(py: Python<'_>) {
    py.detach(|| wait_outside(&INSIDE[0], CALLBACK_LIMIT));
}

/// The function that ends everything before the interpreter ends. It stands above the waits that call it.
static LEAVE: OnceLock<fn(Python<'_>)> = OnceLock::new();

/// Sets the function that [`leave`] calls. The first one stays.
pub(crate) fn on_leave(leave: fn(Python<'_>)) {
    let _ = LEAVE.set(leave);
}

/// Calls the function that was set by [`on_leave`].
pub(crate) fn leave(py: Python<'_>) {
    if let Some(leave) = LEAVE.get() {
        leave(py);
    }
}

/// Locks a mutex, poisoned or not: no holder leaves a value half changed.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
