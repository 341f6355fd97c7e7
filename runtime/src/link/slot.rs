//! Result of one command, shared by its caller and the link.

use core::sync::atomic::Ordering;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, PoisonError};

use rustuya_proto::Dps;

use super::effect::Effect;
use super::partial::Tally;
use crate::report::error::CommandError;
use crate::report::reply::Reply;
use crate::sync::{AtomicBool, Mutex, MutexGuard};

/// Result of one command: the way back to the caller. Completes exactly once. A failure is reported exactly once: to
/// the caller, or to listeners.
#[derive(Debug)]
pub(crate) struct Slot {
    state: Mutex<State>,
    /// Set while the effect is watched for.
    confirms: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Frames of the command that are not complete.
    parts: u32,
    /// Frames that were never written yet.
    unwritten: u32,
    /// Results by DP, of a command that became several frames.
    tally: Option<Box<Tally>>,
    /// Set once a frame was passed to the machine.
    started: bool,
    written: bool,
    result: Option<Result<Reply, CommandError>>,
    /// Set once the failure was reported, to the caller or to listeners.
    reported: bool,
    waker: Option<Waker>,
    caller: Caller,
    /// Effect to watch for, beyond the acknowledgement.
    effect: Option<Box<Effect>>,
}

/// Part of the result that the caller still waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The device's answer.
    Answer,
    /// The write to the socket.
    Written,
    /// Nothing; the command is sent all the same.
    Nothing,
    /// Nothing; frames that are not sent yet are dropped.
    Gone,
}

impl Slot {
    pub(crate) fn new(caller: Caller) -> Arc<Self> {
        let state = State {
            parts: 1,
            unwritten: 1,
            tally: None,
            started: false,
            written: false,
            result: None,
            reported: false,
            waker: None,
            caller,
            effect: None,
        };
        Arc::new(Self { state: Mutex::new(state), confirms: AtomicBool::new(false) })
    }

    /// Makes the caller wait for this effect, too. It is watched for from now on, unless the command has failed.
    pub(crate) fn expect(&self, effect: Effect) {
        let mut state = self.lock();
        state.caller = Caller::Answer;
        state.effect = Some(Box::new(effect));
        drop(state);
        self.confirms.store(true, Ordering::Relaxed);
    }

    /// Returns whether the effect is watched for.
    pub(crate) fn confirms(&self) -> bool {
        self.confirms.load(Ordering::Relaxed)
    }

    /// Returns whether only the effect is missing, and the caller waits for it.
    pub(crate) fn awaits_effect(&self) -> bool {
        self.confirms() && {
            let state = self.lock();
            state.awaits_effect() && state.caller == Caller::Answer
        }
    }

    /// Returns whether the device has acknowledged the command.
    pub(crate) fn is_acknowledged(&self) -> bool {
        matches!(self.lock().result, Some(Ok(_)))
    }

    pub(crate) fn with_effect<T>(&self, look: impl FnOnce(&Effect) -> T) -> Option<T> {
        self.lock().effect.as_deref().map(look)
    }

    /// Compares DPs that the device reports after the command was sent with the effect.
    pub(crate) fn observe(&self, dps: Dps<'_>, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        if let Some(effect) = &mut state.effect {
            effect.observe(dps);
            if effect.is_shown() && state.awaits_effect() {
                state.settle(wakes);
                drop(state);
                self.confirms.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Ends the watch for the effect, with the result so far.
    pub(crate) fn settle(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        if state.awaits_effect() {
            state.settle(wakes);
        }
        drop(state);
        self.confirms.store(false, Ordering::Relaxed);
    }

    /// Replaces one frame of the command by `more` additional ones, of which `unwritten` are still to be written.
    pub(crate) fn split(&self, more: u32, unwritten: u32) {
        let mut state = self.lock();
        state.parts = state.parts.saturating_add(more);
        if !state.written {
            state.unwritten = state.unwritten.saturating_add(unwritten);
        }
        state.tally.get_or_insert_default();
    }

    /// Returns whether the caller waits for the answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.lock().caller == Caller::Answer
    }

    /// Returns whether the caller waits for the answer, or for the write.
    pub(crate) fn is_waited_for(&self) -> bool {
        matches!(self.lock().caller, Caller::Answer | Caller::Written)
    }

    /// Returns whether the command must not be sent any more. A command that was started is finished.
    pub(crate) fn is_cancelled(&self) -> bool {
        let state = self.lock();
        state.caller == Caller::Gone && !state.started
    }

    /// Marks the command as passed to the machine: from now on it may take effect.
    pub(crate) fn start(&self) {
        self.lock().started = true;
    }

    /// Counts a frame that was written to the socket.
    pub(crate) fn frame_written(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.unwritten = state.unwritten.saturating_sub(1);
        state.written |= state.unwritten == 0;
        if state.written && state.caller == Caller::Written {
            wakes.extend(state.waker.take());
        }
    }

    /// Completes one frame, with these DPs. The first failure is the failure of the command. Returns a failure that
    /// must be reported to listeners, because no caller waits for it.
    pub(crate) fn complete(
        &self,
        result: Result<Reply, CommandError>,
        dps: impl FnOnce() -> Vec<u16>,
        wakes: &mut Vec<Waker>,
    ) -> Option<CommandError> {
        let mut state = self.lock();
        if let Some(tally) = &mut state.tally {
            tally.add(dps(), result.as_ref().map(drop));
        }
        match (&mut state.result, result) {
            (Some(Err(_)), _) => {}
            (known, result) => *known = Some(result),
        }
        state.complete_part(wakes)
    }

    /// Completes one frame that was not sent because its caller has cancelled. Returns the same as
    /// [`complete`](Self::complete).
    pub(crate) fn withdraw(&self, wakes: &mut Vec<Waker>) -> Option<CommandError> {
        self.lock().complete_part(wakes)
    }

    /// Polls for the answer, or for the write.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<Option<Reply>, CommandError>> {
        let mut spare = None;
        loop {
            let mut state = self.lock();
            if let Some(result) = state.take_result() {
                return Poll::Ready(result);
            }
            if state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            // Wakers are foreign code: clone and drop them without a lock.
            if let Some(waker) = spare.take() {
                let old = state.waker.replace(waker);
                drop(state);
                drop(old);
                return Poll::Pending;
            }
            drop(state);
            spare = Some(cx.waker().clone());
        }
    }

    /// Makes the caller wait for the answer, whatever it waited for before.
    pub(crate) fn want_answer(&self) {
        self.lock().caller = Caller::Answer;
    }

    /// Lets the command go on without its caller. Returns the failure, if it has failed already.
    pub(crate) fn detach(&self) -> Result<(), CommandError> {
        let mut state = self.lock();
        let waker = state.waker.take();
        state.effect = None;
        state.caller = Caller::Nothing;
        let failed = state.take_unreported();
        drop(state);
        drop(waker);
        failed.map_or(Ok(()), Err)
    }

    /// Handles the drop of the caller's future. Returns a failure that was not reported yet.
    pub(crate) fn abandon(&self) -> Option<CommandError> {
        let mut state = self.lock();
        let waker = state.waker.take();
        // The effect is not watched for any more.
        state.effect = None;
        if state.is_complete() {
            state.caller = Caller::Nothing;
        } else if matches!(state.caller, Caller::Answer | Caller::Written) {
            state.caller = Caller::Gone;
        }
        let failed = state.take_unreported();
        drop(state);
        drop(waker);
        failed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_complete(&self) -> bool {
        self.parts == 0 && !self.awaits_effect()
    }

    /// Returns whether only the effect is missing. A command that was refused, or not sent, has none.
    fn awaits_effect(&self) -> bool {
        self.parts == 0
            && self.effect.is_some()
            && match &self.result {
                Some(Err(CommandError::Partial { failed, .. })) => failed.is_empty(),
                Some(Ok(_) | Err(CommandError::Unanswered | CommandError::ConnectionLost { .. })) => true,
                _ => false,
            }
    }

    fn settle(&mut self, wakes: &mut Vec<Waker>) {
        if let Some(effect) = self.effect.take() {
            self.result = self.result.take().map(|result| effect.settle(result));
        }
        wakes.extend(self.waker.take());
    }

    fn complete_part(&mut self, wakes: &mut Vec<Waker>) -> Option<CommandError> {
        self.parts = self.parts.saturating_sub(1);
        if self.parts == 0
            && let Some(tally) = self.tally.take()
        {
            self.result = self.result.take().map(|result| result.map_err(|cause| tally.result(cause)));
        }
        if self.awaits_effect() && self.effect.as_ref().is_some_and(|effect| effect.is_shown()) {
            self.settle(wakes);
        }
        if !self.is_complete() {
            return None;
        }
        wakes.extend(self.waker.take());
        match self.caller {
            Caller::Answer => None,
            Caller::Written if !self.written => None,
            // Cancelled before anything was sent: nothing to report.
            Caller::Gone if !self.started => {
                self.reported = true;
                None
            }
            Caller::Written | Caller::Nothing | Caller::Gone => self.take_unreported(),
        }
    }

    /// Returns the failure if it was not reported yet, and marks it as reported.
    fn take_unreported(&mut self) -> Option<CommandError> {
        if !self.is_complete() || self.reported {
            return None;
        }
        let error = self.result.as_ref()?.as_ref().err()?.clone();
        self.reported = true;
        Some(error)
    }

    fn take_result(&mut self) -> Option<Result<Option<Reply>, CommandError>> {
        match self.caller {
            Caller::Written if self.written => {
                self.caller = Caller::Nothing;
                Some(Ok(None))
            }
            // Keep the answer for a caller that asks for it later.
            Caller::Written if self.is_complete() && matches!(self.result, Some(Ok(_))) => Some(Ok(None)),
            _ if self.is_complete() => {
                self.reported = true;
                self.result.take().map(|result| result.map(Some))
            }
            _ => None,
        }
    }
}

#[cfg(all(test, rustuya_loom))]
mod models;

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicUsize;
    use rustuya_proto::CommandCode;
    use std::task::Wake;

    fn poll(slot: &Slot) -> Poll<Result<Option<Reply>, CommandError>> {
        slot.poll(&Context::from_waker(Waker::noop()))
    }

    fn reply() -> Reply {
        Reply::empty(CommandCode::CONTROL)
    }

    fn complete(slot: &Slot, result: Result<Reply, CommandError>) -> Option<CommandError> {
        slot.complete(result, Vec::new, &mut Vec::new())
    }

    const SILENCE: CommandError = CommandError::Unanswered;

    #[test]
    fn a_caller_who_waits_for_the_answer_gets_it_once_all_parts_are_decided() {
        let slot = Slot::new(Caller::Answer);
        slot.split(1, 1);
        slot.frame_written(&mut Vec::new());
        assert!(poll(&slot).is_pending());
        assert_eq!(complete(&slot, Err(SILENCE)), None);
        assert!(poll(&slot).is_pending());
        assert_eq!(complete(&slot, Ok(reply())), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(SILENCE)));
        assert_eq!(slot.abandon(), None, "it was returned");
    }

    #[test]
    fn a_command_is_written_when_all_its_frames_are() {
        let slot = Slot::new(Caller::Written);
        slot.split(1, 1);
        slot.frame_written(&mut Vec::new());
        assert!(poll(&slot).is_pending(), "half of it");
        // The first is refused, and retried in two.
        slot.split(1, 2);
        slot.frame_written(&mut Vec::new());
        slot.frame_written(&mut Vec::new());
        assert!(poll(&slot).is_pending(), "one of three");
        slot.frame_written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
    }

    #[test]
    fn a_command_that_was_done_in_part_says_so() {
        let slot = Slot::new(Caller::Answer);
        slot.split(1, 1);
        assert_eq!(slot.complete(Ok(reply()), || vec![1], &mut Vec::new()), None);
        assert_eq!(slot.complete(Err(CommandError::Busy), || vec![2], &mut Vec::new()), None);
        let cause = Box::new(CommandError::Busy);
        let partly = CommandError::Partial { acknowledged: vec![1], uncertain: vec![], failed: vec![2], cause };
        assert_eq!(poll(&slot), Poll::Ready(Err(partly)));
    }

    #[test]
    fn a_failure_after_the_caller_left_is_given_back() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        slot.start();
        slot.frame_written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
        assert_eq!(complete(&slot, Err(SILENCE)), Some(SILENCE));
        assert_eq!(slot.abandon(), None, "listeners know it");
    }

    #[test]
    fn a_failure_between_the_write_and_the_look_is_told_once() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        slot.start();
        slot.frame_written(&mut Vec::new());
        assert_eq!(complete(&slot, Err(SILENCE)), Some(SILENCE), "to listeners");
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)), "it was written, and no more was asked");
        assert_eq!(slot.abandon(), None);
        slot.want_answer();
        assert_eq!(poll(&slot), Poll::Ready(Err(SILENCE)), "who asks for the answer later gets it");
    }

    #[test]
    fn a_failure_before_writing_is_the_callers() {
        let slot = Slot::new(Caller::Written);
        assert_eq!(complete(&slot, Err(CommandError::Busy)), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(CommandError::Busy)));
        assert_eq!(slot.abandon(), None);
    }

    #[test]
    fn a_failure_that_its_caller_did_not_take_is_given_back_once() {
        for caller in [Caller::Answer, Caller::Written] {
            let slot = Slot::new(caller);
            assert!(poll(&slot).is_pending());
            assert_eq!(complete(&slot, Err(CommandError::Busy)), None, "the caller is there");
            assert_eq!(slot.abandon(), Some(CommandError::Busy), "and then it is not");
            assert_eq!(slot.abandon(), None);
        }
    }

    #[test]
    fn a_caller_may_change_its_mind() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        assert_eq!(slot.detach(), Ok(()));
        assert!(!slot.is_cancelled(), "it is still to be sent");
        assert_eq!(complete(&slot, Err(SILENCE)), Some(SILENCE));
        let slot = Slot::new(Caller::Written);
        assert_eq!(complete(&slot, Err(CommandError::Busy)), None);
        assert_eq!(slot.detach(), Err(CommandError::Busy), "known already");
        let slot = Slot::new(Caller::Written);
        slot.frame_written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
        slot.want_answer();
        assert!(poll(&slot).is_pending());
        assert_eq!(complete(&slot, Ok(reply())), None);
        assert_eq!(poll(&slot), Poll::Ready(Ok(Some(reply()))));
    }

    #[test]
    fn what_is_taken_back_before_it_is_sent_does_not_fail() {
        let slot = Slot::new(Caller::Answer);
        assert!(!slot.is_cancelled());
        assert_eq!(slot.abandon(), None);
        assert!(slot.is_cancelled());
        assert_eq!(complete(&slot, Err(CommandError::Closed)), None, "nobody gave it");
        let sent = Slot::new(Caller::Answer);
        sent.start();
        sent.abandon();
        assert_eq!(complete(&sent, Err(SILENCE)), Some(SILENCE), "it may have taken effect");
        let half = Slot::new(Caller::Answer);
        half.split(1, 1);
        half.start();
        assert_eq!(complete(&half, Err(SILENCE)), None);
        half.abandon();
        assert!(!half.is_cancelled(), "what was started is finished");
        assert_eq!(half.withdraw(&mut Vec::new()), Some(SILENCE), "of the part that was sent");
        let detached = Slot::new(Caller::Nothing);
        detached.abandon();
        assert!(!detached.is_cancelled());
    }

    #[test]
    fn wakers_are_dropped_while_the_slot_is_free() {
        /// Waker that holds the only handle of another future of the same command.
        struct Looks(Mutex<Option<Arc<Slot>>>, Arc<AtomicUsize>);
        impl Wake for Looks {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for Looks {
            fn drop(&mut self) {
                if let Some(slot) = self.0.lock().expect("not poisoned").take() {
                    slot.is_cancelled();
                    self.1.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let slot = Slot::new(Caller::Answer);
        let waits = || {
            let waker = Waker::from(Arc::new(Looks(Mutex::new(Some(Arc::clone(&slot))), Arc::clone(&dropped))));
            assert!(slot.poll(&Context::from_waker(&waker)).is_pending());
        };
        waits();
        waits();
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "the first gave way to the second");
        slot.abandon();
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
    }
}
