//! Byte buffers that the driver lends to the machines.

use crate::wire::frame_len;

/// Memory for a buffer: any fixed run of bytes.
///
/// Implemented for every such type: `[u8; N]`, `&mut [u8]`, `Box<[u8]>`, `Vec<u8>`, a registered or DMA buffer.
pub trait Storage: AsRef<[u8]> + AsMut<[u8]> {}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Storage for T {}

/// Received bytes that no machine has consumed yet.
///
/// The driver reads from its socket into [`spare_mut`](Self::spare_mut) and reports the count with
/// [`commit`](Self::commit); a machine's `poll` consumes from the front and decrypts in place. An empty buffer
/// carries no state, so a driver may take the storage back between two reads.
#[derive(Debug)]
pub struct RxBuf<S> {
    storage: S,
    start: usize,
    end: usize,
    /// Largest frame to wait for, in bytes; zero means as much as the storage holds.
    limit: usize,
}

impl<S: Storage> RxBuf<S> {
    /// Creates an empty buffer over `storage`. Its length is the largest frame that can be received: a larger one is
    /// skipped, and reported as [`Event::Skipped`](crate::Event::Skipped). Devices with few DPs stay below 1024 bytes.
    /// Vendor firmware sends frames of any size: the state of a device with many DPs, or with long texts, can exceed
    /// 4096 bytes.
    pub const fn new(storage: S) -> Self {
        Self { storage, start: 0, end: 0, limit: 0 }
    }

    /// Creates an empty buffer that waits for frames of up to `limit` bytes, whatever the size of its storage. For
    /// drivers that allocate on demand: each time that [`spare_mut`](Self::spare_mut) is empty after a `poll` that
    /// ended in `Wait`, they must lend a larger storage with [`replace`](Self::replace).
    pub const fn growing(storage: S, limit: usize) -> Self {
        Self { storage, start: 0, end: 0, limit }
    }

    /// Moves the unread bytes into another storage and returns the old one. Drops bytes that do not fit there, the last
    /// ones first.
    pub fn replace(&mut self, mut storage: S) -> S {
        let unread = self.storage.as_ref().get(self.start..self.end).unwrap_or_default();
        let room = storage.as_mut();
        let kept = unread.len().min(room.len());
        room.iter_mut().zip(unread).for_each(|(slot, byte)| *slot = *byte);
        (self.start, self.end) = (0, kept);
        core::mem::replace(&mut self.storage, storage)
    }

    /// Returns the size of the storage in bytes.
    pub fn capacity(&self) -> usize {
        self.storage.as_ref().len()
    }

    /// Returns free space to read into. First moves the unread bytes to the front when the tail is used up. Never empty
    /// after a `poll` that ended in `Wait`, unless the buffer is a [growing](Self::growing) one.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let mut rx = self.lend();
        if rx.buf.len().saturating_sub(*rx.end) < rx.buf.len() / 2 {
            rx.compact();
        }
        self.storage.as_mut().get_mut(self.end..).unwrap_or_default()
    }

    /// Reports that the first `n` bytes of [`spare_mut`](Self::spare_mut) were filled. A larger `n` counts as all.
    pub fn commit(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.storage.as_ref().len());
    }

    /// Returns the number of received bytes not consumed yet.
    pub const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Returns whether all bytes are consumed, so that the driver may take the storage back.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all unread bytes.
    pub const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Takes the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    #[cfg(feature = "emulator")]
    pub(crate) fn unread(&self) -> &[u8] {
        self.at(self.start..self.end)
    }

    pub(crate) fn lend(&mut self) -> Rx<'_> {
        let buf = self.storage.as_mut();
        self.end = self.end.min(buf.len());
        self.start = self.start.min(self.end);
        let limit = if self.limit == 0 { buf.len() } else { self.limit };
        Rx { buf, start: &mut self.start, end: &mut self.end, limit }
    }

    /// Returns the bytes at an absolute range inside the storage, as reported by a machine; empty when out of range.
    pub(crate) fn at(&self, range: core::ops::Range<usize>) -> &[u8] {
        self.storage.as_ref().get(range).unwrap_or_default()
    }
}

/// Bytes to send that are not written to the socket yet.
///
/// Machines append whole frames; the driver writes [`pending`](Self::pending) to its socket and reports the count
/// with [`consume`](Self::consume). Frames lie back to back.
///
/// Vendor firmware closes the connection, or stops answering until it is power-cycled, when it receives only a part of
/// a frame. A driver therefore writes [`next_write`](Self::next_write) in one call, finishes a frame that it began
/// before it closes the connection, and resets the connection (`SO_LINGER` of zero) where it cannot.
#[derive(Debug)]
pub struct TxBuf<S> {
    storage: S,
    start: usize,
    end: usize,
    /// Bytes left to write of a frame that was begun.
    cut: usize,
}

impl<S: Storage> TxBuf<S> {
    /// Creates an empty buffer over `storage`. Its length is the largest batch of frames that can wait; 1024 bytes hold
    /// any ordinary command, 4096 the largest frame that devices accept.
    pub const fn new(storage: S) -> Self {
        Self { storage, start: 0, end: 0, cut: 0 }
    }

    /// Returns all bytes that are not written yet.
    pub fn pending(&self) -> &[u8] {
        self.storage.as_ref().get(self.start..self.end).unwrap_or_default()
    }

    /// Returns the bytes to give to one write: the rest of a frame that was begun, or as many whole frames as fit
    /// `segment` bytes, at least one. A write of this size keeps TCP segments from ending within a frame, where the
    /// network allows it; a `segment` of 1024 bytes fits every common network.
    pub fn next_write(&self, segment: usize) -> &[u8] {
        let pending = self.pending();
        if self.cut > 0 {
            return pending.get(..self.cut).unwrap_or(pending);
        }
        let mut len = first_frame(pending);
        while let Some(more) = pending.get(len..).filter(|more| !more.is_empty()) {
            let with = len.saturating_add(first_frame(more));
            if with > segment {
                break;
            }
            len = with;
        }
        pending.get(..len).unwrap_or(pending)
    }

    /// Returns whether a part of a frame is written and the rest is not.
    pub const fn is_cut(&self) -> bool {
        self.cut > 0
    }

    /// Reports that the first `n` bytes of [`pending`](Self::pending) were written. A larger `n` counts as all.
    pub fn consume(&mut self, n: usize) {
        let mut left = n.min(self.pending().len());
        while left > 0 {
            if self.cut == 0 {
                self.cut = first_frame(self.pending());
            }
            let step = left.min(self.cut).max(1);
            self.start = self.start.saturating_add(step).min(self.end);
            self.cut = self.cut.saturating_sub(step);
            left = left.saturating_sub(step);
        }
        if self.start == self.end {
            self.clear();
        }
    }

    /// Returns whether all bytes are written, so that the driver may take the storage back.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops all bytes that are not written yet.
    pub const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
        self.cut = 0;
    }

    /// Takes the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    pub(crate) fn lend(&mut self) -> Tx<'_> {
        let buf = self.storage.as_mut();
        self.end = self.end.min(buf.len());
        self.start = self.start.min(self.end);
        Tx { buf, start: &mut self.start, end: &mut self.end, cut: &mut self.cut }
    }
}

/// [`RxBuf`] without its type parameter, so that the machines are compiled once.
pub(crate) struct Rx<'a> {
    buf: &'a mut [u8],
    start: &'a mut usize,
    end: &'a mut usize,
    limit: usize,
}

impl Rx<'_> {
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(*self.start..*self.end).unwrap_or_default()
    }

    /// Returns the offset of [`unread`](Self::unread) inside the storage.
    pub(crate) const fn offset(&self) -> usize {
        *self.start
    }

    /// Returns the bytes at an absolute range inside the storage.
    pub(crate) fn at(&self, range: core::ops::Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    /// Returns the largest frame to wait for, in bytes.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Drops `n` bytes from the front. The bytes stay where they are until the next read into the buffer.
    pub(crate) fn consume(&mut self, n: usize) {
        *self.start = self.start.saturating_add(n).min(*self.end);
        if *self.start == *self.end {
            self.clear();
        }
    }

    /// Drops `n` bytes from the front, or as many as there are, and returns how many.
    pub(crate) fn drop_up_to(&mut self, n: u32) -> u32 {
        let unread = u32::try_from(self.unread().len()).unwrap_or(u32::MAX).min(n);
        self.consume(usize::try_from(unread).unwrap_or(usize::MAX));
        unread
    }

    pub(crate) const fn clear(&mut self) {
        *self.start = 0;
        *self.end = 0;
    }

    fn compact(&mut self) {
        to_front(self.buf, self.start, self.end);
    }
}

/// Moves the bytes between `start` and `end` to the front.
// Moves parts that do not overlap their target: an overlapping move takes 1.5 KB of small flash.
#[expect(clippy::arithmetic_side_effects, reason = "the gap is no larger than the end: what is larger returns above")]
fn to_front(buf: &mut [u8], start: &mut usize, end: &mut usize) {
    let gap = *start;
    if gap == 0 || gap > *end {
        return;
    }
    let mut rest = buf.get_mut(..*end).unwrap_or_default();
    while let Some((to, from)) = rest.split_at_mut_checked(gap)
        && !from.is_empty()
    {
        let n = gap.min(from.len());
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        rest = rest.get_mut(n..).unwrap_or_default();
    }
    *end -= gap;
    *start = 0;
}

/// [`TxBuf`] without its type parameter.
pub(crate) struct Tx<'a> {
    buf: &'a mut [u8],
    start: &'a mut usize,
    end: &'a mut usize,
    cut: &'a mut usize,
}

impl Tx<'_> {
    /// Returns all the free space, as one run behind the pending bytes.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        to_front(self.buf, self.start, self.end);
        self.buf.get_mut(*self.end..).unwrap_or_default()
    }

    /// Makes the first `n` bytes of [`spare`](Self::spare) pending.
    pub(crate) fn commit(&mut self, n: usize) {
        *self.end = self.end.saturating_add(n).min(self.buf.len());
    }

    /// Returns a view of the same buffer with at most `room` bytes of free space.
    pub(crate) fn at_most(&mut self, room: usize) -> Tx<'_> {
        self.spare();
        let size = self.end.saturating_add(room).min(self.buf.len());
        let buf = self.buf.get_mut(..size).unwrap_or_default();
        Tx { buf, start: &mut *self.start, end: &mut *self.end, cut: &mut *self.cut }
    }

    #[cfg(feature = "emulator")]
    pub(crate) const fn is_empty(&self) -> bool {
        *self.start == *self.end
    }

    pub(crate) const fn clear(&mut self) {
        *self.start = 0;
        *self.end = 0;
        *self.cut = 0;
    }
}

/// Returns the size of the frame at the front of `pending`, or the size of all of it where that is no frame.
fn first_frame(pending: &[u8]) -> usize {
    let len = frame_len(pending).ok().flatten();
    len.unwrap_or(pending.len()).min(pending.len())
}
