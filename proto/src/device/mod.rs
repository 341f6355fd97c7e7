//! The controller's machine: one device, across any number of connections.

mod again;
mod backoff;
mod command;
mod config;
mod conn;
mod event;
mod pending;
mod places;
mod search;
mod send;
mod shows;
mod talk;

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
use conn::Conn;
use pending::Pending;
use places::Places;
use search::{Failure, Search, Verdict};
use talk::Talk;

/// Changes of version without success in a row that peers may cause.
const MOST_HOPS: u8 = 4;
/// At most one reconnect in this time is owed to announcements, which anybody on the network can forge. Short enough
/// that a device that returns is in use again within a second of its first announcement, whatever came before.
const WAKE_LIMIT: Duration = Duration::from_millis(500);

/// How long after a failure at the place that last proved the key another one is tried.
const ELSEWHERE: Duration = Duration::from_millis(30);

/// One physical device as a controller sees it: dials, negotiates, commands, keeps alive, reconnects.
///
/// The driver owns the socket and both buffers; see [`Output`] for what it must do. All memory is in here: no call
/// allocates, no input makes it grow.
pub struct Device {
    config: DeviceConfig,
    link: Link,
    places: Places,
    /// The version in use when none is configured.
    resolved: Option<Version>,
    /// A session key was negotiated under the configured local key: no version without a negotiation is believed again.
    proven: bool,
    /// A frame of 3.1 was sealed under the local key: the device speaks it.
    sealed_31: bool,
    search: Search,
    talk: Talk,
    pending: Pending,
    last_conn: u32,
    last_command: u32,
    /// Failed attempts in a row.
    failures: u32,
    /// Changes of version without success in a row, each caused by what a peer sent.
    hops: u8,
    last_wake: Option<Instant>,
    hangup: Option<ConnId>,
    down: Option<(DownReason, Option<Instant>)>,
    diagnosis: Option<DownReason>,
    stats: Stats,
}

#[expect(clippy::large_enum_variant, reason = "there is no heap to move the connection to")]
enum Link {
    /// No connection wanted, or no address known.
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

/// How a connection is to be used.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    version: Version,
    /// Version or key are in doubt: nothing is believed before an answer proves them.
    verify: bool,
    /// Say nothing at first.
    listen: bool,
}

/// Counters since the machine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that became usable.
    pub connects: u32,
    /// Attempts that failed.
    pub failed_attempts: u32,
    /// Valid frames received.
    pub frames: u64,
    /// Frames that were not believed.
    pub bad_frames: u32,
    /// Times that bytes had to be skipped to find the next frame.
    pub resyncs: u32,
    /// Frames that were skipped because they were larger than the receive buffer may be.
    pub skipped: u32,
    /// Frames that were ignored because they are our own, sent back, or came before.
    pub ignored: u32,
}

/// [`Output`] with ranges in place of bytes.
enum Step {
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
    /// A machine for the device that `config` describes. It orders the first dial on the next `poll`, when it has
    /// an address and the connection is to be kept.
    pub fn new(mut config: DeviceConfig, now: Instant) -> Self {
        config.timing.raise();
        let mut device = Self {
            talk: Talk::new(&config),
            places: Places::new(config.address),
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
            hops: 0,
            last_wake: None,
            hangup: None,
            down: None,
            diagnosis: None,
            stats: Stats::default(),
        };
        device.rest(now);
        device
    }

    /// The dial succeeded. A stale `conn` is ignored.
    // Here and below: a frame of its own, so that on small stacks the new connection does not lie under the poll.
    #[inline(never)]
    pub fn handle_dialed(&mut self, conn: ConnId, now: Instant) {
        if let Link::Dialing { conn: current, attempt, lost: None, .. } = &self.link
            && *current == conn
        {
            let patience = self.search.patience(&self.config);
            let closes = self.search.closes(now);
            self.link = Link::Up(Conn::new(conn, *attempt, &self.config, patience, closes, now));
        }
    }

    /// The dial is held back, because too many are made at once: its time limit begins now. A stale `conn` is ignored.
    pub fn handle_held(&mut self, conn: ConnId, now: Instant) {
        if let Link::Dialing { conn: current, deadline, .. } = &mut self.link
            && *current == conn
        {
            *deadline = now + self.config.timing.connect;
        }
    }

    /// The dial failed or the connection ended. Bytes received before are still taken from the receive buffer.
    /// A stale `conn` is ignored.
    pub fn handle_lost(&mut self, conn: ConnId, why: LossReason, _now: Instant) {
        match &mut self.link {
            Link::Dialing { conn: current, lost, .. } if *current == conn => *lost = Some(why),
            Link::Up(up) if up.id == conn => up.lost = Some(why),
            _ => {}
        }
    }

    /// The device announced itself: same id (which the driver has matched), this address, perhaps this version. Anybody on
    /// the network can say so: an announcement is a hint where to look, and how.
    ///
    /// Cuts a backoff short. A live connection is never redirected: it is asked for a sign of life, and replaced
    /// only when it gives none. The address that last proved the key is tried first, and between others. Where a version
    /// is configured or was proven the announced one changes nothing; where not, it is used unless it is older than
    /// [`min_version`](DeviceConfig::min_version).
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
        let moved = self.config.address.is_none() && self.places.hear(address);
        if moved {
            // It is known where the device is: that was all there was to say.
            self.diagnosis = self.diagnosis.filter(|reason| *reason != DownReason::Relayed);
        }
        // Never further ahead than the limit itself, however many announcements come.
        let due = self.last_wake.map_or(now, |last| now.max(last + WAKE_LIMIT)).min(now + WAKE_LIMIT);
        match &mut self.link {
            // Deferred, not dropped, when it comes too soon: the next announcement may be seconds away.
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
                self.rest(now);
            }
            _ => {}
        }
    }

    /// Whether a version proves too little to be used where the version is open.
    fn is_too_old(&self, version: Version) -> bool {
        if self.config.version.is_some() {
            return false;
        }
        let least = if self.proven { self.config.min_version.max(Version::V34) } else { self.config.min_version };
        version.is_weaker_than(least) && (self.proven || !(self.sealed_31 && version == Version::V31))
    }

    /// The device was announced from another address than the one that the announcement names, and that is not trusted:
    /// says so, once, if nothing better is known of where it is.
    pub fn handle_relayed(&mut self) {
        let told = self.diagnosis == Some(DownReason::Relayed);
        if self.places.is_unknown() && !told && !matches!(self.link, Link::Closed) {
            self.diagnosis = Some(DownReason::Relayed);
            self.down = Some((DownReason::Relayed, None));
        }
    }

    /// Connects without waiting for the backoff, also where the connection is not kept. Does nothing while
    /// connected, dialing or without an address.
    pub fn connect_now(&mut self, now: Instant) {
        if !self.places.is_unknown() && matches!(self.link, Link::Off | Link::Backoff { .. }) {
            self.link = Link::Backoff { until: now };
        }
    }

    /// Replaces the configuration. Anything but the same one ends the connection, resolves what is pending and dials
    /// anew.
    pub fn reconfigure(&mut self, mut config: DeviceConfig, now: Instant) {
        config.timing.raise();
        if config == self.config || matches!(self.link, Link::Closed) {
            return;
        }
        self.places = Places::new(config.address.or(self.address()));
        self.talk = Talk::new(&config);
        self.config = config;
        self.resolved = None;
        self.proven = false;
        self.sealed_31 = false;
        self.search.forget();
        self.failures = 0;
        self.diagnosis = None;
        self.give_up(DownReason::Ended);
        self.rest(now);
        if let (Some((_, retry_at)), Link::Backoff { until }) = (&mut self.down, &self.link) {
            *retry_at = Some(*until);
        }
    }

    /// Ends the connection and every pending command, and dials no more. What `tx` holds may still be written before
    /// the [`Output::Hangup`] is obeyed.
    pub fn close(&mut self) {
        self.give_up(DownReason::Ended);
        self.link = Link::Closed;
    }

    /// Returns the next order or event; see [`Output`]. Fires expired timers, takes frames from `rx` and decrypts
    /// them in place, and appends what the protocol itself has to say to `tx`.
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
            Step::Dial(conn, to) => Output::Dial { conn, to },
            Step::Hangup(conn) => Output::Hangup { conn },
            Step::Up(version) => Output::Event(Event::Up { version }),
            Step::Down(reason, retry_at) => Output::Event(Event::Down { reason, retry_at }),
            Step::Dialect(dialect) => Output::Event(Event::Dialect(dialect)),
            Step::Resolved(id, outcome, opened) => {
                Output::Event(Event::Resolved { id, outcome, message: opened.map(message) })
            }
            Step::Message(opened) => Output::Event(Event::Message(message(opened))),
            Step::Skipped(command, len) => Output::Event(Event::Skipped { command, len }),
            Step::Ignored(command, why) => Output::Event(Event::Ignored { command, why }),
            Step::Wait(until) => Output::Wait { until },
        }
    }

    /// Whether commands are accepted.
    pub const fn is_up(&self) -> bool {
        matches!(&self.link, Link::Up(conn) if conn.told_up)
    }

    /// The version that is configured or was found out.
    pub fn version(&self) -> Option<Version> {
        self.config.version.or(self.resolved)
    }

    /// The dialect in use.
    pub const fn dialect(&self) -> Dialect {
        self.talk.dialect
    }

    /// Where the device is: of a connection, the other end of it. Without one, where the key was last proven, or else where
    /// it is looked for.
    pub fn address(&self) -> Option<IpAddr> {
        if matches!(self.link, Link::Up(_)) { self.places.at() } else { self.places.believed() }
    }

    /// When the last poll said to poll again, or sooner where a command was sent since then.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.link {
            Link::Off | Link::Closed => None,
            Link::Backoff { until } => Some(*until),
            Link::Dialing { deadline, .. } => Some(*deadline),
            Link::Up(conn) => Some(self.conn_deadline(conn)),
        }
    }

    /// Why the device could not be used, since it last could.
    pub const fn diagnosis(&self) -> Option<DownReason> {
        self.diagnosis
    }

    /// The configuration.
    pub const fn config(&self) -> &DeviceConfig {
        &self.config
    }

    /// Counters.
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    #[inline(never)]
    fn step(&mut self, now: Instant, rng: &mut dyn CryptoRng, rx: &mut Rx<'_>, tx: &mut Tx<'_>) -> Step {
        loop {
            if let Some(conn) = self.hangup.take() {
                return Step::Hangup(conn);
            }
            if let Some((reason, retry_at)) = self.down.take() {
                return Step::Down(reason, retry_at);
            }
            if let Some((id, outcome)) = self.pending.take_decided() {
                return Step::Resolved(id, outcome, None);
            }
            if core::mem::take(&mut self.talk.news) {
                return Step::Dialect(self.talk.dialect);
            }
            let done = match &self.link {
                Link::Off | Link::Closed => Some(Step::Wait(None)),
                Link::Backoff { until } if *until > now => Some(Step::Wait(Some(*until))),
                Link::Backoff { .. } => self.dial(now, rx, tx),
                Link::Dialing { deadline, attempt, lost, conn } => {
                    let (deadline, attempt, lost, conn) = (*deadline, *attempt, *lost, *conn);
                    match lost {
                        Some(why) => self.fail(attempt, &search::Evidence::default(), dial_failure(why), now, rng),
                        None if deadline <= now => {
                            self.hangup = Some(conn);
                            self.fail(attempt, &search::Evidence::default(), Failure::Unreachable, now, rng);
                        }
                        None => return Step::Wait(Some(deadline)),
                    }
                    None
                }
                Link::Up(_) => self.converse(now, rng, rx, tx),
            };
            if let Some(step) = done {
                return step;
            }
        }
    }

    /// Orders a dial. The version is the configured one, the resolved one, or the next to try.
    fn dial(&mut self, now: Instant, rx: &mut Rx<'_>, tx: &mut Tx<'_>) -> Option<Step> {
        let Some(address) = self.places.next(self.search.is_running()) else {
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
            // Nor after a verdict that stands: without negotiation, a connection alone would seem to refute it.
            verify: guess.is_some() || self.verdict().is_some() || known.is_some_and(|known| self.is_too_old(known)),
            listen: self.search.listens_first(),
        };
        if !attempt.version.is_supported() {
            // What an announcement or a stray frame named is not kept: it may be wrong.
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
        Some(Step::Dial(conn, SocketAddr::new(address, self.config.port)))
    }

    /// An attempt failed before the connection was of use.
    #[expect(clippy::arithmetic_side_effects, reason = "no more than `MOST_HOPS`")]
    fn fail(
        &mut self,
        attempt: Attempt,
        seen: &search::Evidence,
        failure: Failure,
        now: Instant,
        rng: &mut dyn CryptoRng,
    ) {
        let searching = self.search.is_running();
        self.stats.failed_attempts = self.stats.failed_attempts.saturating_add(1);
        // A device that closes on everything may have been taken by another client, and not all firmware answers a
        // query: silence ends the doubt that only closing has raised.
        let released = failure == Failure::Silent
            && !(searching || seen.refusal.is_some() || attempt.version.narrowed().negotiates())
            && matches!(self.diagnosis, Some(DownReason::KeyOrVersion | DownReason::WrongKey { sure: false }));
        let reason = match self.search.judge(attempt, &self.config, seen, failure, self.failures > 0) {
            Verdict::Next(moment, pause) => return self.go_on(moment, now + pause),
            Verdict::Use(version) if self.is_too_old(version) => {
                self.search.stop();
                self.resolved = None;
                DownReason::TooOld { version }
            }
            Verdict::Use(version) if self.hops < MOST_HOPS => {
                self.hops += 1;
                self.resolved = Some(version);
                self.search.reset();
                return self.go_on(DownReason::Ended, now);
            }
            Verdict::Use(_) => {
                self.search.stop();
                DownReason::Garbage
            }
            Verdict::Rest(reason) => reason,
        };
        let unreached = matches!(reason, DownReason::Busy | DownReason::Refused | DownReason::Unreachable);
        if self.config.version.is_none() && searching && !unreached {
            self.resolved = None;
        }
        // A round of attempts counts as one failure, when it is over.
        self.failures = self.failures.saturating_add(1);
        let delay = backoff::delay(&self.config.timing, self.failures, rng);
        let reason = self.standing(reason, released);
        // The place that proved the key is tried first; where else the device may be, right after.
        let elsewhere = self.places.has_untried();
        self.end(reason, if elsewhere { now + ELSEWHERE } else { now + delay });
    }

    /// Goes on to the next attempt of a search. One that was never of use ends without an event: nothing is known yet,
    /// and nothing has changed for anybody. `moment`: what a moment's look suggests.
    fn go_on(&mut self, moment: DownReason, at: Instant) {
        if matches!(&self.link, Link::Up(conn) if conn.told_up) {
            // One that was silent before is still.
            let same = moment == DownReason::Unresponsive && self.diagnosis == Some(DownReason::Silent);
            self.end(if same { DownReason::Silent } else { moment }, at);
        } else {
            self.leave();
        }
        self.link = Link::Backoff { until: at };
        if let Some((_, retry_at)) = &mut self.down {
            *retry_at = Some(at);
        }
    }

    /// That version or key are wrong, when that was found out and nothing has refuted it.
    fn verdict(&self) -> Option<DownReason> {
        self.diagnosis.filter(|verdict| verdict.is_auth())
    }

    /// The reason to tell: an attempt under a verdict that stands says nothing new by failing in an unclear way.
    fn standing(&self, reason: DownReason, released: bool) -> DownReason {
        let unclear = matches!(reason, DownReason::KeyOrVersion | DownReason::PeerClosed | DownReason::Silent);
        self.verdict().filter(|_| unclear && !released).unwrap_or(reason)
    }

    /// Ends the connection or attempt, with the next one due at `retry_at`.
    fn end(&mut self, reason: DownReason, retry_at: Instant) {
        self.give_up(reason);
        let wanted = self.config.persist || self.search.is_running();
        let retry_at = (wanted && !self.places.is_unknown()).then_some(retry_at);
        self.link = retry_at.map_or(Link::Off, |until| Link::Backoff { until });
        self.down = Some((reason, retry_at));
    }

    /// Leaves whatever connection there is, telling `reason`.
    fn give_up(&mut self, reason: DownReason) {
        if matches!(self.link, Link::Up(_) | Link::Dialing { .. }) {
            self.down = Some((reason, None));
        }
        if reason != DownReason::Ended {
            self.diagnosis = Some(reason);
        }
        self.leave();
    }

    /// Leaves whatever connection there is.
    fn leave(&mut self) {
        self.pending.lose_all();
        self.talk.retrying = None;
        match &self.link {
            Link::Up(conn) if conn.lost.is_none() => self.hangup = Some(conn.id),
            Link::Dialing { conn, lost: None, .. } => self.hangup = Some(*conn),
            _ => {}
        }
        self.link = Link::Off;
    }

    /// Waits to dial at once, when a connection is wanted.
    fn rest(&mut self, now: Instant) {
        let wanted = self.config.persist && !self.places.is_unknown();
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

/// How a failed dial counts.
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
