//! What becomes of a frame that was begun when the connection ends.

use super::*;
use crate::buffers::RECEIVED;
use crate::slot::Caller;
use core::task::Waker;
use rustuya_proto::{DeviceId, LocalKey, Version, frame_len};
use std::io;

/// A socket that takes so many bytes, and then no more.
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
    let id = DeviceId::new("bf0123456789abcdefgh").expect("valid");
    let key = LocalKey::from_text("0123456789abcdef").expect("valid");
    let mut config = DeviceConfig::new(id, key).address([127, 0, 0, 1].into()).version(Version::V33);
    config.timing.answer = Duration::from_secs(answer);
    config
}

fn options() -> Options {
    Options {
        timeout: Duration::from_secs(10),
        nowait: false,
        query_on_connect: false,
        pacing: Pacing::NONE,
        receive_limit: RECEIVED,
        memory_limit: crate::memory::DEVICE,
        backlog_limit: crate::memory::BACKLOG,
        host: None,
    }
}

/// A link that is connected, and has had half of its first frame taken.
fn cut() -> (DrivenLink, Narrow) {
    let link = DrivenLink::new(Link::new(&config(5), options(), None, Env::standalone()));
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
    link.dialed(None);
    // The first frame is a heartbeat.
    let mut pipe = Narrow { room: 10, ..Narrow::default() };
    turn(&link, &mut pipe);
    assert!(link.is_cut());
    (link, pipe)
}

fn turn(link: &DrivenLink, pipe: &mut Narrow) -> Action {
    loop {
        match link.poll(Some(pipe), Waker::noop()) {
            Action::Again => {}
            order => return order,
        }
    }
}

/// Whether these bytes are whole frames.
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
    let (link, mut pipe) = cut();
    link.close();
    assert!(matches!(turn(&link, &mut pipe), Action::Sleep(Some(_))), "it is given a moment");
    pipe.room = 1000;
    assert_eq!(turn(&link, &mut pipe), Action::Hangup);
    assert!(are_whole(&pipe.written()));
    assert!(!link.is_cut());
    assert_eq!(link.poll(None, Waker::noop()), Action::End);
}

#[test]
fn a_frame_that_was_begun_is_finished_before_another_connection_is_made() {
    let (link, mut pipe) = cut();
    link.0.with(|engine, _| engine.reconfigure(&config(4), options()));
    pipe.room = 1000;
    assert_eq!(turn(&link, &mut pipe), Action::Hangup);
    assert!(are_whole(&pipe.written()));
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
}

#[test]
fn where_a_frame_cannot_be_finished_the_connection_is_reset() {
    let (link, mut pipe) = cut();
    link.0.with(|engine, _| engine.reconfigure(&config(4), options()));
    assert_eq!(turn(&link, &mut pipe), Action::Reset);
    assert!(!are_whole(&pipe.written()));
    assert!(!link.is_cut());
    assert!(matches!(link.poll(None, Waker::noop()), Action::Dial(_)));
}

#[test]
fn frames_of_two_callers_do_not_interleave_and_each_leaves_in_one_write() {
    let (link, mut pipe) = cut();
    let set = |text: &str| {
        let dps = serde_json::json!({ "1": text }).as_object().cloned().unwrap_or_default();
        let slot = Slot::new(Caller::Answer);
        link.0.submit(Ask::Set(Writes::new(&dps)), None, Arc::clone(&slot), None);
        slot
    };
    let slots = [set(&"x".repeat(700)), set(&"y".repeat(700)), set("z")];
    pipe.room = 10_000;
    turn(&link, &mut pipe);
    assert!(are_whole(&pipe.written()));
    // The rest of the first frame, then whole ones.
    assert!(pipe.writes.iter().skip(2).all(|write| are_whole(write) && write.len() <= 1024), "{:?}", pipe.writes);
    assert_eq!(pipe.writes.len(), 4, "two that do not fit one segment together, and one that does");
    drop(slots);
}

/// A tap that has the link that it is told about, and uses it at every note.
struct CallsBack {
    link: Arc<std::sync::OnceLock<Weak<Link>>>,
    told: Arc<Mutex<Vec<String>>>,
    left: usize,
}

impl crate::tap::Tap for CallsBack {
    fn note(&mut self, _: rustuya_proto::Instant, what: crate::tap::Note<'_>) {
        let text = format!("{what:?}");
        self.told.lock().expect("not poisoned").push(text);
        let Some(link) = self.link.get().and_then(Weak::upgrade) else { return };
        link.with(|engine, _| assert!(engine.cache().children().is_empty()));
        if self.left > 0 {
            self.left -= 1;
            let dps = serde_json::json!({ "1": self.left }).as_object().cloned().unwrap_or_default();
            link.submit(Ask::Set(Writes::new(&dps)), None, Slot::new(Caller::Answer), None);
            let _ = link.post(Ask::Status, None, Slot::new(Caller::Nothing), None);
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
        let (own, told) = (Arc::default(), Arc::new(Mutex::default()));
        let tap = CallsBack { link: Arc::clone(&own), told: Arc::clone(&told), left: 3 };
        let link = DrivenLink::new(Link::new(&config(5), options(), Some(SharedTap::new(tap)), Env::standalone()));
        own.set(Arc::downgrade(&link.0)).expect("set once");
        for _ in 0..100 {
            if link.poll(None, Waker::noop()) == Action::End {
                break;
            }
        }
        assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_ready());
        let told = told.lock().expect("not poisoned").clone();
        done.send(told).expect("is waited for");
    });
    let told: Vec<String> = waits.recv_timeout(Duration::from_secs(20)).expect("no deadlock");
    assert!(told.first().is_some_and(|note| note.starts_with("Created")), "{told:?}");
    assert!(told.contains(&"Closed".into()), "{told:?}");
}

/// A tap that is slow until it is let go.
struct Slow(std::sync::mpsc::Receiver<()>, Arc<AtomicUsize>);

impl crate::tap::Tap for Slow {
    fn note(&mut self, _: rustuya_proto::Instant, _: crate::tap::Note<'_>) {
        let _ = self.0.recv_timeout(Duration::from_secs(20));
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_link_is_closed_once_its_tap_was_told_all_and_a_slow_one_locks_nothing() {
    let (go, waits) = std::sync::mpsc::channel();
    let told = Arc::new(AtomicUsize::new(0));
    let tap = SharedTap::new(Slow(waits, Arc::clone(&told)));
    let link = Arc::new(DrivenLink::new(Link::new(&config(5), options(), Some(tap.clone()), Env::standalone())));
    let teller = std::thread::spawn({
        let link = Arc::clone(&link);
        move || link.poll(None, Waker::noop())
    });
    while !tap.is_being_told() {
        std::thread::yield_now();
    }
    // Another thread goes on meanwhile.
    link.close();
    while link.poll(None, Waker::noop()) != Action::End {}
    assert_eq!(told.load(Ordering::Relaxed), 0);
    assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_pending());
    drop(go);
    teller.join().expect("no panic");
    assert!(link.0.poll_closed(&Context::from_waker(Waker::noop())).is_ready());
    assert!(told.load(Ordering::Relaxed) >= 3);
}

/// A tap that waits at its first note until it is let go, and remembers how many it was told and missed, in order.
struct Counts(Option<std::sync::mpsc::Receiver<()>>, Arc<Mutex<Vec<(u64, u64)>>>);

impl crate::tap::Tap for Counts {
    fn note(&mut self, _: rustuya_proto::Instant, what: crate::tap::Note<'_>) {
        if let Some(waits) = self.0.take() {
            let _ = waits.recv_timeout(Duration::from_secs(20));
        }
        self.1.lock().expect("not poisoned").push(match what {
            crate::tap::Note::Missed { notes } => (0, notes),
            _ => (1, 0),
        });
    }
}

#[test]
fn what_waits_for_a_slow_tap_is_bounded_and_what_is_left_out_is_told() {
    use super::tap::{Kept, MAX_UNTOLD};
    use crate::tap::Note;

    let at = rustuya_proto::Instant::ZERO;
    let (go, waits) = std::sync::mpsc::channel();
    let told = Arc::default();
    let tap = SharedTap::new(Counts(Some(waits), Arc::clone(&told)));
    tap.keep(at, Kept::Plain(Note::Poll));
    let teller = std::thread::spawn({
        let tap = tap.clone();
        move || tap.tell()
    });
    while !tap.is_being_told() {
        std::thread::yield_now();
    }
    for _ in 0..500 {
        tap.keep(at, Kept::Received(vec![0; 64 << 10].into()));
        assert!(tap.untold_bytes() <= MAX_UNTOLD + 1024, "{}", tap.untold_bytes());
    }
    assert!(tap.untold_bytes() > MAX_UNTOLD / 2);
    drop(go);
    teller.join().expect("no panic");
    assert_eq!(tap.untold_bytes(), 0);
    // There is room again.
    tap.keep(at, Kept::Plain(Note::Poll));
    tap.tell();
    let told = told.lock().expect("not poisoned").clone();
    let (notes, missed) = told.iter().fold((0, 0), |(notes, missed), now| (notes + now.0, missed + now.1));
    assert!(missed > 400, "{missed}");
    assert_eq!(notes + missed, 502, "each was told or counted");
    assert_eq!(told.last(), Some(&(1, 0)));
    assert_eq!(told.iter().rev().nth(1), Some(&(0, missed)), "the gap is told once, and where it is");
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
    link.0.with(|engine, _| engine.live_by(crate::sources::Sources::SYSTEM.with_now(|| NOW.get())));
    let host = |n: u8| core::net::IpAddr::from([192, 0, 2, n]);
    let mut dialed = Vec::new();
    for n in 0..60_000 / STEP {
        NOW.set(NOW.get() + Duration::from_millis(STEP));
        // Five others say every fifth of a second that it is theirs, and it says so itself every five seconds.
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
