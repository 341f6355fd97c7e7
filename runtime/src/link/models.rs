//! Models of callers and the loop that use the lock of one link, and of the end of the link.

use std::sync::OnceLock;
use std::time::Instant;

use loom::sync::Notify;
use loom::thread;

use super::*;
use crate::io::sources::Sources;
use crate::sync::models::{Woken, each_order};

/// Time that stands still, because each run of a model has to do the same.
fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(Instant::now)
}

fn link() -> Arc<Link> {
    let link = Link::new(&testing::config(), testing::options(), None, &Env::new(usize::MAX, usize::MAX));
    link.with_deferred_wakes(|engine| engine.use_sources(Sources::SYSTEM.with_now(now)));
    link
}

/// Submits a command whose caller waits for nothing. Returns also the slot of its result.
fn submit(link: &Link) -> (Result<(), CommandError>, Arc<Slot>) {
    let slot = Slot::new(Caller::Nothing);
    let request = testing::request(Operation::Raw(CommandCode::CONTROL, None), &slot);
    (link.submit_nowait(request), slot)
}

fn is_complete(slot: &Slot) -> bool {
    slot.poll(&Context::from_waker(Waker::noop())).is_ready()
}

#[test]
fn no_submission_is_left_behind() {
    each_order(3, || {
        let link = link();
        let others = [(); 2].map(|()| {
            let link = Arc::clone(&link);
            thread::spawn(move || submit(&link).0)
        });
        link.with(|_, _| ());
        for other in others {
            assert_eq!(other.join().expect("no panic"), Ok(()));
        }
        assert!(!link.has_submissions(), "no thread queued it");
    });
}

#[test]
fn a_command_that_meets_the_end_is_answered() {
    each_order(3, || {
        let link = link();
        let other = {
            let link = Arc::clone(&link);
            thread::spawn(move || submit(&link))
        };
        link.close();
        let (submitted, slot) = other.join().expect("no panic");
        assert_eq!(submitted.is_ok(), is_complete(&slot), "{submitted:?}");
    });
}

/// Wakes the thread of a loop.
struct Notifier(Notify);

impl Wake for Notifier {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// Drives the link until its end.
fn run(link: Arc<Link>) {
    let link = DrivenLink::new(link);
    let notifier = Arc::new(Notifier(Notify::new()));
    let waker = Waker::from(Arc::clone(&notifier));
    loop {
        match link.poll(None, &waker) {
            Action::End => return,
            Action::Sleep(_) => notifier.0.wait(),
            Action::Dial(_) => link.lost(LossReason::Refused),
            Action::Hangup | Action::Reset | Action::Again => {}
        }
    }
}

#[test]
fn a_loop_that_sleeps_is_woken_for_the_end() {
    each_order(3, || {
        let link = link();
        let looping = {
            let link = Arc::clone(&link);
            thread::spawn(move || run(link))
        };
        link.close();
        let (woken, waker) = Woken::waker();
        let closed = link.poll_closed(&Context::from_waker(&waker));
        looping.join().expect("no panic");
        assert!(closed.is_ready() || woken.was_called());
    });
}
