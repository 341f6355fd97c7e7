//! Models of callers and the loop that use the lock of one link, and of the end of the link.

use std::sync::OnceLock;
use std::task::Wake;

use loom::sync::Notify;
use loom::thread;
use rustuya_proto::{DeviceId, LocalKey, Version};

use super::*;
use crate::io::buffers::RECEIVED;
use crate::io::sources::Sources;
use crate::link::slot::Caller;
use crate::sync::models::{Woken, each_order};

/// Time that stands still, because each run of a model has to do the same.
fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(Instant::now)
}

fn link() -> Arc<Link> {
    let id = DeviceId::new("bf0123456789abcdefgh").expect("valid");
    let key = LocalKey::from_text("0123456789abcdef").expect("valid");
    let config = DeviceConfig::new(id, key).version(Version::V33);
    let options = Options {
        timeout: Duration::from_secs(10),
        nowait: false,
        query_on_connect: false,
        pacing: Pacing::NONE,
        receive_limit: RECEIVED,
        memory_limit: crate::report::memory::DEVICE,
        backlog_limit: crate::report::memory::BACKLOG,
        host: None,
    };
    let link = Link::new(&config, options, None, &Env::new(usize::MAX, usize::MAX));
    link.with_deferred_wakes(|engine| engine.use_sources(Sources::SYSTEM.with_now(now)));
    link
}

/// Submits a command whose caller waits for nothing. Returns also the slot of its result.
fn submit(link: &Link) -> (Result<(), CommandError>, Arc<Slot>) {
    let slot = Slot::new(Caller::Nothing);
    let mut request = Request::new(Operation::Raw(CommandCode::CONTROL, None), None);
    request.add_caller(Arc::clone(&slot));
    (link.submit_nowait(Box::new(request)), slot)
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
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify();
    }
}

/// Drives the link until its end.
fn run(link: Arc<Link>) {
    let link = DrivenLink::new(link);
    let bell = Arc::new(Bell(Notify::new()));
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        match link.poll(None, &waker) {
            Action::End => return,
            Action::Sleep(_) => bell.0.wait(),
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
