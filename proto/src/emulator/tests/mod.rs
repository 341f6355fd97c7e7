//! Tests of the emulator against raw client frames, and against the controller's end of a session.

extern crate std;

mod faults;
mod tables;
mod vectors;
mod vendor;

use std::borrow::ToOwned as _;
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::*;
use crate::buf::{RxBuf, TxBuf};
use crate::codec::{Head, Keys, Sender};
use crate::codec::{VersionHeader, open, seal};
use crate::ids::{Cid, DeviceId, DpId, LocalKey};
use crate::payload::DpValue;
use crate::session::{Outgoing, Received};
use crate::testing::Counter;
use crate::version::{Dialect, Version};

const KEY: [u8; 16] = *b"0123456789abcdef";
const CHILD: &str = "a4c1380123456789";
const CLOCK: u64 = 1_700_000_000;

/// Frame from the device, as the controller reads it.
#[derive(Debug, PartialEq, Eq)]
struct Reply {
    seqno: u32,
    command: u32,
    retcode: Option<u32>,
    header: Option<VersionHeader>,
    text: String,
}

impl Reply {
    /// Returns the parts that most tests compare.
    fn brief(&self) -> (u32, Option<u32>, &str) {
        (self.command, self.retcode, &self.text)
    }
}

fn id() -> DeviceId {
    DeviceId::new("eb0123456789abcdefghij").expect("an id")
}

/// Quirks that make 3.5 behave like the other versions, so that one test covers all of them.
const LIKE_OTHERS: &[&str] = &[
    "ack-before-push",
    "push-changes-only",
    "update-answered",
    "ack-retcode-zero",
    "early-commands=3",
    "negotiated-pushes",
    "read-heartbeats",
    "patient-reads",
    "drop-long-frames",
    "flat-controls",
    "ignore-dp-query",
    "obey-cid",
    "raw-in-replies",
    "push-bitmaps",
];

/// Returns the configuration of a device that behaves like other versions.
fn config(version: Version) -> EmulatorConfig {
    quirky(version, &[])
}

fn quirky(version: Version, names: &[&str]) -> EmulatorConfig {
    let mut config = EmulatorConfig::new(id(), version, LocalKey::new(KEY)).with_clock(CLOCK);
    let like_others = if version == Version::V35 { LIKE_OTHERS } else { &[] };
    for name in like_others.iter().chain(names) {
        config.quirks.set(name).expect("a quirk");
    }
    config
}

/// Returns a model with DPs 1, 2, 9 and 101.
fn plug() -> FixedModel<16, 8> {
    let mut model = FixedModel::new();
    for (dp, value) in [(1, DpValue::Bool(false)), (2, DpValue::Int(10)), (9, DpValue::Int(0))] {
        assert_eq!(model.set(None, DpId(dp), value), Ok(true));
    }
    assert_eq!(model.set(None, DpId(101), "x".into()), Ok(true));
    model
}

/// Returns [`plug`] with two sub-devices, the second one offline.
fn gateway() -> FixedModel<16, 8> {
    let mut model = plug();
    for (cid, online) in [(CHILD, true), ("00124b002d8e6a68", false)] {
        model.set_child(&Cid::new(cid).expect("a cid"), online).expect("room");
    }
    model.set(Some(CHILD), DpId(1), DpValue::Bool(false)).expect("room");
    model.set(Some(CHILD), DpId(9), DpValue::Int(0)).expect("room");
    model
}

/// Emulator with its buffers.
struct Bench {
    emulator: Emulator,
    model: FixedModel<16, 8>,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    rng: Counter,
    now: Instant,
    events: Vec<String>,
    hangup: Option<HangupReason>,
}

impl Bench {
    fn new(config: EmulatorConfig, model: FixedModel<16, 8>) -> Self {
        let emulator = Emulator::numbered(config, Instant::ZERO, 64825, 62046);
        Self {
            emulator,
            model,
            rx: RxBuf::new(vec![0; 8192]),
            tx: TxBuf::new(vec![0; 4096]),
            rng: Counter::default(),
            now: Instant::ZERO,
            events: Vec::new(),
            hangup: None,
        }
    }

    /// Polls once; returns `None` if there may be more to do, else the deadline of `Wait`.
    fn poll(&mut self) -> Option<Option<Instant>> {
        let Self { emulator, model, rx, tx, rng, .. } = self;
        match emulator.poll(self.now, rng, model, rx, tx) {
            EmulatorOutput::Hangup { reason } => self.hangup = Some(reason),
            EmulatorOutput::Wait { until } => return Some(until),
            EmulatorOutput::Event(event) => {
                let values = |what, cid: Option<crate::json::Text<'_>>, dps: WrittenDps<'_>| {
                    let dps: Vec<_> = dps.map(|(id, value)| format!("{id}={value:?}")).collect();
                    format!("{what} {} {}", cid.map(|c| format!("{c}")).unwrap_or_default(), dps.join(" "))
                };
                self.events.push(match event {
                    EmulatorEvent::Written { cid, dps } => values("Written", cid, dps),
                    EmulatorEvent::Ignored { cid, dps } => values("Ignored", cid, dps),
                    other => format!("{other:?}"),
                });
                return None;
            }
        }
        Some(None)
    }

    /// Polls until nothing more happens, and returns all the bytes sent.
    fn drain(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..10_000 {
            let wait = self.poll();
            if wait.is_some() {
                let pending = self.tx.pending().len();
                out.extend_from_slice(self.tx.pending());
                self.tx.consume(pending);
                if pending == 0 || self.hangup.is_some() {
                    return out;
                }
            }
        }
        panic!("the emulator does not come to rest");
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let spare = self.rx.spare_mut();
            let n = spare.len().min(bytes.len());
            spare[..n].copy_from_slice(&bytes[..n]);
            self.rx.commit(n);
            bytes = &bytes[n..];
            out.extend(self.drain());
            if bytes.is_empty() || self.hangup.is_some() {
                return out;
            }
        }
    }

    fn later(&mut self, millis: u64) {
        self.now = self.now + core::time::Duration::from_millis(millis);
    }

    fn told(&self, part: &str) -> usize {
        self.events.iter().filter(|event| event.contains(part)).count()
    }
}

/// [`Bench`] with a controller's session at the other end.
struct Pair {
    bench: Bench,
    session: Session,
    key: LocalKey,
    rng: Counter,
    inbox: RxBuf<Vec<u8>>,
}

impl Pair {
    /// Creates a connected pair, negotiated if the version requires it.
    fn new(config: EmulatorConfig, model: FixedModel<16, 8>) -> Self {
        let mut pair = Self::raw(config, model, KEY);
        for _ in 0..8 {
            if pair.session.is_ready() {
                break;
            }
            pair.negotiate();
        }
        assert!(pair.session.is_ready(), "{:?} {:?}", pair.bench.hangup, pair.bench.events);
        pair
    }

    fn raw(config: EmulatorConfig, model: FixedModel<16, 8>, key: [u8; 16]) -> Self {
        let key = LocalKey::new(key);
        let session = Session::controller(config.version, &key, Instant::ZERO);
        let inbox = RxBuf::new(vec![0; 16384]);
        Self { bench: Bench::new(config, model), session, key, rng: Counter::default(), inbox }
    }

    /// Runs the negotiation, and returns the replies.
    fn negotiate(&mut self) -> Vec<Reply> {
        let mut tx = TxBuf::new(vec![0; 1024]);
        self.session.negotiate(self.bench.now, &self.key, &mut self.rng, &mut tx.lend());
        let answer = self.bench.feed(tx.pending());
        self.take(&answer)
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<Reply> {
        self.inbox.spare_mut()[..bytes.len()].copy_from_slice(bytes);
        self.inbox.commit(bytes.len());
        let mut replies = Vec::new();
        loop {
            let received = self.session.receive(self.bench.now, &self.key, &mut self.inbox.lend());
            match received {
                Received::Nothing => return replies,
                Received::Negotiation => {}
                Received::Frame(opened) | Received::Early(opened) => replies.push(Reply {
                    seqno: opened.seqno,
                    command: opened.command.0,
                    retcode: opened.retcode.map(|code| code.0),
                    header: opened.header,
                    text: String::from_utf8_lossy(self.inbox.at(opened.payload)).into_owned(),
                }),
                Received::Bad { error, .. } => replies.push(unreadable(&format!("{error:?}"))),
                Received::WrongProof => replies.push(unreadable("wrong proof")),
                Received::TooLong { .. } => replies.push(unreadable("too long")),
                Received::Unexpected => replies.push(unreadable("unexpected")),
                Received::Repeated { .. } => replies.push(unreadable("repeated")),
            }
        }
    }

    /// Returns the bytes of one request with the version header where it belongs.
    fn request(&mut self, command: CommandCode, text: &str) -> Vec<u8> {
        let version = self.session.version();
        let has_header = command.carries_version_header() && version != Version::V31;
        self.request_with(command, text, has_header)
    }

    fn request_with(&mut self, command: CommandCode, text: &str, has_header: bool) -> Vec<u8> {
        let header = has_header.then(|| VersionHeader::controller(self.session.version()));
        let out = Outgoing { command, retcode: None, header, seqno: None };
        let mut tx = TxBuf::new(vec![0; 8192]);
        self.session.send(self.bench.now, &mut self.rng, &mut tx.lend(), &out, |w| w.text(text)).expect("room");
        tx.pending().to_vec()
    }

    fn ask(&mut self, command: CommandCode, text: &str) -> Vec<Reply> {
        let bytes = self.request(command, text);
        let answer = self.bench.feed(&bytes);
        self.take(&answer)
    }

    /// Returns the code that controls have in this version.
    fn control(&self) -> CommandCode {
        if self.session.version().negotiates() { CommandCode::CONTROL_NEW } else { CommandCode::CONTROL }
    }

    fn query(&self) -> CommandCode {
        if self.session.version().negotiates() { CommandCode::DP_QUERY_NEW } else { CommandCode::DP_QUERY }
    }

    fn set(&mut self, dps: &str) -> Vec<Reply> {
        let text = if self.session.version().negotiates() {
            format!(r#"{{"protocol":5,"t":1,"data":{{"dps":{dps}}}}}"#)
        } else {
            format!(r#"{{"devId":"x","uid":"x","t":"1","dps":{dps}}}"#)
        };
        let control = self.control();
        self.ask(control, &text)
    }
}

fn unreadable(text: &str) -> Reply {
    Reply { seqno: 0, command: 0, retcode: None, header: None, text: text.to_owned() }
}

fn commands(replies: &[Reply]) -> Vec<u32> {
    replies.iter().map(|reply| reply.command).collect()
}

fn texts(replies: &[Reply]) -> Vec<&str> {
    replies.iter().map(|reply| reply.text.as_str()).collect()
}

/// Seals a frame under the given key.
fn sealed(version: Version, key: &[u8; 16], seqno: u32, command: CommandCode, text: &str) -> Vec<u8> {
    let header =
        (command.carries_version_header() && version != Version::V31).then(|| VersionHeader::controller(version));
    let head = Head { sender: Sender::Controller, seqno, command, retcode: None, header };
    let mut out = vec![0; 8192];
    let len = seal(&Keys::new(version, key), &head, b"an iv of a t", text.as_bytes(), &mut out).expect("room");
    out.truncate(len);
    out
}

/// Opens a device's frame under the given key.
fn opened(version: Version, key: &[u8; 16], frame: &[u8]) -> (u32, Option<u32>, String) {
    let mut frame = frame.to_vec();
    let opened = open(&Keys::new(version, key), Sender::Device, &mut frame).expect("a frame");
    let text = String::from_utf8_lossy(&frame[opened.payload]).into_owned();
    (opened.command.0, opened.retcode.map(|code| code.0), text)
}
