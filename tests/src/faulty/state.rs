//! What the handle, the accepting thread and the connections of a faulty device share.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustuya_proto::{CommandCode, EmulatorConfig, Instant};
use serde_json::{Map, Value};

use super::conn::{Cut, End, Op};
use super::fault::Fault;
use super::store::{Store, Write};

/// A request that reached a faulty device.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Number of the connection, from 1; see [`State::accepted`].
    pub connection: u64,
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// The sub-device that it is for; `None` for the device itself.
    pub cid: Option<String>,
    /// The payload: JSON, a string when it is none, `None` when there is none.
    pub payload: Option<Value>,
}

/// A faulty device at one moment, as [`wait_for`](super::FaultyDevice::wait_for) shows it.
#[derive(Debug)]
pub struct State {
    pub(super) config: EmulatorConfig,
    pub(super) store: Store,
    pub(super) fault: Option<Fault>,
    pub(super) max_clients: usize,
    pub(super) powered: bool,
    pub(super) conns: BTreeMap<u64, Conn>,
    pub(super) threads: Vec<JoinHandle<()>>,
    /// The push that was last sent, on any connection.
    pub(super) recorded: Option<Vec<u8>>,
    /// The answer in a negotiation that was last sent, on any connection.
    pub(super) answered: Option<Vec<u8>>,
    accepted: u64,
    flooded: u64,
    requests: VecDeque<Request>,
}

/// A connection as others see it.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) ops: Sender<Op>,
    pub(super) cut: Arc<Cut>,
    pub(super) ready: bool,
    /// The device it was made to is no more: switched off or elsewhere.
    pub(super) held: bool,
    /// The device has left this address for good.
    pub(super) left: bool,
}

impl State {
    /// Older requests are forgotten.
    const REQUESTS: usize = 100_000;

    /// Requests that arrived and could be read, heartbeats included, oldest first; the last 100,000. A request that a
    /// fault makes the device refuse or leave unanswered is among them.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &Request> + ExactSizeIterator {
        self.requests.iter()
    }

    /// Requests with this command.
    pub fn count(&self, command: CommandCode) -> usize {
        self.requests.iter().filter(|request| request.command == command).count()
    }

    /// Connections that were accepted since the device was started, those closed at once included.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Connections that are open, those without a living device behind them included.
    pub fn open(&self) -> usize {
        self.conns.len()
    }

    /// Connections on which pushes can be sent: negotiated, or of a version that does not negotiate.
    pub fn ready(&self) -> usize {
        self.conns.values().filter(|conn| conn.ready && !conn.held).count()
    }

    /// Connections that count against the limit.
    pub(super) fn live(&self) -> usize {
        self.conns.values().filter(|conn| !conn.held).count()
    }

    /// The DPs of the device, or of a sub-device; empty when there is none of that name.
    pub fn dps(&self, cid: Option<&str>) -> Map<String, Value> {
        self.store.dps(cid)
    }

    /// All that controllers have changed, in order.
    pub fn written(&self) -> &[Write] {
        self.store.written()
    }

    /// The number of the new connection.
    pub(super) const fn accept(&mut self) -> u64 {
        self.accepted += 1;
        self.accepted
    }

    pub(super) fn record(&mut self, request: Request) {
        if self.requests.len() >= Self::REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(super) fn forget_requests(&mut self) -> Vec<Request> {
        self.requests.drain(..).collect()
    }

    /// Takes `count` numbers for a flood; the first of them.
    pub(super) fn flood(&mut self, count: u32) -> u64 {
        let first = self.flooded + 1;
        self.flooded += u64::from(count);
        first
    }

    /// Sends an order to every connection but `except`.
    pub(super) fn tell(&self, except: Option<u64>, op: impl Fn() -> Op) {
        for (number, conn) in &self.conns {
            if Some(*number) != except {
                // A connection that has just ended hears nothing any more.
                let _ = conn.ops.send(op());
            }
        }
    }
}

/// The state, and word of its changes.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    pub(super) seed: u64,
}

/// Where the time comes from.
#[derive(Clone)]
pub(super) enum Clock {
    /// The system's.
    Real(std::time::Instant),
    /// A network in memory: microseconds. Nothing happens on it unless it is told to go on.
    Virtual(Arc<AtomicU64>),
}

impl Shared {
    pub(super) fn new(config: EmulatorConfig, store: Store, max_clients: usize, seed: u64, clock: Clock) -> Self {
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

    pub(super) fn now(&self) -> Instant {
        match &self.clock {
            Clock::Real(started) => Instant::ZERO + started.elapsed(),
            Clock::Virtual(micros) => Instant::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// Waits until `holds`. Whether it does within `timeout`. Does not wait where time is virtual.
    pub(super) fn wait_for(&self, timeout: Duration, mut holds: impl FnMut(&State) -> bool) -> bool {
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

    /// Ends every connection, with or without those that have no living device behind them, and returns when that is
    /// done.
    pub(super) fn cut(&self, end: End, also_held: bool) {
        let last = {
            let state = self.state();
            for conn in state.conns.values().filter(|conn| also_held || !conn.held) {
                conn.cut.set(end);
                // One that has just ended hears nothing any more.
                let _ = conn.ops.send(Op::Cut);
            }
            state.accepted
        };
        if let Clock::Virtual(_) = self.clock {
            // It is done when the network goes on.
            return;
        }
        let is_left = |(number, conn): (&u64, &Conn)| *number > last || (conn.held && !also_held);
        let gone = self.wait_for(Duration::from_secs(10), |state| state.conns.iter().all(is_left));
        assert!(gone, "a connection of the faulty device does not end");
    }
}
