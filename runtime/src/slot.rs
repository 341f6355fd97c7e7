//! Where the result of one command waits for its caller.

use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustuya_proto::Dps;

use crate::effect::Effect;
use crate::error::CommandError;
use crate::partial::Tally;
use crate::reply::Reply;

/// One command's result, shared by the caller and the device's link. It is decided exactly once, and a failure is
/// told exactly once: to the caller, or to listeners.
#[derive(Debug)]
pub(crate) struct Slot {
    state: Mutex<State>,
    /// Whether the effect is looked for.
    confirms: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// The frames that the command became, less those that are decided.
    parts: u32,
    /// Those that are not written yet, the first time.
    unwritten: u32,
    /// What became of the DPs of a command that became several frames.
    tally: Option<Box<Tally>>,
    /// A frame of it was handed to the machine.
    begun: bool,
    written: bool,
    result: Option<Result<Reply, CommandError>>,
    /// The failure was told to listeners.
    told: bool,
    waker: Option<Waker>,
    caller: Caller,
    /// What is looked for beyond the acknowledgement.
    effect: Option<Box<Effect>>,
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
        let state = State {
            parts: 1,
            unwritten: 1,
            tally: None,
            begun: false,
            written: false,
            result: None,
            told: false,
            waker: None,
            caller,
            effect: None,
        };
        Arc::new(Self { state: Mutex::new(state), confirms: AtomicBool::new(false) })
    }

    /// The caller waits for this effect, too. It is looked for from now on, unless the command has failed.
    pub(crate) fn expect(&self, effect: Effect) {
        let mut state = self.lock();
        state.caller = Caller::Answer;
        state.effect = Some(Box::new(effect));
        drop(state);
        self.confirms.store(true, Ordering::Relaxed);
    }

    /// Whether the effect is looked for.
    pub(crate) fn confirms(&self) -> bool {
        self.confirms.load(Ordering::Relaxed)
    }

    /// Whether it is decided but for the effect, and somebody waits for that.
    pub(crate) fn is_open(&self) -> bool {
        self.confirms() && {
            let state = self.lock();
            state.is_open() && state.caller == Caller::Answer
        }
    }

    /// Whether the device has acknowledged the command.
    pub(crate) fn is_acknowledged(&self) -> bool {
        matches!(self.lock().result, Some(Ok(_)))
    }

    pub(crate) fn with_effect<T>(&self, look: impl FnOnce(&Effect) -> T) -> Option<T> {
        self.lock().effect.as_deref().map(look)
    }

    /// The device shows these DPs, after the command was sent.
    pub(crate) fn show(&self, dps: Dps<'_>, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        if let Some(effect) = &mut state.effect {
            effect.show(dps);
            if effect.is_there() && state.is_open() {
                state.settle(wakes);
                drop(state);
                self.confirms.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Nothing more will be learned of the effect.
    pub(crate) fn settle(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        if state.is_open() {
            state.settle(wakes);
        }
        drop(state);
        self.confirms.store(false, Ordering::Relaxed);
    }

    /// A frame of the command became `more` frames in place of one, of which `unwritten` more are to be written.
    pub(crate) fn split(&self, more: u32, unwritten: u32) {
        let mut state = self.lock();
        state.parts = state.parts.saturating_add(more);
        if !state.written {
            state.unwritten = state.unwritten.saturating_add(unwritten);
        }
        state.tally.get_or_insert_default();
    }

    /// Whether somebody waits for the device's answer.
    pub(crate) fn wants_answer(&self) -> bool {
        self.lock().caller == Caller::Answer
    }

    /// Whether somebody waits for the answer, or for the command to be written.
    pub(crate) fn is_waited_for(&self) -> bool {
        matches!(self.lock().caller, Caller::Answer | Caller::Written)
    }

    /// Whether the command is not to be sent any more. What was begun is finished.
    pub(crate) fn is_gone(&self) -> bool {
        let state = self.lock();
        state.caller == Caller::Gone && !state.begun
    }

    /// A frame of the command was handed to the machine: from now on it may take effect.
    pub(crate) fn begin(&self) {
        self.lock().begun = true;
    }

    /// A frame of the command was written to the socket.
    pub(crate) fn written(&self, wakes: &mut Vec<Waker>) {
        let mut state = self.lock();
        state.unwritten = state.unwritten.saturating_sub(1);
        state.written |= state.unwritten == 0;
        if state.written && state.caller == Caller::Written {
            wakes.extend(state.waker.take());
        }
    }

    /// One frame, with these DPs, is decided. The first failure is that of the command; gives a failure back when it is
    /// for listeners: nobody waits for it any more.
    pub(crate) fn decide(
        &self,
        result: Result<Reply, CommandError>,
        dps: impl FnOnce() -> Vec<u16>,
        wakes: &mut Vec<Waker>,
    ) -> Option<CommandError> {
        let mut state = self.lock();
        if let Some(tally) = &mut state.tally {
            tally.note(dps(), result.as_ref().map(drop));
        }
        match (&mut state.result, result) {
            (Some(Err(_)), _) => {}
            (known, result) => *known = Some(result),
        }
        state.decide_part(wakes)
    }

    /// One frame was not sent, because nobody wants it any more. Gives back what [`decide`](Self::decide) does.
    pub(crate) fn withdraw(&self, wakes: &mut Vec<Waker>) -> Option<CommandError> {
        self.lock().decide_part(wakes)
    }

    /// The caller waits: for the answer, or until the command is written.
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
            // Wakers are foreign code: they are cloned and dropped while no lock is held.
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

    /// The caller waits for the answer from now on, whatever it waited for before.
    pub(crate) fn want_answer(&self) {
        self.lock().caller = Caller::Answer;
    }

    /// The caller waits for nothing any more, and the command is to be sent all the same. What it has come to so far.
    pub(crate) fn detach(&self) -> Result<(), CommandError> {
        let mut state = self.lock();
        let waker = state.waker.take();
        state.effect = None;
        state.caller = Caller::Nothing;
        let failed = state.untold();
        drop(state);
        drop(waker);
        failed.map_or(Ok(()), Err)
    }

    /// The caller's future was dropped. Gives a failure back that it has not seen, and nobody else has.
    pub(crate) fn abandon(&self) -> Option<CommandError> {
        let mut state = self.lock();
        let waker = state.waker.take();
        // Nobody asks for the effect any more.
        state.effect = None;
        if state.is_decided() {
            state.caller = Caller::Nothing;
        } else if matches!(state.caller, Caller::Answer | Caller::Written) {
            state.caller = Caller::Gone;
        }
        let failed = state.untold();
        drop(state);
        drop(waker);
        failed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_decided(&self) -> bool {
        self.parts == 0 && !self.is_open()
    }

    /// Whether only the effect is not known yet. A command that was refused, or not sent, has none.
    fn is_open(&self) -> bool {
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

    fn decide_part(&mut self, wakes: &mut Vec<Waker>) -> Option<CommandError> {
        self.parts = self.parts.saturating_sub(1);
        if self.parts == 0
            && let Some(tally) = self.tally.take()
        {
            self.result = self.result.take().map(|result| result.map_err(|cause| tally.result(cause)));
        }
        if self.is_open() && self.effect.as_ref().is_some_and(|effect| effect.is_there()) {
            self.settle(wakes);
        }
        if !self.is_decided() {
            return None;
        }
        wakes.extend(self.waker.take());
        match self.caller {
            Caller::Answer => None,
            Caller::Written if !self.written => None,
            // Taken back before anything of it was sent: nobody gave it.
            Caller::Gone if !self.begun => {
                self.told = true;
                None
            }
            Caller::Written | Caller::Nothing | Caller::Gone => self.untold(),
        }
    }

    /// The failure, if there is one that nobody has been told yet. It counts as told from now on.
    fn untold(&mut self) -> Option<CommandError> {
        if !self.is_decided() || self.told {
            return None;
        }
        let error = self.result.as_ref()?.as_ref().err()?.clone();
        self.told = true;
        Some(error)
    }

    fn take_result(&mut self) -> Option<Result<Option<Reply>, CommandError>> {
        match self.caller {
            Caller::Written if self.written => {
                self.caller = Caller::Nothing;
                Some(Ok(None))
            }
            // The answer stays, for one who asks for it later.
            Caller::Written if self.is_decided() && matches!(self.result, Some(Ok(_))) => Some(Ok(None)),
            _ if self.is_decided() => {
                self.told = true;
                self.result.take().map(|result| result.map(Some))
            }
            _ => None,
        }
    }
}

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

    fn decide(slot: &Slot, result: Result<Reply, CommandError>) -> Option<CommandError> {
        slot.decide(result, Vec::new, &mut Vec::new())
    }

    const SILENCE: CommandError = CommandError::Unanswered;

    #[test]
    fn a_caller_who_waits_for_the_answer_gets_it_once_all_parts_are_decided() {
        let slot = Slot::new(Caller::Answer);
        slot.split(1, 1);
        slot.written(&mut Vec::new());
        assert!(poll(&slot).is_pending());
        assert_eq!(decide(&slot, Err(SILENCE)), None);
        assert!(poll(&slot).is_pending());
        assert_eq!(decide(&slot, Ok(reply())), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(SILENCE)));
        assert_eq!(slot.abandon(), None, "it was told");
    }

    #[test]
    fn a_command_is_written_when_all_its_frames_are() {
        let slot = Slot::new(Caller::Written);
        slot.split(1, 1);
        slot.written(&mut Vec::new());
        assert!(poll(&slot).is_pending(), "half of it");
        // The first is refused, and tried again in two.
        slot.split(1, 2);
        slot.written(&mut Vec::new());
        slot.written(&mut Vec::new());
        assert!(poll(&slot).is_pending(), "one of three");
        slot.written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
    }

    #[test]
    fn a_command_that_was_done_in_part_says_so() {
        let slot = Slot::new(Caller::Answer);
        slot.split(1, 1);
        assert_eq!(slot.decide(Ok(reply()), || vec![1], &mut Vec::new()), None);
        assert_eq!(slot.decide(Err(CommandError::Busy), || vec![2], &mut Vec::new()), None);
        let cause = Box::new(CommandError::Busy);
        let partly = CommandError::Partial { acknowledged: vec![1], uncertain: vec![], failed: vec![2], cause };
        assert_eq!(poll(&slot), Poll::Ready(Err(partly)));
    }

    #[test]
    fn a_failure_after_the_caller_left_is_given_back() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        slot.begin();
        slot.written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
        assert_eq!(decide(&slot, Err(SILENCE)), Some(SILENCE));
        assert_eq!(slot.abandon(), None, "listeners know it");
    }

    #[test]
    fn a_failure_between_the_write_and_the_look_is_told_once() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        slot.begin();
        slot.written(&mut Vec::new());
        assert_eq!(decide(&slot, Err(SILENCE)), Some(SILENCE), "to listeners");
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)), "it was written, and no more was asked");
        assert_eq!(slot.abandon(), None);
        slot.want_answer();
        assert_eq!(poll(&slot), Poll::Ready(Err(SILENCE)), "who asks for the answer later gets it");
    }

    #[test]
    fn a_failure_before_writing_is_the_callers() {
        let slot = Slot::new(Caller::Written);
        assert_eq!(decide(&slot, Err(CommandError::Busy)), None);
        assert_eq!(poll(&slot), Poll::Ready(Err(CommandError::Busy)));
        assert_eq!(slot.abandon(), None);
    }

    #[test]
    fn a_failure_that_its_caller_did_not_take_is_given_back_once() {
        for caller in [Caller::Answer, Caller::Written] {
            let slot = Slot::new(caller);
            assert!(poll(&slot).is_pending());
            assert_eq!(decide(&slot, Err(CommandError::Busy)), None, "the caller is there");
            assert_eq!(slot.abandon(), Some(CommandError::Busy), "and then it is not");
            assert_eq!(slot.abandon(), None);
        }
    }

    #[test]
    fn a_caller_may_change_its_mind() {
        let slot = Slot::new(Caller::Written);
        assert!(poll(&slot).is_pending());
        assert_eq!(slot.detach(), Ok(()));
        assert!(!slot.is_gone(), "it is still to be sent");
        assert_eq!(decide(&slot, Err(SILENCE)), Some(SILENCE));
        let slot = Slot::new(Caller::Written);
        assert_eq!(decide(&slot, Err(CommandError::Busy)), None);
        assert_eq!(slot.detach(), Err(CommandError::Busy), "known already");
        let slot = Slot::new(Caller::Written);
        slot.written(&mut Vec::new());
        assert_eq!(poll(&slot), Poll::Ready(Ok(None)));
        slot.want_answer();
        assert!(poll(&slot).is_pending());
        assert_eq!(decide(&slot, Ok(reply())), None);
        assert_eq!(poll(&slot), Poll::Ready(Ok(Some(reply()))));
    }

    #[test]
    fn what_is_taken_back_before_it_is_sent_does_not_fail() {
        let slot = Slot::new(Caller::Answer);
        assert!(!slot.is_gone());
        assert_eq!(slot.abandon(), None);
        assert!(slot.is_gone());
        assert_eq!(decide(&slot, Err(CommandError::Closed)), None, "nobody gave it");
        let sent = Slot::new(Caller::Answer);
        sent.begin();
        sent.abandon();
        assert_eq!(decide(&sent, Err(SILENCE)), Some(SILENCE), "it may have taken effect");
        let half = Slot::new(Caller::Answer);
        half.split(1, 1);
        half.begin();
        assert_eq!(decide(&half, Err(SILENCE)), None);
        half.abandon();
        assert!(!half.is_gone(), "what was begun is finished");
        assert_eq!(half.withdraw(&mut Vec::new()), Some(SILENCE), "of the part that was sent");
        let detached = Slot::new(Caller::Nothing);
        detached.abandon();
        assert!(!detached.is_gone());
    }

    #[test]
    fn wakers_are_dropped_while_the_slot_is_free() {
        /// As a task that holds the only handle of another future of the same command.
        struct Looks(Mutex<Option<Arc<Slot>>>, Arc<AtomicUsize>);
        impl Wake for Looks {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for Looks {
            fn drop(&mut self) {
                if let Some(slot) = self.0.lock().expect("not poisoned").take() {
                    slot.is_gone();
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
