//! The device's end of the protocol: one machine per connection, a model of the device lent to each poll.

mod config;
mod event;
mod line;
mod model;
mod quirks;
mod reply;
mod request;

use core::ops::Range;

use rand_core::CryptoRng;

use crate::buf::{Rx, RxBuf, Storage, TxBuf};
use crate::codec::{NoRoom, Opened};
use crate::payload::{DeviceError, DpMap, DpValue, Payload};
use crate::session::{Received, Session};
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};
use crate::wire::{FrameError, FrameKind, Front, be32, frame_55aa, frame_6699, frame_kind, next_frame};

pub use config::EmulatorConfig;
pub use event::{EmulatorEvent, EmulatorOutput, HangupReason, PushError, WrittenDps};
use line::{Frame, Io, Line, Reports};
pub use model::{FixedModel, Model, ModelError};
pub use quirks::{ControlReply, ErrorReply, Quirks, Segments, Seqnos, UnknownQuirk, UpdateReply};
use request::{Action, Changes, Request, plan, plan_unreadable};

/// Commands before the negotiation that firmware lets pass; the next one ends the connection.
const EARLY_LIMIT: u8 = 3;
/// 3.5 firmware drops frames of this size and above.
const MAX_FRAME_35: usize = 4096;

/// The device's end of one controller connection.
///
/// It behaves like firmware: it answers queries and controls from a [`Model`], negotiates, refuses, and closes
/// connections. A device that accepts several controllers has one `Emulator` for each of them and one model for all.
///
/// The driver reads into an [`RxBuf`], polls until `Wait`, and writes out the [`TxBuf`]. A request is taken from the
/// receive buffer only when its reply has room, so a driver with a full send buffer writes first and polls again
/// before it reads; while it may not write, the receive buffer can fill up.
pub struct Emulator {
    config: EmulatorConfig,
    line: Line,
    /// The request that is being answered. Its opened frame lies at the front of the receive buffer.
    current: Option<Current>,
    /// An unsolicited sub-device report that is due.
    reports: Option<Reports>,
    /// Commands dropped before the negotiation.
    early: u8,
    closed: Option<HangupReason>,
}

struct Current {
    command: CommandCode,
    seqno: u32,
    /// Size of the frame.
    len: usize,
    /// Where the payload lies in the frame.
    payload: Range<usize>,
    /// Not to be answered before.
    due: Instant,
    actions: &'static [Action],
    next: usize,
    changes: Changes,
    any_change: bool,
    reports: Reports,
}

/// What one step came to.
enum Step {
    /// Something was done; there may be more to do.
    Again,
    Notice(Notice),
    /// Nothing can be done, at least not before this instant.
    Idle(Option<Instant>),
    Hangup(HangupReason),
}

/// An event before its parts are lent out. Ranges count from the beginning of the storage.
enum Notice {
    Negotiated,
    Request { seqno: u32, command: CommandCode, payload: Range<usize> },
    Written { command: CommandCode, payload: Range<usize>, changes: Changes },
    Refused { command: CommandCode, error: DeviceError },
    Dropped { command: CommandCode },
    Discarded { error: FrameError },
}

/// The unverified head of a frame.
struct Glance {
    kind: Option<FrameKind>,
    seqno: u32,
    command: CommandCode,
}

impl Emulator {
    /// The device's end of a connection that was just accepted. The first sequence number and the report counter are
    /// drawn at random.
    pub fn new(config: EmulatorConfig, now: Instant, rng: &mut dyn CryptoRng) -> Self {
        let mut random = [0; 6];
        rng.fill_bytes(&mut random);
        let [a, b, c, d, e, f] = random;
        let first_seqno = u32::from(u16::from_be_bytes([a, b]));
        Self::numbered(config, now, first_seqno, u32::from_be_bytes([c, d, e, f]))
    }

    fn numbered(config: EmulatorConfig, now: Instant, first_seqno: u32, report: u32) -> Self {
        let session = Session::device(config.version, &config.local_key, first_seqno, now);
        let line = Line { session, report, sent: 0, zero_key: config.quirks.zero_key, heard: 0 };
        Self { config, line, current: None, reports: None, early: 0, closed: None }
    }

    /// What the device is.
    pub const fn config(&self) -> &EmulatorConfig {
        &self.config
    }

    /// Whether pushes can be sent: the negotiation is done, or not needed, and the connection lives.
    pub const fn is_ready(&self) -> bool {
        self.line.session.is_ready() && self.closed.is_none()
    }

    /// Does what is to be done at `now`: answers what has arrived, as far as `tx` has room, and says what the driver
    /// has to do. To be called until it returns `Wait` or `Hangup`.
    pub fn poll<'b>(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        model: &mut dyn Model,
        rx: &'b mut RxBuf<impl Storage>,
        tx: &mut TxBuf<impl Storage>,
    ) -> EmulatorOutput<'b> {
        let mut tx = tx.lend();
        let mut io = Io { now, rng, tx: &mut tx };
        let step = self.run(&mut io, model, &mut rx.lend());
        let rx: &'b RxBuf<_> = rx;
        match step {
            Step::Hangup(reason) => EmulatorOutput::Hangup { reason },
            Step::Notice(notice) => EmulatorOutput::Event(notice.lend(rx)),
            Step::Idle(until) => EmulatorOutput::Wait { until },
            Step::Again => EmulatorOutput::Wait { until: Some(now) },
        }
    }

    /// Pushes a change that was made locally or through another connection. `dps` are the changed DPs with their new
    /// values; the model is not consulted.
    ///
    /// # Errors
    /// [`PushError`]; nothing is sent then.
    pub fn push(
        &mut self,
        cid: Option<&str>,
        dps: DpMap<'_>,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut TxBuf<impl Storage>,
    ) -> Result<(), PushError> {
        if !self.is_ready() {
            return Err(PushError::NotReady);
        }
        if !dps.is_valid() {
            return Err(PushError::Dps);
        }
        let mut tx = tx.lend();
        let mut io = Io { now, rng, tx: &mut tx };
        self.line
            .push(&self.config, &mut io, cid, &|w| dps.write(w))
            .map_err(|NoRoom { need }| PushError::NoRoom { need })
    }

    /// Makes the next polls send a sub-device report that nobody asked for, as soon as the connection is ready.
    pub fn report_children(&mut self) {
        self.reports = Some(Reports::new(&self.config));
    }

    fn run(&mut self, io: &mut Io<'_, '_>, model: &mut dyn Model, rx: &mut Rx<'_>) -> Step {
        loop {
            let close_after = self.config.quirks.close_after;
            if close_after.is_some_and(|limit| self.line.session.is_ready() && self.line.sent >= limit) {
                self.close(HangupReason::Quirk);
            }
            if self.line.session.is_exhausted() {
                self.close(HangupReason::Exhausted);
            }
            if let Some(reason) = self.closed {
                return Step::Hangup(reason);
            }
            let wake = match self.step(io, model, rx) {
                Ok(Step::Again) => continue,
                Ok(Step::Idle(wake)) => wake,
                Ok(step) => return step,
                Err(NoRoom { need }) if io.tx.is_empty() => {
                    self.close(HangupReason::NoRoom { need });
                    continue;
                }
                Err(_) => None,
            };
            let idle = self.line.session.last_rx + self.config.idle;
            if idle <= io.now {
                self.close(HangupReason::Idle);
                continue;
            }
            return Step::Idle(Some(wake.map_or(idle, |wake| wake.min(idle))));
        }
    }

    fn step(&mut self, io: &mut Io<'_, '_>, model: &mut dyn Model, rx: &mut Rx<'_>) -> Result<Step, NoRoom> {
        if self.line.session.owes_resp() {
            self.line.respond(&self.config, io)?;
            return Ok(Step::Again);
        }
        if let Some(mut current) = self.current.take() {
            let step = self.advance(&mut current, io, model, rx);
            if matches!(step, Ok(Step::Again)) && current.next >= current.actions.len() {
                rx.consume(current.len);
            } else {
                self.current = Some(current);
            }
            return step;
        }
        if self.is_ready() {
            if let Some(mut reports) = self.reports {
                let sent = self.line.report_children(&self.config, io, model, None, &|_| true, &mut reports);
                self.reports = sent.is_err().then_some(reports);
                sent?;
            }
        }
        Ok(self.read(io.now, model, rx))
    }

    /// Takes the next action of the current request.
    fn advance(
        &mut self,
        current: &mut Current,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
    ) -> Result<Step, NoRoom> {
        let Some(action) = current.actions.get(current.next) else {
            return Ok(Step::Again);
        };
        if io.now < current.due {
            return Ok(Step::Idle(Some(current.due)));
        }
        let offset = rx.offset();
        let notice = self.act(*action, current, io, model, rx, offset)?;
        current.next += 1;
        Ok(notice.map_or(Step::Again, Step::Notice))
    }

    fn act(
        &mut self,
        action: Action,
        current: &mut Current,
        io: &mut Io<'_, '_>,
        model: &mut dyn Model,
        rx: &mut Rx<'_>,
        offset: usize,
    ) -> Result<Option<Notice>, NoRoom> {
        let (config, line) = (&self.config, &mut self.line);
        let (command, seqno) = (current.command, current.seqno);
        let payload = rx.unread().get(current.payload.clone()).unwrap_or_default();
        let request = Request::parse(command, payload).unwrap_or_default();
        let cid = request.cid();
        match action {
            Action::Ack => {
                let mut frame = Frame::reply(command, Some(seqno));
                let is_control = matches!(command, CommandCode::CONTROL | CommandCode::CONTROL_NEW);
                if is_control && config.quirks.ack_retcode_one {
                    frame.retcode = match config.version {
                        Version::V35 => RetCode(1u32.swap_bytes()),
                        _ => RetCode(1),
                    };
                }
                line.send(config, io, &frame, |_| {})?;
            }
            Action::Write => {
                for (at, (id, value)) in request.dps.into_iter().flatten().enumerate() {
                    let changed = value != DpValue::Null && model.write(cid, id, value);
                    if changed || config.quirks.push_unchanged {
                        current.changes.set(at);
                    }
                    current.any_change |= changed;
                }
            }
            Action::PushChanged => {
                let changes = current.changes;
                let filter = |id| {
                    let mut entries = request.dps.into_iter().flatten().enumerate();
                    entries.any(|(at, (found, _))| found == id && changes.has(at))
                };
                push_some(line, config, io, model, cid, &filter)?;
            }
            Action::PushAsked => push_some(line, config, io, model, cid, &|id| request.asks(id))?,
            Action::ReplyAsked => line.reply(config, io, command, seqno, cid, &|w| {
                reply::dps_of(w, model, cid, &|id| request.asks(id));
            })?,
            Action::ReplyAll => line.reply(config, io, command, seqno, cid, &|w| {
                reply::dps_of(w, model, cid, &|_| true);
            })?,
            Action::Report => {
                let wants = |cid: &str| request.wants_child(cid);
                line.report_children(config, io, model, Some(seqno), &wants, &mut current.reports)?;
            }
            Action::Refuse(_) if config.quirks.errors == ErrorReply::Silence => {}
            Action::Refuse(error) => {
                let mut frame = Frame::reply(command, Some(seqno));
                let is_device22 = error == DeviceError::DataUnvalid && config.is_device22();
                if !(is_device22 && config.quirks.refusal_retcode_zero) {
                    frame.retcode = RetCode::REFUSED;
                }
                line.send(config, io, &frame, |w| w.text(error.text()))?;
                return Ok(Some(Notice::Refused { command, error }));
            }
            Action::Written if current.any_change => {
                let payload = shift(&current.payload, offset);
                let changes = current.changes;
                return Ok(Some(Notice::Written { command, payload, changes }));
            }
            Action::Written => {}
        }
        Ok(None)
    }

    /// Takes the next frame out of the receive buffer.
    fn read(&mut self, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> Step {
        let capacity = rx.capacity();
        let (garbage, front) = next_frame(rx.unread(), capacity);
        rx.consume(garbage);
        match front {
            Front::Partial => Step::Idle(None),
            Front::Bad(error) => {
                rx.consume(4);
                Step::Notice(Notice::Discarded { error })
            }
            Front::Frame(len) => self.read_frame(len, now, model, rx),
        }
    }

    fn read_frame(&mut self, len: usize, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> Step {
        let version = self.config.version;
        let glance = Glance::at(rx.unread());
        let expected = match version {
            Version::V35 => FrameKind::F6699,
            Version::V31 | Version::V32 | Version::V33 | Version::V34 => FrameKind::F55aa,
        };
        let discard = |error| Step::Notice(Notice::Discarded { error });
        if glance.kind != Some(expected) {
            rx.consume(len);
            if version.negotiates() {
                return self.close(HangupReason::OtherFrameKind);
            }
            return discard(FrameError::Integrity);
        }
        if version == Version::V35 && len >= MAX_FRAME_35 {
            rx.consume(len);
            return discard(FrameError::TooLong { need: len });
        }
        let command = glance.command;
        if version == Version::V34 && glance.seqno == 0 {
            rx.consume(len);
            return Step::Notice(Notice::Dropped { command });
        }
        let negotiates = matches!(command, CommandCode::SESS_KEY_NEG_START | CommandCode::SESS_KEY_NEG_FINISH);
        if !self.line.session.is_ready() && !negotiates {
            // Not even verified: after a key that begins with zero, the controller uses it and the device does not.
            rx.consume(len);
            return self.drop_early(command);
        }
        let offset = rx.offset();
        let (received, _) = self.line.session.receive_kept(now, &self.config.local_key, rx);
        let valid = matches!(received, Received::Frame(_) | Received::Negotiation | Received::Unexpected);
        let out_of_order = valid && version == Version::V35 && glance.seqno <= self.line.heard;
        if valid {
            self.line.heard = glance.seqno;
        }
        if out_of_order {
            rx.consume(len);
            return self.close(HangupReason::Sequence);
        }
        match received {
            Received::Frame(opened) => {
                let range = opened.payload.clone();
                let payload = range.start.saturating_sub(offset)..range.end.saturating_sub(offset);
                self.begin(&opened, payload, len, now, model, rx);
                Step::Notice(Notice::Request { seqno: opened.seqno, command: opened.command, payload: range })
            }
            Received::Negotiation => {
                rx.consume(len);
                if self.line.session.is_ready() { Step::Notice(Notice::Negotiated) } else { Step::Again }
            }
            Received::Unexpected => {
                rx.consume(len);
                if self.line.session.is_ready() {
                    self.close(HangupReason::Renegotiation)
                } else {
                    self.drop_early(command)
                }
            }
            Received::WrongProof => {
                rx.consume(len);
                self.close(HangupReason::WrongProof)
            }
            Received::Bad { error, .. } => {
                // Intact, but under another key: the device knows the command that it cannot read.
                let is_intact = matches!(error, FrameError::Padding | FrameError::Malformed);
                if is_intact && self.line.session.is_ready() {
                    let actions = plan_unreadable(&self.config, command);
                    self.current = Some(Current::new(&self.config, &glance, len, 0..0, now, actions));
                } else {
                    rx.consume(len);
                    if version.negotiates() && !self.config.quirks.silent_on_wrong_key {
                        return self.close(HangupReason::Integrity);
                    }
                }
                discard(error)
            }
            Received::Nothing => Step::Idle(None),
        }
    }

    fn begin(
        &mut self,
        opened: &Opened,
        payload: Range<usize>,
        len: usize,
        now: Instant,
        model: &dyn Model,
        rx: &mut Rx<'_>,
    ) {
        let text = rx.unread().get(payload.clone()).unwrap_or_default();
        let actions = plan(&self.config, model, opened, text);
        let glance = Glance { kind: None, seqno: opened.seqno, command: opened.command };
        self.current = Some(Current::new(&self.config, &glance, len, payload, now, actions));
    }

    fn drop_early(&mut self, command: CommandCode) -> Step {
        self.early = self.early.saturating_add(1);
        if self.early > EARLY_LIMIT {
            return self.close(HangupReason::NotNegotiated);
        }
        Step::Notice(Notice::Dropped { command })
    }

    fn close(&mut self, reason: HangupReason) -> Step {
        let reason = *self.closed.get_or_insert(reason);
        Step::Hangup(reason)
    }
}

impl core::fmt::Debug for Emulator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Emulator")
            .field("id", &self.config.id)
            .field("version", &self.config.version)
            .field("ready", &self.is_ready())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Current {
    fn new(
        config: &EmulatorConfig,
        glance: &Glance,
        len: usize,
        payload: Range<usize>,
        now: Instant,
        actions: &'static [Action],
    ) -> Self {
        Self {
            command: glance.command,
            seqno: glance.seqno,
            len,
            payload,
            due: now + config.quirks.delay,
            actions,
            next: 0,
            changes: Changes::default(),
            any_change: false,
            reports: Reports::new(config),
        }
    }
}

impl Glance {
    fn at(frame: &[u8]) -> Self {
        let kind = frame_kind(frame);
        let (seqno, command) = match kind {
            Some(FrameKind::F6699) => (frame_6699::SEQNO, frame_6699::COMMAND),
            Some(FrameKind::F55aa) | None => (frame_55aa::SEQNO, frame_55aa::COMMAND),
        };
        let number = |at| frame.get(at).and_then(be32).unwrap_or_default();
        Self { kind, seqno: number(seqno), command: CommandCode(number(command)) }
    }
}

impl Notice {
    fn lend<S: Storage>(self, rx: &RxBuf<S>) -> EmulatorEvent<'_> {
        match self {
            Self::Negotiated => EmulatorEvent::Negotiated,
            Self::Request { seqno, command, payload } => {
                let payload = Payload::new(rx.at(payload));
                let request = Request::parse(command, payload.as_bytes()).unwrap_or_default();
                let cid = request.cid_text();
                EmulatorEvent::Request { seqno, command, payload, cid }
            }
            Self::Written { command, payload, changes } => {
                let request = Request::parse(command, rx.at(payload)).unwrap_or_default();
                EmulatorEvent::Written { cid: request.cid_text(), dps: WrittenDps::new(request.dps, changes) }
            }
            Self::Refused { command, error } => EmulatorEvent::Refused { command, error },
            Self::Dropped { command } => EmulatorEvent::Dropped { command },
            Self::Discarded { error } => EmulatorEvent::Discarded { error },
        }
    }
}

/// Pushes the DPs that `filter` lets through, if there are any.
fn push_some(
    line: &mut Line,
    config: &EmulatorConfig,
    io: &mut Io<'_, '_>,
    model: &dyn Model,
    cid: Option<&str>,
    filter: &dyn Fn(crate::ids::DpId) -> bool,
) -> Result<(), NoRoom> {
    if !reply::any_dp(model, cid, filter) {
        return Ok(());
    }
    line.push(config, io, cid, &|w| reply::dps_of(w, model, cid, filter))
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start.saturating_add(by)..range.end.saturating_add(by)
}

#[cfg(test)]
mod tests;
