//! Finding out the version, or why no version works.

use super::event::DownReason;
use crate::session::Hint;
use crate::version::Version;

/// What one attempt at a connection showed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// A frame passed its checks (and decrypted, when it had something to decrypt).
    pub(super) good: bool,
    /// Anything was sent.
    pub(super) spoke: bool,
    /// A valid frame did not decrypt, or a valid message proved another key.
    pub(super) wrong_key: bool,
    /// A frame betrayed the device's version.
    pub(super) hint: Option<Hint>,
    /// A request in ciphertext was refused in clear text: what 3.1 devices do.
    pub(super) clear_refusal: bool,
}

/// How an attempt ended before the connection was of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The dial failed.
    Refused,
    Unreachable,
    /// The peer closed or reset.
    Closed,
    /// A time limit ran out.
    Silent,
    /// Too many unbelievable frames.
    Garbage,
}

/// The search for a version that works.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Search {
    /// The attempt of the round under way, as an index into the candidates.
    step: Option<u8>,
    /// A round has ended without success since the last one that worked.
    exhausted: bool,
    /// In this round a device closed the connection on us after we spoke.
    closed: bool,
    /// The last attempt was closed before we spoke.
    busy: bool,
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Try the next candidate at once.
    Next(DownReason),
    /// Wait for the backoff.
    Rest(DownReason),
    /// The device speaks this version: use it if the choice is ours, report it otherwise.
    Speaks(Version),
}

impl Search {
    /// Whether a round is under way.
    pub(super) const fn is_running(&self) -> bool {
        self.step.is_some()
    }

    /// Begins a round.
    pub(super) fn start(&mut self) {
        self.step = Some(0);
        self.closed = false;
    }

    /// Ends everything: the device works, or its configuration changed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// A device that did not close at once is not busy.
    pub(super) const fn note_accepted(&mut self) {
        self.busy = false;
    }

    /// Ends the round, but remembers that there was one.
    pub(super) fn stop(&mut self) {
        *self = Self { step: None, exhausted: true, closed: false, busy: false };
    }

    /// The version of the attempt to make, when a round is under way.
    pub(super) fn version(&self, configured: Option<Version>) -> Option<Version> {
        self.step.and_then(|step| candidates(configured).nth(usize::from(step)))
    }

    /// Whether the coming attempt says nothing at first, to see whether the device closes all by itself. That tells
    /// a device whose connections are taken from one that dislikes what it hears. `known`: a version is configured or
    /// was found out before, so that this attempt follows a failed one. Whoever was found busy is listened to again:
    /// spoken to at once, it would seem to dislike what it hears.
    pub(super) fn listens_first(&self, known: bool) -> bool {
        self.busy || (self.step == Some(0) && (known || self.exhausted))
    }

    /// Judges an attempt that failed. `searchable` says whether a round may begin because of it.
    pub(super) fn judge(
        &mut self,
        attempted: Version,
        configured: Option<Version>,
        seen: &Evidence,
        failure: Failure,
        searchable: bool,
    ) -> Verdict {
        match failure {
            Failure::Refused => return Verdict::Rest(DownReason::Refused),
            Failure::Unreachable => return Verdict::Rest(DownReason::Unreachable),
            Failure::Closed if !seen.spoke => {
                self.stop();
                self.busy = true;
                return Verdict::Rest(DownReason::Busy);
            }
            Failure::Closed | Failure::Silent | Failure::Garbage => {}
        }
        self.busy = false;
        match seen.hint {
            Some(Hint::Speaks(version)) => return Verdict::Speaks(version),
            Some(Hint::SpeaksCrc) if configured.is_some() => {
                self.stop();
                return Verdict::Rest(DownReason::WrongVersion { speaks: None });
            }
            _ => {}
        }
        if seen.wrong_key {
            self.stop();
            return Verdict::Rest(DownReason::WrongKey { sure: true });
        }
        if seen.clear_refusal && attempted != Version::V31 && configured.is_none() {
            return Verdict::Speaks(Version::V31);
        }
        self.closed |= failure == Failure::Closed;
        let provisional = match failure {
            Failure::Closed => DownReason::KeyOrVersion,
            Failure::Garbage => DownReason::Garbage,
            _ => DownReason::Silent,
        };
        match self.step {
            None if searchable && !self.exhausted => {
                self.start();
                self.closed = failure == Failure::Closed;
                Verdict::Next(provisional)
            }
            None => Verdict::Rest(provisional),
            Some(step) if candidates(configured).nth(usize::from(step) + 1).is_some() => {
                self.step = Some(step + 1);
                Verdict::Next(provisional)
            }
            Some(_) => {
                let closed = self.closed;
                self.stop();
                Verdict::Rest(if closed { DownReason::WrongKey { sure: false } } else { DownReason::Silent })
            }
        }
    }
}

/// The versions to try, in order. With nothing configured: 3.3 first, because it is the most common, because a 3.1
/// device answers it in clear text, and because 3.4 and 3.5 devices close on it at once. With a version configured:
/// the others, to tell a wrong version from a wrong key; the negotiating ones once more themselves, listening first.
/// A version that this build leaves out is not tried.
fn candidates(configured: Option<Version>) -> impl Iterator<Item = Version> {
    let all: &[Version] = match configured {
        None => &[Version::V33, Version::V35, Version::V34, Version::V31],
        Some(Version::V31) => &[Version::V35, Version::V34, Version::V33],
        Some(Version::V32 | Version::V33) => &[Version::V35, Version::V34, Version::V31],
        Some(Version::V34) => &[Version::V34, Version::V35, Version::V33, Version::V31],
        Some(Version::V35) => &[Version::V35, Version::V34, Version::V33, Version::V31],
    };
    all.iter().copied().filter(|version| version.is_supported())
}
