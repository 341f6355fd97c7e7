//! Search for the version of a device, or for the reason why none works.
//!
//! A build with [one version](Version::IS_ALONE) runs no rounds of attempts, and leaves their code out.

use core::time::Duration;

use super::Attempt;
use super::config::{DeviceConfig, Timing};
use super::event::DownReason;
use crate::payload::DeviceError;
use crate::session::hint::{Finding, Hint};
use crate::time::Instant;
use crate::version::Version;

/// Time limit for the first frame of a device whose version is known.
const FIRST_LIMIT: Duration = Duration::from_millis(700);
/// The same for each attempt of the round that follows. With the pauses, [`FIRST_LIMIT`] and three of these take less than
/// 2 s.
const SHORT_LIMIT: Duration = Duration::from_millis(280);
/// The same for each attempt if no version is known: four of these take less than 2 s.
const EVEN_LIMIT: Duration = Duration::from_millis(400);
/// Pause after an attempt that the device ended.
const AFTER_CLOSE: Duration = Duration::from_millis(30);
/// Pause after an attempt that we ended: time for the device to free its connection.
const AFTER_SILENCE: Duration = Duration::from_millis(100);
/// Connections of one round that a device must have closed before its silence on the others means a wrong key.
const CLOSES: u8 = 2;
/// Most times that the time limit is doubled; the limit of the configuration usually stops it before.
const MOST_DOUBLED: u8 = 5;

/// Evidence from one attempt at a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// True if a frame passed its checks (and was decrypted, if it had ciphertext).
    pub(super) good: bool,
    /// True if a frame or the negotiation proved the key.
    pub(super) key_verified: bool,
    /// True if anything was sent.
    pub(super) sent: bool,
    /// True if the negotiation was answered under our key, but to another nonce than ours.
    pub(super) stale: bool,
    /// Age of the connection since the last frame, in units of [`Search::UNIT`].
    pub(super) lived: u8,
    /// Fact about the device's version or key that a frame showed.
    pub(super) hint: Option<Hint>,
    /// Refusal of a query in clear text.
    pub(super) refusal: Option<Refusal>,
}

/// Refusal in clear text, of firmware up to 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The text says that the query could not be read: another version, or another key.
    Unread,
    /// The text is one that a device sends when it has read the query.
    Understood,
}

/// End of an attempt before the connection was usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The dial failed.
    Refused,
    Unreachable,
    Unresolved,
    OutOfDescriptors,
    /// The peer closed or reset.
    Closed,
    /// A time limit expired.
    Silent,
    /// Too many invalid frames, or one that shows enough.
    Garbage,
}

/// State of the search for a version that works.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    /// Current attempt of the running round, as an index into its order; `None` if no round is running.
    step: Option<u8>,
    /// Version whose failure began the round; `None` if none was known.
    failed: Option<Version>,
    /// True if the device closed that attempt.
    failed_closed: bool,
    /// True if a round has ended without success, and another one would show the same.
    exhausted: bool,
    /// Number of connections that the device closed after we had sent something, in this round or since one was usable.
    closes: u8,
    /// Whether, since the first of those, a connection stayed open while nothing was sent on it.
    stayed_open: bool,
    /// Longest time that the device took to close one, in units of [`UNIT`](Self::UNIT); also before we sent anything.
    lived: u8,
    /// True if the last attempt was closed before we sent anything.
    busy: bool,
    /// Refusal in clear text of a query in the form of 3.3, in this round.
    refusal: Option<Refusal>,
    /// True if a frame under our key was received in this round.
    right_key: bool,
    /// Number of times that the time limit was doubled, because all attempts were silent.
    doubled: u8,
}

/// Decision after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Try the next candidate after this pause. The reason is what this attempt alone suggests.
    RefusalAction(DownReason, Duration),
    /// Wait for the backoff.
    Wait(DownReason),
    /// Use this version, which the device uses; none is configured.
    Use(Version),
}

impl Search {
    /// Unit of the time that a device takes to close a connection: 2 to this power microseconds, about 8 ms. A `u8`
    /// counts up to 2 s.
    // Not milliseconds: on small chips 64-bit division is a large routine.
    pub(super) const UNIT: u32 = 13;

    /// Returns whether a round is running.
    pub(super) const fn is_running(&self) -> bool {
        !Version::IS_ALONE && self.step.is_some()
    }

    /// Begins a round. `failed` is the version whose failure caused it.
    pub(super) fn start(&mut self, failed: Option<Version>) {
        if Version::IS_ALONE {
            return;
        }
        let Self { busy, lived, doubled, .. } = *self;
        *self = Self { step: Some(0), failed, busy, lived, doubled, ..Self::default() };
    }

    /// Ends the search: the device works, or its version was found out.
    pub(super) fn reset(&mut self) {
        *self = Self { doubled: self.doubled, ..Self::default() };
    }

    /// Records that the device has shown that it understands, on a connection made at `begun`.
    // Compares instants: a duration between them would need a 64-bit division, which is a large routine on small chips.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    pub(super) fn note_proof(&mut self, begun: Instant, now: Instant) {
        if !Version::IS_ALONE && now < begun + FIRST_LIMIT / 2 {
            self.doubled = 0;
        }
    }

    /// Ends the search and forgets how slow the device is: it may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Records that the device did not close at once, so it is not busy.
    pub(super) const fn note_accepted(&mut self) {
        self.busy = false;
    }

    /// Ends the round, but remembers that there was one.
    pub(super) fn stop(&mut self) {
        *self = Self { exhausted: true, doubled: self.doubled, ..Self::default() };
    }

    /// Returns the version of the next attempt, if a round is running.
    pub(super) fn version(&self) -> Option<Version> {
        self.step.filter(|_| !Version::IS_ALONE).and_then(|step| self.candidates().nth(usize::from(step)))
    }

    /// Returns whether 3.1 is the likely version, because the device refused a query in the form of 3.3 in clear text.
    pub(super) fn suspects_v31(&self) -> bool {
        self.refusal == Some(Refusal::Unread)
    }

    /// Returns whether the next attempt sends nothing at first, to see whether the device closes by itself. That
    /// distinguishes a device that is taken by another client from one that refuses our frames. A busy device is tried
    /// this way again: if we sent at once, it would seem to refuse our frames.
    pub(super) const fn listens_first(&self) -> bool {
        self.busy || (self.closes > 0 && !self.stayed_open)
    }

    /// Returns the time by which the device, if it closes on everything, will have closed a connection made now.
    pub(super) fn closes(&self, now: Instant) -> Instant {
        // A quarter longer than it took before.
        let micros = (u64::from(self.lived) * 5) << (Self::UNIT - 2);
        Instant::from_micros(now.as_micros().saturating_add(micros))
    }

    /// Returns the time limit for the first frame of the device in the next attempt.
    pub(super) fn first_frame_limit(&self, config: &DeviceConfig) -> Duration {
        if Version::IS_ALONE || !is_searchable(config) {
            return config.timing.negotiate;
        }
        let short = match (self.step, self.failed) {
            (None, _) => FIRST_LIMIT,
            (Some(_), Some(_)) => SHORT_LIMIT,
            (Some(_), None) => EVEN_LIMIT,
        };
        limited(short, self.doubled, &config.timing)
    }

    /// Decides what follows an attempt that failed. `repeated` means that the one before failed as well.
    #[expect(clippy::arithmetic_side_effects, reason = "a step of a search that has a next one")]
    pub(super) fn decide_next(
        &mut self,
        attempt: Attempt,
        config: &DeviceConfig,
        evidence: &Evidence,
        failure: Failure,
        repeated: bool,
    ) -> Decision {
        let configured = config.version;
        match failure {
            // A device that refuses a dial in the middle of a round is restarting: the round begins again.
            Failure::Refused | Failure::Unreachable | Failure::Unresolved | Failure::OutOfDescriptors => {
                let exhausted = self.exhausted && self.step.is_none();
                let Self { busy, lived, doubled, .. } = *self;
                *self = Self { exhausted, busy, lived, doubled, ..Self::default() };
                return Decision::Wait(match failure {
                    Failure::Refused => DownReason::Refused,
                    Failure::Unresolved => DownReason::Unresolved,
                    Failure::OutOfDescriptors => DownReason::OutOfDescriptors,
                    _ => DownReason::Unreachable,
                });
            }
            Failure::Closed if !evidence.sent => {
                let lived = self.lived.max(evidence.lived);
                *self = Self { busy: true, lived, doubled: self.doubled, ..Self::default() };
                return Decision::Wait(DownReason::Busy);
            }
            Failure::Closed | Failure::Silent | Failure::Garbage => {}
        }
        self.busy = false;
        self.stayed_open |= attempt.listen || failure != Failure::Closed;
        self.right_key |=
            evidence.key_verified || evidence.stale || evidence.hint.is_some_and(|hint| hint.key == Some(true));
        let finding = evidence.hint.and_then(|hint| hint.finding(configured.unwrap_or(attempt.version)));
        match (finding, configured) {
            (Some(Finding::OtherKey), _) => return self.end(DownReason::WrongKey { sure: true }),
            // That version would fail under this key, too.
            (Some(Finding::Speaks(_)), None) if evidence.hint.is_some_and(|hint| hint.key == Some(false)) => {
                return self.end(DownReason::WrongKey { sure: true });
            }
            (Some(Finding::Speaks(speaks)), Some(_)) => return self.end(DownReason::WrongVersion { speaks }),
            (Some(Finding::Speaks(Some(version))), None) if Version::IS_ALONE => {
                return self.end(DownReason::LeftOut { version });
            }
            (Some(Finding::Speaks(Some(version))), None) => return Decision::Use(version),
            (Some(Finding::Speaks(None)), None) | (None, _) => {}
        }
        if evidence.stale && failure != Failure::Closed {
            // The answer shows that the version is right, too.
            return self.end(DownReason::Silent);
        }
        if failure == Failure::Closed {
            self.closes = self.closes.saturating_add(1);
            if !attempt.listen {
                self.lived = self.lived.max(evidence.lived);
            }
        }
        let first_reason = match failure {
            Failure::Closed => DownReason::PeerClosed,
            Failure::Garbage => DownReason::Garbage,
            _ => DownReason::Silent,
        };
        if Version::IS_ALONE {
            return self.conclude(config, evidence, failure, first_reason);
        }
        if let Some(refusal) = evidence.refusal.filter(|_| !attempt.version.narrowed().negotiates()) {
            return self.refused(attempt.version, config, refusal, first_reason);
        }
        let pause = if failure == Failure::Closed { AFTER_CLOSE } else { AFTER_SILENCE };
        match self.step {
            None if !self.exhausted && is_searchable(config) => {
                let failed_closed = failure == Failure::Closed;
                let (closes, stayed_open) = (failed_closed.into(), attempt.listen || !failed_closed);
                let right_key = self.right_key;
                self.start(Some(attempt.version));
                *self = Self { failed_closed, closes, stayed_open, right_key, ..*self };
                Decision::RefusalAction(until_known(first_reason), pause)
            }
            None if failure == Failure::Closed => {
                // The next attempt listens, unless this one did.
                self.stayed_open = attempt.listen;
                Decision::Wait(if repeated && attempt.listen { DownReason::KeyOrVersion } else { first_reason })
            }
            None => {
                self.grow();
                Decision::Wait(first_reason)
            }
            Some(step) if self.candidates().nth(usize::from(step) + 1).is_some() => {
                self.step = Some(step + 1);
                Decision::RefusalAction(first_reason, pause)
            }
            Some(_) => self.give_up(config),
        }
    }

    /// Decides what follows a failed attempt in a build with one version. A device that closes gets one more attempt,
    /// which listens first.
    fn conclude(
        &mut self,
        config: &DeviceConfig,
        evidence: &Evidence,
        failure: Failure,
        first_reason: DownReason,
    ) -> Decision {
        if evidence.refusal.is_some() {
            return self.end(DownReason::WrongKey { sure: false });
        }
        if failure != Failure::Closed {
            return Decision::Wait(first_reason);
        }
        match self.closes < CLOSES {
            true if self.exhausted || !is_searchable(config) => Decision::Wait(first_reason),
            true => Decision::RefusalAction(first_reason, AFTER_CLOSE),
            false if self.right_key => self.end(DownReason::PeerClosed),
            false if is_searchable(config) => self.end(DownReason::WrongKey { sure: false }),
            false => self.end(DownReason::KeyOrVersion),
        }
    }

    /// Ends a round in which nothing worked.
    fn give_up(&mut self, config: &DeviceConfig) -> Decision {
        let reason = match self.refusal {
            // The device has read the query, and 3.1 is not proven.
            Some(Refusal::Understood) if config.version.is_none() => return Decision::Use(Version::V33),
            Some(_) if config.version.is_some_and(Version::negotiates) => DownReason::WrongVersion { speaks: None },
            Some(_) => DownReason::WrongKey { sure: false },
            None if self.closes >= CLOSES && self.right_key => DownReason::PeerClosed,
            None if self.closes >= CLOSES => DownReason::WrongKey { sure: false },
            None => DownReason::Silent,
        };
        let verdict = self.end(reason);
        if reason == DownReason::Silent {
            // The device may be slow: the next round has longer time limits.
            self.exhausted = false;
            self.grow();
        }
        verdict
    }

    /// Handles a refusal in clear text: tries 3.1 (or 3.3, if it came in 3.1), and then ends the round.
    fn refused(
        &mut self,
        attempted: Version,
        config: &DeviceConfig,
        refusal: Refusal,
        first_reason: DownReason,
    ) -> Decision {
        if self.exhausted {
            return Decision::Wait(first_reason);
        }
        let is_last = attempted == Version::V31;
        if is_last && self.refusal.is_some() {
            return self.give_up(config);
        }
        let other = if is_last { Version::V33 } else { Version::V31 };
        if !is_searchable(config) || !other.is_supported() {
            self.refusal = Some(refusal);
            return self.give_up(config);
        }
        if self.step.is_none() {
            self.start(Some(attempted));
        }
        if !is_last {
            self.refusal = Some(refusal);
        }
        let at = self.candidates().position(|version| version == other).and_then(|at| u8::try_from(at).ok());
        match at {
            Some(at) if self.step.is_none_or(|step| step <= at) => {
                self.step = Some(at);
                Decision::RefusalAction(until_known(first_reason), AFTER_SILENCE)
            }
            _ => self.give_up(config),
        }
    }

    fn end(&mut self, reason: DownReason) -> Decision {
        self.stop();
        Decision::Wait(reason)
    }

    fn grow(&mut self) {
        self.doubled = self.doubled.saturating_add(1).min(MOST_DOUBLED);
    }

    /// Returns the versions to try, in order. A version that this build leaves out is not tried.
    ///
    /// If no version is known, 3.3 comes first: it is the most common, a 3.1 device answers it in clear text, and 3.4
    /// and 3.5 devices close on it at once. If a known version failed, it is tried once more if the device closed,
    /// because it may have restarted; then the others. Devices up to 3.3 ignore frames that they do not understand, so
    /// those versions come first after silence.
    fn candidates(&self) -> impl Iterator<Item = Version> + use<> {
        let (failed, again) = (self.failed, self.failed.filter(|_| self.failed_closed));
        let all = match failed {
            None => [Version::V33, Version::V35, Version::V34, Version::V31],
            Some(_) if self.failed_closed => [Version::V35, Version::V34, Version::V33, Version::V31],
            Some(_) => [Version::V33, Version::V31, Version::V35, Version::V34],
        };
        let others = all.into_iter().filter(move |v| failed.is_none_or(|failed| failed.scheme() != v.scheme()));
        again.into_iter().chain(others).filter(|version| version.is_supported())
    }
}

/// Returns whether attempts with other versions follow a failure.
fn is_searchable(config: &DeviceConfig) -> bool {
    config.version.is_none() || config.probe_on_failure
}

/// Returns the reason to report for a connection that was up, while the round that examines its end is running: the
/// event, not its cause.
const fn until_known(first_reason: DownReason) -> DownReason {
    match first_reason {
        DownReason::Silent => DownReason::Unresponsive,
        other => other,
    }
}

/// Returns `limit`, doubled `doubled` times, up to the limit of the configuration.
fn limited(limit: Duration, doubled: u8, timing: &Timing) -> Duration {
    let mut limit = limit;
    for _ in 0..doubled {
        limit = limit.saturating_add(limit);
    }
    limit.min(timing.negotiate)
}

/// Classifies the text of a refusal. An unknown text means that the query could not be read.
pub(super) const fn refusal_of(error: Option<DeviceError>) -> Refusal {
    match error {
        None | Some(DeviceError::DataFormat | DeviceError::ParseData) => Refusal::Unread,
        Some(DeviceError::DataUnvalid | DeviceError::GwIdInvalid | DeviceError::DevidNotFound) => Refusal::Understood,
    }
}

/// Returns whether a refusal in clear text, of a query that was read, proves that the device uses `version`. 3.1 sends
/// everything in the clear, and some firmware of 3.2 and 3.3 its refusals.
pub(super) fn proves(version: Version, configured: Option<Version>, search: &Search) -> bool {
    match configured {
        Some(known) if known.scheme() == version.scheme() => true,
        Some(known) if known.negotiates() && version != Version::V31 => true,
        _ => version == Version::V31 && search.suspects_v31(),
    }
}
