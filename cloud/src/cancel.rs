//! Ends a running fetch from another thread.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::SendFailure;
use crate::http::Answer;

/// Cancels the fetches of a [`Client`](crate::Client), from any thread: each ends with
/// [`FetchError::Cancelled`](crate::FetchError::Cancelled), after the logout where somebody is logged in. Clones cancel the
/// same fetches.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_cancelled: bool,
    /// Running fetches.
    waiting: Vec<Sender<Wakeup>>,
}

/// Event that a running fetch waits for.
#[derive(Debug)]
pub(crate) enum Wakeup {
    /// The answer to the request of this number.
    Answer(u64, Result<Answer, SendFailure>),
    /// The fetch is cancelled.
    Cancelled,
}

impl CancelToken {
    /// Cancels the running fetches, and those that begin later. Returns at once.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        for waiting in state.waiting.drain(..) {
            // The fetch may have ended.
            let _ = waiting.send(Wakeup::Cancelled);
        }
    }

    /// Returns true after [`cancel`](Self::cancel).
    pub fn is_cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    /// Adds a running fetch.
    pub(crate) fn add(&self, waiting: &Sender<Wakeup>) {
        let mut state = self.lock();
        if state.is_cancelled {
            let _ = waiting.send(Wakeup::Cancelled);
        } else {
            state.waiting.push(waiting.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
