//! Frames as bytes: their start, their length and their header. Needs no key.

pub(crate) mod command;
pub(crate) mod frame_55aa;
pub(crate) mod frame_6699;

use core::fmt;

use command::CommandCode;

/// The two kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "both kinds must be handled wherever frames are")]
pub enum FrameKind {
    /// `000055AA`: 3.1 to 3.4.
    F55aa,
    /// `00006699`: 3.5.
    F6699,
}

/// Reason why bytes are not a frame that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes do not begin with a frame prefix. A reader skips to the next one.
    Prefix,
    /// The length field is below the smallest frame of its kind, or does not fit the bytes given.
    Length,
    /// The frame is larger than the buffer lent for it: lend `need` bytes, or treat it as garbage.
    TooLong {
        /// Bytes of the whole frame according to its length field; saturated.
        need: usize,
    },
    /// The frame does not end in its suffix.
    Suffix,
    /// The CRC-32, HMAC or GCM tag does not fit: damaged, another key, or another version.
    Integrity,
    /// The decrypted text does not end in PKCS#7 padding: another key, or another version.
    Padding,
    /// The frame is intact, but its body has a size or form that no version produces.
    Malformed,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prefix => "no frame prefix",
            Self::Length => "impossible frame length",
            Self::TooLong { .. } => "frame larger than the receive buffer",
            Self::Suffix => "wrong frame suffix",
            Self::Integrity => "integrity check failed: damaged frame, wrong key or wrong version",
            Self::Padding => "wrong padding: wrong key or wrong version",
            Self::Malformed => "malformed frame body",
        })
    }
}

impl core::error::Error for FrameError {}

/// Returns the kind of the frame that `front` begins with.
pub fn frame_kind(front: &[u8]) -> Option<FrameKind> {
    match *front.first_chunk::<4>()? {
        frame_55aa::PREFIX => Some(FrameKind::F55aa),
        frame_6699::PREFIX => Some(FrameKind::F6699),
        _ => None,
    }
}

/// Returns the size of the frame that `front` begins with, from its header alone; `None` while the header is
/// incomplete.
///
/// # Errors
/// [`FrameError::Prefix`] when `front` cannot become a frame, [`FrameError::Length`] when the length field is too
/// small for any frame of the kind.
#[expect(clippy::arithmetic_side_effects, reason = "a sum of lengths of fixed parts")]
pub fn frame_len(front: &[u8]) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = front.first_chunk::<4>() else {
        let possible = frame_55aa::PREFIX.starts_with(front) || frame_6699::PREFIX.starts_with(front);
        return if possible { Ok(None) } else { Err(FrameError::Prefix) };
    };
    let (length_field, min, around) = match *prefix {
        frame_55aa::PREFIX => (frame_55aa::LENGTH, frame_55aa::CRC_FOOTER, frame_55aa::BODY),
        frame_6699::PREFIX => {
            (frame_6699::LENGTH, frame_6699::MIN_LENGTH, frame_6699::LENGTH.end + frame_6699::SUFFIX.len())
        }
        _ => return Err(FrameError::Prefix),
    };
    let Some(length) = front.get(length_field).and_then(be32) else {
        return Ok(None);
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length < min {
        return Err(FrameError::Length);
    }
    Ok(Some(length.saturating_add(around)))
}

/// Content of the front of a byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A whole frame of this many bytes. Only its prefix, length and suffix are checked.
    Frame(usize),
    /// The beginning of a frame, or nothing.
    Partial,
    /// The beginning of a frame of this many bytes, which is too large to be kept. The caller skips it as a whole.
    TooLong(usize),
    /// Something that looks like a frame but cannot be one; skip its prefix.
    Bad(FrameError),
}

/// Larger than any frame that a device can have memory for. Bytes that announce a larger one are not a header.
const LARGEST: usize = 1 << 20;
/// No command code is larger. Bytes that hold a larger one, and announce a frame that is too large, are not a header.
const LAST_COMMAND: u32 = 0xff;

/// Finds the next frame in `stream`. Returns the number of bytes to drop in front of it, and the content behind them. A
/// frame of more than `capacity` bytes is too long; its bytes are not searched for frames, because ciphertext may look
/// like anything.
pub(crate) fn next_frame(stream: &[u8], capacity: usize) -> (usize, Front) {
    let garbage = find_prefix(stream);
    let Some(front) = stream.get(garbage..) else {
        return (garbage, Front::Partial);
    };
    let found = match frame_len(front) {
        Err(error) => Front::Bad(error),
        Ok(None) => Front::Partial,
        Ok(Some(need)) if need > capacity && is_plausible(front, need) => Front::TooLong(need),
        Ok(Some(need)) if need > capacity => Front::Bad(FrameError::TooLong { need }),
        Ok(Some(need)) => match front.get(..need) {
            None => Front::Partial,
            Some(frame) if frame.ends_with(suffix_of(frame)) => Front::Frame(need),
            Some(_) => Front::Bad(FrameError::Suffix),
        },
    };
    (garbage, found)
}

/// Returns whether the header that `front` begins with, of a frame of `need` bytes, can come from a device.
fn is_plausible(front: &[u8], need: usize) -> bool {
    let reserved = frame_kind(front) != Some(FrameKind::F6699) || front.get(4..6) == Some(&[0, 0]);
    need <= LARGEST && reserved && seqno_and_command(front).1.0 <= LAST_COMMAND
}

/// Returns the sequence number and the command in the header of a frame, unverified.
pub(crate) fn seqno_and_command(frame: &[u8]) -> (u32, CommandCode) {
    let (seqno, command) = match frame_kind(frame) {
        Some(FrameKind::F6699) => (frame_6699::SEQNO, frame_6699::COMMAND),
        Some(FrameKind::F55aa) | None => (frame_55aa::SEQNO, frame_55aa::COMMAND),
    };
    let number = |at| frame.get(at).and_then(be32).unwrap_or_default();
    (number(seqno), CommandCode(number(command)))
}

/// Returns the suffix that belongs to the prefix of `frame`.
pub(crate) fn suffix_of(frame: &[u8]) -> &'static [u8; 4] {
    match frame_kind(frame) {
        Some(FrameKind::F6699) => &frame_6699::SUFFIX,
        Some(FrameKind::F55aa) | None => &frame_55aa::SUFFIX,
    }
}

/// Returns the offset of the first frame prefix, or of the beginning of one at the very end.
fn find_prefix(stream: &[u8]) -> usize {
    if frame_kind(stream).is_some() {
        return 0;
    }
    let whole = stream.windows(4).position(|w| frame_kind(w).is_some());
    whole.unwrap_or_else(|| {
        let tail = stream.len().saturating_sub(3);
        let partial = |at: &usize| {
            let end = stream.get(*at..).unwrap_or_default();
            frame_55aa::PREFIX.starts_with(end) || frame_6699::PREFIX.starts_with(end)
        };
        (tail..stream.len()).find(partial).unwrap_or(stream.len())
    })
}

/// Reads a big-endian number from exactly four bytes.
pub(crate) fn be32(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_found_behind_garbage_and_at_the_end() {
        assert_eq!(find_prefix(b"\x00\x00\x55\xaa"), 0);
        assert_eq!(find_prefix(b"xx\x00\x00\x66\x99"), 2);
        assert_eq!(find_prefix(b"x\x00\x00\x00\x55\xaa"), 2);
        assert_eq!(find_prefix(b"xyz\x00\x00\x66"), 3);
        assert_eq!(find_prefix(b"xyz\x00"), 3);
        assert_eq!(find_prefix(b"xyzw"), 4);
        assert_eq!(find_prefix(b""), 0);
    }

    #[test]
    fn lengths_are_bounded_both_ways() {
        let mut head = [0u8; 18];
        head[..4].copy_from_slice(&frame_55aa::PREFIX);
        assert_eq!(frame_len(&head[..15]), Ok(None));
        assert_eq!(frame_len(&head), Err(FrameError::Length));
        head[frame_55aa::LENGTH].copy_from_slice(&8u32.to_be_bytes());
        assert_eq!(frame_len(&head), Ok(Some(24)));
        head[frame_55aa::LENGTH].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(next_frame(&head, 4096), (0, Front::Bad(FrameError::TooLong { .. }))));
        head[..4].copy_from_slice(&frame_6699::PREFIX);
        head[frame_6699::LENGTH].copy_from_slice(&28u32.to_be_bytes());
        assert_eq!(frame_len(&head), Ok(Some(50)));
        assert_eq!(frame_len(b"\x00\x01"), Err(FrameError::Prefix));
    }
}
