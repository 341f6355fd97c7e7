//! Device's end of a session: the answer to the first message of the negotiation, and frames that only devices send.

use rand_core::CryptoRng;

use super::handshake::{self, Nonce};
use super::{Checks, Outgoing, Phase, Received, Session};
use crate::buf::{Rx, Tx};
use crate::codec::{Keys, NoRoom, Sender};
use crate::ids::LocalKey;
use crate::json::Writer;
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};

/// Properties of the answer to the first message of the negotiation.
pub(crate) struct Resp {
    pub(crate) retcode: Option<RetCode>,
    /// Number to send in place of the session's counter.
    pub(crate) seqno: Option<u32>,
    /// True if another key than ours is proven.
    pub(crate) wrong_proof: bool,
    /// True if the nonce is chosen so that it makes the session key begin with a zero byte, instead of one that avoids it.
    pub(crate) zero_key: bool,
}

impl Session {
    /// Returns the device's end of a fresh connection.
    pub(crate) fn device(version: Version, local: &LocalKey, first_seqno: u32, now: Instant) -> Self {
        let phase = if version.negotiates() { Phase::AwaitStart } else { Phase::Ready };
        Self::new(Sender::Device, version, local, phase, first_seqno, now)
    }

    /// Like [`receive`](Self::receive), but leaves the opened frame at the front of `rx`; the caller consumes it.
    pub(crate) fn receive_kept(&mut self, now: Instant, local: &LocalKey, rx: &mut Rx<'_>) -> (Received, usize) {
        self.receive_in_place(now, local, rx, &Checks { examine: |_, _| None, find_repetition: |_, _, _, _| None })
    }

    /// Returns whether the controller's first message is not answered yet.
    pub(crate) const fn is_resp_due(&self) -> bool {
        matches!(self.phase, Phase::RespDue { .. })
    }

    /// Answers the controller's first message, if that is due. Changes nothing when there is no room.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        local: &LocalKey,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
        how: &Resp,
    ) -> Result<(), NoRoom> {
        let Phase::RespDue { theirs } = &self.phase else {
            return Ok(());
        };
        let theirs = *theirs;
        let ours = device_nonce(self.version(), local, &theirs, rng, how.zero_key);
        let mut payload = handshake::resp(local, &theirs, &ours);
        if let Some(last) = payload.last_mut().filter(|_| how.wrong_proof) {
            *last ^= 1;
        }
        let out =
            Outgoing { command: CommandCode::SESS_KEY_NEG_RESP, retcode: how.retcode, header: None, seqno: how.seqno };
        self.seal(None, now, rng, tx, &out, Some(&theirs), |w| w.bytes(&payload))?;
        self.phase = Phase::AwaitFinish { ours, theirs };
        Ok(())
    }

    /// Like [`send`](Self::send), but sealed under other keys than those in use.
    pub(crate) fn send_under(
        &mut self,
        keys: &Keys,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
        out: &Outgoing,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, NoRoom> {
        self.seal(Some(keys), now, rng, tx, out, None, write)
    }
}

/// Draws our nonce. Avoids a session key with a zero first byte unless `zero_key`: controllers that do not know the
/// rule would use a key that the device refuses.
fn device_nonce(version: Version, local: &LocalKey, theirs: &Nonce, rng: &mut dyn CryptoRng, zero_key: bool) -> Nonce {
    let is_zero = |ours: &Nonce| {
        handshake::derive_session_key(version, local, theirs, ours).is_some_and(|key| key.is_refused_by_firmware())
    };
    let mut ours = hex_nonce(rng);
    if zero_key {
        // Tries all values of the first two bytes: in 3.5 only one first byte in 256 gives such a key, and it need not
        // be a hex digit.
        for front in 0..=u16::MAX {
            if is_zero(&ours) {
                break;
            }
            if let Some(slot) = ours.first_chunk_mut() {
                *slot = front.to_le_bytes();
            }
        }
        return ours;
    }
    for _ in 0..8 {
        if !is_zero(&ours) {
            break;
        }
        ours = hex_nonce(rng);
    }
    ours
}

/// Draws a nonce of 16 lowercase hex characters, as devices do.
#[expect(clippy::arithmetic_side_effects, reason = "a digit below 16")]
fn hex_nonce(rng: &mut dyn CryptoRng) -> Nonce {
    let mut nonce = [0; 16];
    rng.fill_bytes(&mut nonce);
    for byte in &mut nonce {
        let digit = *byte & 15;
        *byte = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
    }
    nonce
}
