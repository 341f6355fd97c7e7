//! Bounded queues from one source to any number of listeners.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use futures_core::Stream;

use super::entry::Entry;
use super::event::Event;

/// Receives events in order, from the moment it was made.
///
/// Each listener has a queue of its own, bounded in entries and in bytes. While a listener keeps reading, a device that
/// pushes much pauses for it a moment, unless it has commands to answer. A listener that does not keep up loses the
/// oldest entries and receives their number. No command and no other device waits for a listener.
///
/// Also a [`Stream`]. Ends (`None`) when the source was closed or its last handle dropped, after everything queued
/// was received.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// let mut events = device.listener();
/// device.query().await?;
/// while let Some(event) = events.recv().await {
///     if let Event::Message(message) = event {
///         assert_eq!(message.dp(2), Some(json!(50)));
///         break;
///     }
/// }
/// assert_eq!(events.missed(), 0);
/// device.close().await; // ends it, once what is queued was received
/// while events.recv().await.is_some() {}
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener<T: Entry = Event> {
    queue: Arc<Queue<T>>,
    missed: u64,
}

impl<T: Entry> Listener<T> {
    /// Receives the next entry; `None` after the last.
    ///
    /// # Cancel safety
    /// Safe: an entry is taken only when the future completes.
    pub async fn recv(&mut self) -> Option<T> {
        core::future::poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Returns the next entry if there is one already.
    pub fn try_recv(&mut self) -> Option<T> {
        let (entry, _) = self.take(None);
        entry
    }

    /// Returns the number of entries that this listener has lost so far.
    pub fn missed(&self) -> u64 {
        self.missed + self.queue.lock().lagged
    }

    /// Returns whether no entry will be queued any more; queued ones can still be received.
    pub fn is_closed(&self) -> bool {
        self.queue.lock().closed
    }

    /// Polls [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.take(Some(cx.waker())) {
            (None, false) => Poll::Pending,
            (entry, _) => Poll::Ready(entry),
        }
    }

    /// Takes the next entry, and tells whether the source is closed. Registers the waker if the queue is empty.
    fn take(&mut self, waker: Option<&Waker>) -> (Option<T>, bool) {
        // Wakers are foreign code: clone, drop and call them without a lock.
        let mut spare = None;
        let mut state = self.queue.lock();
        if let Some(waker) = waker
            && state.has_nothing()
            && !state.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            drop(state);
            spare = Some(waker.clone());
            state = self.queue.lock();
        }
        if state.lagged > 0 {
            let lost = core::mem::take(&mut state.lagged);
            self.missed += lost;
            if let Some(mark) = T::lagged(lost) {
                return (Some(mark), false);
            }
        }
        let entry = state.ring.pop_front();
        let closed = state.closed;
        match &entry {
            Some(entry) => state.bytes = state.bytes.saturating_sub(entry.weight()),
            None => {
                state.ring.shrink_to(KEPT);
                if spare.is_some() && !closed {
                    core::mem::swap(&mut state.waker, &mut spare);
                }
            }
        }
        state.taken = state.taken.wrapping_add(1);
        let mut blocked = VecDeque::new();
        // A half empty queue has room. Wake one source per entry taken, so that they do not all come at once.
        if self.queue.bounds.has_room(&state) {
            state.slow = false;
            self.queue.stop_waiting(&mut state);
            if entry.is_none() {
                core::mem::swap(&mut blocked, &mut state.blocked);
            } else {
                blocked.extend(state.blocked.pop_front());
            }
        }
        drop(state);
        blocked.into_iter().for_each(Waker::wake);
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
    /// Wakes the sources that wait for this listener.
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        self.queue.stop_waiting(&mut state);
        state.closed = true;
        let blocked = core::mem::take(&mut state.blocked);
        let rest = (core::mem::take(&mut state.ring), state.waker.take());
        drop(state);
        drop(rest);
        blocked.into_iter().for_each(Waker::wake);
    }
}

/// Limits of a slow listener's queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Entries of a listener that does not keep up. From three quarters on, sources wait for a listener that reads.
    pub(crate) entries: usize,
    /// Entries from sources that cannot wait.
    pub(crate) most: usize,
    /// Bytes, by the [weight](Entry::weight) of entries.
    pub(crate) bytes: usize,
}

impl Bounds {
    /// Limits the number of entries only.
    pub(crate) const fn entries(entries: usize) -> Self {
        Self { entries, most: entries, bytes: usize::MAX }
    }

    fn is_nearly_reached<T>(&self, state: &QueueState<T>) -> bool {
        state.ring.len() > self.entries / 4 * 3 || state.bytes > self.bytes / 4 * 3
    }

    fn has_room<T>(&self, state: &QueueState<T>) -> bool {
        state.ring.len() <= self.entries / 2 && state.bytes <= self.bytes / 2
    }
}

/// Publishes entries to all living listeners.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<HubState<T>>,
    bounds: Bounds,
    backpressure: Backpressure,
}

/// Number of listeners of one source that are nearly full and that the source waits for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backpressure(Arc<AtomicUsize>);

impl Backpressure {
    /// Returns whether there is any.
    pub(crate) fn is_active(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

#[derive(Debug)]
struct HubState<T> {
    /// Replaced on change, so that it can be iterated without the lock.
    queues: Arc<[Weak<Queue<T>>]>,
    closed: bool,
}

impl<T: Entry> Hub<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let inner = Mutex::new(HubState { queues: Arc::new([]), closed: false });
        Self { inner, bounds, backpressure: Backpressure::default() }
    }

    /// Sets the bounds of listeners made from now on.
    pub(crate) const fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(crate) const fn backpressure(&self) -> &Backpressure {
        &self.backpressure
    }

    pub(crate) fn listener(&self) -> Listener<T> {
        let mut inner = self.lock();
        let state = QueueState {
            ring: VecDeque::new(),
            bytes: 0,
            lagged: 0,
            closed: inner.closed,
            waker: None,
            taken: 0,
            wait: None,
            slow: false,
            blocked: VecDeque::new(),
        };
        let backpressure = self.backpressure.clone();
        let queue = Arc::new(Queue { state: Mutex::new(state), bounds: self.bounds, backpressure });
        if !inner.closed {
            let living = inner.queues.iter().filter(|queue| queue.strong_count() > 0).cloned();
            inner.queues = living.chain([Arc::downgrade(&queue)]).collect();
        }
        Listener { queue, missed: 0 }
    }

    /// Returns whether there is any listener; without one, no entry needs to be made.
    pub(crate) fn has_listeners(&self) -> bool {
        let queues = Arc::clone(&self.lock().queues);
        queues.iter().any(|queue| queue.strong_count() > 0)
    }

    /// Queues an entry for every listener. Adds the wakers to `wakes`, to be called without a lock. Returns how many
    /// older entries slow listeners lost.
    pub(crate) fn publish(&self, entry: &T, wakes: &mut Vec<Waker>) -> u64 {
        let mut lost = 0;
        let weight = entry.weight();
        self.each(|queue| {
            // Entries may be foreign code: clone and drop them without a lock.
            let entry = entry.clone();
            let mut dropped = Vec::new();
            let mut state = queue.lock();
            if state.closed {
                return;
            }
            let most = if state.slow { queue.bounds.entries } else { queue.bounds.most };
            while (state.ring.len() >= most || state.bytes.saturating_add(weight) > queue.bounds.bytes)
                && let Some(oldest) = state.ring.pop_front()
            {
                state.bytes = state.bytes.saturating_sub(oldest.weight());
                state.lagged += 1;
                lost += 1;
                dropped.push(oldest);
            }
            state.ring.push_back(entry);
            state.bytes = state.bytes.saturating_add(weight);
            if state.wait.is_none() && !state.slow && queue.bounds.is_nearly_reached(&state) {
                state.wait = Some(Wait { times: None, taken: state.taken });
                queue.backpressure.0.fetch_add(1, Ordering::Relaxed);
            }
            wakes.extend(state.waker.take());
            drop(state);
        });
        lost
    }

    /// Returns the time until which the source should wait for listeners that keep reading and are nearly full. A waker
    /// of `alarm` is called once one of them has room.
    pub(crate) fn paused_until(&self, now: Instant, alarm: impl Fn() -> Waker) -> Option<Instant> {
        if !self.backpressure.is_active() {
            return None;
        }
        let mut until: Option<Instant> = None;
        self.each(|queue| {
            let mut state = queue.lock();
            let taken = state.taken;
            let Some(wait) = &mut state.wait else { return };
            let (since, mut moved) = wait.times.unwrap_or((now, now));
            if wait.taken != taken {
                (wait.taken, moved) = (taken, now);
            }
            wait.times = Some((since, moved));
            let ends = (moved + PATIENCE).min(since + LONGEST);
            if ends <= now {
                // Waits for it again only after it has caught up.
                state.slow = true;
                queue.stop_waiting(&mut state);
                return;
            }
            if state.blocked.len() < MOST_BLOCKED {
                state.blocked.push_back(alarm());
            }
            until = until.max(Some(ends));
        });
        until
    }

    /// Ends every listener once it has received its queued entries.
    pub(crate) fn close(&self, wakes: &mut Vec<Waker>) {
        let mut inner = self.lock();
        inner.closed = true;
        let queues = core::mem::replace(&mut inner.queues, Arc::new([]));
        drop(inner);
        for queue in queues.iter().filter_map(Weak::upgrade) {
            let mut state = queue.lock();
            state.closed = true;
            wakes.extend(state.waker.take());
            queue.stop_waiting(&mut state);
            wakes.extend(state.blocked.drain(..));
        }
    }

    fn each(&self, mut act: impl FnMut(&Queue<T>)) {
        let queues = Arc::clone(&self.lock().queues);
        queues.iter().filter_map(Weak::upgrade).for_each(|queue| act(&queue));
    }

    fn lock(&self) -> MutexGuard<'_, HubState<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sending end of [`Listener`]s, for sources that are no devices.
///
/// ```
/// # use rustuya_runtime::driver::Source;
/// # use rustuya_runtime::Entry;
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
    /// Makes a source whose listeners hold at most `capacity` entries each.
    pub fn new(capacity: usize) -> Self {
        Self(Hub::new(Bounds::entries(capacity)))
    }

    /// Makes a listener for entries published from now on.
    pub fn listener(&self) -> Listener<T> {
        self.0.listener()
    }

    /// Returns whether there is any listener; without one, no entry needs to be made.
    pub fn has_listeners(&self) -> bool {
        self.0.has_listeners()
    }

    /// Queues an entry for every listener.
    pub fn publish(&self, entry: &T) {
        let mut wakes = Vec::new();
        self.0.publish(entry, &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }

    /// Ends every listener once it has received its queued entries.
    pub fn close(&self) {
        let mut wakes = Vec::new();
        self.0.close(&mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }
}

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<QueueState<T>>,
    bounds: Bounds,
    backpressure: Backpressure,
}

#[derive(Debug)]
struct QueueState<T> {
    ring: VecDeque<T>,
    /// Weight of the entries in `ring`, in bytes.
    bytes: usize,
    /// Entries dropped since the last one taken.
    lagged: u64,
    closed: bool,
    waker: Option<Waker>,
    /// Number of attempts to take an entry.
    taken: u64,
    /// Set while sources wait for this listener, because it is nearly full.
    wait: Option<Wait>,
    /// Set after such a wait has timed out, until the listener has caught up.
    slow: bool,
    /// Wakers of sources that wait for room.
    blocked: VecDeque<Waker>,
}

impl<T> QueueState<T> {
    fn has_nothing(&self) -> bool {
        self.ring.is_empty() && self.lagged == 0 && !self.closed
    }
}

/// Wait of sources for a listener.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// Begin of the wait, and time of the last progress; set by the first source that can wait.
    times: Option<(Instant, Instant)>,
    taken: u64,
}

impl<T> Queue<T> {
    /// Ends the wait for this listener.
    fn stop_waiting(&self, state: &mut QueueState<T>) {
        if state.wait.take().is_some() {
            self.backpressure.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longest wait for a listener that is nearly full and takes nothing. Far below the 5 s that any answer may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// Longest wait for a listener that takes entries now and then, but does not catch up.
const LONGEST: Duration = Duration::from_secs(1);

/// Limit of the sources that are woken when there is room; others try again when their patience ends.
const MOST_BLOCKED: usize = 65_536;

/// Entries whose memory a drained queue keeps.
const KEPT: usize = 16;

#[cfg(test)]
mod tests;
