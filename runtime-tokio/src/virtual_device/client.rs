//! One controller's connection to a virtual device.

use std::io;
use std::sync::Arc;

use rustuya_runtime::proto::{
    CommandCode, DpMap, Emulator, EmulatorEvent, EmulatorOutput, Instant, LossReason, PushError, Segments,
};
use serde_json::{Map, Value};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::server::Inner;
use crate::driver::sleep_until;
use rustuya_runtime::convert;
use rustuya_runtime::polled::Timer;
use rustuya_runtime::{Buffers, Entry, Listener, loss};

/// A request that reached a virtual device.
///
/// ```
/// # use rustuya_runtime_tokio::{Listener, Request};
/// async fn show(mut requests: Listener<Request>) {
///     while let Some(request) = requests.recv().await {
///         println!("{} {:?} {:?}", request.seqno, request.name, request.payload);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// Name of the command code, such as `DpQuery`, when it has one.
    pub name: Option<&'static str>,
    /// The sub-device that it is for; `None` for the device itself.
    pub cid: Option<String>,
    /// The payload: JSON, a string when it is none, `None` when there is none.
    pub payload: Option<Value>,
}

impl Entry for Request {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// A change of state that controllers are to hear of.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The connection that made it, which the machine has told already; `None` for the device itself.
    pub(super) by: Option<u64>,
    pub(super) cid: Option<String>,
    /// JSON text of the changed DPs.
    pub(super) dps: String,
}

impl Entry for Change {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

pub(super) struct Client {
    number: u64,
    stream: TcpStream,
    machine: Emulator,
    buffers: Buffers,
    timer: Timer<tokio::time::Sleep>,
    changes: Listener<Change>,
    /// A change that found no room yet.
    unpushed: Option<Change>,
    inner: Arc<Inner>,
}

impl Client {
    pub(super) fn new(number: u64, stream: TcpStream, inner: Arc<Inner>) -> Self {
        let machine = Emulator::new(inner.config.clone(), inner.clock.now(), &mut rand::rng());
        let changes = inner.changes.listener();
        Self {
            number,
            stream,
            machine,
            buffers: Buffers::new(),
            timer: Timer::default(),
            changes,
            unpushed: None,
            inner,
        }
    }

    /// Serves the connection until either side ends it.
    pub(super) async fn run(mut self) {
        while let Ok(until) = self.turn() {
            let writing = !self.buffers.tx.is_empty();
            // With answers that the controller does not take, no more requests are taken either.
            let reading = !writing;
            self.buffers.reclaim(&self.inner.pool);
            let interest = if writing { Interest::WRITABLE } else { Interest::READABLE };
            tokio::select! {
                _ = self.stream.ready(interest), if reading || writing => {
                    if reading && self.read().is_err() {
                        break;
                    }
                }
                change = self.changes.recv(), if self.unpushed.is_none() => match change {
                    Some(change) => self.unpushed = Some(change).filter(|change| change.by != Some(self.number)),
                    None => break,
                },
                () = core::future::poll_fn(|cx| {
                    self.timer.poll(until.map(|until| self.inner.clock.wake_up(until)), cx, sleep_until)
                }) => {}
            }
            tokio::task::consume_budget().await;
        }
    }

    /// Lets the machine do what it can and writes the result. `Err` ends the connection.
    fn turn(&mut self) -> Result<Option<Instant>, LossReason> {
        self.buffers.lend_tx(&self.inner.pool);
        loop {
            let now = self.inner.clock.now();
            let Buffers { rx, tx, .. } = &mut self.buffers;
            let mut store = self.inner.store();
            match self.machine.poll(now, &mut rand::rng(), &mut *store, rx, tx) {
                EmulatorOutput::Hangup { reason } => {
                    drop(store);
                    tracing::debug!(id = %self.inner.config.id, client = self.number, %reason, "hanging up");
                    self.write()?;
                    return Err(LossReason::Closed);
                }
                EmulatorOutput::Event(event) => {
                    drop(store);
                    tell(&self.inner, self.number, &event);
                }
                EmulatorOutput::Wait { until } => {
                    drop(store);
                    let pushed = self.push(now);
                    if self.merges() {
                        let before = self.buffers.rx.len();
                        self.read()?;
                        if self.buffers.rx.len() > before {
                            continue;
                        }
                    }
                    if !self.write()? && !pushed {
                        return Ok(until);
                    }
                }
            }
        }
    }

    /// Hands the change that waits to the machine. Says whether it took it.
    fn push(&mut self, now: Instant) -> bool {
        let Some(change) = self.unpushed.take() else { return false };
        loop {
            let dps = DpMap::Json(&change.dps);
            let tx = &mut self.buffers.tx;
            match self.machine.push(change.cid.as_deref(), dps, now, &mut rand::rng(), tx) {
                Err(PushError::NoRoom { need }) if self.buffers.make_room(need) => {}
                Err(PushError::NoRoom { .. }) if !self.buffers.tx.is_empty() => {
                    self.unpushed = Some(change);
                    return false;
                }
                // Before the negotiation there is nobody to tell; the controller will ask.
                result => return result.is_ok(),
            }
        }
    }

    /// Writes as much as the socket takes. Says whether that was anything.
    fn write(&mut self) -> Result<bool, LossReason> {
        let step = match self.inner.config.quirks.segments {
            Segments::OneByte => 1,
            _ => usize::MAX,
        };
        self.buffers.flush(|bytes| self.stream.try_write(bytes.get(..step).unwrap_or(bytes)))
    }

    /// Reads what has arrived, as much as there is room for.
    fn read(&mut self) -> Result<(), LossReason> {
        self.buffers.lend_rx(&self.inner.pool);
        let spare = self.buffers.rx.spare_mut();
        if spare.is_empty() {
            return Ok(());
        }
        match self.stream.try_read(spare) {
            Ok(0) => Err(LossReason::Closed),
            Ok(n) => {
                self.buffers.rx.commit(n);
                Ok(())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(loss(&error)),
        }
    }

    fn merges(&self) -> bool {
        self.inner.config.quirks.segments == Segments::Merged
    }
}

fn tell(inner: &Inner, client: u64, event: &EmulatorEvent<'_>) {
    let id = &inner.config.id;
    match event {
        EmulatorEvent::Request { seqno, command, payload, cid } => {
            tracing::debug!(%id, client, seqno, ?command, "request");
            if inner.requests.is_heard() {
                inner.requests.publish(&Request {
                    seqno: *seqno,
                    command: *command,
                    name: command.name(),
                    cid: cid.map(|cid| cid.to_string()),
                    payload: convert::payload(payload),
                });
            }
        }
        EmulatorEvent::Written { cid, dps } => {
            let dps = dps.clone().map(|(id, value)| (id.to_string(), convert::dp_value(&value)));
            inner.changes.publish(&Change {
                by: Some(client),
                cid: cid.map(|cid| cid.to_string()),
                dps: Value::Object(dps.collect::<Map<_, _>>()).to_string(),
            });
        }
        other => tracing::debug!(%id, client, event = ?other, "noted"),
    }
}
