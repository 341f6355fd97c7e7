//! Taking requests in, and what a device does about everything else that arrives.

use core::ops::Range;

use super::act::Current;
use super::event::HangupReason;
use super::model::Model;
use super::request::{plan, plan_unreadable};
use super::{Emulator, Notice, Step};
use crate::buf::Rx;
use crate::codec::{Opened, crc_fits};
use crate::session::Received;
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::CommandCode;
use crate::wire::{FrameError, FrameKind, Front, frame_kind, next_frame, seqno_and_command};

/// Commands before the negotiation that firmware lets pass; the next one ends the connection.
const EARLY_LIMIT: u8 = 3;
/// 3.5 firmware drops frames of this size and above.
const MAX_FRAME_35: usize = 4096;

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
        let limit = rx.limit();
        let (garbage, front) = next_frame(rx.unread(), limit);
        rx.consume(garbage);
        match front {
            Front::Partial => Step::Idle(None),
            Front::Bad(error) => {
                rx.consume(4);
                Step::Notice(Notice::Discarded { error })
            }
            Front::TooLong(need) => {
                rx.consume(4);
                Step::Notice(Notice::Discarded { error: FrameError::TooLong { need } })
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
        // A CRC where 3.4 has an HMAC: traffic of 3.1 to 3.3.
        let is_other = glance.kind != Some(expected)
            || version == Version::V34 && crc_fits(rx.unread().get(..len).unwrap_or_default());
        if is_other {
            rx.consume(len);
            if version.negotiates() && !self.config.quirks.ignore_other_version {
                return self.close(HangupReason::OtherVersion);
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
            Received::Nothing | Received::TooLong { .. } => Step::Idle(None),
            // Only controllers receive those.
            Received::Early(_) => Step::Again,
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
}

impl Glance {
    fn at(frame: &[u8]) -> Self {
        let (seqno, command) = seqno_and_command(frame);
        Self { kind: frame_kind(frame), seqno, command }
    }
}
