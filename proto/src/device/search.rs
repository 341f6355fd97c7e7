//! Finding out the version, or why no version works.
//!
//! A build with [one version](Version::IS_ALONE) has nothing to find out: it runs no rounds, and the code for them is left
//! out.

use core::time::Duration;

use super::Attempt;
use super::config::{DeviceConfig, Timing};
use super::event::DownReason;
use crate::payload::DeviceError;
use crate::session::hint::{Finding, Hint};
use crate::time::Instant;
use crate::version::Version;

/// How long the device has for its first word where its version is believed to be known.
const PATIENCE: Duration = Duration::from_millis(700);
/// The same in each attempt of a round that follows on that. With the pauses between them, [`PATIENCE`] and three of
/// these take less than 2 s.
const SHORT_PATIENCE: Duration = Duration::from_millis(280);
/// The same where no version is known: four of these take less than 2 s.
const EVEN_PATIENCE: Duration = Duration::from_millis(400);
/// How long after an attempt that the device ended the next one begins.
const AFTER_CLOSE: Duration = Duration::from_millis(30);
/// How long after an attempt that we gave up the next one begins: time for the device to free its connection.
const AFTER_SILENCE: Duration = Duration::from_millis(100);
/// Connections that a device must have closed on us, in one round, before its silence to the rest means a wrong key.
const CLOSES: u8 = 2;
/// Patience is doubled so many times at most; the time limit of the configuration ends it before.
const MOST_PATIENT: u8 = 5;

/// What one attempt at a connection showed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// A frame passed its checks (and decrypted, when it had something to decrypt).
    pub(super) good: bool,
    /// A frame or the negotiation proved the key.
    pub(super) keyed: bool,
    /// Anything was sent.
    pub(super) spoke: bool,
    /// The negotiation was answered under our key, but to another nonce than ours.
    pub(super) stale: bool,
    /// How long the connection stood since the last frame, in units of [`Search::UNIT`].
    pub(super) lived: u8,
    /// A frame told something about the device's version or key.
    pub(super) hint: Option<Hint>,
    /// A query was refused in clear text.
    pub(super) refusal: Option<Refusal>,
}

/// A refusal in clear text, of firmware up to 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The words say that the query could not be read: another version, or another key.
    Unread,
    /// The words are those of a device that has read the query.
    Understood,
}

/// How an attempt ended before the connection was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The dial failed.
    Refused,
    Unreachable,
    Unresolved,
    OutOfDescriptors,
    /// The peer closed or reset.
    Closed,
    /// A time limit ran out.
    Silent,
    /// Too many unbelievable frames, or one that tells enough.
    Garbage,
}

/// The search for a version that works.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    /// The attempt of the round under way, as an index into its order.
    step: Option<u8>,
    /// The version that failed and so began the round; `None` where none was known.
    own: Option<Version>,
    /// That attempt was closed by the device.
    own_closed: bool,
    /// A round has ended without success, and another one would show the same.
    exhausted: bool,
    /// Connections that the device closed after we spoke, in this round or since one was of use.
    closes: u8,
    /// Since the first of those, a connection stayed open while nothing was said on it.
    stayed_open: bool,
    /// How long the device took for that, at the longest, in units of [`UNIT`](Self::UNIT); also where it closed before we
    /// spoke.
    lived: u8,
    /// The last attempt was closed before we spoke.
    busy: bool,
    /// How a query in the form of 3.3 was refused in clear text in this round.
    refusal: Option<Refusal>,
    /// A frame under our key was seen in this round.
    right_key: bool,
    /// How often patience was doubled, because all were silent.
    doubled: u8,
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try the next candidate after so long. The reason is what a moment's look suggests.
    Next(DownReason, Duration),
    /// Wait for the backoff.
    Rest(DownReason),
    /// The device speaks this version, and the choice is ours.
    Use(Version),
}

impl Search {
    /// The time in which connections are found closed is counted in 2 to this power microseconds, about 8 ms, up to 2 s.
    // No milliseconds: small chips divide 64 bits in a large routine.
    pub(super) const UNIT: u32 = 13;

    /// Whether a round is under way.
    pub(super) const fn is_running(&self) -> bool {
        !Version::IS_ALONE && self.step.is_some()
    }

    /// Begins a round. `own`: the version whose failure caused it.
    pub(super) fn start(&mut self, own: Option<Version>) {
        if Version::IS_ALONE {
            return;
        }
        let Self { busy, lived, doubled, .. } = *self;
        *self = Self { step: Some(0), own, busy, lived, doubled, ..Self::default() };
    }

    /// Ends everything: the device works, or its configuration changed.
    pub(super) fn reset(&mut self) {
        *self = Self { doubled: self.doubled, ..Self::default() };
    }

    /// The device has shown that it understands, on a connection that was made at `begun`.
    // Two instants, not a duration between: that would divide 64 bits, which small chips do in a large routine.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is not zero")]
    pub(super) fn note_proof(&mut self, begun: Instant, now: Instant) {
        if !Version::IS_ALONE && now < begun + PATIENCE / 2 {
            self.doubled = 0;
        }
    }

    /// Also forgets how slow the device is: it may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A device that did not close at once is not busy.
    pub(super) const fn note_accepted(&mut self) {
        self.busy = false;
    }

    /// Ends the round, but remembers that there was one.
    pub(super) fn stop(&mut self) {
        *self = Self { exhausted: true, doubled: self.doubled, ..Self::default() };
    }

    /// The version of the attempt to make, when a round is under way.
    pub(super) fn version(&self) -> Option<Version> {
        self.step.filter(|_| !Version::IS_ALONE).and_then(|step| self.order().nth(usize::from(step)))
    }

    /// Whether the device's refusal in clear text of a query in the form of 3.3 has left 3.1 as the likely version.
    pub(super) fn suspects_v31(&self) -> bool {
        self.refusal == Some(Refusal::Unread)
    }

    /// Whether the coming attempt says nothing at first, to see whether the device closes all by itself. That tells
    /// a device whose connections are taken from one that dislikes what it hears. Whoever was found busy is listened to
    /// again: spoken to at once, it would seem to dislike what it hears.
    pub(super) const fn listens_first(&self) -> bool {
        self.busy || (self.closes > 0 && !self.stayed_open)
    }

    /// When a device that closes whatever it hears is expected to have closed a connection that is made now.
    pub(super) fn closes(&self, now: Instant) -> Instant {
        // A quarter more than it took before.
        let micros = (u64::from(self.lived) * 5) << (Self::UNIT - 2);
        Instant::from_micros(now.as_micros().saturating_add(micros))
    }

    /// How long the device has for its first word in the coming attempt.
    pub(super) fn patience(&self, config: &DeviceConfig) -> Duration {
        if Version::IS_ALONE || !is_searchable(config) {
            return config.timing.negotiate;
        }
        let short = match (self.step, self.own) {
            (None, _) => PATIENCE,
            (Some(_), Some(_)) => SHORT_PATIENCE,
            (Some(_), None) => EVEN_PATIENCE,
        };
        limited(short, self.doubled, &config.timing)
    }

    /// Judges an attempt that failed. `repeated`: the one before failed as well.
    #[expect(clippy::arithmetic_side_effects, reason = "a step of a search that has a next one")]
    pub(super) fn judge(
        &mut self,
        attempt: Attempt,
        config: &DeviceConfig,
        seen: &Evidence,
        failure: Failure,
        repeated: bool,
    ) -> Verdict {
        let configured = config.version;
        match failure {
            // A device that is dialed in vain in the middle of a round is restarting: it is tried anew from the start.
            Failure::Refused | Failure::Unreachable | Failure::Unresolved | Failure::OutOfDescriptors => {
                let exhausted = self.exhausted && self.step.is_none();
                let Self { busy, lived, doubled, .. } = *self;
                *self = Self { exhausted, busy, lived, doubled, ..Self::default() };
                return Verdict::Rest(match failure {
                    Failure::Refused => DownReason::Refused,
                    Failure::Unresolved => DownReason::Unresolved,
                    Failure::OutOfDescriptors => DownReason::OutOfDescriptors,
                    _ => DownReason::Unreachable,
                });
            }
            Failure::Closed if !seen.spoke => {
                let lived = self.lived.max(seen.lived);
                *self = Self { busy: true, lived, doubled: self.doubled, ..Self::default() };
                return Verdict::Rest(DownReason::Busy);
            }
            Failure::Closed | Failure::Silent | Failure::Garbage => {}
        }
        self.busy = false;
        self.stayed_open |= attempt.listen || failure != Failure::Closed;
        self.right_key |= seen.keyed || seen.stale || seen.hint.is_some_and(|hint| hint.key == Some(true));
        let finding = seen.hint.and_then(|hint| hint.finding(configured.unwrap_or(attempt.version)));
        match (finding, configured) {
            (Some(Finding::OtherKey), _) => return self.end(DownReason::WrongKey { sure: true }),
            // Whichever version it is, it would fail under this key.
            (Some(Finding::Speaks(_)), None) if seen.hint.is_some_and(|hint| hint.key == Some(false)) => {
                return self.end(DownReason::WrongKey { sure: true });
            }
            (Some(Finding::Speaks(speaks)), Some(_)) => return self.end(DownReason::WrongVersion { speaks }),
            (Some(Finding::Speaks(Some(version))), None) if Version::IS_ALONE => {
                return self.end(DownReason::LeftOut { version });
            }
            (Some(Finding::Speaks(Some(version))), None) => return Verdict::Use(version),
            (Some(Finding::Speaks(None)), None) | (None, _) => {}
        }
        if seen.stale && failure != Failure::Closed {
            // The version is right, too.
            return self.end(DownReason::Silent);
        }
        if failure == Failure::Closed {
            self.closes = self.closes.saturating_add(1);
            if !attempt.listen {
                self.lived = self.lived.max(seen.lived);
            }
        }
        let moment = match failure {
            Failure::Closed => DownReason::PeerClosed,
            Failure::Garbage => DownReason::Garbage,
            _ => DownReason::Silent,
        };
        if Version::IS_ALONE {
            return self.conclude(config, seen, failure, moment);
        }
        if let Some(refusal) = seen.refusal.filter(|_| !attempt.version.narrowed().negotiates()) {
            return self.refused(attempt.version, config, refusal, moment);
        }
        let pause = if failure == Failure::Closed { AFTER_CLOSE } else { AFTER_SILENCE };
        match self.step {
            None if !self.exhausted && is_searchable(config) => {
                let own_closed = failure == Failure::Closed;
                let (closes, stayed_open) = (own_closed.into(), attempt.listen || !own_closed);
                let right_key = self.right_key;
                self.start(Some(attempt.version));
                *self = Self { own_closed, closes, stayed_open, right_key, ..*self };
                Verdict::Next(until_known(moment), pause)
            }
            None if failure == Failure::Closed => {
                // The next attempt listens, unless this one has.
                self.stayed_open = attempt.listen;
                Verdict::Rest(if repeated && attempt.listen { DownReason::KeyOrVersion } else { moment })
            }
            None => {
                self.grow();
                Verdict::Rest(moment)
            }
            Some(step) if self.order().nth(usize::from(step) + 1).is_some() => {
                self.step = Some(step + 1);
                Verdict::Next(moment, pause)
            }
            Some(_) => self.give_up(config),
        }
    }

    /// What a failed attempt of the only version comes to. A device that closes is asked once more, after a moment in which
    /// nothing is said.
    fn conclude(&mut self, config: &DeviceConfig, seen: &Evidence, failure: Failure, moment: DownReason) -> Verdict {
        if seen.refusal.is_some() {
            return self.end(DownReason::WrongKey { sure: false });
        }
        if failure != Failure::Closed {
            return Verdict::Rest(moment);
        }
        match self.closes < CLOSES {
            true if self.exhausted || !is_searchable(config) => Verdict::Rest(moment),
            true => Verdict::Next(moment, AFTER_CLOSE),
            false if self.right_key => self.end(DownReason::PeerClosed),
            false if is_searchable(config) => self.end(DownReason::WrongKey { sure: false }),
            false => self.end(DownReason::KeyOrVersion),
        }
    }

    /// The end of a round in which nothing worked.
    fn give_up(&mut self, config: &DeviceConfig) -> Verdict {
        let reason = match self.refusal {
            // It had read the query, and 3.1 is not proven.
            Some(Refusal::Understood) if config.version.is_none() => return Verdict::Use(Version::V33),
            Some(_) if config.version.is_some_and(Version::negotiates) => DownReason::WrongVersion { speaks: None },
            Some(_) => DownReason::WrongKey { sure: false },
            None if self.closes >= CLOSES && self.right_key => DownReason::PeerClosed,
            None if self.closes >= CLOSES => DownReason::WrongKey { sure: false },
            None => DownReason::Silent,
        };
        let verdict = self.end(reason);
        if reason == DownReason::Silent {
            // It may be slow: the next round is more patient.
            self.exhausted = false;
            self.grow();
        }
        verdict
    }

    /// A refusal in clear text: 3.1 is left to try, and then to conclude.
    fn refused(&mut self, attempted: Version, config: &DeviceConfig, refusal: Refusal, moment: DownReason) -> Verdict {
        if self.exhausted {
            return Verdict::Rest(moment);
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
        let at = self.order().position(|version| version == other).and_then(|at| u8::try_from(at).ok());
        match at {
            Some(at) if self.step.is_none_or(|step| step <= at) => {
                self.step = Some(at);
                Verdict::Next(until_known(moment), AFTER_SILENCE)
            }
            _ => self.give_up(config),
        }
    }

    fn end(&mut self, reason: DownReason) -> Verdict {
        self.stop();
        Verdict::Rest(reason)
    }

    fn grow(&mut self) {
        self.doubled = self.doubled.saturating_add(1).min(MOST_PATIENT);
    }

    /// The versions to try, in order. A version that this build leaves out is not tried.
    ///
    /// With nothing known: 3.3 first, because it is the most common, because a 3.1 device answers it in clear text, and
    /// because 3.4 and 3.5 devices close on it at once. After a version that was believed to be known: once more itself,
    /// when the device closed, for it may have restarted; then the others. Devices up to 3.3 ignore what they do not
    /// understand, so that those are tried first after silence.
    fn order(&self) -> impl Iterator<Item = Version> + use<> {
        let (own, again) = (self.own, self.own.filter(|_| self.own_closed));
        let all = match own {
            None => [Version::V33, Version::V35, Version::V34, Version::V31],
            Some(_) if self.own_closed => [Version::V35, Version::V34, Version::V33, Version::V31],
            Some(_) => [Version::V33, Version::V31, Version::V35, Version::V34],
        };
        let others = all.into_iter().filter(move |v| own.is_none_or(|own| own.scheme() != v.scheme()));
        again.into_iter().chain(others).filter(|version| version.is_supported())
    }
}

/// Whether a failure is followed by attempts with other versions.
fn is_searchable(config: &DeviceConfig) -> bool {
    config.version.is_none() || config.probe_on_failure
}

/// What is told of a connection that was up before the round that looks into its end is over: what happened, not why.
const fn until_known(moment: DownReason) -> DownReason {
    match moment {
        DownReason::Silent => DownReason::Unresponsive,
        other => other,
    }
}

/// So much patience, doubled so often, within the limits of the configuration.
fn limited(patience: Duration, doubled: u8, timing: &Timing) -> Duration {
    let mut patience = patience;
    for _ in 0..doubled {
        patience = patience.saturating_add(patience);
    }
    patience.min(timing.negotiate)
}

/// What a refusal says about the query. Words that nobody knows say that it could not be read.
pub(super) const fn refusal_of(error: Option<DeviceError>) -> Refusal {
    match error {
        None | Some(DeviceError::DataFormat | DeviceError::ParseData) => Refusal::Unread,
        Some(DeviceError::DataUnvalid | DeviceError::GwIdInvalid | DeviceError::DevidNotFound) => Refusal::Understood,
    }
}

/// Whether words that say that a query was read, in the clear, prove that `version` is spoken. 3.1 says everything in the
/// clear, and some firmware of 3.2 and 3.3 its refusals.
pub(super) fn proves(version: Version, configured: Option<Version>, search: &Search) -> bool {
    match configured {
        Some(known) if known.scheme() == version.scheme() => true,
        Some(known) if known.negotiates() && version != Version::V31 => true,
        _ => version == Version::V31 && search.suspects_v31(),
    }
}
