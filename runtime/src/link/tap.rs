//! Delivery of notes to a tap.
//!
//! Notes are made under the lock of a link, and a tap is foreign code that may call back into it. They are queued, and
//! delivered once the lock is free.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rustuya_proto::{Cid, Command, DeviceConfig, Instant};

use super::request::{Operation, Request, limited};
use crate::tap::{Note, Tap};

/// Limit of the notes that wait for a slow tap, in bytes. Further ones are dropped and counted.
pub(super) const MAX_QUEUED_BYTES: usize = 4 << 20;

/// Tap shared by the clones of a device's description.
#[derive(Clone)]
pub(crate) struct SharedTap(Arc<Feed<dyn Tap>>);

struct Feed<T: ?Sized> {
    notes: Mutex<NoteQueue>,
    tap: Mutex<T>,
}

#[derive(Default)]
struct NoteQueue {
    queued: VecDeque<(Instant, OwnedNote)>,
    /// Memory of the queued notes, in bytes.
    bytes: usize,
    /// Thread that delivers, one at a time.
    deliverer: Option<ThreadId>,
    /// Wakers of callers that wait until all are delivered.
    waiting: Vec<Waker>,
}

/// A note with owned data.
pub(super) enum OwnedNote {
    Plain(Note<'static>),
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
        Self(Arc::new(Feed { notes: Mutex::default(), tap: Mutex::new(tap) }))
    }

    /// Queues a note until [`deliver`](Self::deliver).
    pub(super) fn push(&self, at: Instant, what: OwnedNote) {
        self.notes().push(at, what);
    }

    /// Delivers the queued notes in order, and those queued meanwhile. Does nothing if a delivery is under way, on
    /// another thread or further up the stack of this one.
    pub(super) fn deliver(&self) {
        let mut notes = self.notes();
        if notes.deliverer.is_some() || notes.queued.is_empty() {
            return;
        }
        notes.deliverer = Some(thread::current().id());
        let guard = DeliveryGuard(self);
        while let Some((at, kept)) = notes.take_first() {
            drop(notes);
            self.0.tap.lock().unwrap_or_else(PoisonError::into_inner).note(at, kept.note());
            notes = self.notes();
        }
        // Under the same lock: notes queued from now on are delivered by their own thread.
        let waiting = notes.end();
        drop(notes);
        core::mem::forget(guard);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Returns whether this is called from within the tap.
    pub(super) fn is_delivering_here(&self) -> bool {
        self.notes().deliverer == Some(thread::current().id())
    }

    #[cfg(test)]
    pub(super) fn queued_bytes(&self) -> usize {
        let notes = self.notes();
        assert_eq!(notes.bytes, notes.queued.iter().map(|(_, kept)| kept.size()).sum::<usize>());
        notes.bytes
    }

    #[cfg(test)]
    pub(super) fn is_delivering(&self) -> bool {
        self.notes().deliverer.is_some()
    }

    /// Ready when all notes are delivered.
    pub(super) fn poll_delivered(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut notes = self.notes();
        if notes.deliverer.is_none() {
            return Poll::Ready(());
        }
        notes.waiting.push(waker);
        Poll::Pending
    }

    fn notes(&self) -> MutexGuard<'_, NoteQueue> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NoteQueue {
    /// Queues a note, or counts it where there is no room.
    fn push(&mut self, at: Instant, what: OwnedNote) {
        let room = self.queued.is_empty() || self.bytes.saturating_add(what.size()) <= MAX_QUEUED_BYTES;
        let what = match self.queued.back_mut() {
            _ if room => what,
            Some((_, OwnedNote::Plain(Note::Missed { notes }))) => {
                *notes = notes.saturating_add(1);
                return;
            }
            _ => OwnedNote::Plain(Note::Missed { notes: 1 }),
        };
        self.bytes = self.bytes.saturating_add(what.size());
        self.queued.push_back((at, what));
    }

    /// Takes the oldest note. The others stay queued if the tap panics.
    fn take_first(&mut self) -> Option<(Instant, OwnedNote)> {
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
        let waiting = self.0.notes().end();
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

impl OwnedNote {
    /// Makes the note of a command that is passed to the machine.
    pub(super) fn command(request: &Request, command: &Command<'_>) -> Self {
        Self::Command(Box::new(OwnedCommand {
            operation: request.operation.clone(),
            cid: request.cid.clone(),
            unix_time: command.get_unix_time(),
            timeout: command.get_timeout(),
            at_most: command.get_at_most(),
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

    fn note(&self) -> Note<'_> {
        match self {
            Self::Plain(note) => *note,
            Self::Created { config, rx, tx } => Note::Created { config, rx: *rx, tx: *tx },
            Self::Reconfigured(config) => Note::Reconfigured(config),
            Self::Command(given) => Note::Command(given.command()),
            Self::Received(bytes) => Note::Received(bytes),
            Self::Sent(bytes) => Note::Sent(bytes),
            Self::Drawn(bytes) => Note::Drawn(bytes),
        }
    }
}

impl OwnedCommand {
    fn command(&self) -> Command<'_> {
        let command = self.operation.machine_command(self.cid.as_ref()).unix_time(self.unix_time);
        limited(command, self.timeout, self.at_most)
    }
}
