//! Buffers that use memory only while they hold bytes.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustuya_proto::{LossReason, RxBuf, TxBuf};

use crate::io::shortage::is_out_of_descriptors;

/// Free memory, shared by several connections.
///
/// ```
/// # use rustuya_runtime::driver::{Buffers, Pool};
/// let pool = Pool::default();
/// let mut buffers = Buffers::new(); // holds no memory
/// buffers.lend_rx(&pool);
/// let room = buffers.spare_mut().len(); // to read into, then `commit` what was read
/// assert_eq!(room, 4096);
/// buffers.reclaim(&pool); // nothing was received: the memory goes back
/// assert!(buffers.spare_mut().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Storage>>);

type Storage = Box<[u8]>;

impl Pool {
    fn take(&self) -> Box<[u8]> {
        self.lock().pop().unwrap_or_else(|| vec![0; FRAME].into())
    }

    fn give(&self, storage: Box<[u8]>) {
        let mut free = self.lock();
        if storage.len() == FRAME && free.len() < KEPT {
            free.push(storage);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Buffers of one connection.
///
/// ```
/// # use rustuya_runtime::driver::{Buffers, Pool};
/// # let pool = Pool::default();
/// let mut buffers = Buffers::default();
/// buffers.lend_tx(&pool);
/// let (_rx, _tx) = buffers.lend(); // for a machine, which encodes into the second
/// // What is there is written as far as the socket takes it.
/// assert_eq!(buffers.flush(|_bytes| unreachable!("nothing was encoded")), Ok(false));
/// assert!(buffers.is_flushed());
/// buffers.reclaim(&pool);
/// ```
#[derive(Debug)]
pub struct Buffers {
    /// Received bytes.
    pub(crate) rx: RxBuf<Storage>,
    /// Bytes to be sent.
    pub(crate) tx: TxBuf<Storage>,
    rx_held: bool,
    /// Size limit of a received frame.
    limit: usize,
    /// Capacity of `tx`; 0 while it has no memory.
    tx_room: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// Makes buffers without memory, for frames of up to 4096 bytes.
    pub fn new() -> Self {
        let (rx, tx) = (RxBuf::new(Box::default()), TxBuf::new(Box::default()));
        Self { rx, tx, rx_held: false, limit: FRAME, tx_room: 0 }
    }

    /// Limits the size of received frames, in bytes, from the next [`lend_rx`](Self::lend_rx) on.
    pub const fn limit_rx(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Lends both to a machine: what was received, and where it encodes what is to be sent.
    pub const fn lend(&mut self) -> (&mut RxBuf<Storage>, &mut TxBuf<Storage>) {
        (&mut self.rx, &mut self.tx)
    }

    /// The room to read into; [`commit`](Self::commit) what was read. Empty without [`lend_rx`](Self::lend_rx).
    pub fn spare_mut(&mut self) -> &mut [u8] {
        self.rx.spare_mut()
    }

    /// Adds the first `count` bytes of the [room](Self::spare_mut) to what was received.
    pub fn commit(&mut self, count: usize) {
        self.rx.commit(count);
    }

    /// How many received bytes no machine has taken yet.
    pub fn received(&self) -> usize {
        self.rx.len()
    }

    /// Whether everything that was encoded is written.
    pub fn is_flushed(&self) -> bool {
        self.tx.is_empty()
    }

    /// Provides memory to receive into.
    pub fn lend_rx(&mut self, pool: &Pool) {
        if !self.rx_held {
            self.rx = RxBuf::growing(pool.take(), self.limit);
            self.rx_held = true;
        }
        // If the buffer is full after a poll that waits for more, it holds the begin of a larger frame. Grow as bytes
        // arrive: the length in a header allocates nothing.
        let size = self.rx.capacity();
        if self.rx.spare_mut().is_empty() && size < self.limit {
            self.rx.replace(vec![0; size.saturating_mul(2).min(self.limit)].into());
        }
    }

    /// Provides memory to send from.
    pub fn lend_tx(&mut self, pool: &Pool) {
        if self.tx_room == 0 {
            self.tx = TxBuf::new(pool.take());
            self.tx_room = FRAME;
        }
    }

    /// Grows `tx` to `room` if it is smaller and empty. Returns whether it did.
    pub fn make_room(&mut self, room: usize) -> bool {
        let grows = self.tx_room < room && self.tx.is_empty();
        if grows {
            self.tx = TxBuf::new(vec![0; room].into());
            self.tx_room = room;
        }
        grows
    }

    /// Returns the memory of empty buffers.
    pub fn reclaim(&mut self, pool: &Pool) {
        if self.rx_held && self.rx.is_empty() {
            let rx = core::mem::replace(&mut self.rx, RxBuf::new(Box::default()));
            pool.give(rx.into_storage());
            self.rx_held = false;
        } else if self.rx.capacity() > FRAME && self.rx.len() <= FRAME / 2 {
            self.rx.replace(pool.take());
        }
        if self.tx_room > 0 && self.tx.is_empty() {
            let tx = core::mem::replace(&mut self.tx, TxBuf::new(Box::default()));
            pool.give(tx.into_storage());
            self.tx_room = 0;
        }
    }

    /// Writes as much as `write` takes: each frame in one call, together with others that fit the same TCP segment.
    /// Returns whether it took any.
    ///
    /// # Errors
    /// Reason for the end of the connection.
    pub fn flush(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<bool, LossReason> {
        let mut any = false;
        while !self.tx.is_empty() {
            match write(self.tx.next_write(SEGMENT)) {
                Ok(0) => return Err(LossReason::Closed),
                Ok(n) => {
                    self.tx.consume(n);
                    any = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(loss(&error)),
            }
        }
        Ok(any)
    }
}

/// Largest frame that devices accept, and that most of them send, in bytes.
pub(crate) const FRAME: usize = 4096;

/// Default size limit of a received frame, in bytes.
pub(crate) const RECEIVED: usize = 64 * 1024;

/// Bytes that fit one TCP segment on every common network.
pub(crate) const SEGMENT: usize = 1024;

/// Buffers kept for reuse; only a burst needs more.
const KEPT: usize = 16;

/// Converts an I/O error to the reason of a loss. For loops that dial.
///
/// ```
/// # use rustuya_runtime::driver::loss;
/// # use rustuya_runtime::proto::LossReason;
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// assert_eq!(loss(&refused), LossReason::Refused);
/// ```
pub fn loss(error: &io::Error) -> LossReason {
    use io::ErrorKind as Kind;
    if is_out_of_descriptors(error) {
        return LossReason::OutOfDescriptors;
    }
    match error.kind() {
        Kind::ConnectionRefused => LossReason::Refused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown | Kind::AddrNotAvailable => {
            LossReason::Unreachable
        }
        Kind::TimedOut => LossReason::TimedOut,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => LossReason::Reset,
        Kind::UnexpectedEof | Kind::NotConnected => LossReason::Closed,
        _ => LossReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_hold_memory_only_while_bytes_wait() {
        let pool = Pool::default();
        let mut buffers = Buffers::new();
        buffers.lend_rx(&pool);
        buffers.lend_tx(&pool);
        assert_eq!(buffers.rx.spare_mut().len(), FRAME);
        buffers.rx.commit(1);
        buffers.reclaim(&pool);
        assert_eq!((buffers.rx_held, buffers.rx.len(), buffers.tx_room), (true, 1, 0));
        assert_eq!(pool.lock().len(), 1, "the other one is back");
        assert!(buffers.make_room(10_000));
        buffers.lend_tx(&pool);
        assert_eq!(buffers.tx_room, 10_000);
        buffers.reclaim(&pool);
        assert_eq!(pool.lock().len(), 1, "odd sizes are not kept");
    }

    #[test]
    fn memory_grows_with_the_bytes_that_came_and_shrinks_again() {
        let pool = Pool::default();
        let mut buffers = Buffers::new();
        buffers.limit_rx(10_000);
        let mut sizes = Vec::new();
        for came in [0, FRAME, FRAME, 10_000 - 2 * FRAME] {
            buffers.lend_rx(&pool);
            buffers.rx.commit(came);
            sizes.push(buffers.rx.capacity());
            buffers.reclaim(&pool);
        }
        assert_eq!(sizes, [FRAME, FRAME, 2 * FRAME, 10_000]);
        buffers.lend_rx(&pool);
        assert_eq!(buffers.rx.capacity(), 10_000, "the limit is not exceeded");
        buffers.rx.clear();
        buffers.reclaim(&pool);
        assert_eq!((buffers.rx.capacity(), buffers.rx_held), (0, false));
    }

    #[test]
    fn each_write_carries_whole_frames() {
        let pool = Pool::default();
        let mut buffers = Buffers::new();
        buffers.lend_tx(&pool);
        let config = rustuya_proto::DeviceConfig::new(
            rustuya_proto::DeviceId::new("bf0123456789abcdefgh").expect("valid"),
            rustuya_proto::LocalKey::from_text("0123456789abcdef").expect("valid"),
        );
        let now = rustuya_proto::Instant::ZERO;
        let config = config.address([127, 0, 0, 1].into()).version(rustuya_proto::Version::V33);
        let mut device = rustuya_proto::Device::new(config, now);
        let mut conn = None;
        while !device.is_up() {
            match device.poll(now, &mut rand::rng(), &mut buffers.rx, &mut buffers.tx) {
                rustuya_proto::Output::Dial { conn: dialed, .. } => conn = Some(dialed),
                rustuya_proto::Output::Wait { .. } => device.handle_dialed(conn.expect("dialed"), now),
                _ => {}
            }
        }
        for text in ["x".repeat(300), "y".repeat(300), "z".repeat(700), "w".repeat(1500)] {
            let dps = serde_json::json!({ "1": text }).to_string();
            let command = rustuya_proto::Command::set(rustuya_proto::DpMap::Json(&dps));
            device.send(&command, now, &mut rand::rng(), &mut buffers.tx).expect("room");
        }
        let mut writes = Vec::new();
        let mut room = 2_000;
        while !buffers.tx.is_empty() {
            // A socket that takes a few bytes, and then some more.
            let flushed = buffers.flush(|bytes| {
                writes.push(bytes.len());
                let taken = bytes.len().min(room);
                room -= taken;
                if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
            });
            assert!(flushed.is_ok());
            room += 4_000;
        }
        // Two frames that fit together, one by itself, the last one alone, its rest, and its rest again.
        let (two, third, last) = (writes[0], writes[1], writes[2]);
        assert!(two <= SEGMENT && third <= SEGMENT && two + third > SEGMENT, "{writes:?}");
        let rest = two + third + last - 2_000;
        assert_eq!(writes[3..], [rest, rest], "{writes:?}");
    }
}
