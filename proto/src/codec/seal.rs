//! Encryption and framing.

use core::fmt;

#[cfg(feature = "v34")]
use hmac::Mac as _;

#[cfg(any(feature = "v31", feature = "v33", feature = "v34"))]
use super::crc;
#[cfg(feature = "v35")]
use super::gcm::Gcm;
use super::keys::{Keys, Schedule};
#[cfg(feature = "v31")]
use super::v31;
use super::{Sender, VersionHeader, ecb};
use crate::json::Writer;
use crate::version::Scheme;
use crate::wire::command::{CommandCode, RetCode};
use crate::wire::{frame_55aa, frame_6699};

/// Fields of a frame without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a complete description of a frame's head")]
pub struct Head {
    /// End that sends the frame.
    pub sender: Sender,
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// Return code; devices only.
    pub retcode: Option<RetCode>,
    /// Version header; not used by 3.1.
    pub header: Option<VersionHeader>,
}

/// The buffer is too small for the frame. Its bytes have no meaning now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoRoom {
    /// Size of the whole frame in bytes.
    pub need: usize,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no room for a frame of {} bytes", self.need)
    }
}

impl core::error::Error for NoRoom {}

/// Writes one frame with `payload` to the front of `out` and returns its size. `iv` is used by 3.5 only; it must
/// never be used twice under the same key.
///
/// # Errors
/// [`NoRoom`] when `out` is too small; the bytes in `out` then have no meaning.
pub fn seal(keys: &Keys, head: &Head, iv: &[u8; 12], payload: &[u8], out: &mut [u8]) -> Result<usize, NoRoom> {
    seal_body(keys, head, iv, out, |w| w.bytes(payload))
}

/// Like [`seal`], but `write` writes the payload straight to its final place.
pub(crate) fn seal_body(
    keys: &Keys,
    head: &Head,
    iv: &[u8; 12],
    out: &mut [u8],
    write: impl FnOnce(&mut Writer<'_>),
) -> Result<usize, NoRoom> {
    #[cfg(not(all(feature = "v31", feature = "v33", feature = "v34", feature = "v35")))]
    if matches!(keys.schedule, Schedule::LeftOut) {
        return Err(NoRoom { need: usize::MAX });
    }
    let layout = Layout::new(keys, head);
    let room = out.get_mut(layout.text_at()..).unwrap_or_default();
    let mut writer = Writer::new(room);
    if layout.inner_header {
        writer.bytes(&head.header.unwrap_or(VersionHeader::controller(keys.version.narrowed())).to_bytes());
    }
    write(&mut writer);
    let len = writer.len();
    let total = layout.frame_len(len);
    let frame = out.get_mut(..total).ok_or(NoRoom { need: total })?;
    finish(keys, head, &layout, iv, frame, len).ok_or(NoRoom { need: total })
}

/// Layout of one frame: offsets and sizes of its parts.
struct Layout {
    scheme: Scheme,
    /// Offset of the body, behind the frame header.
    body: usize,
    retcode: bool,
    outer_header: bool,
    inner_header: bool,
    #[cfg(feature = "v31")]
    envelope: bool,
    footer: usize,
    /// True if an empty text becomes no bytes at all. Devices send it so; controllers send a block of padding.
    empty_is_nothing: bool,
}

impl Layout {
    fn new(keys: &Keys, head: &Head) -> Self {
        let scheme = keys.version.narrowed().scheme();
        let header = head.header.is_some();
        Self {
            scheme,
            body: if scheme == Scheme::Gcm { frame_6699::BODY } else { frame_55aa::BODY },
            retcode: head.retcode.is_some(),
            outer_header: header && scheme == Scheme::EcbOuterHeader,
            inner_header: header && matches!(scheme, Scheme::EcbInnerHeader | Scheme::Gcm),
            #[cfg(feature = "v31")]
            envelope: scheme == Scheme::PlainMd5
                && match head.sender {
                    Sender::Controller => head.command == CommandCode::CONTROL,
                    Sender::Device => head.command == CommandCode::STATUS,
                },
            footer: match scheme {
                Scheme::PlainMd5 | Scheme::EcbOuterHeader => frame_55aa::CRC_FOOTER,
                Scheme::EcbInnerHeader => frame_55aa::HMAC_FOOTER,
                Scheme::Gcm => frame_6699::FOOTER,
            },
            empty_is_nothing: head.sender == Sender::Device,
        }
    }

    /// Returns the offset of the encrypted part; in 3.1 envelopes, of the envelope.
    #[expect(clippy::arithmetic_side_effects, reason = "a sum of lengths of fixed parts")]
    const fn sealed_at(&self) -> usize {
        let retcode = if self.retcode && !matches!(self.scheme, Scheme::Gcm) { 4 } else { 0 };
        let header = if self.outer_header { VersionHeader::LEN } else { 0 };
        self.body + retcode + header
    }

    /// Returns the offset of the text that the caller writes, inner version header included.
    #[expect(clippy::arithmetic_side_effects, reason = "a sum of lengths of fixed parts")]
    const fn text_at(&self) -> usize {
        let retcode = if self.retcode && matches!(self.scheme, Scheme::Gcm) { 4 } else { 0 };
        self.sealed_at() + retcode + self.envelope_len()
    }

    const fn envelope_len(&self) -> usize {
        #[cfg(feature = "v31")]
        if self.envelope {
            return v31::ENVELOPE;
        }
        0
    }

    /// Returns the size of the frame for `len` bytes of text, inner version header included.
    #[expect(clippy::arithmetic_side_effects, reason = "each length contains the one that is taken off")]
    const fn frame_len(&self, len: usize) -> usize {
        let text = match self.scheme {
            // Nor an envelope: an empty push of 3.1 is a frame without payload.
            _ if len == 0 && self.empty_is_nothing => {
                return self.text_at() - self.envelope_len() + self.footer;
            }
            #[cfg(feature = "v31")]
            Scheme::PlainMd5 if self.envelope => v31::sealed_len(len) - v31::ENVELOPE,
            Scheme::EcbOuterHeader | Scheme::EcbInnerHeader => ecb::padded(len),
            Scheme::PlainMd5 | Scheme::Gcm => len,
        };
        self.text_at().saturating_add(text).saturating_add(self.footer)
    }
}

/// Encrypts and frames `len` bytes of text that are already in place. Never returns `None` for a frame of the right
/// size.
#[cfg_attr(
    not(all(feature = "v35", any(feature = "v31", feature = "v33", feature = "v34"))),
    expect(unused_variables, reason = "each kind of frame needs only its own")
)]
fn finish(keys: &Keys, head: &Head, layout: &Layout, iv: &[u8; 12], frame: &mut [u8], len: usize) -> Option<usize> {
    match &keys.schedule {
        #[cfg(feature = "v35")]
        Schedule::Gcm(gcm) => finish_6699(gcm, head, iv, frame),
        #[cfg(any(feature = "v31", feature = "v33", feature = "v34"))]
        schedule => finish_55aa(schedule, head, layout, frame, len),
        #[cfg(not(any(feature = "v31", feature = "v33", feature = "v34")))]
        Schedule::LeftOut => None,
    }
}

#[cfg(feature = "v35")]
fn finish_6699(gcm: &Gcm, head: &Head, iv: &[u8; 12], frame: &mut [u8]) -> Option<usize> {
    let total = frame.len();
    frame.get_mut(..4)?.copy_from_slice(&frame_6699::PREFIX);
    frame.get_mut(4..6)?.fill(0);
    put(frame, frame_6699::SEQNO, &head.seqno.to_be_bytes())?;
    put(frame, frame_6699::COMMAND, &head.command.0.to_be_bytes())?;
    let length = u32::try_from(total.checked_sub(frame_6699::LENGTH.end + 4)?).ok()?;
    put(frame, frame_6699::LENGTH, &length.to_be_bytes())?;
    put(frame, frame_6699::IV, iv)?;
    if let Some(code) = head.retcode {
        put(frame, frame_6699::BODY..frame_6699::BODY + 4, &code.0.to_be_bytes())?;
    }
    let (front, footer) = frame.split_last_chunk_mut::<{ frame_6699::FOOTER }>()?;
    let (top, text) = front.split_at_mut_checked(frame_6699::BODY)?;
    let tag = gcm.seal(iv, top.get(frame_6699::AAD)?, text).ok()?;
    footer.get_mut(..frame_6699::TAG_LEN)?.copy_from_slice(&tag);
    footer.get_mut(frame_6699::TAG_LEN..)?.copy_from_slice(&frame_6699::SUFFIX);
    Some(total)
}

#[cfg(any(feature = "v31", feature = "v33", feature = "v34"))]
fn finish_55aa(schedule: &Schedule, head: &Head, layout: &Layout, frame: &mut [u8], len: usize) -> Option<usize> {
    let total = frame.len();
    frame.get_mut(..4)?.copy_from_slice(&frame_55aa::PREFIX);
    put(frame, frame_55aa::SEQNO, &head.seqno.to_be_bytes())?;
    put(frame, frame_55aa::COMMAND, &head.command.0.to_be_bytes())?;
    let length = u32::try_from(total.checked_sub(frame_55aa::BODY)?).ok()?;
    put(frame, frame_55aa::LENGTH, &length.to_be_bytes())?;
    if let Some(code) = head.retcode {
        put(frame, frame_55aa::BODY..frame_55aa::BODY + 4, &code.0.to_be_bytes())?;
    }
    if let Some(header) = head.header.filter(|_| layout.outer_header) {
        let end = layout.sealed_at();
        put(frame, end.checked_sub(VersionHeader::LEN)?..end, &header.to_bytes())?;
    }
    let footer_at = total.checked_sub(layout.footer)?;
    let body = frame.get_mut(layout.sealed_at()..footer_at)?;
    if len > 0 || !layout.empty_is_nothing {
        match schedule {
            #[cfg(feature = "v31")]
            Schedule::Md5 { aes, key } if layout.envelope => {
                v31::seal(aes, key, body, len)?;
            }
            #[cfg(feature = "v33")]
            Schedule::Ecb { aes } => {
                ecb::encrypt(aes, body, len)?;
            }
            #[cfg(feature = "v34")]
            Schedule::EcbHmac { aes, .. } => {
                ecb::encrypt(aes, body, len)?;
            }
            _ => {}
        }
    }
    let (covered, footer) = frame.split_at_mut_checked(footer_at)?;
    let (code, suffix) = footer.split_last_chunk_mut::<4>()?;
    match schedule {
        #[cfg(feature = "v34")]
        Schedule::EcbHmac { hmac, .. } => {
            code.copy_from_slice(&hmac.clone().chain_update(&*covered).finalize().into_bytes());
        }
        _ => code.copy_from_slice(&crc::checksum(covered)),
    }
    *suffix = frame_55aa::SUFFIX;
    Some(total)
}

fn put(frame: &mut [u8], at: core::ops::Range<usize>, bytes: &[u8]) -> Option<()> {
    frame.get_mut(at)?.copy_from_slice(bytes);
    Some(())
}
