//! Functions that are called with events, all of them in one thread.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::Wake;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::engine::{self, Held, engine, lock};
use crate::receiver::Feed;

/// Events of one subscription that are told before others have their turn.
const FAIR_SHARE: u32 = 128;

/// What `subscribe` returns: call it to end the subscription. Also a context manager.
#[pyclass(frozen, module = "rustuya")]
pub(crate) struct Subscription(Held<Arc<dyn Subscribed>>);

/// Something that has events for a function.
trait Subscribed: Send + Sync {
    /// Tells the function what there is.
    fn deliver(self: Arc<Self>, py: Python<'_>);

    /// Tells it nothing any more.
    fn end(&self);

    fn is_active(&self) -> bool;
}

struct Told<F: Feed> {
    /// With what it comes from, which stays alive for it.
    feed: Mutex<Option<(F, Box<dyn Send>)>>,
    function: Mutex<Option<Py<PyAny>>>,
    convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    /// Whether the thread is on its way to look.
    queued: AtomicBool,
}

impl<F: Feed> Told<F> {
    fn queue(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            // It fails in a process that is ending.
            let _ = thread().send(self);
        }
    }

    /// The next event, and the function it is for.
    fn next(&self, py: Python<'_>, cx: &mut Context<'_>) -> Poll<Option<(F::Item, Py<PyAny>)>> {
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
    fn deliver(self: Arc<Self>, py: Python<'_>) {
        // Before the look: who comes later queues it again.
        self.queued.store(false, Ordering::Release);
        let waker = Waker::from(Arc::clone(&self));
        for _ in 0..FAIR_SHARE {
            // No lock is held while the function runs: it may end the subscription.
            match self.next(py, &mut Context::from_waker(&waker)) {
                Poll::Ready(Some((item, function))) => {
                    if let Err(error) = (self.convert)(py, item).and_then(|event| function.call1(py, (event,))) {
                        error.write_unraisable(py, Some(function.bind(py)));
                    }
                }
                Poll::Ready(None) => return self.end(),
                Poll::Pending => return,
            }
        }
        self.queue();
    }

    fn end(&self) {
        let ended = (lock(&self.function).take(), lock(&self.feed).take());
        drop(ended);
    }

    fn is_active(&self) -> bool {
        lock(&self.function).is_some()
    }
}

impl Subscription {
    pub(crate) fn start<F: Feed>(
        py: Python<'_>,
        feed: F,
        source: impl Send + 'static,
        function: Py<PyAny>,
        convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Self> {
        if !function.bind(py).is_callable() {
            return Err(pyo3::exceptions::PyTypeError::new_err("the callback must be callable with an event"));
        }
        engine(py)?;
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

/// The queue of the one thread, which ends with the interpreter. Each subscription is in it once at most.
fn thread() -> &'static mpsc::Sender<Arc<dyn Subscribed>> {
    static CALLS: OnceLock<mpsc::Sender<Arc<dyn Subscribed>>> = OnceLock::new();
    CALLS.get_or_init(|| {
        let (sender, ready) = mpsc::channel();
        // Without a thread nobody is ever called: nothing else would work either.
        let _ = std::thread::Builder::new().name("rustuya-callbacks".to_owned()).spawn(move || call(&ready));
        sender
    })
}

fn call(ready: &mpsc::Receiver<Arc<dyn Subscribed>>) {
    while let Ok(first) = ready.recv() {
        let called = engine::attach(|py| {
            for subscribed in core::iter::once(first).chain(ready.try_iter().take(FAIR_SHARE as usize)) {
                subscribed.deliver(py);
            }
        });
        if called.is_none() {
            break;
        }
    }
}
