//! Detection of frames that the device did not just send: reflected frames of our own, and replayed ones.
//!
//! Both ends of a connection seal under the same key, and up to 3.4 without a nonce. An attacker between them can
//! therefore return our frames as the device's, and repeat the device's, without the key.

use core::fmt;

use crate::codec::Opened;
use crate::version::Version;
use crate::wire::be32;
use crate::wire::command::CommandCode;

/// Number of checksums to remember, of frames of both directions.
const FINGERPRINTS: usize = 16;
/// Largest step between the numbers of two frames that shows that the device counts.
const NEAR: u32 = 256;
/// Bit set in the checksum of a frame that we sent.
const OURS: u32 = 1;

/// Kinds of frames. A device may number each by a counter of its own.
const PUSHES: usize = 0;
const HEARTBEATS: usize = 1;
const ANSWERS: usize = 2;

/// Reason to ignore a frame that is sealed under the right key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Repeated {
    /// We sent it ourselves.
    Reflected,
    /// It was received before, on this connection or, under the local key, on another one.
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

/// Memory of one connection that shows such frames.
#[derive(Default)]
pub(super) struct Guard {
    fingerprints: [u32; FINGERPRINTS],
    at: u8,
    /// Last number of each kind.
    last: [u32; 3],
    /// Numbers below the last answer's that were received, one bit for each.
    seen: u32,
    /// Kinds that are known to count, one bit for each.
    counts: u8,
    /// Kinds that are known not to count, one bit for each.
    uncounted: u8,
    /// The device has answered in the negotiation.
    negotiated: bool,
    /// Its answer had a return code, which controllers never send.
    retcodes: bool,
}

impl Guard {
    /// Remembers a frame that we send.
    pub(super) fn remember_own(&mut self, frame: &[u8]) {
        self.remember(fingerprint(frame) | OURS);
    }

    /// Processes the device's answer in the negotiation. It proves the key with our nonce, so it is not replayed, and
    /// its number shows how the device numbers its frames: by a counter of its own or, if it is `ours`, by the numbers
    /// of our frames.
    pub(super) fn begin(&mut self, answer: &Opened, ours: u32) {
        self.negotiated = true;
        self.retcodes = answer.retcode.is_some();
        self.last = [answer.seqno; 3];
        self.seen = u32::MAX;
        self.counts = 0;
        self.uncounted = if answer.seqno == ours { 1 << HEARTBEATS | 1 << ANSWERS } else { 0 };
    }

    /// Returns whether answers may repeat the number of the request.
    pub(super) const fn may_echo(&self) -> bool {
        self.uncounted >> ANSWERS & 1 == 1
    }

    /// Checks a frame of a device that passed its integrity check, and remembers it. `next` is the number of our next
    /// frame. `early` means that the frame is sealed under the local key although a session key is negotiated.
    pub(super) fn check(
        &mut self,
        version: Version,
        frame: &[u8],
        opened: &Opened,
        next: u32,
        early: bool,
    ) -> Option<Repeated> {
        let fingerprint = fingerprint(frame);
        if self.fingerprints.contains(&(fingerprint | OURS)) {
            return Some(Repeated::Reflected);
        }
        // Up to 3.3 numbers prove nothing, and equal frames are common: pushes have the number 0.
        if !version.negotiates() {
            return None;
        }
        // One of our frames that is too old to be remembered.
        let bare = self.retcodes && opened.retcode.is_none() && opened.encrypted;
        if bare && (1..next).contains(&opened.seqno) {
            return Some(Repeated::Reflected);
        }
        // In 3.4, two frames without a number may be equal.
        let is_unique = opened.seqno != 0 || version == Version::V35;
        if is_unique && self.fingerprints.contains(&fingerprint) || !self.is_new(opened, early) {
            return Some(Repeated::Replayed);
        }
        if is_unique {
            self.remember(fingerprint);
        }
        None
    }

    /// Returns whether the device may send a frame with this number now.
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
            // Some count with 16 bits: 0 follows 65,535, and a high number after that is an old one.
            _ if self.counts & bit != 0 && *last < NEAR && (0x1_0000 - NEAR..0x1_0000).contains(&seqno) => {
                seqno.wrapping_sub(0x1_0000).wrapping_sub(*last)
            }
            _ if *last <= 0xffff && *last > 0xffff - NEAR && seqno < NEAR => seqno + 0x1_0000 - *last,
            step => step,
        };
        let (is_ahead, is_near) = (step != 0 && step <= u32::MAX / 2, (1..=NEAR).contains(&step));
        if early {
            // It may be a recording of another connection, so only the next number is accepted.
            let is_next = self.negotiated && step == 1;
            *last = if is_next { seqno } else { *last };
            return is_next;
        }
        if self.uncounted & bit != 0 {
            return true;
        }
        if is_ahead {
            *last = seqno;
            self.counts |= if is_near { bit } else { 0 };
            if kind == ANSWERS {
                // Counts numbers that are far behind as received.
                self.seen = self.seen.checked_shl(step).map_or(u32::MAX, |seen| seen | 1 << (step - 1));
            }
            return true;
        }
        if self.counts & bit == 0 {
            self.uncounted |= bit;
            return true;
        }
        // Answers may overtake each other: each skipped number may come once.
        let missing = 1u32.checked_shl(step.wrapping_neg().wrapping_sub(1)).unwrap_or(0);
        let is_missing = kind == ANSWERS && missing & !self.seen != 0;
        self.seen |= if is_missing { missing } else { 0 };
        is_missing
    }

    fn remember(&mut self, fingerprint: u32) {
        let at = usize::from(self.at) % FINGERPRINTS;
        if let Some(slot) = self.fingerprints.get_mut(at) {
            *slot = fingerprint;
        }
        self.at = self.at.wrapping_add(1);
    }
}

/// Returns the last four bytes of a frame's CRC, HMAC or tag, without the bit [`OURS`]. Never returns zero.
fn fingerprint(frame: &[u8]) -> u32 {
    let end = frame.len().saturating_sub(4);
    let end_bytes = frame.get(end.saturating_sub(4)..end).and_then(be32).unwrap_or_default();
    (end_bytes & !OURS).max(2)
}

#[cfg(test)]
mod tests;
