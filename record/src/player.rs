//! One device of a replay: a fresh machine, fed with what the record tells.

use core::convert::Infallible;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use rustuya_proto::{
    Command, CommandCode, CommandId, ConnId, Device, DeviceConfig, DpId, DpMap, Event, FrameKind, Instant, Message,
    Output, RequestData, RxBuf, TryCryptoRng, TryRng, TxBuf, frame_kind, frame_len,
};

use crate::frame::header_len;
use crate::line::{CommandLine, Data, Line, Op, Order};
use crate::step::{Divergence, FrameHead, Happened};

/// Size of the receive buffer of a driver before a larger frame comes.
const FRAME: usize = 4096;
/// So many connections are known by their number; orders about older ones mean nothing.
const MAX_CONNS: usize = 16;

pub(crate) struct Player {
    device: Device,
    rx: RxBuf<Vec<u8>>,
    rx_limit: usize,
    tx: TxBuf<Vec<u8>>,
    now: Instant,
    /// The numbers of the machine's connections.
    conns: VecDeque<(u32, ConnId)>,
    dials: u32,
    /// The numbers of the commands that are not resolved.
    open: BTreeMap<CommandId, u32>,
    commands: u32,
    recorded: Frames,
    replayed: Frames,
    /// True if a frame on this connection has differed before: all that follow differ, too.
    differs: bool,
}

impl Player {
    pub(crate) fn new(config: DeviceConfig, rx: usize, tx: usize, now: Instant) -> Self {
        Self {
            device: Device::new(config, now),
            rx: RxBuf::growing(vec![0; rx.min(FRAME)], rx),
            rx_limit: rx,
            tx: TxBuf::new(vec![0; tx]),
            now,
            conns: VecDeque::new(),
            dials: 0,
            open: BTreeMap::new(),
            commands: 0,
            recorded: Frames::default(),
            replayed: Frames::default(),
            differs: false,
        }
    }

    /// The time of the last line.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Repeats one call. `config` is that of the line, if it has one.
    pub(crate) fn play(&mut self, line: Line, config: Option<DeviceConfig>, now: Instant) -> Vec<Happened> {
        self.now = now;
        let mut told = Vec::new();
        let mut drawn = Drawn { bytes: line.random.0, used: 0 };
        let mut orders = Vec::new();
        let mut expects = true;
        match line.op {
            Op::Created { .. } => told.push(Happened::Created),
            Op::Reconfigured(_) => {
                told.push(Happened::Reconfigured);
                if let Some(config) = config {
                    self.device.reconfigure(config, now);
                }
            }
            Op::Poll { times } => {
                expects = times > 0;
                for _ in 0..times {
                    self.poll(&mut drawn, &mut orders, &mut told);
                }
            }
            Op::Held { conn } => {
                told.push(Happened::Held { connection: conn });
                if let Some(id) = self.conn(conn, &mut told) {
                    self.device.handle_dial_delayed(id, now);
                }
            }
            Op::Dialed { conn } => {
                told.push(Happened::Dialed { connection: conn });
                if let Some(id) = self.conn(conn, &mut told) {
                    self.device.handle_dialed(id, now);
                }
            }
            Op::Lost { conn, why } => {
                told.push(Happened::Lost { connection: conn, why });
                if let Some(id) = self.conn(conn, &mut told) {
                    self.device.handle_lost(id, why, now);
                }
            }
            Op::Announced { address, version } => {
                let version = version.map(|version| version.0);
                told.push(Happened::Announced { address, version });
                self.device.handle_announcement(address, version, now);
            }
            Op::Relayed => {
                told.push(Happened::Relayed);
                self.device.handle_relayed();
            }
            Op::ConnectNow => {
                told.push(Happened::ConnectNow);
                self.device.connect_now(now);
            }
            Op::Closed => {
                told.push(Happened::Closed);
                self.device.close();
            }
            Op::Command(command) => told.push(self.command(command, &mut drawn)),
            Op::Received { bytes } => {
                told.push(Happened::Received { len: bytes.0.len() });
                self.receive(&bytes.0, &mut told);
            }
            Op::Sent { bytes } => self.sent(&bytes.0, &mut told),
        }
        if orders != line.orders {
            let (recorded, replayed) = (describe(&line.orders), describe(&orders));
            told.push(Happened::Diverged(Divergence::Orders { recorded, replayed }));
        }
        if expects && drawn.used != drawn.bytes.len() {
            let (recorded, replayed) = (drawn.bytes.len(), drawn.used);
            told.push(Happened::Diverged(Divergence::Draws { recorded, replayed }));
        }
        told
    }

    fn poll(&mut self, drawn: &mut Drawn, orders: &mut Vec<Order>, told: &mut Vec<Happened>) {
        let text = |m: &Message<'_>| String::from_utf8_lossy(m.payload.as_bytes()).into_owned();
        told.push(match self.device.poll(self.now, drawn, &mut self.rx, &mut self.tx) {
            Output::Dial { conn, to } => {
                self.dials += 1;
                self.conns.push_back((self.dials, conn));
                if self.conns.len() > MAX_CONNS {
                    self.conns.pop_front();
                }
                self.recorded = Frames::default();
                self.replayed = Frames::default();
                self.differs = false;
                orders.push(Order::Dial { conn: self.dials, to });
                Happened::Dial { connection: self.dials, to }
            }
            Output::Hangup { conn } => {
                let connection = self.conns.iter().rev().find(|(_, id)| *id == conn).map_or(0, |(number, _)| *number);
                orders.push(Order::Hangup { conn: connection });
                Happened::Hangup { connection }
            }
            Output::Event(Event::Up { version }) => Happened::Up { version },
            Output::Event(Event::Down { reason, retry_at }) => Happened::Down { reason, retry_at },
            Output::Event(Event::Dialect(dialect)) => Happened::Dialect(dialect),
            Output::Event(Event::Resolved { id, outcome, message }) => {
                let number = self.open.remove(&id).unwrap_or_default();
                Happened::Resolved { number, outcome, payload: message.as_ref().map(text) }
            }
            Output::Event(Event::Message(message)) => Happened::Message {
                command: message.command,
                seqno: message.seqno,
                retcode: message.retcode,
                payload: text(&message),
            },
            Output::Event(Event::Skipped { command, len }) => Happened::Skipped { command, len },
            Output::Event(Event::Ignored { command, why }) => Happened::Ignored { command, why },
            Output::Event(_) | Output::Wait { .. } => return,
        });
    }

    fn conn(&self, number: u32, told: &mut Vec<Happened>) -> Option<ConnId> {
        let found = self.conns.iter().rev().find(|(known, _)| *known == number).map(|(_, conn)| *conn);
        if found.is_none() {
            told.push(Happened::Diverged(Divergence::Connection { connection: number }));
        }
        found
    }

    fn command(&mut self, line: CommandLine, drawn: &mut Drawn) -> Happened {
        self.commands += 1;
        let number = self.commands;
        let command = CommandCode(line.command);
        let ids: Vec<DpId>;
        let data = match &line.data {
            Data::None => RequestData::None,
            Data::Dps(text) => RequestData::Dps(DpMap::Json(text)),
            Data::Json(text) => RequestData::Json(text),
            Data::Ids(numbers) => {
                ids = numbers.iter().copied().map(DpId).collect();
                RequestData::Ids(&ids)
            }
            Data::Raw(_) => RequestData::None,
        };
        let mut asked = match &line.data {
            Data::Raw(bytes) => Command::raw(command, &bytes.0),
            _ => Command::request(command, data),
        };
        if let Some(cid) = &line.cid {
            asked = asked.with_cid(cid);
        }
        if let Some(micros) = line.timeout {
            asked = asked.with_timeout(Duration::from_micros(micros));
        }
        if let Some(bytes) = line.at_most {
            asked = asked.with_frame_limit(bytes);
        }
        let asked = asked.with_unix_time(line.unix_time);
        match self.device.send(&asked, self.now, drawn, &mut self.tx) {
            Ok(id) => {
                self.open.insert(id, number);
                Happened::Asked { number, command, cid: line.cid }
            }
            Err(error) => Happened::Refused { number, command, error },
        }
    }

    fn receive(&mut self, mut bytes: &[u8], told: &mut Vec<Happened>) {
        while !bytes.is_empty() {
            let size = self.rx.capacity();
            if self.rx.spare_mut().is_empty() && size < self.rx_limit {
                self.rx.replace(vec![0; size.saturating_mul(2).min(self.rx_limit)]);
            }
            let spare = self.rx.spare_mut();
            let (now, later) = bytes.split_at(bytes.len().min(spare.len()));
            if now.is_empty() {
                told.push(Happened::Diverged(Divergence::Overflow { left: later.len() }));
                return;
            }
            spare.iter_mut().zip(now).for_each(|(slot, byte)| *slot = *byte);
            self.rx.commit(now.len());
            bytes = later;
        }
    }

    /// Compares what was written with what the machine has to write.
    fn sent(&mut self, bytes: &[u8], told: &mut Vec<Happened>) {
        let pending = self.tx.pending();
        let mine = pending.get(..bytes.len()).unwrap_or(pending);
        let missing = bytes.len() - mine.len();
        self.replayed.push(mine);
        self.recorded.push(bytes);
        let (recorded, replayed) = (bytes.len(), mine.len());
        self.tx.consume(replayed);
        while let Some(mine) = self.replayed.heads.pop_front() {
            told.push(Happened::Sent(mine));
            if self.differs {
                continue;
            }
            if let Some(recorded) = self.recorded.heads.pop_front()
                && recorded != mine
            {
                self.differs = true;
                told.push(Happened::Diverged(Divergence::Frame { recorded, replayed: mine }));
            }
        }
        if missing > 0 && !self.differs {
            self.differs = true;
            told.push(Happened::Diverged(Divergence::Silence { recorded, replayed }));
        }
    }
}

/// Cuts a stream into frames, of which only the headers matter.
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    /// Number of bytes of the frame that are still to come.
    left: usize,
    heads: VecDeque<FrameHead>,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if self.left > 0 {
                let skipped = self.left.min(rest.len());
                self.left -= skipped;
                rest = rest.get(skipped..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            rest = behind;
            if self.head.len() < 16 || self.head.len() < header_len(&self.head) {
                continue;
            }
            let seqno_at = if frame_kind(&self.head) == Some(FrameKind::F6699) { 6 } else { 4 };
            let field = |at: usize| {
                let bytes = self.head.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
                bytes.map_or(0, u32::from_be_bytes)
            };
            let len = frame_len(&self.head).ok().flatten().unwrap_or_default();
            let head = FrameHead::new(CommandCode(field(seqno_at + 4)), field(seqno_at), len);
            self.heads.push_back(head);
            self.left = len.saturating_sub(self.head.len());
            self.head.clear();
        }
    }
}

/// Orders in words.
fn describe(orders: &[Order]) -> String {
    if orders.is_empty() {
        return "no order".to_owned();
    }
    let words = orders.iter().map(|order| match order {
        Order::Dial { conn, to } => format!("dial {to} (connection {conn})"),
        Order::Hangup { conn } => format!("hang up connection {conn}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The recorded draws. Where they do not suffice, the rest is zero.
struct Drawn {
    bytes: Vec<u8>,
    used: usize,
}

impl Drawn {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&mut self, dst: &mut [u8]) {
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        dst.fill(0);
        dst.iter_mut().zip(rest).for_each(|(slot, byte)| *slot = *byte);
        self.used += dst.len();
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_be_bytes(self.take()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_be_bytes(self.take()))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.fill(dst);
        Ok(())
    }
}

// Repeats what was drawn, so it is as good as its source was. What a replay encrypts goes nowhere.
impl TryCryptoRng for Drawn {}
