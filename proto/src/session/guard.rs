//! Frames that the device did not just send: our own, thrown back, and those that came before.
//!
//! Both ends of a connection seal under the same key, and up to 3.4 without a nonce. So whoever stands between them can
//! return our frames as the device's, and send the device's again, without knowing the key.

use core::fmt;

use crate::codec::Opened;
use crate::version::Version;
use crate::wire::be32;
use crate::wire::command::CommandCode;

/// Checksums that are remembered, of frames of both directions.
const PRINTS: usize = 16;
/// How far the number of a device's next frame may be ahead for that to be counting.
const NEAR: u32 = 256;
/// Set in the checksum of a frame that we sent.
const OURS: u32 = 1;

/// Kinds of frames that may be numbered by counters of their own.
const PUSHES: usize = 0;
const HEARTBEATS: usize = 1;
const ANSWERS: usize = 2;

/// Why a frame is ignored that is sealed under the right key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repeated {
    /// It is one of our own.
    Reflected,
    /// It came before, on this connection or, under the local key, on another one.
    Replayed,
}

impl fmt::Display for Repeated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reflected => "it is our own, sent back",
            Self::Replayed => "it was sent before, or in another order",
        })
    }
}

/// What is remembered of one connection to recognise such frames.
#[derive(Default)]
pub(super) struct Guard {
    prints: [u32; PRINTS],
    at: u8,
    /// The last number of each kind.
    last: [u32; 3],
    /// Which of the numbers below the last answer's have come, one bit for each.
    came: u32,
    /// The kinds that are known to count, one bit for each.
    counts: u8,
    /// The kinds that are known not to.
    free: u8,
    /// The device's answer in the negotiation has come.
    begun: bool,
    /// It had a return code, which controllers never send.
    retcodes: bool,
}

impl Guard {
    /// Notes a frame that we send.
    pub(super) fn note_own(&mut self, frame: &[u8]) {
        self.note(print(frame) | OURS);
    }

    /// Notes the device's answer in the negotiation. It proves the key with our nonce, so it is no old one, and shows how
    /// the device numbers its frames: by a counter of its own or, where it has `ours`, by the numbers of ours.
    pub(super) fn begin(&mut self, answer: &Opened, ours: u32) {
        self.begun = true;
        self.retcodes = answer.retcode.is_some();
        self.last = [answer.seqno; 3];
        self.came = u32::MAX;
        self.counts = 0;
        self.free = if answer.seqno == ours { 1 << HEARTBEATS | 1 << ANSWERS } else { 0 };
    }

    /// Whether answers may have the numbers of what they answer.
    pub(super) const fn may_echo(&self) -> bool {
        self.free >> ANSWERS & 1 == 1
    }

    /// Looks at a frame of a device that passed its check. `next` is the number of our next frame. `early`: it is sealed
    /// under the local key where a session key is negotiated.
    pub(super) fn check(
        &mut self,
        version: Version,
        frame: &[u8],
        opened: &Opened,
        next: u32,
        early: bool,
    ) -> Option<Repeated> {
        let print = print(frame);
        if self.prints.contains(&(print | OURS)) {
            return Some(Repeated::Reflected);
        }
        // Up to 3.3 numbers prove nothing, and equal frames are nothing special: pushes have the number 0.
        if !version.negotiates() {
            return None;
        }
        // An older one of ours than is remembered.
        let bare = self.retcodes && opened.retcode.is_none() && opened.encrypted;
        if bare && (1..next).contains(&opened.seqno) {
            return Some(Repeated::Reflected);
        }
        // In 3.4, what has no number may be the same again.
        let is_unique = opened.seqno != 0 || version == Version::V35;
        if is_unique && self.prints.contains(&print) || !self.is_new(opened, early) {
            return Some(Repeated::Replayed);
        }
        if is_unique {
            self.note(print);
        }
        None
    }

    /// Whether the number of a device's frame is one that may come now.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the numbers are near the ends of 16 bits, and a step ahead is at least one"
    )]
    fn is_new(&mut self, opened: &Opened, early: bool) -> bool {
        let kind = match opened.command {
            CommandCode::STATUS => PUSHES,
            CommandCode::HEART_BEAT => HEARTBEATS,
            _ => ANSWERS,
        };
        let Some(last) = self.last.get_mut(kind) else { return true };
        let (bit, seqno) = (1u8 << kind, opened.seqno);
        let step = match seqno.wrapping_sub(*last) {
            // Some count with 16 bits: 0 follows 65,535, and what has such a number after that is old.
            _ if self.counts & bit != 0 && *last < NEAR && (0x1_0000 - NEAR..0x1_0000).contains(&seqno) => {
                seqno.wrapping_sub(0x1_0000).wrapping_sub(*last)
            }
            _ if *last <= 0xffff && *last > 0xffff - NEAR && seqno < NEAR => seqno + 0x1_0000 - *last,
            step => step,
        };
        let (is_ahead, is_near) = (step != 0 && step <= u32::MAX / 2, (1..=NEAR).contains(&step));
        if early {
            // Anybody may have recorded it on another connection, so it has to be just the next one.
            let is_next = self.begun && step == 1;
            *last = if is_next { seqno } else { *last };
            return is_next;
        }
        if self.free & bit != 0 {
            return true;
        }
        if is_ahead {
            *last = seqno;
            self.counts |= if is_near { bit } else { 0 };
            if kind == ANSWERS {
                // What a long way back may be missing is not waited for.
                self.came = self.came.checked_shl(step).map_or(u32::MAX, |came| came | 1 << (step - 1));
            }
            return true;
        }
        if self.counts & bit == 0 {
            self.free |= bit;
            return true;
        }
        // Answers may overtake each other; a number that was passed over may come once.
        let missing = 1u32.checked_shl(step.wrapping_neg().wrapping_sub(1)).unwrap_or(0);
        let is_missing = kind == ANSWERS && missing & !self.came != 0;
        self.came |= if is_missing { missing } else { 0 };
        is_missing
    }

    fn note(&mut self, print: u32) {
        let at = usize::from(self.at) % PRINTS;
        if let Some(slot) = self.prints.get_mut(at) {
            *slot = print;
        }
        self.at = self.at.wrapping_add(1);
    }
}

/// The last four bytes of a frame's CRC, HMAC or tag, without the bit that tells ours from the device's. Never zero.
fn print(frame: &[u8]) -> u32 {
    let end = frame.len().saturating_sub(4);
    let word = frame.get(end.saturating_sub(4)..end).and_then(be32).unwrap_or_default();
    (word & !OURS).max(2)
}

#[cfg(test)]
mod tests;
