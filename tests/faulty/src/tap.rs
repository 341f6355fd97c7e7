//! Reads passing frames: splits the stream, and decrypts with the keys from the negotiation.

use rustuya_proto::{
    CommandCode, Head, Keys, LocalKey, Nonce, Sender, Version, derive_session_key, frame_kind, frame_len, open, seal,
};

/// Piece of a byte stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A whole frame by its prefix and length, unchecked.
    Frame(Vec<u8>),
    /// Bytes that do not begin a frame.
    Other(Vec<u8>),
}

/// Cuts a byte stream into frames.
#[derive(Debug, Default)]
pub(crate) struct Splitter(Vec<u8>);

impl Splitter {
    /// Longer frames are passed on unsplit: no device takes or sends them.
    const LIMIT: usize = 160 * 1024;

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the next complete piece.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        if self.0.is_empty() {
            return None;
        }
        match frame_len(&self.0) {
            Ok(Some(len)) if len > Self::LIMIT => Some(Piece::Other(self.take(self.0.len()))),
            Ok(Some(len)) if self.0.len() >= len => Some(Piece::Frame(self.take(len))),
            Ok(_) => None,
            Err(_) => {
                let rest = self.0.iter().skip(1).position(|byte| *byte == 0);
                Some(Piece::Other(self.take(rest.map_or(self.0.len(), |at| at + 1))))
            }
        }
    }

    fn take(&mut self, n: usize) -> Vec<u8> {
        let rest = self.0.split_off(n);
        core::mem::replace(&mut self.0, rest)
    }
}

/// Decrypted frame.
#[derive(Clone, Debug)]
pub(crate) struct Clear {
    pub(crate) head: Head,
    pub(crate) payload: Vec<u8>,
}

/// Keys of one connection.
pub(crate) struct Tap {
    version: Version,
    local: LocalKey,
    nonce: Option<Nonce>,
    key: Option<[u8; 16]>,
}

impl Tap {
    pub(crate) fn new(version: Version, local: LocalKey) -> Self {
        let key = (!version.negotiates()).then(|| *local.expose());
        Self { version, local, nonce: None, key }
    }

    /// Creates the keys after the negotiation.
    #[cfg(test)]
    pub(crate) fn with_key(version: Version, key: [u8; 16]) -> Self {
        Self { version, local: LocalKey::new(key), nonce: None, key: Some(key) }
    }

    pub(crate) const fn version(&self) -> Version {
        self.version
    }

    /// Returns the key of frames after the negotiation.
    pub(crate) const fn key(&self) -> Option<&[u8; 16]> {
        self.key.as_ref()
    }

    /// Reads a frame of the negotiation.
    pub(crate) fn note(&mut self, sender: Sender, frame: &[u8]) {
        let command = command(frame);
        if !command.is_negotiation() || !self.version.negotiates() {
            return;
        }
        let Some(clear) = open_under(&Keys::new(self.version, self.local.expose()), sender, frame) else { return };
        let nonce = clear.payload.first_chunk::<16>().copied();
        if command == CommandCode::SESS_KEY_NEG_START {
            self.nonce = nonce;
        } else if let (CommandCode::SESS_KEY_NEG_RESP, Some(controller), Some(device)) = (command, self.nonce, nonce) {
            let key = derive_session_key(self.version, &self.local, &controller, &device);
            self.key = key.map(|key| *key.expose());
        }
    }

    /// Decrypts a frame after the negotiation; `None` if it is not encrypted with this connection's key.
    pub(crate) fn open(&self, sender: Sender, frame: &[u8]) -> Option<Clear> {
        open_under(&self.keys()?, sender, frame)
    }

    /// Returns whether a frame acknowledges a control. Refusals have a text.
    pub(crate) fn is_ack(&self, frame: &[u8]) -> bool {
        matches!(command(frame), CommandCode::CONTROL | CommandCode::CONTROL_NEW)
            && self.open(Sender::Device, frame).is_some_and(|clear| clear.payload.is_empty())
    }

    /// Encrypts a frame with this connection's key.
    pub(crate) fn seal(&self, clear: &Clear, iv: &[u8; 12]) -> Option<Vec<u8>> {
        let mut out = vec![0; clear.payload.len() * 2 + 256];
        let len = seal(&self.keys()?, &clear.head, iv, &clear.payload, &mut out).ok()?;
        out.truncate(len);
        Some(out)
    }

    fn keys(&self) -> Option<Keys> {
        Some(Keys::new(self.version, self.key()?))
    }
}

fn open_under(keys: &Keys, sender: Sender, frame: &[u8]) -> Option<Clear> {
    let mut copy = frame.to_vec();
    let opened = open(keys, sender, &mut copy).ok()?;
    let head =
        Head { sender, seqno: opened.seqno, command: opened.command, retcode: opened.retcode, header: opened.header };
    Some(Clear { head, payload: copy.get(opened.payload)?.to_vec() })
}

/// Returns the command in a frame's header.
pub(crate) fn command(frame: &[u8]) -> CommandCode {
    let at = match frame_kind(frame) {
        Some(rustuya_proto::FrameKind::F6699) => 10,
        Some(rustuya_proto::FrameKind::F55aa) | None => 8,
    };
    let bytes = frame.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    CommandCode(u32::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_cut_into_frames_and_the_rest() {
        let frame = [&b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x09\0\0\0\x08"[..], b"crc!\0\0\xaa\x55"].concat();
        let stream = [b"junk", frame.as_slice(), b"\0x", frame.as_slice()].concat();
        for step in [1, 3, stream.len()] {
            let mut splitter = Splitter::default();
            let (mut frames, mut other) = (0, Vec::new());
            for bytes in stream.chunks(step) {
                splitter.push(bytes);
                while let Some(piece) = splitter.next() {
                    match piece {
                        Piece::Frame(found) => {
                            assert_eq!(found, frame);
                            assert_eq!(command(&found), CommandCode::HEART_BEAT);
                            frames += 1;
                        }
                        Piece::Other(bytes) => other.extend(bytes),
                    }
                }
            }
            assert_eq!((frames, other.as_slice()), (2, &b"junk\0x"[..]), "in steps of {step}");
        }
    }
}
