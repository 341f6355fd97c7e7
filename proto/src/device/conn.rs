//! One open connection: received frames, timers, key check, heartbeats.

use core::time::Duration;

use rand_core::CryptoRng;

use super::config::DeviceConfig;
use super::event::{ConnId, DownReason, LossReason, Outcome};
use super::pending::Match;
use super::retry::REDIAL;
use super::search::{Evidence, Failure, Refusal, Search, proves, refusal_of};
use super::send::transmit;
use super::{Attempt, Command, Device, Link, PollStep, backoff};
use crate::buf::{Rx, Tx};
use crate::codec::{Opened, VersionHeader};
use crate::payload::{Payload, RequestData};
use crate::session::guard::Repeated;
use crate::session::hint::{self, Form, Hint};
use crate::session::{Received, Session};
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;

/// Least time that an attempt which listens first sends nothing.
const LISTEN: Duration = Duration::from_millis(250);
/// Invalid frames in a row after which the connection ends.
const MAX_BAD: u8 = 3;
/// Repeated frames in a row after which the connection ends.
const MAX_REPEATED: u8 = 100;
/// Unanswered heartbeats after which the device counts as lost. hass-localtuya does the same.
const MAX_MISSED: u8 = 2;
/// Commands that expire in a row, without any frame in between, before a heartbeat is sent early.
const MAX_UNANSWERED: u8 = 2;
/// Time limit for an answer on the old connection of a device whose address changed.
const MOVED_CHECK: Duration = Duration::from_millis(700);
/// Time without proof of the key after which a query checks it.
const KEY_CHECK: Duration = Duration::from_secs(1);
/// Time that a connection which is not kept stays open after its last answer.
const LINGER: Duration = Duration::from_secs(1);
/// Delay of the next try after a heartbeat found no room, when the driver writes nothing in between.
const NO_ROOM_RETRY: Duration = Duration::from_secs(1);
/// A connection with a shorter life counts as a failure, so that devices in a restart loop are not dialed at every
/// start. A device that drops idle connections so soon by design needs `persist: false`, where no delay applies.
const SHORT_LIVED: Duration = Duration::from_secs(2);

/// State of an open connection.
pub(super) struct Conn {
    pub(super) id: ConnId,
    pub(super) attempt: Attempt,
    pub(super) session: Session,
    pub(super) evidence: Evidence,
    /// True if a decrypted frame or the negotiation has proven the key.
    key_verified: bool,
    /// End of the time in which nothing is sent.
    quiet_until: Option<Instant>,
    /// Deadline for the proof that the device understands us or, up to 3.3, for any frame.
    proof_due: Instant,
    /// True if the query that checks the key was sent.
    probe_sent: bool,
    /// Time of the query that checks the key, unless a frame proves it before.
    key_check_at: Option<Instant>,
    pub(super) up_reported: bool,
    /// Number of heartbeats since the last frame from the device.
    missed: u8,
    /// Deadline of the outstanding heartbeat.
    beat_due: Option<Instant>,
    /// True if a heartbeat is sent without waiting for silence.
    beat_now: bool,
    /// Number of commands that expired since the last frame from the device.
    unanswered: u8,
    /// True if the device may have moved: at `beat_due` a heartbeat checks it.
    check_pending: bool,
    /// True if the next heartbeat is that check, with little time for the answer.
    checking: bool,
    up_at: Instant,
    pub(super) idle_since: Instant,
    /// Loss reported by the driver, not yet processed.
    pub(super) lost: Option<LossReason>,
}

impl Conn {
    /// `closes` is the time when the device may close the connection by itself, judging from earlier ones.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    pub(super) fn new(
        id: ConnId,
        attempt: Attempt,
        config: &DeviceConfig,
        limit: Duration,
        closes: Instant,
        now: Instant,
    ) -> Self {
        let quiet_until = attempt.listen.then(|| closes.max(now + LISTEN));
        let begin = quiet_until.unwrap_or(now);
        // Firmware up to 3.3 ignores a control under a wrong key, but refuses a query with a text under its own key.
        let key_check_at = (!attempt.version.narrowed().negotiates()).then(|| begin + KEY_CHECK.min(limit / 2));
        Self {
            id,
            attempt,
            session: Session::controller(attempt.version, &config.local_key, now),
            evidence: Evidence::default(),
            key_verified: false,
            quiet_until,
            proof_due: begin + limit,
            probe_sent: false,
            key_check_at,
            up_reported: false,
            missed: 0,
            beat_due: None,
            beat_now: false,
            unanswered: 0,
            check_pending: false,
            checking: false,
            up_at: now,
            idle_since: now,
            lost: None,
        }
    }

    /// Schedules a heartbeat at `due`. Returns false if one is pending, which forged announcements must not delay.
    pub(super) fn check_alive(&mut self, due: Instant) -> bool {
        if self.check_pending || self.checking {
            return false;
        }
        self.check_pending = true;
        self.beat_due = Some(self.beat_due.map_or(due, |known| known.min(due)));
        true
    }

    /// Records that a command was sent.
    pub(super) const fn note_sent(&mut self, now: Instant) {
        self.evidence.sent = true;
        self.idle_since = now;
    }

    /// Sends the query that shows whether version and key are right, once. Returns its command code and number.
    fn send_probe_query(
        &mut self,
        config: &DeviceConfig,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
    ) -> Option<(CommandCode, u32)> {
        if self.key_verified || self.probe_sent || self.session.version().negotiates() {
            return None;
        }
        // In the ordinary dialect: device22 firmware refuses it with a text, which shows the key as well.
        let query = Command::status();
        let sent = transmit(&mut self.session, config, Dialect::Default, &query, now, rng, tx).ok();
        self.probe_sent = sent.is_some();
        self.evidence.sent |= self.probe_sent;
        sent
    }

    /// Resets the liveness checks: the device has sent a frame.
    const fn note_alive(&mut self) {
        self.missed = 0;
        self.unanswered = 0;
        self.beat_due = None;
        self.check_pending = false;
        self.checking = false;
    }

    /// Returns the time of the last frame sent or received, whichever is earlier: silence in either direction counts.
    fn quiet_since(&self) -> Instant {
        self.session.last_tx.min(self.session.last_rx)
    }

    /// Records that commands expired. After several in a row, a heartbeat does not wait for silence.
    const fn note_unanswered(&mut self, count: u8) {
        self.unanswered = self.unanswered.saturating_add(count);
        if self.unanswered >= MAX_UNANSWERED && self.missed == 0 {
            self.beat_now = true;
        }
    }

    /// Returns the time limit for the answer to a heartbeat: half of `answer` once the device has sent a valid frame.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    fn beat_wait(&self, answer: Duration) -> Duration {
        match (self.checking, self.evidence.good) {
            (true, _) => MOVED_CHECK,
            (false, true) => answer / u32::from(MAX_MISSED),
            (false, false) => answer,
        }
    }

    /// Records what a frame shows about its sender. Returns whether that ends this connection.
    fn note_hint(&mut self, hint: Hint, configured: Option<Version>) -> bool {
        if self.key_verified {
            return false;
        }
        let version = self.session.version();
        let telling = hint.finding(configured.unwrap_or(version)).is_some();
        if telling || self.evidence.hint.is_none() {
            self.evidence.hint = Some(hint);
        }
        telling
    }

    /// Returns whether nothing was received on a connection that needs no negotiation.
    const fn has_no_frame(&self) -> bool {
        !self.evidence.good && !self.session.version().negotiates()
    }

    /// Examines the sender of a readable frame without ciphertext, up to 3.3.
    fn examine(&self, opened: &Opened, body: &[u8], config: &DeviceConfig) -> Option<Hint> {
        if self.key_verified || opened.encrypted || body.is_empty() || self.session.version().negotiates() {
            return None;
        }
        // The header of 3.1 looks like one of later versions if it was not expected.
        let hint = match opened.header.as_ref().and_then(VersionHeader::version) {
            Some(Version::V31) => Hint { form: Form::Exactly(Version::V31), key: None },
            _ => hint::of_body(&config.local_key, body),
        };
        // The form that these versions share shows nothing here.
        (hint.form != Form::Crc).then_some(hint)
    }

    /// Returns whether the peer has given the proofs that commands require.
    const fn is_proven(&self) -> bool {
        self.session.is_ready() && self.quiet_until.is_none() && (!self.attempt.verify || self.key_verified)
    }
}

impl Device {
    /// Processes frames and due timers. Returns `None` if the state changed and the caller must start over.
    pub(super) fn poll_connection(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        rx: &mut Rx<'_>,
        tx: &mut Tx<'_>,
    ) -> Option<PollStep> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        if conn.quiet_until.is_some_and(|until| until <= now) {
            conn.quiet_until = None;
        }
        if conn.quiet_until.is_none() && conn.lost.is_none() {
            conn.evidence.sent |= conn.session.negotiate(now, &self.config.local_key, rng, tx);
        }
        let received = conn.session.receive(now, &self.config.local_key, rx);
        self.stats.resyncs = self.stats.resyncs.saturating_add(conn.session.take_skips());
        match received {
            Received::Nothing => {}
            Received::Negotiation => {
                self.stats.frames = self.stats.frames.saturating_add(1);
                conn.key_verified = true;
                conn.evidence.good = true;
                return None;
            }
            Received::TooLong { seqno, command, len } => {
                self.stats.skipped = self.stats.skipped.saturating_add(1);
                conn.note_alive();
                let next = conn.session.may_echo();
                let answers = if conn.up_reported { self.pending.answer_skipped(next, seqno, command) } else { None };
                return Some(match answers {
                    Some(id) => PollStep::Resolved(id, Outcome::TooLong { len }, None),
                    None => PollStep::Skipped(command, len),
                });
            }
            // Only the device role receives such a proof.
            #[cfg(feature = "emulator")]
            Received::WrongProof => return None,
            Received::Unexpected => {
                return if conn.session.bad_in_row >= MAX_BAD {
                    self.on_connection_lost(Failure::Garbage, now, rng)
                } else {
                    None
                };
            }
            Received::Bad { hint, .. } => {
                self.stats.bad_frames = self.stats.bad_frames.saturating_add(1);
                let telling = hint.is_some_and(|hint| conn.note_hint(hint, self.config.version));
                return if telling || conn.session.bad_in_row >= MAX_BAD {
                    self.on_connection_lost(Failure::Garbage, now, rng)
                } else {
                    None
                };
            }
            Received::Repeated { command, why } => {
                self.stats.ignored = self.stats.ignored.saturating_add(1);
                conn.evidence.stale |= command.is_negotiation() && conn.session.version().negotiates();
                if conn.session.repeated_in_row >= MAX_REPEATED {
                    return self.on_connection_lost(Failure::Garbage, now, rng);
                }
                return Some(PollStep::Ignored(command, why));
            }
            Received::Frame(opened) => return self.on_frame(opened, now, rx, rng),
            Received::Early(opened) => return self.on_early_frame(opened, rx),
        }
        if conn.lost.is_some() {
            return self.on_connection_lost(Failure::Closed, now, rng);
        }
        if !conn.up_reported && conn.is_proven() {
            return self.bring_up(now, rng);
        }
        self.poll_timers(now, rng, tx)
    }

    /// Processes a frame for us. Returns the event that it causes, if any.
    fn on_frame(&mut self, opened: Opened, now: Instant, rx: &Rx<'_>, rng: &mut dyn CryptoRng) -> Option<PollStep> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        let body = rx.at(opened.payload.clone());
        let payload = Payload::new(body);
        let report = payload.report();
        // Only controllers write this. Up to 3.3 an attacker needs no key to send our own ciphertext back.
        let may_be_ours = !conn.session.version().negotiates() && opened.encrypted;
        if report.as_ref().is_some_and(|report| report.from_controller || (may_be_ours && report.is_request)) {
            self.stats.ignored = self.stats.ignored.saturating_add(1);
            return Some(PollStep::Ignored(opened.command, Repeated::Reflected));
        }
        self.stats.frames = self.stats.frames.saturating_add(1);
        conn.note_alive();
        let version = conn.session.version();
        if let Some(hint) = conn.examine(&opened, body, &self.config)
            && conn.note_hint(hint, self.config.version)
        {
            return self.on_connection_lost(Failure::Garbage, now, rng);
        }
        let refusal = (!conn.key_verified
            && !opened.encrypted
            && !version.negotiates()
            && payload.is_plain_text()
            && hint::is_text(body))
        .then(|| refusal_of(payload.error()));
        match refusal {
            None if version == Version::V31 => {
                // No frame of 3.1 proves a key, and only state in the clear proves 3.1.
                let report = report.filter(|report| !conn.attempt.verify || report.dps.is_some());
                conn.key_verified |= opened.encrypted || report.is_some();
                // The padding alone is valid once in 256 times under any key.
                self.sealed_31 |= opened.encrypted && report.is_some_and(|report| report.dps.is_some());
            }
            None => conn.key_verified |= opened.encrypted && !opened.payload.is_empty(),
            // Such a text in the clear proves less where the version is open.
            Some(Refusal::Understood) if !conn.attempt.verify => conn.key_verified = true,
            Some(Refusal::Understood) if proves(version, self.config.version, &self.search) => conn.key_verified = true,
            Some(refusal) if conn.attempt.verify || conn.probe_sent || is_query(opened.command) => {
                conn.evidence.refusal = Some(refusal);
                return self.on_connection_lost(Failure::Silent, now, rng);
            }
            Some(_) => conn.key_check_at = Some(now),
        }
        if conn.up_reported && !conn.evidence.good {
            self.search.note_proof(conn.up_at, now);
        }
        conn.evidence.good = true;
        if conn.up_reported {
            self.diagnosis = None;
            if conn.key_verified {
                self.version_changes = 0;
                self.search.reset();
                self.addresses.prove();
            }
        }
        if let Some(report) = &report {
            self.dialect_state.has_children |=
                report.cid.is_some() || report.online.is_some() || report.offline.is_some();
            self.dialect_state.remember(report);
        }
        if self.config.version.is_none()
            && self.config.dialect.is_none()
            && opened.header.and_then(|h| h.version()) == Some(Version::V32)
        {
            self.dialect_state.set_certain(Dialect::Device22);
        }
        if matches!(opened.command, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW)
            && report.as_ref().is_some_and(|report| report.dps.is_some() && report.cid.is_none())
        {
            self.dialect_state.on_answered();
        }
        if !conn.up_reported {
            // The answer to the query that proves the version. A caller who wants the state asks for it again.
            return None;
        }
        conn.idle_since = now;
        let whole = report.as_ref().is_some_and(|report| self.dialect_state.is_whole(report));
        let next = conn.session.may_echo();
        match self.pending.answer(next, &opened, &payload, report.as_ref(), whole, now) {
            Match::Resolved(id, outcome) => {
                if self.dialect_state.retrying == Some(id) {
                    self.dialect_state.retrying = None;
                    match outcome {
                        Outcome::Acknowledged { .. } => self.dialect_state.set_dialect(Dialect::Device22),
                        _ => self.dialect_state.no_device22 = true,
                    }
                }
                Some(PollStep::Resolved(id, outcome, Some(opened)))
            }
            Match::Refused(at) => {
                if !self.on_refused(at, opened.retcode.unwrap_or_default(), now) {
                    return None;
                }
                let (id, outcome) = self.pending.refuse(at, opened.retcode)?;
                Some(PollStep::Resolved(id, outcome, Some(opened)))
            }
            Match::None if opened.payload.is_empty() => None,
            Match::None => Some(PollStep::Message(opened)),
        }
    }

    /// Processes a frame under the local key, sent before the device has a session key. It answers no command.
    fn on_early_frame(&mut self, opened: Opened, rx: &Rx<'_>) -> Option<PollStep> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        self.stats.frames = self.stats.frames.saturating_add(1);
        conn.note_alive();
        conn.key_verified = true;
        conn.evidence.good = true;
        let payload = Payload::new(rx.at(opened.payload.clone()));
        if let Some(report) = payload.report() {
            self.dialect_state.remember(&report);
        }
        (!payload.is_empty()).then_some(PollStep::Message(opened))
    }

    /// Accepts commands from now on: the connection has given its proofs, or needs none. Returns the event.
    fn bring_up(&mut self, now: Instant, rng: &mut dyn CryptoRng) -> Option<PollStep> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        let version = conn.session.version();
        let unwanted = match self.config.version {
            Some(configured) if configured != version => Some(DownReason::WrongVersion { speaks: Some(version) }),
            Some(_) => None,
            None => self.is_too_old(version).then_some(DownReason::TooOld { version }),
        };
        if let Some(reason) = unwanted {
            self.search.stop();
            self.resolved = None;
            self.failures = self.failures.saturating_add(1);
            let delay = backoff::delay(&self.config.timing, self.failures, rng);
            self.end(reason, now + delay);
            return None;
        }
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        self.search.note_accepted();
        if version.negotiates() || conn.attempt.verify {
            self.search.note_proof(conn.up_at, now);
        }
        conn.up_reported = true;
        conn.up_at = now;
        conn.idle_since = now;
        if !version.negotiates() && !conn.attempt.verify {
            // Checks early that there is a device: these versions have no negotiation that would show it.
            conn.beat_now = true;
        }
        self.dialect_state.on_connection(version, &self.config);
        if version.negotiates() || conn.attempt.verify {
            self.version_changes = 0;
            self.diagnosis = None;
            self.proven |= version.negotiates();
            self.search.reset();
            self.addresses.prove();
        }
        if self.config.version.is_none() {
            self.resolved = Some(version);
        }
        self.stats.connects = self.stats.connects.saturating_add(1);
        Some(PollStep::Up(version))
    }

    /// Processes the timers that are due. Returns `None` when the state changed and the caller must start over.
    #[expect(clippy::arithmetic_side_effects, reason = "ends after a few heartbeats without an answer")]
    fn poll_timers(&mut self, now: Instant, rng: &mut dyn CryptoRng, tx: &mut Tx<'_>) -> Option<PollStep> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        let timing = self.config.timing;
        if !conn.up_reported {
            if conn.proof_due <= now {
                return self.on_connection_lost(Failure::Silent, now, rng);
            }
            if conn.session.is_ready() && conn.quiet_until.is_none() {
                conn.send_probe_query(&self.config, now, rng, tx);
            }
            return Some(PollStep::Wait(self.deadline()));
        }
        if conn.session.is_exhausted() {
            self.end(DownReason::Ended, now);
            return None;
        }
        let expired = self.pending.expire(now, self.dialect_state.retrying);
        if expired.retry22 {
            self.dialect_state.retrying = None;
            self.dialect_state.no_device22 = true;
        }
        if Version::ANY_DEVICE22 && expired.control && self.dialect_state.dialect == Dialect::Device22 {
            self.dialect_state.control_as_new = !self.dialect_state.control_as_new;
        }
        conn.note_unanswered(expired.unanswered);
        if self.pending.has_decided() {
            return None;
        }
        self.send_retries(now, rng, tx);
        if self.pending.has_decided() {
            return None;
        }
        if self.pending.is_out_of_step() && self.pending.is_idle() {
            self.end(DownReason::Ended, now + REDIAL);
            return None;
        }
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        if conn.key_check_at.is_some_and(|due| due <= now)
            && let Some((code, seqno)) = conn.send_probe_query(&self.config, now, rng, tx)
        {
            // Its answer must not be taken for that of the caller's next query.
            self.pending.expect(code, seqno, now);
        }
        // A device that sends nothing at all is examined early, unless a write would be lost with the connection.
        if conn.has_no_frame() && conn.proof_due <= now && self.pending.only_reads() {
            return self.on_connection_lost(Failure::Silent, now, rng);
        }
        if conn.beat_due.is_some_and(|due| due <= now) {
            if core::mem::take(&mut conn.check_pending) {
                conn.checking = true;
            } else if conn.checking || conn.missed >= MAX_MISSED {
                self.addresses.skip_proven();
                return self.on_connection_lost(Failure::Silent, now, rng);
            }
            conn.beat_due = None;
            conn.beat_now = true;
        }
        let silent = conn.quiet_since() + timing.heartbeat <= now;
        if conn.beat_due.is_none() && (conn.beat_now || silent) {
            // Counts it even if there is no room to send it: the bytes before it have not left either.
            conn.beat_now = true;
            conn.missed += 1;
            conn.beat_due = Some(now + conn.beat_wait(timing.answer));
        }
        if conn.beat_now && !conn.check_pending {
            let beat = Command::request(CommandCode::HEART_BEAT, RequestData::None);
            if transmit(&mut conn.session, &self.config, Dialect::Default, &beat, now, rng, tx).is_ok() {
                conn.beat_now = false;
                conn.evidence.sent = true;
            }
        }
        if !self.config.persist && self.pending.is_idle() && conn.idle_since + LINGER <= now {
            self.end(DownReason::Ended, now);
            return None;
        }
        // An overdue timer found no room. The driver polls again as soon as it has written bytes.
        Some(PollStep::Wait(self.deadline().map(|due| if due > now { due } else { now + NO_ROOM_RETRY })))
    }

    /// Returns the time of the next timer of this connection.
    pub(super) fn conn_deadline(&self, conn: &Conn) -> Instant {
        if !conn.up_reported {
            return conn.quiet_until.map_or(conn.proof_due, |quiet_until| quiet_until.min(conn.proof_due));
        }
        let silence = if conn.beat_now { Duration::ZERO } else { self.config.timing.heartbeat };
        let beat = conn.beat_due.unwrap_or(conn.quiet_since() + silence);
        let key_check_at = conn.key_check_at.filter(|_| !conn.key_verified && !conn.probe_sent);
        let end = (!self.config.persist && self.pending.is_idle()).then_some(conn.idle_since + LINGER);
        let no_frame = (conn.has_no_frame() && self.pending.only_reads()).then_some(conn.proof_due);
        [self.pending.deadline(), key_check_at, end, no_frame].into_iter().flatten().fold(beat, Instant::min)
    }

    /// Ends the connection: as the end of one that worked, or as a failed attempt. Always returns `None`.
    fn on_connection_lost(&mut self, failure: Failure, now: Instant, rng: &mut dyn CryptoRng) -> Option<PollStep> {
        let Link::Up(conn) = &self.link else {
            return None;
        };
        let (attempt, mut evidence, worked) = (conn.attempt, conn.evidence, conn.up_reported && conn.evidence.good);
        if conn.key_verified {
            // The key is right, so other evidence against it does not count.
            evidence = Evidence { good: true, key_verified: true, sent: evidence.sent, ..Evidence::default() };
        }
        let lived = now.as_micros().saturating_sub(conn.session.last_rx.as_micros()) >> Search::UNIT;
        evidence.lived = u8::try_from(lived).unwrap_or(u8::MAX);
        let version = self.config.version.unwrap_or(attempt.version);
        let finding = evidence.hint.and_then(|hint| hint.finding(version));
        if !worked || finding.is_some() || evidence.refusal.is_some() {
            self.fail(attempt, &evidence, failure, now, rng);
            return None;
        }
        let reason = match failure {
            Failure::Silent => DownReason::Unresponsive,
            Failure::Garbage => DownReason::Garbage,
            _ => DownReason::PeerClosed,
        };
        let short = now < conn.up_at + SHORT_LIVED;
        self.failures = if short { self.failures.saturating_add(1) } else { 0 };
        let delay = backoff::delay(&self.config.timing, self.failures, rng);
        self.end(reason, now + delay);
        None
    }
}

const fn is_query(command: CommandCode) -> bool {
    matches!(command, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW)
}
