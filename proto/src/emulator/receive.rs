//! Receiving of requests, and reactions to other bytes.

use core::ops::Range;
use core::time::Duration;

use super::event::HangupReason;
use super::model::Model;
use super::pending_request::{FrameHead, PendingRequest};
use super::request::{is_control, is_query, plan, plan_unreadable};
use super::{Emulator, EmulatorStep, RawEvent, ReadState};
use crate::buf::Rx;
use crate::codec::{Opened, crc_fits};
use crate::session::Received;
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::CommandCode;
use crate::wire::{FrameError, FrameKind, Front, next_frame};

/// Size of the smallest frame. 3.5 firmware ignores a first read of fewer bytes.
const MIN_READ_35: usize = 50;
/// Time within which the bytes behind a whole frame must become a frame.
const REST_LIMIT_35: Duration = Duration::from_millis(10);
/// 3.5 firmware refuses frames of this size and above.
const MAX_FRAME_35: usize = 4096;
/// Bytes that 3.5 firmware skips in front of the text of a control, without reading them.
const HEADER_LEN: usize = 15;

/// Returns whether the next frame of `unread` is the first message of a negotiation.
pub(super) fn begins_with_start(version: Version, unread: &[u8]) -> bool {
    let (garbage, _) = next_frame(unread, usize::MAX);
    version.negotiates()
        && FrameHead::at(unread.get(garbage..).unwrap_or_default()).command == CommandCode::SESS_KEY_NEG_START
}

impl Emulator {
    /// Takes the next frame out of the receive buffer.
    pub(super) fn read(&mut self, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> EmulatorStep {
        let len = rx.unread().len();
        if self.is_strict() && self.read_state == ReadState::Start && (1..MIN_READ_35).contains(&len) {
            rx.clear();
            return EmulatorStep::Event(RawEvent::Discarded { error: FrameError::Length });
        }
        let is_limited = self.is_strict() && !self.config.quirks().drop_long_frames;
        let limit = if is_limited { rx.limit().min(MAX_FRAME_35 - 1) } else { rx.limit() };
        let (garbage, front) = next_frame(rx.unread(), limit);
        rx.consume(garbage);
        if garbage > 0 && self.is_strict() {
            self.read_state = ReadState::BehindFrame;
        }
        match front {
            Front::Partial => self.wait_for_rest(now, garbage == 0 && rx.unread().is_empty()),
            Front::TooLong(need) if is_limited && need >= MAX_FRAME_35 => self.close(HangupReason::TooLong { need }),
            Front::TooLong(need) => {
                rx.consume(4);
                EmulatorStep::Event(RawEvent::Discarded { error: FrameError::TooLong { need } })
            }
            Front::Bad(_) if self.is_strict() && !self.config.quirks().silent_on_wrong_key => {
                self.close(HangupReason::Integrity)
            }
            Front::Bad(error) => {
                rx.consume(4);
                EmulatorStep::Event(RawEvent::Discarded { error })
            }
            Front::Frame(len) => {
                self.read_state = ReadState::BehindFrame;
                self.read_frame(len, now, model, rx)
            }
        }
    }

    /// Returns whether bytes are read like in the vendor's software of 3.5.
    const fn is_strict(&self) -> bool {
        self.config.quirks().strict_reads && matches!(self.config.version(), Version::V35)
    }

    /// Handles an incomplete frame, or an empty buffer.
    fn wait_for_rest(&mut self, now: Instant, is_empty: bool) -> EmulatorStep {
        match self.read_state {
            ReadState::BehindFrame if !is_empty && self.is_strict() => self.read_state = ReadState::Incomplete(now),
            ReadState::BehindFrame if is_empty => self.read_state = ReadState::Start,
            ReadState::BehindFrame | ReadState::Start if !is_empty => self.read_state = ReadState::InFrame,
            ReadState::BehindFrame | ReadState::Start | ReadState::InFrame | ReadState::Incomplete(_) => {}
        }
        let ReadState::Incomplete(since) = self.read_state else {
            return EmulatorStep::Idle(None);
        };
        let until = since + REST_LIMIT_35;
        if until <= now { self.close(HangupReason::Unfinished) } else { EmulatorStep::Idle(Some(until)) }
    }

    fn read_frame(&mut self, len: usize, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> EmulatorStep {
        let version = self.config.version();
        let head = FrameHead::at(rx.unread());
        let expected = match version {
            Version::V35 => FrameKind::F6699,
            Version::V31 | Version::V32 | Version::V33 | Version::V34 => FrameKind::F55aa,
        };
        let discard = |error| EmulatorStep::Event(RawEvent::Discarded { error });
        // A frame of 3.4 with a CRC in place of the HMAC is one of 3.1 to 3.3.
        let is_other = head.kind != Some(expected)
            || version == Version::V34 && crc_fits(rx.unread().get(..len).unwrap_or_default());
        if is_other {
            rx.consume(len);
            // 3.5 firmware searches the read for a frame of its own, and closes if there is none.
            let goes_on = self.is_strict() && !rx.unread().is_empty();
            if version.negotiates() && !goes_on && !self.config.quirks().ignore_other_version {
                return self.close(HangupReason::OtherVersion);
            }
            return discard(FrameError::Integrity);
        }
        if version == Version::V35 && len >= MAX_FRAME_35 {
            rx.consume(len);
            return discard(FrameError::TooLong { need: len });
        }
        let command = head.command;
        match version {
            Version::V34 if head.seqno == 0 && !self.config.quirks().ignore_seqnos => {
                rx.consume(len);
                return EmulatorStep::Event(RawEvent::Dropped { command });
            }
            Version::V35 if head.seqno <= self.sender.last_received && !self.config.quirks().ignore_seqnos => {
                rx.consume(len);
                return self.close(HangupReason::Sequence);
            }
            _ => {}
        }
        let is_blind =
            version == Version::V35 && command == CommandCode::HEART_BEAT && self.config.quirks().blind_heartbeats;
        if is_blind && !self.sender.session.is_ready() {
            return self.begin_unread(&head, len, now, rx);
        }
        let negotiates = matches!(command, CommandCode::SESS_KEY_NEG_START | CommandCode::SESS_KEY_NEG_FINISH);
        if !self.sender.session.is_ready() && !negotiates {
            // Does not even verify it: the controller may use a session key that begins with zero, which the device
            // refuses.
            rx.consume(len);
            return self.drop_early(command);
        }
        let offset = rx.offset();
        let (received, _) = self.sender.session.receive_kept(now, &self.config.local_key, rx);
        let valid = matches!(received, Received::Frame(_) | Received::Negotiation | Received::Unexpected);
        // 3.5 firmware checks the number first.
        if valid || version == Version::V35 {
            self.sender.last_received = head.seqno;
        }
        match received {
            Received::Frame(opened) => {
                let range = opened.payload.clone();
                let payload = range.start.saturating_sub(offset)..range.end.saturating_sub(offset);
                self.begin(&opened, payload, len, now, model, rx);
                EmulatorStep::Event(RawEvent::Request { seqno: opened.seqno, command: opened.command, payload: range })
            }
            Received::Negotiation => {
                rx.consume(len);
                if self.sender.session.is_ready() {
                    EmulatorStep::Event(RawEvent::Negotiated)
                } else {
                    EmulatorStep::Again
                }
            }
            Received::Unexpected => {
                rx.consume(len);
                if self.sender.session.is_ready() {
                    self.close(HangupReason::Renegotiation)
                } else {
                    self.drop_early(command)
                }
            }
            Received::WrongProof => {
                rx.consume(len);
                self.close(HangupReason::WrongProof)
            }
            Received::Bad { .. } if is_blind => self.begin_unread(&head, len, now, rx),
            Received::Bad { error, .. } => {
                // Intact, but under another key: the device knows the command of a payload that it cannot read.
                let is_intact = matches!(error, FrameError::Padding | FrameError::Malformed);
                if is_intact && self.sender.session.is_ready() {
                    let actions = plan_unreadable(&self.config, command);
                    self.current = Some(PendingRequest::new(&self.config, &head, len, 0..0, now, actions));
                } else {
                    rx.consume(len);
                    if version.negotiates() && !self.config.quirks().silent_on_wrong_key {
                        return self.close(HangupReason::Integrity);
                    }
                }
                discard(error)
            }
            Received::Nothing | Received::TooLong { .. } => EmulatorStep::Idle(None),
            // Only controllers receive these.
            Received::Early(_) | Received::Repeated { .. } => EmulatorStep::Again,
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
        // The bytes of the version header of a control are skipped without a check.
        let skipped = match (self.config.version(), opened.header) {
            (Version::V35, None) if is_control(opened.command) => HEADER_LEN.min(payload.len()),
            _ => 0,
        };
        let payload = payload.start.saturating_add(skipped)..payload.end;
        let text = rx.unread().get(payload.clone()).unwrap_or_default();
        let actions = plan(&self.config, model, opened, text, self.queries);
        if is_query(&self.config, opened.command) {
            self.queries = self.queries.saturating_add(1);
        }
        let head = FrameHead { kind: None, seqno: opened.seqno, command: opened.command };
        self.current = Some(PendingRequest::new(&self.config, &head, len, payload, now, actions));
    }

    /// Begins the answer to a frame from its head alone.
    fn begin_unread(&mut self, head: &FrameHead, len: usize, now: Instant, rx: &Rx<'_>) -> EmulatorStep {
        let (seqno, command) = (head.seqno, head.command);
        self.sender.last_received = seqno;
        self.sender.session.last_rx = now;
        let actions = plan_unreadable(&self.config, command);
        self.current = Some(PendingRequest::new(&self.config, head, len, 0..0, now, actions));
        EmulatorStep::Event(RawEvent::Request { seqno, command, payload: rx.offset()..rx.offset() })
    }

    fn drop_early(&mut self, command: CommandCode) -> EmulatorStep {
        self.early_commands = self.early_commands.saturating_add(1);
        if self.early_commands > self.config.quirks().early_commands {
            return self.close(HangupReason::NotNegotiated);
        }
        EmulatorStep::Event(RawEvent::Dropped { command })
    }
}
