//! The device's end of the protocol: one machine per connection, a model of the device lent to each poll.

mod act;
mod config;
mod event;
mod line;
mod model;
#[cfg(feature = "quirks")]
mod names;
#[cfg_attr(
    not(feature = "quirks"),
    expect(dead_code, unreachable_pub, reason = "firmware of one version has few of them")
)]
mod quirks;
mod receive;
mod reply;
mod request;

use core::ops::Range;

use rand_core::CryptoRng;

use crate::buf::{Rx, RxBuf, Storage, TxBuf};
use crate::codec::NoRoom;
use crate::payload::{DeviceError, DpMap, Payload};
use crate::session::Session;
use crate::time::Instant;
use crate::wire::FrameError;
use crate::wire::command::CommandCode;

use act::Current;
pub use config::EmulatorConfig;
pub use event::{EmulatorEvent, EmulatorOutput, HangupReason, PushError, WrittenDps};
use line::{Io, Line, Reports};
pub use model::{DpKind, FixedModel, Model, ModelError, Unfit};
#[cfg(feature = "quirks")]
pub use names::UnknownQuirk;
#[cfg(feature = "quirks")]
pub use quirks::{ControlReply, ErrorReply, QueryReply, Quirks, Segments, Seqnos, UpdateReply};
use request::{Request, Which};

/// The device's end of one controller connection.
///
/// It behaves like firmware: it answers queries and controls from a [`Model`], negotiates, refuses, and closes
/// connections. A device that accepts several controllers has one `Emulator` for each of them and one model for all.
///
/// The driver reads into an [`RxBuf`], polls until `Wait`, and writes out the [`TxBuf`]. A request is taken from the
/// receive buffer only when its reply has room, so a driver with a full send buffer writes first and polls again
/// before it reads; while it may not write, or holds an answer back, the receive buffer can fill up. A read into an
/// empty slice then returns zero bytes, which is not the end of the stream.
pub struct Emulator {
    config: EmulatorConfig,
    line: Line,
    /// The request that is being answered. Its opened frame lies at the front of the receive buffer.
    current: Option<Current>,
    /// An unsolicited sub-device report that is due.
    reports: Option<Reports>,
    /// Commands dropped before the negotiation.
    early: u8,
    /// Where the front of the receive buffer came from.
    reading: Reading,
    /// Ordinary queries on this connection.
    asked: u32,
    closed: Option<HangupReason>,
}

/// Where the front of the receive buffer came from. 3.5 firmware works on what one read gave, and treats what begins a
/// read otherwise than what follows in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It begins a read.
    Fresh,
    /// It began a read, and the rest of the frame is waited for.
    Amid,
    /// It follows a frame, or bytes that are none.
    Behind,
    /// As before, and at this instant there was no whole frame.
    Rest(Instant),
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
    Request {
        seqno: u32,
        command: CommandCode,
        payload: Range<usize>,
    },
    /// Values of the request, taken or not.
    Values {
        command: CommandCode,
        payload: Range<usize>,
        which: Which,
        taken: bool,
        is_own: bool,
    },
    Refused {
        command: CommandCode,
        error: DeviceError,
    },
    Dropped {
        command: CommandCode,
    },
    Discarded {
        error: FrameError,
    },
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
        let session = Session::device(config.version(), &config.local_key, first_seqno, now);
        let line = Line { session, report, sent: 0, zero_key: config.quirks().zero_key, heard: 0 };
        Self { config, line, current: None, reports: None, early: 0, asked: 0, reading: Reading::Fresh, closed: None }
    }

    /// What the device is.
    pub const fn config(&self) -> &EmulatorConfig {
        &self.config
    }

    /// Whether pushes can be sent: the negotiation is done, or not needed, and the connection lives.
    pub const fn is_ready(&self) -> bool {
        self.line.session.is_ready() && self.closed.is_none()
    }

    /// Whether only the controller's last message of the negotiation is missing. The controller may have sent it and take
    /// the connection for usable: keep what is to be pushed until it [is ready](Self::is_ready), or has ended.
    pub const fn awaits_finish(&self) -> bool {
        self.line.session.awaits_finish() && self.closed.is_none()
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

    /// Whether the device has begun to read a frame and waits for the rest of it. The vendor's software of 3.5 waits
    /// with all of its controllers; should this connection end now, it waits for ever. A driver that is to be like that
    /// ([`Quirks::wedge_on_cut_frame`]) looks here when a connection has ended.
    pub const fn is_amid_frame(&self) -> bool {
        matches!(self.reading, Reading::Amid)
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
        let may_push = self.is_ready() || self.config.quirks().early_pushes && self.closed.is_none();
        if !may_push {
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

    /// Whether `rx` begins with the first message of another connection: a controller negotiates once, before all else.
    ///
    /// For pipes that do not tell when the other end closes and the next controller comes, such as a UART behind a
    /// serial-to-TCP bridge: where this holds before a poll, put a new `Emulator` in place of this one and keep both
    /// buffers. Versions that do not negotiate do not need it; nothing of theirs belongs to one connection.
    pub fn meets_another(&self, rx: &RxBuf<impl Storage>) -> bool {
        self.line.heard > 0 && receive::begins_with_start(self.config.version(), rx.unread())
    }

    /// Makes the next polls send a sub-device report that nobody asked for, as soon as the connection is ready.
    pub fn report_children(&mut self) {
        self.reports = Some(Reports::new(&self.config));
    }

    fn run(&mut self, io: &mut Io<'_, '_>, model: &mut dyn Model, rx: &mut Rx<'_>) -> Step {
        loop {
            let close_after = self.config.quirks().close_after;
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
                // Not final: the driver may lend a larger buffer.
                Err(NoRoom { need }) if io.tx.is_empty() => return Step::Hangup(HangupReason::NoRoom { need }),
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
            if matches!(step, Ok(Step::Again)) && current.is_done() {
                rx.consume(current.len);
            } else {
                self.current = Some(current);
            }
            return step;
        }
        if let Some(mut reports) = self.reports.filter(|_| self.is_ready()) {
            let sent = self.line.report_children(&self.config, io, model, None, &|_| true, &mut reports);
            self.reports = sent.is_err().then_some(reports);
            sent?;
        }
        Ok(self.read(io.now, model, rx))
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
            .field("version", &self.config.version())
            .field("ready", &self.is_ready())
            .field("closed", &self.closed)
            .finish_non_exhaustive()
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
            Self::Values { command, payload, which, taken, is_own } => {
                let request = Request::parse(command, rx.at(payload)).unwrap_or_default();
                let cid = request.cid_text().filter(|_| !is_own);
                let dps = WrittenDps::new(request.dps, which);
                if taken { EmulatorEvent::Written { cid, dps } } else { EmulatorEvent::Ignored { cid, dps } }
            }
            Self::Refused { command, error } => EmulatorEvent::Refused { command, error },
            Self::Dropped { command } => EmulatorEvent::Dropped { command },
            Self::Discarded { error } => EmulatorEvent::Discarded { error },
        }
    }
}

#[cfg(all(test, feature = "quirks"))]
mod tests;
