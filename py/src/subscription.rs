//! Functions that are called with events, all of them in one thread.

use std::sync::{Arc, Mutex, OnceLock};

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::engine::{self, engine, lock};
use crate::receiver::Feed;

type Call = Box<dyn FnOnce(Python<'_>) + Send>;

/// Events that wait for the thread at most. Past that, listeners wait, and lose their oldest.
const CAPACITY: usize = 1024;

/// What `subscribe` returns: call it to end the subscription. Also a context manager.
#[pyclass(frozen, module = "rustuya")]
pub(crate) struct Subscription {
    task: AbortHandle,
    callback: Arc<Mutex<Option<Py<PyAny>>>>,
}

impl Subscription {
    pub(crate) fn start<F: Feed>(
        py: Python<'_>,
        mut feed: F,
        source: impl Send + 'static,
        callback: Py<PyAny>,
        convert: fn(Python<'_>, F::Item) -> PyResult<Py<PyAny>>,
    ) -> PyResult<Self> {
        if !callback.bind(py).is_callable() {
            return Err(pyo3::exceptions::PyTypeError::new_err("the callback must be callable with an event"));
        }
        let callback = Arc::new(Mutex::new(Some(callback)));
        let calls = thread();
        let called = Arc::clone(&callback);
        let work = async move {
            // What the events come from stays alive for them.
            let _source = source;
            while let Some(item) = core::future::poll_fn(|cx| feed.poll_item(cx)).await {
                let called = Arc::clone(&called);
                let call: Call = Box::new(move |py| {
                    let function = lock(&called).as_ref().map(|function| function.clone_ref(py));
                    if let Some(function) = function
                        && let Err(error) = convert(py, item).and_then(|event| function.call1(py, (event,)))
                    {
                        error.write_unraisable(py, Some(function.bind(py)));
                    }
                });
                if calls.send(call).await.is_err() {
                    break;
                }
            }
        };
        Ok(Self { task: engine(py)?.handle().spawn(work).abort_handle(), callback })
    }

    fn end(&self) {
        self.task.abort();
        // The function is let go of once it has returned.
        drop(lock(&self.callback).take());
    }
}

#[pymethods]
impl Subscription {
    /// Ends the subscription. A call that has begun goes on to its end.
    fn __call__(&self) {
        self.end();
    }

    /// Whether calls may still come.
    #[getter]
    fn active(&self) -> bool {
        lock(&self.callback).is_some()
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_exc))]
    fn __exit__(&self, _exc: &Bound<'_, PyTuple>) {
        self.end();
    }

    fn __repr__(&self) -> &'static str {
        if self.active() { "<rustuya.Subscription, active>" } else { "<rustuya.Subscription, ended>" }
    }
}

/// The queue of the one thread, which ends with the interpreter.
fn thread() -> mpsc::Sender<Call> {
    static CALLS: OnceLock<mpsc::Sender<Call>> = OnceLock::new();
    let calls = CALLS.get_or_init(|| {
        let (sender, mut calls) = mpsc::channel::<Call>(CAPACITY);
        let work = move || {
            while let Some(call) = calls.blocking_recv() {
                if engine::attach(call).is_none() {
                    break;
                }
            }
        };
        // Without a thread the queue is closed, and subscriptions end at once.
        let _ = std::thread::Builder::new().name("rustuya-callbacks".to_owned()).spawn(work);
        sender
    });
    calls.clone()
}
