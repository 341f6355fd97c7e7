//! One open connection: what is heard on it, when something is due, what commands become.

use core::time::Duration;

use rand_core::CryptoRng;

use super::config::DeviceConfig;
use super::event::{ConnId, DownReason, LossReason, Outcome};
use super::pending::{Asks, Match};
use super::search::{Evidence, Failure};
use super::send::transmit;
use super::{Attempt, Command, Device, Link, Step, backoff};
use crate::buf::{Rx, Tx};
use crate::codec::{FrameError, Opened};
use crate::payload::{DeviceError, Payload, RequestData};
use crate::session::{Received, Session};
use crate::time::Instant;
use crate::version::{Dialect, Version};

/// How long an attempt that listens first says nothing.
const LISTEN: Duration = Duration::from_millis(250);
/// Unbelievable frames in a row after which the connection is given up.
const MAX_BAD: u8 = 3;
/// Unanswered heartbeats after which the device counts as gone. hass-localtuya does the same.
const MAX_MISSED: u8 = 2;
/// How long a device whose address changed has for a sign of life on its old connection.
const CHECK: Duration = Duration::from_millis(700);
/// How long the first command of a connection may go unanswered before the key is doubted.
const DOUBT: Duration = Duration::from_secs(1);
/// How long a connection that is not to be kept lingers after its last answer.
const LINGER: Duration = Duration::from_secs(1);
/// How long a heartbeat that found no room waits when the driver writes nothing in between.
const NO_ROOM_RETRY: Duration = Duration::from_secs(1);
/// A connection that ends sooner than this after it came up counts as a failure: the delays grow, from
/// `Timing::backoff_min`. Devices that restart in a loop, or that another client keeps throwing out, would otherwise be
/// dialed several times a second. One that drops idle connections so soon by design is for `persist: false`, where no
/// delay applies.
const SHORT_LIVED: Duration = Duration::from_secs(2);

/// An open connection.
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) attempt: Attempt,
    pub(super) session: Session,
    pub(super) seen: Evidence,
    /// A frame was decrypted or a negotiation succeeded: the key is right.
    keyed: bool,
    /// Say nothing until then.
    hold: Option<Instant>,
    /// When the device must have proven that it understands us.
    proof_due: Instant,
    /// The query that is to prove it was sent.
    asked: bool,
    /// When a query is to show whether the key is right, because a command has had no answer by then.
    doubt: Option<Instant>,
    pub(super) told_up: bool,
    /// Heartbeats sent since the last frame from the device.
    missed: u8,
    /// When the outstanding heartbeat counts as unanswered.
    beat_due: Option<Instant>,
    /// A heartbeat is to be sent without waiting for silence.
    beat_now: bool,
    /// The device may have moved: at `beat_due` it is asked for a sign of life.
    moved: bool,
    /// The device may have moved: its next heartbeat has little time for an answer.
    check: bool,
    up_at: Instant,
    pub(super) idle_since: Instant,
    /// The driver's word that the connection ended.
    pub(super) lost: Option<LossReason>,
}

impl Conn {
    pub(super) fn new(id: ConnId, attempt: Attempt, config: &DeviceConfig, now: Instant) -> Self {
        let hold = attempt.listen.then(|| now + LISTEN);
        Self {
            id,
            attempt,
            session: Session::controller(attempt.version, &config.local_key, now),
            seen: Evidence::default(),
            keyed: false,
            hold,
            proof_due: hold.unwrap_or(now) + config.timing.negotiate,
            asked: false,
            doubt: None,
            told_up: false,
            missed: 0,
            beat_due: None,
            beat_now: false,
            moved: false,
            check: false,
            up_at: now,
            idle_since: now,
            lost: None,
        }
    }

    /// Asks for a sign of life at `due`, unless there is one before. False while one is asked for: what anybody on the
    /// network can send as often as they like must neither put off a heartbeat nor keep a dead connection alive.
    pub(super) fn check_alive(&mut self, due: Instant) -> bool {
        if self.moved || self.check {
            return false;
        }
        self.moved = true;
        self.beat_due = Some(self.beat_due.map_or(due, |known| known.min(due)));
        true
    }

    /// A command was sent. Firmware up to 3.3 meets a control under a wrong key with silence, but refuses a query in
    /// words that only the right key can read: the first silence is therefore questioned.
    pub(super) fn note_sent(&mut self, now: Instant) {
        self.seen.spoke = true;
        self.idle_since = now;
        if !self.keyed && !self.asked && !self.session.version().negotiates() {
            self.doubt = self.doubt.or(Some(now + DOUBT));
        }
    }

    /// Sends the query that shows whether version and key are right, once.
    fn question(&mut self, config: &DeviceConfig, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) {
        if !self.keyed && !self.asked {
            // In the ordinary dialect: device22 firmware refuses it too, in words.
            let query = Command::status();
            self.asked = transmit(&mut self.session, config, Dialect::Default, &query, now, rng, tx).is_ok();
            self.seen.spoke |= self.asked;
        }
    }

    /// Whether the peer has shown what it has to before commands are accepted.
    const fn is_proven(&self) -> bool {
        self.session.is_ready() && self.hold.is_none() && (!self.attempt.verify || self.keyed)
    }
}

impl Device {
    /// Takes what was received and sends what is due on an open connection. `None`: something changed, start over.
    pub(super) fn converse(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        rx: &mut Rx<'_>,
        tx: &mut Tx<'_>,
    ) -> Option<Step> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        if conn.hold.is_some_and(|until| until <= now) {
            conn.hold = None;
        }
        if conn.hold.is_none() && conn.lost.is_none() {
            conn.seen.spoke |= conn.session.negotiate(now, &self.config.local_key, rng, tx);
        }
        let received = conn.session.receive(now, &self.config.local_key, rx);
        self.stats.resyncs = self.stats.resyncs.saturating_add(conn.session.take_skips());
        match received {
            Received::Nothing => {}
            Received::Negotiation => {
                self.stats.frames = self.stats.frames.saturating_add(1);
                conn.keyed = true;
                conn.seen.good = true;
                return None;
            }
            Received::WrongProof => {
                conn.seen.wrong_key = true;
                return self.broken(Failure::Garbage, now, rng);
            }
            Received::TooLong { seqno, command, len } => {
                self.stats.skipped = self.stats.skipped.saturating_add(1);
                let version = conn.session.version();
                let answers = if conn.told_up { self.pending.answer_skipped(version, seqno, command) } else { None };
                return Some(match answers {
                    Some(id) => Step::Resolved(id, Outcome::TooLong { len }, None),
                    None => Step::Skipped(command, len),
                });
            }
            Received::Unexpected => {
                return if conn.session.bad_in_row >= MAX_BAD { self.broken(Failure::Garbage, now, rng) } else { None };
            }
            Received::Bad { error, hint } => {
                self.stats.bad_frames = self.stats.bad_frames.saturating_add(1);
                conn.seen.hint = conn.seen.hint.or(hint);
                // The CRC was right, so the bytes are the device's; a right key would have decrypted them.
                conn.seen.wrong_key |= error == FrameError::Padding && !conn.keyed;
                let telling = hint.is_some() || (conn.seen.wrong_key && !conn.keyed);
                return if telling || conn.session.bad_in_row >= MAX_BAD {
                    self.broken(Failure::Garbage, now, rng)
                } else {
                    None
                };
            }
            Received::Frame(opened) => return self.hear(opened, now, rx, rng),
        }
        if conn.lost.is_some() {
            return self.broken(Failure::Closed, now, rng);
        }
        if !conn.told_up && conn.is_proven() {
            return self.come_up(now, rng);
        }
        self.due(now, rng, tx)
    }

    /// A frame for us. Returns the event that it causes, if any.
    fn hear(&mut self, opened: Opened, now: Instant, rx: &Rx<'_>, rng: &mut dyn CryptoRng) -> Option<Step> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        self.stats.frames = self.stats.frames.saturating_add(1);
        conn.missed = 0;
        conn.beat_due = None;
        conn.moved = false;
        conn.check = false;
        let payload = Payload::new(rx.at(opened.payload.clone()));
        let report = payload.report();
        let version = conn.session.version();
        if version == Version::V31 {
            // Nothing of 3.1 proves a key; readable text is all that tells it from ciphertext.
            conn.keyed |= opened.encrypted || (report.is_some() || payload.error().is_some());
        } else if opened.encrypted {
            conn.keyed |= !opened.payload.is_empty();
        } else if conn.attempt.verify && !conn.keyed && payload.is_plain_text() {
            let unread = matches!(payload.error(), None | Some(DeviceError::DataFormat | DeviceError::ParseData));
            if unread || self.search.is_running() {
                conn.seen.clear_refusal = true;
                return self.broken(Failure::Silent, now, rng);
            }
            // Some firmware refuses in clear text; these words say that it could read the query.
            conn.keyed = true;
        }
        conn.seen.good = true;
        if conn.told_up {
            self.diagnosis = None;
        }
        if let Some(report) = &report {
            self.talk.gateway |= report.cid.is_some() || report.online.is_some() || report.offline.is_some();
            self.talk.remember(report);
        }
        if self.config.version.is_none() && opened.header.and_then(|h| h.version()) == Some(Version::V32) {
            self.talk.settle(Dialect::Device22);
        }
        if !conn.told_up {
            // The answer to the query that proves the version: its state is asked for again by whoever wants it.
            return None;
        }
        conn.idle_since = now;
        match self.pending.answer(version, &opened, &payload, report.as_ref()) {
            Match::Resolved(id, outcome) => {
                if self.talk.retrying == Some(id) {
                    self.talk.retrying = None;
                    match outcome {
                        Outcome::Acknowledged { .. } => self.talk.settle(Dialect::Device22),
                        _ => self.talk.no_device22 = true,
                    }
                }
                Some(Step::Resolved(id, outcome, Some(opened)))
            }
            Match::Refused22(at) => {
                let retcode = opened.retcode.unwrap_or_default();
                if self.talk.may_retry22(&self.config)
                    && let Some(entry) = self.pending.entry_mut(at)
                {
                    entry.refused = Some(retcode);
                    return None;
                }
                let (id, outcome) = self.pending.refuse(at, opened.retcode)?;
                Some(Step::Resolved(id, outcome, Some(opened)))
            }
            Match::None if opened.payload.is_empty() => None,
            Match::None => Some(Step::Message(opened)),
        }
    }

    /// The connection has proven itself, or needs no proof: commands are accepted from now on.
    fn come_up(&mut self, now: Instant, rng: &mut dyn CryptoRng) -> Option<Step> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        let version = conn.session.version();
        if self.config.version.is_some_and(|configured| configured != version) {
            self.search.stop();
            self.failures = self.failures.saturating_add(1);
            let delay = backoff::delay(&self.config.timing, self.failures, rng);
            self.end(DownReason::WrongVersion { speaks: Some(version) }, now + delay);
            return None;
        }
        self.search.note_accepted();
        conn.told_up = true;
        conn.up_at = now;
        conn.idle_since = now;
        if !version.negotiates() && !conn.attempt.verify {
            // An early sign of life: these versions have no negotiation that would tell a device from a void.
            conn.beat_now = true;
        }
        if let Some(dialect) = version.fixed_dialect().filter(|_| self.config.dialect.is_none()) {
            self.talk.settle(dialect);
        }
        if version.negotiates() || conn.attempt.verify {
            self.hops = 0;
            self.diagnosis = None;
            self.proven = version.negotiates();
            self.search.reset();
        }
        if self.config.version.is_none() {
            self.resolved = Some(version);
        }
        self.stats.connects = self.stats.connects.saturating_add(1);
        Some(Step::Up(version))
    }

    /// Everything that happens by the clock. `None`: something changed, start over.
    fn due(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) -> Option<Step> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        let timing = self.config.timing;
        if !conn.told_up {
            if conn.proof_due <= now {
                return self.broken(Failure::Silent, now, rng);
            }
            if conn.session.is_ready() && conn.hold.is_none() {
                conn.question(&self.config, now, rng, tx);
            }
            return Some(Step::Wait(self.deadline()));
        }
        if conn.session.is_exhausted() {
            self.end(DownReason::Ended, now);
            return None;
        }
        let expired = self.pending.expire(now);
        if expired.retry22 {
            self.talk.retrying = None;
            self.talk.no_device22 = true;
        }
        if expired.control && self.talk.dialect == Dialect::Device22 {
            self.talk.control_new = !self.talk.control_new;
        }
        if self.pending.has_decided() {
            return None;
        }
        self.retry_as_device22(now, rng, tx);

        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        if conn.doubt.is_some_and(|due| due <= now) {
            conn.question(&self.config, now, rng, tx);
        }
        if conn.beat_due.is_some_and(|due| due <= now) {
            if core::mem::take(&mut conn.moved) {
                conn.check = true;
            } else if conn.check || conn.missed >= MAX_MISSED {
                return self.broken(Failure::Silent, now, rng);
            }
            conn.beat_due = None;
            conn.beat_now = true;
        }
        let silent = conn.session.last_tx + timing.heartbeat <= now;
        if conn.beat_due.is_none() && (conn.beat_now || silent) {
            let beat = Command::request(crate::wire::command::CommandCode::HEART_BEAT, RequestData::None);
            if transmit(&mut conn.session, &self.config, self.talk.dialect, &beat, now, rng, tx).is_ok() {
                conn.beat_now = false;
                conn.missed += 1;
                conn.beat_due = Some(now + if conn.check { CHECK } else { timing.answer });
                conn.seen.spoke = true;
            }
        }
        if !self.config.persist && self.pending.is_idle() && conn.idle_since + LINGER <= now {
            self.end(DownReason::Ended, now);
            return None;
        }
        // What is overdue has found no room: the driver polls again as soon as it has written something.
        Some(Step::Wait(self.deadline().map(|due| if due > now { due } else { now + NO_ROOM_RETRY })))
    }

    /// When something is due on this connection by the clock alone.
    pub(super) fn conn_deadline(&self, conn: &Conn) -> Instant {
        if !conn.told_up {
            return conn.hold.map_or(conn.proof_due, |hold| hold.min(conn.proof_due));
        }
        let silence = if conn.beat_now { Duration::ZERO } else { self.config.timing.heartbeat };
        let beat = conn.beat_due.unwrap_or(conn.session.last_tx + silence);
        let doubt = conn.doubt.filter(|_| !conn.keyed && !conn.asked);
        let end = (!self.config.persist && self.pending.is_idle()).then_some(conn.idle_since + LINGER);
        [self.pending.deadline(), doubt, end].into_iter().flatten().fold(beat, Instant::min)
    }

    /// Sends a query that was refused once more, in the device22 dialect.
    fn retry_as_device22(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) {
        let Link::Up(conn) = &mut self.link else {
            return;
        };
        let Some(at) = self.pending.retry_due() else {
            return;
        };
        let (heard, known) = self.talk.heard();
        let query = Command::status_of(heard.get(..known).unwrap_or_default());
        let sent = transmit(&mut conn.session, &self.config, Dialect::Device22, &query, now, rng, tx);
        if let (Ok((code, seqno)), Some(entry)) = (sent, self.pending.entry_mut(at)) {
            entry.code = code;
            entry.seqno = seqno;
            entry.asks = Asks::State22;
            entry.deadline = now + self.config.timing.answer;
            self.talk.retrying = Some(entry.id);
        }
    }

    /// The connection is of no more use: the end of one that worked, or a failed attempt. Always `None`.
    fn broken(&mut self, failure: Failure, now: Instant, rng: &mut dyn CryptoRng) -> Option<Step> {
        let Link::Up(conn) = &self.link else {
            return None;
        };
        let (attempt, seen, worked) = (conn.attempt, conn.seen, conn.told_up && conn.seen.good);
        if !worked || (seen.wrong_key && !conn.keyed) || (conn.seen.hint.is_some() && !conn.keyed) {
            self.fail(attempt, &seen, failure, now, rng);
            return None;
        }
        let reason = match failure {
            Failure::Closed | Failure::Refused | Failure::Unreachable => DownReason::PeerClosed,
            Failure::Silent => DownReason::Unresponsive,
            Failure::Garbage => DownReason::Garbage,
        };
        let short = now < conn.up_at + SHORT_LIVED;
        self.failures = if short { self.failures.saturating_add(1) } else { 0 };
        let delay = backoff::delay(&self.config.timing, self.failures, rng);
        self.end(reason, now + delay);
        None
    }
}
