//! Device's end of the protocol: one machine per connection, with a model of the device that is lent to each poll.

mod act;
mod config;
mod event;
mod frame_sender;
mod model;
#[cfg(feature = "quirks")]
mod names;
mod pending_request;
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

pub use config::EmulatorConfig;
pub use event::{EmulatorEvent, EmulatorOutput, HangupReason, PushError, WrittenDps};
use frame_sender::{FrameSender, Io, Reports};
pub use model::{DpKind, FixedModel, Model, ModelError, WriteError};
#[cfg(feature = "quirks")]
pub use names::UnknownQuirk;
use pending_request::PendingRequest;
#[cfg(feature = "quirks")]
pub use quirks::{ControlReply, ErrorReply, QueryReply, Quirks, Segments, Seqnos, UpdateReply};
use request::{Positions, Request};

/// Device's machine of one controller connection.
///
/// Behaves like firmware: answers queries and controls from a [`Model`], negotiates, refuses, and closes connections. A
/// device that accepts several controllers has one `Emulator` for each of them and one model for all.
///
/// The driver reads into an [`RxBuf`], polls until `Wait`, and writes out the [`TxBuf`]. A request is taken from the
/// receive buffer only if its reply has room, so a driver with a full send buffer writes first and polls again before
/// it reads. While it cannot write, or an answer is delayed, the receive buffer can fill up. A read into an empty slice
/// then returns zero bytes, which is not the end of the stream.
pub struct Emulator {
    config: EmulatorConfig,
    sender: FrameSender,
    /// Request that is being answered. Its opened frame is at the front of the receive buffer.
    current: Option<PendingRequest>,
    /// Unsolicited sub-device report that is due.
    reports: Option<Reports>,
    /// Number of commands dropped before the negotiation.
    early_commands: u8,
    /// Position of the front of the receive buffer within reads.
    read_state: ReadState,
    /// Number of ordinary queries on this connection.
    queries: u32,
    closed: Option<HangupReason>,
}

/// Position of the front of the receive buffer within reads. 3.5 firmware processes the bytes of one read, and treats
/// its beginning differently from the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadState {
    /// Beginning of a read.
    Start,
    /// Beginning of a read, with an incomplete frame.
    InFrame,
    /// Behind a frame, or behind garbage.
    BehindFrame,
    /// Behind a frame, with an incomplete frame since this instant.
    Incomplete(Instant),
}

/// Result of one step.
enum EmulatorStep {
    /// The state changed; there may be more to do.
    Again,
    Event(RawEvent),
    /// Nothing to do before this instant.
    Idle(Option<Instant>),
    Hangup(HangupReason),
}

/// Event with ranges in place of borrowed bytes. Ranges count from the beginning of the storage.
enum RawEvent {
    Negotiated,
    Request {
        seqno: u32,
        command: CommandCode,
        payload: Range<usize>,
    },
    /// Values of the request, accepted or rejected.
    Values {
        command: CommandCode,
        payload: Range<usize>,
        which: Positions,
        accepted: bool,
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
    /// Creates the machine of a connection that was just accepted. Draws the first sequence number and the report
    /// counter at random.
    pub fn new(config: EmulatorConfig, now: Instant, rng: &mut dyn CryptoRng) -> Self {
        let mut random = [0; 6];
        rng.fill_bytes(&mut random);
        let [a, b, c, d, e, f] = random;
        let first_seqno = u32::from(u16::from_be_bytes([a, b]));
        Self::numbered(config, now, first_seqno, u32::from_be_bytes([c, d, e, f]))
    }

    fn numbered(config: EmulatorConfig, now: Instant, first_seqno: u32, report: u32) -> Self {
        let session = Session::device(config.version(), &config.local_key, first_seqno, now);
        let sender = FrameSender { session, report, sent: 0, zero_key: config.quirks().zero_key, last_received: 0 };
        Self {
            config,
            sender,
            current: None,
            reports: None,
            early_commands: 0,
            queries: 0,
            read_state: ReadState::Start,
            closed: None,
        }
    }

    /// Returns the configuration.
    pub const fn config(&self) -> &EmulatorConfig {
        &self.config
    }

    /// Returns whether pushes can be sent: the negotiation is done or not needed, and the connection is open.
    pub const fn is_ready(&self) -> bool {
        self.sender.session.is_ready() && self.closed.is_none()
    }

    /// Returns whether only the controller's last message of the negotiation is missing. The controller may already
    /// treat the connection as usable, so keep pushes until the connection [is ready](Self::is_ready) or has ended.
    pub const fn awaits_finish(&self) -> bool {
        self.sender.session.awaits_finish() && self.closed.is_none()
    }

    /// Answers received frames, as far as `tx` has room, processes timers, and returns the next instruction or event.
    /// The driver calls it until it returns `Wait` or `Hangup`.
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
            EmulatorStep::Hangup(reason) => EmulatorOutput::Hangup { reason },
            EmulatorStep::Event(event) => EmulatorOutput::Event(event.lend(rx)),
            EmulatorStep::Idle(until) => EmulatorOutput::Wait { until },
            EmulatorStep::Again => EmulatorOutput::Wait { until: Some(now) },
        }
    }

    /// Returns whether the device has begun to read a frame and waits for the rest of it. The vendor's software of 3.5
    /// then serves no other controller, and never again if the connection ends now. A driver that emulates this
    /// ([`Quirks::wedge_on_cut_frame`]) asks when a connection has ended.
    pub const fn has_partial_frame(&self) -> bool {
        matches!(self.read_state, ReadState::InFrame)
    }

    /// Pushes a change that was made locally or through another connection. `dps` are the changed DPs with their new
    /// values; the model is not read.
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
        self.sender
            .push(&self.config, &mut io, cid, &|w| dps.write(w))
            .map_err(|NoRoom { need }| PushError::NoRoom { need })
    }

    /// Returns whether `rx` begins with the first message of another connection: a controller negotiates once, and
    /// first.
    ///
    /// For transports that do not show the end of a connection, such as a UART behind a serial-to-TCP bridge: if this
    /// is true before a poll, replace this `Emulator` with a new one and keep both buffers. Versions that do not
    /// negotiate do not need it, because they have no state per connection.
    pub fn begins_new_connection(&self, rx: &RxBuf<impl Storage>) -> bool {
        self.sender.last_received > 0 && receive::begins_with_start(self.config.version(), rx.unread())
    }

    /// Schedules an unsolicited sub-device report, which the next polls send as soon as the connection is ready.
    pub fn report_children(&mut self) {
        self.reports = Some(Reports::new(&self.config));
    }

    fn run(&mut self, io: &mut Io<'_, '_>, model: &mut dyn Model, rx: &mut Rx<'_>) -> EmulatorStep {
        loop {
            let close_after = self.config.quirks().close_after;
            if close_after.is_some_and(|limit| self.sender.session.is_ready() && self.sender.sent >= limit) {
                self.close(HangupReason::Quirk);
            }
            if self.sender.session.is_exhausted() {
                self.close(HangupReason::Exhausted);
            }
            if let Some(reason) = self.closed {
                return EmulatorStep::Hangup(reason);
            }
            let wake = match self.step(io, model, rx) {
                Ok(EmulatorStep::Again) => continue,
                Ok(EmulatorStep::Idle(wake)) => wake,
                Ok(step) => return step,
                // Does not close: the driver may lend a larger buffer.
                Err(NoRoom { need }) if io.tx.is_empty() => return EmulatorStep::Hangup(HangupReason::NoRoom { need }),
                Err(_) => None,
            };
            let idle = self.sender.session.last_rx + self.config.idle;
            if idle <= io.now {
                self.close(HangupReason::Idle);
                continue;
            }
            return EmulatorStep::Idle(Some(wake.map_or(idle, |wake| wake.min(idle))));
        }
    }

    fn step(&mut self, io: &mut Io<'_, '_>, model: &mut dyn Model, rx: &mut Rx<'_>) -> Result<EmulatorStep, NoRoom> {
        if self.sender.session.is_resp_due() {
            self.sender.respond(&self.config, io)?;
            return Ok(EmulatorStep::Again);
        }
        if let Some(mut current) = self.current.take() {
            let step = self.advance(&mut current, io, model, rx);
            if matches!(step, Ok(EmulatorStep::Again)) && current.is_done() {
                rx.consume(current.len);
            } else {
                self.current = Some(current);
            }
            return step;
        }
        if let Some(mut reports) = self.reports.filter(|_| self.is_ready()) {
            let sent = self.sender.report_children(&self.config, io, model, None, &|_| true, &mut reports);
            self.reports = sent.is_err().then_some(reports);
            sent?;
        }
        Ok(self.read(io.now, model, rx))
    }

    fn close(&mut self, reason: HangupReason) -> EmulatorStep {
        let reason = *self.closed.get_or_insert(reason);
        EmulatorStep::Hangup(reason)
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

impl RawEvent {
    fn lend<S: Storage>(self, rx: &RxBuf<S>) -> EmulatorEvent<'_> {
        match self {
            Self::Negotiated => EmulatorEvent::Negotiated,
            Self::Request { seqno, command, payload } => {
                let payload = Payload::new(rx.at(payload));
                let request = Request::parse(command, payload.as_bytes()).unwrap_or_default();
                let cid = request.cid_text();
                EmulatorEvent::Request { seqno, command, payload, cid }
            }
            Self::Values { command, payload, which, accepted, is_own } => {
                let request = Request::parse(command, rx.at(payload)).unwrap_or_default();
                let cid = request.cid_text().filter(|_| !is_own);
                let dps = WrittenDps::new(request.dps, which);
                if accepted { EmulatorEvent::Written { cid, dps } } else { EmulatorEvent::Ignored { cid, dps } }
            }
            Self::Refused { command, error } => EmulatorEvent::Refused { command, error },
            Self::Dropped { command } => EmulatorEvent::Dropped { command },
            Self::Discarded { error } => EmulatorEvent::Discarded { error },
        }
    }
}

#[cfg(all(test, feature = "quirks"))]
mod tests;
