//! Session key negotiation of 3.4 and 3.5: the payloads of its messages, and the key.

use core::fmt;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::codec::ecb;
use crate::codec::keys::{hmac_sha256, same};
use crate::ids::LocalKey;
use crate::version::Version;

/// Nonce of either side.
pub type Nonce = [u8; 16];

/// Size of the first message's payload.
#[cfg(feature = "emulator")]
pub(crate) const START_LEN: usize = 16;
/// Size of the second message's payload: the device's nonce and an HMAC.
#[cfg(feature = "emulator")]
pub(crate) const RESP_LEN: usize = 48;
/// Size of the third message's payload: an HMAC.
pub(crate) const FINISH_LEN: usize = 32;

/// Key of one connection. Wiped when dropped, absent from `Debug` output.
#[derive(Clone)]
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// Returns the raw bytes. The caller keeps the copy secret and wipes it.
    pub const fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns whether firmware takes this key for "no key": its first byte is zero. This happens once in 256
    /// negotiations; the controller must then start over with another nonce instead of finishing.
    pub const fn is_refused_by_firmware(&self) -> bool {
        self.0[0] == 0
    }
}

impl Drop for SessionKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SessionKey {}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// Derives the session key from the two nonces; `None` for versions that do not negotiate.
///
/// With x the exclusive or of the nonces, 3.4 encrypts x as one AES-ECB block under the local key; 3.5 encrypts it
/// with AES-GCM, the first 12 bytes of the controller's nonce being the IV.
pub fn derive_session_key(
    version: Version,
    local: &LocalKey,
    controller: &Nonce,
    device: &Nonce,
) -> Option<SessionKey> {
    let mut x = *controller;
    xor(&mut x, device);
    match version {
        Version::V31 | Version::V32 | Version::V33 => None,
        Version::V34 => Some(SessionKey(ecb::encrypt_block(local.expose(), x))),
        Version::V35 => {
            // The first block of GCM's key stream: counter 2, because 1 belongs to the tag (NIST SP 800-38D).
            let mut counter = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
            for (slot, byte) in counter.iter_mut().zip(controller.iter().take(12)) {
                *slot = *byte;
            }
            xor(&mut x, &ecb::encrypt_block(local.expose(), counter));
            Some(SessionKey(x))
        }
    }
}

/// Returns the proof of the key in the negotiation: HMAC-SHA-256 of the other side's nonce under the local key. The
/// second message has it behind the device's nonce, the third consists of it. Do not publish it: it allows an attacker
/// to test guesses of the key.
pub fn negotiation_proof(local: &LocalKey, nonce: &Nonce) -> [u8; 32] {
    hmac_sha256(local.expose(), nonce)
}

/// Returns the payload of the second message.
#[cfg(feature = "emulator")]
pub(crate) fn resp(local: &LocalKey, controller: &Nonce, device: &Nonce) -> [u8; RESP_LEN] {
    let mut payload = [0; RESP_LEN];
    let proof = hmac_sha256(local.expose(), controller);
    for (slot, byte) in payload.iter_mut().zip(device.iter().chain(&proof)) {
        *slot = *byte;
    }
    payload
}

/// Checks the second message against our nonce, and returns the device's nonce if the proof is right.
pub(crate) fn check_resp(local: &LocalKey, controller: &Nonce, payload: &[u8]) -> Option<Nonce> {
    let (device, rest) = payload.split_first_chunk::<16>()?;
    let proof = rest.get(..32)?;
    same(proof, &hmac_sha256(local.expose(), controller)).then_some(*device)
}

/// Returns the payload of the third message.
pub(crate) fn finish(local: &LocalKey, device: &Nonce) -> [u8; FINISH_LEN] {
    negotiation_proof(local, device)
}

/// Checks the third message against our nonce.
#[cfg(feature = "emulator")]
pub(crate) fn check_finish(local: &LocalKey, device: &Nonce, payload: &[u8]) -> bool {
    payload.get(..FINISH_LEN).is_some_and(|proof| same(proof, &finish(local, device)))
}

fn xor(x: &mut Nonce, other: &Nonce) {
    for (slot, byte) in x.iter_mut().zip(other) {
        *slot ^= byte;
    }
}
