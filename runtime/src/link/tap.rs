//! A tap, and what it has not been told yet.
//!
//! Notes are made while a link is locked, and a tap is foreign code that may call back into it: they are kept, and told
//! once the lock is free.

use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use rustuya_proto::{Cid, Command, DeviceConfig, Instant};

use super::request::{Ask, Request, limited};
use crate::tap::{Note, Tap};

/// So many bytes of notes wait for a slow tap. What comes then is left out and counted.
pub(super) const MAX_UNTOLD: usize = 4 << 20;

/// A tap that a description of a device holds, and its clones.
#[derive(Clone)]
pub(crate) struct SharedTap(Arc<Feed<dyn Tap>>);

struct Feed<T: ?Sized> {
    notes: Mutex<Notes>,
    tap: Mutex<T>,
}

#[derive(Default)]
struct Notes {
    untold: VecDeque<(Instant, Kept)>,
    /// The memory that they take.
    bytes: usize,
    /// The thread that tells them, one at a time.
    teller: Option<ThreadId>,
    /// Waiting until all are told.
    waiting: Vec<Waker>,
}

/// A note that owns what it says.
pub(super) enum Kept {
    Plain(Note<'static>),
    Created { config: Box<DeviceConfig>, rx: usize, tx: usize },
    Reconfigured(Box<DeviceConfig>),
    Command(Box<Given>),
    Received(Box<[u8]>),
    Sent(Box<[u8]>),
    Drawn(Box<[u8]>),
}

/// A command that the machine was given.
pub(super) struct Given {
    ask: Ask,
    cid: Option<Cid>,
    unix_time: u64,
    timeout: Option<Duration>,
    at_most: Option<usize>,
}

impl SharedTap {
    pub(crate) fn new(tap: impl Tap + 'static) -> Self {
        Self(Arc::new(Feed { notes: Mutex::default(), tap: Mutex::new(tap) }))
    }

    /// Keeps a note until [`tell`](Self::tell).
    pub(super) fn keep(&self, at: Instant, what: Kept) {
        self.notes().keep(at, what);
    }

    /// Tells the tap what was kept, in order, and what comes meanwhile. Where that is going on already, on another
    /// thread or further up on this one, it is left to that.
    pub(super) fn tell(&self) {
        let mut notes = self.notes();
        if notes.teller.is_some() || notes.untold.is_empty() {
            return;
        }
        notes.teller = Some(thread::current().id());
        let telling = Telling(self);
        while let Some((at, kept)) = notes.take_first() {
            drop(notes);
            self.0.tap.lock().unwrap_or_else(PoisonError::into_inner).note(at, kept.note());
            notes = self.notes();
        }
        // Under the same lock: what is kept from now on is told by whoever keeps it.
        let waiting = notes.end();
        drop(notes);
        core::mem::forget(telling);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether this is called from within the tap.
    pub(super) fn is_told_here(&self) -> bool {
        self.notes().teller == Some(thread::current().id())
    }

    #[cfg(test)]
    pub(super) fn untold_bytes(&self) -> usize {
        let notes = self.notes();
        assert_eq!(notes.bytes, notes.untold.iter().map(|(_, kept)| kept.size()).sum::<usize>());
        notes.bytes
    }

    #[cfg(test)]
    pub(super) fn is_being_told(&self) -> bool {
        self.notes().teller.is_some()
    }

    /// Whether the tap was told everything.
    pub(super) fn poll_told(&self, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut notes = self.notes();
        if notes.teller.is_none() {
            return Poll::Ready(());
        }
        notes.waiting.push(waker);
        Poll::Pending
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    /// Keeps a note, or counts it where there is no room.
    fn keep(&mut self, at: Instant, what: Kept) {
        let room = self.untold.is_empty() || self.bytes.saturating_add(what.size()) <= MAX_UNTOLD;
        let what = match self.untold.back_mut() {
            _ if room => what,
            Some((_, Kept::Plain(Note::Missed { notes }))) => {
                *notes = notes.saturating_add(1);
                return;
            }
            _ => Kept::Plain(Note::Missed { notes: 1 }),
        };
        self.bytes = self.bytes.saturating_add(what.size());
        self.untold.push_back((at, what));
    }

    /// Takes the oldest. Those behind it stay where a tap panics.
    fn take_first(&mut self) -> Option<(Instant, Kept)> {
        let (at, kept) = self.untold.pop_front()?;
        self.bytes = self.bytes.saturating_sub(kept.size());
        if self.untold.is_empty() {
            self.untold.shrink_to(64);
        }
        Some((at, kept))
    }

    /// Nobody tells any more. Whom to wake.
    fn end(&mut self) -> Vec<Waker> {
        self.teller = None;
        core::mem::take(&mut self.waiting)
    }
}

/// Ends the telling where the tap panics: the next one goes on.
struct Telling<'a>(&'a SharedTap);

impl Drop for Telling<'_> {
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

impl Kept {
    /// A command that the machine is given.
    pub(super) fn command(request: &Request, command: &Command<'_>) -> Self {
        Self::Command(Box::new(Given {
            ask: request.ask.clone(),
            cid: request.cid.clone(),
            unix_time: command.get_unix_time(),
            timeout: command.get_timeout(),
            at_most: command.get_at_most(),
        }))
    }

    /// The memory that it takes while it is kept.
    fn size(&self) -> usize {
        let more = match self {
            Self::Plain(_) => 0,
            Self::Created { .. } | Self::Reconfigured(_) => size_of::<DeviceConfig>(),
            Self::Command(given) => size_of::<Given>().saturating_add(given.ask.held_bytes()),
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

impl Given {
    fn command(&self) -> Command<'_> {
        let command = self.ask.machine_command(self.cid.as_ref()).unix_time(self.unix_time);
        limited(command, self.timeout, self.at_most)
    }
}
