//! Connects the controller's machine to the device's, in memory, with a virtual clock and a seeded generator.
//!
//! The link between them behaves like a TCP connection: bytes arrive in order and complete, but cut anywhere and late.
//! A lost or overtaken segment delays everything behind it; a duplicate has no effect.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rustuya_faulty::client::MachineEvent;
use rustuya_proto::{
    Command, CommandCode, CommandId, ConnId, Device, DeviceConfig, Emulator, EmulatorConfig, EmulatorEvent,
    EmulatorOutput, Event, FixedModel, Instant, LossReason, Outcome, Output, RxBuf, SendError, TxBuf,
};
use rustuya_seeded::SeededRng;

/// Model of all pairs: 16 DPs, 4 sub-devices.
pub(crate) type PairModel = FixedModel<16, 4>;

/// Delivery of bytes.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// Each write arrives as one read.
    Whole,
    /// One byte per read.
    Bytes,
    /// Cuts the device's bytes once per connection, before the byte with this number.
    CutAt(usize),
    /// Cuts bytes into random pieces with random delays, some as long as a retransmission.
    Random(SeededRng),
}

struct Pipe {
    delivery: Delivery,
    /// Pieces in transit, with their arrival times.
    queue: VecDeque<(Instant, Vec<u8>)>,
    sent: usize,
}

impl Pipe {
    fn new(delivery: Delivery) -> Self {
        Self { delivery, queue: VecDeque::new(), sent: 0 }
    }

    fn send(&mut self, now: Instant, bytes: &[u8]) {
        const LATENCY: Duration = Duration::from_millis(1);
        let mut at = self.queue.back().map_or(now + LATENCY, |(last, _)| (*last).max(now + LATENCY));
        let begin = self.sent;
        self.sent += bytes.len();
        match &mut self.delivery {
            Delivery::Whole => self.queue.push_back((at, bytes.to_vec())),
            Delivery::Bytes => bytes.iter().for_each(|b| self.queue.push_back((at, vec![*b]))),
            Delivery::CutAt(cut) if (begin + 1..self.sent).contains(cut) => {
                let (head, tail) = bytes.split_at(*cut - begin);
                self.queue.push_back((at, head.to_vec()));
                self.queue.push_back((at + Duration::from_millis(20), tail.to_vec()));
            }
            Delivery::CutAt(_) => self.queue.push_back((at, bytes.to_vec())),
            Delivery::Random(rng) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let (piece, behind) = rest.split_at(1 + rng.below(rest.len() as u64) as usize);
                    at = at + Duration::from_micros(rng.below(3000));
                    if rng.below(40) == 0 {
                        at = at + Duration::from_millis(200 + rng.below(400));
                    }
                    self.queue.push_back((at, piece.to_vec()));
                    rest = behind;
                }
            }
        }
    }

    fn due(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }
}

struct Wire {
    conn: ConnId,
    emulator: Emulator,
    device_rx: RxBuf<Vec<u8>>,
    device_tx: TxBuf<Vec<u8>>,
    to_device: Pipe,
    to_controller: Pipe,
    /// True if the device has closed; its last bytes may still be in transit.
    closed: bool,
    device_until: Option<Instant>,
}

/// Outcome of the next dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// They are accepted.
    Accepts,
    /// They are refused.
    Refuses,
    /// They are accepted and closed at once: the device has no free connection.
    Busy,
    /// They are accepted, and the device never answers.
    Mute,
}

/// Both machines and the link between them.
pub(crate) struct Pair {
    /// The controller's machine.
    pub(crate) device: Device,
    /// Configuration of the emulated device; takes effect on the next connection.
    pub(crate) config: EmulatorConfig,
    /// The state of the emulated device.
    pub(crate) model: PairModel,
    /// The virtual time.
    pub(crate) now: Instant,
    /// All events of the controller's machine.
    pub(crate) events: Vec<MachineEvent>,
    /// Times of these events.
    pub(crate) event_times: Vec<Instant>,
    /// Unresolved commands.
    pub(crate) open: BTreeMap<CommandId, &'static str>,
    /// Outcome of dials.
    pub(crate) reach: Reach,
    /// Requests received by the device: command and payload.
    pub(crate) requests: Vec<(CommandCode, String)>,
    delivery: Delivery,
    rng: SeededRng,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    wire: Option<Wire>,
    /// Connection on which the device never answers.
    mute: Option<ConnId>,
    device_until: Option<Instant>,
}

impl Pair {
    /// Creates a pair that is not connected yet.
    pub(crate) fn new(config: DeviceConfig, emulator: EmulatorConfig, delivery: Delivery, seed: u64) -> Self {
        let now = Instant::from_millis(1_000);
        Self {
            device: Device::new(config, now),
            config: emulator,
            model: PairModel::new(),
            now,
            events: Vec::new(),
            event_times: Vec::new(),
            open: BTreeMap::new(),
            reach: Reach::Accepts,
            requests: Vec::new(),
            delivery,
            rng: SeededRng::new(seed),
            rx: RxBuf::new(vec![0; 4096]),
            tx: TxBuf::new(vec![0; 4096]),
            wire: None,
            mute: None,
            device_until: None,
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The machine's error.
    ///
    /// # Panics
    /// If the machine gives two unresolved commands the same id.
    pub(crate) fn send(&mut self, name: &'static str, command: &Command<'_>) -> Result<CommandId, SendError> {
        let id = self.device.send(command, self.now, &mut self.rng, &mut self.tx)?;
        assert_eq!(self.open.insert(id, name), None, "a command id came twice");
        Ok(id)
    }

    /// Advances the virtual time by `span`.
    ///
    /// # Panics
    /// If the machines keep each other busy without end.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..200_000 {
            self.settle();
            let wire = self.wire.as_ref();
            let times = [
                self.device_until,
                wire.and_then(|w| w.device_until),
                wire.filter(|w| !w.closed).and_then(|w| w.to_device.due()),
                wire.and_then(|w| w.to_controller.due()),
            ];
            let next = times.into_iter().flatten().min().unwrap_or(end).max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            if next == end && self.now == end {
                return;
            }
            self.now = next;
        }
        panic!("the two never wait; last events: {:?}", &self.events[self.events.len().saturating_sub(5)..]);
    }

    /// Runs until `done` holds, at most for `limit`. Returns whether it holds.
    pub(crate) fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + limit;
        while !done(self) {
            if self.now >= end {
                return false;
            }
            self.run(Duration::from_millis(5));
        }
        true
    }

    /// Cuts the connection with a reset, as a power failure does.
    pub(crate) fn cut(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.device.handle_lost(wire.conn, LossReason::Reset, self.now);
        }
        if let Some(conn) = self.mute.take() {
            self.device.handle_lost(conn, LossReason::Reset, self.now);
        }
        self.settle();
    }

    /// Removes the device silently: no end of the connection, no reset, no answer.
    pub(crate) fn vanish(&mut self) {
        self.mute = self.wire.take().map(|wire| wire.conn);
        self.reach = Reach::Mute;
    }

    /// Closes the machine and takes its last events.
    ///
    /// # Panics
    /// If a command stays unresolved.
    pub(crate) fn finish(&mut self) {
        self.device.close();
        self.settle();
        assert!(self.open.is_empty(), "never resolved: {:?}", self.open);
    }

    /// Returns the outcome of the command `id`.
    ///
    /// # Panics
    /// If it is unresolved.
    pub(crate) fn outcome(&self, id: CommandId) -> (Outcome, Option<String>) {
        let found = self.events.iter().find_map(|t| match t {
            MachineEvent::Resolved(found, outcome, payload) if *found == id => Some((*outcome, payload.clone())),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{id:?} is not resolved; events: {:?}", self.events))
    }

    /// Returns the payloads that query DPs by null values, in order.
    pub(crate) fn nulls(&self) -> Vec<&str> {
        let is_control = |code| matches!(code, CommandCode::CONTROL | CommandCode::CONTROL_NEW);
        let asked = self.requests.iter().filter(|(code, text)| is_control(*code) && text.contains("null"));
        asked.map(|(_, text)| text.as_str()).collect()
    }

    /// Counts the ordinary queries that the device received.
    pub(crate) fn queries(&self) -> usize {
        let is_query = |code| matches!(code, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW);
        self.requests.iter().filter(|(code, _)| is_query(*code)).count()
    }

    /// Counts the update requests that the device received.
    pub(crate) fn measures(&self) -> usize {
        self.requests.iter().filter(|(code, _)| *code == CommandCode::UPDATE_DPS).count()
    }

    fn settle(&mut self) {
        // Each round moves bytes or ends the loop; the buffers bound the bytes per instant.
        for _ in 0..10_000 {
            let moved = self.poll_controller() | self.poll_device() | self.carry();
            if !moved {
                return;
            }
        }
        panic!(
            "an endless loop at one instant; last events: {:?}",
            &self.events[self.events.len().saturating_sub(5)..]
        );
    }

    fn poll_controller(&mut self) -> bool {
        let mut active = false;
        loop {
            let event = match self.device.poll(self.now, &mut self.rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, .. } => {
                    active = true;
                    self.dial(conn);
                    continue;
                }
                Output::Hangup { conn } => {
                    active = true;
                    if self.wire.as_ref().is_some_and(|w| w.conn == conn) {
                        self.wire = None;
                    }
                    self.mute = None;
                    continue;
                }
                Output::Event(event) => {
                    if let Event::Resolved { id, outcome, .. } = &event {
                        let name = self.open.remove(id);
                        assert!(name.is_some(), "{id:?} was resolved twice or never sent: {outcome:?}");
                    }
                    let Some(event) = MachineEvent::new(event) else { continue };
                    event
                }
                Output::Wait { until } => {
                    self.device_until = until;
                    return active;
                }
            };
            active = true;
            self.events.push(event);
            self.event_times.push(self.now);
        }
    }

    fn dial(&mut self, conn: ConnId) {
        self.wire = None;
        self.mute = None;
        match self.reach {
            Reach::Refuses => self.device.handle_lost(conn, LossReason::Refused, self.now),
            Reach::Busy => {
                self.device.handle_dialed(conn, self.now);
                self.device.handle_lost(conn, LossReason::Closed, self.now);
            }
            Reach::Mute => {
                self.device.handle_dialed(conn, self.now);
                self.mute = Some(conn);
            }
            Reach::Accepts => {
                self.device.handle_dialed(conn, self.now);
                self.wire = Some(Wire {
                    conn,
                    emulator: Emulator::new(self.config.clone(), self.now, &mut self.rng),
                    device_rx: RxBuf::new(vec![0; 4096]),
                    device_tx: TxBuf::new(vec![0; 4096]),
                    to_device: Pipe::new(match &self.delivery {
                        Delivery::CutAt(_) => Delivery::Whole,
                        other => other.clone(),
                    }),
                    to_controller: Pipe::new(self.delivery.clone()),
                    closed: false,
                    device_until: None,
                });
                // The next connection is cut differently.
                if let Delivery::Random(rng) = &mut self.delivery {
                    rng.bits();
                }
            }
        }
    }

    fn poll_device(&mut self) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        let mut active = false;
        while !wire.closed {
            let (rx, tx) = (&mut wire.device_rx, &mut wire.device_tx);
            match wire.emulator.poll(self.now, &mut self.rng, &mut self.model, rx, tx) {
                EmulatorOutput::Hangup { .. } => wire.closed = true,
                EmulatorOutput::Event(event) => {
                    active = true;
                    if let EmulatorEvent::Request { command, payload, .. } = event {
                        self.requests.push((command, String::from_utf8_lossy(payload.as_bytes()).into_owned()));
                    }
                }
                EmulatorOutput::Wait { until } => {
                    wire.device_until = until;
                    break;
                }
            }
        }
        if wire.closed {
            wire.device_until = None;
        }
        active
    }

    /// Takes the bytes that both ends wrote, and delivers those that are due.
    fn carry(&mut self) -> bool {
        if self.mute.is_some() {
            self.tx.clear();
        }
        let Some(wire) = &mut self.wire else { return false };
        let mut moved = false;
        let sent = self.tx.pending().len();
        if sent > 0 {
            wire.to_device.send(self.now, self.tx.pending());
            self.tx.consume(sent);
            moved = true;
        }
        let sent = wire.device_tx.pending().len();
        if sent > 0 {
            wire.to_controller.send(self.now, wire.device_tx.pending());
            wire.device_tx.consume(sent);
            moved = true;
        }
        if !wire.closed {
            moved |= deliver(&mut wire.to_device, self.now, &mut wire.device_rx);
        }
        moved |= deliver(&mut wire.to_controller, self.now, &mut self.rx);
        if wire.closed && wire.to_controller.queue.is_empty() {
            let conn = wire.conn;
            self.wire = None;
            self.device.handle_lost(conn, LossReason::Closed, self.now);
            moved = true;
        }
        moved
    }
}

/// Delivers the first piece that is due.
fn deliver(pipe: &mut Pipe, now: Instant, rx: &mut RxBuf<Vec<u8>>) -> bool {
    if pipe.due().is_none_or(|at| at > now) {
        return false;
    }
    let Some((_, mut piece)) = pipe.queue.pop_front() else { return false };
    let spare = rx.spare_mut();
    let n = piece.len().min(spare.len());
    spare[..n].copy_from_slice(&piece[..n]);
    rx.commit(n);
    let rest = piece.split_off(n);
    if !rest.is_empty() {
        pipe.queue.push_front((now, rest));
    }
    n > 0
}
