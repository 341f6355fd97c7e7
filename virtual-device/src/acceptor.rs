//! Acceptor of controllers.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustuya_runtime::Listener;
use rustuya_runtime::driver::Source;
use tokio::net::{TcpListener, TcpStream};

use crate::events::Change;

/// Accepted connection, with the changes to be pushed on it from then on.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) changes: Listener<Change>,
}

/// Accepts connections and publishes changes to them.
///
/// A connection is up at the controller's end as soon as the system has completed it, and waits to be accepted here. Up
/// to 3.3 the controller needs nothing else to receive pushes, so all waiting connections are accepted before each
/// change.
pub(crate) struct Acceptor {
    changes: Source<Change>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` while unplugged. The second is the same socket, to accept from it without the task that waits at the
    /// first.
    listener: Option<(TcpListener, std::net::TcpListener)>,
    /// Accepted before a change, and not served yet.
    early: VecDeque<(std::net::TcpStream, Listener<Change>)>,
    /// Waker of the task that accepts.
    waker: Option<Waker>,
}

impl Acceptor {
    /// Makes a closed one. At most `capacity` changes wait for each connection.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { changes: Source::new(capacity), state: Mutex::default() }
    }

    /// Accepts connections at this socket from now on.
    pub(crate) fn open(&self, listener: TcpListener) -> io::Result<()> {
        let listener = listener.into_std()?;
        let again = listener.try_clone()?;
        self.lock().listener = Some((TcpListener::from_std(listener)?, again));
        Ok(())
    }

    /// Closes the socket, and all connections that wait.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.listener = None;
        state.early.clear();
    }

    pub(crate) fn is_open(&self) -> bool {
        self.lock().listener.is_some()
    }

    /// Publishes a change to every connection, including those that wait to be accepted.
    pub(crate) fn publish(&self, change: &Change) {
        let mut state = self.lock();
        let waiting = core::iter::from_fn(|| state.listener.as_ref()?.1.accept().ok());
        let early: Vec<_> = waiting.map(|(stream, _)| (stream, self.changes.listener())).collect();
        self.changes.publish(change);
        if !early.is_empty() {
            state.early.extend(early);
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
    }

    /// Waits for the next connection.
    ///
    /// # Cancel safety
    /// Safe: a connection is taken only when the future completes.
    pub(crate) async fn accept(&self) -> Arrival {
        loop {
            if let Ok(arrival) = poll_fn(|cx| {
                let mut state = self.lock();
                state.waker = Some(cx.waker().clone());
                if let Some((stream, changes)) = state.early.pop_front() {
                    let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                    return Poll::Ready(stream.map(|stream| Arrival { stream, changes }));
                }
                let Some((listener, _)) = &state.listener else { return Poll::Pending };
                let accepted = listener.poll_accept(cx);
                // Under the same lock: the next change is for this connection, too.
                accepted.map_ok(|(stream, _)| Arrival { stream, changes: self.changes.listener() })
            })
            .await
            {
                return arrival;
            }
            // Most likely out of file descriptors: wait until some are closed.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
