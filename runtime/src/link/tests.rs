//! Frames that are cut off by the end of a connection; taps.

use super::testing::{options, request};
use super::*;
use crate::io::destination::Destination;
use core::task::Waker;
use core::time::Duration;
use rustuya_proto::frame_len;
use std::io;
use std::time::Instant;

/// A socket that takes `room` bytes, and then no more.
#[derive(Default)]
struct Narrow {
    room: usize,
    writes: Vec<Vec<u8>>,
}

impl Transport for Narrow {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.get(..bytes.len().min(self.room)).unwrap_or_default();
        self.room -= taken.len();
        if taken.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.writes.push(taken.to_vec());
        Ok(taken.len())
    }
}

impl Narrow {
    fn written(&self) -> Vec<u8> {
        self.writes.concat()
    }
}

fn config(answer: u64) -> DeviceConfig {
    let mut config = testing::config().address([127, 0, 0, 1].into());
    config.timing.answer = Duration::from_secs(answer);
    config
}

/// Makes a connected link that has written half of its first frame.
fn cut() -> (DrivenLink, Narrow) {
    let link = DrivenLink::new(Link::new(&config(5), options(), None, Env::standalone()));
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
    link.dialed(None);
    // The first frame is a heartbeat.
    let mut transport = Narrow { room: 10, ..Narrow::default() };
    poll(&link, &mut transport);
    assert!(link.is_cut());
    (link, transport)
}

fn poll(link: &DrivenLink, transport: &mut Narrow) -> Action {
    loop {
        match link.poll(Some(transport), Waker::noop()) {
            Action::Again => {}
            action => return action,
        }
    }
}

/// Returns whether these bytes are whole frames.
fn are_whole(mut bytes: &[u8]) -> bool {
    while let Ok(Some(len)) = frame_len(bytes)
        && let Some(rest) = bytes.get(len..)
    {
        bytes = rest;
    }
    bytes.is_empty()
}

#[test]
fn a_frame_that_was_begun_is_finished_before_the_connection_is_closed() {
    let (link, mut transport) = cut();
    link.close();
    assert!(matches!(poll(&link, &mut transport), Action::Sleep(Some(_))), "it is given a moment");
    transport.room = 1000;
    assert_eq!(poll(&link, &mut transport), Action::Hangup);
    assert!(are_whole(&transport.written()));
    assert!(!link.is_cut());
    assert_eq!(link.poll(None, Waker::noop()), Action::End);
}

#[test]
fn a_frame_that_was_begun_is_finished_before_another_connection_is_made() {
    let (link, mut transport) = cut();
    link.0.with(|engine, _| engine.reconfigure(&config(4), options()));
    transport.room = 1000;
    assert_eq!(poll(&link, &mut transport), Action::Hangup);
    assert!(are_whole(&transport.written()));
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
}

#[test]
fn where_a_frame_cannot_be_finished_the_connection_is_reset() {
    let (link, mut transport) = cut();
    link.0.with(|engine, _| engine.reconfigure(&config(4), options()));
    assert_eq!(poll(&link, &mut transport), Action::Reset);
    assert!(!are_whole(&transport.written()));
    assert!(!link.is_cut());
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
}

#[test]
fn frames_of_two_callers_do_not_interleave_and_each_leaves_in_one_write() {
    let (link, mut transport) = cut();
    let set = |text: &str| {
        let dps = serde_json::json!({ "1": text }).as_object().cloned().unwrap_or_default();
        let slot = Slot::new(Caller::Answer);
        link.0.submit(request(Operation::Set(Writes::new(&dps)), &slot));
        slot
    };
    let slots = [set(&"x".repeat(700)), set(&"y".repeat(700)), set("z")];
    transport.room = 10_000;
    poll(&link, &mut transport);
    assert!(are_whole(&transport.written()));
    // The rest of the first frame, then whole ones.
    assert!(
        transport.writes.iter().skip(2).all(|write| are_whole(write) && write.len() <= 1024),
        "{:?}",
        transport.writes
    );
    assert_eq!(transport.writes.len(), 4, "two that do not fit one segment together, and one that does");
    drop(slots);
}

/// A tap that calls back into its link at every event.
struct CallsBack {
    link: Arc<std::sync::OnceLock<Weak<Link>>>,
    events_received: Arc<Mutex<Vec<String>>>,
    left: usize,
}

impl crate::tap::Tap for CallsBack {
    fn on_event(&mut self, _: rustuya_proto::Instant, event: crate::tap::TapEvent<'_>) {
        let text = format!("{event:?}");
        self.events_received.lock().expect("not poisoned").push(text);
        let Some(link) = self.link.get().and_then(Weak::upgrade) else { return };
        link.with(|engine, _| assert!(engine.cache().children().is_empty()));
        if self.left > 0 {
            self.left -= 1;
            let dps = serde_json::json!({ "1": self.left }).as_object().cloned().unwrap_or_default();
            link.submit(request(Operation::Set(Writes::new(&dps)), &Slot::new(Caller::Answer)));
            let _ = link.submit_nowait(request(Operation::Status, &Slot::new(Caller::Nothing)));
        } else {
            link.close();
            assert!(link.poll_closed(&Context::from_waker(Waker::noop())).is_ready(), "does not wait for itself");
        }
    }
}

#[test]
fn a_tap_may_call_back() {
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (own, events_received) = (Arc::default(), Arc::new(Mutex::default()));
        let tap = CallsBack { link: Arc::clone(&own), events_received: Arc::clone(&events_received), left: 3 };
        let link = DrivenLink::new(Link::new(&config(5), options(), Some(SharedTap::new(tap)), Env::standalone()));
        own.set(Arc::downgrade(&link.0)).expect("set once");
        for _ in 0..100 {
            if link.poll(None, Waker::noop()) == Action::End {
                break;
            }
        }
        assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_ready());
        let events_received = events_received.lock().expect("not poisoned").clone();
        done.send(events_received).expect("is waited for");
    });
    let events_received: Vec<String> = waits.recv_timeout(Duration::from_secs(20)).expect("no deadlock");
    assert!(events_received.first().is_some_and(|event| event.starts_with("Created")), "{events_received:?}");
    assert!(events_received.contains(&"Closed".into()), "{events_received:?}");
}

/// A tap that blocks until the sender is dropped.
struct Slow(std::sync::mpsc::Receiver<()>, Arc<AtomicUsize>);

impl crate::tap::Tap for Slow {
    fn on_event(&mut self, _: rustuya_proto::Instant, _: crate::tap::TapEvent<'_>) {
        let _ = self.0.recv_timeout(Duration::from_secs(20));
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_link_is_closed_once_its_tap_was_told_all_and_a_slow_one_locks_nothing() {
    let (go, waits) = std::sync::mpsc::channel();
    let events_received = Arc::new(AtomicUsize::new(0));
    let tap = SharedTap::new(Slow(waits, Arc::clone(&events_received)));
    let link = Arc::new(DrivenLink::new(Link::new(&config(5), options(), Some(tap.clone()), Env::standalone())));
    let deliverer = std::thread::spawn({
        let link = Arc::clone(&link);
        move || link.poll(None, Waker::noop())
    });
    while !tap.is_delivering() {
        std::thread::yield_now();
    }
    // Meanwhile, another thread goes on.
    link.close();
    while link.poll(None, Waker::noop()) != Action::End {}
    assert_eq!(events_received.load(Ordering::Relaxed), 0);
    assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_pending());
    drop(go);
    deliverer.join().expect("no panic");
    assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_ready());
    assert!(events_received.load(Ordering::Relaxed) >= 3);
}

/// A tap that blocks at its first event, and counts delivered and missed events in order.
struct Counts(Option<std::sync::mpsc::Receiver<()>>, Arc<Mutex<Vec<(u64, u64)>>>);

impl crate::tap::Tap for Counts {
    fn on_event(&mut self, _: rustuya_proto::Instant, event: crate::tap::TapEvent<'_>) {
        if let Some(waits) = self.0.take() {
            let _ = waits.recv_timeout(Duration::from_secs(20));
        }
        self.1.lock().expect("not poisoned").push(match event {
            crate::tap::TapEvent::Missed { events } => (0, events),
            _ => (1, 0),
        });
    }
}

#[test]
fn what_waits_for_a_slow_tap_is_bounded_and_what_is_left_out_is_told() {
    use super::tap::{MAX_QUEUED_BYTES, OwnedTapEvent};
    use crate::tap::TapEvent;

    let at = rustuya_proto::Instant::ZERO;
    let (go, waits) = std::sync::mpsc::channel();
    let events_received = Arc::default();
    let tap = SharedTap::new(Counts(Some(waits), Arc::clone(&events_received)));
    tap.push(at, OwnedTapEvent::Plain(TapEvent::Poll));
    let deliverer = std::thread::spawn({
        let tap = tap.clone();
        move || tap.deliver()
    });
    while !tap.is_delivering() {
        std::thread::yield_now();
    }
    for _ in 0..500 {
        tap.push(at, OwnedTapEvent::Received(vec![0; 64 << 10].into()));
        assert!(tap.queued_bytes() <= MAX_QUEUED_BYTES + 1024, "{}", tap.queued_bytes());
    }
    assert!(tap.queued_bytes() > MAX_QUEUED_BYTES / 2);
    drop(go);
    deliverer.join().expect("no panic");
    assert_eq!(tap.queued_bytes(), 0);
    // There is room again.
    tap.push(at, OwnedTapEvent::Plain(TapEvent::Poll));
    tap.deliver();
    let events_received = events_received.lock().expect("not poisoned").clone();
    let (events, missed) =
        events_received.iter().fold((0, 0), |(events, missed), now| (events + now.0, missed + now.1));
    assert!(missed > 400, "{missed}");
    assert_eq!(events + missed, 502, "each was delivered or counted");
    assert_eq!(events_received.last(), Some(&(1, 0)));
    assert_eq!(events_received.iter().rev().nth(1), Some(&(0, missed)), "the gap is reported once, in its place");
}

#[test]
fn a_device_is_dialed_where_it_is_whoever_else_announces_it_more_often() {
    thread_local! {
        static NOW: core::cell::Cell<Instant> = core::cell::Cell::new(Instant::now());
    }
    const STEP: u64 = 40;
    let mut anywhere = config(5);
    anywhere.address = None;
    let link = DrivenLink::new(Link::new(&anywhere, options(), None, Env::standalone()));
    link.0.with(|engine, _| engine.use_sources(crate::io::sources::Sources::SYSTEM.with_now(|| NOW.get())));
    let host = |n: u8| core::net::IpAddr::from([192, 0, 2, n]);
    let mut dialed = Vec::new();
    for n in 0..60_000 / STEP {
        NOW.set(NOW.get() + Duration::from_millis(STEP));
        // Five other hosts announce the device every fifth of a second; the device announces itself every five seconds.
        let forged = host(100 + u8::try_from(n % 5).expect("is small"));
        let named = if n % 125 == 124 { host(1) } else { forged };
        link.0.with(|engine, _| engine.announced(named, None, None));
        while let Action::Dial(to) = link.poll(None, Waker::noop()) {
            let Destination::Socket(to) = to else { panic!("{to} is no address") };
            dialed.push(to.ip());
            link.lost(LossReason::Unreachable);
        }
    }
    let real = dialed.iter().filter(|to| **to == host(1)).count();
    assert!(real * 12 >= dialed.len() && real > 2, "{real} of {}: {dialed:?}", dialed.len());
}

#[test]
fn commands_are_submitted_while_others_are_queued() {
    thread_local! {
        static LINK: core::cell::RefCell<Option<Arc<Link>>> = const { core::cell::RefCell::new(None) };
        static LOOKS: core::cell::Cell<u32> = const { core::cell::Cell::new(0) };
    }
    /// Called for each command that is queued.
    fn now() -> Instant {
        LINK.with_borrow(|link| {
            if let Some(link) = link {
                assert!(link.submissions.try_lock().is_ok(), "others wait for a lock");
                LOOKS.set(LOOKS.get() + 1);
            }
        });
        Instant::now()
    }
    let link = Link::new(&config(5), options(), None, Env::standalone());
    link.with(|engine, _| engine.use_sources(crate::io::sources::Sources::SYSTEM.with_now(now)));
    let mut request = Request::new(Operation::Raw(CommandCode::CONTROL, None), None);
    request.add_caller(Slot::new(Caller::Nothing));
    link.submissions().push(Box::new(request));
    LINK.set(Some(Arc::clone(&link)));
    link.with(|_, _| ());
    LINK.set(None);
    assert!(LOOKS.get() > 0, "it was queued");
}
