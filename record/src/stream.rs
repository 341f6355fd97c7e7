//! One direction of a connection: masks frames as soon as they are whole, and what lies between them.

use rustuya_proto::{FrameKind, Sender, frame_kind, frame_len};

use crate::frame::{self, header_len};
use crate::ids::Pseudonyms;
use crate::keys::KeyRing;

/// Substitute of bytes that are no part of a frame.
const GARBAGE: u8 = b'x';

/// Bytes in, and as many masked bytes out, some of them later.
pub(crate) struct Stream {
    sender: Sender,
    /// The largest frame that the receiving machine takes.
    capacity: usize,
    /// Bytes that are not masked yet.
    raw: Vec<u8>,
    /// So many of `raw` are to stay as they are, because a machine judges them.
    keep: usize,
    /// So many of what comes next belong to a frame that was given up.
    skip: usize,
    masked: Vec<u8>,
}

impl Stream {
    pub(crate) const fn new(sender: Sender, capacity: usize) -> Self {
        Self { sender, capacity, raw: Vec::new(), keep: 0, skip: 0, masked: Vec::new() }
    }

    /// Sets the size of the largest frame.
    pub(crate) const fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Takes what was read or written at once.
    pub(crate) fn push(&mut self, bytes: &[u8], ring: &mut KeyRing, ids: &mut Pseudonyms) {
        let skipped = bytes.len().min(self.skip);
        self.skip -= skipped;
        self.masked.resize(self.masked.len() + skipped, GARBAGE);
        self.raw.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        self.advance(ring, ids);
    }

    /// Takes bytes of which nothing can be known.
    pub(crate) fn push_unknown(&mut self, len: usize) {
        self.masked.resize(self.masked.len() + len, GARBAGE);
    }

    /// Masks what is left, because nothing follows any more.
    pub(crate) fn end(&mut self) {
        self.give_up();
        self.skip = 0;
    }

    /// Masks what is left although the rest of its frame may follow.
    pub(crate) fn give_up(&mut self) {
        let whole = frame_len(&self.raw).ok().flatten().unwrap_or_default();
        let header = header_len(&self.raw);
        if whole > 0 && self.raw.len() >= header {
            self.keep = self.keep.max(header);
        }
        self.skip = whole.saturating_sub(self.raw.len());
        self.take(self.raw.len());
    }

    /// Returns the number of masked bytes that wait to be taken.
    pub(crate) const fn ready(&self) -> usize {
        self.masked.len()
    }

    /// Takes masked bytes, at most as many as are ready.
    pub(crate) fn pull(&mut self, len: usize) -> Vec<u8> {
        let rest = self.masked.split_off(len.min(self.masked.len()));
        core::mem::replace(&mut self.masked, rest)
    }

    fn advance(&mut self, ring: &mut KeyRing, ids: &mut Pseudonyms) {
        loop {
            self.take(find_prefix(&self.raw));
            let need = match frame_len(&self.raw) {
                Ok(None) => return,
                Ok(Some(need)) if need <= self.capacity => need,
                _ => {
                    self.refuse();
                    continue;
                }
            };
            let Some(whole) = self.raw.get(..need) else {
                return;
            };
            let suffix: [u8; 4] = match frame_kind(whole) {
                Some(FrameKind::F6699) => [0, 0, 0x99, 0x66],
                _ => [0, 0, 0xaa, 0x55],
            };
            if !whole.ends_with(&suffix) {
                self.refuse();
                continue;
            }
            let masked = frame::mask(whole, self.sender, ring, ids);
            self.masked.extend(masked);
            self.raw.drain(..need);
            self.keep = self.keep.saturating_sub(need);
        }
    }

    /// Rejects bytes that look like a frame: a machine passes over the prefix and looks for the next one. The header
    /// stays, so that the machine sees the same.
    fn refuse(&mut self) {
        self.keep = self.keep.max(header_len(&self.raw));
        self.take(4);
    }

    /// Masks the first `len` bytes but for those that are to be kept.
    fn take(&mut self, len: usize) {
        let len = len.min(self.raw.len());
        let kept = self.keep.min(len);
        self.keep -= kept;
        self.masked.extend(self.raw.drain(..kept));
        self.masked.resize(self.masked.len() + len - kept, GARBAGE);
        self.raw.drain(..len - kept);
    }
}

/// Returns the position of the first prefix of a frame, or of bytes that may become one at the very end.
fn find_prefix(bytes: &[u8]) -> usize {
    let whole = bytes.windows(4).position(|window| frame_kind(window).is_some());
    whole.unwrap_or_else(|| {
        let tail = bytes.len().saturating_sub(3);
        (tail..bytes.len())
            .find(|at| bytes.get(*at..).is_some_and(|end| frame_len(end) == Ok(None)))
            .unwrap_or(bytes.len())
    })
}
