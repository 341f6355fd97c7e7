//! Receivers: iterators over what happens, for threads and for event loops.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use rustuya_runtime_tokio::{self as rt, Entry, Listener, Scan, Sweep};

use crate::engine::{self, Held, lock};
use crate::words::words;
use crate::{aio, args, errors, event, models, verbs};

/// Where entries come from.
pub(crate) trait Feed: Send + 'static {
    type Item: Send + 'static;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// How many were lost because nobody took them in time.
    fn missed(&self) -> u64;
}

impl<T: Entry + Send + 'static> Feed for Listener<T> {
    type Item = T;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }

    fn missed(&self) -> u64 {
        Self::missed(self)
    }
}

impl Feed for Scan {
    type Item = rt::DiscoveredDevice;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<rt::DiscoveredDevice>> {
        core::pin::pin!(self.recv()).poll(cx)
    }

    fn missed(&self) -> u64 {
        Self::missed(self)
    }
}

impl Feed for Sweep {
    type Item = rt::Swept;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<rt::Swept>> {
        core::pin::pin!(self.recv()).poll(cx)
    }

    fn missed(&self) -> u64 {
        Self::missed(self)
    }
}

/// A feed that any number of threads and event loops may wait for; each entry goes to one of them.
pub(crate) struct Shared<F: Feed> {
    inner: Mutex<Inner<F>>,
    waiting: Arc<Waiting>,
    waker: Waker,
    /// How often the waits of threads were given up.
    releases: AtomicUsize,
}

struct Inner<F: Feed> {
    /// With what it comes from, which stays alive for it.
    feed: Option<(F, Box<dyn Send>)>,
    /// Seen by who waits for there to be one, not taken yet.
    seen: Option<F::Item>,
    /// How many the feed had lost when it ended.
    missed: u64,
}

impl<F: Feed> Inner<F> {
    fn end(&mut self) -> Option<(F, Box<dyn Send>)> {
        let ended = self.feed.take();
        self.missed = ended.as_ref().map_or(self.missed, |(feed, _)| feed.missed());
        ended
    }
}

/// Everybody who waits. A feed knows one waker only.
#[derive(Default)]
struct Waiting(Mutex<Vec<Waker>>);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let all = core::mem::take(&mut *lock(&self.0));
        all.into_iter().for_each(Waker::wake);
    }
}

/// One who waits, and is forgotten when that is over.
struct Waits<'a> {
    waiting: &'a Waiting,
    waker: Option<Waker>,
}

impl<'a> Waits<'a> {
    const fn new(waiting: &'a Waiting) -> Self {
        Self { waiting, waker: None }
    }

    fn note(&mut self, waker: &Waker) {
        let mut all = lock(&self.waiting.0);
        if !all.iter().any(|known| known.will_wake(waker)) {
            all.push(waker.clone());
        }
        self.waker = Some(waker.clone());
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            lock(&self.waiting.0).retain(|known| !known.will_wake(&waker));
        }
    }
}

impl<F: Feed> Shared<F> {
    pub(crate) fn new(feed: F, source: impl Send + 'static) -> Arc<Self> {
        let waiting = Arc::new(Waiting::default());
        let waker = Waker::from(Arc::clone(&waiting));
        let inner = Inner { feed: Some((feed, Box::new(source) as Box<dyn Send>)), seen: None, missed: 0 };
        Arc::new(Self { inner: Mutex::new(inner), waiting, waker, releases: AtomicUsize::new(0) })
    }

    /// Has the next entry taken, if there is one; `take` may put it back.
    fn look<T>(&self, take: impl FnOnce(F::Item, &mut Option<F::Item>) -> T) -> Poll<Option<T>> {
        let mut inner = lock(&self.inner);
        let Inner { feed, seen, .. } = &mut *inner;
        let polled = match (seen.take(), feed) {
            (Some(item), _) => Poll::Ready(Some(item)),
            (None, None) => return Poll::Ready(None),
            (None, Some((feed, _))) => feed.poll_item(&mut Context::from_waker(&self.waker)),
        };
        if let Poll::Ready(None) = polled {
            let ended = inner.end();
            drop(inner);
            drop(ended);
            // Nobody else will be woken by it.
            self.waker.wake_by_ref();
            return Poll::Ready(None);
        }
        polled.map(|item| item.map(|item| take(item, &mut inner.seen)))
    }

    fn poll(&self) -> Poll<Option<F::Item>> {
        self.look(|item, _| item)
    }

    /// The next entry; `None` at the end, or when the wait is given up.
    async fn next(&self) -> Option<F::Item> {
        let mut waits = Waits::new(&self.waiting);
        let releases = self.releases.load(Ordering::SeqCst);
        core::future::poll_fn(|cx| {
            waits.note(cx.waker());
            match self.poll() {
                Poll::Pending if self.releases.load(Ordering::SeqCst) != releases => Poll::Ready(None),
                polled => polled,
            }
        })
        .await
    }

    /// Has the threads give up that wait at the moment.
    fn release(&self) {
        self.releases.fetch_add(1, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }

    /// Waits until there is an entry, or an end, and leaves it there.
    async fn ready(&self) {
        let mut waits = Waits::new(&self.waiting);
        core::future::poll_fn(|cx| {
            waits.note(cx.waker());
            self.look(|item, seen| *seen = Some(item))
        })
        .await;
        drop(waits);
        // Those who were woken with this one wait again: the entry is for any of them.
        self.waker.wake_by_ref();
    }

    fn close(&self) {
        let ended = lock(&self.inner).end();
        drop(ended);
        self.waker.wake_by_ref();
    }

    /// The error of who waits for what never comes.
    fn ended(&self, py: Python<'_>) -> PyErr {
        let text = if self.is_closed() {
            "nothing will come any more: this receiver, its device or its manager was closed"
        } else {
            "the event loop in which this receiver was made has ended"
        };
        errors::leaf(py, "ClosedError", 906, text)
    }

    fn is_closed(&self) -> bool {
        let inner = lock(&self.inner);
        inner.feed.is_none() && inner.seen.is_none()
    }

    fn missed(&self) -> u64 {
        let inner = lock(&self.inner);
        inner.feed.as_ref().map_or(inner.missed, |(feed, _)| feed.missed())
    }
}

/// Ties a receiver to the running event loop, if there is one: threads of the loop's executor that wait in it come
/// back before the loop joins them.
fn end_with_loop(receiver: &Bound<'_, PyAny>) -> PyResult<()> {
    static MODULES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = receiver.py();
    let modules = MODULES.get_or_try_init(py, || py.import("sys")?.getattr("modules").map(Bound::unbind))?;
    // Without this module there is no loop, and importing it takes long.
    if modules.bind(py).contains("asyncio.events")? {
        let _inside = engine::enter(py);
        py.import("rustuya._loops")?.call_method1("end_with_loop", (receiver,))?;
    }
    Ok(())
}

macro_rules! receiver {
    ($(#[$doc:meta])* $name:ident, $feed:ty, $convert:path) => {
        $(#[$doc])*
        #[pyclass(frozen, weakref, module = "rustuya")]
        pub(crate) struct $name(Held<Arc<Shared<$feed>>>);

        impl $name {
            pub(crate) fn make(
                py: Python<'_>,
                feed: $feed,
                source: impl Send + 'static,
            ) -> PyResult<Bound<'_, Self>> {
                let made = Bound::new(py, Self(Held::new(Shared::new(feed, source))))?;
                end_with_loop(made.as_any())?;
                Ok(made)
            }

            /// `None` in time, in it `None` at the end.
            fn take(&self, py: Python<'_>, limit: Option<Duration>) -> PyResult<Option<Option<Py<PyAny>>>> {
                let shared = self.0.get(py)?;
                let item = match shared.poll() {
                    Poll::Ready(item) => Some(item),
                    Poll::Pending => engine::block(py, shared.next(), limit)?,
                };
                item.map(|item| item.map(|item| $convert(py, item)).transpose()).transpose()
            }
        }

        #[pymethods]
        impl $name {
            /// The next entry; None after `timeout_ms` milliseconds. Raises ClosedError when nothing will come any
            /// more.
            #[doc = words!(args: timeout_ms)]
            #[doc = words!(returns: entry)]
            #[doc = words!(raises: ended types)]
            #[pyo3(signature = (timeout_ms=None))]
            fn recv(&self, py: Python<'_>, timeout_ms: Option<args::TimeoutMs>) -> PyResult<Option<Py<PyAny>>> {
                match self.take(py, verbs::milliseconds(timeout_ms.map(|limit| limit.0))?)? {
                    Some(None) => Err(self.0.get(py)?.ended(py)),
                    taken => Ok(taken.flatten()),
                }
            }

            /// The next entry if there is one already.
            fn try_recv(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
                match self.0.get(py)?.poll() {
                    Poll::Ready(item) => item.map(|item| $convert(py, item)).transpose(),
                    Poll::Pending => Ok(None),
                }
            }

            /// Ends this receiver: whoever waits for it comes back.
            fn close(&self, py: Python<'_>) -> PyResult<()> {
                self.0.get(py)?.close();
                Ok(())
            }

            /// Whether nothing will come any more.
            #[getter]
            fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
                Ok(self.0.get(py)?.is_closed())
            }

            /// How many entries were lost because they were not taken in time.
            #[getter]
            fn missed(&self, py: Python<'_>) -> PyResult<u64> {
                Ok(self.0.get(py)?.missed())
            }

            /// Waits in an event loop until there is an entry or an end, or for `timeout` seconds.
            #[pyo3(signature = (bridge, timeout=None))]
            fn _ready<'py>(
                &self,
                bridge: &Bound<'py, aio::LoopBridge>,
                timeout: Option<args::Timeout>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let shared = Arc::clone(self.0.get(bridge.py())?);
                aio::start(bridge, engine::within(bridge.py(), timeout.map(|limit| limit.0), async move { shared.ready().await })?)
            }

            /// Has the threads give up that wait at the moment: the event loop whose executor they belong to ends.
            fn _release(&self, py: Python<'_>) -> PyResult<()> {
                self.0.get(py)?.release();
                Ok(())
            }

            fn __iter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
                match self.take(py, None) {
                    Err(_) if engine::is_leaving() => Ok(None),
                    result => result.map(Option::flatten),
                }
            }

            fn __enter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            #[pyo3(signature = (*_exc))]
            fn __exit__(&self, py: Python<'_>, _exc: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
                self.close(py)
            }
        }
    };
}

receiver! {
    /// What happens to one device, from the moment this was made. An iterator.
    DeviceMessageReceiver, Listener<rt::Event>, event::device_event
}
receiver! {
    /// What happens to all devices of a manager, from the moment this was made. An iterator.
    ManagerEventReceiver, Listener<rt::ManagerEvent>, event::manager_event
}
receiver! {
    /// The devices that a scan hears, as it hears them. An iterator.
    ScanReceiver, Scan, found
}
receiver! {
    /// What comes of looking through a network, as it comes. An iterator.
    SweepReceiver, Sweep, swept
}
receiver! {
    /// The requests that a virtual device receives. An iterator.
    RequestReceiver, Listener<rt::Request>, event::request
}

fn found(py: Python<'_>, found: rt::DiscoveredDevice) -> PyResult<Py<PyAny>> {
    models::found(py, &found).map(Bound::unbind)
}

fn swept(py: Python<'_>, swept: rt::Swept) -> PyResult<Py<PyAny>> {
    models::swept(py, &swept).map(Bound::unbind)
}
