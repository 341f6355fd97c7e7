//! Clock of the thread, and a connection with visible bytes.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;
use std::time::Instant;

use rustuya_proto::{self as proto, Rng as _, frame_len};
use rustuya_runtime::driver::{DirectWriter, DrivenDiscovery, DrivenLink, Runtime, Sources, Transport};
use rustuya_seeded::SeededRng;

use super::writes::numbers;
use crate::machines::Peer;

thread_local! {
    static START: Instant = Instant::now();
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static RNG: RefCell<SeededRng> = const { RefCell::new(SeededRng::new(7)) };
}

/// Resets the clock to zero, and the random generator.
pub(super) fn reset_clock() {
    NOW.set(Duration::ZERO);
    RNG.set(SeededRng::new(7));
}

/// Returns the time since the beginning.
pub(super) fn now() -> Duration {
    NOW.get()
}

pub(super) fn set_time(now: Duration) {
    NOW.set(now);
}

/// Returns the link's time.
pub(super) fn system_time() -> Instant {
    START.with(|start| *start) + NOW.get()
}

/// Runtime that keeps the link for the target to drive.
#[derive(Clone, Default)]
pub(super) struct VirtualRuntime(pub(super) Arc<Mutex<Vec<DrivenLink>>>);

impl Runtime for VirtualRuntime {
    fn drive(&self, link: DrivenLink) {
        lock(&self.0).push(link);
    }

    fn listen(&self, _: DrivenDiscovery, _: Vec<std::net::UdpSocket>) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sources(&self) -> Option<Sources> {
        let now = || START.with(|start| *start) + NOW.get();
        let random = |into: &mut [u8]| RNG.with_borrow_mut(|rng| rng.fill_bytes(into));
        Some(Sources::SYSTEM.with_now(now).with_random(random))
    }
}

/// Waker that sets a flag.
#[derive(Default)]
pub(super) struct Flag(pub(super) AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Connection between controller and device.
pub(super) struct Connection {
    pub(super) peer: Peer,
    /// Bytes of `peer.to_controller` that have arrived.
    pub(super) arrived: usize,
    /// Bytes that the controller can write.
    pub(super) room: usize,
    /// End of the connection for the controller, once it has read everything.
    pub(super) ends: Option<Option<ErrorKind>>,
    /// Start of a frame that the controller has not completely written.
    pub(super) partial: Vec<u8>,
    /// Values written by the controller's frames since the last check.
    pub(super) written: Vec<i64>,
}

pub(super) type Shared = Arc<Mutex<Connection>>;

pub(super) struct ControllerEnd(pub(super) Shared);

impl ControllerEnd {
    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut connection = lock(&self.0);
        if connection.ends.is_some() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let len = bytes.len().min(connection.room);
        let (Some(taken), true) = (bytes.get(..len), len > 0) else { return Err(ErrorKind::WouldBlock.into()) };
        connection.room -= len;
        connection.wrote(taken);
        Ok(len)
    }
}

impl Transport for ControllerEnd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut connection = lock(&self.0);
        let len = connection.arrived.min(into.len());
        if len > 0 {
            into[..len].copy_from_slice(&connection.peer.to_controller[..len]);
            connection.peer.to_controller.drain(..len);
            connection.arrived -= len;
            return Ok(len);
        }
        match connection.ends {
            Some(None) => Ok(0),
            Some(Some(kind)) => Err(kind.into()),
            None => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }
}

impl DirectWriter for ControllerEnd {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes)
    }
}

impl Connection {
    fn wrote(&mut self, bytes: &[u8]) {
        self.peer.tap.controller_wrote(bytes);
        self.peer.to_device.extend_from_slice(bytes);
        self.partial.extend_from_slice(bytes);
        loop {
            let len = frame_len(&self.partial).expect("the controller writes frames");
            let Some(frame) = len.and_then(|len| self.partial.get(..len)) else { return };
            self.written.extend(numbers(&self.peer.tap, frame));
            self.partial.drain(..frame.len());
        }
    }
}

/// Buffer of a record.
#[derive(Clone, Default)]
pub(super) struct RecordBuffer(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for RecordBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn machine_time() -> proto::Instant {
    proto::Instant::from_millis(1_000) + NOW.get()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
