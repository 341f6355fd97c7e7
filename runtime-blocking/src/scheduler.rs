//! Scheduler of the poll thread: runs ready tasks, then blocks until an event, a wake-up or a deadline.

use core::task::Waker;
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use mio::{Events, Poll, Token};
use slab::Slab;

use crate::deadlines::Deadlines;
use crate::device_task::DeviceTask;
use crate::discovery_task::DiscoveryTask;
use crate::next::Next;
use crate::sync::PollWaker;
use crate::task_queue::{TaskQueue, TaskWaker};

/// Task of the thread.
#[derive(Debug)]
pub(crate) enum Task {
    Device(DeviceTask),
    Discovery(DiscoveryTask),
}

pub(crate) type Queue = TaskQueue<Task>;

#[derive(Debug)]
pub(crate) struct Scheduler {
    poll: Poll,
    queue: Arc<Queue>,
    slots: Slab<Slot>,
    /// Tokens of ready tasks, each once.
    ready: VecDeque<usize>,
    deadlines: Deadlines,
    /// Time when the thread ends at the latest, once it has to.
    ends_at: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    task: Task,
    task_waker: Arc<TaskWaker<Task>>,
    waker: Waker,
    /// Deadline that it waits for.
    armed: Option<Instant>,
    is_queued: bool,
}

/// Most events to process before tasks run.
const FAIR_SHARE: usize = 1024;

/// Time for connections to end when the thread does: the same as each of them allows itself.
const GRACE: Duration = Duration::from_secs(1);

const WAKE_UP: Token = Token(usize::MAX);

impl Scheduler {
    pub(crate) fn new() -> io::Result<(Self, Arc<Queue>)> {
        let poll = Poll::new()?;
        let queue = Arc::new(TaskQueue::new(PollWaker::new(poll.registry(), WAKE_UP)?));
        let scheduler = Self {
            poll,
            queue: Arc::clone(&queue),
            slots: Slab::new(),
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
            ends_at: None,
        };
        Ok((scheduler, queue))
    }

    /// Runs until the mailbox says stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(FAIR_SHARE);
        let mut woken = Vec::new();
        while !self.is_over() {
            let timeout =
                if self.ready.is_empty() && self.queue.begin_sleep() { self.timeout() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    tracing::error!(%error, "the poll thread ends");
                    return;
                }
                // An interrupted call has no events.
                _ => {}
            }
            for event in &events {
                self.on_event(event);
            }
            let (new, stop) = self.queue.take(&mut woken);
            new.into_iter().for_each(|task| self.add(task));
            woken.drain(..).for_each(|token| self.enqueue(token));
            self.queue_due();
            if stop {
                self.stop();
            }
            for _ in 0..self.ready.len() {
                if let Some(token) = self.ready.pop_front() {
                    self.run_task(token);
                }
            }
        }
    }

    fn run_task(&mut self, token: usize) {
        let Some(slot) = self.slots.get_mut(token) else { return };
        slot.is_queued = false;
        slot.task_waker.reset();
        let next = match &mut slot.task {
            Task::Device(device) => device.run(&slot.waker, Token(token), self.poll.registry()),
            Task::Discovery(discovery) => discovery.poll(&slot.waker),
        };
        match next {
            Next::Again => self.enqueue(token),
            Next::Sleep(until) => self.deadlines.arm(token, &mut slot.armed, until),
            Next::End => drop(self.slots.remove(token)),
        }
    }

    /// Queues a task, unless it is queued already.
    fn enqueue(&mut self, token: usize) {
        if let Some(slot) = self.slots.get_mut(token)
            && !core::mem::replace(&mut slot.is_queued, true)
        {
            self.ready.push_back(token);
        }
    }

    /// Queues the tasks whose deadline is over.
    fn queue_due(&mut self) {
        let now = Instant::now();
        while let Some((at, token)) = self.deadlines.pop(now) {
            if let Some(slot) = self.slots.get_mut(token)
                && slot.armed == Some(at)
            {
                slot.armed = None;
                self.enqueue(token);
            }
        }
    }

    fn on_event(&mut self, event: &mio::event::Event) {
        let Token(token) = event.token();
        // A late event of a task that ended may hit another one with its token, which then runs once too often.
        if let Some(slot) = self.slots.get_mut(token) {
            match &mut slot.task {
                Task::Device(device) => device.on_event(event),
                Task::Discovery(discovery) => discovery.on_event(),
            }
            self.enqueue(token);
        }
    }

    fn add(&mut self, mut task: Task) {
        let entry = self.slots.vacant_entry();
        let token = entry.key();
        if let Task::Discovery(discovery) = &mut task
            && let Err(error) = discovery.register(Token(token), self.poll.registry())
        {
            tracing::error!(%error, "announcements cannot be waited for");
            return;
        }
        let task_waker = TaskWaker::new(&self.queue, token);
        entry.insert(Slot {
            task,
            waker: Waker::from(Arc::clone(&task_waker)),
            task_waker,
            armed: None,
            is_queued: false,
        });
        self.enqueue(token);
    }

    /// Closes open connections, and allows them [`GRACE`].
    fn stop(&mut self) {
        self.ends_at = Some(Instant::now() + GRACE);
        self.slots.retain(|_, slot| match &slot.task {
            Task::Device(device) => {
                device.close();
                true
            }
            Task::Discovery(_) => false,
        });
    }

    fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|ends_at| self.slots.is_empty() || ends_at <= Instant::now())
    }

    fn timeout(&self) -> Option<Duration> {
        let end = self.ends_at.map(|ends_at| ends_at.saturating_duration_since(Instant::now()));
        self.deadlines.wait().into_iter().chain(end).min()
    }
}
