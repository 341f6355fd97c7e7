//! Functions that are called with events, all of them in one thread.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::calls::Calls;
use crate::engine::{Held, engine, enter, lock};
use crate::receiver::Feed;
use crate::{args, errors};

/// Whether a call gives a coroutine: of the function itself, or of an object with such a `__call__`.
fn is_async(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = function.py();
    let _inside = enter(py);
    let inspect = py.import("inspect")?;
    let is_async = |what: &Bound<'_, PyAny>| inspect.call_method1("iscoroutinefunction", (what,))?.is_truthy();
    Ok(is_async(function)? || is_async(&function.getattr("__call__")?)?)
}

/// Events of one subscription that are told before others have their turn.
const FAIR_SHARE: u32 = 128;

/// What `subscribe` returns: call it to end the subscription. Also a context manager.
#[pyclass(frozen, module = "rustuya")]
pub(crate) struct Subscription(Held<Arc<dyn Subscribed>>);

/// Something that has events for a function.
trait Subscribed: Send + Sync {
    /// Has the thread look again.
    fn queue(self: Arc<Self>);

    /// Notes that the thread looks: who has news after that queues it again.
    fn begin(&self);

    /// The next call; `None` when there is nothing to tell.
    fn next(self: Arc<Self>, py: Python<'_>) -> Option<PyResult<Call>>;

    /// Tells it nothing any more.
    fn end(&self);

    fn is_active(&self) -> bool;
}

/// A function and the event that it is called with.
type Call = (Py<PyAny>, Py<PyAny>);

struct Told<F: Feed> {
    /// With what it comes from, which stays alive for it.
    feed: Mutex<Option<(F, Box<dyn Send>)>>,
    function: Mutex<Option<Py<PyAny>>>,
    convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    /// Whether the thread is on its way to look.
    queued: AtomicBool,
}

impl<F: Feed> Told<F> {
    /// The next event, and the function it is for.
    fn take(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<Option<(F::Item, Py<PyAny>)>> {
        let polled = match &mut *lock(&self.feed) {
            Some((feed, _)) => feed.poll_item(cx),
            None => return Poll::Ready(None),
        };
        let function = || lock(&self.function).as_ref().map(|function| function.clone_ref(py));
        polled.map(|item| item.zip(function()))
    }
}

impl<F: Feed> Wake for Told<F> {
    fn wake(self: Arc<Self>) {
        self.queue();
    }
}

impl<F: Feed> Subscribed for Told<F> {
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

/// Refuses what cannot be called with an event.
pub(crate) fn check(function: &Bound<'_, PyAny>) -> PyResult<()> {
    if !function.is_callable() {
        return Err(args::wrong_type(function, "callback", "a function of one event"));
    }
    if is_async(function)? {
        let text = "an async function is not awaited here: give a function, or subscribe with rustuya.aio";
        return Err(errors::leaf(function.py(), "InvalidType", 912, text));
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
        let told = Arc::new(Told { feed, function, convert, queued: AtomicBool::new(false) });
        Arc::clone(&told).queue();
        Ok(Self(Held::new(told)))
    }

    fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.0.get(py)?.end();
        Ok(())
    }
}

#[pymethods]
impl Subscription {
    /// Ends the subscription. A call that has begun goes on to its end.
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.end(py)
    }

    /// Whether calls may still come.
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

/// Subscriptions with events. Each is in it once at most.
static CALLS: Calls<Arc<dyn Subscribed>> = Calls::new("callbacks", usize::MAX);

/// Whose events are told at the moment, and how many more before others have their turn.
static CURRENT: Mutex<Option<(Arc<dyn Subscribed>, u32)>> = Mutex::new(None);

/// The next call for the thread of callbacks; `None` when it is to end. The one before has returned.
#[pyfunction]
pub(crate) fn next_callback(py: Python<'_>) -> Option<Call> {
    CALLS.returned();
    loop {
        let current = lock(&CURRENT).take();
        let (subscribed, left) = match current {
            Some(current) => current,
            None => {
                let subscribed = CALLS.next(py)?;
                subscribed.begin();
                (subscribed, FAIR_SHARE)
            }
        };
        let Some(next) = Arc::clone(&subscribed).next(py) else { continue };
        if left > 1 {
            *lock(&CURRENT) = Some((subscribed, left - 1));
        } else {
            subscribed.queue();
        }
        match next {
            Ok(call) => return CALLS.hand_out().then_some(call),
            Err(error) => report(py, error, None),
        }
    }
}

/// Tells the interpreter of an error that nobody catches.
pub(crate) fn report(py: Python<'_>, error: PyErr, function: Option<&Bound<'_, PyAny>>) {
    let _inside = enter(py);
    error.write_unraisable(py, function);
}

/// As [`report`], for Python code.
#[pyfunction]
#[pyo3(name = "report")]
pub(crate) fn report_from_python(error: Bound<'_, PyAny>, function: Option<Bound<'_, PyAny>>) {
    report(error.py(), PyErr::from_value(error), function.as_ref());
}

/// Has the thread end between two calls.
pub(crate) fn leave() {
    CALLS.end();
}
