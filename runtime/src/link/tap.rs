//! Delivery of events to a tap.
//!
//! Events are made under the lock of a link, and a tap is foreign code that may call back into it. They are queued, and
//! delivered once the lock is free.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rustuya_proto::{Cid, Command, DeviceConfig, Instant};

use super::request::{Operation, Request, limited};
use crate::tap::{Tap, TapEvent};

/// Limit of the events that wait for a slow tap, in bytes. Further ones are dropped and counted.
pub(super) const MAX_QUEUED_BYTES: usize = 4 << 20;

/// Tap shared by the clones of a device's description.
#[derive(Clone)]
pub(crate) struct SharedTap(Arc<Feed<dyn Tap>>);

struct Feed<T: ?Sized> {
    events: Mutex<EventQueue>,
    tap: Mutex<T>,
}

#[derive(Default)]
struct EventQueue {
    queued: VecDeque<(Instant, OwnedTapEvent)>,
    /// Memory of the queued events, in bytes.
    bytes: usize,
    /// Thread that delivers, one at a time.
    deliverer: Option<ThreadId>,
    /// Wakers of callers that wait until all are delivered.
    waiting: Vec<Waker>,
}

/// An event with owned data.
pub(super) enum OwnedTapEvent {
    Plain(TapEvent<'static>),
    Created { config: Box<DeviceConfig>, rx: usize, tx: usize },
    Reconfigured(Box<DeviceConfig>),
    Command(Box<OwnedCommand>),
    Received(Box<[u8]>),
    Sent(Box<[u8]>),
    Drawn(Box<[u8]>),
}

/// Command passed to the machine, with owned data.
pub(super) struct OwnedCommand {
    operation: Operation,
    cid: Option<Cid>,
    unix_time: u64,
    timeout: Option<Duration>,
    at_most: Option<usize>,
}

impl SharedTap {
    pub(crate) fn new(tap: impl Tap + 'static) -> Self {
        Self(Arc::new(Feed { events: Mutex::default(), tap: Mutex::new(tap) }))
    }

    /// Queues an event until [`deliver`](Self::deliver).
    pub(super) fn push(&self, at: Instant, what: OwnedTapEvent) {
        self.events().push(at, what);
    }

    /// Delivers the queued events in order, and those queued meanwhile. Does nothing if a delivery is under way, on
    /// another thread or further up the stack of this one.
    pub(super) fn deliver(&self) {
        let mut events = self.events();
        if events.deliverer.is_some() || events.queued.is_empty() {
            return;
        }
        events.deliverer = Some(thread::current().id());
        let guard = DeliveryGuard(self);
        while let Some((at, kept)) = events.take_first() {
            drop(events);
            self.0.tap.lock().unwrap_or_else(PoisonError::into_inner).on_event(at, kept.event());
            events = self.events();
        }
        // Under the same lock: events queued from now on are delivered by their own thread.
        let waiting = events.end();
        drop(events);
        core::mem::forget(guard);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns whether this is called from within the tap.
    pub(super) fn is_delivering_here(&self) -> bool {
        self.events().deliverer == Some(thread::current().id())
    }

    #[cfg(test)]
    pub(super) fn queued_bytes(&self) -> usize {
        let events = self.events();
        assert_eq!(events.bytes, events.queued.iter().map(|(_, kept)| kept.size()).sum::<usize>());
        events.bytes
    }

    #[cfg(test)]
    pub(super) fn is_delivering(&self) -> bool {
        self.events().deliverer.is_some()
    }

    /// Ready when all events are delivered.
    pub(super) fn poll_delivered(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut events = self.events();
        if events.deliverer.is_none() {
            return Poll::Ready(());
        }
        events.waiting.push(waker);
        Poll::Pending
    }

    fn events(&self) -> MutexGuard<'_, EventQueue> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventQueue {
    /// Queues an event, or counts it where there is no room.
    fn push(&mut self, at: Instant, what: OwnedTapEvent) {
        let room = self.queued.is_empty() || self.bytes.saturating_add(what.size()) <= MAX_QUEUED_BYTES;
        let what = match self.queued.back_mut() {
            _ if room => what,
            Some((_, OwnedTapEvent::Plain(TapEvent::Missed { events }))) => {
                *events = events.saturating_add(1);
                return;
            }
            _ => OwnedTapEvent::Plain(TapEvent::Missed { events: 1 }),
        };
        self.bytes = self.bytes.saturating_add(what.size());
        self.queued.push_back((at, what));
    }

    /// Takes the oldest event. The others stay queued if the tap panics.
    fn take_first(&mut self) -> Option<(Instant, OwnedTapEvent)> {
        let (at, kept) = self.queued.pop_front()?;
        self.bytes = self.bytes.saturating_sub(kept.size());
        if self.queued.is_empty() {
            self.queued.shrink_to(64);
        }
        Some((at, kept))
    }

    /// Ends the delivery. Returns the wakers to call.
    fn end(&mut self) -> Vec<Waker> {
        self.deliverer = None;
        core::mem::take(&mut self.waiting)
    }
}

/// Ends the delivery if the tap panics, so that the next one goes on.
struct DeliveryGuard<'a>(&'a SharedTap);

impl Drop for DeliveryGuard<'_> {
    fn drop(&mut self) {
        let waiting = self.0.events().end();
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl PartialEq for SharedTap {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl core::fmt::Debug for SharedTap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SharedTap")
    }
}

impl OwnedTapEvent {
    /// Makes the event of a command that is passed to the machine.
    pub(super) fn command(request: &Request, command: &Command<'_>) -> Self {
        Self::Command(Box::new(OwnedCommand {
            operation: request.operation.clone(),
            cid: request.cid.clone(),
            unix_time: command.unix_time(),
            timeout: command.timeout(),
            at_most: command.frame_limit(),
        }))
    }

    /// Returns its memory, in bytes.
    fn size(&self) -> usize {
        let more = match self {
            Self::Plain(_) => 0,
            Self::Created { .. } | Self::Reconfigured(_) => size_of::<DeviceConfig>(),
            Self::Command(given) => size_of::<OwnedCommand>().saturating_add(given.operation.held_bytes()),
            Self::Received(bytes) | Self::Sent(bytes) | Self::Drawn(bytes) => bytes.len(),
        };
        size_of::<(Instant, Self)>().saturating_add(more)
    }

    fn event(&self) -> TapEvent<'_> {
        match self {
            Self::Plain(event) => *event,
            Self::Created { config, rx, tx } => TapEvent::Created { config, rx: *rx, tx: *tx },
            Self::Reconfigured(config) => TapEvent::Reconfigured(config),
            Self::Command(given) => TapEvent::Command(given.command()),
            Self::Received(bytes) => TapEvent::Received(bytes),
            Self::Sent(bytes) => TapEvent::Sent(bytes),
            Self::Drawn(bytes) => TapEvent::Drawn(bytes),
        }
    }
}

impl OwnedCommand {
    fn command(&self) -> Command<'_> {
        let command = self.operation.machine_command(self.cid.as_ref()).with_unix_time(self.unix_time);
        limited(command, self.timeout, self.at_most)
    }
}
