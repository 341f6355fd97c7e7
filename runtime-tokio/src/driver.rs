//! The task of one device: it carries out the machine's orders and tells it what happened, and decides nothing.

use std::sync::Arc;

use rustuya_proto::{self as proto, ConnId, DownReason, Event as Lent, LossReason, Output};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};

use crate::commands::{Commands, Request};
use crate::convert;
use crate::discovery::Sighted;
use crate::event::{Event, Hub};
use crate::net::{self, Buffers, Clock, Timer};

/// What the task and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: proto::DeviceId,
    pub(crate) hub: Hub<Event>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) closing: Notify,
}

/// What handles can ask for without asking the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) up: bool,
    pub(crate) version: Option<proto::Version>,
    pub(crate) diagnosis: Option<DownReason>,
    /// The task has ended.
    pub(crate) closed: bool,
}

/// From a handle to the task.
#[derive(Debug)]
pub(crate) enum Order {
    Command(Box<Request>),
    /// Connect if no attempt is made or planned.
    Connect,
    /// Connect without delay.
    ConnectNow,
}

pub(crate) struct Driver {
    pub(crate) machine: proto::Device,
    pub(crate) inbox: mpsc::Receiver<Order>,
    pub(crate) sightings: Option<watch::Receiver<Option<Sighted>>>,
    pub(crate) shared: Arc<Shared>,
    clock: Clock,
    timer: Timer,
    buffers: Buffers,
    link: Link,
    commands: Commands,
    /// Why the connection last ended.
    reason: Option<DownReason>,
    /// The machine dials again by itself.
    retrying: bool,
    closing: bool,
}

impl Driver {
    pub(crate) fn new(
        config: proto::DeviceConfig,
        inbox: mpsc::Receiver<Order>,
        sightings: Option<watch::Receiver<Option<Sighted>>>,
        shared: Arc<Shared>,
    ) -> Self {
        let clock = Clock::start();
        Self {
            machine: proto::Device::new(config, clock.now()),
            inbox,
            sightings,
            shared,
            clock,
            timer: Timer::default(),
            buffers: Buffers::new(),
            link: Link::Off,
            commands: Commands::default(),
            reason: None,
            retrying: false,
            closing: false,
        }
    }

    pub(crate) async fn run(mut self) {
        while !self.closing {
            let Turn::Rest { until } = self.turn() else {
                // Other tasks get their turn also while this device talks without pause.
                tokio::task::yield_now().await;
                continue;
            };
            self.buffers.reclaim();
            let writing = !self.buffers.tx.is_empty();
            tokio::select! {
                order = self.inbox.recv() => self.obey(order),
                ready = self.link.ready(writing) => self.transfer(ready),
                sighted = next_sighting(&mut self.sightings) => self.sighted(sighted),
                () = self.timer.wait(&self.clock, until) => {}
                () = self.shared.closing.notified() => self.closing = true,
            }
        }
        self.finish().await;
    }

    /// Lets the machine do all it can now, but no more than a fair share.
    fn turn(&mut self) -> Turn {
        self.buffers.lend();
        self.commands.expire(&self.machine);
        for _ in 0..FAIR_SHARE {
            let now = self.clock.now();
            let Buffers { rx, tx, .. } = &mut self.buffers;
            match self.machine.poll(now, &mut rand::rng(), rx, tx) {
                Output::Dial { conn, to } => {
                    tracing::debug!(id = %self.shared.id, %to, "dialing");
                    self.link = Link::Dialing(conn, Box::pin(net::dial(to)));
                }
                Output::Hangup { conn } => self.link.hang_up(conn),
                Output::Event(event) => {
                    if let Lent::Down { reason, retry_at } = event {
                        self.reason = Some(reason);
                        self.retrying = retry_at.is_some();
                    }
                    publish_status(&self.shared, &self.machine, false);
                    tell(&self.shared, &event, now);
                    if let Lent::Resolved { id, outcome, message } = event {
                        self.commands.resolve(id, outcome, message.as_ref(), self.reason);
                    }
                }
                Output::Wait { until } => {
                    publish_status(&self.shared, &self.machine, false);
                    let sent = self.commands.send(&mut self.machine, &self.clock, &mut self.buffers);
                    if !self.flush() && !sent {
                        let waiting = self.commands.deadline(&self.clock);
                        let until = until.into_iter().chain(waiting).min();
                        return Turn::Rest { until };
                    }
                }
            }
        }
        Turn::Busy
    }

    /// Writes what the machine has produced. Says whether there is something new for it.
    fn flush(&mut self) -> bool {
        let Link::Up(conn, stream) = &self.link else { return false };
        if self.buffers.tx.is_empty() {
            return false;
        }
        let conn = *conn;
        let before = self.buffers.tx.pending().len();
        match self.buffers.write_to(stream, usize::MAX) {
            Ok(()) => self.buffers.tx.pending().len() < before,
            Err(why) => {
                self.lost(conn, why);
                true
            }
        }
    }

    fn transfer(&mut self, ready: Ready) {
        match (ready, &self.link) {
            (Ready::Dialed(Ok(stream)), Link::Dialing(conn, _)) => {
                let conn = *conn;
                self.link = Link::Up(conn, stream);
                self.machine.handle_dialed(conn, self.clock.now());
            }
            (Ready::Dialed(Err(why)), Link::Dialing(conn, _)) => self.lost(*conn, why),
            (Ready::Socket, Link::Up(conn, stream)) => {
                let conn = *conn;
                // Writing is left to the turn that follows.
                if let Err(why) = self.buffers.read_from(stream) {
                    self.lost(conn, why);
                }
            }
            _ => {}
        }
    }

    fn lost(&mut self, conn: ConnId, why: LossReason) {
        self.link = Link::Off;
        self.machine.handle_lost(conn, why, self.clock.now());
    }

    fn sighted(&mut self, sighted: Option<Sighted>) {
        match sighted {
            Some(Sighted { ip, version, .. }) => {
                self.machine.handle_announcement(ip.into(), version, self.clock.now());
            }
            None => self.sightings = None,
        }
    }

    fn obey(&mut self, order: Option<Order>) {
        match order {
            Some(Order::Command(request)) => {
                self.commands.add(request);
                self.obey(Some(Order::Connect));
            }
            Some(Order::Connect) if self.retrying || !matches!(self.link, Link::Off) => {}
            Some(Order::Connect | Order::ConnectNow) => self.machine.connect_now(self.clock.now()),
            None => self.closing = true,
        }
    }

    /// Refuses what was not sent, gives what was encoded a moment to leave, and hangs up.
    async fn finish(&mut self) {
        self.inbox.close();
        while let Ok(order) = self.inbox.try_recv() {
            self.obey(Some(order));
        }
        self.commands.refuse_waiting();
        if let Link::Up(_, stream) = core::mem::replace(&mut self.link, Link::Off) {
            let flushed = async {
                while !self.buffers.tx.is_empty()
                    && stream.writable().await.is_ok()
                    && self.buffers.write_to(&stream, usize::MAX).is_ok()
                {}
            };
            // Past the grace period the bytes are lost with the connection.
            let _ = tokio::time::timeout(GRACE, flushed).await;
        }
        self.machine.close();
        while let Turn::Busy = self.turn() {}
    }
}

impl Drop for Driver {
    /// Also where the task is dropped half-way, as when the runtime shuts down.
    fn drop(&mut self) {
        self.commands.refuse_waiting();
        publish_status(&self.shared, &self.machine, true);
        self.shared.hub.close();
        tracing::debug!(id = %self.shared.id, "closed");
    }
}

enum Turn {
    /// Nothing to do before `until`, or until something happens.
    Rest { until: Option<proto::Instant> },
    /// There is more to do.
    Busy,
}

/// The connection as far as the operating system is concerned.
enum Link {
    Off,
    Dialing(ConnId, core::pin::Pin<Box<dyn Future<Output = Result<TcpStream, LossReason>> + Send>>),
    Up(ConnId, TcpStream),
}

enum Ready {
    Dialed(Result<TcpStream, LossReason>),
    Socket,
}

impl Link {
    /// # Cancel safety
    /// Safe: a dial goes on when this is awaited again.
    async fn ready(&mut self, writing: bool) -> Ready {
        match self {
            Self::Off => core::future::pending().await,
            Self::Dialing(_, dial) => Ready::Dialed(dial.await),
            Self::Up(_, stream) => {
                let interest = if writing { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
                // An error shows again in the read that follows.
                let _ = stream.ready(interest).await;
                Ready::Socket
            }
        }
    }

    fn hang_up(&mut self, which: ConnId) {
        match self {
            Self::Dialing(conn, _) | Self::Up(conn, _) if *conn == which => *self = Self::Off,
            _ => {}
        }
    }
}

async fn next_sighting(sightings: &mut Option<watch::Receiver<Option<Sighted>>>) -> Option<Sighted> {
    let Some(receiver) = sightings else {
        return core::future::pending().await;
    };
    loop {
        receiver.changed().await.ok()?;
        if let Some(sighted) = *receiver.borrow_and_update() {
            return Some(sighted);
        }
    }
}

fn publish_status(shared: &Shared, machine: &proto::Device, closed: bool) {
    let status =
        Status { up: machine.is_up() && !closed, version: machine.version(), diagnosis: machine.diagnosis(), closed };
    shared.status.send_if_modified(|known| core::mem::replace(known, status) != status);
}

/// Passes an event on to those who listen.
fn tell(shared: &Shared, event: &Lent<'_>, now: proto::Instant) {
    let owned = match event {
        Lent::Up { version } => {
            tracing::debug!(id = %shared.id, %version, "up");
            Event::Up { version: *version }
        }
        Lent::Down { reason, retry_at } => {
            let retry_in = retry_at.map(|at| at.saturating_since(now));
            tracing::debug!(id = %shared.id, %reason, ?retry_in, "down");
            Event::Down { reason: *reason, retry_in }
        }
        Lent::Dialect(dialect) => Event::Dialect(*dialect),
        Lent::Message(message) if shared.hub.is_heard() => convert::message_event(message),
        // An empty acknowledgement is no news to anybody but the one who asked.
        Lent::Resolved { message: Some(message), .. } if !message.payload.is_empty() && shared.hub.is_heard() => {
            convert::message_event(message)
        }
        _ => return,
    };
    shared.hub.publish(owned);
}

/// Outputs handled in one turn.
const FAIR_SHARE: usize = 64;

/// How long encoded bytes may take to leave on closing.
const GRACE: core::time::Duration = core::time::Duration::from_secs(1);
