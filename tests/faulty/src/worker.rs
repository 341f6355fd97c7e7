//! Machine of one connection, and the effects of faults on its bytes.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rustuya_proto::{
    CommandCode, DpMap, Emulator, EmulatorEvent, EmulatorOutput, HangupReason, Head, Instant, PushError, RxBuf,
    Segments, Sender as Side, TxBuf,
};
use rustuya_seeded::SeededRng;
use serde_json::{Map, Value};

use crate::conn::{self, End, Op, Wire};
use crate::craft;
use crate::fault::{FLOOD_DP, Fault, POISON_DP, SUFFIX_DP};
use crate::filter::{self, Filter};
use crate::state::{Request, Shared};
use crate::store;
use crate::tap::{self, Clear, Piece, Splitter, Tap};

pub(crate) struct Worker {
    pub(crate) number: u64,
    pub(crate) shared: Arc<Shared>,
    pub(crate) ops: Receiver<Op>,
    pub(crate) tap: Tap,
    pub(crate) segments: Segments,
    pub(crate) emulator: Emulator,
    pub(crate) rx: RxBuf<Vec<u8>>,
    pub(crate) tx: TxBuf<Vec<u8>>,
    pub(crate) inbound: Splitter,
    pub(crate) outbound: Splitter,
    /// Received bytes that the machine had no room for yet.
    pub(crate) backlog: Vec<u8>,
    /// Requests before a fault changed them.
    pub(crate) originals: Vec<Clear>,
    pub(crate) filter: Filter,
    /// Bytes for the next write.
    pub(crate) out: Vec<u8>,
    pub(crate) rng: SeededRng,
    pub(crate) wire: Wire,
    pub(crate) ready: bool,
    /// True if the device is off or has moved.
    pub(crate) held: bool,
    /// True if the controller wrote during that time.
    pub(crate) unheard: bool,
    /// True if the device has restarted and does not know this connection.
    pub(crate) forgotten: bool,
    /// True if a fault has permanently silenced the device on this connection.
    pub(crate) gone: bool,
}

/// Event of the machine, in owned form.
enum MachineEvent {
    Request(Request),
    Written { cid: Option<String>, dps: Map<String, Value> },
    Other,
    Hangup,
    Wait(Option<Instant>),
}

impl Worker {
    /// Serves the connection. `unread` is the number of read but unprocessed bytes.
    pub(crate) fn run(&mut self, unread: &AtomicUsize) -> End {
        loop {
            if let Err(end) = self.turn(unread) {
                return end;
            }
        }
    }

    fn turn(&mut self, unread: &AtomicUsize) -> Result<(), End> {
        const LONGEST: Duration = Duration::from_millis(500);
        let until = self.advance(unread)?;
        let until = [until, self.filter.due()].into_iter().flatten().min();
        let wait = until.map_or(LONGEST, |until| until.saturating_since(self.shared.now()).min(LONGEST));
        if let Some(op) = conn::next(&self.ops, wait) {
            self.execute(op, unread)?;
        }
        if let Some(end) = self.wire.cut() {
            return Err(end);
        }
        if let Some(frame) = self.filter.overdue(self.shared.now()) {
            self.send(frame)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Does all due work. Returns the time of the next work.
    pub(crate) fn turn_now(&mut self, unread: &AtomicUsize) -> Result<Option<Instant>, End> {
        loop {
            let until = self.advance(unread)?;
            if let Some(end) = self.wire.cut() {
                return Err(end);
            }
            if let Ok(op) = self.ops.try_recv() {
                self.execute(op, unread)?;
                continue;
            }
            match self.filter.overdue(self.shared.now()) {
                Some(frame) => {
                    self.send(frame)?;
                    self.flush()?;
                }
                None => return Ok([until, self.filter.due()].into_iter().flatten().min()),
            }
        }
    }

    fn execute(&mut self, op: Op, unread: &AtomicUsize) -> Result<(), End> {
        match op {
            Op::Received(bytes) => {
                unread.fetch_sub(bytes.len(), Ordering::SeqCst);
                if self.held {
                    self.unheard = true;
                } else if !self.gone {
                    self.inbound.push(&bytes);
                    while let Some(piece) = self.inbound.next() {
                        match piece {
                            Piece::Frame(frame) => {
                                self.tap.note(Side::Controller, &frame);
                                if self.reflects(&frame) {
                                    self.out.extend(frame);
                                } else if !self.misses(&frame) {
                                    let frame = self.tamper(frame);
                                    self.backlog.extend(frame);
                                }
                            }
                            Piece::Other(bytes) => self.backlog.extend(bytes),
                        }
                    }
                }
            }
            Op::Ended => return Err(End::Close),
            Op::Push { cid, dps } => {
                if !self.held && !self.gone {
                    // Most devices do not push before the negotiation; the controller will query.
                    let now = self.shared.now();
                    loop {
                        let pushed =
                            self.emulator.push(cid.as_deref(), DpMap::Json(&dps), now, &mut self.rng, &mut self.tx);
                        match pushed {
                            Err(PushError::NoRoom { need }) if self.tx.is_empty() => {
                                self.tx = TxBuf::new(vec![0; need]);
                            }
                            _ => break,
                        }
                    }
                    self.drain()?;
                }
            }
            Op::Flood { first, count } => self.flood(first, count)?,
            Op::Report => self.emulator.report_children(),
            Op::Fault(Some(Fault::Reset)) if !self.held => return Err(End::Reset),
            Op::Fault(fault) => self.filter.set(fault),
            Op::Hold => self.held = true,
            Op::Forgotten => self.forgotten = self.held,
            Op::Cut => return Err(self.wire.cut().unwrap_or(End::Close)),
        }
        if self.forgotten && self.unheard { Err(End::Reset) } else { Ok(()) }
    }

    /// Polls the machine and writes its frames.
    fn advance(&mut self, unread: &AtomicUsize) -> Result<Option<Instant>, End> {
        while !self.held && !self.gone {
            let fed = self.feed();
            let event = self.poll();
            self.drain()?;
            if self.segments != Segments::Merged {
                self.flush()?;
            }
            if self.emulator.is_ready() != self.ready {
                self.ready = self.emulator.is_ready();
                let (number, ready) = (self.number, self.ready);
                self.shared.change(|state| {
                    if let Some(conn) = state.conns.get_mut(&number) {
                        conn.ready = ready;
                    }
                });
            }
            match event {
                MachineEvent::Request(request) => self.shared.change(|state| state.record(request)),
                MachineEvent::Written { cid, dps } => {
                    let dps = Value::Object(dps).to_string();
                    let push = || Op::Push { cid: cid.clone(), dps: dps.clone() };
                    self.shared.change(|state| state.tell(Some(self.number), push));
                }
                MachineEvent::Other => {}
                MachineEvent::Hangup if self.filter.fault.as_ref().is_some_and(Fault::hides_answers) => {
                    self.gone = true
                }
                MachineEvent::Hangup => {
                    self.flush()?;
                    return Err(End::Close);
                }
                MachineEvent::Wait(until) => {
                    if fed && !self.backlog.is_empty() {
                        continue;
                    }
                    if self.segments == Segments::Merged
                        && let Ok(op) = self.ops.try_recv()
                    {
                        self.execute(op, unread)?;
                        continue;
                    }
                    self.flush()?;
                    return Ok(until);
                }
            }
        }
        Ok(None)
    }

    /// Passes received bytes to the machine. Returns whether it took any.
    fn feed(&mut self) -> bool {
        let spare = self.rx.spare_mut();
        let n = self.backlog.len().min(spare.len());
        spare[..n].copy_from_slice(&self.backlog[..n]);
        self.backlog.drain(..n);
        self.rx.commit(n);
        n > 0
    }

    fn poll(&mut self) -> MachineEvent {
        let now = self.shared.now();
        let mut state = self.shared.state();
        match self.emulator.poll(now, &mut self.rng, &mut state.store, &mut self.rx, &mut self.tx) {
            // Grows the buffer: devices send frames of any size.
            EmulatorOutput::Hangup { reason: HangupReason::NoRoom { need } } if self.tx.is_empty() => {
                self.tx = TxBuf::new(vec![0; need]);
                MachineEvent::Other
            }
            EmulatorOutput::Hangup { .. } => MachineEvent::Hangup,
            EmulatorOutput::Wait { until } => MachineEvent::Wait(until),
            EmulatorOutput::Event(EmulatorEvent::Request { seqno, command, payload, cid }) => {
                let original = self.originals.iter().position(|original| original.head.seqno == seqno);
                let original = original.map(|at| self.originals.remove(at));
                MachineEvent::Request(Request {
                    connection: self.number,
                    seqno,
                    command,
                    cid: match &original {
                        Some(original) => store::field(&store::json(&original.payload), "cid")
                            .and_then(Value::as_str)
                            .map(str::to_owned),
                        None => cid.map(|cid| cid.to_string()),
                    },
                    payload: store::json(original.as_ref().map_or(payload.as_bytes(), |original| &original.payload)),
                })
            }
            EmulatorOutput::Event(EmulatorEvent::Written { cid, dps }) => MachineEvent::Written {
                cid: cid.map(|cid| cid.to_string()),
                dps: dps.map(|(id, value)| (id.to_string(), store::owned(&value))).collect(),
            },
            EmulatorOutput::Event(_) => MachineEvent::Other,
        }
    }

    /// Returns whether a request is sent back in place of an answer.
    fn reflects(&self, frame: &[u8]) -> bool {
        self.filter.fault == Some(Fault::Reflect) && !tap::command(frame).is_negotiation()
    }

    /// Returns whether a request is lost.
    fn misses(&mut self, frame: &[u8]) -> bool {
        match self.filter.fault {
            Some(Fault::Unreliable { one_in, requests: true }) if !tap::command(frame).is_negotiation() => {
                self.happens(one_in)
            }
            _ => false,
        }
    }

    fn happens(&mut self, one_in: u32) -> bool {
        one_in > 0 && self.rng.below(one_in.into()) == 0
    }

    /// Changes a request before the machine receives it, if a fault demands it.
    fn tamper(&mut self, frame: Vec<u8>) -> Vec<u8> {
        // Largest number of accepted DPs, and a refused DP.
        let (max, unfit) = match self.filter.fault {
            Some(Fault::RefuseSeveralDps { max }) => (max, None),
            Some(Fault::RefuseDp { dp }) => (usize::MAX, Some(dp.to_string())),
            _ => return frame,
        };
        let is_unfit =
            |dps: &Map<String, Value>| dps.len() > max || unfit.as_ref().is_some_and(|dp| dps.contains_key(dp));
        if !matches!(tap::command(&frame), CommandCode::CONTROL | CommandCode::CONTROL_NEW) {
            return frame;
        }
        let Some(original) = self.tap.open(Side::Controller, &frame) else { return frame };
        let request = store::json(&original.payload);
        let dps = store::field(&request, "dps").and_then(Value::as_object);
        // A map of nulls is a query, not a write.
        let refused = dps.is_some_and(|dps| is_unfit(dps) && !dps.values().all(Value::is_null));
        if !refused {
            return frame;
        }
        // Firmware refuses a control without DPs with this text.
        let mut iv = [0; 12];
        iv.iter_mut().for_each(|byte| *byte = self.rng.bits() as u8);
        let empty = Clear { payload: br#"{"data":{}}"#.to_vec(), ..original.clone() };
        let Some(sealed) = self.tap.seal(&empty, &iv) else { return frame };
        self.originals.push(original);
        sealed
    }

    /// Takes the frames that the machine wrote.
    fn drain(&mut self) -> Result<(), End> {
        let written = self.tx.pending().len();
        self.outbound.push(self.tx.pending());
        self.tx.consume(written);
        while let Some(piece) = self.outbound.next() {
            match piece {
                Piece::Frame(frame) => self.emit(frame)?,
                Piece::Other(_) if self.filter.fault.as_ref().is_some_and(Fault::hides_answers) => {}
                Piece::Other(bytes) => self.out.extend(bytes),
            }
        }
        Ok(())
    }

    /// Sends a frame as the present fault demands.
    fn emit(&mut self, frame: Vec<u8>) -> Result<(), End> {
        let command = tap::command(&frame);
        self.tap.note(Side::Device, &frame);
        let frame = match filter::is_answer(command) {
            true => match self.filter.delay(frame, self.shared.now()) {
                Some(frame) => frame,
                None => return Ok(()),
            },
            false => frame,
        };
        let recorded = match command {
            CommandCode::STATUS => self.shared.state().recorded.replace(frame.clone()),
            CommandCode::SESS_KEY_NEG_RESP => self.shared.state().answered.replace(frame.clone()),
            _ => None,
        };
        let Some(fault) = self.filter.fault.clone() else { return self.send(frame) };
        match fault {
            Fault::Silent => return Ok(()),
            Fault::Garbage { seed } => {
                let garbage = self.filter.garbage(seed);
                self.out.extend(garbage);
                return Ok(());
            }
            Fault::StaleAnswers if command.is_negotiation() => {
                self.out.extend(recorded.into_iter().flatten());
                return self.send(frame);
            }
            _ if command.is_negotiation() => return self.send(frame),
            Fault::HalfClose { after } | Fault::DisappearMidFrame { after } if self.filter.sent >= after => {
                let half = &frame[..frame.len() / 2];
                if matches!(fault, Fault::DisappearMidFrame { .. }) {
                    self.out.extend(half);
                    self.flush()?;
                    self.gone = true;
                } else {
                    self.flush()?;
                    self.wire.half_close();
                }
                return Ok(());
            }
            Fault::FourGiBLength if !self.filter.once => {
                self.out.extend(craft::four_gib(craft::kind(self.tap.version())))
            }
            Fault::BadPrefixOnce if !self.filter.once => {
                self.out.extend(craft::bad_prefix(craft::kind(self.tap.version())));
            }
            Fault::BadIntegrity => {
                let poison = self.push_of(POISON_DP, "bad integrity").map(|(frame, _)| craft::bad_integrity(frame));
                self.out.extend(poison.into_iter().flatten());
            }
            Fault::BadPadding => {
                let iv = core::array::from_fn(|_| self.rng.bits() as u8);
                let poison = self
                    .push_of(POISON_DP, "bad padding")
                    .and_then(|(_, clear)| craft::bad_padding(&self.tap, &clear, &iv));
                self.out.extend(poison.into_iter().flatten());
            }
            Fault::Unreliable { one_in, .. } if self.happens(one_in) => return Ok(()),
            Fault::Unreliable { one_in, .. } if self.happens(one_in) => {
                self.send(frame.clone())?;
                return self.send(frame);
            }
            Fault::Unreliable { one_in, .. }
                if filter::is_answer(command) && (self.filter.waiting.is_some() || self.happens(one_in)) =>
            {
                for frame in self.filter.reorder(frame, self.shared.now()) {
                    self.send(frame)?;
                }
                return Ok(());
            }
            Fault::DpsTwice { whole } => {
                let iv = core::array::from_fn(|_| self.rng.bits() as u8);
                let clear = self.tap.open(Side::Device, &frame).and_then(|clear| craft::dps_twice(clear, whole));
                return self.send(clear.and_then(|clear| self.tap.seal(&clear, &iv)).unwrap_or(frame));
            }
            Fault::DropAcks if self.tap.is_ack(&frame) => return Ok(()),
            Fault::OutOfOrder if filter::is_answer(command) => {
                for frame in self.filter.reorder(frame, self.shared.now()) {
                    self.send(frame)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let first = !core::mem::replace(&mut self.filter.once, true);
        let seqno = self.tap.open(Side::Device, &frame).map(|clear| clear.head.seqno);
        self.send(frame)?;
        match fault {
            Fault::ReplayPushes => self.out.extend(recorded.into_iter().flatten()),
            Fault::OldNumbers if command == CommandCode::STATUS => {
                let iv = core::array::from_fn(|_| self.rng.bits() as u8);
                let poison = self.push_of(POISON_DP, "old number").zip(seqno).and_then(|((_, clear), seqno)| {
                    let head = Head { seqno, ..clear.head };
                    self.tap.seal(&Clear { head, ..clear }, &iv)
                });
                self.out.extend(poison.into_iter().flatten());
            }
            Fault::HalfClose { after } if self.filter.sent >= after => {
                self.flush()?;
                self.wire.half_close();
            }
            Fault::SuffixInCiphertext if first => {
                // Sends the answer before the search, which takes long.
                self.flush()?;
                let push = self.push_of(SUFFIX_DP, craft::FILLER);
                if let Some(frame) = push.and_then(|(_, clear)| craft::with_suffix(&self.tap, &clear, &mut self.rng)) {
                    self.send(frame)?;
                }
            }
            Fault::FloodPushes { count } if command != CommandCode::STATUS => {
                let first = self.shared.state().flood(count);
                self.flood(first, count)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Makes a push with the machine, without sending it.
    fn push_of(&mut self, dp: &str, text: &str) -> Option<(Vec<u8>, Clear)> {
        let dps = serde_json::json!({ dp: text }).to_string();
        let now = self.shared.now();
        self.emulator.push(None, DpMap::Json(&dps), now, &mut self.rng, &mut self.tx).ok()?;
        let mut written = Splitter::default();
        let len = self.tx.pending().len();
        written.push(self.tx.pending());
        self.tx.consume(len);
        match written.next()? {
            Piece::Frame(frame) => {
                let clear = self.tap.open(Side::Device, &frame)?;
                Some((frame, clear))
            }
            Piece::Other(_) => None,
        }
    }

    /// Pushes `count` numbers from `first` without a pause.
    fn flood(&mut self, first: u64, count: u32) -> Result<(), End> {
        const BATCH: usize = 32 * 1024;
        for number in (first..).take(count as usize) {
            if self.held || self.gone || !self.emulator.is_ready() {
                break;
            }
            let dps = serde_json::json!({ FLOOD_DP: number }).to_string();
            let (now, tx) = (self.shared.now(), &mut self.tx);
            if self.emulator.push(None, DpMap::Json(&dps), now, &mut self.rng, tx).is_ok() {
                self.out.extend_from_slice(self.tx.pending());
                self.tx.consume(usize::MAX);
            }
            if self.out.len() >= BATCH {
                self.flush()?;
            }
        }
        self.flush()
    }

    fn send(&mut self, frame: Vec<u8>) -> Result<(), End> {
        if !tap::command(&frame).is_negotiation() {
            self.filter.sent = self.filter.sent.saturating_add(1);
        }
        if self.filter.fault != Some(Fault::SplitAcrossReads) {
            self.out.extend(frame);
            return Ok(());
        }
        self.flush()?;
        let (front, back) = frame.split_at(self.filter.cut(frame.len()));
        self.wire.write(front)?;
        self.wire.pause(filter::SPLIT_PAUSE);
        self.wire.write(back)
    }

    /// Writes the collected bytes.
    fn flush(&mut self) -> Result<(), End> {
        let out = core::mem::take(&mut self.out);
        if self.held || self.gone {
            return Ok(());
        }
        if self.segments != Segments::OneByte && self.filter.fault != Some(Fault::OneByteSegments) {
            return self.wire.write(&out);
        }
        for byte in out {
            self.wire.write(&[byte])?;
            self.wire.pause(filter::SEGMENT_PAUSE);
        }
        Ok(())
    }
}
