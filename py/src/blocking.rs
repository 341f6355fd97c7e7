//! Waits of threads: the calling thread polls a future itself, without the GIL while it sleeps.

use core::cell::Cell;
use core::pin::pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;
use std::thread::Thread;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::exceptions;
use crate::lifecycle::{self, is_leaving, stay_outside};

/// Longest delay of a signal handler during a blocking call.
const SLICE: Duration = Duration::from_millis(50);

struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.thread.unpark();
        }
    }
}

thread_local! {
    static PARKER: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
}

/// Waits for a future without the GIL, and runs signal handlers meanwhile. Returns `None` after `limit`.
///
/// Polls once with the GIL held before it waits: no thread of the engine ever waits for the GIL, and most commands are
/// done at once.
pub(crate) fn block<F>(py: Python<'_>, future: F, limit: Option<Duration>) -> PyResult<Option<F::Output>>
where
    F: Future + Send,
    F::Output: Send,
{
    let mut future = pin!(future);
    let parker = PARKER
        .take()
        .unwrap_or_else(|| Arc::new(Parker { thread: std::thread::current(), woken: AtomicBool::new(false) }));
    let waker = Waker::from(Arc::clone(&parker));
    parker.woken.store(false, Ordering::Release);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
        PARKER.set(Some(parker));
        return Ok(Some(output));
    }
    let ends = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let waited = py.detach(|| {
            let waited = wait(&parker, ends, || future.as_mut().poll(&mut Context::from_waker(&waker)));
            // A thread that returned now would be killed inside of this function.
            stay_outside();
            waited
        });
        match waited {
            Waited::Done(output) => {
                PARKER.set(Some(parker));
                return Ok(Some(output));
            }
            Waited::TimedOut => return Ok(None),
            Waited::Slice => {
                py.check_signals()?;
                leave_if_ending(py);
                if is_leaving() {
                    return Err(exceptions::leaf(py, "ClosedError", 906, "the interpreter is ending"));
                }
                // A handler may have waited on this thread, too, and consumed the wake-up.
                parker.woken.store(true, Ordering::Release);
            }
        }
    }
}

/// Outcome of one slice of a wait.
enum Waited<T> {
    Done(T),
    TimedOut,
    Slice,
}

fn wait<T>(parker: &Parker, ends: Option<Instant>, mut poll: impl FnMut() -> Poll<T>) -> Waited<T> {
    let slice = Instant::now() + SLICE;
    loop {
        if parker.woken.swap(false, Ordering::AcqRel)
            && let Poll::Ready(output) = poll()
        {
            return Waited::Done(output);
        }
        let now = Instant::now();
        let until = ends.map_or(slice, |ends| ends.min(slice));
        if now >= until {
            return if ends.is_some_and(|ends| now >= ends) { Waited::TimedOut } else { Waited::Slice };
        }
        std::thread::park_timeout(until - now);
    }
}

/// Leaves if the interpreter has begun to end. `threading` calls exit functions in the reverse order of registration: a
/// thread pool that registered after this package joins its threads first, and one of them may wait here.
fn leave_if_ending(py: Python<'_>) {
    static THREADING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    if is_leaving() {
        return;
    }
    let ending = || -> PyResult<bool> {
        let threading = THREADING.get_or_try_init(py, || py.import("threading").map(Bound::unbind))?;
        threading.bind(py).getattr("_SHUTTING_DOWN")?.is_truthy()
    };
    // An interpreter without this attribute is left by the registered exit function.
    if ending().unwrap_or(false) {
        lifecycle::leave(py);
    }
}
