//! One frame: opened with the real key, masked, and sealed under the substitute.

use core::ops::Range;

use rustuya_proto::{
    CommandCode, FrameError, FrameKind, Head, Keys, Opened, Payload, Sender, Version, VersionHeader, frame_kind, open,
    seal,
};

use crate::ids::Pseudonyms;
use crate::keys::{KeyRing, Schedules};
use crate::mask::{self, Filler};

/// Fields of 55AA frames.
const SEQNO_55AA: Range<usize> = 4..8;
const COMMAND_55AA: Range<usize> = 8..12;
const BODY_55AA: usize = 16;
const FOOTER_CRC: usize = 8;
/// Fields of 6699 frames.
const IV: Range<usize> = 18..30;
const BODY_6699: usize = IV.end;
const SUFFIX: usize = 4;
/// Largest number of attempts when a new frame looks different to a machine than the original did, as one in a few
/// hundred does by chance.
const ATTEMPTS: u8 = 32;

/// The size of the header of a frame with the prefix that `front` begins with.
pub(crate) fn header_len(front: &[u8]) -> usize {
    if frame_kind(front) == Some(FrameKind::F6699) { IV.start } else { BODY_55AA }
}

/// Masks one whole frame, and follows the negotiation that it may be a part of.
pub(crate) fn mask(frame: &[u8], sender: Sender, ring: &mut KeyRing, ids: &mut Pseudonyms) -> Vec<u8> {
    let found = Found::new(frame, sender, ring);
    let negotiated = found.as_ref().and_then(|found| found.negotiate(sender, ring));
    let wanted = looks(frame, sender, ring, |both| &both.real);
    let mut masked = Vec::new();
    for attempt in 0..ATTEMPTS {
        let filler = Filler::attempt(attempt);
        masked = found
            .as_ref()
            .and_then(|found| {
                let payload = match &negotiated {
                    Some(payload) => payload.clone(),
                    None => mask::payload(found.payload(), ids, filler),
                };
                found.seal(frame, sender, ring, &payload)
            })
            .filter(|made| made.len() == frame.len())
            .unwrap_or_else(|| scramble(frame, sender, ids, attempt));
        if looks(&masked, sender, ring, |both| &both.substitute) == wanted {
            break;
        }
    }
    masked
}

/// Facts about a frame.
pub(crate) struct Seen {
    pub(crate) command: CommandCode,
    pub(crate) seqno: u32,
    pub(crate) retcode: Option<u32>,
    /// `None` for a part of the negotiation.
    pub(crate) payload: Option<Vec<u8>>,
}

/// Opens one whole frame, and follows the negotiation that it may be a part of.
pub(crate) fn seen(frame: &[u8], sender: Sender, ring: &mut KeyRing) -> Option<Seen> {
    let found = Found::new(frame, sender, ring)?;
    let negotiated = found.negotiate(sender, ring).is_some();
    let Opened { seqno, command, retcode, .. } = found.opened;
    let payload = (!negotiated).then(|| found.payload().to_vec());
    Some(Seen { command, seqno, retcode: retcode.map(|code| code.0), payload })
}

/// A frame that could be opened.
struct Found {
    opened: Opened,
    /// The frame with its payload opened.
    plain: Vec<u8>,
    version: Version,
    /// Opened with the session key.
    session: bool,
}

impl Found {
    fn new(frame: &[u8], sender: Sender, ring: &KeyRing) -> Option<Self> {
        let session = ring.session.as_ref().map(|both| (&both.real, true));
        let local = (&ring.local.real, false);
        for (keys, session) in session.into_iter().chain([local]) {
            let candidates: &[&Keys] = match frame_kind(frame)? {
                FrameKind::F6699 => &[&keys.v35],
                FrameKind::F55aa if session => &[&keys.v34],
                FrameKind::F55aa if is_v31(frame) => &[&keys.v34, &keys.v31, &keys.v33],
                FrameKind::F55aa => &[&keys.v34, &keys.v33],
            };
            for keys in candidates {
                let mut plain = frame.to_vec();
                if let Ok(opened) = open(keys, sender, &mut plain) {
                    return Some(Self { opened, plain, version: keys.version(), session });
                }
            }
        }
        None
    }

    fn payload(&self) -> &[u8] {
        self.plain.get(self.opened.payload.clone()).unwrap_or_default()
    }

    /// Makes a message of the negotiation under the substitute; `None` for any other frame.
    fn negotiate(&self, sender: Sender, ring: &mut KeyRing) -> Option<Vec<u8>> {
        let payload = self.payload();
        if self.session || !self.version.negotiates() {
            return None;
        }
        let (kept, redone): (usize, Option<Vec<u8>>) = match (self.opened.command, sender) {
            (CommandCode::SESS_KEY_NEG_START, Sender::Controller) => {
                ring.start(payload);
                (16, None)
            }
            (CommandCode::SESS_KEY_NEG_RESP, Sender::Device) => {
                (16, ring.resp(self.version, payload).map(|message| message.to_vec()))
            }
            (CommandCode::SESS_KEY_NEG_FINISH, Sender::Controller) => {
                (0, ring.finish(payload).map(|message| message.to_vec()))
            }
            _ => return None,
        };
        let mut message = redone.unwrap_or_else(|| payload.iter().take(kept).copied().collect());
        message.resize(payload.len(), b'x');
        Some(message)
    }

    /// The frame with `payload`, sealed as the original was.
    fn seal(&self, frame: &[u8], sender: Sender, ring: &KeyRing, payload: &[u8]) -> Option<Vec<u8>> {
        let session = ring.session.as_ref().filter(|_| self.session);
        let keys = &session.unwrap_or(&ring.local).substitute;
        let Opened { seqno, command, retcode, header, encrypted, .. } = self.opened;
        let head = Head { sender, seqno, command, retcode, header };
        match self.version {
            Version::V35 => {
                let iv = frame.get(IV)?.try_into().ok()?;
                sealed(&keys.v35, &head, iv, payload, frame.len())
            }
            // A device that seals an empty payload nevertheless does it as controllers do.
            Version::V34 => sealed(&keys.v34, &head, &[0; 12], payload, frame.len())
                .or_else(|| {
                    sealed(&keys.v34, &Head { sender: Sender::Controller, ..head }, &[0; 12], payload, frame.len())
                })
                .or_else(|| {
                    sealed(&keys.v34, &Head { sender: Sender::Device, ..head }, &[0; 12], payload, frame.len())
                }),
            Version::V32 | Version::V33 if encrypted => sealed(&keys.v33, &head, &[0; 12], payload, frame.len())
                .or_else(|| {
                    sealed(&keys.v33, &Head { sender: Sender::Controller, ..head }, &[0; 12], payload, frame.len())
                }),
            Version::V31 if encrypted => {
                let head = Head { sender: Sender::Controller, command: CommandCode::CONTROL, retcode: None, ..head };
                let mut out = vec![0; frame.len() + 64];
                let len = seal(&keys.v31, &head, &[0; 12], payload, &mut out).ok()?;
                let envelope = out.get(BODY_55AA..len.checked_sub(FOOTER_CRC)?)?;
                let mut body = retcode.map_or_else(Vec::new, |code| code.0.to_be_bytes().to_vec());
                body.extend_from_slice(envelope);
                with_crc(frame, &body)
            }
            Version::V31 | Version::V32 | Version::V33 => {
                let mut clear = frame.to_vec();
                clear.get_mut(self.opened.payload.clone())?.copy_from_slice(payload);
                with_crc(frame, body_of(&clear)?)
            }
        }
    }
}

/// A sealed frame, if it comes out with the length `len`.
fn sealed(keys: &Keys, head: &Head, iv: &[u8; 12], payload: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; len];
    (seal(keys, head, iv, payload, &mut out) == Ok(len)).then_some(out)
}

/// The frame with another body and a right CRC. A frame of 3.1 whose payload is in clear text is just that, for
/// every command but the one of each side that has an envelope.
fn with_crc(frame: &[u8], body: &[u8]) -> Option<Vec<u8>> {
    let field = |at: Range<usize>| frame.get(at)?.try_into().ok().map(u32::from_be_bytes);
    let command = CommandCode(field(COMMAND_55AA)?);
    let sender = if command == CommandCode::CONTROL { Sender::Device } else { Sender::Controller };
    let head = Head { sender, seqno: field(SEQNO_55AA)?, command, retcode: None, header: None };
    let mut out = vec![0; body.len() + BODY_55AA + FOOTER_CRC];
    let len = seal(&Keys::new(Version::V31, &[0; 16]), &head, &[0; 12], body, &mut out).ok()?;
    out.truncate(len);
    Some(out)
}

/// Returns the bytes between the header of a 55AA frame and a CRC.
fn body_of(frame: &[u8]) -> Option<&[u8]> {
    frame.get(BODY_55AA..frame.len().checked_sub(FOOTER_CRC)?)
}

/// Returns the position of the payload in a body: behind a return code, which three zeros tell.
fn behind_retcode(body: &[u8]) -> usize {
    if body.len() >= 4 && body.starts_with(&[0; 3]) { 4 } else { 0 }
}

/// Returns whether only 3.1 can have written the body.
fn is_v31(frame: &[u8]) -> bool {
    let body = body_of(frame).unwrap_or_default();
    let payload = body.get(behind_retcode(body)..).unwrap_or_default();
    is_envelope(payload) || payload.starts_with(b"{\"")
}

/// Returns whether a payload has the envelope of 3.1: a version, a signature and base64. No ciphertext looks like it.
fn is_envelope(payload: &[u8]) -> bool {
    payload.strip_prefix(b"3.1").is_some_and(|rest| rest.len() >= 16 && rest.iter().all(u8::is_ascii_graphic))
}

/// A frame that could not be opened, with an arbitrary body: the header, the return code, the version header and the
/// kind of its characters stay.
fn scramble(frame: &[u8], sender: Sender, ids: &mut Pseudonyms, attempt: u8) -> Vec<u8> {
    let mut noise = Noise::new(frame.len(), attempt);
    let mut masked = frame.to_vec();
    if frame_kind(frame) == Some(FrameKind::F6699) {
        let end = frame.len().saturating_sub(SUFFIX);
        masked.get_mut(BODY_6699..end).unwrap_or_default().iter_mut().for_each(|byte| *byte = noise.byte());
        return masked;
    }
    let Some(body) = body_of(frame) else {
        return masked;
    };
    let mut start = if sender == Sender::Device { behind_retcode(body) } else { 0 };
    let rest = body.get(start..).unwrap_or_default();
    let mut scrambled = body.to_vec();
    let is_v31 = is_envelope(rest);
    if VersionHeader::at_front_of(rest).is_some() {
        start += if is_v31 { 3 } else { VersionHeader::LEN };
    }
    if rest.starts_with(b"{\"") {
        scrambled.truncate(start);
        scrambled.extend(mask::payload(rest, ids, Filler::attempt(attempt)));
    } else {
        // In base64, the character before the padding must not say more than the padding leaves.
        let padding = rest.iter().rev().take_while(|byte| **byte == b'=').count();
        let last = body.len().checked_sub(padding + 1).filter(|_| padding > 0);
        for (at, byte) in scrambled.iter_mut().enumerate().skip(start) {
            *byte = match byte {
                _ if !is_v31 => noise.byte(),
                b'=' => b'=',
                _ if Some(at) == last => b'A',
                _ => noise.letter(),
            };
        }
    }
    let had_crc = with_crc(frame, body).is_some_and(|same| same == frame);
    if had_crc && let Some(made) = with_crc(frame, &scrambled) {
        return made;
    }
    // The bytes in place of a CRC may be the end of a ciphertext or of an HMAC.
    let end = frame.len().saturating_sub(SUFFIX);
    masked.get_mut(BODY_55AA..).unwrap_or_default().iter_mut().zip(&scrambled).for_each(|(slot, byte)| *slot = *byte);
    let footer = BODY_55AA + scrambled.len();
    masked.get_mut(footer..end).unwrap_or_default().iter_mut().for_each(|byte| *byte = noise.byte());
    masked
}

/// Meaning of a frame for machines of every version, as far as that changes what they do.
#[derive(PartialEq, Eq)]
enum Look {
    Open {
        opened: Opened,
        header: Option<[u8; 3]>,
        json: bool,
        words: Option<rustuya_proto::DeviceError>,
        trimmed: usize,
    },
    Padding,
    Bad,
}

fn looks(
    frame: &[u8],
    sender: Sender,
    ring: &KeyRing,
    side: impl Fn(&crate::keys::Both<Schedules>) -> &Schedules,
) -> Vec<Look> {
    let local = side(&ring.local);
    let session = ring.session.as_ref().map(side);
    let keys = [Some(&local.v31), Some(&local.v33), Some(&local.v34), Some(&local.v35)];
    let session = [session.map(|s| &s.v34), session.map(|s| &s.v35)];
    let look = |keys: &Keys| {
        let mut copy = frame.to_vec();
        match open(keys, sender, &mut copy) {
            Ok(mut opened) => {
                let payload = Payload::new(copy.get(opened.payload.clone()).unwrap_or_default());
                // Of a header only the version matters, of a nonce and its proof nothing.
                let header = opened.header.take().map(|header| header.text);
                let says = !opened.command.is_negotiation();
                let json = says && matches!(payload.as_bytes().first(), Some(b'{' | b'['));
                let trimmed = if says { payload.as_bytes().len() } else { 0 };
                Look::Open { header, json, words: payload.error(), trimmed, opened }
            }
            Err(FrameError::Padding) => Look::Padding,
            Err(_) => Look::Bad,
        }
    };
    keys.into_iter().chain(session).flatten().map(look).collect()
}

/// Arbitrary bytes that depend on nothing that is in the frame.
struct Noise(u64);

impl Noise {
    const fn new(len: usize, attempt: u8) -> Self {
        Self(((len as u64) << 8) | attempt as u64)
    }

    const fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).to_be_bytes()[0]
    }

    const fn letter(&mut self) -> u8 {
        b'a' + self.byte() % 26
    }
}

#[cfg(test)]
mod tests {
    use rustuya_proto::LocalKey;
    use rustuya_vectors::{Direction, Transport, tinytuya};

    use super::*;

    #[test]
    fn frames_of_other_programs_look_the_same_and_keep_their_headers() {
        let mut opened = 0;
        for vector in tinytuya().iter().filter(|vector| vector.transport == Transport::Tcp) {
            let frame = vector.frame();
            let sender = match vector.direction {
                Direction::Client => Sender::Controller,
                Direction::Device => Sender::Device,
            };
            let local = vector.local_key().expect("a key");
            for key in [local, vector.session_key().unwrap_or(local), *b"not-the-key-1234"] {
                let mut ring = KeyRing::new(&LocalKey::new(key), 1);
                let mut ids = Pseudonyms::default();
                opened += usize::from(Found::new(&frame, sender, &ring).is_some());
                let masked = mask(&frame, sender, &mut ring, &mut ids);
                let name = &vector.name;
                assert_eq!(masked.len(), frame.len(), "{name}");
                assert_eq!(masked[..header_len(&frame)], frame[..header_len(&frame)], "{name}");
                let real = looks(&frame, sender, &ring, |both| &both.real);
                assert!(real == looks(&masked, sender, &ring, |both| &both.substitute), "{name}");
                let payload = vector.payload_bytes();
                let says = payload.len() > 20 && !payload.starts_with(b"{\"reqType") && vector.retcode != Some(1);
                assert!(!says || !masked.windows(payload.len()).any(|part| part == payload), "{name}");
            }
        }
        assert!(opened > 200, "{opened}");
    }
}
