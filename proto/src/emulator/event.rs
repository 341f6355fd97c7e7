//! Output of the emulator: instructions and events for its driver.

use core::fmt;

use super::request::Positions;
use crate::ids::DpId;
use crate::json::Text;
use crate::payload::{DeviceError, DpValue, Dps, Payload};
use crate::time::Instant;
use crate::wire::FrameError;
use crate::wire::command::CommandCode;

/// Output of [`Emulator::poll`](super::Emulator::poll): an instruction to the driver, or an event. Exhaustive, because
/// a driver must handle each variant.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every variant is an order to the driver")]
pub enum EmulatorOutput<'b> {
    /// Write the pending bytes, as far as that is possible at once, and close the connection. Every further poll
    /// returns the same, except for [`HangupReason::NoRoom`].
    Hangup {
        /// Reason.
        reason: HangupReason,
    },
    /// An event for the application. Poll again after handling it.
    Event(EmulatorEvent<'b>),
    /// Write the pending bytes, and poll again once more of them are written; otherwise poll after the next read, or at
    /// `until`.
    Wait {
        /// Time of the next poll; `None` for no deadline.
        until: Option<Instant>,
    },
}

/// Event of the connection. Borrows its bytes from the receive buffer.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorEvent<'b> {
    /// A session key was negotiated (3.4 and 3.5; other versions are ready from the start).
    Negotiated,
    /// A request arrived. The next polls execute it.
    Request {
        /// Sequence number of the request.
        seqno: u32,
        /// Command code of the request.
        command: CommandCode,
        /// Decrypted payload of the request.
        payload: Payload<'b>,
        /// Target sub-device; `None` for the device itself.
        cid: Option<Text<'b>>,
    },
    /// The last request changed DPs, or had values that are pushed even if unchanged ([`Quirks::push_unchanged`]). A
    /// server pushes them to the device's other connections.
    ///
    /// [`Quirks::push_unchanged`]: super::Quirks::push_unchanged
    Written {
        /// Sub-device of the DPs; `None` for the device itself.
        cid: Option<Text<'b>>,
        /// DPs with the values of the request.
        dps: WrittenDps<'b>,
    },
    /// The last request was acknowledged, but these of its values were not accepted: unknown DPs, and invalid values
    /// ([`Model::write`](super::Model::write)). Devices do not report that to the controller.
    Ignored {
        /// Sub-device of the DPs; `None` for the device itself.
        cid: Option<Text<'b>>,
        /// DPs with the values of the request.
        dps: WrittenDps<'b>,
    },
    /// The last request was refused.
    Refused {
        /// Command code of the request.
        command: CommandCode,
        /// Text of the refusal.
        error: DeviceError,
    },
    /// A misplaced command was dropped: one before the negotiation, or one with the number 0 in 3.4.
    Dropped {
        /// Command code.
        command: CommandCode,
    },
    /// Bytes that are not a valid frame for this device were dropped.
    Discarded {
        /// Check that failed.
        error: FrameError,
    },
}

/// Iterator over DPs of a request, with the values of the request.
#[derive(Clone, Debug)]
pub struct WrittenDps<'a> {
    dps: core::iter::Enumerate<core::iter::Flatten<core::option::IntoIter<Dps<'a>>>>,
    which: Positions,
}

impl<'a> WrittenDps<'a> {
    pub(super) fn new(dps: Option<Dps<'a>>, which: Positions) -> Self {
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

/// Reason why the device closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HangupReason {
    /// No valid frame came during the idle time.
    Idle,
    /// 3.4, 3.5: a frame of another version came. In 3.4 these are 6699 frames and frames with a right CRC, in 3.5
    /// all but 6699 frames.
    OtherVersion,
    /// 3.4, 3.5: a frame did not verify; the controller has another key.
    Integrity,
    /// 3.4, 3.5: the last message of the negotiation proves another key.
    WrongProof,
    /// 3.4, 3.5: too many commands came before the negotiation, see
    /// [`Quirks::early_commands`](super::Quirks::early_commands).
    NotNegotiated,
    /// 3.4, 3.5: a negotiation began although there was a session key.
    Renegotiation,
    /// 3.5: a sequence number was not greater than the one before.
    Sequence,
    /// 3.5: the bytes behind a whole frame did not become a frame within 10 ms.
    Unfinished,
    /// 3.5: a frame of 4096 bytes or more.
    TooLong {
        /// Bytes of the frame according to its header.
        need: usize,
    },
    /// The device's own sequence numbers are used up.
    Exhausted,
    /// The reply does not fit the lent buffer, even if that is empty. A driver with more memory lends a larger one and
    /// polls again.
    NoRoom {
        /// Size of the reply in bytes.
        need: usize,
    },
    /// A quirk closes the connection.
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

/// Reason why a push was not accepted. Nothing was sent, and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushError {
    /// The connection has no session key yet, or is closing: skip it, the controller will ask for the state. With
    /// [`Quirks::early_pushes`](super::Quirks::early_pushes) only the latter.
    NotReady,
    /// There are no DPs to push, or the text is not a JSON object of DP numbers.
    Dps,
    /// The send buffer has no room: write the pending bytes and try again.
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
