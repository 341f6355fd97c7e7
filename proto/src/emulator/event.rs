//! What the emulator tells its driver.

use core::fmt;

use super::request::Which;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DeviceError, DpValue, Dps, Payload};
use crate::time::Instant;
use crate::wire::FrameError;
use crate::wire::command::CommandCode;

/// What [`Emulator::poll`](super::Emulator::poll) orders or tells. Exhaustive: each variant must be obeyed.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every variant is an order to the driver")]
pub enum EmulatorOutput<'b> {
    /// Write what is pending, as far as that is possible at once, and close the connection. Every further poll says
    /// the same, but for [`HangupReason::NoRoom`].
    Hangup {
        /// Why.
        reason: HangupReason,
    },
    /// Something happened. Poll again after looking at it.
    Event(EmulatorEvent<'b>),
    /// Write what is pending, and poll again once more of it is written; otherwise poll after the next read, or at
    /// `until`.
    Wait {
        /// When time itself is the next thing to happen.
        until: Option<Instant>,
    },
}

/// Something that happened on the connection, lent from the receive buffer.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorEvent<'b> {
    /// A session key is agreed on (3.4 and 3.5; other versions are ready from the start).
    Negotiated,
    /// A request arrived. It is acted on by the next polls.
    Request {
        /// Its sequence number.
        seqno: u32,
        /// What is requested.
        command: CommandCode,
        /// The request itself, decrypted.
        payload: Payload<'b>,
        /// The sub-device that it is for.
        cid: Option<Text<'b>>,
    },
    /// The request before changed DPs, or named values that are pushed all the same ([`Quirks::push_unchanged`]). A
    /// server pushes them to the device's other connections.
    ///
    /// [`Quirks::push_unchanged`]: super::Quirks::push_unchanged
    Written {
        /// The sub-device that they belong to.
        cid: Option<Text<'b>>,
        /// The DPs with the values of the request.
        dps: WrittenDps<'b>,
    },
    /// The request before was acknowledged, but these of its values were not taken: DPs that the device does not have,
    /// and values that they cannot have ([`Model::write`](super::Model::write)). Devices do not tell the controller.
    Ignored {
        /// The sub-device that is meant.
        cid: Option<Text<'b>>,
        /// The DPs with the values of the request.
        dps: WrittenDps<'b>,
    },
    /// The request before was refused.
    Refused {
        /// What was requested.
        command: CommandCode,
        /// How the device put it.
        error: DeviceError,
    },
    /// A command that has no place here was dropped: one before the negotiation, or one numbered 0 in 3.4.
    Dropped {
        /// The command.
        command: CommandCode,
    },
    /// Bytes that are no frame for this device were dropped.
    Discarded {
        /// What is wrong with them.
        error: FrameError,
    },
}

/// DPs of a request, with the values of the request.
#[derive(Clone, Debug)]
pub struct WrittenDps<'a> {
    dps: core::iter::Enumerate<core::iter::Flatten<core::option::IntoIter<Dps<'a>>>>,
    which: Which,
}

impl<'a> WrittenDps<'a> {
    pub(super) fn new(dps: Option<Dps<'a>>, which: Which) -> Self {
        Self { dps: dps.into_iter().flatten().enumerate(), which }
    }
}

impl<'a> Iterator for WrittenDps<'a> {
    type Item = (DpId, DpValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let which = self.which;
        self.dps.find(|(at, _)| which.has(*at)).map(|(_, entry)| entry)
    }
}

/// Why the device closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HangupReason {
    /// No valid frame came for the whole idle time.
    Idle,
    /// 3.4, 3.5: a frame of another version came. In 3.4 these are 6699 frames and frames with a right CRC, in 3.5
    /// all but 6699 frames.
    OtherVersion,
    /// 3.4, 3.5: a frame did not verify; the controller has another key.
    Integrity,
    /// 3.4, 3.5: the last message of the negotiation proves another key.
    WrongProof,
    /// 3.4, 3.5: a command too many came before a session key was agreed on, see
    /// [`Quirks::early_commands`](super::Quirks::early_commands).
    NotNegotiated,
    /// 3.4, 3.5: a negotiation began although there is a session key.
    Renegotiation,
    /// 3.5: a sequence number was not greater than the one before.
    Sequence,
    /// 3.5: what followed a whole frame was not completed within 10 ms, or is no frame.
    Unfinished,
    /// 3.5: a frame of 4096 bytes or more.
    TooLong {
        /// Bytes of the frame according to its header.
        need: usize,
    },
    /// The device's own sequence numbers are used up.
    Exhausted,
    /// The reply does not fit the lent buffer, even when that is empty. A driver that can lends a larger one, and polls
    /// again.
    NoRoom {
        /// Bytes that the reply takes.
        need: usize,
    },
    /// A quirk demands it.
    Quirk,
}

impl fmt::Display for HangupReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "nothing valid received for too long",
            Self::OtherVersion => "frame of another protocol version",
            Self::Integrity => "frame does not verify: the controller has another key",
            Self::WrongProof => "negotiation proves another key",
            Self::NotNegotiated => "commands without negotiation",
            Self::Renegotiation => "negotiation repeated",
            Self::Sequence => "sequence number not increasing",
            Self::Unfinished => "a frame was not completed in time",
            Self::TooLong { need } => return write!(f, "frame of {need} bytes, 4095 are the limit"),
            Self::Exhausted => "sequence numbers used up",
            Self::NoRoom { need } => {
                return write!(f, "reply of {need} bytes is larger than the send buffer");
            }
            Self::Quirk => "closed as configured",
        })
    }
}

/// Why a push was not accepted. Nothing was sent and nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushError {
    /// The connection has no session key yet, or is to be closed: leave it out, the controller will ask for the state.
    /// With [`Quirks::early_pushes`](super::Quirks::early_pushes) only the latter.
    NotReady,
    /// There are no DPs to push, or the text is not a JSON object of DP numbers.
    Dps,
    /// The send buffer has no room: write what is pending and try again.
    NoRoom {
        /// Bytes of the whole frame.
        need: usize,
    },
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("no negotiated connection"),
            Self::Dps => f.write_str("not a map of DPs"),
            Self::NoRoom { need } => write!(f, "no room for a frame of {need} bytes"),
        }
    }
}

impl core::error::Error for PushError {}
