//! Where the fate of one command waits for its caller.

use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::CommandError;
use crate::reply::Reply;

/// One command's fate, shared by the caller and the device's link. It is decided exactly once.
#[derive(Debug)]
pub(crate) struct Slot(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The frames that the command became, less those that are decided.
    parts: u32,
    written: bool,
    result: Option<Result<Reply, CommandError>>,
    waker: Option<Waker>,
    caller: Caller,
}

/// What the caller still wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The device's answer.
    Answer,
    /// Whether the command was written.
    Written,
    /// Nothing any more, but the command is to be sent.
    Nothing,
    /// Nothing, and what is not sent yet is not to be sent.
    Gone,
}

impl Slot {
    pub(crate) fn new(caller: Caller) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { parts: 1, written: false, result: None, waker: None, caller })))
    }

    /// The command became `more` frames in place of one.
    pub(crate) fn split(&self, more: u32) {
        let mut state = self.lock();
        state.parts = state.parts.saturating_add(more);
    }

    /// Whether somebody waits for the device's answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.lock().caller == Caller::Answer
    }

    /// Whether somebody waits for the answer, or for the command to be written.
    pub(crate) fn is_waited_for(&self) -> bool {
        matches!(self.lock().caller, Caller::Answer | Caller::Written)
    }

    /// Whether the command is not to be sent any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().caller == Caller::Gone
    }

    /// The command, or its first frame, was written to the socket.
    pub(crate) fn written(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.written = true;
        if state.caller == Caller::Written {
            wakes.extend(state.waker.take());
        }
    }

    /// One frame has found its fate. The first failure is that of the command; gives a failure back when nobody is
    /// left to be told.
    pub(crate) fn decide(&self, result: Result<Reply, CommandError>, wakes: &mut Vec<Waker>) -> Option<CommandError> {
        let mut state = self.lock();
        state.parts = state.parts.saturating_sub(1);
        match (&mut state.result, result) {
            (Some(Err(_)), _) => {}
            (known, result) => *known = Some(result),
        }
        if state.parts > 0 {
            return None;
        }
        wakes.extend(state.waker.take());
        let told = match state.caller {
            Caller::Answer => true,
            Caller::Written => !state.written,
            Caller::Nothing | Caller::Gone => false,
        };
        if told { None } else { state.result.as_ref()?.as_ref().err().cloned() }
    }

    /// The caller waits: for the answer, or until the command is written.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Option<Reply>, CommandError>> {
        let mut state = self.lock();
        if state.parts == 0
            && let Some(result) = state.result.take()
        {
            // A caller who was told the result will not hear of it in another way.
            state.caller = Caller::Answer;
            return Poll::Ready(result.map(Some));
        }
        if state.caller == Caller::Written && state.written {
            state.caller = Caller::Nothing;
            return Poll::Ready(Ok(None));
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The caller's future was dropped.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.waker = None;
        if matches!(state.caller, Caller::Answer | Caller::Written) {
            state.caller = Caller::Gone;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustuya_proto::CommandCode;

    fn poll(slot: &Slot) -> Poll<Result<Option<Reply>, CommandError>> {
        slot.poll(&Context::from_waker(Waker::noop()))
    }

    fn reply() -> Reply {
        Reply::empty(CommandCode::CONTROL)
    }

    #[test]
    fn a_caller_who_waits_for_the_answer_gets_it_once_all_parts_are_decided() {
        let slot = Slot::new(Caller::Answer);
        slot.split(1);
        slot.written(&mut Vec::new());
        assert!(poll(&slot).is_pending());
        assert_eq!(slot.decide(Err(CommandError::Unanswered), &mut Vec::new()), None);
        assert!(poll(&slot).is_pending());
        assert_eq!(slot.decide(Ok(reply()), &mut Vec::new()), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(CommandError::Unanswered)));
    }

    #[test]
    fn a_failure_after_the_caller_left_is_given_back() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        slot.written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
        assert_eq!(slot.decide(Err(CommandError::Unanswered), &mut Vec::new()), Some(CommandError::Unanswered));
    }

    #[test]
    fn a_failure_before_writing_is_the_callers() {
        let slot = Slot::new(Caller::Written);
        assert_eq!(slot.decide(Err(CommandError::Busy), &mut Vec::new()), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(CommandError::Busy)));
    }

    #[test]
    fn a_dropped_future_takes_back_what_is_not_sent() {
        let slot = Slot::new(Caller::Answer);
        assert!(!slot.is_gone());
        slot.abandon();
        assert!(slot.is_gone());
        assert_eq!(slot.decide(Err(CommandError::Unanswered), &mut Vec::new()), Some(CommandError::Unanswered));
        let detached = Slot::new(Caller::Nothing);
        detached.abandon();
        assert!(!detached.is_gone());
    }
}
