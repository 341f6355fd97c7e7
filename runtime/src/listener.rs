//! Bounded queues from one source to any number of listeners.

use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
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

    /// The memory that it takes in a queue, in bytes, about. What several queues share counts in each of them.
    fn weight(&self) -> usize {
        size_of::<Self>()
    }
}

/// Receives what happens from the moment it was made, in order.
///
/// Each listener has a queue of its own, bounded in entries and in bytes. While a listener keeps reading, a device that
/// pushes much waits for it a moment, unless it has commands to answer; a listener that does not keep up loses the
/// oldest entries and is told how many. No command and no other device waits for a listener.
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
        // Wakers are foreign code: they are cloned, dropped and called while no lock is held.
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
        // Half empty is room enough: whoever waits for it may go on, one for each entry taken, so that they do not
        // all come back at once.
        if self.queue.bounds.has_room(&state) {
            state.slow = false;
            self.queue.relieve(&mut state);
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
    /// Nobody waits for one that is gone.
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        self.queue.relieve(&mut state);
        state.closed = true;
        let blocked = core::mem::take(&mut state.blocked);
        let rest = (core::mem::take(&mut state.ring), state.waker.take());
        drop(state);
        drop(rest);
        blocked.into_iter().for_each(Waker::wake);
    }
}

/// How much waits for one slow listener at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Entries that one has who is known not to keep up. From three quarters on, sources wait for one who reads.
    pub(crate) entries: usize,
    /// Entries that are kept of sources that cannot wait.
    pub(crate) most: usize,
    /// Bytes, as entries [weigh](Entry::weight).
    pub(crate) bytes: usize,
}

impl Bounds {
    /// So many entries, of any size.
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

/// Where entries are published: every living listener gets each of them.
#[derive(Debug)]
pub(crate) struct Hub<T> {
    inner: Mutex<HubState<T>>,
    bounds: Bounds,
    pressure: Pressure,
}

/// How many listeners of one source are nearly overrun, and are waited for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pressure(Arc<AtomicUsize>);

impl Pressure {
    /// Whether any is.
    pub(crate) fn is_felt(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

#[derive(Debug)]
struct HubState<T> {
    /// Replaced where it changes, so that it can be gone through while the lock is free.
    queues: Arc<[Weak<Queue<T>>]>,
    closed: bool,
}

impl<T: Entry> Hub<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let inner = Mutex::new(HubState { queues: Arc::new([]), closed: false });
        Self { inner, bounds, pressure: Pressure::default() }
    }

    /// Sets the bounds of listeners that are made from now on.
    pub(crate) const fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    pub(crate) const fn pressure(&self) -> &Pressure {
        &self.pressure
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
            pressed: None,
            slow: false,
            blocked: VecDeque::new(),
        };
        let pressure = self.pressure.clone();
        let queue = Arc::new(Queue { state: Mutex::new(state), bounds: self.bounds, pressure });
        if !inner.closed {
            let living = inner.queues.iter().filter(|queue| queue.strong_count() > 0).cloned();
            inner.queues = living.chain([Arc::downgrade(&queue)]).collect();
        }
        Listener { queue, missed: 0 }
    }

    /// Whether anybody listens; if not, there is no need to make the entry.
    pub(crate) fn is_heard(&self) -> bool {
        let queues = Arc::clone(&self.lock().queues);
        queues.iter().any(|queue| queue.strong_count() > 0)
    }

    /// Queues an entry for every listener. Adds the wakers to call, once no lock is held, to `wakes`. Returns how many
    /// older entries slow listeners lost for it.
    pub(crate) fn publish(&self, entry: &T, wakes: &mut Vec<Waker>) -> u64 {
        let mut lost = 0;
        let weight = entry.weight();
        self.each(|queue| {
            // Entries may be foreign: they are cloned and dropped while no lock is held.
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
            if state.pressed.is_none() && !state.slow && queue.bounds.is_nearly_reached(&state) {
                state.pressed = Some(Pressed { times: None, taken: state.taken });
                queue.pressure.0.fetch_add(1, Ordering::Relaxed);
            }
            wakes.extend(state.waker.take());
            drop(state);
        });
        lost
    }

    /// Whether the source should wait until a listener that keeps reading has room again; a waker of `alarm` is called
    /// then. The longest such wait ends at the returned time.
    pub(crate) fn pressed_until(&self, now: Instant, alarm: impl Fn() -> Waker) -> Option<Instant> {
        if !self.pressure.is_felt() {
            return None;
        }
        let mut until: Option<Instant> = None;
        self.each(|queue| {
            let mut state = queue.lock();
            let taken = state.taken;
            let Some(pressed) = &mut state.pressed else { return };
            let (since, mut moved) = pressed.times.unwrap_or((now, now));
            if pressed.taken != taken {
                (pressed.taken, moved) = (taken, now);
            }
            pressed.times = Some((since, moved));
            let ends = (moved + PATIENCE).min(since + LONGEST);
            if ends <= now {
                // Not waited for again before it has caught up.
                state.slow = true;
                queue.relieve(&mut state);
                return;
            }
            if state.blocked.len() < MOST_BLOCKED {
                state.blocked.push_back(alarm());
            }
            until = until.max(Some(ends));
        });
        until
    }

    /// Ends every listener once it has received what is queued.
    pub(crate) fn close(&self, wakes: &mut Vec<Waker>) {
        let mut inner = self.lock();
        inner.closed = true;
        let queues = core::mem::replace(&mut inner.queues, Arc::new([]));
        drop(inner);
        for queue in queues.iter().filter_map(Weak::upgrade) {
            let mut state = queue.lock();
            state.closed = true;
            wakes.extend(state.waker.take());
            queue.relieve(&mut state);
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
    pub fn new(capacity: usize) -> Self {
        Self(Hub::new(Bounds::entries(capacity)))
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

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<QueueState<T>>,
    bounds: Bounds,
    pressure: Pressure,
}

#[derive(Debug)]
struct QueueState<T> {
    ring: VecDeque<T>,
    /// What is in `ring` weighs so much.
    bytes: usize,
    /// Entries dropped since the last one taken.
    lagged: u64,
    closed: bool,
    waker: Option<Waker>,
    /// How often something was taken, or tried to be.
    taken: u64,
    /// Nearly overrun, and waited for.
    pressed: Option<Pressed>,
    /// Was waited for in vain, and has not caught up since.
    slow: bool,
    /// Sources that wait for room.
    blocked: VecDeque<Waker>,
}

impl<T> QueueState<T> {
    fn has_nothing(&self) -> bool {
        self.ring.is_empty() && self.lagged == 0 && !self.closed
    }
}

/// A wait for a listener.
#[derive(Clone, Copy, Debug)]
struct Pressed {
    /// Since when it is waited for, and when it was last seen to have taken something; set by who first waits.
    times: Option<(Instant, Instant)>,
    taken: u64,
}

impl<T> Queue<T> {
    /// Nobody waits for this listener any more.
    fn relieve(&self, state: &mut QueueState<T>) {
        if state.pressed.take().is_some() {
            self.pressure.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a source waits for a listener that is nearly overrun and takes nothing. Far below the 5 s that any answer
/// may take.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long it waits for one that takes something now and then, but does not catch up.
const LONGEST: Duration = Duration::from_secs(1);

/// Sources that are woken when there is room; any more look again when their patience ends.
const MOST_BLOCKED: usize = 65_536;

/// Entries that a drained queue keeps memory for.
const KEPT: usize = 16;

#[cfg(test)]
mod tests;
