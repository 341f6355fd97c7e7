//! Where other threads leave word for the poll thread.

use core::mem;
use core::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use crate::sync::{AtomicBool, Bell, Mutex, MutexGuard};

/// Word for the poll thread. It is rung awake once, by the first who leaves word while it sleeps.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    bell: Bell,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// The thread looks in here before it sleeps, so nobody has to ring.
    awake: bool,
    /// There is no thread any more.
    over: bool,
    word: Word<T>,
}

/// What was left since the thread last looked.
#[derive(Debug)]
pub(crate) struct Word<T> {
    /// Tasks to be run from now on.
    pub(crate) new: Vec<T>,
    /// Tasks to be given a turn.
    pub(crate) woken: Vec<usize>,
    /// The thread is to end.
    pub(crate) stop: bool,
}

impl<T> Mailbox<T> {
    pub(crate) fn new(bell: Bell) -> Self {
        let word = Word { new: Vec::new(), woken: Vec::new(), stop: false };
        Self { bell, state: Mutex::new(State { awake: true, over: false, word }) }
    }

    /// Has a task run. Gives it back when there is no thread to run it.
    pub(crate) fn add(&self, task: T) -> Result<(), T> {
        let state = self.lock();
        if state.over {
            return Err(task);
        }
        self.post(state, |word| word.new.push(task));
        Ok(())
    }

    /// Has the thread end.
    pub(crate) fn stop(&self) {
        self.post(self.lock(), |word| word.stop = true);
    }

    fn wake(&self, token: usize) {
        self.post(self.lock(), |word| word.woken.push(token));
    }

    fn post(&self, mut state: MutexGuard<'_, State<T>>, leave: impl FnOnce(&mut Word<T>)) {
        leave(&mut state.word);
        let sleeps = !mem::replace(&mut state.awake, true);
        drop(state);
        if sleeps && let Err(error) = self.bell.wake() {
            tracing::error!(%error, "the poll thread cannot be woken");
        }
    }

    /// For the thread: whether it may sleep, since nothing was left. Whoever leaves word from now on will ring.
    pub(crate) fn doze(&self) -> bool {
        let mut state = self.lock();
        let idle = state.word.new.is_empty() && state.word.woken.is_empty() && !state.word.stop;
        state.awake = !idle;
        idle
    }

    /// For the thread: what was left. Nobody rings before it dozes again.
    pub(crate) fn collect(&self, woken: &mut Vec<usize>) -> (Vec<T>, bool) {
        let mut state = self.lock();
        state.awake = true;
        woken.append(&mut state.word.woken);
        (mem::take(&mut state.word.new), mem::take(&mut state.word.stop))
    }

    /// For the thread that ends, for whatever reason: what nobody will run any more.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut state = self.lock();
        state.over = true;
        state.awake = true;
        mem::take(&mut state.word.new)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives one task its turn when it is woken.
#[derive(Debug)]
pub(crate) struct Alarm<T> {
    mailbox: Arc<Mailbox<T>>,
    token: usize,
    /// It is in the mailbox already.
    left: AtomicBool,
}

impl<T> Alarm<T> {
    pub(crate) fn new(mailbox: &Arc<Mailbox<T>>, token: usize) -> Arc<Self> {
        Arc::new(Self { mailbox: Arc::clone(mailbox), token, left: AtomicBool::new(false) })
    }

    /// The task gets its turn now: what happens from here on is reason for another one.
    pub(crate) fn reset(&self) {
        self.left.store(false, Ordering::SeqCst);
    }
}

impl<T: Send + 'static> Wake for Alarm<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.left.swap(true, Ordering::SeqCst) {
            self.mailbox.wake(self.token);
        }
    }
}

#[cfg(all(test, rustuya_loom))]
mod models;

#[cfg(all(test, not(rustuya_loom)))]
mod tests {
    use super::*;
    use core::task::Waker;
    use core::time::Duration;

    #[test]
    fn only_the_first_word_rings_and_each_task_is_named_once() {
        let mut poll = mio::Poll::new().expect("a selector");
        let bell = mio::Waker::new(poll.registry(), mio::Token(9)).expect("a waker");
        let mailbox = Arc::new(Mailbox::<u8>::new(bell));
        let mut events = mio::Events::with_capacity(8);
        let mut rings = || {
            poll.poll(&mut events, Some(Duration::ZERO)).expect("can poll");
            events.iter().count()
        };
        let (one, two) = (Alarm::new(&mailbox, 1), Alarm::new(&mailbox, 2));
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!(rings(), 0, "it is awake");
        assert!(!mailbox.doze());
        let mut woken = Vec::new();
        assert_eq!(mailbox.collect(&mut woken), (vec![], false));
        assert!(mailbox.doze());
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!(rings(), 0, "one is listed until its turn");
        for _ in 0..2 {
            Waker::from(Arc::clone(&two)).wake();
        }
        one.reset();
        Waker::from(one).wake();
        assert_eq!(rings(), 1);
        mailbox.collect(&mut woken);
        assert_eq!(woken, [1, 2, 1]);
        assert_eq!(mailbox.add(7), Ok(()));
        assert_eq!(mailbox.close(), [7]);
        assert_eq!(mailbox.add(8), Err(8));
    }
}
