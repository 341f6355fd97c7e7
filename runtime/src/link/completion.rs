//! Completion of commands: the result goes to callers, listeners and counters.

use core::task::Waker;

use super::pending_effects::Effects;
use super::publisher::Publisher;
use super::request::Request;
use super::waiter::Waiter;
use crate::report::error::CommandError;
use crate::report::metrics::Metrics;
use crate::report::reply::Reply;

/// Receivers of a command's result: callers, listeners, counters.
pub(crate) struct Completion<'a> {
    pub(crate) publisher: &'a mut Publisher,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) wakes: &'a mut Vec<Waker>,
    pub(crate) effects: &'a mut Effects,
    /// Size limit of a received frame, in bytes.
    pub(crate) receive_limit: usize,
}

impl Completion<'_> {
    /// Returns the result to every caller, or reports a failure to listeners where the caller is gone.
    pub(crate) fn complete(&mut self, request: &Request, result: Result<Reply, CommandError>) {
        self.complete_waiters(request, &request.waiters, &result);
        self.settle_effect(request);
    }

    /// Settles the write whose effect a query has read, whatever the result of the query.
    pub(super) fn settle_effect(&mut self, request: &Request) {
        if let Some(write) = &request.effect_of {
            write.settle(self.wakes);
        }
    }

    /// Returns the result to some callers of a command.
    pub(super) fn complete_waiters(
        &mut self,
        request: &Request,
        waiters: &[Waiter],
        result: &Result<Reply, CommandError>,
    ) {
        for waiter in waiters {
            let unreported = waiter.slot.complete(result.clone(), || waiter.dps(), self.wakes);
            self.report(request, unreported);
            if waiter.slot.awaits_effect() {
                self.effects.add(&waiter.slot, request.cid.as_ref(), waiter.ends);
            }
        }
    }

    /// Removes callers that have cancelled. Returns whether any is left.
    pub(super) fn withdraw(&mut self, request: &mut Request) -> bool {
        let gone = request.take_waiters(|waiter| waiter.slot.is_cancelled());
        for waiter in &gone {
            let unreported = waiter.slot.withdraw(self.wakes);
            self.report(request, unreported);
        }
        if !gone.is_empty() {
            request.recompute_writes();
        }
        !request.waiters.is_empty()
    }

    fn report(&mut self, request: &Request, unreported: Option<CommandError>) {
        if let (Some(error), Some(command)) = (unreported, request.operation.command()) {
            self.publisher.publish_failure(command, request.cid.as_ref(), error, self.wakes);
        }
    }
}
