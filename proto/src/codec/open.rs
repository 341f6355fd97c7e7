//! Verification and decryption of frames.

use core::ops::Range;

use aes::Aes128;
use aes::cipher::KeyInit as _;
#[cfg(feature = "v34")]
use hmac::Hmac;
use hmac::Mac as _;
#[cfg(feature = "v34")]
use sha2::Sha256;

#[cfg(feature = "v35")]
use super::gcm::Gcm;
use super::keys::{Keys, Schedule, keyed_hmac, same};
#[cfg(feature = "v31")]
use super::v31;
use super::{FrameError, Sender, VersionHeader, crc, ecb};
use crate::wire::command::{CommandCode, RetCode};
#[cfg(feature = "v35")]
use crate::wire::frame_6699;
use crate::wire::{FrameKind, be32, frame_55aa, frame_kind, frame_len, suffix_of};

/// A frame that passed its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// Return code. Controllers never send one, and not all devices do.
    pub retcode: Option<RetCode>,
    /// Version header in front of the payload.
    pub header: Option<VersionHeader>,
    /// True if the payload was encrypted. An unencrypted one, in 3.2 and 3.3, is a device's error text.
    pub encrypted: bool,
    /// Range of the payload in the frame, decrypted, without return code, version header and padding.
    pub payload: Range<usize>,
}

/// Verifies one whole frame and decrypts it in place. `sender` is the end that wrote it.
///
/// # Errors
/// The check that the frame failed. When the integrity check fails, the bytes of the frame stay as they were.
pub fn open(keys: &Keys, sender: Sender, frame: &mut [u8]) -> Result<Opened, FrameError> {
    check_shape(frame)?;
    match (frame_kind(frame), &keys.schedule) {
        #[cfg(feature = "v35")]
        (Some(FrameKind::F6699), Schedule::Gcm(gcm)) => open_6699(gcm, sender, frame),
        #[cfg(feature = "v34")]
        (Some(FrameKind::F55aa), Schedule::EcbHmac { aes, hmac }) => open_hmac(aes, hmac, sender, frame),
        #[cfg(feature = "v33")]
        (Some(FrameKind::F55aa), Schedule::Ecb { aes }) => open_ecb(aes, sender, frame),
        #[cfg(feature = "v31")]
        (Some(FrameKind::F55aa), Schedule::Md5 { aes, .. }) => open_plain(aes, sender, frame),
        // The other kind of frame cannot pass this key's check; its kind shows which version the peer speaks.
        (Some(_), _) => Err(FrameError::Integrity),
        (None, _) => Err(FrameError::Prefix),
    }
}

/// Verifies a 55AA frame with a CRC, such as an announcement, and finds its payload, which may still be ciphertext.
pub(crate) fn open_clear(frame: &mut [u8]) -> Result<Opened, FrameError> {
    check_shape(frame)?;
    if frame_kind(frame) != Some(FrameKind::F55aa) {
        return Err(FrameError::Prefix);
    }
    if !crc_fits(frame) {
        return Err(FrameError::Integrity);
    }
    let mut opened = head_55aa(frame, frame_55aa::CRC_FOOTER)?;
    take_retcode_by_value(frame, &mut opened);
    Ok(opened)
}

/// Returns whether the CRC-32 footer of a whole 55AA frame fits.
pub(crate) fn crc_fits(frame: &[u8]) -> bool {
    frame
        .split_last_chunk::<{ frame_55aa::CRC_FOOTER }>()
        .is_some_and(|(covered, footer)| footer.starts_with(&crc::checksum(covered)))
}

/// Returns whether the footer of a whole 55AA frame fits an HMAC under `key`: this proves a 3.4 device with this key.
pub(crate) fn hmac_fits(key: &[u8; 16], frame: &[u8]) -> bool {
    frame.split_last_chunk::<{ frame_55aa::HMAC_FOOTER }>().is_some_and(|(covered, footer)| {
        let code = keyed_hmac(key).chain_update(covered).finalize().into_bytes();
        footer.get(..32).is_some_and(|given| same(given, &code))
    })
}

/// Returns whether a text of `len` bytes can be ciphertext of 3.2 and 3.3.
pub(crate) const fn is_ciphertext_length(len: usize) -> bool {
    len > 0 && len.is_multiple_of(ecb::BLOCK)
}

/// Returns whether `text`, decrypted under `key`, ends in valid padding. Under another key, one in 256 does by chance.
pub(crate) fn ciphertext_fits(key: &[u8; 16], text: &[u8]) -> bool {
    ecb::peek_padding(&Aes128::new(key.into()), text).is_ok()
}

fn check_shape(frame: &[u8]) -> Result<(), FrameError> {
    match frame_len(frame)? {
        Some(need) if need == frame.len() => {}
        _ => return Err(FrameError::Length),
    }
    if frame.ends_with(suffix_of(frame)) { Ok(()) } else { Err(FrameError::Suffix) }
}

#[cfg(feature = "v35")]
#[expect(clippy::arithmetic_side_effects, reason = "a payload with a return code has four bytes for it")]
fn open_6699(gcm: &Gcm, sender: Sender, frame: &mut [u8]) -> Result<Opened, FrameError> {
    let end = frame.len().checked_sub(frame_6699::FOOTER).ok_or(FrameError::Length)?;
    let (front, footer) = frame.split_last_chunk_mut::<{ frame_6699::FOOTER }>().ok_or(FrameError::Length)?;
    let (top, text) = front.split_at_mut_checked(frame_6699::BODY).ok_or(FrameError::Length)?;
    let iv = top.last_chunk().ok_or(FrameError::Length)?;
    let aad = top.get(frame_6699::AAD).ok_or(FrameError::Length)?;
    let tag = footer.first_chunk().ok_or(FrameError::Length)?;
    gcm.open(iv, aad, text, tag)?;
    let mut opened = Opened {
        seqno: top.get(frame_6699::SEQNO).and_then(be32).ok_or(FrameError::Length)?,
        command: CommandCode(top.get(frame_6699::COMMAND).and_then(be32).ok_or(FrameError::Length)?),
        retcode: None,
        header: None,
        encrypted: true,
        payload: frame_6699::BODY..end,
    };
    if sender == Sender::Device && has_retcode_6699(opened.command, text) {
        opened.retcode = text.get(..4).and_then(be32).map(RetCode);
        opened.payload.start += 4;
    }
    strip_header(frame, &mut opened);
    Ok(opened)
}

/// Guesses whether the plaintext of a device's 6699 frame begins with a return code: it does not where text comes
/// first.
#[cfg(feature = "v35")]
fn has_retcode_6699(command: CommandCode, text: &[u8]) -> bool {
    match text.first_chunk::<4>() {
        None => false,
        Some(_) if command == CommandCode::SESS_KEY_NEG_RESP => text.len() != 48,
        Some(front) => {
            let text_at_once = front.starts_with(b"{") || front.starts_with(b"3.");
            !text_at_once && !front.iter().all(u8::is_ascii_graphic)
        }
    }
}

#[cfg(feature = "v34")]
#[expect(clippy::arithmetic_side_effects, reason = "the clear text is no longer than the ciphertext that lies there")]
fn open_hmac(aes: &Aes128, hmac: &Hmac<Sha256>, sender: Sender, frame: &mut [u8]) -> Result<Opened, FrameError> {
    let (covered, footer) = frame.split_last_chunk::<{ frame_55aa::HMAC_FOOTER }>().ok_or(FrameError::Length)?;
    if covered.len() < frame_55aa::BODY {
        return Err(FrameError::Length);
    }
    let code = hmac.clone().chain_update(covered).finalize().into_bytes();
    if !footer.get(..32).is_some_and(|given| same(given, &code)) {
        return Err(FrameError::Integrity);
    }
    let mut opened = head_55aa(frame, frame_55aa::HMAC_FOOTER)?;
    match opened.payload.len() % ecb::BLOCK {
        0 => {}
        4 if sender == Sender::Device => take_retcode(frame, &mut opened),
        _ => return Err(FrameError::Malformed),
    }
    if !opened.payload.is_empty() {
        let text = frame.get_mut(opened.payload.clone()).ok_or(FrameError::Length)?;
        opened.payload.end = opened.payload.start + ecb::decrypt(aes, text)?;
        opened.encrypted = true;
    }
    strip_header(frame, &mut opened);
    Ok(opened)
}

#[cfg(feature = "v33")]
fn open_ecb(aes: &Aes128, sender: Sender, frame: &mut [u8]) -> Result<Opened, FrameError> {
    let mut opened = open_crc(sender, frame)?;
    if !opened.payload.len().is_multiple_of(ecb::BLOCK) {
        strip_header(frame, &mut opened);
    }
    open_ecb_or_text(aes, frame, &mut opened)?;
    Ok(opened)
}

#[cfg(feature = "v31")]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "envelope and clear text are no longer than the body that lies there"
)]
fn open_plain(aes: &Aes128, sender: Sender, frame: &mut [u8]) -> Result<Opened, FrameError> {
    let mut opened = open_crc(sender, frame)?;
    let body = frame.get_mut(opened.payload.clone()).ok_or(FrameError::Length)?;
    if v31::is_sealed(body) {
        let len = v31::open(aes, body)?;
        opened.payload.start += v31::ENVELOPE;
        opened.payload.end = opened.payload.start + len;
        opened.encrypted = true;
    }
    Ok(opened)
}

#[cfg(any(feature = "v31", feature = "v33"))]
fn open_crc(sender: Sender, frame: &[u8]) -> Result<Opened, FrameError> {
    if !crc_fits(frame) {
        return Err(FrameError::Integrity);
    }
    let mut opened = head_55aa(frame, frame_55aa::CRC_FOOTER)?;
    if sender == Sender::Device {
        take_retcode_by_value(frame, &mut opened);
    }
    Ok(opened)
}

fn head_55aa(frame: &[u8], footer: usize) -> Result<Opened, FrameError> {
    let end = frame.len().checked_sub(footer).filter(|end| *end >= frame_55aa::BODY).ok_or(FrameError::Length)?;
    Ok(Opened {
        seqno: frame.get(frame_55aa::SEQNO).and_then(be32).ok_or(FrameError::Length)?,
        command: CommandCode(frame.get(frame_55aa::COMMAND).and_then(be32).ok_or(FrameError::Length)?),
        retcode: None,
        header: None,
        encrypted: false,
        payload: frame_55aa::BODY..end,
    })
}

/// Takes three zero bytes in front for the beginning of a return code. For frames whose length does not show it.
fn take_retcode_by_value(frame: &[u8], opened: &mut Opened) {
    let body = frame.get(opened.payload.clone()).unwrap_or_default();
    if body.len() >= 4 && body.starts_with(&[0, 0, 0]) {
        take_retcode(frame, opened);
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the payload begins with four bytes")]
fn take_retcode(frame: &[u8], opened: &mut Opened) {
    let body = frame.get(opened.payload.clone()).unwrap_or_default();
    if let Some(code) = body.first_chunk::<4>() {
        opened.retcode = Some(RetCode(u32::from_be_bytes(*code)));
        opened.payload.start += 4;
    }
}

#[cfg(any(feature = "v33", feature = "v34", feature = "v35"))]
#[expect(clippy::arithmetic_side_effects, reason = "the payload begins with the header")]
fn strip_header(frame: &[u8], opened: &mut Opened) {
    let payload = frame.get(opened.payload.clone()).unwrap_or_default();
    if let Some(header) = VersionHeader::at_front_of(payload) {
        opened.header = Some(header);
        opened.payload.start += VersionHeader::LEN;
    }
}

/// Decrypts the payload of 3.2 and 3.3, unless it is an error in clear text (vector `v3.3/default/error-clear-text`).
#[cfg(feature = "v33")]
#[expect(clippy::arithmetic_side_effects, reason = "lengths of parts of a frame that lies in memory")]
fn open_ecb_or_text(aes: &Aes128, frame: &mut [u8], opened: &mut Opened) -> Result<(), FrameError> {
    let text = frame.get_mut(opened.payload.clone()).ok_or(FrameError::Length)?;
    if text.is_empty() {
        return Ok(());
    }
    let printable = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, b' '..=b'~'));
    if printable(text) {
        // Ciphertext is printable by chance once in ten million. Clear text of a whole number of blocks, such as
        // `parse data error`, decrypts to valid padding once in 256; only readable content tells the two apart.
        let readable = ecb::peek_padding(aes, text).is_ok_and(|len| {
            let in_last = (len + ecb::BLOCK).saturating_sub(text.len());
            ecb::last_block(aes, text).is_some_and(|last| last.get(..in_last).is_some_and(printable))
        });
        if !readable {
            return Ok(());
        }
    }
    opened.payload.end = opened.payload.start + ecb::decrypt(aes, text)?;
    opened.encrypted = true;
    Ok(())
}
