//! Faulty devices on a network in memory with a virtual clock: nothing happens between two calls.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{Instant, LossReason};

use crate::conn::{self, Cut, End, Op, Wire};
use crate::port::{self, Port, Spot};
use crate::state::{Clock, Conn, Shared};
use crate::worker::Worker;

/// Network of faulty devices in memory, with its clock. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryNet {
    clock: Arc<AtomicU64>,
    places: Arc<Mutex<Vec<Place>>>,
}

/// Device with its address.
type Place = (Arc<Shared>, Spot);

/// Latency of bytes.
const LATENCY: Duration = Duration::from_micros(500);
/// First port of a device.
const FIRST_PORT: u16 = 20_000;

impl MemoryNet {
    /// Creates an empty network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_micros(self.clock.load(Ordering::SeqCst))
    }

    /// Advances the time to `at`; never goes back.
    pub fn advance_to(&self, at: Instant) {
        self.clock.fetch_max(at.as_micros(), Ordering::SeqCst);
    }

    /// Dials a device. Its end of the connection acts when [`MemoryConn::turn`] is called.
    ///
    /// # Errors
    /// [`LossReason::Refused`] when nothing listens there.
    pub fn dial(&self, to: SocketAddr) -> Result<MemoryConn, LossReason> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let listens = |spot: &Spot| *spot.lock().unwrap_or_else(PoisonError::into_inner) == (to, true);
        let (shared, _) = places.iter().find(|(_, spot)| listens(spot)).ok_or(LossReason::Refused)?;
        Ok(MemoryConn::accept(self, shared))
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::Virtual(Arc::clone(&self.clock))
    }

    pub(crate) fn reserve(&self, bind: SocketAddr) -> Port {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let number = u16::try_from(places.len()).expect("few devices");
        let port = if bind.port() == 0 { FIRST_PORT + number } else { bind.port() };
        Port::in_memory(SocketAddr::new(bind.ip(), port))
    }

    pub(crate) fn enter(&self, shared: &Arc<Shared>, port: &Port) {
        let spot = port.spot().expect("a port in memory");
        self.places.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(shared), Arc::clone(spot)));
    }
}

impl core::fmt::Debug for MemoryNet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MemoryNet").field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Bytes in transit from a device.
#[derive(Debug)]
pub(crate) struct Line {
    clock: Arc<AtomicU64>,
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// Time that the device has paused between writes since its last turn.
    paused: Duration,
    end: Option<End>,
}

impl Line {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        if self.end.is_some() || bytes.is_empty() {
            return;
        }
        let at = Instant::from_micros(self.clock.load(Ordering::SeqCst)) + LATENCY + self.paused;
        let at = self.pieces.back().map_or(at, |(last, _)| at.max(*last));
        self.pieces.push_back((at, bytes.to_vec()));
    }

    pub(crate) fn pause(&mut self, span: Duration) {
        self.paused += span;
    }

    pub(crate) fn end(&mut self, end: End) {
        self.end.get_or_insert(end);
        if end == End::Reset {
            self.end = Some(end);
            self.pieces.clear();
        }
    }
}

/// Result of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This number of bytes were read.
    Bytes(usize),
    /// Nothing has arrived.
    Nothing,
    /// The connection has ended.
    Lost(LossReason),
}

/// Controller's end of a connection in memory. Dropping it closes the connection.
pub struct MemoryConn {
    net: MemoryNet,
    number: u64,
    shared: Arc<Shared>,
    line: Arc<Mutex<Line>>,
    ops: Sender<Op>,
    /// `None` once the device's end has closed.
    worker: Option<Worker>,
    unread: AtomicUsize,
    to_device: VecDeque<(Instant, Vec<u8>)>,
    /// Time of the device's next work.
    due: Option<Instant>,
}

impl MemoryConn {
    fn accept(net: &MemoryNet, shared: &Arc<Shared>) -> Self {
        let line = Line { clock: Arc::clone(&net.clock), pieces: VecDeque::new(), paused: Duration::ZERO, end: None };
        let line = Arc::new(Mutex::new(line));
        let (sender, ops) = mpsc::channel();
        let (number, worker) = shared.change(|state| {
            let number = state.accept();
            if let Some(end) = port::rejection(state) {
                line.lock().unwrap_or_else(PoisonError::into_inner).end(end);
                return (number, None);
            }
            let cut = Arc::new(Cut::default());
            let wire = Wire::memory(Arc::clone(&line), Arc::clone(&cut));
            let worker = conn::worker(number, shared, state, ops, wire);
            let ready = worker.emulator.is_ready();
            state.conns.insert(number, Conn { ops: sender.clone(), cut, ready, held: false, left: false });
            (number, Some(worker))
        });
        Self {
            net: net.clone(),
            number,
            shared: Arc::clone(shared),
            line,
            ops: sender,
            worker,
            unread: AtomicUsize::new(0),
            to_device: VecDeque::new(),
            due: None,
        }
    }

    /// Sends to the device.
    pub fn write(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.to_device.push_back((self.net.now() + LATENCY, bytes.to_vec()));
        }
    }

    /// Reads the bytes that have arrived.
    ///
    /// # Panics
    /// If `into` is empty.
    pub fn read(&mut self, into: &mut [u8]) -> Read {
        assert!(!into.is_empty(), "a read into nothing");
        let now = self.net.now();
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        match line.pieces.front_mut() {
            Some((at, piece)) if *at <= now => {
                let len = piece.len().min(into.len());
                into[..len].copy_from_slice(&piece[..len]);
                piece.drain(..len);
                if piece.is_empty() {
                    line.pieces.pop_front();
                }
                Read::Bytes(len)
            }
            Some(_) => Read::Nothing,
            None => match line.end {
                None => Read::Nothing,
                Some(End::Close) => Read::Lost(LossReason::Closed),
                Some(End::Reset) => Read::Lost(LossReason::Reset),
            },
        }
    }

    /// Runs the device's due work.
    pub fn turn(&mut self) {
        let now = self.net.now();
        let Some(worker) = &mut self.worker else { return };
        self.line.lock().unwrap_or_else(PoisonError::into_inner).paused = Duration::ZERO;
        while self.to_device.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, bytes)) = self.to_device.pop_front() else { break };
            self.unread.fetch_add(bytes.len(), Ordering::SeqCst);
            let _ = self.ops.send(Op::Received(bytes));
        }
        match worker.turn_now(&self.unread) {
            Ok(due) => self.due = due,
            Err(end) => self.leave(end),
        }
    }

    /// Returns the time of the next bytes to read, or of the device's next work.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let arrives = line.pieces.front().map(|(at, _)| *at);
        let sent = self.to_device.front().filter(|_| self.worker.is_some()).map(|(at, _)| *at);
        let due = self.due.filter(|_| self.worker.is_some());
        [arrives, sent, due].into_iter().flatten().min()
    }

    /// Ends the device's side.
    fn leave(&mut self, end: End) {
        self.worker = None;
        self.line.lock().unwrap_or_else(PoisonError::into_inner).end(end);
        self.shared.change(|state| state.conns.remove(&self.number));
    }
}

impl Drop for MemoryConn {
    fn drop(&mut self) {
        if self.worker.is_some() {
            // Bytes in transit still arrive.
            while let Some((_, bytes)) = self.to_device.pop_front() {
                self.unread.fetch_add(bytes.len(), Ordering::SeqCst);
                let _ = self.ops.send(Op::Received(bytes));
            }
            self.turn();
            self.leave(End::Close);
        }
    }
}
