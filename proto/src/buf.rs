//! Byte buffers that the driver lends to the machines.

/// Memory for a buffer: anything that is a fixed run of bytes.
///
/// Implemented for every such type: `[u8; N]`, `&mut [u8]`, `Box<[u8]>`, `Vec<u8>`, a registered or DMA buffer.
pub trait Storage: AsRef<[u8]> + AsMut<[u8]> {}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Storage for T {}

/// Received bytes that are not consumed yet.
///
/// The driver reads from its socket into [`spare_mut`](Self::spare_mut) and reports the count with
/// [`commit`](Self::commit); a machine's `poll` consumes from the front and decrypts in place. An empty buffer
/// carries no state, so a driver may take the storage back between two reads.
#[derive(Debug)]
pub struct RxBuf<S> {
    storage: S,
    start: usize,
    end: usize,
}

impl<S: Storage> RxBuf<S> {
    /// An empty buffer over `storage`. Its length is the largest frame that can be received; 2048 bytes suffice
    /// for every known device, 4096 is generous.
    pub const fn new(storage: S) -> Self {
        Self { storage, start: 0, end: 0 }
    }

    /// Free space to read into. Moves what is unread to the front first when the tail is used up.
    /// Never empty after a `poll` that ended in `Wait`.
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

    /// The number of received bytes not consumed yet.
    pub const fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether nothing is waiting to be consumed, so that the storage may be taken away.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops everything unread.
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
        Rx { buf, start: &mut self.start, end: &mut self.end }
    }

    /// The bytes at an absolute range inside the storage, as reported by a machine; empty when out of range.
    pub(crate) fn at(&self, range: core::ops::Range<usize>) -> &[u8] {
        self.storage.as_ref().get(range).unwrap_or_default()
    }
}

/// Bytes to be sent that are not written to the socket yet.
///
/// Machines append whole frames; the driver writes [`pending`](Self::pending) to its socket and reports the count
/// with [`consume`](Self::consume). Frames lie back to back, so one write carries all of them.
#[derive(Debug)]
pub struct TxBuf<S> {
    storage: S,
    start: usize,
    end: usize,
}

impl<S: Storage> TxBuf<S> {
    /// An empty buffer over `storage`. Its length is the largest batch of frames that can wait; 1024 bytes hold
    /// any ordinary command, 4096 the largest frame that devices accept.
    pub const fn new(storage: S) -> Self {
        Self { storage, start: 0, end: 0 }
    }

    /// The bytes to write next.
    pub fn pending(&self) -> &[u8] {
        self.storage.as_ref().get(self.start..self.end).unwrap_or_default()
    }

    /// Reports that the first `n` bytes of [`pending`](Self::pending) were written. A larger `n` counts as all.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Whether everything is written, so that the storage may be taken away.
    pub const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops everything not written yet.
    pub const fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Takes the storage back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    pub(crate) fn lend(&mut self) -> Tx<'_> {
        let buf = self.storage.as_mut();
        self.end = self.end.min(buf.len());
        self.start = self.start.min(self.end);
        Tx { buf, start: &mut self.start, end: &mut self.end }
    }
}

/// [`RxBuf`] without its type parameter, so that the machines are compiled once.
pub(crate) struct Rx<'a> {
    buf: &'a mut [u8],
    start: &'a mut usize,
    end: &'a mut usize,
}

impl Rx<'_> {
    pub(crate) fn unread(&mut self) -> &mut [u8] {
        self.buf.get_mut(*self.start..*self.end).unwrap_or_default()
    }

    /// Where [`unread`](Self::unread) begins inside the storage.
    pub(crate) const fn offset(&self) -> usize {
        *self.start
    }

    /// The bytes at an absolute range inside the storage.
    pub(crate) fn at(&self, range: core::ops::Range<usize>) -> &[u8] {
        self.buf.get(range).unwrap_or_default()
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.buf.len()
    }

    /// Drops `n` bytes from the front. The bytes stay where they are until the next read into the buffer.
    pub(crate) fn consume(&mut self, n: usize) {
        *self.start = self.start.saturating_add(n).min(*self.end);
        if *self.start == *self.end {
            self.clear();
        }
    }

    pub(crate) const fn clear(&mut self) {
        *self.start = 0;
        *self.end = 0;
    }

    fn compact(&mut self) {
        if *self.start > 0 && *self.start <= *self.end {
            self.buf.copy_within(*self.start..*self.end, 0);
            *self.end -= *self.start;
            *self.start = 0;
        }
    }
}

/// [`TxBuf`] without its type parameter.
pub(crate) struct Tx<'a> {
    buf: &'a mut [u8],
    start: &'a mut usize,
    end: &'a mut usize,
}

impl Tx<'_> {
    /// All the free space, as one run behind what is pending.
    pub(crate) fn spare(&mut self) -> &mut [u8] {
        if *self.start > 0 && *self.start <= *self.end {
            self.buf.copy_within(*self.start..*self.end, 0);
            *self.end -= *self.start;
            *self.start = 0;
        }
        self.buf.get_mut(*self.end..).unwrap_or_default()
    }

    /// Makes the first `n` bytes of [`spare`](Self::spare) pending.
    pub(crate) fn commit(&mut self, n: usize) {
        *self.end = self.end.saturating_add(n).min(self.buf.len());
    }

    #[cfg(feature = "emulator")]
    pub(crate) const fn is_empty(&self) -> bool {
        *self.start == *self.end
    }

    pub(crate) const fn clear(&mut self) {
        *self.start = 0;
        *self.end = 0;
    }
}
