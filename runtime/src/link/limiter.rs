//! Limit of simultaneous dials.

use core::sync::atomic::{AtomicU8, Ordering};
use core::task::Waker;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::Instant;

/// Permits dials, in the order of requests.
#[derive(Debug)]
pub(crate) struct Limiter(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<(Arc<AtomicU8>, Waker)>,
}

/// State of one link's permit.
#[derive(Debug, Default)]
pub(crate) enum Permit {
    #[default]
    None,
    Waiting(Arc<AtomicU8>),
    /// Permit that expires at this time, although the dial has not ended yet.
    Held(Instant),
}

const WAITING: u8 = 0;
const GRANTED: u8 = 1;
const CANCELLED: u8 = 2;

impl Permit {
    /// Returns the time at which a held permit expires.
    pub(crate) const fn ends(&self) -> Option<Instant> {
        match self {
            Self::Held(until) => Some(*until),
            Self::None | Self::Waiting(_) => None,
        }
    }
}

impl Limiter {
    pub(crate) const fn new(at_once: usize) -> Self {
        Self(Mutex::new(State { free: at_once, waiting: VecDeque::new() }))
    }

    /// Returns whether `permit` allows a dial now; if not, calls the waker that `alarm` makes once it does.
    pub(crate) fn acquire(&self, permit: &mut Permit, until: Instant, alarm: impl Fn() -> Waker) -> bool {
        match permit {
            Permit::Held(_) => return true,
            Permit::Waiting(place) => {
                if place.load(Ordering::Acquire) != GRANTED {
                    return false;
                }
            }
            Permit::None => {
                let mut state = self.lock();
                if state.free == 0 {
                    let place = Arc::new(AtomicU8::new(WAITING));
                    state.waiting.push_back((Arc::clone(&place), alarm()));
                    *permit = Permit::Waiting(place);
                    return false;
                }
                state.free -= 1;
            }
        }
        *permit = Permit::Held(until);
        true
    }

    /// Returns a permit, or stops waiting for one.
    pub(crate) fn release(&self, permit: &mut Permit, wakes: &mut Vec<Waker>) {
        match core::mem::take(permit) {
            Permit::None => return,
            Permit::Waiting(place) => {
                let waiting = place.compare_exchange(WAITING, CANCELLED, Ordering::AcqRel, Ordering::Acquire);
                if waiting.is_ok() {
                    return;
                }
            }
            Permit::Held(_) => {}
        }
        let mut state = self.lock();
        while let Some((place, waker)) = state.waiting.pop_front() {
            // Pass the permit on to the first that still wants it.
            if place.compare_exchange(WAITING, GRANTED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                wakes.push(waker);
                return;
            }
        }
        state.free += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_go_round_in_order_and_none_is_lost() {
        let limiter = Limiter::new(1);
        let (mut a, mut b, mut c) = (Permit::None, Permit::None, Permit::None);
        let waker = || Waker::noop().clone();
        assert!(limiter.acquire(&mut a, Instant::ZERO, waker));
        assert!(!limiter.acquire(&mut b, Instant::ZERO, waker));
        assert!(!limiter.acquire(&mut c, Instant::ZERO, waker));
        let mut wakes = Vec::new();
        limiter.release(&mut b, &mut wakes);
        assert!(wakes.is_empty(), "b only waited");
        limiter.release(&mut a, &mut wakes);
        assert_eq!(wakes.len(), 1);
        assert!(limiter.acquire(&mut c, Instant::ZERO, waker), "c was next");
        assert!(!limiter.acquire(&mut a, Instant::ZERO, waker));
        limiter.release(&mut c, &mut wakes);
        // Granted while it was cancelled: passed on, not lost.
        limiter.release(&mut a, &mut wakes);
        assert!(limiter.acquire(&mut b, Instant::ZERO, waker));
    }
}
