//! Bounded queues from one source to any number of listeners.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use futures_core::Stream;

/// An entry that can be queued for listeners.
///
/// ```
/// # use rustuya_runtime::Entry;
/// #[derive(Clone)]
/// enum News {
///     Number(u32),
///     Lagged(u64),
/// }
///
/// impl Entry for News {
///     fn lagged(lost: u64) -> Option<Self> {
///         Some(Self::Lagged(lost))
///     }
/// }
/// ```
pub trait Entry: Clone {
    /// The mark that tells a slow listener how many entries it lost; `None` where losses are only counted.
    fn lagged(lost: u64) -> Option<Self>;
}

/// Receives what happens from the moment it was made, in order.
///
/// Each listener has a bounded queue of its own. While a listener keeps reading, the source waits for it a moment
/// rather than overrun it; one that does not keep up loses the oldest entries, is told how many, and holds up nobody.
///
/// Also a [`Stream`]. Ends (`None`) when the source was closed or its last handle dropped, after everything queued
/// was received.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
/// let mut events = device.listener();
/// while let Some(event) = events.recv().await {
///     if let Event::Up { version } = event {
///         assert_eq!(version, Version::V34);
///         break;
///     }
/// }
/// device.query().await?;
/// assert!(matches!(events.try_recv(), Some(Event::Message(_))));
/// assert_eq!(events.missed(), 0);
/// device.close().await; // ends it, once what is queued was received
/// while events.recv().await.is_some() {}
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener<T: Entry = crate::Event> {
    queue: Arc<Queue<T>>,
    missed: u64,
}

impl<T: Entry> Listener<T> {
    /// The next entry; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: an entry is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<T> {
        core::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next entry if there is one already.
    pub fn try_recv(&mut self) -> Option<T> {
        let (entry, _) = self.take(None);
        entry
    }

    /// How many entries this listener lost so far by being slow.
    pub fn missed(&self) -> u64 {
        self.missed + self.queue.lock().lagged
    }

    /// Whether nothing will come any more; what is queued can still be received.
    pub fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// [`recv`](Self::recv) for those who poll.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.take(Some(cx.waker())) {
            (None, false) => Poll::Pending,
            (entry, _) => Poll::Ready(entry),
        }
    }

    /// The next entry, and whether the source is closed. With a waker, leaves it where there is nothing yet.
    fn take(&mut self, waker: Option<&Waker>) -> (Option<T>, bool) {
        let mut state = self.queue.lock();
        if state.lagged > 0 {
            let lost = core::mem::take(&mut state.lagged);
            self.missed += lost;
            if let Some(mark) = T::lagged(lost) {
                return (Some(mark), false);
            }
        }
        let entry = state.ring.pop_front();
        let closed = state.closed;
        if entry.is_none() {
            state.ring.shrink_to(KEPT);
            if let Some(waker) = waker.filter(|_| !closed) {
                state.waker = Some(waker.clone());
            }
        }
        // Half empty is room enough: whoever waits for it may go on.
        if state.pressed_since.is_some() && state.ring.len() <= self.queue.capacity / 2 {
            state.pressed_since = None;
            state.slow = false;
            let blocked = core::mem::take(&mut state.blocked);
            drop(state);
            blocked.into_iter().for_each(Waker::wake);
        }
        (entry, closed)
    }
}

impl<T: Entry> Stream for Listener<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_recv(cx)
    }
}

impl<T: Entry> Drop for Listener<T> {
    /// Nobody waits for one that is gone.
    fn drop(&mut self) {
        let blocked = core::mem::take(&mut self.queue.lock().blocked);
        blocked.into_iter().for_each(Waker::wake);
    }
}

/// Where entries are published: every living listener gets each of them.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<HubState<T>>,
    capacity: usize,
}

#[derive(Debug)]
struct HubState<T> {
    queues: Vec<Weak<Queue<T>>>,
    closed: bool,
}

impl<T: Entry> Hub<T> {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { inner: Mutex::new(HubState { queues: Vec::new(), closed: false }), capacity }
    }

    pub(crate) fn listener(&self) -> Listener<T> {
        self.listener_until(None)
    }

    /// A listener that ends at a time, when [`close_ended`](Self::close_ended) is called after it.
    pub(crate) fn listener_until(&self, ends: Option<Instant>) -> Listener<T> {
        let mut inner = self.lock();
        let state = QueueState {
            ring: VecDeque::new(),
            lagged: 0,
            closed: inner.closed,
            ends,
            waker: None,
            pressed_since: None,
            slow: false,
            blocked: Vec::new(),
        };
        let queue = Arc::new(Queue { state: Mutex::new(state), capacity: self.capacity });
        if !inner.closed {
            inner.queues.retain(|queue| queue.strong_count() > 0);
            inner.queues.push(Arc::downgrade(&queue));
        }
        Listener { queue, missed: 0 }
    }

    /// Whether anybody listens; if not, there is no need to make the entry.
    pub(crate) fn is_heard(&self) -> bool {
        self.lock().queues.iter().any(|queue| queue.strong_count() > 0)
    }

    /// Queues an entry for every listener. Adds the wakers to call, once no lock is held, to `wakes`. Says whether a
    /// listener's queue is nearly full. Returns how many entries were lost by it, too.
    pub(crate) fn publish(&self, entry: &T, wakes: &mut Vec<Waker>) -> Published {
        let mut published = Published::default();
        self.each(|queue, state| {
            if state.ring.len() >= queue.capacity {
                state.ring.pop_front();
                state.lagged += 1;
                published.lost += 1;
            }
            state.ring.push_back(entry.clone());
            published.pressed |= state.ring.len() > queue.capacity / 4 * 3;
            wakes.extend(state.waker.take());
        });
        published
    }

    /// Whether the source should wait until a listener that keeps reading has room again; `waker` is called then.
    /// The longest such wait ends at the returned time.
    pub(crate) fn pressed_until(&self, now: Instant, waker: &Waker) -> Option<Instant> {
        let mut until: Option<Instant> = None;
        self.each(|queue, state| {
            if state.slow || state.ring.len() <= queue.capacity / 4 * 3 {
                return;
            }
            let ends = *state.pressed_since.get_or_insert(now) + PATIENCE;
            if ends <= now {
                // Not waited for again before it has caught up.
                state.slow = true;
                return;
            }
            if !state.blocked.iter().any(|blocked| blocked.will_wake(waker)) {
                state.blocked.push(waker.clone());
            }
            until = until.max(Some(ends));
        });
        until
    }

    /// Whether the source has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ends every listener once it has received what is queued.
    pub(crate) fn close(&self, wakes: &mut Vec<Waker>) {
        self.each(|_, state| {
            state.closed = true;
            wakes.extend(state.waker.take());
            wakes.append(&mut state.blocked);
        });
        let mut inner = self.lock();
        inner.closed = true;
        inner.queues.clear();
    }

    /// Ends the listeners whose time is over. Returns when the next one's is.
    pub(crate) fn close_ended(&self, now: Instant, wakes: &mut Vec<Waker>) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        self.each(|_, state| match state.ends {
            Some(ends) if ends <= now => {
                state.closed = true;
                wakes.extend(state.waker.take());
            }
            Some(ends) => next = Some(next.map_or(ends, |next| next.min(ends))),
            None => {}
        });
        next
    }

    fn each(&self, mut act: impl FnMut(&Queue<T>, &mut QueueState<T>)) {
        self.lock().queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut state = queue.lock();
            if !state.closed {
                act(&queue, &mut state);
            }
            !state.closed
        });
    }

    fn lock(&self) -> MutexGuard<'_, HubState<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending end of [`Listener`]s, for sources that are no devices.
///
/// ```
/// # use rustuya_runtime::{Entry, Source};
/// # #[derive(Clone, Debug, PartialEq)]
/// # struct Number(u32);
/// # impl Entry for Number { fn lagged(_lost: u64) -> Option<Self> { None } }
/// let source = Source::new(2);
/// let mut listener = source.listener();
/// for n in 1..=3 {
///     source.publish(&Number(n));
/// }
/// assert_eq!((listener.try_recv(), listener.missed()), (Some(Number(2)), 1)); // only two fit
/// source.close();
/// assert!(listener.is_closed());
/// ```
#[derive(Debug)]
pub struct Source<T: Entry>(Hub<T>);

impl<T: Entry> Source<T> {
    /// A source each of whose listeners holds at most `capacity` entries.
    pub const fn new(capacity: usize) -> Self {
        Self(Hub::new(capacity))
    }

    /// Receives what is published from now on.
    pub fn listener(&self) -> Listener<T> {
        self.0.listener()
    }

    /// Whether anybody listens; if not, there is no need to make an entry.
    pub fn is_heard(&self) -> bool {
        self.0.is_heard()
    }

    /// Queues an entry for every listener.
    pub fn publish(&self, entry: &T) {
        let mut wakes = Vec::new();
        self.0.publish(entry, &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }

    /// Ends every listener once it has received what is queued.
    pub fn close(&self) {
        let mut wakes = Vec::new();
        self.0.close(&mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }
}

/// What became of a published entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// A listener's queue is nearly full.
    pub(crate) pressed: bool,
    /// Older entries that slow listeners lost for it.
    pub(crate) lost: u64,
}

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<QueueState<T>>,
    capacity: usize,
}

#[derive(Debug)]
struct QueueState<T> {
    ring: VecDeque<T>,
    /// Entries dropped since the last one taken.
    lagged: u64,
    closed: bool,
    ends: Option<Instant>,
    waker: Option<Waker>,
    /// Since when somebody waits for room.
    pressed_since: Option<Instant>,
    /// Was waited for in vain, and has not caught up since.
    slow: bool,
    /// Sources that wait for room.
    blocked: Vec<Waker>,
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a source waits for a listener that is nearly overrun. Far below the 5 s that any answer may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// Entries that a drained queue keeps memory for.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Item {
        Number(u64),
        Lagged(u64),
    }

    impl Entry for Item {
        fn lagged(lost: u64) -> Option<Self> {
            Some(Self::Lagged(lost))
        }
    }

    fn publish(hub: &Hub<Item>, n: u64) -> Published {
        let mut wakes = Vec::new();
        let published = hub.publish(&Item::Number(n), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        published
    }

    #[test]
    fn a_slow_listener_loses_the_oldest_and_is_told_first() {
        let hub = Hub::new(3);
        let mut slow = hub.listener();
        let mut quick = hub.listener();
        for n in 0..5 {
            publish(&hub, n);
            assert_eq!(quick.try_recv(), Some(Item::Number(n)));
        }
        assert_eq!(slow.missed(), 2);
        assert_eq!(slow.try_recv(), Some(Item::Lagged(2)));
        for n in 2..5 {
            assert_eq!(slow.try_recv(), Some(Item::Number(n)));
        }
        assert_eq!(slow.try_recv(), None);
        assert_eq!((slow.missed(), quick.missed()), (2, 0));
    }

    #[test]
    fn closing_ends_listeners_after_what_is_queued() {
        let hub = Hub::new(3);
        let mut listener = hub.listener();
        publish(&hub, 1);
        hub.close(&mut Vec::new());
        publish(&hub, 2);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!(listener.poll_recv(&mut cx), Poll::Ready(Some(Item::Number(1))));
        assert_eq!(listener.poll_recv(&mut cx), Poll::Ready(None));
        assert_eq!(hub.listener().poll_recv(&mut cx), Poll::Ready(None));
    }

    #[test]
    fn a_reader_that_keeps_up_is_waited_for_and_a_slow_one_is_not() {
        let hub = Hub::new(8);
        let mut reader = hub.listener();
        for n in 0..6 {
            assert!(!publish(&hub, n).pressed);
        }
        assert!(publish(&hub, 6).pressed);
        let start = Instant::now();
        assert_eq!(hub.pressed_until(start, Waker::noop()), Some(start + PATIENCE));
        for _ in 0..3 {
            reader.try_recv();
        }
        // At half it is waited for no more.
        assert_eq!(hub.pressed_until(start, Waker::noop()), None);
        for n in 7..10 {
            publish(&hub, n);
        }
        assert!(hub.pressed_until(start, Waker::noop()).is_some());
        let late = start + PATIENCE;
        assert_eq!(hub.pressed_until(late, Waker::noop()), None, "patience is over");
        reader.try_recv();
        publish(&hub, 11);
        assert_eq!(hub.pressed_until(late, Waker::noop()), None, "it has not caught up yet");
        while reader.try_recv().is_some() {}
        for n in 0..7 {
            publish(&hub, n);
        }
        assert!(hub.pressed_until(late, Waker::noop()).is_some(), "it has caught up");
    }

    #[test]
    fn some_listeners_end_by_the_clock() {
        let hub = Hub::<Item>::new(8);
        let now = Instant::now();
        let ends = now + Duration::from_secs(1);
        let brief = hub.listener_until(Some(ends));
        let lasting = hub.listener();
        assert_eq!(hub.close_ended(now, &mut Vec::new()), Some(ends));
        assert_eq!(hub.close_ended(ends, &mut Vec::new()), None);
        assert!(brief.is_closed() && !lasting.is_closed());
    }

    #[test]
    fn a_dropped_listener_is_forgotten() {
        let hub = Hub::<Item>::new(8);
        let listener = hub.listener();
        assert!(hub.is_heard());
        drop(listener);
        assert!(!hub.is_heard());
        publish(&hub, 1);
        assert!(hub.lock().queues.is_empty());
    }
}
