//! Feeds of items: listeners, scans, sweeps and requests, for receivers and subscriptions.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};
use std::task::Wake;

use pyo3::prelude::*;
use rustuya_runtime_tokio::{self as rt, Entry, Listener, Scan, Sweep};

use crate::exceptions;
use crate::lifecycle::lock;

/// Source of items.
pub(crate) trait Feed: Send + 'static {
    type Item: Send + 'static;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// Number of items lost because they were not taken in time.
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
    type Item = rt::SweepEvent;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<rt::SweepEvent>> {
        core::pin::pin!(self.recv()).poll(cx)
    }

    fn missed(&self) -> u64 {
        Self::missed(self)
    }
}

/// A feed that any number of threads and event loops may wait for; each item goes to one of them.
pub(crate) struct SharedFeed<F: Feed> {
    inner: Mutex<Inner<F>>,
    waiters: Arc<Waiters>,
    waker: Waker,
    /// Number of calls of [`release`](Self::release).
    releases: AtomicUsize,
}

struct Inner<F: Feed> {
    /// The feed with its source, which must live as long.
    feed: Option<(F, Box<dyn Send>)>,
    /// Item that a wait found and did not take.
    peeked: Option<F::Item>,
    /// Number of items that the feed had lost when it ended.
    missed: u64,
}

impl<F: Feed> Inner<F> {
    fn end(&mut self) -> Option<(F, Box<dyn Send>)> {
        let ended = self.feed.take();
        self.missed = ended.as_ref().map_or(self.missed, |(feed, _)| feed.missed());
        ended
    }
}

/// Wakers of all waits. A feed itself keeps only one waker.
#[derive(Default)]
struct Waiters(Mutex<Vec<Waker>>);

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let all = core::mem::take(&mut *lock(&self.0));
        all.into_iter().for_each(Waker::wake);
    }
}

/// One wait. Its drop removes the waker.
struct WaitGuard<'a> {
    waiters: &'a Waiters,
    waker: Option<Waker>,
}

impl<'a> WaitGuard<'a> {
    const fn new(waiters: &'a Waiters) -> Self {
        Self { waiters, waker: None }
    }

    fn register(&mut self, waker: &Waker) {
        let mut all = lock(&self.waiters.0);
        if !all.iter().any(|known| known.will_wake(waker)) {
            all.push(waker.clone());
        }
        self.waker = Some(waker.clone());
    }
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        if let Some(waker) = self.waker.take() {
            lock(&self.waiters.0).retain(|known| !known.will_wake(&waker));
        }
    }
}

impl<F: Feed> SharedFeed<F> {
    pub(crate) fn new(feed: F, source: impl Send + 'static) -> Arc<Self> {
        let waiters = Arc::new(Waiters::default());
        let waker = Waker::from(Arc::clone(&waiters));
        let inner = Inner { feed: Some((feed, Box::new(source) as Box<dyn Send>)), peeked: None, missed: 0 };
        Arc::new(Self { inner: Mutex::new(inner), waiters, waker, releases: AtomicUsize::new(0) })
    }

    /// Polls for the next item and passes it to `take`, which may put it back.
    fn poll_with<T>(&self, take: impl FnOnce(F::Item, &mut Option<F::Item>) -> T) -> Poll<Option<T>> {
        let mut inner = lock(&self.inner);
        let Inner { feed, peeked, .. } = &mut *inner;
        let polled = match (peeked.take(), feed) {
            (Some(item), _) => Poll::Ready(Some(item)),
            (None, None) => return Poll::Ready(None),
            (None, Some((feed, _))) => feed.poll_item(&mut Context::from_waker(&self.waker)),
        };
        if let Poll::Ready(None) = polled {
            let ended = inner.end();
            drop(inner);
            drop(ended);
            // An ended feed wakes nobody: the other waits must return, too.
            self.waker.wake_by_ref();
            return Poll::Ready(None);
        }
        polled.map(|item| item.map(|item| take(item, &mut inner.peeked)))
    }

    pub(crate) fn poll(&self) -> Poll<Option<F::Item>> {
        self.poll_with(|item, _| item)
    }

    /// Waits for the next item; `None` at the end, or after [`release`](Self::release).
    pub(crate) async fn next(&self) -> Option<F::Item> {
        let mut guard = WaitGuard::new(&self.waiters);
        let releases = self.releases.load(Ordering::SeqCst);
        core::future::poll_fn(|cx| {
            guard.register(cx.waker());
            match self.poll() {
                Poll::Pending if self.releases.load(Ordering::SeqCst) != releases => Poll::Ready(None),
                polled => polled,
            }
        })
        .await
    }

    /// Ends the present waits of threads.
    pub(crate) fn release(&self) {
        self.releases.fetch_add(1, Ordering::SeqCst);
        self.waker.wake_by_ref();
    }

    /// Waits until there is an item or the end, and takes nothing.
    pub(crate) async fn ready(&self) {
        let mut guard = WaitGuard::new(&self.waiters);
        core::future::poll_fn(|cx| {
            guard.register(cx.waker());
            self.poll_with(|item, peeked| *peeked = Some(item))
        })
        .await;
        drop(guard);
        // The other waits poll again: the item is for any of them.
        self.waker.wake_by_ref();
    }

    pub(crate) fn close(&self) {
        let ended = lock(&self.inner).end();
        drop(ended);
        self.waker.wake_by_ref();
    }

    /// Makes the error of a wait after the end.
    pub(crate) fn ended_error(&self, py: Python<'_>) -> PyErr {
        let text = if self.is_closed() {
            "the receiver has ended: it, its device or its manager was closed"
        } else {
            "the event loop in which this receiver was made has ended"
        };
        exceptions::leaf(py, "ClosedError", 906, text)
    }

    pub(crate) fn is_closed(&self) -> bool {
        let inner = lock(&self.inner);
        inner.feed.is_none() && inner.peeked.is_none()
    }

    pub(crate) fn missed(&self) -> u64 {
        let inner = lock(&self.inner);
        inner.feed.as_ref().map_or(inner.missed, |(feed, _)| feed.missed())
    }
}
