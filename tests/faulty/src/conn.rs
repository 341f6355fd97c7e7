//! One connection to a faulty device: a thread that reads, and one that does the rest.

use core::cell::Cell;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rustuya_proto::{Emulator, RxBuf, TxBuf};
use rustuya_seeded::SeededRng;
use socket2::SockRef;

use crate::fault::Fault;
use crate::filter::Filter;
use crate::memory::Line;
use crate::state::{Conn, Shared, State};
use crate::tap::{Splitter, Tap};
use crate::worker::Worker;

/// Stack size of each thread of a device. Small, since tests start many.
pub(crate) const STACK: usize = 512 * 1024;

/// Message to the thread of a connection.
#[derive(Debug)]
pub(crate) enum Op {
    /// Bytes from the controller.
    Received(Vec<u8>),
    /// The controller closed or reset the connection.
    Ended,
    /// Push these DPs, JSON text.
    Push { cid: Option<String>, dps: String },
    /// Push `count` numbers from `first`.
    Flood { first: u64, count: u32 },
    /// Report the sub-devices.
    Report,
    /// Set this fault from now on, or none.
    Fault(Option<Fault>),
    /// Go silent: the device has lost its power or its address.
    Hold,
    /// Reset on the next bytes: a restarted device does not know this connection.
    Forgotten,
    /// End, in the way that [`Cut`] tells.
    Cut,
}

/// End of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close,
    Reset,
}

/// Flag that ends a connection, for a thread that is blocked in a write or read.
#[derive(Debug, Default)]
pub(crate) struct Cut(AtomicU8);

impl Cut {
    pub(crate) fn set(&self, end: End) {
        self.0.store(1 + u8::from(end == End::Reset), Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> Option<End> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(End::Close),
            _ => Some(End::Reset),
        }
    }
}

/// Starts the threads of a connection and adds it to the state.
pub(crate) fn start(number: u64, stream: TcpStream, shared: &Arc<Shared>, state: &mut State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_millis(250)))?;
    stream.set_write_timeout(Some(Duration::from_millis(20)))?;
    let (sender, ops) = mpsc::channel();
    let cut = Arc::new(Cut::default());
    let stream = Arc::new(stream);
    let worker = worker(number, shared, state, ops, Wire::socket(Arc::clone(&stream), Arc::clone(&cut)));
    let ready = worker.emulator.is_ready();
    let conn = Conn { ops: sender.clone(), cut, ready, held: false, left: false };
    let thread = thread::Builder::new()
        .name("faulty device".to_owned())
        .stack_size(STACK)
        .spawn(move || serve(worker, stream, sender))?;
    state.conns.insert(number, conn);
    state.threads.push(thread);
    Ok(())
}

/// Creates the worker of a new connection.
pub(crate) fn worker(number: u64, shared: &Arc<Shared>, state: &State, ops: Receiver<Op>, wire: Wire) -> Worker {
    let mut rng = SeededRng::new(shared.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let config = state.config.clone();
    Worker {
        number,
        shared: Arc::clone(shared),
        ops,
        tap: Tap::new(config.version, config.local_key.clone()),
        segments: config.quirks.segments,
        emulator: Emulator::new(config, shared.now(), &mut rng),
        rx: RxBuf::new(vec![0; 8192]),
        tx: TxBuf::new(vec![0; 160 * 1024]),
        inbound: Splitter::default(),
        outbound: Splitter::default(),
        backlog: Vec::new(),
        originals: Vec::new(),
        filter: Filter::new(state.fault.clone(), number),
        out: Vec::new(),
        rng,
        wire,
        ready: false,
        held: false,
        unheard: false,
        forgotten: false,
        gone: false,
    }
}

/// Runs a connection to its end.
fn serve(mut worker: Worker, stream: Arc<TcpStream>, sender: Sender<Op>) {
    let unread = Arc::new(AtomicUsize::new(0));
    let reader = read(Arc::clone(&stream), sender, Arc::clone(&worker.wire.cut), Arc::clone(&unread));
    let end = match &reader {
        Ok(_) => worker.run(&unread),
        Err(_) => End::Reset,
    };
    let Worker { wire, shared, number, .. } = worker;
    wire.cut.set(end);
    // Each of these fails if the controller has closed first.
    if end == End::Reset {
        let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
    } else {
        let _ = stream.shutdown(Shutdown::Write);
    }
    // Wakes the reader without sending anything.
    let _ = stream.shutdown(Shutdown::Read);
    let is_sound = reader.ok().is_none_or(|thread| thread.join().is_ok());
    drop((wire, stream));
    shared.change(|state| state.conns.remove(&number));
    assert!(is_sound, "the reading thread of a faulty device panicked");
}

/// Starts the thread that reads. It waits while too many read bytes are unprocessed.
fn read(
    stream: Arc<TcpStream>,
    ops: Sender<Op>,
    cut: Arc<Cut>,
    unread: Arc<AtomicUsize>,
) -> io::Result<JoinHandle<()>> {
    const LIMIT: usize = 256 * 1024;
    let run = move || {
        let mut buf = [0; 4096];
        while cut.get().is_none() {
            if unread.load(Ordering::SeqCst) > LIMIT {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            let op = match (&*stream).read(&mut buf) {
                Ok(0) => Op::Ended,
                Ok(n) => {
                    unread.fetch_add(n, Ordering::SeqCst);
                    Op::Received(buf[..n].to_vec())
                }
                Err(error) if is_timeout(&error) => continue,
                Err(_) => Op::Ended,
            };
            let ended = matches!(op, Op::Ended);
            if ops.send(op).is_err() || ended {
                return;
            }
        }
    };
    thread::Builder::new().name("faulty reader".to_owned()).stack_size(STACK).spawn(run)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Sending half of a connection.
pub(crate) struct Wire {
    to: To,
    cut: Arc<Cut>,
    half_closed: Cell<bool>,
}

enum To {
    Socket(Arc<TcpStream>),
    Memory(Arc<Mutex<Line>>),
}

impl Wire {
    pub(crate) const fn socket(stream: Arc<TcpStream>, cut: Arc<Cut>) -> Self {
        Self { to: To::Socket(stream), cut, half_closed: Cell::new(false) }
    }

    pub(crate) const fn memory(line: Arc<Mutex<Line>>, cut: Arc<Cut>) -> Self {
        Self { to: To::Memory(line), cut, half_closed: Cell::new(false) }
    }

    /// Writes all bytes, without a time limit, unless the connection is cut. Writes nothing once the sending half is
    /// closed.
    pub(crate) fn write(&self, mut bytes: &[u8]) -> Result<(), End> {
        if self.half_closed.get() {
            return Ok(());
        }
        let stream = match &self.to {
            To::Socket(stream) => stream,
            To::Memory(line) => {
                line.lock().unwrap_or_else(PoisonError::into_inner).write(bytes);
                return Ok(());
            }
        };
        while !bytes.is_empty() {
            if let Some(end) = self.cut.get() {
                return Err(end);
            }
            match (&**stream).write(bytes) {
                Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => {}
                Err(_) => return Err(End::Close),
            }
        }
        Ok(())
    }

    /// Ends the sending half.
    pub(crate) fn half_close(&self) {
        self.half_closed.set(true);
        match &self.to {
            To::Socket(stream) => {
                // Fails if the controller has closed already, with the same effect.
                let _ = stream.shutdown(Shutdown::Write);
            }
            To::Memory(line) => line.lock().unwrap_or_else(PoisonError::into_inner).end(End::Close),
        }
    }

    /// Delays the next write.
    pub(crate) fn pause(&self, span: Duration) {
        match &self.to {
            To::Socket(_) => thread::sleep(span),
            To::Memory(line) => line.lock().unwrap_or_else(PoisonError::into_inner).pause(span),
        }
    }

    /// Returns the demanded end of the connection, if any.
    pub(crate) fn cut(&self) -> Option<End> {
        self.cut.get()
    }
}

/// Waits for the next message, for `limit` at most.
pub(crate) fn next(ops: &Receiver<Op>, limit: Duration) -> Option<Op> {
    match ops.recv_timeout(limit) {
        Ok(op) => Some(op),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Op::Cut),
    }
}
