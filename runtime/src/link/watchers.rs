//! Callers that wait for a state, a connection or a diagnosis. Nothing is sent for them.

use rustuya_proto::Instant;

use super::completion::Completion;
use super::request::{Operation, Request};
use crate::report::error::CommandError;
use crate::report::reply::Reply;

/// Requests of callers that wait for a change of the connection.
#[derive(Debug, Default)]
pub(super) struct Watchers(Vec<Request>);

impl Watchers {
    /// Adds a caller.
    pub(super) fn add(&mut self, request: Request) {
        self.0.push(request);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether a caller waits for the state.
    pub(super) fn await_state(&self) -> bool {
        self.0.iter().any(|request| matches!(request.operation, Operation::State) && !request.is_cancelled())
    }

    /// Returns the earliest time at which a caller gives up.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(Request::deadline).min()
    }

    /// Answers callers whose wait is over: for the state if it is `reported`, for the others if the connection is
    /// `settled`.
    pub(super) fn answer(&mut self, reported: bool, settled: bool, completion: &mut Completion<'_>) {
        self.0.retain(|request| {
            let over = match request.operation {
                Operation::State => reported,
                _ => settled,
            };
            if over {
                completion.complete(request, Ok(Reply::empty(request.code())));
            }
            !over && !request.is_cancelled()
        });
    }

    /// Fails callers that have waited too long.
    pub(super) fn expire(&mut self, now: Instant, late: &CommandError, completion: &mut Completion<'_>) {
        self.0.retain(|request| {
            let waits = request.deadline() > now;
            if !waits {
                completion.complete(request, Err(late.clone()));
            }
            waits
        });
    }

    /// Fails callers that wait for a connection; those that wait for a diagnosis stay.
    pub(super) fn fail(&mut self, error: &CommandError, completion: &mut Completion<'_>) {
        let (stay, fail): (Vec<_>, Vec<_>) = core::mem::take(&mut self.0)
            .into_iter()
            .partition(|request| matches!(request.operation, Operation::Diagnosis));
        self.0 = stay;
        fail.iter().for_each(|request| completion.complete(request, Err(error.clone())));
    }

    /// Fails all callers.
    pub(super) fn refuse_all(&mut self, why: &CommandError, completion: &mut Completion<'_>) {
        for request in core::mem::take(&mut self.0) {
            completion.complete(&request, Err(why.clone()));
        }
    }
}
