//! Controller's machine: one device, across any number of connections.

mod addresses;
mod backoff;
mod command;
mod config;
mod conn;
mod dialect;
mod event;
mod expected_push;
mod pending;
mod retry;
mod search;
mod send;

pub use command::{Command, CommandId, SendError};
pub use config::{DEFAULT_PORT, DeviceConfig, Timing};
pub use event::{ConnId, DownReason, Event, LossReason, Message, Outcome, Output};

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use rand_core::CryptoRng;

use crate::buf::{Rx, RxBuf, Storage, Tx, TxBuf};
use crate::codec::Opened;
use crate::payload::Payload;
use crate::session::guard::Repeated;
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;
use addresses::Addresses;
use conn::Conn;
use dialect::DialectState;
use pending::Pending;
use search::{Decision, Failure, Search};

/// Most changes of version in a row, without success, that peers may cause.
const MOST_VERSION_CHANGES: u8 = 4;
/// Minimum interval between reconnects that announcements cause, because anybody on the network can forge them. Short
/// enough that a device is in use again within a second of its first announcement.
const WAKE_INTERVAL: Duration = Duration::from_millis(500);

/// Pause between a failure at the address that last proved the key and a dial to another one.
const NEXT_ADDRESS_PAUSE: Duration = Duration::from_millis(30);

/// Controller's machine of one physical device: dials, negotiates, sends commands, keeps the connection alive,
/// reconnects.
///
/// The driver owns the socket and both buffers; see [`Output`] for what it must do. All its memory is inside: no call
/// allocates, and no input makes it grow.
pub struct Device {
    config: DeviceConfig,
    link: Link,
    addresses: Addresses,
    /// Version in use when none is configured.
    resolved: Option<Version>,
    /// True if a session key was negotiated under the configured local key: then no version without a negotiation is
    /// believed.
    proven: bool,
    /// True if a frame of 3.1 was sealed under the local key, which shows that the device uses that version.
    sealed_31: bool,
    search: Search,
    dialect_state: DialectState,
    pending: Pending,
    last_conn: u32,
    last_command: u32,
    /// Number of failed attempts in a row.
    failures: u32,
    /// Number of changes of version in a row, without success, each caused by a frame of a peer.
    version_changes: u8,
    last_wake: Option<Instant>,
    hangup: Option<ConnId>,
    down: Option<(DownReason, Option<Instant>)>,
    diagnosis: Option<DownReason>,
    stats: Stats,
}

#[expect(clippy::large_enum_variant, reason = "there is no heap to move the connection to")]
enum Link {
    /// Idle: no connection is wanted, or no address is known.
    Off,
    /// Closed for good.
    Closed,
    /// Waiting to dial.
    Backoff { until: Instant },
    /// Dialing.
    Dialing { conn: ConnId, deadline: Instant, attempt: Attempt, lost: Option<LossReason> },
    /// Connected.
    Up(Conn),
}

/// Plan for one connection.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    version: Version,
    /// True if version or key are uncertain: then nothing is believed before an answer proves them.
    verify: bool,
    /// True if nothing is sent at first.
    listen: bool,
}

/// Counters since the creation of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of connections that became usable.
    pub connects: u32,
    /// Number of attempts that failed.
    pub failed_attempts: u32,
    /// Number of valid frames received.
    pub frames: u64,
    /// Number of invalid frames received.
    pub bad_frames: u32,
    /// Number of times that bytes were skipped to find the next frame.
    pub resyncs: u32,
    /// Number of frames that were skipped because they were larger than the receive buffer may be.
    pub skipped: u32,
    /// Number of frames that were ignored because they are our own, sent back, or were received before.
    pub ignored: u32,
}

/// [`Output`] with ranges in place of bytes.
enum PollStep {
    Dial(ConnId, SocketAddr),
    Hangup(ConnId),
    Up(Version),
    Down(DownReason, Option<Instant>),
    Dialect(Dialect),
    Resolved(CommandId, Outcome, Option<Opened>),
    Message(Opened),
    Skipped(CommandCode, usize),
    Ignored(CommandCode, Repeated),
    Wait(Option<Instant>),
}

impl Device {
    /// Creates a machine for the device that `config` describes. The next `poll` returns the first dial, if there is an
    /// address and the connection is kept.
    pub fn new(mut config: DeviceConfig, now: Instant) -> Self {
        config.timing.raise();
        let mut device = Self {
            dialect_state: DialectState::new(&config),
            addresses: Addresses::new(config.address),
            config,
            link: Link::Off,
            resolved: None,
            proven: false,
            sealed_31: false,
            search: Search::default(),
            pending: Pending::new(),
            last_conn: 0,
            last_command: 0,
            failures: 0,
            version_changes: 0,
            last_wake: None,
            hangup: None,
            down: None,
            diagnosis: None,
            stats: Stats::default(),
        };
        device.schedule_dial(now);
        device
    }

    /// Reports that the dial succeeded. Ignores a stale `conn`.
    // inline(never), here and below: keeps `Conn` off `poll`'s stack frame.
    #[inline(never)]
    pub fn handle_dialed(&mut self, conn: ConnId, now: Instant) {
        if let Link::Dialing { conn: current, attempt, lost: None, .. } = &self.link
            && *current == conn
        {
            let limit = self.search.first_frame_limit(&self.config);
            let closes = self.search.closes(now);
            self.link = Link::Up(Conn::new(conn, *attempt, &self.config, limit, closes, now));
        }
    }

    /// Reports that the dial waits, because too many are made at once, and restarts its time limit. Ignores a stale
    /// `conn`.
    pub fn handle_dial_delayed(&mut self, conn: ConnId, now: Instant) {
        if let Link::Dialing { conn: current, deadline, .. } = &mut self.link
            && *current == conn
        {
            *deadline = now + self.config.timing.connect;
        }
    }

    /// Reports that the dial failed or the connection ended. Bytes received before are still taken from the receive
    /// buffer. Ignores a stale `conn`.
    pub fn handle_lost(&mut self, conn: ConnId, why: LossReason, _now: Instant) {
        match &mut self.link {
            Link::Dialing { conn: current, lost, .. } if *current == conn => *lost = Some(why),
            Link::Up(up) if up.id == conn => up.lost = Some(why),
            _ => {}
        }
    }

    /// Reports an announcement with the id of this device (which the driver compares), this address, and perhaps a
    /// version. Anybody on the network can forge announcements, so they are only hints.
    ///
    /// Cuts a backoff short. Never redirects a live connection: a heartbeat checks it, and only silence replaces it.
    /// The address that last proved the key is tried first, and between others. The announced version is used only if
    /// none is configured or proven, and unless it is older than [`min_version`](DeviceConfig::min_version).
    pub fn handle_announcement(&mut self, address: IpAddr, version: Option<Version>, now: Instant) {
        if self.config.version.is_none()
            && !self.proven
            && !matches!(self.link, Link::Up(_))
            && let Some(version) = version.filter(|version| !self.is_too_old(*version))
            && self.resolved != Some(version)
        {
            self.resolved = Some(version);
            self.search.reset();
        }
        let moved = self.config.address.is_none() && self.addresses.note_announced(address);
        if moved {
            // Now there is an address, so this diagnosis is settled.
            self.diagnosis = self.diagnosis.filter(|reason| *reason != DownReason::Relayed);
        }
        // Never later than one interval from now, however many announcements come.
        let due = self.last_wake.map_or(now, |last| now.max(last + WAKE_INTERVAL)).min(now + WAKE_INTERVAL);
        match &mut self.link {
            // An early one is deferred, not dropped: the next announcement may be seconds away.
            Link::Backoff { until } if *until > due => {
                *until = due;
                self.last_wake = Some(due);
            }
            Link::Up(conn) if moved => {
                let asked = conn.check_alive(due);
                self.last_wake = if asked { Some(due) } else { self.last_wake };
            }
            _ if due > now => {}
            Link::Off if moved => {
                self.last_wake = Some(now);
                self.schedule_dial(now);
            }
            _ => {}
        }
    }

    /// Returns whether a version proves too little to be used where the version is open.
    fn is_too_old(&self, version: Version) -> bool {
        if self.config.version.is_some() {
            return false;
        }
        let least = if self.proven { self.config.min_version.max(Version::V34) } else { self.config.min_version };
        version.is_weaker_than(least) && (self.proven || !(self.sealed_31 && version == Version::V31))
    }

    /// Reports an untrusted announcement: it names another address than it came from. Returns this as a [`DownReason`]
    /// from `poll`, once, if no address is known.
    pub fn handle_relayed(&mut self) {
        let told = self.diagnosis == Some(DownReason::Relayed);
        if self.addresses.is_unknown() && !told && !matches!(self.link, Link::Closed) {
            self.diagnosis = Some(DownReason::Relayed);
            self.down = Some((DownReason::Relayed, None));
        }
    }

    /// Connects without waiting for the backoff, also if the connection is not kept. Does nothing while connected,
    /// dialing or without an address.
    pub fn connect_now(&mut self, now: Instant) {
        if !self.addresses.is_unknown() && matches!(self.link, Link::Off | Link::Backoff { .. }) {
            self.link = Link::Backoff { until: now };
        }
    }

    /// Replaces the configuration. If it differs, ends the connection, resolves pending commands and dials again.
    pub fn reconfigure(&mut self, mut config: DeviceConfig, now: Instant) {
        config.timing.raise();
        if config == self.config || matches!(self.link, Link::Closed) {
            return;
        }
        self.addresses = Addresses::new(config.address.or(self.address()));
        self.dialect_state = DialectState::new(&config);
        self.config = config;
        self.resolved = None;
        self.proven = false;
        self.sealed_31 = false;
        self.search.forget();
        self.failures = 0;
        self.diagnosis = None;
        self.drop_and_report(DownReason::Ended);
        self.schedule_dial(now);
        if let (Some((_, retry_at)), Link::Backoff { until }) = (&mut self.down, &self.link) {
            *retry_at = Some(*until);
        }
    }

    /// Ends the connection and every pending command, and dials no more. The driver may still write the bytes in `tx`
    /// before it obeys the [`Output::Hangup`].
    pub fn close(&mut self) {
        self.drop_and_report(DownReason::Ended);
        self.link = Link::Closed;
    }

    /// Returns the next instruction or event; see [`Output`]. Fires expired timers, takes frames from `rx` and decrypts
    /// them in place, and appends frames of the protocol itself, such as heartbeats, to `tx`.
    pub fn poll<'b>(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        rx: &'b mut RxBuf<impl Storage>,
        tx: &mut TxBuf<impl Storage>,
    ) -> Output<'b> {
        let step = self.step(now, rng, &mut rx.lend(), &mut tx.lend());
        let rx = &*rx;
        let message = |opened: Opened| Message {
            command: opened.command,
            seqno: opened.seqno,
            retcode: opened.retcode,
            header: opened.header,
            payload: Payload::new(rx.at(opened.payload)),
        };
        match step {
            PollStep::Dial(conn, to) => Output::Dial { conn, to },
            PollStep::Hangup(conn) => Output::Hangup { conn },
            PollStep::Up(version) => Output::Event(Event::Up { version }),
            PollStep::Down(reason, retry_at) => Output::Event(Event::Down { reason, retry_at }),
            PollStep::Dialect(dialect) => Output::Event(Event::Dialect(dialect)),
            PollStep::Resolved(id, outcome, opened) => {
                Output::Event(Event::Resolved { id, outcome, message: opened.map(message) })
            }
            PollStep::Message(opened) => Output::Event(Event::Message(message(opened))),
            PollStep::Skipped(command, len) => Output::Event(Event::Skipped { command, len }),
            PollStep::Ignored(command, why) => Output::Event(Event::Ignored { command, why }),
            PollStep::Wait(until) => Output::Wait { until },
        }
    }

    /// Returns whether commands are accepted.
    pub const fn is_up(&self) -> bool {
        matches!(&self.link, Link::Up(conn) if conn.up_reported)
    }

    /// Returns the version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.config.version.or(self.resolved)
    }

    /// Returns the dialect in use.
    pub const fn dialect(&self) -> Dialect {
        self.dialect_state.dialect
    }

    /// Returns the address of the device: the peer of the connection, or without one the address that last proved the
    /// key, or else the one that is tried next.
    pub fn address(&self) -> Option<IpAddr> {
        if matches!(self.link, Link::Up(_)) { self.addresses.at() } else { self.addresses.most_likely() }
    }

    /// Returns the deadline of the last poll, or an earlier one if a command was sent since then.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.link {
            Link::Off | Link::Closed => None,
            Link::Backoff { until } => Some(*until),
            Link::Dialing { deadline, .. } => Some(*deadline),
            Link::Up(conn) => Some(self.conn_deadline(conn)),
        }
    }

    /// Returns why the device is not usable; `None` once it is.
    pub const fn diagnosis(&self) -> Option<DownReason> {
        self.diagnosis
    }

    /// Returns the configuration.
    pub const fn config(&self) -> &DeviceConfig {
        &self.config
    }

    /// Returns the counters.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    #[inline(never)]
    fn step(&mut self, now: Instant, rng: &mut dyn CryptoRng, rx: &mut Rx<'_>, tx: &mut Tx<'_>) -> PollStep {
        loop {
            if let Some(conn) = self.hangup.take() {
                return PollStep::Hangup(conn);
            }
            if let Some((reason, retry_at)) = self.down.take() {
                return PollStep::Down(reason, retry_at);
            }
            if let Some((id, outcome)) = self.pending.take_decided() {
                return PollStep::Resolved(id, outcome, None);
            }
            if core::mem::take(&mut self.dialect_state.is_unreported) {
                return PollStep::Dialect(self.dialect_state.dialect);
            }
            let done = match &self.link {
                Link::Off | Link::Closed => Some(PollStep::Wait(None)),
                Link::Backoff { until } if *until > now => Some(PollStep::Wait(Some(*until))),
                Link::Backoff { .. } => self.dial(now, rx, tx),
                Link::Dialing { deadline, attempt, lost, conn } => {
                    let (deadline, attempt, lost, conn) = (*deadline, *attempt, *lost, *conn);
                    match lost {
                        Some(why) => self.fail(attempt, &search::Evidence::default(), dial_failure(why), now, rng),
                        None if deadline <= now => {
                            self.hangup = Some(conn);
                            self.fail(attempt, &search::Evidence::default(), Failure::Unreachable, now, rng);
                        }
                        None => return PollStep::Wait(Some(deadline)),
                    }
                    None
                }
                Link::Up(_) => self.poll_connection(now, rng, rx, tx),
            };
            if let Some(step) = done {
                return step;
            }
        }
    }

    /// Starts a dial. The version is the configured one, the resolved one, or the next to try.
    fn dial(&mut self, now: Instant, rx: &mut Rx<'_>, tx: &mut Tx<'_>) -> Option<PollStep> {
        let Some(address) = self.addresses.next(self.search.is_running()) else {
            self.link = Link::Off;
            return None;
        };
        let known = self.version();
        if known.is_none() && !self.search.is_running() {
            self.search.start(None);
        }
        let guess = self.search.version();
        let attempt = Attempt {
            version: guess.or(known).unwrap_or(Version::V33.narrowed()),
            // A diagnosis of a wrong key or version needs proof too: without a negotiation, a connection alone must not
            // clear it.
            verify: guess.is_some()
                || self.auth_diagnosis().is_some()
                || known.is_some_and(|known| self.is_too_old(known)),
            listen: self.search.listens_first(),
        };
        if !attempt.version.is_supported() {
            // A version from an announcement or a stray frame is not kept: it may be wrong.
            self.resolved = self.resolved.filter(|_| self.proven);
            self.end(DownReason::LeftOut { version: attempt.version }, now + self.config.timing.backoff_max);
            return None;
        }
        self.last_conn = self.last_conn.wrapping_add(1);
        let conn = ConnId(self.last_conn);
        rx.clear();
        tx.clear();
        let deadline = now + self.config.timing.connect;
        self.link = Link::Dialing { conn, deadline, attempt, lost: None };
        Some(PollStep::Dial(conn, SocketAddr::new(address, self.config.port)))
    }

    /// Handles an attempt that failed before the connection was usable.
    #[expect(clippy::arithmetic_side_effects, reason = "no more than `MOST_VERSION_CHANGES`")]
    fn fail(
        &mut self,
        attempt: Attempt,
        evidence: &search::Evidence,
        failure: Failure,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let searching = self.search.is_running();
        self.stats.failed_attempts = self.stats.failed_attempts.saturating_add(1);
        // Silence clears a diagnosis that rests on closed connections alone: another client may have held the device
        // then, and not all firmware answers a query.
        let released = failure == Failure::Silent
            && !(searching || evidence.refusal.is_some() || attempt.version.narrowed().negotiates())
            && matches!(self.diagnosis, Some(DownReason::KeyOrVersion | DownReason::WrongKey { sure: false }));
        let reason = match self.search.decide_next(attempt, &self.config, evidence, failure, self.failures > 0) {
            Decision::RefusalAction(first_reason, pause) => return self.continue_search(first_reason, now + pause),
            Decision::Use(version) if self.is_too_old(version) => {
                self.search.stop();
                self.resolved = None;
                DownReason::TooOld { version }
            }
            Decision::Use(version) if self.version_changes < MOST_VERSION_CHANGES => {
                self.version_changes += 1;
                self.resolved = Some(version);
                self.search.reset();
                return self.continue_search(DownReason::Ended, now);
            }
            Decision::Use(_) => {
                self.search.stop();
                DownReason::Garbage
            }
            Decision::Wait(reason) => reason,
        };
        let unreached = matches!(reason, DownReason::Busy | DownReason::Refused | DownReason::Unreachable);
        if self.config.version.is_none() && searching && !unreached {
            self.resolved = None;
        }
        // A round of attempts counts as one failure, when it is over.
        self.failures = self.failures.saturating_add(1);
        let delay = backoff::delay(&self.config.timing, self.failures, rng);
        let reason = self.reason_to_report(reason, released);
        // The address that proved the key is tried first; another one, if known, right after.
        let elsewhere = self.addresses.has_untried();
        self.end(reason, if elsewhere { now + NEXT_ADDRESS_PAUSE } else { now + delay });
    }

    /// Continues with the next attempt of a search. Ends an attempt that was never usable without an event: nothing has
    /// changed for the caller. `first_reason` is the reason that this attempt alone suggests.
    fn continue_search(&mut self, first_reason: DownReason, at: Instant) {
        if matches!(&self.link, Link::Up(conn) if conn.up_reported) {
            // It was silent before, and still is.
            let same = first_reason == DownReason::Unresponsive && self.diagnosis == Some(DownReason::Silent);
            self.end(if same { DownReason::Silent } else { first_reason }, at);
        } else {
            self.drop_connection();
        }
        self.link = Link::Backoff { until: at };
        if let Some((_, retry_at)) = &mut self.down {
            *retry_at = Some(at);
        }
    }

    /// Returns the diagnosis that version or key are wrong, if there is one and nothing has refuted it.
    fn auth_diagnosis(&self) -> Option<DownReason> {
        self.diagnosis.filter(|auth_diagnosis| auth_diagnosis.is_auth())
    }

    /// Returns the reason to report: a diagnosis of a wrong key or version is not replaced by an unclear failure.
    fn reason_to_report(&self, reason: DownReason, released: bool) -> DownReason {
        let unclear = matches!(reason, DownReason::KeyOrVersion | DownReason::PeerClosed | DownReason::Silent);
        self.auth_diagnosis().filter(|_| unclear && !released).unwrap_or(reason)
    }

    /// Ends the connection or attempt, with the next one due at `retry_at`.
    fn end(&mut self, reason: DownReason, retry_at: Instant) {
        self.drop_and_report(reason);
        let wanted = self.config.persist || self.search.is_running();
        let retry_at = (wanted && !self.addresses.is_unknown()).then_some(retry_at);
        self.link = retry_at.map_or(Link::Off, |until| Link::Backoff { until });
        self.down = Some((reason, retry_at));
    }

    /// Drops the connection or dial, if any, and reports `reason`.
    fn drop_and_report(&mut self, reason: DownReason) {
        if matches!(self.link, Link::Up(_) | Link::Dialing { .. }) {
            self.down = Some((reason, None));
        }
        if reason != DownReason::Ended {
            self.diagnosis = Some(reason);
        }
        self.drop_connection();
    }

    /// Drops the connection or dial, if any.
    fn drop_connection(&mut self) {
        self.pending.lose_all();
        self.dialect_state.retrying = None;
        match &self.link {
            Link::Up(conn) if conn.lost.is_none() => self.hangup = Some(conn.id),
            Link::Dialing { conn, lost: None, .. } => self.hangup = Some(*conn),
            _ => {}
        }
        self.link = Link::Off;
    }

    /// Schedules a dial for now, if a connection is wanted.
    fn schedule_dial(&mut self, now: Instant) {
        let wanted = self.config.persist && !self.addresses.is_unknown();
        self.link = if wanted { Link::Backoff { until: now } } else { Link::Off };
    }
}

impl core::fmt::Debug for Device {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Device")
            .field("id", &self.config.id)
            .field("address", &self.address())
            .field("version", &self.version())
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

/// Classifies a failed dial.
const fn dial_failure(why: LossReason) -> Failure {
    match why {
        LossReason::Refused | LossReason::Reset | LossReason::Closed => Failure::Refused,
        LossReason::Unresolved => Failure::Unresolved,
        LossReason::OutOfDescriptors => Failure::OutOfDescriptors,
        LossReason::Unreachable | LossReason::TimedOut | LossReason::Other => Failure::Unreachable,
    }
}

#[cfg(test)]
mod tests;
