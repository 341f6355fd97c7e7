//! The envelope of 3.1 controls and pushes: `3.1`, 16 hex digits of an MD5 signature, base64 of AES-ECB.

use aes::Aes128;
use base64ct::{Base64, Encoding as _};
use md5::{Digest as _, Md5};

use super::{FrameError, ecb};

const VERSION: &[u8; 3] = b"3.1";
const SIGNATURE: usize = 16;
/// Size of the part in front of the base64 text.
pub(super) const ENVELOPE: usize = VERSION.len() + SIGNATURE;

/// Returns the size of the body for `len` bytes of text.
#[expect(clippy::arithmetic_side_effects, reason = "texts fill a small part of memory, and Base64 adds a third")]
pub(super) const fn sealed_len(len: usize) -> usize {
    ENVELOPE + base64_len(ecb::padded(len))
}

const fn base64_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4)
}

/// Turns the `len` bytes of text behind the envelope in `body` into the finished body. Returns `None` when `body` is
/// too short.
#[expect(clippy::arithmetic_side_effects, reason = "envelope and text lie in the body")]
pub(super) fn seal(aes: &Aes128, key: &[u8; 16], body: &mut [u8], len: usize) -> Option<usize> {
    let (envelope, text) = body.split_first_chunk_mut::<ENVELOPE>()?;
    let ciphertext = ecb::encrypt(aes, text, len)?;
    let encoded = base64_in_place(text, ciphertext)?;
    let (version, signature) = envelope.split_first_chunk_mut::<3>()?;
    *version = *VERSION;
    signature.copy_from_slice(&sign(key, text.get(..encoded)?));
    Some(ENVELOPE + encoded)
}

/// Decrypts a body that begins with the envelope. The text is then at [`ENVELOPE`] and has the returned length. Does
/// not verify the signature: firmware is known to differ in it, and 64 bits of MD5 prove little.
pub(super) fn open(aes: &Aes128, body: &mut [u8]) -> Result<usize, FrameError> {
    let text = body.get_mut(ENVELOPE..).ok_or(FrameError::Malformed)?;
    let len = Base64::decode_in_place(text).map_err(|_| FrameError::Malformed)?.len();
    ecb::decrypt(aes, text.get_mut(..len).ok_or(FrameError::Malformed)?)
}

/// Returns whether a body has the envelope.
pub(super) fn is_sealed(body: &[u8]) -> bool {
    body.len() >= ENVELOPE && body.starts_with(VERSION)
}

/// Encodes in place. Base64 is longer than its input, so this begins at the back, one group of 48 bytes at a time.
#[expect(clippy::arithmetic_side_effects, reason = "offsets in a text that has room for all of them")]
fn base64_in_place(text: &mut [u8], len: usize) -> Option<usize> {
    const GROUP: usize = 48;
    let encoded = base64_len(len);
    text.get(..encoded)?;
    for at in (0..len.div_ceil(GROUP)).rev() {
        let (from, to) = (at * GROUP, len.min(at * GROUP + GROUP));
        let mut plain = [0u8; GROUP];
        let plain = plain.get_mut(..to - from)?;
        plain.copy_from_slice(text.get(from..to)?);
        let out = text.get_mut(base64_len(from)..base64_len(from) + base64_len(plain.len()))?;
        Base64::encode(plain, out).ok()?;
    }
    Some(encoded)
}

/// Returns characters 8 to 24 of the hex MD5 of the text between its frame of constants and the key.
#[expect(clippy::arithmetic_side_effects, reason = "a digit below 16")]
fn sign(key: &[u8; 16], base64: &[u8]) -> [u8; SIGNATURE] {
    let digest = Md5::new().chain_update(b"data=").chain_update(base64).chain_update(b"||lpv=3.1||").chain_update(key);
    let digest: [u8; 16] = digest.finalize().into();
    let mut hex = [0u8; SIGNATURE];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest.iter().skip(4)) {
        for (slot, nibble) in pair.iter_mut().zip([byte >> 4, byte & 15]) {
            *slot = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
    }
    hex
}
