//! Connection of one controller to a virtual device.

use std::io;
use std::sync::Arc;

use rustuya_proto::{
    DpMap, Emulator, EmulatorEvent, EmulatorOutput, HangupReason, Instant, LossReason, PushError, Segments,
};
use rustuya_runtime::driver::polled::Timer;
use rustuya_runtime::driver::{Buffers, loss};
use rustuya_runtime::{Listener, convert};
use serde_json::Map;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::events::{Change, RejectedWrite, Request};
use crate::shared::Inner;
use crate::store::Store;

pub(crate) struct Client {
    number: u64,
    stream: TcpStream,
    machine: Emulator,
    buffers: Buffers,
    timer: Timer<tokio::time::Sleep>,
    changes: Listener<Change>,
    /// Change that has found no room yet.
    unpushed: Option<Change>,
    inner: Arc<Inner>,
}

impl Client {
    pub(crate) fn new(number: u64, stream: TcpStream, changes: Listener<Change>, inner: Arc<Inner>) -> Self {
        let machine = Emulator::new(inner.config.clone(), inner.clock.now(), &mut rand::rng());
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

    /// Serves the connection until either side closes it, or the device stops serving.
    pub(crate) async fn run(mut self) {
        let mut wedged = self.inner.wedged.subscribe();
        let is_wedged = tokio::select! {
            biased;
            _ = wedged.wait_for(|wedged| *wedged) => true,
            () = self.serve() => false,
        };
        if is_wedged {
            hold(self.stream).await;
        } else if self.inner.config.quirks.wedge_on_cut_frame && self.machine.has_partial_frame() {
            self.inner.wedged.send_replace(true);
        }
    }

    async fn serve(&mut self) {
        while let Ok(until) = self.turn() {
            let writing = !self.buffers.is_flushed();
            // While the controller does not take answers, read no more requests.
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
                    Some(change) => self.unpushed = Some(change).filter(|change| !change.is_by(self.number)),
                    None => break,
                },
                () = core::future::poll_fn(|cx| {
                    let at = until.map(|until| self.inner.clock.wake_up(until));
                    self.timer.poll(at, cx, |at| tokio::time::sleep_until(at.into()))
                }) => {
                    // Handle received requests before time limits.
                    if reading && self.read().is_err() {
                        break;
                    }
                }
            }
            tokio::task::consume_budget().await;
        }
    }

    /// Lets the machine do what it can, and writes the result. `Err` ends the connection.
    fn turn(&mut self) -> Result<Option<Instant>, LossReason> {
        self.buffers.lend_tx(&self.inner.pool);
        loop {
            let now = self.inner.clock.now();
            let (rx, tx) = self.buffers.lend();
            let mut store = self.inner.store();
            match self.machine.poll(now, &mut rand::rng(), &mut *store, rx, tx) {
                EmulatorOutput::Hangup { reason } => {
                    self.inner.react(&mut store);
                    drop(store);
                    if let HangupReason::NoRoom { need } = reason
                        && self.buffers.make_room(need)
                    {
                        continue;
                    }
                    tracing::debug!(id = %self.inner.config.id, client = self.number, %reason, "hanging up");
                    self.write()?;
                    return Err(LossReason::Closed);
                }
                EmulatorOutput::Event(event) => {
                    tell(&self.inner, &store, self.number, &event);
                    self.inner.react(&mut store);
                }
                EmulatorOutput::Wait { until } => {
                    // Writes that changed nothing are no event.
                    self.inner.react(&mut store);
                    drop(store);
                    let pushed = self.push(now);
                    if self.merges() {
                        let before = self.buffers.received();
                        self.read()?;
                        if self.buffers.received() > before {
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

    /// Passes the waiting change to the machine. Returns whether it took it.
    fn push(&mut self, now: Instant) -> bool {
        let Some(change) = self.unpushed.take() else { return false };
        let (cid, dps) = match &change {
            Change::Dps { cid, dps, .. } => (cid, dps),
            Change::Children => {
                self.machine.report_children();
                return true;
            }
            Change::Lost(lost) => {
                self.inner.lose(self.number, *lost);
                return false;
            }
        };
        loop {
            let (_, tx) = self.buffers.lend();
            match self.machine.push(cid.as_deref(), DpMap::Json(dps), now, &mut rand::rng(), tx) {
                Err(PushError::NoRoom { need }) if self.buffers.make_room(need) => {}
                Err(PushError::NoRoom { .. }) if !self.buffers.is_flushed() => {
                    self.unpushed = Some(change);
                    return false;
                }
                // The controller may have sent its last message of the negotiation: its end of the connection is up.
                Err(PushError::NotReady) if self.machine.awaits_finish() => {
                    self.unpushed = Some(change);
                    return false;
                }
                // Before the negotiation there is no receiver; the controller will query the state.
                result => return result.is_ok(),
            }
        }
    }

    /// Writes as much as the socket takes. Returns whether it took any.
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
        let spare = self.buffers.spare_mut();
        if spare.is_empty() {
            return Ok(());
        }
        match self.stream.try_read(spare) {
            Ok(0) => Err(LossReason::Closed),
            Ok(n) => {
                self.buffers.commit(n);
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

fn tell(inner: &Inner, store: &Store, client: u64, event: &EmulatorEvent<'_>) {
    let id = &inner.config.id;
    match event {
        EmulatorEvent::Request { seqno, command, payload, cid } => {
            tracing::debug!(%id, client, seqno, command = command.0, "request");
            if inner.requests.has_listeners() {
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
            let cid = cid.map(|cid| cid.to_string());
            // As they are by now: the device may have reacted while the answer found no room.
            let now = store.dps(cid.as_deref());
            let dps = dps.clone().map(|(id, written)| {
                let key = id.to_string();
                let value = now.and_then(|now| now.get(&key)).cloned();
                (key, value.unwrap_or_else(|| convert::dp_value(&written)))
            });
            let dps = dps.collect::<Map<_, _>>();
            inner.publish(store, Some(client), cid, dps);
        }
        EmulatorEvent::Ignored { cid, dps } => {
            let cid = cid.map(|cid| cid.to_string());
            for (dp, value) in dps.clone() {
                let value = convert::dp_value(&value);
                let why = store.check(cid.as_deref(), dp, &value).err();
                inner.report_rejected(RejectedWrite { cid: cid.clone(), dp: dp.0, value, why });
            }
        }
        EmulatorEvent::Negotiated => tracing::debug!(%id, client, "session key agreed on"),
        EmulatorEvent::Refused { command, error } => {
            tracing::debug!(%id, client, ?command, error = error.text(), "request refused");
        }
        EmulatorEvent::Dropped { command } => tracing::debug!(%id, client, ?command, "command dropped"),
        EmulatorEvent::Discarded { error } => tracing::debug!(%id, client, %error, "bytes discarded"),
        _ => {}
    }
}

/// Keeps a connection open, and neither reads nor writes.
pub(crate) async fn hold(stream: TcpStream) {
    core::future::pending::<()>().await;
    drop(stream);
}
