//! Query of the state on each connection, and callers that wait for it, for a connection or for a diagnosis.

use rustuya_proto::{self as proto, DownReason};

use super::engine::{Engine, Phase};
use super::observers::is_final;
use super::request::{Operation, Request};
use super::state_report::StateReport;
use crate::report::state::State;

impl Engine {
    /// Queries the state if nobody else has on this connection.
    pub(super) fn query_state(&mut self, now: proto::Instant) {
        let wanted = self.observers.freshness.queries_state || self.queue.watchers.await_state();
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
            (self.machine.is_up(), self.machine.diagnosis().is_some(), self.observers.freshness.queries_state);
        let (queue, mut completion) = self.completion();
        let reported = queue.state_report != StateReport::Missing;
        // Up to 3.3 a connection alone proves nothing: only the first answer proves that key and version are right.
        let settled = if up { reported || !asks } else { diagnosed };
        queue.watchers.answer(up && reported, settled, &mut completion);
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
