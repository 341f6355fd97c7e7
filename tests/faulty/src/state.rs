//! State that the handle, the accepting thread and the connections of a faulty device share.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustuya_proto::{CommandCode, EmulatorConfig, Instant};
use serde_json::{Map, Value};

use crate::conn::{Cut, End, Op};
use crate::fault::Fault;
use crate::store::{Store, Write};

/// Request received by a faulty device.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Number of the connection, from 1; see [`State::accepted`].
    pub connection: u64,
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// The sub-device; `None` for the device itself.
    pub cid: Option<String>,
    /// The payload: JSON, a string if it is not JSON, `None` if it is empty.
    pub payload: Option<Value>,
}

/// State of a faulty device, passed to the condition of [`wait_for`](crate::FaultyDevice::wait_for).
#[derive(Debug)]
pub struct State {
    pub(crate) config: EmulatorConfig,
    pub(crate) store: Store,
    pub(crate) fault: Option<Fault>,
    pub(crate) max_clients: usize,
    pub(crate) powered: bool,
    pub(crate) conns: BTreeMap<u64, Conn>,
    pub(crate) threads: Vec<JoinHandle<()>>,
    /// Last push on any connection.
    pub(crate) recorded: Option<Vec<u8>>,
    /// Last answer in a negotiation on any connection.
    pub(crate) answered: Option<Vec<u8>>,
    accepted: u64,
    flooded: u64,
    requests: VecDeque<Request>,
}

/// Entry of a connection in the state.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) ops: Sender<Op>,
    pub(crate) cut: Arc<Cut>,
    pub(crate) ready: bool,
    /// True if its device is off or has moved.
    pub(crate) held: bool,
    /// True if its device has moved.
    pub(crate) left: bool,
}

impl State {
    /// Largest number of kept requests.
    const REQUESTS: usize = 100_000;

    /// Returns the last 100,000 readable requests, including heartbeats, oldest first. Includes requests that a fault
    /// made the device refuse or ignore.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &Request> + ExactSizeIterator {
        self.requests.iter()
    }

    /// Counts the requests with this command.
    pub fn count(&self, command: CommandCode) -> usize {
        self.requests.iter().filter(|request| request.command == command).count()
    }

    /// Returns the number of accepted connections since the start, including those closed at once.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Counts the open connections, including those whose device is off or has moved.
    pub fn open(&self) -> usize {
        self.conns.len()
    }

    /// Counts the connections that accept pushes: negotiated, or of a version without negotiation.
    pub fn ready(&self) -> usize {
        self.conns.values().filter(|conn| conn.ready && !conn.held).count()
    }

    /// Counts the connections that count against the limit.
    pub(crate) fn live(&self) -> usize {
        self.conns.values().filter(|conn| !conn.held).count()
    }

    /// Returns the DPs of the device or a sub-device; empty for an unknown one.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.store.dps(cid)
    }

    /// Returns all changes by controllers, in order.
    pub fn written(&self) -> &[Write] {
        self.store.written()
    }

    /// Counts a new connection. Returns its number.
    pub(crate) const fn accept(&mut self) -> u64 {
        self.accepted += 1;
        self.accepted
    }

    pub(crate) fn record(&mut self, request: Request) {
        if self.requests.len() >= Self::REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn forget_requests(&mut self) -> Vec<Request> {
        self.requests.drain(..).collect()
    }

    /// Reserves `count` numbers for a flood. Returns the first.
    pub(crate) fn flood(&mut self, count: u32) -> u64 {
        let first = self.flooded + 1;
        self.flooded += u64::from(count);
        first
    }

    /// Sends a message to every connection except `except`.
    pub(crate) fn tell(&self, except: Option<u64>, op: impl Fn() -> Op) {
        for (number, conn) in &self.conns {
            if Some(*number) != except {
                // Fails for a connection that has just ended.
                let _ = conn.ops.send(op());
            }
        }
    }
}

/// State with a condition variable for its changes.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    pub(crate) seed: u64,
}

/// Clock of a device.
#[derive(Clone)]
pub(crate) enum Clock {
    /// The system's.
    Real(std::time::Instant),
    /// Microseconds of a network in memory, which advances only on request.
    Virtual(Arc<AtomicU64>),
}

impl Shared {
    pub(crate) fn new(config: EmulatorConfig, store: Store, max_clients: usize, seed: u64, clock: Clock) -> Self {
        let state = State {
            config,
            store,
            fault: None,
            max_clients,
            powered: true,
            conns: BTreeMap::new(),
            threads: Vec::new(),
            accepted: 0,
            recorded: None,
            answered: None,
            flooded: 0,
            requests: VecDeque::new(),
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), clock, seed }
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.clock {
            Clock::Real(started) => Instant::ZERO + started.elapsed(),
            Clock::Virtual(micros) => Instant::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the waiting threads.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// Waits until `holds` is true. Returns whether it is within `timeout`. Does not wait in virtual time.
    pub(crate) fn wait_for(&self, timeout: Duration, mut holds: impl FnMut(&State) -> bool) -> bool {
        let guard = self.state();
        if let Clock::Virtual(_) = self.clock {
            return holds(&guard);
        }
        let (_guard, result) = self
            .changed
            .wait_timeout_while(guard, timeout, |state| !holds(state))
            .unwrap_or_else(PoisonError::into_inner);
        !result.timed_out()
    }

    /// Ends every connection, with or without those whose device is off or has moved, and waits until that is done.
    pub(crate) fn cut(&self, end: End, also_held: bool) {
        let last = {
            let state = self.state();
            for conn in state.conns.values().filter(|conn| also_held || !conn.held) {
                conn.cut.set(end);
                // Fails for a connection that has just ended.
                let _ = conn.ops.send(Op::Cut);
            }
            state.accepted
        };
        if let Clock::Virtual(_) = self.clock {
            // In memory it is done when the network advances.
            return;
        }
        let is_left = |(number, conn): (&u64, &Conn)| *number > last || (conn.held && !also_held);
        let gone = self.wait_for(Duration::from_secs(10), |state| state.conns.iter().all(is_left));
        assert!(gone, "a connection of the faulty device does not end");
    }
}
