//! The tap that writes a record.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{ConnId, Instant};
use rustuya_runtime::tap::{Tap, TapEvent};

use crate::line::{Bytes, FORMAT, Header, Line, MAX_BUFFER, MAX_POLLS, NAME, Op, Order, Shown};
use crate::redact::{Redactor, Way, Writing};

/// So many lines wait for the rest of a frame before it is given up.
const MAX_HELD: usize = 1024;
/// So many connections are told apart at a time; an older one is past caring about.
const MAX_CONNS: usize = 16;
/// Polls of one moment share a line until it holds so many bytes of draws.
const MAX_DRAWS: usize = 4096;

/// Writes the record of one device: a [`Tap`].
///
/// Lines are written as soon as they are certain, each with one call of `write`, the last ones by
/// [`finish`](Self::finish) or when the recorder is dropped. Memory stays small: a redacted record holds back what
/// waits for the rest of a frame, and gives up on a frame that does not end.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// # drop(device);
/// # use std::sync::{Arc, Mutex};
/// # use rustuya_record::Recorder;
/// let recorder = Arc::new(Mutex::new(Recorder::redacted(Vec::new()))); // or a File
/// let device = Device::builder(lamp.id(), "0123456789abcdef")?
///     .address(lamp.local_addr())
///     .version(Version::V34)
///     .record(Arc::clone(&recorder))
///     .spawn(&Tokio);
/// device.query().await?;
/// device.close().await;
/// recorder.lock().map_err(|_| "a panic elsewhere")?.finish()?;
/// # Ok(())
/// # }
/// ```
pub struct Recorder<W: Write + Send> {
    out: W,
    writing: Writing,
    device: u32,
    /// The last call, to which draws and orders are still added.
    current: Option<Held>,
    held: VecDeque<Held>,
    conns: VecDeque<(ConnId, u32)>,
    dials: u32,
    begun: bool,
    error: Option<io::Error>,
}

/// A line, and which bytes it lacks.
struct Held {
    line: Line,
    lacks: Option<(Way, usize)>,
}

impl<W: Write + Send> Recorder<W> {
    /// A record without keys, payloads and ids; see the [crate](crate) for what is left. It goes to `out`.
    pub fn redacted(out: W) -> Self {
        Self::new(out, Some(Redactor::new()))
    }

    /// A record of the bytes as they are, and of the real ids and addresses. With the local key, everything
    /// in it can be read.
    pub const fn full(out: W) -> Self {
        Self::new(out, None)
    }

    const fn new(out: W, redactor: Option<Redactor>) -> Self {
        Self {
            out,
            writing: Writing::new(redactor),
            device: 0,
            current: None,
            held: VecDeque::new(),
            conns: VecDeque::new(),
            dials: 0,
            begun: false,
            error: None,
        }
    }

    /// Gives the device a number, to be told apart where several recorders write to one [`SharedWriter`].
    #[must_use]
    pub const fn device(mut self, number: u32) -> Self {
        self.device = number;
        self
    }

    /// Returns the error that ended the record: the writer's, such as of a full disk, or that of a writer that is too
    /// slow, so that notes had to be left out.
    pub const fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Writes all notes that are held back, and flushes.
    ///
    /// # Errors
    /// The first [`error`](Self::error) since the last call; nothing was recorded after it.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write_everything();
        match self.error.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    /// Writes everything that is held back.
    fn write_everything(&mut self) {
        if let Some(redactor) = &mut self.writing.redactor {
            redactor.give_up();
        }
        self.held.extend(self.current.take());
        self.write_held();
    }

    /// Ends the record where something is missing: what follows would be replayed as something that did not happen.
    fn missed(&mut self, events: u64) {
        self.write_everything();
        self.error.get_or_insert_with(|| {
            io::Error::other(format!(
                "the record ends where {events} events had to be left out: writing is too slow, record to a faster disk"
            ))
        });
    }

    /// Begins the line of a call.
    fn begin(&mut self, at: Instant, op: Op, lacks: Option<(Way, usize)>) {
        self.held.extend(self.current.take());
        let line = Line { device: self.device, at: at.as_micros(), op, random: Bytes::default(), orders: Vec::new() };
        self.current = Some(Held { line, lacks });
        self.write_held();
        if self.held.len() > MAX_HELD
            && let Some(redactor) = &mut self.writing.redactor
        {
            redactor.give_up();
            self.write_held();
        }
    }

    fn bytes(&mut self, at: Instant, way: Way, bytes: &[u8]) {
        let op = |bytes| match way {
            Way::Received => Op::Received { bytes },
            Way::Sent => Op::Sent { bytes },
        };
        match &mut self.writing.redactor {
            Some(redactor) => {
                redactor.push(way, bytes);
                self.begin(at, op(Bytes::default()), Some((way, bytes.len())));
            }
            None => self.begin(at, op(Bytes(bytes.to_vec())), None),
        }
    }

    /// Adds an order to the line of the poll that gave it.
    fn order(&mut self, order: Order) {
        if let Some(current) = &mut self.current {
            current.line.orders.push(order);
        }
    }

    /// Writes lines until one lacks bytes.
    fn write_held(&mut self) {
        while let Some(first) = self.held.front_mut() {
            if let (Some((way, len)), Some(redactor)) = (first.lacks, &mut self.writing.redactor) {
                let Some(masked) = redactor.pull(way, len) else {
                    return;
                };
                if let Op::Received { bytes } | Op::Sent { bytes } = &mut first.line.op {
                    *bytes = Bytes(masked);
                }
            }
            if let Some(held) = self.held.pop_front() {
                self.write(&held.line);
            }
        }
    }

    fn write(&mut self, line: &Line) {
        if self.error.is_some() {
            return;
        }
        let mut text = Vec::new();
        if !self.begun {
            let header = Header { record: NAME.to_owned(), format: FORMAT, redacted: self.writing.redactor.is_some() };
            append(&mut text, &header);
        }
        append(&mut text, line);
        match self.out.write_all(&text) {
            Ok(()) => self.begun = true,
            Err(error) => self.error = Some(error),
        }
    }

    /// The number of a connection.
    fn conn(&self, conn: ConnId) -> u32 {
        self.conns.iter().rev().find(|(id, _)| *id == conn).map_or(0, |(_, number)| *number)
    }

    fn dialing(&mut self, conn: ConnId) -> u32 {
        self.dials += 1;
        self.conns.push_back((conn, self.dials));
        if self.conns.len() > MAX_CONNS {
            self.conns.pop_front();
        }
        self.dials
    }

    /// Everything of the connection is known: nothing of it is held back any more.
    fn connection_ended(&mut self) {
        if let Some(redactor) = &mut self.writing.redactor {
            redactor.end();
        }
    }
}

impl<W: Write + Send> Tap for Recorder<W> {
    fn on_event(&mut self, at: Instant, event: TapEvent<'_>) {
        let op = match event {
            TapEvent::Poll => {
                if let Some(Held { line: Line { at: then, op: Op::Poll { times }, random, .. }, .. }) =
                    &mut self.current
                    && *then == at.as_micros()
                    && *times < MAX_POLLS
                    && random.0.len() < MAX_DRAWS
                {
                    *times += 1;
                    return;
                }
                Op::Poll { times: 1 }
            }
            TapEvent::Drawn(bytes) => {
                if let Some(current) = &mut self.current {
                    current.line.random.0.extend_from_slice(bytes);
                }
                return;
            }
            TapEvent::Dial { conn, to } => {
                self.connection_ended();
                let conn = self.dialing(conn);
                let to = self.writing.socket(to);
                return self.order(Order::Dial { conn, to });
            }
            TapEvent::Hangup { conn } => {
                let conn = self.conn(conn);
                return self.order(Order::Hangup { conn });
            }
            TapEvent::Received(bytes) => return self.bytes(at, Way::Received, bytes),
            TapEvent::Sent(bytes) => return self.bytes(at, Way::Sent, bytes),
            TapEvent::Created { config, rx, tx } => {
                self.dials = 0;
                self.conns.clear();
                let (rx, tx) = (rx.min(MAX_BUFFER), tx.min(MAX_BUFFER));
                if let Some(redactor) = &mut self.writing.redactor {
                    redactor.end();
                    redactor.created(rx, tx);
                }
                Op::Created { config: self.writing.config(config), rx, tx }
            }
            TapEvent::Reconfigured(config) => Op::Reconfigured(self.writing.config(config)),
            TapEvent::DialDelayed { conn } => Op::Held { conn: self.conn(conn) },
            TapEvent::Dialed { conn } => Op::Dialed { conn: self.conn(conn) },
            TapEvent::Lost { conn, why } => {
                self.connection_ended();
                Op::Lost { conn: self.conn(conn), why }
            }
            TapEvent::Announced { address, version } => {
                Op::Announced { address: self.writing.address(address), version: version.map(Shown) }
            }
            TapEvent::Relayed => Op::Relayed,
            TapEvent::ConnectNow => Op::ConnectNow,
            TapEvent::Closed => Op::Closed,
            TapEvent::Missed { events } => return self.missed(events),
            TapEvent::Command(command) => match self.writing.command(&command) {
                Some(command) => Op::Command(command),
                // Random bytes that it draws before it is refused need a line nevertheless.
                None => Op::Poll { times: 0 },
            },
        };
        self.begin(at, op, None);
    }
}

impl<W: Write + Send> Drop for Recorder<W> {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl<W: Write + Send> core::fmt::Debug for Recorder<W> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Recorder").field("redacted", &self.writing.redactor.is_some()).finish_non_exhaustive()
    }
}

/// One line of text.
fn append(text: &mut Vec<u8>, value: &impl serde::Serialize) {
    let before = text.len();
    match serde_json::to_writer(&mut *text, value) {
        Ok(()) => text.push(b'\n'),
        Err(_) => text.truncate(before),
    }
}

/// A writer for the recorders of several devices, each with its [number](Recorder::device): one record of all.
///
/// ```
/// # use rustuya_record::{Recorder, SharedWriter};
/// # fn recorders() -> std::io::Result<()> {
/// let file = SharedWriter::new(std::fs::File::create("session.jsonl")?);
/// let lamp = Recorder::redacted(file.clone()).device(1);
/// let plug = Recorder::redacted(file).device(2);
/// # drop((lamp, plug));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SharedWriter<W>(Arc<Mutex<W>>);

impl<W> SharedWriter<W> {
    /// Shares `out`.
    pub fn new(out: W) -> Self {
        Self(Arc::new(Mutex::new(out)))
    }
}

impl<W> Clone for SharedWriter<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Write> Write for SharedWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_all(buf).map(|()| buf.len())
    }

    /// Writes everything without letting another recorder in between.
    fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}
