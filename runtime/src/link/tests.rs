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

impl Pipe for Narrow {
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
        pacing: Pacing::NONE,
        receive_limit: RECEIVED,
        host: None,
    }
}

/// A link that is connected, and has had half of its first frame taken.
fn cut() -> (DrivenLink, Narrow) {
    let link = DrivenLink::new(Link::new(config(5), options(), None, Env::standalone()));
    assert!(matches!(link.turn(None, Waker::noop()), Order::Dial(_)));
    link.dialed(None);
    // The first frame is a heartbeat.
    let mut pipe = Narrow { room: 10, ..Narrow::default() };
    turn(&link, &mut pipe);
    assert!(link.is_cut());
    (link, pipe)
}

fn turn(link: &DrivenLink, pipe: &mut Narrow) -> Order {
    loop {
        match link.turn(Some(pipe), Waker::noop()) {
            Order::Again => {}
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
    assert!(matches!(turn(&link, &mut pipe), Order::Sleep(Some(_))), "it is given a moment");
    pipe.room = 1000;
    assert_eq!(turn(&link, &mut pipe), Order::Hangup);
    assert!(are_whole(&pipe.written()));
    assert!(!link.is_cut());
    assert_eq!(link.turn(None, Waker::noop()), Order::End);
}

#[test]
fn a_frame_that_was_begun_is_finished_before_another_connection_is_made() {
    let (link, mut pipe) = cut();
    link.0.with(|engine, _| engine.reconfigure(config(4), options()));
    pipe.room = 1000;
    assert_eq!(turn(&link, &mut pipe), Order::Hangup);
    assert!(are_whole(&pipe.written()));
    assert!(matches!(link.turn(None, Waker::noop()), Order::Dial(_)));
}

#[test]
fn where_a_frame_cannot_be_finished_the_connection_is_reset() {
    let (link, mut pipe) = cut();
    link.0.with(|engine, _| engine.reconfigure(config(4), options()));
    assert_eq!(turn(&link, &mut pipe), Order::Reset);
    assert!(!are_whole(&pipe.written()));
    assert!(!link.is_cut());
    assert!(matches!(link.turn(None, Waker::noop()), Order::Dial(_)));
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
