//! Taking requests in, and what a device does about everything else that arrives.

use core::ops::Range;
use core::time::Duration;

use super::act::Current;
use super::event::HangupReason;
use super::model::Model;
use super::request::{is_control, is_query, plan, plan_unreadable};
use super::{Emulator, Notice, Reading, Step};
use crate::buf::Rx;
use crate::codec::{Opened, crc_fits};
use crate::session::Received;
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::CommandCode;
use crate::wire::{FrameError, FrameKind, Front, frame_kind, next_frame, seqno_and_command};

/// 3.5 firmware ignores a first read of fewer bytes: the smallest frame.
const MIN_READ_35: usize = 50;
/// What follows a whole frame has to become one within this time.
const REST_LIMIT_35: Duration = Duration::from_millis(10);
/// 3.5 firmware takes no frames of this size and above.
const MAX_FRAME_35: usize = 4096;
/// Bytes that 3.5 firmware skips in front of the text of a control, whatever they are.
const HEADER_LEN: usize = 15;

/// The unverified head of a frame.
pub(super) struct Glance {
    kind: Option<FrameKind>,
    pub(super) seqno: u32,
    pub(super) command: CommandCode,
}

/// Whether the next frame of `unread` is the first message of a negotiation.
pub(super) fn begins_with_start(version: Version, unread: &[u8]) -> bool {
    let (garbage, _) = next_frame(unread, usize::MAX);
    version.negotiates()
        && Glance::at(unread.get(garbage..).unwrap_or_default()).command == CommandCode::SESS_KEY_NEG_START
}

impl Emulator {
    /// Takes the next frame out of the receive buffer.
    pub(super) fn read(&mut self, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> Step {
        let len = rx.unread().len();
        if self.is_strict() && self.reading == Reading::Fresh && (1..MIN_READ_35).contains(&len) {
            rx.clear();
            return Step::Notice(Notice::Discarded { error: FrameError::Length });
        }
        let is_limited = self.is_strict() && !self.config.quirks().drop_long_frames;
        let limit = if is_limited { rx.limit().min(MAX_FRAME_35 - 1) } else { rx.limit() };
        let (garbage, front) = next_frame(rx.unread(), limit);
        rx.consume(garbage);
        if garbage > 0 && self.is_strict() {
            self.reading = Reading::Behind;
        }
        match front {
            Front::Partial => self.wait_for_rest(now, garbage == 0 && rx.unread().is_empty()),
            Front::TooLong(need) if is_limited && need >= MAX_FRAME_35 => self.close(HangupReason::TooLong { need }),
            Front::TooLong(need) => {
                rx.consume(4);
                Step::Notice(Notice::Discarded { error: FrameError::TooLong { need } })
            }
            Front::Bad(_) if self.is_strict() && !self.config.quirks().silent_on_wrong_key => {
                self.close(HangupReason::Integrity)
            }
            Front::Bad(error) => {
                rx.consume(4);
                Step::Notice(Notice::Discarded { error })
            }
            Front::Frame(len) => {
                self.reading = Reading::Behind;
                self.read_frame(len, now, model, rx)
            }
        }
    }

    /// Whether bytes are read as the vendor's software of 3.5 reads them.
    const fn is_strict(&self) -> bool {
        self.config.quirks().strict_reads && matches!(self.config.version(), Version::V35)
    }

    /// What is to be done about a frame that is not whole, or about nothing.
    fn wait_for_rest(&mut self, now: Instant, is_empty: bool) -> Step {
        match self.reading {
            Reading::Behind if !is_empty && self.is_strict() => self.reading = Reading::Rest(now),
            Reading::Behind if is_empty => self.reading = Reading::Fresh,
            Reading::Behind | Reading::Fresh if !is_empty => self.reading = Reading::Amid,
            Reading::Behind | Reading::Fresh | Reading::Amid | Reading::Rest(_) => {}
        }
        let Reading::Rest(since) = self.reading else {
            return Step::Idle(None);
        };
        let until = since + REST_LIMIT_35;
        if until <= now { self.close(HangupReason::Unfinished) } else { Step::Idle(Some(until)) }
    }

    fn read_frame(&mut self, len: usize, now: Instant, model: &dyn Model, rx: &mut Rx<'_>) -> Step {
        let version = self.config.version();
        let glance = Glance::at(rx.unread());
        let expected = match version {
            Version::V35 => FrameKind::F6699,
            Version::V31 | Version::V32 | Version::V33 | Version::V34 => FrameKind::F55aa,
        };
        let discard = |error| Step::Notice(Notice::Discarded { error });
        // A CRC where 3.4 has an HMAC: traffic of 3.1 to 3.3.
        let is_other = glance.kind != Some(expected)
            || version == Version::V34 && crc_fits(rx.unread().get(..len).unwrap_or_default());
        if is_other {
            rx.consume(len);
            // 3.5 firmware searches what it has read for a frame of its own, and closes when it finds none.
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
        let command = glance.command;
        match version {
            Version::V34 if glance.seqno == 0 && !self.config.quirks().ignore_seqnos => {
                rx.consume(len);
                return Step::Notice(Notice::Dropped { command });
            }
            Version::V35 if glance.seqno <= self.line.heard && !self.config.quirks().ignore_seqnos => {
                rx.consume(len);
                return self.close(HangupReason::Sequence);
            }
            _ => {}
        }
        let is_blind =
            version == Version::V35 && command == CommandCode::HEART_BEAT && self.config.quirks().blind_heartbeats;
        if is_blind && !self.line.session.is_ready() {
            return self.begin_unread(&glance, len, now, rx);
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
        // 3.5 firmware looks at the number before it looks at anything else.
        if valid || version == Version::V35 {
            self.line.heard = glance.seqno;
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
            Received::Bad { .. } if is_blind => self.begin_unread(&glance, len, now, rx),
            Received::Bad { error, .. } => {
                // Intact, but under another key: the device knows the command that it cannot read.
                let is_intact = matches!(error, FrameError::Padding | FrameError::Malformed);
                if is_intact && self.line.session.is_ready() {
                    let actions = plan_unreadable(&self.config, command);
                    self.current = Some(Current::new(&self.config, &glance, len, 0..0, now, actions));
                } else {
                    rx.consume(len);
                    if version.negotiates() && !self.config.quirks().silent_on_wrong_key {
                        return self.close(HangupReason::Integrity);
                    }
                }
                discard(error)
            }
            Received::Nothing | Received::TooLong { .. } => Step::Idle(None),
            // Only controllers receive those.
            Received::Early(_) | Received::Repeated { .. } => Step::Again,
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
        // The header of a control is skipped unread, also when it is none.
        let skipped = match (self.config.version(), opened.header) {
            (Version::V35, None) if is_control(opened.command) => HEADER_LEN.min(payload.len()),
            _ => 0,
        };
        let payload = payload.start.saturating_add(skipped)..payload.end;
        let text = rx.unread().get(payload.clone()).unwrap_or_default();
        let actions = plan(&self.config, model, opened, text, self.asked);
        if is_query(&self.config, opened.command) {
            self.asked = self.asked.saturating_add(1);
        }
        let glance = Glance { kind: None, seqno: opened.seqno, command: opened.command };
        self.current = Some(Current::new(&self.config, &glance, len, payload, now, actions));
    }

    /// Begins the answer to a frame of which nothing but the head is looked at.
    fn begin_unread(&mut self, glance: &Glance, len: usize, now: Instant, rx: &Rx<'_>) -> Step {
        let (seqno, command) = (glance.seqno, glance.command);
        self.line.heard = seqno;
        self.line.session.last_rx = now;
        let actions = plan_unreadable(&self.config, command);
        self.current = Some(Current::new(&self.config, glance, len, 0..0, now, actions));
        Step::Notice(Notice::Request { seqno, command, payload: rx.offset()..rx.offset() })
    }

    fn drop_early(&mut self, command: CommandCode) -> Step {
        self.early = self.early.saturating_add(1);
        if self.early > self.config.quirks().early_commands {
            return self.close(HangupReason::NotNegotiated);
        }
        Step::Notice(Notice::Dropped { command })
    }
}

impl Glance {
    fn at(frame: &[u8]) -> Self {
        let (seqno, command) = seqno_and_command(frame);
        Self { kind: frame_kind(frame), seqno, command }
    }
}
