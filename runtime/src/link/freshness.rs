//! Query of the state on each connection, and callers that wait for it, for a connection or for a diagnosis.

use core::task::Waker;
use std::sync::Arc;

use rustuya_proto::{self as proto, DownReason};

use super::engine::{Engine, Phase};
use super::observers::Observers;
use super::queue::{Completion, Queue};
use super::request::{Operation, Request};
use crate::error::CommandError;
use crate::event::Event;
use crate::reply::Reply;
use crate::state::{Stale, State};

/// State reports received on this connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum StateReport {
    /// None yet.
    #[default]
    Missing,
    /// Answer to a query for named DPs. Device22 firmware reports no others.
    Named,
    /// Answer to a query for everything.
    Full,
    /// Failure of the query that the link sends.
    Failed(Arc<CommandError>),
}

/// Event that listeners last received about freshness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastPublished {
    #[default]
    Nothing,
    Fresh,
    Stale,
}

/// Returns whether no attempt with this configuration can succeed. If the version is left open, the next attempt is
/// made with the right one.
pub(super) fn is_final(machine: &proto::Device, reason: DownReason) -> bool {
    let left_open = matches!(reason, DownReason::WrongVersion { .. }) && machine.config().version.is_none();
    reason.is_proven() && !left_open
}

impl Engine {
    /// Queries the state if nobody else has on this connection.
    pub(super) fn query_state(&mut self, now: proto::Instant) {
        let wanted = self.observers.queries_state || self.queue.is_state_awaited();
        let is_missing = match self.queue.state_report {
            StateReport::Missing => true,
            StateReport::Named => self.observers.cache.is_fresh() == Some(false),
            StateReport::Full | StateReport::Failed(_) => false,
        };
        if wanted && is_missing && self.machine.is_up() && self.phase == Phase::Running && !self.queue.has_state_query()
        {
            let request = Request::internal(Operation::Status, None, now, self.options.timeout);
            self.queue.add(Box::new(Request { is_internal: true, ..request }));
        }
    }

    /// Returns the proven cause if key or version are wrong. The machine goes on to try; commands have no reason to
    /// wait.
    pub(super) fn proven_failure(&self) -> Option<DownReason> {
        let waits = self.observers.retrying && !self.machine.is_up();
        self.machine.diagnosis().filter(|reason| waits && is_final(&self.machine, *reason))
    }

    /// Answers callers that wait for a state or for a diagnosis.
    pub(super) fn answer_watchers(&mut self) {
        let (up, diagnosed, asks) =
            (self.machine.is_up(), self.machine.diagnosis().is_some(), self.observers.queries_state);
        let (queue, mut completion) = self.completion();
        // Up to 3.3 a connection alone proves nothing: only the first answer proves that key and version are right.
        let settled = if up { queue.state_report != StateReport::Missing || !asks } else { diagnosed };
        queue.answer_watchers(up, settled, &mut completion);
    }

    /// Returns the DPs of the device itself.
    pub(crate) fn state(&self) -> State {
        self.observers.cache.own_state(self.observers.stale(&self.queue, self.machine.is_up()), self.clock.now())
    }

    /// Returns the DPs of a sub-device.
    pub(crate) fn child_state(&self, cid: &str) -> State {
        self.observers.cache.child_state(cid, self.machine.is_up(), self.clock.now())
    }
}

impl Observers {
    /// Returns why the cached state may be out of date.
    fn stale(&self, queue: &Queue, up: bool) -> Option<Stale> {
        let fresh = self.cache.is_fresh();
        match &queue.state_report {
            _ if !up => Some(Stale::NotConnected),
            StateReport::Full | StateReport::Named if fresh == Some(false) => Some(Stale::Partly),
            StateReport::Full | StateReport::Named => None,
            StateReport::Failed(_) if fresh == Some(true) => None,
            StateReport::Failed(error) => Some(Stale::Failed(Arc::clone(error))),
            StateReport::Missing if fresh == Some(true) && !self.queries_state => None,
            StateReport::Missing => Some(Stale::NotTold),
        }
    }

    /// Handles the begin or end of a connection.
    pub(super) fn on_connection_change(&mut self, queue: &mut Queue) {
        self.cache.age();
        queue.state_report = StateReport::Missing;
        queue.learned = None;
    }

    /// Publishes a change of freshness to listeners.
    pub(super) fn publish_freshness(&mut self, queue: &Queue, up: bool, wakes: &mut Vec<Waker>) {
        if !up && self.reason == Some(DownReason::Ended) {
            // Closed on purpose: no outage.
            self.last_published = LastPublished::Nothing;
        }
        let (event, published) = match self.stale(queue, up) {
            None if self.last_published == LastPublished::Fresh => return,
            None => (Event::Fresh, LastPublished::Fresh),
            Some(why @ (Stale::Partly | Stale::Failed(_))) if self.last_published != LastPublished::Stale => {
                (Event::Stale(why), LastPublished::Stale)
            }
            Some(why) if self.last_published == LastPublished::Fresh => (Event::Stale(why), LastPublished::Nothing),
            // The next connection starts over.
            Some(Stale::NotConnected) => return self.last_published = LastPublished::Nothing,
            Some(_) => return,
        };
        self.last_published = published;
        self.publisher.publish(event, wakes);
    }
}

impl Queue {
    /// Adds a caller for whom nothing is sent.
    pub(super) fn watch(&mut self, request: Request) {
        self.watchers.push(request);
    }

    /// Returns whether a caller waits for the state.
    fn is_state_awaited(&self) -> bool {
        self.watchers.iter().any(|request| matches!(request.operation, Operation::State) && !request.is_cancelled())
    }

    /// Returns whether a query of the state is under way or queued.
    fn has_state_query(&self) -> bool {
        self.sent.iter().any(|(_, request)| request.is_state_query())
            || self.waiting.iter().any(|request| request.is_state_query() && !request.is_cancelled())
            || self
                .deferred
                .iter()
                .any(|deferred| deferred.request.is_state_query() && !deferred.request.is_cancelled())
    }

    /// Updates `state_report` with the result of a query.
    pub(super) fn update_state_report(&mut self, request: &Request, result: &Result<Reply, CommandError>) {
        match result {
            _ if !request.is_state_query() => {}
            Ok(_) if matches!(request.operation, Operation::StatusOf(_)) => {
                if self.state_report != StateReport::Full {
                    self.state_report = StateReport::Named;
                }
            }
            Ok(_) => self.state_report = StateReport::Full,
            // The next connection queries anew.
            Err(CommandError::ConnectionLost { .. } | CommandError::NotConnected { .. }) => {}
            Err(error) if request.is_internal && self.state_report == StateReport::Missing => {
                self.state_report = StateReport::Failed(Arc::new(error.clone()));
            }
            Err(_) => {}
        }
    }

    /// Removes the link's own queries at the end of a connection; the next one queries anew.
    pub(super) fn drop_internal(&mut self) {
        self.waiting.retain(|request| !request.is_internal);
        self.deferred.retain(|deferred| !deferred.request.is_internal);
    }

    /// Answers callers whose wait is over.
    fn answer_watchers(&mut self, up: bool, settled: bool, completion: &mut Completion<'_>) {
        let reported = self.state_report != StateReport::Missing;
        self.watchers.retain(|request| {
            let over = match request.operation {
                Operation::State => up && reported,
                _ => settled,
            };
            if over {
                completion.complete(request, Ok(Reply::empty(request.code())));
            }
            !over && !request.is_cancelled()
        });
    }

    /// Fails callers that have waited too long.
    pub(super) fn expire_watchers(
        &mut self,
        now: proto::Instant,
        late: &CommandError,
        completion: &mut Completion<'_>,
    ) {
        self.watchers.retain(|request| {
            let waits = request.deadline() > now;
            if !waits {
                completion.complete(request, Err(late.clone()));
            }
            waits
        });
    }

    /// Fails everything that waits, because key or version are proven to be wrong.
    pub(super) fn fail_waiting(&mut self, reason: DownReason, completion: &mut Completion<'_>) {
        let error = CommandError::NotConnected { reason: Some(reason) };
        let watching = core::mem::take(&mut self.watchers);
        let (stay, fail): (Vec<_>, Vec<_>) =
            watching.into_iter().partition(|request| matches!(request.operation, Operation::Diagnosis));
        self.watchers = stay;
        fail.iter().for_each(|request| completion.complete(request, Err(error.clone())));
        for request in core::mem::take(&mut self.waiting) {
            completion.complete(&request, Err(error.clone()));
        }
    }
}
