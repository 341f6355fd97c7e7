//! A controller without a runtime: the machine of `rustuya_proto` on one blocking socket.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;

use rustuya_proto::{
    Command, CommandId, ConnId, Device, DeviceConfig, Dialect, DownReason, Event, Instant, LossReason, Message,
    Outcome, Output, RxBuf, SendError, Timing, TxBuf, Version,
};
use rustuya_seeded::SeededRng;

use crate::FaultyDevice;

/// Event of the controller's machine, in owned form.
#[derive(Clone, Debug, PartialEq)]
pub enum MachineEvent {
    /// `Event::Up`
    Up(Version),
    /// `Event::Down`
    Down(DownReason),
    /// `Event::Dialect`
    Dialect(Dialect),
    /// `Event::Resolved` with the payload of its message.
    Resolved(CommandId, Outcome, Option<String>),
    /// `Event::Message`: its payload.
    Message(String),
}

impl MachineEvent {
    /// Copies an event; `None` for those that no test looks at.
    #[must_use]
    pub fn new(event: Event<'_>) -> Option<Self> {
        let text = |message: Message<'_>| String::from_utf8_lossy(message.payload.as_bytes()).into_owned();
        Some(match event {
            Event::Up { version } => Self::Up(version),
            Event::Down { reason, .. } => Self::Down(reason),
            Event::Dialect(dialect) => Self::Dialect(dialect),
            Event::Resolved { id, outcome, message } => Self::Resolved(id, outcome, message.map(text)),
            Event::Message(message) => Self::Message(text(message)),
            _ => return None,
        })
    }
}

/// Controller that runs only during its waits.
pub struct Client {
    machine: Device,
    stream: Option<(ConnId, TcpStream)>,
    rx: RxBuf<Vec<u8>>,
    tx: TxBuf<Vec<u8>>,
    rng: SeededRng,
    started: std::time::Instant,
    /// All events of the machine, in order.
    pub events: Vec<MachineEvent>,
    /// Bytes of the last thousand reads.
    pub reads: VecDeque<Vec<u8>>,
    /// Reasons of ended connections and failed dials, in order.
    pub losses: Vec<LossReason>,
}

impl Client {
    /// Creates a controller of `device` with a complete configuration and short limits: 1 s for every answer of the
    /// device, 50 to 200 ms between attempts.
    pub fn of(device: &FaultyDevice) -> Self {
        let version = device.version();
        let mut config = Self::config(device.addr(), device).version(version);
        config.dialect = (version == Version::V32).then_some(Dialect::Device22);
        Self::new(config)
    }

    /// Returns the configuration of [`of`](Self::of) for another address, and without version.
    pub fn config(at: SocketAddr, device: &FaultyDevice) -> DeviceConfig {
        let mut timing = Timing::DEFAULT;
        timing.connect = Duration::from_secs(1);
        timing.negotiate = Duration::from_secs(1);
        timing.answer = Duration::from_secs(1);
        timing.backoff_min = Duration::from_millis(50);
        timing.backoff_max = Duration::from_millis(200);
        DeviceConfig::new(device.id(), device.key()).address(at.ip()).port(at.port()).timing(timing)
    }

    /// Creates a controller with this configuration.
    pub fn new(config: DeviceConfig) -> Self {
        Self {
            machine: Device::new(config, Instant::ZERO),
            stream: None,
            rx: RxBuf::new(vec![0; 4096]),
            tx: TxBuf::new(vec![0; 4096]),
            rng: SeededRng::new(7),
            started: std::time::Instant::now(),
            events: Vec::new(),
            reads: VecDeque::new(),
            losses: Vec::new(),
        }
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The machine's error.
    pub fn send(&mut self, command: &Command<'_>) -> Result<CommandId, SendError> {
        let id = self.machine.send(command, self.now(), &mut self.rng, &mut self.tx)?;
        self.write();
        Ok(id)
    }

    /// Connects, unless it is connected. Returns whether it is within `limit`.
    pub fn connect(&mut self, limit: Duration) -> bool {
        self.run_until(limit, |client| client.machine.is_up())
    }

    /// Sends a command and runs until it is resolved. Returns its outcome.
    ///
    /// # Panics
    /// If it cannot be sent, or is not resolved within 10 s.
    pub fn ask(&mut self, command: &Command<'_>) -> (Outcome, Option<String>) {
        let id = self.send(command).expect("the command can be sent");
        assert!(self.run_until(Duration::from_secs(10), |client| client.outcome(id).is_some()), "never resolved");
        self.outcome(id).expect("it is resolved")
    }

    /// Returns the outcome of a command, if it is resolved.
    pub fn outcome(&self, id: CommandId) -> Option<(Outcome, Option<String>)> {
        self.events.iter().find_map(|event| match event {
            MachineEvent::Resolved(found, outcome, text) if *found == id => Some((*outcome, text.clone())),
            _ => None,
        })
    }

    /// Returns the payloads of all delivered answers and pushes, in order.
    pub fn delivered(&self) -> impl Iterator<Item = &str> {
        self.events.iter().filter_map(|event| match event {
            MachineEvent::Message(text) | MachineEvent::Resolved(_, _, Some(text)) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns the version in use.
    pub fn version(&self) -> Option<Version> {
        self.machine.version()
    }

    /// Returns the machine.
    pub const fn machine(&mut self) -> &mut Device {
        &mut self.machine
    }

    /// Returns the machine's time.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    /// Runs until `done` holds, at most for `limit`. Returns whether it holds.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now() + limit;
        loop {
            let until = self.poll();
            if done(self) {
                return true;
            }
            let now = self.now();
            if now >= end {
                return false;
            }
            let wait = until.map_or(end, |until| until.min(end)).saturating_since(now);
            self.read(wait.clamp(Duration::from_millis(1), Duration::from_millis(20)));
        }
    }

    /// Polls the machine until it waits.
    fn poll(&mut self) -> Option<Instant> {
        loop {
            let now = self.now();
            let event = match self.machine.poll(now, &mut self.rng, &mut self.rx, &mut self.tx) {
                Output::Dial { conn, to } => {
                    self.dial(conn, to);
                    continue;
                }
                Output::Hangup { conn } => {
                    self.stream.take_if(|(open, _)| *open == conn);
                    continue;
                }
                Output::Wait { until } => {
                    self.write();
                    return until;
                }
                Output::Event(event) => {
                    let Some(event) = MachineEvent::new(event) else { continue };
                    event
                }
            };
            self.events.push(event);
        }
    }

    fn dial(&mut self, conn: ConnId, to: SocketAddr) {
        self.stream = None;
        let dialed = TcpStream::connect_timeout(&to, Duration::from_secs(1));
        let now = self.now();
        match dialed.and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                self.machine.handle_dialed(conn, now);
                self.stream = Some((conn, stream));
            }
            Err(error) => self.lose(conn, error.kind()),
        }
    }

    fn lose(&mut self, conn: ConnId, kind: ErrorKind) {
        let why = match kind {
            ErrorKind::ConnectionRefused => LossReason::Refused,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => LossReason::Reset,
            ErrorKind::UnexpectedEof => LossReason::Closed,
            ErrorKind::TimedOut => LossReason::TimedOut,
            _ => LossReason::Other,
        };
        self.stream = None;
        self.losses.push(why);
        self.machine.handle_lost(conn, why, self.now());
    }

    fn write(&mut self) {
        let Some((conn, stream)) = &mut self.stream else { return };
        let result = stream.write_all(self.tx.pending());
        self.tx.clear();
        if let Err(error) = result {
            let conn = *conn;
            self.lose(conn, error.kind());
        }
    }

    /// Reads once, at most for `limit`.
    fn read(&mut self, limit: Duration) {
        const KEPT: usize = 1000;
        let Some((conn, stream)) = &mut self.stream else {
            std::thread::sleep(limit);
            return;
        };
        let conn = *conn;
        let spare = self.rx.spare_mut();
        let result = stream.set_read_timeout(Some(limit)).and_then(|()| stream.read(spare));
        match result {
            Ok(0) => self.lose(conn, ErrorKind::UnexpectedEof),
            Ok(n) => {
                self.reads.push_back(spare[..n].to_vec());
                if self.reads.len() > KEPT {
                    self.reads.pop_front();
                }
                self.rx.commit(n);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => self.lose(conn, error.kind()),
        }
    }
}
