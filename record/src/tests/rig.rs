//! A driver in memory: the machine of a controller and that of a device under one virtual clock, with a tap.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rustuya_proto::{
    Command, CommandCode, CommandId, ConnId, CryptoRng, Device, DeviceConfig, Emulator, EmulatorConfig, EmulatorOutput,
    Event, FixedModel, Instant, LossReason, Message, Outcome, Output, RetCode, RxBuf, TxBuf, Version, frame_len,
};

use rustuya_runtime::tap::{RecordingRng, Tap, TapEvent};
use rustuya_seeded::SeededRng;

use crate::{Happened, Replay};

pub(super) type Model = FixedModel<16, 4>;

/// Event, comparable between a session and its replay: masking changes nothing of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    Up(Version),
    Down(String),
    Dialect(String),
    Dial,
    Hangup,
    Sent(CommandCode, u32, usize),
    Message(CommandCode, u32, Option<RetCode>, usize),
    Resolved(u32, Outcome, Option<usize>),
}

/// Delivery of the device's bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Delivery {
    Whole,
    Bytes,
    Random,
}

struct Wire {
    conn: ConnId,
    emulator: Emulator,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    up: VecDeque<(Instant, Vec<u8>)>,
    down: VecDeque<(Instant, Vec<u8>)>,
    closed: bool,
    until: Option<Instant>,
}

pub(super) struct Rig {
    device: Device,
    tap: Box<dyn Tap>,
    rng: SeededRng,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    pub(super) emulated: EmulatorConfig,
    pub(super) model: Model,
    pub(super) delivery: Delivery,
    /// Bytes that are not written into a socket at once: at most so many at a time.
    pub(super) write_at_most: usize,
    pub(super) refuses: bool,
    wire: Option<Wire>,
    pub(super) now: Instant,
    pub(super) told: Vec<Told>,
    /// Payloads of what came, in order.
    pub(super) texts: Vec<String>,
    numbers: BTreeMap<CommandId, u32>,
    asked: u32,
    until: Option<Instant>,
    written: Vec<u8>,
}

const LATENCY: Duration = Duration::from_micros(730);
const BUFFER: usize = 2048;

impl Rig {
    pub(super) fn new(config: &DeviceConfig, emulated: EmulatorConfig, mut tap: Box<dyn Tap>, seed: u64) -> Self {
        let now = Instant::from_micros(5_000_017);
        tap.on_event(now, TapEvent::Created { config, rx: BUFFER, tx: BUFFER });
        Self {
            device: Device::new(config.clone(), now),
            tap,
            rng: SeededRng::new(seed),
            rx: RxBuf::new(vec![0; BUFFER]),
            tx: TxBuf::new(vec![0; BUFFER]),
            emulated,
            model: Model::new(),
            delivery: Delivery::Whole,
            write_at_most: usize::MAX,
            refuses: false,
            wire: None,
            now,
            told: Vec::new(),
            texts: Vec::new(),
            numbers: BTreeMap::new(),
            asked: 0,
            until: Some(now),
            written: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, command: Command<'_>) {
        self.tap.on_event(self.now, TapEvent::Command(command));
        self.asked += 1;
        let rng = &mut RecordingRng::new(&mut self.rng, &mut *self.tap, self.now);
        if let Ok(id) = self.device.send(&command, self.now, rng, &mut self.tx) {
            self.numbers.insert(id, self.asked);
        }
        self.settle();
    }

    pub(super) fn announce(&mut self, address: IpAddr, version: Option<Version>) {
        self.tap.on_event(self.now, TapEvent::Announced { address, version });
        self.device.handle_announcement(address, version, self.now);
        self.settle();
    }

    pub(super) fn relay(&mut self) {
        self.tap.on_event(self.now, TapEvent::Relayed);
        self.device.handle_relayed();
        self.settle();
    }

    pub(super) fn reconfigure(&mut self, config: &DeviceConfig) {
        self.tap.on_event(self.now, TapEvent::Reconfigured(config));
        self.device.reconfigure(config.clone(), self.now);
        self.settle();
    }

    /// Bytes out of nowhere, on the way to the controller.
    pub(super) fn inject(&mut self, bytes: &[u8]) {
        if let Some(wire) = &mut self.wire {
            wire.down.push_back((self.now + LATENCY, bytes.to_vec()));
        }
        self.run(Duration::from_millis(5));
    }

    pub(super) fn cut(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.lose(wire.conn, LossReason::Reset);
        }
        self.settle();
    }

    pub(super) fn close(&mut self) {
        self.tap.on_event(self.now, TapEvent::Closed);
        self.device.close();
        self.settle();
    }

    fn lose(&mut self, conn: ConnId, why: LossReason) {
        self.tap.on_event(self.now, TapEvent::Lost { conn, why });
        self.device.handle_lost(conn, why, self.now);
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..200_000 {
            self.settle();
            let wire = self.wire.as_ref();
            let front = |queue: &VecDeque<(Instant, Vec<u8>)>| queue.front().map(|(at, _)| *at);
            let times = [
                // Drivers wake up late.
                self.until.map(|until| until + Duration::from_micros(211)),
                wire.and_then(|w| w.until),
                wire.and_then(|w| front(&w.up)),
                wire.and_then(|w| front(&w.down)),
            ];
            let next = times.into_iter().flatten().min().unwrap_or(end).max(self.now);
            if next >= end {
                self.now = end;
                return;
            }
            self.now = next;
        }
        panic!("no rest; last told: {:?}", self.told.last());
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if !(self.poll_controller() | self.poll_device() | self.carry()) {
                return;
            }
        }
        panic!("an instant without end; last told: {:?}", self.told.last());
    }

    fn poll_controller(&mut self) -> bool {
        let mut active = false;
        loop {
            self.tap.on_event(self.now, TapEvent::Poll);
            let rng: &mut dyn CryptoRng = &mut RecordingRng::new(&mut self.rng, &mut *self.tap, self.now);
            let text = |m: &Message<'_>| String::from_utf8_lossy(m.payload.as_bytes()).into_owned();
            let told = match self.device.poll(self.now, rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, to } => {
                    self.tap.on_event(self.now, TapEvent::Dial { conn, to });
                    self.told.push(Told::Dial);
                    self.dial(conn);
                    active = true;
                    continue;
                }
                Output::Hangup { conn } => {
                    self.tap.on_event(self.now, TapEvent::Hangup { conn });
                    self.wire = None;
                    Told::Hangup
                }
                Output::Event(Event::Up { version }) => Told::Up(version),
                Output::Event(Event::Down { reason, retry_at }) => Told::Down(format!("{reason:?} {retry_at:?}")),
                Output::Event(Event::Dialect(dialect)) => Told::Dialect(format!("{dialect:?}")),
                Output::Event(Event::Resolved { id, outcome, message }) => {
                    let number = self.numbers.remove(&id).expect("a command resolves once");
                    self.texts.extend(message.as_ref().map(text));
                    Told::Resolved(number, outcome, message.map(|m| len(&text(&m))))
                }
                Output::Event(Event::Message(m)) => {
                    self.texts.push(text(&m));
                    Told::Message(m.command, m.seqno, m.retcode, len(&text(&m)))
                }
                Output::Event(_) => continue,
                Output::Wait { until } => {
                    self.until = until;
                    return active;
                }
            };
            active = true;
            self.told.push(told);
        }
    }

    fn dial(&mut self, conn: ConnId) {
        self.wire = None;
        self.written.clear();
        if self.refuses {
            return self.lose(conn, LossReason::Refused);
        }
        self.tap.on_event(self.now, TapEvent::Dialed { conn });
        self.device.handle_dialed(conn, self.now);
        self.wire = Some(Wire {
            conn,
            emulator: Emulator::new(self.emulated.clone(), self.now, &mut self.rng),
            rx: RxBuf::new(vec![0; 4096]),
            tx: TxBuf::new(vec![0; 4096]),
            up: VecDeque::new(),
            down: VecDeque::new(),
            closed: false,
            until: None,
        });
    }

    fn poll_device(&mut self) -> bool {
        let Some(wire) = &mut self.wire else {
            return false;
        };
        let mut active = false;
        while !wire.closed {
            match wire.emulator.poll(self.now, &mut self.rng, &mut self.model, &mut wire.rx, &mut wire.tx) {
                EmulatorOutput::Hangup { .. } => {
                    wire.closed = true;
                    wire.until = None;
                    wire.up.clear();
                }
                EmulatorOutput::Event(_) => active = true,
                EmulatorOutput::Wait { until } => {
                    wire.until = until;
                    break;
                }
            }
        }
        active
    }

    fn carry(&mut self) -> bool {
        let mut moved = false;
        while let Some(wire) = &mut self.wire
            && !self.tx.pending().is_empty()
        {
            let pending = self.tx.pending();
            let bytes = pending[..pending.len().min(self.write_at_most)].to_vec();
            self.tap.on_event(self.now, TapEvent::Sent(&bytes));
            self.tx.consume(bytes.len());
            self.written.extend(&bytes);
            if !wire.closed {
                wire.up.push_back((self.now + LATENCY, bytes));
            }
            while let Ok(Some(len)) = frame_len(&self.written)
                && len <= self.written.len()
            {
                let at = if self.written[2] == 0x66 { 6 } else { 4 };
                let field = |at: usize| u32::from_be_bytes(self.written[at..at + 4].try_into().expect("4 bytes"));
                self.told.push(Told::Sent(CommandCode(field(at + 4)), field(at), len));
                self.written.drain(..len);
            }
            moved = true;
        }
        let Some(wire) = &mut self.wire else {
            return moved;
        };
        let mut bytes = wire.tx.pending().to_vec();
        wire.tx.consume(bytes.len());
        let mut at = wire.down.back().map_or(self.now + LATENCY, |(last, _)| (*last).max(self.now + LATENCY));
        while !bytes.is_empty() {
            let piece = match self.delivery {
                Delivery::Whole => bytes.len(),
                Delivery::Bytes => 1,
                Delivery::Random => 1 + self.rng.index(bytes.len()),
            };
            let rest = bytes.split_off(piece);
            wire.down.push_back((at, core::mem::replace(&mut bytes, rest)));
            at = at + Duration::from_micros(37);
            moved = true;
        }
        if !wire.closed && wire.up.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = wire.up.pop_front().expect("a front");
            wire.rx.spare_mut()[..bytes.len()].copy_from_slice(&bytes);
            wire.rx.commit(bytes.len());
            moved = true;
        }
        if wire.down.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = wire.down.pop_front().expect("a front");
            self.tap.on_event(self.now, TapEvent::Received(&bytes));
            self.rx.spare_mut()[..bytes.len()].copy_from_slice(&bytes);
            self.rx.commit(bytes.len());
            moved = true;
        }
        if wire.closed && wire.down.is_empty() {
            let conn = wire.conn;
            self.wire = None;
            self.lose(conn, LossReason::Closed);
            moved = true;
        }
        moved
    }
}

/// The length of a payload that was shown as text; bytes that are no text are all the same.
fn len(text: &str) -> usize {
    if text.contains(char::REPLACEMENT_CHARACTER) { usize::MAX } else { text.len() }
}

/// Returns the events of a replay in the same terms, and the payloads that it shows.
pub(super) fn replayed(replay: Replay<&[u8]>) -> (Vec<Told>, Vec<String>) {
    let (mut told, mut texts) = (Vec::new(), Vec::new());
    for step in replay {
        let step = step.expect("a good record");
        told.push(match step.what {
            Happened::Diverged(divergence) => panic!("line {}: {divergence}; before: {:?}", step.line, told.last()),
            Happened::Up { version } => Told::Up(version),
            Happened::Down { reason, retry_at } => Told::Down(format!("{reason:?} {retry_at:?}")),
            Happened::Dialect(dialect) => Told::Dialect(format!("{dialect:?}")),
            Happened::Dial { .. } => Told::Dial,
            Happened::Hangup { .. } => Told::Hangup,
            Happened::Sent(head) => Told::Sent(head.command, head.seqno, head.len),
            Happened::Message { command, seqno, retcode, payload } => {
                let len = len(&payload);
                texts.push(payload);
                Told::Message(command, seqno, retcode, len)
            }
            Happened::Resolved { number, outcome, payload } => {
                let len = payload.as_deref().map(len);
                texts.extend(payload);
                Told::Resolved(number, outcome, len)
            }
            _ => continue,
        });
    }
    (told, texts)
}
