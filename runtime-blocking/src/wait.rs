//! Blocking wait for a future.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Instant;

/// Blocks and wakes one thread. Not `thread::park`, whose single token other code on the same thread may use.
#[derive(Debug, Default)]
struct Parker {
    woken: Mutex<bool>,
    changed: Condvar,
}

thread_local! {
    /// Parker of the thread, which waits for one future at a time. A late wake-up by an earlier one costs one extra
    /// poll.
    static PARKER: (Arc<Parker>, Waker) = parker();
}

fn parker() -> (Arc<Parker>, Waker) {
    let parker = Arc::<Parker>::default();
    (Arc::clone(&parker), Waker::from(parker))
}

/// Blocks until `future` is done.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Some(result) = poll_until(None, |cx| future.as_mut().poll(cx)) {
            return result;
        }
    }
}

/// Blocks until `poll` is ready, or until `deadline`, which returns `None`.
pub(crate) fn poll_until<T>(deadline: Option<Instant>, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
    // Thread-locals of a thread that is ending are gone.
    let (parking, waker) = PARKER.try_with(Clone::clone).unwrap_or_else(|_| parker());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut cx) {
            return Some(result);
        }
        if !parking.park(deadline) {
            return None;
        }
    }
}

impl Parker {
    /// Waits for a wake-up. Returns whether there was one before `deadline`.
    fn park(&self, deadline: Option<Instant>) -> bool {
        let mut woken = self.lock();
        while !*woken {
            woken = match deadline {
                None => self.changed.wait(woken).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.changed.wait_timeout(woken, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *woken = false;
        true
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.lock() = true;
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use std::thread;

    #[test]
    fn a_wake_up_from_elsewhere_ends_the_wait() {
        let mut polls = 0;
        let result = poll_until(None, |cx| {
            polls += 1;
            if polls == 3 {
                return Poll::Ready(polls);
            }
            let waker = cx.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        });
        assert_eq!(result, Some(3));
        assert_eq!(block_on(async { 7 }), 7);
    }

    #[test]
    fn the_deadline_ends_the_wait_too() {
        let start = Instant::now();
        let wait = Duration::from_millis(20);
        assert_eq!(poll_until(Some(start + wait), |_| Poll::<()>::Pending), None);
        assert!(start.elapsed() >= wait);
    }
}
