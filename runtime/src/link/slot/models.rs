//! Models of a caller and the link that use one slot.

use loom::thread;

use super::*;
use crate::sync::models::{Woken, each_order};

const SILENCE: CommandError = CommandError::Unanswered;

/// Completes the command as a link does. Returns whether its failure is for listeners.
fn complete(slot: &Slot) -> bool {
    let mut wakes = Vec::new();
    let untold = slot.complete(Err(SILENCE), Vec::new, &mut wakes);
    wakes.into_iter().for_each(Waker::wake);
    untold.is_some()
}

/// Checks that the failure is reported once: to the caller that polls, to the caller that leaves, or to listeners.
fn reported_once(caller: Caller, leave: fn(&Slot) -> bool) {
    each_order(3, move || {
        let slot = Slot::new(caller);
        slot.start();
        let link = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                slot.frame_written(&mut Vec::new());
                complete(&slot)
            }
        });
        let (_, waker) = Woken::waker();
        let seen = matches!(slot.poll(&Context::from_waker(&waker)), Poll::Ready(Err(_)));
        let left = leave(&slot);
        let heard = link.join().expect("no panic");
        assert_eq!(
            [seen, left, heard].into_iter().filter(|reported| *reported).count(),
            1,
            "{:?}",
            [seen, left, heard]
        );
    });
}

#[test]
fn a_failure_is_reported_once_when_the_caller_leaves() {
    reported_once(Caller::Answer, |slot| slot.abandon().is_some());
    reported_once(Caller::Written, |slot| slot.abandon().is_some());
}

#[test]
fn a_failure_is_reported_once_when_the_caller_waits_no_longer() {
    reported_once(Caller::Answer, |slot| slot.detach().is_err());
    reported_once(Caller::Written, |slot| slot.detach().is_err());
}

#[test]
fn a_caller_who_waits_is_woken() {
    for caller in [Caller::Answer, Caller::Written] {
        each_order(3, move || {
            let slot = Slot::new(caller);
            let link = thread::spawn({
                let slot = Arc::clone(&slot);
                move || complete(&slot)
            });
            let (woken, waker) = Woken::waker();
            let polled = slot.poll(&Context::from_waker(&waker));
            link.join().expect("no panic");
            if polled.is_pending() {
                assert!(woken.was_called());
                assert!(slot.poll(&Context::from_waker(&waker)).is_ready());
            }
        });
    }
}

#[test]
fn a_caller_who_moves_to_another_task_is_woken_there() {
    each_order(3, || {
        let slot = Slot::new(Caller::Answer);
        let link = thread::spawn({
            let slot = Arc::clone(&slot);
            move || complete(&slot)
        });
        let (_, first) = Woken::waker();
        let (woken, second) = Woken::waker();
        let before = slot.poll(&Context::from_waker(&first));
        if before.is_pending() && slot.poll(&Context::from_waker(&second)).is_pending() {
            link.join().expect("no panic");
            assert!(woken.was_called());
        }
    });
}
