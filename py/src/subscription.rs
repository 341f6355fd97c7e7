//! Subscriptions: functions that one thread calls with events.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::calls::CallQueue;
use crate::engine::engine;
use crate::feed::Feed;
use crate::held::Held;
use crate::lifecycle::{enter, lock};
use crate::{args, exceptions};

/// Returns whether one of these functions of `inspect` is true of the function, or of its `__call__`.
fn is_kind(function: &Bound<'_, PyAny>, kinds: &[&str]) -> PyResult<bool> {
    let py = function.py();
    let _inside = enter(py);
    let inspect = py.import("inspect")?;
    for what in [function, &function.getattr("__call__")?] {
        for kind in kinds {
            if inspect.call_method1(*kind, (what,))?.is_truthy()? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Number of calls of one subscription before the next one gets its turn.
const FAIR_SHARE: u32 = 128;

/// Subscription of a function to events; call it to end the subscription. Also a context manager.
#[pyclass(frozen, module = "rustuya")]
pub(crate) struct Subscription(Held<Arc<dyn CallSource>>);

/// Source of calls of one function.
trait CallSource: Send + Sync {
    /// Queues itself for the thread of callbacks.
    fn queue(self: Arc<Self>);

    /// Marks the start of a turn: a later event queues the source again.
    fn begin(&self);

    /// Returns the next call; `None` when there is no event.
    fn next(self: Arc<Self>, py: Python<'_>) -> Option<PyResult<Call>>;

    /// Ends the calls.
    fn end(&self);

    fn is_active(&self) -> bool;
}

/// A function and its argument, the event.
type Call = (Py<PyAny>, Py<PyAny>);

struct FeedCalls<F: Feed> {
    /// The feed with its source, which must live as long.
    feed: Mutex<Option<(F, Box<dyn Send>)>>,
    function: Mutex<Option<Py<PyAny>>>,
    convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    /// True if it is queued for the thread of callbacks.
    queued: AtomicBool,
}

impl<F: Feed> FeedCalls<F> {
    /// Polls for the next event; returns it with the function.
    fn take(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<Option<(F::Item, Py<PyAny>)>> {
        let polled = match &mut *lock(&self.feed) {
            Some((feed, _)) => feed.poll_item(cx),
            None => return Poll::Ready(None),
        };
        let function = || lock(&self.function).as_ref().map(|function| function.clone_ref(py));
        polled.map(|item| item.zip(function()))
    }
}

impl<F: Feed> Wake for FeedCalls<F> {
    fn wake(self: Arc<Self>) {
        self.queue();
    }
}

impl<F: Feed> CallSource for FeedCalls<F> {
    fn queue(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            CALLS.send(self);
        }
    }

    fn begin(&self) {
        self.queued.store(false, Ordering::Release);
    }

    fn next(self: Arc<Self>, py: Python<'_>) -> Option<PyResult<Call>> {
        let waker = Waker::from(Arc::clone(&self));
        // No lock is held while the function runs: it may end the subscription.
        match self.take(py, &mut Context::from_waker(&waker)) {
            Poll::Ready(Some((item, function))) => Some((self.convert)(py, item).map(|event| (function, event))),
            Poll::Ready(None) => {
                self.end();
                None
            }
            Poll::Pending => None,
        }
    }

    fn end(&self) {
        let ended = (lock(&self.function).take(), lock(&self.feed).take());
        drop(ended);
    }

    fn is_active(&self) -> bool {
        lock(&self.function).is_some()
    }
}

/// Refuses a callback that is not callable, and a generator function, whose call runs nothing.
#[pyfunction]
pub(crate) fn check_callback(callback: &Bound<'_, PyAny>) -> PyResult<()> {
    if !callback.is_callable() {
        return Err(args::wrong_type(callback, "callback", "a function of one event"));
    }
    if is_kind(callback, &["isgeneratorfunction", "isasyncgenfunction"])? {
        let text = "a call of a generator function runs nothing: give a function without `yield`";
        return Err(exceptions::leaf(callback.py(), "InvalidType", 912, text));
    }
    Ok(())
}

/// Refuses a callback that [`check_callback`] refuses, and an async function, which nobody awaits here.
pub(crate) fn check(function: &Bound<'_, PyAny>) -> PyResult<()> {
    check_callback(function)?;
    if is_kind(function, &["iscoroutinefunction"])? {
        let text = "an async function is not awaited here: give a function, or subscribe with rustuya.aio";
        return Err(exceptions::leaf(function.py(), "InvalidType", 912, text));
    }
    Ok(())
}

impl Subscription {
    pub(crate) fn start<F: Feed>(
        py: Python<'_>,
        feed: F,
        source: impl Send + 'static,
        function: Py<PyAny>,
        convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Self> {
        check(function.bind(py))?;
        engine(py)?;
        CALLS.start(py)?;
        let (feed, function) =
            (Mutex::new(Some((feed, Box::new(source) as Box<dyn Send>))), Mutex::new(Some(function)));
        let calls = Arc::new(FeedCalls { feed, function, convert, queued: AtomicBool::new(false) });
        Arc::clone(&calls).queue();
        Ok(Self(Held::new(calls)))
    }

    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py)?.end();
        Ok(())
    }
}

#[pymethods]
impl Subscription {
    /// Ends the subscription. A running call is not interrupted.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py)
    }

    /// True if the function may still be called.
    #[getter]
    fn active(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.get(py)?.is_active())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.end(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(if self.active(py)? { "<rustuya.Subscription, active>" } else { "<rustuya.Subscription, ended>" })
    }
}

/// Queue of subscriptions with events. Each is in it once at most.
static CALLS: CallQueue<Arc<dyn CallSource>> = CallQueue::new("callbacks", usize::MAX);

/// Subscription whose turn it is, and the number of calls left of the turn.
static CURRENT: Mutex<Option<(Arc<dyn CallSource>, u32)>> = Mutex::new(None);

/// Waits for the next call of the thread of callbacks; `None` ends the thread. The call before has returned.
#[pyfunction]
pub(crate) fn next_callback(py: Python<'_>) -> Option<Call> {
    CALLS.returned();
    loop {
        let current = lock(&CURRENT).take();
        let (source, left) = match current {
            Some(current) => current,
            None => {
                let source = CALLS.next(py)?;
                source.begin();
                (source, FAIR_SHARE)
            }
        };
        let Some(next) = Arc::clone(&source).next(py) else { continue };
        if left > 1 {
            *lock(&CURRENT) = Some((source, left - 1));
        } else {
            source.queue();
        }
        match next {
            Ok(call) => return CALLS.hand_out().then_some(call),
            Err(error) => report(py, error, None),
        }
    }
}

/// Reports an error that no Python code catches to `sys.unraisablehook`.
pub(crate) fn report(py: Python<'_>, error: PyErr, function: Option<&Bound<'_, PyAny>>) {
    let _inside = enter(py);
    error.write_unraisable(py, function);
}

/// Reports an error, for Python code.
#[pyfunction]
#[pyo3(name = "report")]
pub(crate) fn report_from_python(error: Bound<'_, PyAny>, function: Option<Bound<'_, PyAny>>) {
    report(error.py(), PyErr::from_value(error), function.as_ref());
}

/// Makes the thread end between two calls.
pub(crate) fn leave() {
    CALLS.end();
}
