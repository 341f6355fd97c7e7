//! Request that is being answered, and the head of its frame.

use core::ops::Range;

use super::config::EmulatorConfig;
use super::frame_sender::Reports;
use super::request::{Positions, ReplyAction};
use crate::time::Instant;
use crate::wire::command::CommandCode;
use crate::wire::{FrameKind, frame_kind, seqno_and_command};

/// Unverified head of a frame.
pub(super) struct FrameHead {
    pub(super) kind: Option<FrameKind>,
    pub(super) seqno: u32,
    pub(super) command: CommandCode,
}

impl FrameHead {
    pub(super) fn at(frame: &[u8]) -> Self {
        let (seqno, command) = seqno_and_command(frame);
        Self { kind: frame_kind(frame), seqno, command }
    }
}

/// Request that is being answered. Its opened frame is at the front of the receive buffer.
pub(super) struct PendingRequest {
    pub(super) command: CommandCode,
    pub(super) seqno: u32,
    /// Size of the frame.
    pub(super) len: usize,
    /// Range of the payload in the frame.
    pub(super) payload: Range<usize>,
    /// Earliest time of the answer.
    pub(super) due: Instant,
    pub(super) actions: &'static [ReplyAction],
    pub(super) next: usize,
    /// Values that were accepted and must be pushed.
    pub(super) changes: Positions,
    /// Values that were not accepted.
    pub(super) rejected: Positions,
    pub(super) reports: Reports,
}

impl PendingRequest {
    /// Returns whether every action is done.
    pub(super) const fn is_done(&self) -> bool {
        self.next >= self.actions.len()
    }

    pub(super) fn new(
        config: &EmulatorConfig,
        head: &FrameHead,
        len: usize,
        payload: Range<usize>,
        now: Instant,
        actions: &'static [ReplyAction],
    ) -> Self {
        Self {
            command: head.command,
            seqno: head.seqno,
            len,
            payload,
            due: now + config.quirks().delay,
            actions,
            next: 0,
            changes: Positions::NONE,
            rejected: Positions::NONE,
            reports: Reports::new(config),
        }
    }
}
