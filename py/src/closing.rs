//! End of the listeners and subscriptions of a closed handle whose device stays open for others.

use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex};

use rustuya_runtime_tokio::{Event, Listener};

use crate::feed::Feed;
use crate::lifecycle::lock;

/// Wakers of the feeds of one handle; `None` once it is closed.
pub(crate) struct Closing(Mutex<Option<Vec<Waker>>>);

impl Default for Closing {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Closing {
    /// Ends the feeds of the handle after the events that they have.
    fn close(&self) {
        let all = lock(&self.0).take();
        all.into_iter().flatten().for_each(Waker::wake);
    }

    /// Returns whether the handle is closed. If not, its end calls `waker`.
    fn is_closed(&self, waker: &Waker) -> bool {
        let mut all = lock(&self.0);
        let Some(known) = &mut *all else { return true };
        if !known.iter().any(|known| known.will_wake(waker)) {
            known.push(waker.clone());
        }
        false
    }

    fn remove(&self, waker: &Waker) {
        let mut all = lock(&self.0);
        let removed = all.as_mut().and_then(|known| {
            let index = known.iter().position(|known| known.will_wake(waker))?;
            Some(known.swap_remove(index))
        });
        // The waker's drop may take this lock.
        drop(all);
        drop(removed);
    }
}

/// Ends the feeds of a handle on drop, so that a cancelled close ends them, too.
pub(crate) struct CloseGuard(pub(crate) Arc<Closing>);

impl Drop for CloseGuard {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Events of a device, until it or the handle is closed.
pub(crate) struct HandleFeed {
    listener: Listener<Event>,
    closing: Arc<Closing>,
    waker: Option<Waker>,
}

impl HandleFeed {
    pub(crate) const fn new(listener: Listener<Event>, closing: Arc<Closing>) -> Self {
        Self { listener, closing, waker: None }
    }

    fn remove_waker(&mut self) {
        if let Some(waker) = self.waker.take() {
            self.closing.remove(&waker);
        }
    }
}

impl Feed for HandleFeed {
    type Item = Event;

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let polled = self.listener.poll_item(cx);
        if polled.is_ready() {
            return polled;
        }
        let waker = cx.waker();
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.remove_waker();
            self.waker = Some(waker.clone());
        }
        if self.closing.is_closed(waker) { Poll::Ready(None) } else { Poll::Pending }
    }

    fn missed(&self) -> u64 {
        self.listener.missed()
    }
}

impl Drop for HandleFeed {
    fn drop(&mut self) {
        self.remove_waker();
    }
}
