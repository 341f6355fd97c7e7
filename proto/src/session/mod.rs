//! Session of one connection, at either end: sequence numbers, negotiation, sealed and opened frames, times of
//! activity.
//!
//! A session lives as long as its connection and passes no state to the next one.

pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod hint;
#[cfg(feature = "emulator")]
pub(crate) mod responder;

use core::ops::Range;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::buf::{Rx, Tx};
use crate::codec::{self, FrameError, Head, Keys, NoRoom, Opened, Sender, VersionHeader};
use crate::ids::LocalKey;
use crate::json::Writer;
use crate::time::Instant;
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};
use crate::wire::{Front, next_frame, seqno_and_command};
use guard::{Guard, Repeated};
use handshake::{Nonce, SessionKey};
use hint::Hint;

/// Largest frame to send, in bytes: firmware of 3.5 refuses frames of 4096 bytes and more.
pub(crate) const MAX_FRAME: usize = 4095;

/// State of one connection.
pub(crate) struct Session {
    /// Our end of the connection.
    role: Sender,
    /// Key in use: the local key until the negotiation ends, then the session key.
    keys: Keys,
    phase: Phase,
    /// Number of our next frame.
    seqno: u32,
    /// Time when a whole frame was last sent.
    pub(crate) last_tx: Instant,
    /// Time when a valid frame was last received; at first, start of the connection.
    pub(crate) last_rx: Instant,
    /// Number of invalid or misplaced frames since the last good one.
    pub(crate) bad_in_row: u8,
    /// Number of repeated frames since the last good one.
    pub(crate) repeated_in_row: u8,
    /// True if a frame under the final key was received.
    confirmed: bool,
    guard: Guard,
    /// Number of times that bytes were skipped before a frame, since [`take_skips`](Self::take_skips).
    skips: u8,
    /// Bytes still to receive, and skip, of a frame that is too large to be kept.
    skip_left: u32,
}

/// State of the negotiation. Its secrets are wiped with the session.
enum Phase {
    /// All frames are sealed with the final key.
    Ready,
    /// Controller: must send the first message.
    StartDue,
    /// Controller: has sent the first message, with this nonce.
    AwaitResp { ours: Nonce },
    /// Controller: must send the third message, then the key changes.
    FinishDue { theirs: Nonce, key: SessionKey },
    /// Device: has not received a usable first message.
    #[cfg(feature = "emulator")]
    AwaitStart,
    /// Device: must send the second message.
    #[cfg(feature = "emulator")]
    RespDue { theirs: Nonce },
    /// Device: has sent the second message.
    #[cfg(feature = "emulator")]
    AwaitFinish { ours: Nonce, theirs: Nonce },
}

/// Result of one look at the receive buffer. Each call takes at most one frame.
pub(crate) enum Received {
    /// There is no whole frame.
    Nothing,
    /// A frame for the layer above; its payload range counts from the beginning of the storage.
    Frame(Opened),
    /// A frame under the local key although a session key is negotiated: firmware pushes to every client, also to one
    /// without a session key.
    Early(Opened),
    /// A message of the negotiation was taken.
    Negotiation,
    /// The negotiation failed: the controller did not prove our key.
    #[cfg(feature = "emulator")]
    WrongProof,
    /// An invalid frame, with the properties of its sender that it shows.
    Bad {
        #[cfg_attr(not(feature = "emulator"), expect(dead_code, reason = "only devices tell errors apart"))]
        error: FrameError,
        hint: Option<Hint>,
    },
    /// A valid frame that is not allowed at this point of the protocol.
    Unexpected,
    /// A valid frame that the device did not send just now.
    Repeated { command: CommandCode, why: Repeated },
    /// The beginning of a frame that is too large to be kept. None of it was verified. Its bytes are skipped, also
    /// those that are still to come.
    TooLong { seqno: u32, command: CommandCode, len: usize },
}

/// Checks of received frames that only controllers make. Parameters, so that firmware with the device role alone does
/// not link them.
struct Checks {
    /// Examines a frame that cannot be opened.
    examine: fn(&LocalKey, &mut [u8]) -> Option<Hint>,
    /// Finds out whether a frame is repeated; the last argument is `true` for one under the local key where there is a
    /// session key.
    find_repetition: fn(&mut Session, &[u8], &Opened, bool) -> Option<Repeated>,
}

/// Head of a frame to send, without the fields that the session adds.
pub(crate) struct Outgoing {
    pub(crate) command: CommandCode,
    pub(crate) retcode: Option<RetCode>,
    pub(crate) header: Option<VersionHeader>,
    /// Number to send in place of the session's counter, which then stays as it is.
    pub(crate) seqno: Option<u32>,
}

impl Session {
    /// Returns the controller's end of a fresh connection.
    pub(crate) fn controller(version: Version, local: &LocalKey, now: Instant) -> Self {
        let phase = if version.negotiates() { Phase::StartDue } else { Phase::Ready };
        Self::new(Sender::Controller, version, local, phase, 1, now)
    }

    fn new(role: Sender, version: Version, local: &LocalKey, phase: Phase, seqno: u32, now: Instant) -> Self {
        let keys = Keys::new(version, local.expose());
        let (last_tx, last_rx) = (now, now);
        let (bad_in_row, repeated_in_row, confirmed, skips, skip_left) = (0, 0, false, 0, 0);
        let guard = Guard::default();
        Self {
            role,
            keys,
            phase,
            seqno,
            last_tx,
            last_rx,
            bad_in_row,
            repeated_in_row,
            confirmed,
            guard,
            skips,
            skip_left,
        }
    }

    pub(crate) const fn version(&self) -> Version {
        self.keys.version().narrowed()
    }

    /// Returns whether application messages may be sent and received.
    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Returns whether the device only waits for the third message.
    #[cfg(feature = "emulator")]
    pub(crate) const fn awaits_finish(&self) -> bool {
        matches!(self.phase, Phase::AwaitFinish { .. })
    }

    /// Returns whether the counter is about to wrap, so that the connection must be replaced.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.seqno == u32::MAX
    }

    /// Returns how often bytes were skipped to find the next frame since the last call, and resets the count.
    pub(crate) fn take_skips(&mut self) -> u32 {
        core::mem::take(&mut self.skips).into()
    }

    /// Takes the next frame out of `rx`, skipping garbage in front of it.
    pub(crate) fn receive(&mut self, now: Instant, local: &LocalKey, rx: &mut Rx<'_>) -> Received {
        let checks = Checks { examine: hint::of_frame, find_repetition: Self::find_repetition };
        let (received, len) = self.receive_in_place(now, local, rx, &checks);
        rx.consume(len);
        received
    }

    /// Like [`receive`](Self::receive), but leaves the opened frame at the front of `rx` and returns the number of
    /// bytes to consume. The same frame cannot be opened twice.
    fn receive_in_place(
        &mut self,
        now: Instant,
        local: &LocalKey,
        rx: &mut Rx<'_>,
        checks: &Checks,
    ) -> (Received, usize) {
        let dropped = rx.drop_up_to(self.skip_left);
        self.skip_left = self.skip_left.saturating_sub(dropped);
        if self.skip_left > 0 {
            return (Received::Nothing, 0);
        }
        let limit = rx.limit();
        let (garbage, front) = next_frame(rx.unread(), limit);
        rx.consume(garbage);
        if garbage > 0 {
            self.skips = self.skips.saturating_add(1);
        }
        match front {
            Front::Partial => (Received::Nothing, 0),
            Front::Bad(error) => (self.bad(error, None), 4),
            Front::TooLong(len) => {
                let (seqno, command) = seqno_and_command(rx.unread());
                self.skip_left = u32::try_from(len).unwrap_or(u32::MAX);
                self.last_rx = now;
                (Received::TooLong { seqno, command, len }, 0)
            }
            Front::Frame(len) => {
                let offset = rx.offset();
                let frame = rx.unread().get_mut(..len).unwrap_or_default();
                let sender = match self.role {
                    Sender::Controller => Sender::Device,
                    Sender::Device => Sender::Controller,
                };
                let (opened, is_early) = match codec::open(&self.keys, sender, frame) {
                    Ok(opened) => (opened, !self.is_ready()),
                    Err(error) => match self.open_early(local, frame) {
                        Some(opened) => (opened, true),
                        None => return (self.bad(error, (checks.examine)(local, frame)), len),
                    },
                };
                let is_negotiation = opened.command.is_negotiation() && self.version().negotiates();
                if !is_negotiation && let Some(why) = (checks.find_repetition)(self, frame, &opened, is_early) {
                    self.repeated_in_row = self.repeated_in_row.saturating_add(1);
                    return (Received::Repeated { command: opened.command, why }, len);
                }
                self.confirmed |= !is_early;
                let taken = if is_early && self.is_ready() {
                    early(opened, offset)
                } else {
                    self.take(local, frame, opened, offset)
                };
                self.last_rx = now;
                let repeated = matches!(taken, Received::Repeated { .. });
                self.repeated_in_row = if repeated { self.repeated_in_row.saturating_add(1) } else { 0 };
                let misplaced = matches!(taken, Received::Unexpected);
                self.bad_in_row = if misplaced { self.bad_in_row.saturating_add(1) } else { 0 };
                (taken, len)
            }
        }
    }

    /// Returns whether a device's frame is reflected or replayed.
    fn find_repetition(&mut self, frame: &[u8], opened: &Opened, early: bool) -> Option<Repeated> {
        let version = self.version();
        self.guard.check(version, frame, opened, self.seqno, early && version.negotiates())
    }

    /// Returns the number of our next frame, if the device's answers may repeat the number of the request.
    pub(crate) fn may_echo(&self) -> Option<u32> {
        (!self.version().negotiates() || self.guard.may_echo()).then_some(self.seqno)
    }

    /// Opens a frame that the device sent under the local key before it processed the end of the negotiation. Such
    /// frames may come until the first one under the session key.
    fn open_early(&self, local: &LocalKey, frame: &mut [u8]) -> Option<Opened> {
        let expected = self.role == Sender::Controller && self.version().negotiates() && self.is_ready();
        if !expected || self.confirmed {
            return None;
        }
        codec::open(&Keys::new(self.version(), local.expose()), Sender::Device, frame).ok()
    }

    /// Handles an opened frame of the negotiation, and passes any other frame to the caller.
    fn take(&mut self, local: &LocalKey, frame: &[u8], mut opened: Opened, offset: usize) -> Received {
        let command = opened.command;
        let payload = frame.get(opened.payload.clone()).unwrap_or_default();
        if self.is_ready() {
            if command.is_negotiation() && self.version().negotiates() {
                return Received::Unexpected;
            }
            opened.payload = shift(opened.payload, offset);
            return Received::Frame(opened);
        }
        match (&self.phase, command) {
            (Phase::AwaitResp { ours }, CommandCode::SESS_KEY_NEG_RESP) => {
                let theirs = handshake::check_resp(local, ours, payload);
                let key = |theirs| handshake::derive_session_key(self.version(), local, ours, &theirs);
                let Some((theirs, key)) = theirs.and_then(|theirs| Some((theirs, key(theirs)?))) else {
                    // It is sealed under our key, so the key is right and the answer belongs to another nonce.
                    return Received::Repeated { command, why: Repeated::Replayed };
                };
                // The last number sent: nothing is sent between our first message and its answer.
                self.guard.begin(&opened, self.seqno.saturating_sub(1));
                self.phase =
                    if key.is_refused_by_firmware() { Phase::StartDue } else { Phase::FinishDue { theirs, key } };
                Received::Negotiation
            }
            #[cfg(feature = "emulator")]
            (Phase::AwaitStart | Phase::AwaitFinish { .. }, CommandCode::SESS_KEY_NEG_START) => {
                match payload.first_chunk::<{ handshake::START_LEN }>() {
                    Some(theirs) => {
                        self.phase = Phase::RespDue { theirs: *theirs };
                        Received::Negotiation
                    }
                    None => Received::Unexpected,
                }
            }
            #[cfg(feature = "emulator")]
            (Phase::AwaitFinish { ours, theirs }, CommandCode::SESS_KEY_NEG_FINISH) => {
                if !handshake::check_finish(local, ours, payload) {
                    return Received::WrongProof;
                }
                match handshake::derive_session_key(self.version(), local, theirs, ours) {
                    Some(key) => {
                        // Firmware uses the first byte of the key as its "have a key" flag.
                        if key.is_refused_by_firmware() {
                            self.phase = Phase::AwaitStart;
                        } else {
                            self.keys = Keys::new(self.version(), key.expose());
                            self.phase = Phase::Ready;
                        }
                        Received::Negotiation
                    }
                    None => Received::WrongProof,
                }
            }
            _ if self.role == Sender::Controller => early(opened, offset),
            _ => Received::Unexpected,
        }
    }

    /// Sends the next message of the negotiation, if one is due and `tx` has room for it. Returns whether the state
    /// changed.
    pub(crate) fn negotiate(
        &mut self,
        now: Instant,
        local: &LocalKey,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
    ) -> bool {
        match &self.phase {
            Phase::StartDue => {
                let mut ours = [0; 16];
                rng.fill_bytes(&mut ours);
                if self.send_negotiation(now, rng, tx, CommandCode::SESS_KEY_NEG_START, &ours, &ours) {
                    self.phase = Phase::AwaitResp { ours };
                    return true;
                }
                false
            }
            Phase::FinishDue { theirs, key } => {
                let proof = Zeroizing::new(handshake::finish(local, theirs));
                let (theirs, key) = (*theirs, key.clone());
                if self.send_negotiation(now, rng, tx, CommandCode::SESS_KEY_NEG_FINISH, &*proof, &theirs) {
                    self.keys = Keys::new(self.version(), key.expose());
                    self.phase = Phase::Ready;
                    return true;
                }
                false
            }
            #[cfg(feature = "emulator")]
            Phase::AwaitStart | Phase::RespDue { .. } | Phase::AwaitFinish { .. } => false,
            Phase::Ready | Phase::AwaitResp { .. } => false,
        }
    }

    /// Seals a negotiation message. In 3.5 the derivation uses the first 12 bytes of the controller's nonce as IV
    /// under the local key, so no frame under that key may use them (`reserved`).
    fn send_negotiation(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
        command: CommandCode,
        payload: &[u8],
        reserved: &Nonce,
    ) -> bool {
        let out = Outgoing { command, retcode: None, header: None, seqno: None };
        self.seal(None, now, rng, tx, &out, Some(reserved), |w| w.bytes(payload)).is_ok()
    }

    /// Seals one message straight into `tx` and returns its sequence number.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
        out: &Outgoing,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, NoRoom> {
        self.seal(None, now, rng, tx, out, None, write)
    }

    /// Seals one message under `keys`, or else under the key in use.
    #[expect(clippy::too_many_arguments, reason = "the one place where everything about a frame meets")]
    fn seal(
        &mut self,
        keys: Option<&Keys>,
        now: Instant,
        rng: &mut dyn CryptoRng,
        tx: &mut Tx<'_>,
        out: &Outgoing,
        reserved: Option<&Nonce>,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u32, NoRoom> {
        let mut iv = [0; 12];
        if self.version() == Version::V35 {
            rng.fill_bytes(&mut iv);
            if reserved.is_some_and(|nonce| nonce.starts_with(&iv)) {
                iv[0] ^= 1;
            }
        }
        let seqno = out.seqno.unwrap_or(self.seqno);
        let head = Head { sender: self.role, seqno, command: out.command, retcode: out.retcode, header: out.header };
        let len = codec::seal_body(keys.unwrap_or(&self.keys), &head, &iv, tx.spare(), write)?;
        if self.role == Sender::Controller {
            self.guard.remember_own(tx.spare().get(..len).unwrap_or_default());
        }
        tx.commit(len);
        if out.seqno.is_none() {
            self.seqno = self.seqno.saturating_add(1);
        }
        self.last_tx = now;
        Ok(seqno)
    }

    fn bad(&mut self, error: FrameError, hint: Option<Hint>) -> Received {
        self.bad_in_row = self.bad_in_row.saturating_add(1);
        Received::Bad { error, hint }
    }
}

/// Classifies a frame under the local key: [`Received::Early`], unless it is of a negotiation.
fn early(mut opened: Opened, offset: usize) -> Received {
    if opened.command.is_negotiation() {
        return Received::Unexpected;
    }
    opened.payload = shift(opened.payload, offset);
    Received::Early(opened)
}

fn shift(range: Range<usize>, by: usize) -> Range<usize> {
    range.start.saturating_add(by)..range.end.saturating_add(by)
}
