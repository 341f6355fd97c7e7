//! Buffers that are held only while bytes wait in them.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustuya_proto::{LossReason, RxBuf, TxBuf};

/// Memory that several connections share.
///
/// ```
/// # use rustuya_runtime::{Buffers, Pool};
/// let pool = Pool::default();
/// let mut buffers = Buffers::new(); // holds no memory
/// buffers.lend_rx(&pool);
/// let room = buffers.rx.spare_mut().len(); // to read into, then `commit` what was read
/// assert_eq!(room, 4096);
/// buffers.reclaim(&pool); // nothing was received: the memory goes back
/// assert!(buffers.rx.spare_mut().is_empty());
/// ```
#[derive(Debug, Default)]
pub struct Pool(Mutex<Vec<Box<[u8]>>>);

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

/// The buffers of one connection.
///
/// ```
/// # use rustuya_runtime::{Buffers, Pool};
/// # let pool = Pool::default();
/// let mut buffers = Buffers::default();
/// buffers.lend_tx(&pool);
/// // A machine encodes into `tx`; what is there is written as far as the socket takes it.
/// assert_eq!(buffers.flush(|_bytes| unreachable!("nothing was encoded")), Ok(false));
/// buffers.reclaim(&pool);
/// ```
#[derive(Debug)]
pub struct Buffers {
    /// Received bytes.
    pub rx: RxBuf<Box<[u8]>>,
    /// Bytes to be sent.
    pub tx: TxBuf<Box<[u8]>>,
    rx_held: bool,
    /// Bytes that `tx` has room for; 0 while it holds no memory.
    tx_room: usize,
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

impl Buffers {
    /// Buffers without memory.
    pub fn new() -> Self {
        Self { rx: RxBuf::new(Box::default()), tx: TxBuf::new(Box::default()), rx_held: false, tx_room: 0 }
    }

    /// Makes sure that there is memory to receive into.
    pub fn lend_rx(&mut self, pool: &Pool) {
        if !self.rx_held {
            self.rx = RxBuf::new(pool.take());
            self.rx_held = true;
        }
    }

    /// Makes sure that there is memory to send from.
    pub fn lend_tx(&mut self, pool: &Pool) {
        if self.tx_room == 0 {
            self.tx = TxBuf::new(pool.take());
            self.tx_room = FRAME;
        }
    }

    /// Makes `tx` larger if it is smaller than `room` and empty. Says whether it did.
    pub fn make_room(&mut self, room: usize) -> bool {
        let grows = self.tx_room < room && self.tx.is_empty();
        if grows {
            self.tx = TxBuf::new(vec![0; room].into());
            self.tx_room = room;
        }
        grows
    }

    /// Gives the memory of empty buffers back.
    pub fn reclaim(&mut self, pool: &Pool) {
        if self.rx_held && self.rx.is_empty() {
            let rx = core::mem::replace(&mut self.rx, RxBuf::new(Box::default()));
            pool.give(rx.into_storage());
            self.rx_held = false;
        }
        if self.tx_room > 0 && self.tx.is_empty() {
            let tx = core::mem::replace(&mut self.tx, TxBuf::new(Box::default()));
            pool.give(tx.into_storage());
            self.tx_room = 0;
        }
    }

    /// Writes as much as `write` takes. Says whether it took any.
    ///
    /// # Errors
    /// The connection is over.
    pub fn flush(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<bool, LossReason> {
        let mut any = false;
        while !self.tx.is_empty() {
            match write(self.tx.pending()) {
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

/// What devices accept at most, and what they send at most.
pub(crate) const FRAME: usize = 4096;

/// Buffers that are kept for reuse; more are in flight only in a burst.
const KEPT: usize = 16;

/// What an I/O error means for a connection. For the loops that dial.
///
/// ```
/// # use rustuya_runtime::{loss, proto::LossReason};
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// assert_eq!(loss(&refused), LossReason::Refused);
/// ```
pub fn loss(error: &io::Error) -> LossReason {
    use io::ErrorKind as Kind;
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
}
