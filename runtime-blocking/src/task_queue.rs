//! Queue of tasks for the poll thread.

use core::mem;
use core::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

use crate::sync::{AtomicBool, Mutex, MutexGuard, PollWaker};

/// Cross-thread queue of new and woken tasks. The first push while the thread is blocked wakes it.
#[derive(Debug)]
pub(crate) struct TaskQueue<T> {
    waker: PollWaker,
    shared: Mutex<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    /// The thread will read the queue before it blocks, so a push need not wake it.
    awake: bool,
    /// The thread has ended.
    closed: bool,
    content: Content<T>,
}

/// Content of the queue.
#[derive(Debug)]
pub(crate) struct Content<T> {
    /// New tasks.
    pub(crate) new: Vec<T>,
    /// Tokens of tasks to run.
    pub(crate) woken: Vec<usize>,
    /// True if the thread must end.
    pub(crate) stop: bool,
}

impl<T> TaskQueue<T> {
    pub(crate) fn new(waker: PollWaker) -> Self {
        let content = Content { new: Vec::new(), woken: Vec::new(), stop: false };
        Self { waker, shared: Mutex::new(Shared { awake: true, closed: false, content }) }
    }

    /// Adds a task. Returns it as the error if the thread has ended.
    pub(crate) fn add(&self, task: T) -> Result<(), T> {
        let shared = self.lock();
        if shared.closed {
            return Err(task);
        }
        self.push(shared, |content| content.new.push(task));
        Ok(())
    }

    /// Makes the thread end.
    pub(crate) fn stop(&self) {
        self.push(self.lock(), |content| content.stop = true);
    }

    fn wake(&self, token: usize) {
        self.push(self.lock(), |content| content.woken.push(token));
    }

    fn push(&self, mut shared: MutexGuard<'_, Shared<T>>, add: impl FnOnce(&mut Content<T>)) {
        add(&mut shared.content);
        let sleeps = !mem::replace(&mut shared.awake, true);
        drop(shared);
        if sleeps && let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the poll thread cannot be woken");
        }
    }

    /// Returns whether the queue is empty, so that the thread may block. From then on, the next push wakes it.
    pub(crate) fn begin_sleep(&self) -> bool {
        let mut shared = self.lock();
        let idle = shared.content.new.is_empty() && shared.content.woken.is_empty() && !shared.content.stop;
        shared.awake = !idle;
        idle
    }

    /// Takes the content of the queue: the new tasks, and whether to stop. Appends the woken tokens to `woken`.
    pub(crate) fn take(&self, woken: &mut Vec<usize>) -> (Vec<T>, bool) {
        let mut shared = self.lock();
        shared.awake = true;
        woken.append(&mut shared.content.woken);
        (mem::take(&mut shared.content.new), mem::take(&mut shared.content.stop))
    }

    /// Closes the queue when the thread ends, and returns the tasks that will not run.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut shared = self.lock();
        shared.closed = true;
        shared.awake = true;
        mem::take(&mut shared.content.new)
    }

    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waker of one task: queues it.
#[derive(Debug)]
pub(crate) struct TaskWaker<T> {
    queue: Arc<TaskQueue<T>>,
    token: usize,
    /// True if the task is queued already.
    is_queued: AtomicBool,
}

impl<T> TaskWaker<T> {
    pub(crate) fn new(queue: &Arc<TaskQueue<T>>, token: usize) -> Arc<Self> {
        Arc::new(Self { queue: Arc::clone(queue), token, is_queued: AtomicBool::new(false) })
    }

    /// Must be called before the task runs: later wake-ups then queue it again.
    pub(crate) fn reset(&self) {
        self.is_queued.store(false, Ordering::SeqCst);
    }
}

impl<T: Send + 'static> Wake for TaskWaker<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::SeqCst) {
            self.queue.wake(self.token);
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
        let waker = mio::Waker::new(poll.registry(), mio::Token(9)).expect("a waker");
        let queue = Arc::new(TaskQueue::<u8>::new(waker));
        let mut events = mio::Events::with_capacity(8);
        let mut rings = || {
            poll.poll(&mut events, Some(Duration::ZERO)).expect("can poll");
            events.iter().count()
        };
        let (one, two) = (TaskWaker::new(&queue, 1), TaskWaker::new(&queue, 2));
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!(rings(), 0, "it is awake");
        assert!(!queue.begin_sleep());
        let mut woken = Vec::new();
        assert_eq!(queue.take(&mut woken), (vec![], false));
        assert!(queue.begin_sleep());
        Waker::from(Arc::clone(&one)).wake();
        assert_eq!(rings(), 0, "one is listed until its turn");
        for _ in 0..2 {
            Waker::from(Arc::clone(&two)).wake();
        }
        one.reset();
        Waker::from(one).wake();
        assert_eq!(rings(), 1);
        queue.take(&mut woken);
        assert_eq!(woken, [1, 2, 1]);
        assert_eq!(queue.add(7), Ok(()));
        assert_eq!(queue.close(), [7]);
        assert_eq!(queue.add(8), Err(8));
    }
}
