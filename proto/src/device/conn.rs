//! One open connection: what is heard on it, when something is due, what commands become.

use core::time::Duration;

use rand_core::CryptoRng;

use super::again::REDIAL;
use super::config::DeviceConfig;
use super::event::{ConnId, DownReason, LossReason, Outcome};
use super::pending::Match;
use super::search::{Evidence, Failure, Refusal, Search, proves, refusal_of};
use super::send::transmit;
use super::{Attempt, Command, Device, Link, Step, backoff};
use crate::buf::{Rx, Tx};
use crate::codec::{Opened, VersionHeader};
use crate::payload::{Payload, RequestData};
use crate::session::guard::Repeated;
use crate::session::hint::{self, Form, Hint};
use crate::session::{Received, Session};
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::CommandCode;

/// How long an attempt that listens first says nothing at least.
const LISTEN: Duration = Duration::from_millis(250);
/// Unbelievable frames in a row after which the connection is given up.
const MAX_BAD: u8 = 3;
/// Frames in a row that came before, after which the connection is given up.
const MAX_REPEATED: u8 = 100;
/// Unanswered heartbeats after which the device counts as gone. hass-localtuya does the same.
const MAX_MISSED: u8 = 2;
/// Commands that expire in a row, with nothing heard since the first was sent, before a heartbeat is sent early.
const MAX_UNANSWERED: u8 = 2;
/// How long a device whose address changed has for a sign of life on its old connection.
const CHECK: Duration = Duration::from_millis(700);
/// How long nothing on a connection may prove the key before that is questioned.
const DOUBT: Duration = Duration::from_secs(1);
/// How long a connection that is not to be kept lingers after its last answer.
const LINGER: Duration = Duration::from_secs(1);
/// How long a heartbeat that found no room waits when the driver writes nothing in between.
const NO_ROOM_RETRY: Duration = Duration::from_secs(1);
/// A connection that ends sooner than this after it came up counts as a failure: the delays grow, from
/// `Timing::backoff_min`. Devices that restart in a loop, or that another client throws out, would else be dialed several
/// times a second. One that drops idle connections so soon by design is for `persist: false`, where no delay applies.
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
    /// When the device must have shown that it understands us or, up to 3.3, must have said anything.
    proof_due: Instant,
    /// The query that is to prove it was sent.
    asked: bool,
    /// When a query is to show whether the key is right, unless that has shown by then.
    doubt: Option<Instant>,
    pub(super) told_up: bool,
    /// Heartbeats sent since the last frame from the device.
    missed: u8,
    /// When the outstanding heartbeat counts as unanswered.
    beat_due: Option<Instant>,
    /// A heartbeat is to be sent without waiting for silence.
    beat_now: bool,
    /// Commands that expired since the last frame from the device.
    unanswered: u8,
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
    /// `closes`: when the device may close this connection by itself, as far as others have shown.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    pub(super) fn new(
        id: ConnId,
        attempt: Attempt,
        config: &DeviceConfig,
        patience: Duration,
        closes: Instant,
        now: Instant,
    ) -> Self {
        let hold = attempt.listen.then(|| closes.max(now + LISTEN));
        let begin = hold.unwrap_or(now);
        // Firmware up to 3.3 meets a control under a wrong key with silence, but refuses a query in words that only the
        // right key can read.
        let doubt = (!attempt.version.narrowed().negotiates()).then(|| begin + DOUBT.min(patience / 2));
        Self {
            id,
            attempt,
            session: Session::controller(attempt.version, &config.local_key, now),
            seen: Evidence::default(),
            keyed: false,
            hold,
            proof_due: begin + patience,
            asked: false,
            doubt,
            told_up: false,
            missed: 0,
            beat_due: None,
            beat_now: false,
            unanswered: 0,
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

    /// A command was sent.
    pub(super) const fn note_sent(&mut self, now: Instant) {
        self.seen.spoke = true;
        self.idle_since = now;
    }

    /// Sends the query that shows whether version and key are right, once. Code and number that it went out under.
    fn question(
        &mut self,
        config: &DeviceConfig,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
    ) -> Option<(CommandCode, u32)> {
        if self.keyed || self.asked || self.session.version().negotiates() {
            return None;
        }
        // In the ordinary dialect: device22 firmware refuses it too, in words.
        let query = Command::status();
        let sent = transmit(&mut self.session, config, Dialect::Default, &query, now, rng, tx).ok();
        self.asked = sent.is_some();
        self.seen.spoke |= self.asked;
        sent
    }

    /// The device has said something.
    const fn note_alive(&mut self) {
        self.missed = 0;
        self.unanswered = 0;
        self.beat_due = None;
        self.moved = false;
        self.check = false;
    }

    /// The last frame in one of both directions, whichever is longer ago: devices close when they hear nothing, and one
    /// that says nothing may be gone, however much is sent to it.
    fn quiet_since(&self) -> Instant {
        self.session.last_tx.min(self.session.last_rx)
    }

    /// Commands expired: with several in a row, it is not waited for silence to ask for a sign of life.
    const fn note_unanswered(&mut self, count: u8) {
        self.unanswered = self.unanswered.saturating_add(count);
        if self.unanswered >= MAX_UNANSWERED && self.missed == 0 {
            self.beat_now = true;
        }
    }

    /// How long to wait for the answer to a heartbeat. Both of a device that was heard before share the time of one.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    fn beat_wait(&self, answer: Duration) -> Duration {
        match (self.check, self.seen.good) {
            (true, _) => CHECK,
            (false, true) => answer / u32::from(MAX_MISSED),
            (false, false) => answer,
        }
    }

    /// Notes what a frame tells about its sender. Whether that is the end of this connection.
    fn note_hint(&mut self, hint: Hint, configured: Option<Version>) -> bool {
        if self.keyed {
            return false;
        }
        let version = self.session.version();
        let telling = hint.finding(configured.unwrap_or(version)).is_some();
        if telling || self.seen.hint.is_none() {
            self.seen.hint = Some(hint);
        }
        telling
    }

    /// Whether nothing was heard on a connection that needs no negotiation.
    const fn is_unheard(&self) -> bool {
        !self.seen.good && !self.session.version().negotiates()
    }

    /// What a readable frame without ciphertext tells about its sender, up to 3.3.
    fn look_at(&self, opened: &Opened, body: &[u8], config: &DeviceConfig) -> Option<Hint> {
        if self.keyed || opened.encrypted || body.is_empty() || self.session.version().negotiates() {
            return None;
        }
        // The header of 3.1 is taken for that of later versions where it was not expected.
        let hint = match opened.header.as_ref().and_then(VersionHeader::version) {
            Some(Version::V31) => Hint { form: Form::Exactly(Version::V31), key: None },
            _ => hint::of_body(&config.local_key, body),
        };
        // What these versions have in common tells nothing here.
        (hint.form != Form::Crc).then_some(hint)
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
            Received::TooLong { seqno, command, len } => {
                self.stats.skipped = self.stats.skipped.saturating_add(1);
                conn.note_alive();
                let next = conn.session.may_echo();
                let answers = if conn.told_up { self.pending.answer_skipped(next, seqno, command) } else { None };
                return Some(match answers {
                    Some(id) => Step::Resolved(id, Outcome::TooLong { len }, None),
                    None => Step::Skipped(command, len),
                });
            }
            // Controllers are not proven anything but the answer to their nonce.
            #[cfg(feature = "emulator")]
            Received::WrongProof => return None,
            Received::Unexpected => {
                return if conn.session.bad_in_row >= MAX_BAD { self.broken(Failure::Garbage, now, rng) } else { None };
            }
            Received::Bad { hint, .. } => {
                self.stats.bad_frames = self.stats.bad_frames.saturating_add(1);
                let telling = hint.is_some_and(|hint| conn.note_hint(hint, self.config.version));
                return if telling || conn.session.bad_in_row >= MAX_BAD {
                    self.broken(Failure::Garbage, now, rng)
                } else {
                    None
                };
            }
            Received::Repeated { command, why } => {
                self.stats.ignored = self.stats.ignored.saturating_add(1);
                conn.seen.stale |= command.is_negotiation() && conn.session.version().negotiates();
                if conn.session.repeated_in_row >= MAX_REPEATED {
                    return self.broken(Failure::Garbage, now, rng);
                }
                return Some(Step::Ignored(command, why));
            }
            Received::Frame(opened) => return self.hear(opened, now, rx, rng),
            Received::Early(opened) => return self.overhear(opened, rx),
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
        let body = rx.at(opened.payload.clone());
        let payload = Payload::new(body);
        let report = payload.report();
        // What only controllers write. Up to 3.3 whoever sends our own ciphertext back needs no key.
        let may_be_ours = !conn.session.version().negotiates() && opened.encrypted;
        if report.as_ref().is_some_and(|report| report.from_controller || (may_be_ours && report.is_request)) {
            self.stats.ignored = self.stats.ignored.saturating_add(1);
            return Some(Step::Ignored(opened.command, Repeated::Reflected));
        }
        self.stats.frames = self.stats.frames.saturating_add(1);
        conn.note_alive();
        let version = conn.session.version();
        if let Some(hint) = conn.look_at(&opened, body, &self.config)
            && conn.note_hint(hint, self.config.version)
        {
            return self.broken(Failure::Garbage, now, rng);
        }
        let refusal = (!conn.keyed
            && !opened.encrypted
            && !version.negotiates()
            && payload.is_plain_text()
            && hint::is_text(body))
        .then(|| refusal_of(payload.error()));
        match refusal {
            None if version == Version::V31 => {
                // Nothing of 3.1 proves a key, and only state in the clear proves 3.1.
                let report = report.filter(|report| !conn.attempt.verify || report.dps.is_some());
                conn.keyed |= opened.encrypted || report.is_some();
                // The padding alone fits once in 256 times under any key.
                self.sealed_31 |= opened.encrypted && report.is_some_and(|report| report.dps.is_some());
            }
            None => conn.keyed |= opened.encrypted && !opened.payload.is_empty(),
            // Such words in the clear prove less where the version is open.
            Some(Refusal::Understood) if !conn.attempt.verify => conn.keyed = true,
            Some(Refusal::Understood) if proves(version, self.config.version, &self.search) => conn.keyed = true,
            Some(refusal) if conn.attempt.verify || conn.asked || is_query(opened.command) => {
                conn.seen.refusal = Some(refusal);
                return self.broken(Failure::Silent, now, rng);
            }
            Some(_) => conn.doubt = Some(now),
        }
        if conn.told_up && !conn.seen.good {
            self.search.note_proof(conn.up_at, now);
        }
        conn.seen.good = true;
        if conn.told_up {
            self.diagnosis = None;
            if conn.keyed {
                self.hops = 0;
                self.search.reset();
                self.places.prove();
            }
        }
        if let Some(report) = &report {
            self.talk.gateway |= report.cid.is_some() || report.online.is_some() || report.offline.is_some();
            self.talk.remember(report);
        }
        if self.config.version.is_none()
            && self.config.dialect.is_none()
            && opened.header.and_then(|h| h.version()) == Some(Version::V32)
        {
            self.talk.fix(Dialect::Device22);
        }
        if matches!(opened.command, CommandCode::DP_QUERY | CommandCode::DP_QUERY_NEW)
            && report.as_ref().is_some_and(|report| report.dps.is_some() && report.cid.is_none())
        {
            self.talk.answered();
        }
        if !conn.told_up {
            // The answer to the query that proves the version: its state is asked for again by whoever wants it.
            return None;
        }
        conn.idle_since = now;
        let whole = report.as_ref().is_some_and(|report| self.talk.is_whole(report));
        let next = conn.session.may_echo();
        match self.pending.answer(next, &opened, &payload, report.as_ref(), whole, now) {
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
            Match::Refused(at) => {
                if !self.refused(at, opened.retcode.unwrap_or_default(), now) {
                    return None;
                }
                let (id, outcome) = self.pending.refuse(at, opened.retcode)?;
                Some(Step::Resolved(id, outcome, Some(opened)))
            }
            Match::None if opened.payload.is_empty() => None,
            Match::None => Some(Step::Message(opened)),
        }
    }

    /// A frame under the local key, from a device without a session key yet: may hold state, but no answer to a command.
    fn overhear(&mut self, opened: Opened, rx: &Rx<'_>) -> Option<Step> {
        let Link::Up(conn) = &mut self.link else {
            return None;
        };
        self.stats.frames = self.stats.frames.saturating_add(1);
        conn.note_alive();
        conn.keyed = true;
        conn.seen.good = true;
        let payload = Payload::new(rx.at(opened.payload.clone()));
        if let Some(report) = payload.report() {
            self.talk.remember(&report);
        }
        (!payload.is_empty()).then_some(Step::Message(opened))
    }

    /// The connection has proven itself, or needs no proof: commands are accepted from now on.
    fn come_up(&mut self, now: Instant, rng: &mut dyn CryptoRng) -> Option<Step> {
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
        conn.told_up = true;
        conn.up_at = now;
        conn.idle_since = now;
        if !version.negotiates() && !conn.attempt.verify {
            // An early sign of life: these versions have no negotiation that would tell a device from a void.
            conn.beat_now = true;
        }
        self.talk.begin(version, &self.config);
        if version.negotiates() || conn.attempt.verify {
            self.hops = 0;
            self.diagnosis = None;
            self.proven |= version.negotiates();
            self.search.reset();
            self.places.prove();
        }
        if self.config.version.is_none() {
            self.resolved = Some(version);
        }
        self.stats.connects = self.stats.connects.saturating_add(1);
        Some(Step::Up(version))
    }

    /// Everything that happens by the clock. `None`: something changed, start over.
    #[expect(clippy::arithmetic_side_effects, reason = "ends after a few heartbeats without an answer")]
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
        let expired = self.pending.expire(now, self.talk.retrying);
        if expired.retry22 {
            self.talk.retrying = None;
            self.talk.no_device22 = true;
        }
        if Version::ANY_DEVICE22 && expired.control && self.talk.dialect == Dialect::Device22 {
            self.talk.control_new = !self.talk.control_new;
        }
        conn.note_unanswered(expired.unanswered);
        if self.pending.has_decided() {
            return None;
        }
        self.ask_again(now, rng, tx);
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
        if conn.doubt.is_some_and(|due| due <= now)
            && let Some((code, seqno)) = conn.question(&self.config, now, rng, tx)
        {
            // Its answer is not that of the caller's next query.
            self.pending.expect(code, seqno, now);
        }
        // A device that says nothing at all is looked into early, unless a write would be lost with the connection.
        if conn.is_unheard() && conn.proof_due <= now && self.pending.only_reads() {
            return self.broken(Failure::Silent, now, rng);
        }
        if conn.beat_due.is_some_and(|due| due <= now) {
            if core::mem::take(&mut conn.moved) {
                conn.check = true;
            } else if conn.check || conn.missed >= MAX_MISSED {
                self.places.distrust();
                return self.broken(Failure::Silent, now, rng);
            }
            conn.beat_due = None;
            conn.beat_now = true;
        }
        let silent = conn.quiet_since() + timing.heartbeat <= now;
        if conn.beat_due.is_none() && (conn.beat_now || silent) {
            // Counts also where there is no room for it: what was sent before has not left.
            conn.beat_now = true;
            conn.missed += 1;
            conn.beat_due = Some(now + conn.beat_wait(timing.answer));
        }
        if conn.beat_now && !conn.moved {
            let beat = Command::request(CommandCode::HEART_BEAT, RequestData::None);
            if transmit(&mut conn.session, &self.config, Dialect::Default, &beat, now, rng, tx).is_ok() {
                conn.beat_now = false;
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
        let beat = conn.beat_due.unwrap_or(conn.quiet_since() + silence);
        let doubt = conn.doubt.filter(|_| !conn.keyed && !conn.asked);
        let end = (!self.config.persist && self.pending.is_idle()).then_some(conn.idle_since + LINGER);
        let unheard = (conn.is_unheard() && self.pending.only_reads()).then_some(conn.proof_due);
        [self.pending.deadline(), doubt, end, unheard].into_iter().flatten().fold(beat, Instant::min)
    }

    /// The connection is of no more use: the end of one that worked, or a failed attempt. Always `None`.
    fn broken(&mut self, failure: Failure, now: Instant, rng: &mut dyn CryptoRng) -> Option<Step> {
        let Link::Up(conn) = &self.link else {
            return None;
        };
        let (attempt, mut seen, worked) = (conn.attempt, conn.seen, conn.told_up && conn.seen.good);
        if conn.keyed {
            // The key is right, whatever else there was.
            seen = Evidence { good: true, keyed: true, spoke: seen.spoke, ..Evidence::default() };
        }
        let lived = now.as_micros().saturating_sub(conn.session.last_rx.as_micros()) >> Search::UNIT;
        seen.lived = u8::try_from(lived).unwrap_or(u8::MAX);
        let version = self.config.version.unwrap_or(attempt.version);
        let finding = seen.hint.and_then(|hint| hint.finding(version));
        if !worked || finding.is_some() || seen.refusal.is_some() {
            self.fail(attempt, &seen, failure, now, rng);
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
