//! The poll thread's inside: every task in its turn, then sleep until there is a reason for the next one.

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
use crate::mailbox::{Alarm, Mailbox};
use crate::sync::Bell;

/// What the thread does.
#[derive(Debug)]
pub(crate) enum Task {
    Device(DeviceTask),
    Discovery(DiscoveryTask),
}

/// What a task wants after its turn.
#[derive(Debug)]
pub(crate) enum Next {
    /// Another turn, after the others had theirs.
    Again,
    /// A turn when something happens, or at this time.
    Sleep(Option<Instant>),
    End,
}

pub(crate) type Post = Mailbox<Task>;

#[derive(Debug)]
pub(crate) struct Turns {
    poll: Poll,
    post: Arc<Post>,
    seats: Slab<Seat>,
    /// Who is to have a turn, each once.
    line: VecDeque<usize>,
    deadlines: Deadlines,
    /// When the thread ends, if it is to.
    ends: Option<Instant>,
}

#[derive(Debug)]
struct Seat {
    task: Task,
    alarm: Arc<Alarm<Task>>,
    waker: Waker,
    /// The deadline that it waits for.
    armed: Option<Instant>,
    in_line: bool,
}

/// Events that are taken in before tasks have their turns.
const FAIR_SHARE: usize = 1024;

/// How long connections may take to end when the thread does. As long as each of them gives itself.
const GRACE: Duration = Duration::from_secs(1);

const BELL: Token = Token(usize::MAX);

impl Turns {
    pub(crate) fn new() -> io::Result<(Self, Arc<Post>)> {
        let poll = Poll::new()?;
        let post = Arc::new(Mailbox::new(Bell::new(poll.registry(), BELL)?));
        let turns = Self {
            poll,
            post: Arc::clone(&post),
            seats: Slab::new(),
            line: VecDeque::new(),
            deadlines: Deadlines::default(),
            ends: None,
        };
        Ok((turns, post))
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self) {
        let mut events = Events::with_capacity(FAIR_SHARE);
        let mut woken = Vec::new();
        while !self.is_over() {
            let timeout = if self.line.is_empty() && self.post.doze() { self.wait() } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    tracing::error!(%error, "the poll thread ends");
                    return;
                }
                // An interrupted call has no events.
                _ => {}
            }
            for event in &events {
                self.note(event);
            }
            let (new, stop) = self.post.collect(&mut woken);
            new.into_iter().for_each(|task| self.seat(task));
            woken.drain(..).for_each(|token| self.queue(token));
            self.queue_due();
            if stop {
                self.stop();
            }
            for _ in 0..self.line.len() {
                if let Some(token) = self.line.pop_front() {
                    self.turn(token);
                }
            }
        }
    }

    fn turn(&mut self, token: usize) {
        let Some(seat) = self.seats.get_mut(token) else { return };
        seat.in_line = false;
        seat.alarm.reset();
        let next = match &mut seat.task {
            Task::Device(device) => device.turn(&seat.waker, Token(token), self.poll.registry()),
            Task::Discovery(discovery) => discovery.poll(&seat.waker),
        };
        match next {
            Next::Again => self.queue(token),
            Next::Sleep(until) => self.deadlines.arm(token, &mut seat.armed, until),
            Next::End => drop(self.seats.remove(token)),
        }
    }

    /// Gives a task a place in the line, if it has none.
    fn queue(&mut self, token: usize) {
        if let Some(seat) = self.seats.get_mut(token)
            && !core::mem::replace(&mut seat.in_line, true)
        {
            self.line.push_back(token);
        }
    }

    /// Queues those whose deadline is over.
    fn queue_due(&mut self) {
        let now = Instant::now();
        while let Some((at, token)) = self.deadlines.pop(now) {
            if let Some(seat) = self.seats.get_mut(token)
                && seat.armed == Some(at)
            {
                seat.armed = None;
                self.queue(token);
            }
        }
    }

    fn note(&mut self, event: &mio::event::Event) {
        let Token(token) = event.token();
        // A late event of a task that ended may hit another one in its place: that one looks around in vain.
        if let Some(seat) = self.seats.get_mut(token) {
            match &mut seat.task {
                Task::Device(device) => device.note(event),
                Task::Discovery(discovery) => discovery.note(),
            }
            self.queue(token);
        }
    }

    fn seat(&mut self, mut task: Task) {
        let entry = self.seats.vacant_entry();
        let token = entry.key();
        if let Task::Discovery(discovery) = &mut task
            && let Err(error) = discovery.register(Token(token), self.poll.registry())
        {
            tracing::error!(%error, "announcements cannot be waited for");
            return;
        }
        let alarm = Alarm::new(&self.post, token);
        entry.insert(Seat { task, waker: Waker::from(Arc::clone(&alarm)), alarm, armed: None, in_line: false });
        self.queue(token);
    }

    /// Closes what is still open, and allows it a moment.
    fn stop(&mut self) {
        self.ends = Some(Instant::now() + GRACE);
        self.seats.retain(|_, seat| match &seat.task {
            Task::Device(device) => {
                device.close();
                true
            }
            Task::Discovery(_) => false,
        });
    }

    fn is_over(&self) -> bool {
        self.ends.is_some_and(|ends| self.seats.is_empty() || ends <= Instant::now())
    }

    fn wait(&self) -> Option<Duration> {
        let end = self.ends.map(|ends| ends.saturating_duration_since(Instant::now()));
        self.deadlines.wait().into_iter().chain(end).min()
    }
}
