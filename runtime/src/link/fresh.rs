//! Asking for the state on each connection, and callers who wait for that, or for a connection or a diagnosis.

use core::task::Waker;
use std::sync::Arc;

use rustuya_proto::{self as proto, DownReason};

use super::engine::{Engine, Phase};
use super::observers::Observers;
use super::queue::{Completion, Queue};
use super::request::{Ask, Request};
use crate::error::CommandError;
use crate::event::Event;
use crate::reply::Reply;
use crate::slot::{Caller, Slot};
use crate::state::{Stale, State};

/// Whether the device has told its whole state on this connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Told {
    /// It has not yet.
    #[default]
    Nothing,
    /// It has answered a query for DPs that were named; firmware of device22 has told those alone.
    Named,
    /// It has answered a query for everything.
    Everything,
    /// The link has asked it, and this is what came of it.
    Failed(Arc<CommandError>),
}

/// What listeners were last told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastNews {
    #[default]
    Nothing,
    Fresh,
    Stale,
}

/// Whether it is proven that no attempt with this description can succeed. Where the version is left open, the next one is
/// made with the right one.
pub(super) fn is_final(machine: &proto::Device, reason: DownReason) -> bool {
    let left_open = matches!(reason, DownReason::WrongVersion { .. }) && machine.config().version.is_none();
    reason.is_proven() && !left_open
}

impl Engine {
    /// Asks for the state where nobody else has on this connection.
    pub(super) fn ask_for_state(&mut self, now: proto::Instant) {
        let wanted = self.observers.asks || self.queue.is_state_awaited();
        let lacks = match self.queue.told {
            Told::Nothing => true,
            Told::Named => self.observers.cache.is_fresh() == Some(false),
            Told::Everything | Told::Failed(_) => false,
        };
        if wanted && lacks && self.machine.is_up() && self.phase == Phase::Running && !self.queue.asks_for_state() {
            let deadline = now + self.options.timeout;
            let request = Request::new(Ask::Status, None, Slot::new(Caller::Answer), now, deadline);
            self.queue.add(Box::new(Request { own: true, ..request }));
        }
    }

    /// The proof that key or version are wrong, where the machine goes on to try and no command has a reason to wait.
    pub(super) fn refuted(&self) -> Option<DownReason> {
        let waits = self.observers.retrying && !self.machine.is_up();
        self.machine.diagnosis().filter(|reason| waits && is_final(&self.machine, *reason))
    }

    /// Answers those who wait for a state, or for a diagnosis.
    pub(super) fn answer_watchers(&mut self) {
        let (up, diagnosed, asks) = (self.machine.is_up(), self.machine.diagnosis().is_some(), self.observers.asks);
        let (queue, mut completion) = self.completion();
        // Up to 3.3 a connection alone proves nothing: the first answer tells whether key and version are right.
        let settled = if up { queue.told != Told::Nothing || !asks } else { diagnosed };
        queue.answer_watchers(up, settled, &mut completion);
    }

    /// The DPs of the device itself.
    pub(crate) fn state(&self) -> State {
        self.observers.cache.own_state(self.observers.stale(&self.queue, self.machine.is_up()), self.clock.now())
    }

    /// The DPs of a sub-device.
    pub(crate) fn child_state(&self, cid: &str) -> State {
        self.observers.cache.child_state(cid, self.machine.is_up(), self.clock.now())
    }
}

impl Observers {
    /// Why the state may not be what the device has now.
    fn stale(&self, queue: &Queue, up: bool) -> Option<Stale> {
        let fresh = self.cache.is_fresh();
        match &queue.told {
            _ if !up => Some(Stale::NotConnected),
            Told::Everything | Told::Named if fresh == Some(false) => Some(Stale::Partly),
            Told::Everything | Told::Named => None,
            Told::Failed(_) if fresh == Some(true) => None,
            Told::Failed(error) => Some(Stale::Failed(Arc::clone(error))),
            Told::Nothing if fresh == Some(true) && !self.asks => None,
            Told::Nothing => Some(Stale::NotTold),
        }
    }

    /// Another connection begins, or one has ended.
    pub(super) fn begin_anew(&mut self, queue: &mut Queue) {
        self.cache.age();
        queue.told = Told::Nothing;
        queue.learned = None;
    }

    /// Tells listeners whether the state is fresh, where that is news.
    pub(super) fn tell_freshness(&mut self, queue: &Queue, up: bool, wakes: &mut Vec<Waker>) {
        if !up && self.reason == Some(DownReason::Ended) {
            // On purpose: no outage.
            self.last_news = LastNews::Nothing;
        }
        let (event, news) = match self.stale(queue, up) {
            None if self.last_news == LastNews::Fresh => return,
            None => (Event::Fresh, LastNews::Fresh),
            Some(why @ (Stale::Partly | Stale::Failed(_))) if self.last_news != LastNews::Stale => {
                (Event::Stale(why), LastNews::Stale)
            }
            Some(why) if self.last_news == LastNews::Fresh => (Event::Stale(why), LastNews::Nothing),
            // The next connection is another matter.
            Some(Stale::NotConnected) => return self.last_news = LastNews::Nothing,
            Some(_) => return,
        };
        self.last_news = news;
        self.news.publish(event, wakes);
    }
}

impl Queue {
    /// Has a caller wait who asks for nothing that is sent.
    pub(super) fn watch(&mut self, request: Request) {
        self.watching.push(request);
    }

    /// Whether a caller waits for the state.
    fn is_state_awaited(&self) -> bool {
        self.watching.iter().any(|request| matches!(request.ask, Ask::State) && !request.is_gone())
    }

    /// Whether the device is asked for its state, or is about to be.
    fn asks_for_state(&self) -> bool {
        self.sent.iter().any(|(_, request)| request.asks_for_state())
            || self.waiting.iter().any(|request| request.asks_for_state() && !request.is_gone())
            || self.later.iter().any(|later| later.request.asks_for_state() && !later.request.is_gone())
    }

    /// A query for everything was decided.
    pub(super) fn note_state(&mut self, request: &Request, result: &Result<Reply, CommandError>) {
        match result {
            _ if !request.asks_for_state() => {}
            Ok(_) if matches!(request.ask, Ask::StatusOf(_)) => {
                if self.told != Told::Everything {
                    self.told = Told::Named;
                }
            }
            Ok(_) => self.told = Told::Everything,
            // The next connection asks anew.
            Err(CommandError::ConnectionLost { .. } | CommandError::NotConnected { .. }) => {}
            Err(error) if request.own && self.told == Told::Nothing => {
                self.told = Told::Failed(Arc::new(error.clone()));
            }
            Err(_) => {}
        }
    }

    /// The connection is gone: what the link asked for itself is not sent on the next one.
    pub(super) fn drop_own(&mut self) {
        self.waiting.retain(|request| !request.own);
        self.later.retain(|later| !later.request.own);
    }

    /// Answers those whose wait is over.
    fn answer_watchers(&mut self, up: bool, settled: bool, completion: &mut Completion<'_>) {
        let told = self.told != Told::Nothing;
        self.watching.retain(|request| {
            let over = match request.ask {
                Ask::State => up && told,
                _ => settled,
            };
            if over {
                completion.decide(request, Ok(Reply::empty(request.code())));
            }
            !over && !request.is_gone()
        });
    }

    /// Gives up those who have waited too long.
    pub(super) fn expire_watchers(
        &mut self,
        now: proto::Instant,
        late: &CommandError,
        completion: &mut Completion<'_>,
    ) {
        self.watching.retain(|request| {
            let waits = request.deadline() > now;
            if !waits {
                completion.decide(request, Err(late.clone()));
            }
            waits
        });
    }

    /// Key or version are proven to be wrong: no command has a reason to wait.
    pub(super) fn fail_waiting(&mut self, reason: DownReason, completion: &mut Completion<'_>) {
        let error = CommandError::NotConnected { reason: Some(reason) };
        let watching = core::mem::take(&mut self.watching);
        let (stay, fail): (Vec<_>, Vec<_>) =
            watching.into_iter().partition(|request| matches!(request.ask, Ask::Diagnosis));
        self.watching = stay;
        fail.iter().for_each(|request| completion.decide(request, Err(error.clone())));
        for request in core::mem::take(&mut self.waiting) {
            completion.decide(&request, Err(error.clone()));
        }
    }
}
