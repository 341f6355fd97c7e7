//! Owned events, and their way to any number of listeners.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_core::Stream;
use rustuya_proto::{CommandCode, Dialect, DownReason, Version};
use serde_json::{Map, Value};

/// News about a device.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The connection is usable.
    Up {
        /// The version that is spoken.
        version: Version,
    },
    /// The connection, or an attempt at one, ended.
    Down {
        /// Why, as far as the bytes prove it.
        reason: DownReason,
        /// Time until the next attempt; `None` when there will be none without an announcement or a command.
        retry_in: Option<Duration>,
    },
    /// A frame with content: a push, a report, or an answer that carries state.
    Message {
        /// Command code.
        command: CommandCode,
        /// Sequence number.
        seqno: u32,
        /// Return code, if the frame had one.
        retcode: Option<u32>,
        /// The sub-device that it is about; `None` for the device itself.
        cid: Option<String>,
        /// The DPs in it: all of them in the answer to a query, the changed ones in a push.
        dps: Map<String, Value>,
        /// The whole payload: JSON, a string when it is none, `None` when there is none.
        payload: Option<Value>,
    },
    /// The device turned out to speak the other dialect. Store it with the device to spare the detour next time.
    Dialect(Dialect),
    /// This listener was too slow: so many events were dropped before the next one, the oldest first.
    Lagged(u64),
}

/// Receives what happens from the moment it was made, in order. Each listener has its own queue of 1024 entries; a
/// slow one loses the oldest and holds up nobody.
///
/// Also a [`Stream`]. Ends (`None`) when the source was closed or its last handle dropped, after everything queued
/// was received.
#[derive(Debug)]
pub struct Listener<T = Event> {
    queue: Arc<Queue<T>>,
    lagged: Option<fn(u64) -> T>,
    missed: u64,
}

impl<T: Clone> Listener<T> {
    /// The next entry; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: an entry is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<T> {
        core::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next entry if there is one already.
    pub fn try_recv(&mut self) -> Option<T> {
        let queue = Arc::clone(&self.queue);
        let taken = self.take(&mut queue.lock());
        match taken {
            Taken::Entry(entry) => Some(Arc::unwrap_or_clone(entry)),
            Taken::Mark(mark) => Some(mark),
            Taken::Nothing => None,
        }
    }

    /// How many entries this listener lost so far by being slow.
    pub fn missed(&self) -> u64 {
        self.missed + self.queue.lock().lagged
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let queue = Arc::clone(&self.queue);
        let mut state = queue.lock();
        match self.take(&mut state) {
            Taken::Entry(entry) => {
                drop(state);
                Poll::Ready(Some(Arc::unwrap_or_clone(entry)))
            }
            Taken::Mark(mark) => Poll::Ready(Some(mark)),
            Taken::Nothing if state.closed => Poll::Ready(None),
            Taken::Nothing => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Listener<T> {
    fn take(&mut self, state: &mut State<T>) -> Taken<T> {
        if state.lagged > 0 {
            let lost = core::mem::take(&mut state.lagged);
            self.missed += lost;
            if let Some(mark) = self.lagged {
                return Taken::Mark(mark(lost));
            }
        }
        state.ring.pop_front().map_or(Taken::Nothing, Taken::Entry)
    }
}

impl<T: Clone> Stream for Listener<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

enum Taken<T> {
    Entry(Arc<T>),
    Mark(T),
    Nothing,
}

/// Where entries are published: every living listener gets each of them.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<HubState<T>>,
    capacity: usize,
    lagged: Option<fn(u64) -> T>,
}

#[derive(Debug)]
struct HubState<T> {
    queues: Vec<Weak<Queue<T>>>,
    closed: bool,
}

impl<T> Hub<T> {
    /// `lagged` makes the mark that a slow listener gets; without it, losses are only counted.
    pub(crate) const fn new(lagged: Option<fn(u64) -> T>) -> Self {
        Self::with_capacity(lagged, CAPACITY)
    }

    pub(crate) const fn with_capacity(lagged: Option<fn(u64) -> T>, capacity: usize) -> Self {
        let inner = Mutex::new(HubState { queues: Vec::new(), closed: false });
        Self { inner, capacity, lagged }
    }

    pub(crate) fn listener(&self) -> Listener<T> {
        let mut inner = self.lock();
        let state = State { ring: VecDeque::new(), lagged: 0, closed: inner.closed, waker: None };
        let queue = Arc::new(Queue(Mutex::new(state)));
        if !inner.closed {
            inner.queues.retain(|queue| queue.strong_count() > 0);
            inner.queues.push(Arc::downgrade(&queue));
        }
        Listener { queue, lagged: self.lagged, missed: 0 }
    }

    /// Whether anybody listens; if not, there is no need to make the entry.
    pub(crate) fn is_heard(&self) -> bool {
        self.lock().queues.iter().any(|queue| queue.strong_count() > 0)
    }

    pub(crate) fn publish(&self, entry: T) {
        let entry = Arc::new(entry);
        self.each(|state| {
            if state.ring.len() >= self.capacity {
                state.ring.pop_front();
                state.lagged += 1;
            }
            state.ring.push_back(Arc::clone(&entry));
        });
    }

    /// Ends every listener once it has received what is queued.
    pub(crate) fn close(&self) {
        self.each(|state| state.closed = true);
        let mut inner = self.lock();
        inner.closed = true;
        inner.queues.clear();
    }

    fn each(&self, mut act: impl FnMut(&mut State<T>)) {
        self.lock().queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut state = queue.lock();
            act(&mut state);
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
            true
        });
    }

    fn lock(&self) -> MutexGuard<'_, HubState<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Queue<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    ring: VecDeque<Arc<T>>,
    /// Entries dropped since the last one taken.
    lagged: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries that wait for one slow listener at most.
const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Hub<Event> {
        Hub::with_capacity(Some(Event::Lagged), 3)
    }

    const fn numbered(n: u64) -> Event {
        Event::Down { reason: DownReason::Ended, retry_in: Some(Duration::from_secs(n)) }
    }

    #[test]
    fn a_slow_listener_loses_the_oldest_and_is_told_first() {
        let hub = hub();
        let mut slow = hub.listener();
        let mut quick = hub.listener();
        for n in 0..5 {
            hub.publish(numbered(n));
            assert_eq!(quick.try_recv(), Some(numbered(n)));
        }
        assert_eq!(slow.missed(), 2);
        assert_eq!(slow.try_recv(), Some(Event::Lagged(2)));
        for n in 2..5 {
            assert_eq!(slow.try_recv(), Some(numbered(n)));
        }
        assert_eq!(slow.try_recv(), None);
        assert_eq!((slow.missed(), quick.missed()), (2, 0));
    }

    #[tokio::test]
    async fn closing_ends_listeners_after_what_is_queued() {
        let hub = hub();
        let mut listener = hub.listener();
        hub.publish(numbered(1));
        hub.close();
        hub.publish(numbered(2));
        assert_eq!(listener.recv().await, Some(numbered(1)));
        assert_eq!(listener.recv().await, None);
        assert_eq!(hub.listener().recv().await, None);
    }

    #[tokio::test]
    async fn a_waiting_listener_is_woken() {
        let hub = Arc::new(hub());
        let mut listener = hub.listener();
        let waiting = tokio::spawn(async move { listener.recv().await });
        tokio::task::yield_now().await;
        hub.publish(numbered(7));
        assert_eq!(waiting.await.expect("no panic"), Some(numbered(7)));
    }

    #[test]
    fn a_dropped_listener_is_forgotten() {
        let hub = hub();
        let listener = hub.listener();
        assert!(hub.is_heard());
        drop(listener);
        assert!(!hub.is_heard());
        hub.publish(numbered(1));
        assert!(hub.lock().queues.is_empty());
    }
}
