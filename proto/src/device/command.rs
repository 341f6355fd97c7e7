//! Commands, and errors of sending them.

use core::fmt;
use core::time::Duration;

use crate::ids::DpId;
use crate::payload::{DpMap, RequestData};
use crate::session::MAX_FRAME;
use crate::wire::command::CommandCode;

/// Request to a device. Borrows its data, which is written straight into the transmit buffer.
///
/// Builder methods begin with `with_`; the getters have the name of the field.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    pub(super) kind: Kind<'a>,
    pub(super) cid: Option<&'a str>,
    pub(super) unix_time: u64,
    pub(super) timeout: Option<Duration>,
    pub(super) most: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    /// A command with the usual JSON of its code.
    Request { command: CommandCode, data: RequestData<'a> },
    /// A command with exactly these bytes as payload.
    Raw { command: CommandCode, payload: &'a [u8] },
}

impl<'a> Command<'a> {
    /// Asks for the state. In the device22 dialect this asks for the DPs that were received or written so far. When
    /// there are none it is sent as an ordinary query, which such firmware refuses: name DPs, or wait for a push.
    pub const fn status() -> Self {
        Self::request(CommandCode::DP_QUERY, RequestData::None)
    }

    /// Asks for these DPs. A device22 is asked for these alone, for at most 16 and for as many as fit its request limit
    /// of 255 bytes; at least one of them must exist, or it may not answer. Other devices are asked for their whole
    /// state.
    pub const fn status_of(ids: &'a [DpId]) -> Self {
        Self::request(CommandCode::DP_QUERY, RequestData::Ids(ids))
    }

    /// Sets DPs.
    pub const fn set(dps: DpMap<'a>) -> Self {
        Self::request(CommandCode::CONTROL, RequestData::Dps(dps))
    }

    /// Asks the device to measure these DPs again and report them. Many devices do not answer:
    /// [`Outcome::Unanswered`](super::Outcome::Unanswered) is no failure here.
    pub const fn update_dps(ids: &'a [DpId]) -> Self {
        Self::request(CommandCode::UPDATE_DPS, RequestData::Ids(ids))
    }

    /// Asks a gateway for its sub-devices. The answer may come in several reports.
    pub const fn sub_devices() -> Self {
        Self::request(CommandCode::LAN_EXT_STREAM, RequestData::None)
    }

    /// Creates any command, with the usual fields of its code.
    pub const fn request(command: CommandCode, data: RequestData<'a>) -> Self {
        Self { kind: Kind::Request { command, data }, cid: None, unix_time: 0, timeout: None, most: MAX_FRAME }
    }

    /// Creates any command, with exactly this payload before version header and encryption.
    pub const fn raw(command: CommandCode, payload: &'a [u8]) -> Self {
        Self { kind: Kind::Raw { command, payload }, cid: None, unix_time: 0, timeout: None, most: MAX_FRAME }
    }

    /// Addresses a sub-device of this gateway.
    #[must_use]
    pub const fn with_cid(mut self, cid: &'a str) -> Self {
        self.cid = Some(cid);
        self
    }

    /// Sets the wall clock, in seconds since 1970, for the `t` of requests. Devices accept any time.
    #[must_use]
    pub const fn with_unix_time(mut self, seconds: u64) -> Self {
        self.unix_time = seconds;
        self
    }

    /// Sets the time limit for the answer, in place of [`Timing::answer`](super::Timing::answer).
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits the size of the frame, in bytes: a larger one is refused as [`SendError::TooLarge`]. For frames that must
    /// fit one TCP segment. 4095 by default, which is the most that devices accept.
    #[must_use]
    pub const fn with_frame_limit(mut self, bytes: usize) -> Self {
        self.most = if bytes < MAX_FRAME { bytes } else { MAX_FRAME };
        self
    }

    /// Returns the command code, which may differ from the one on the wire: that depends on version and dialect.
    pub const fn code(&self) -> CommandCode {
        match self.kind {
            Kind::Request { command, .. } | Kind::Raw { command, .. } => command,
        }
    }

    /// Returns the data of the request; [`RequestData::None`] for none, or for a [payload](Self::payload).
    pub const fn data(&self) -> RequestData<'a> {
        match self.kind {
            Kind::Request { data, .. } => data,
            Kind::Raw { .. } => RequestData::None,
        }
    }

    /// Returns the payload of a [raw](Self::raw) command.
    pub const fn payload(&self) -> Option<&'a [u8]> {
        match self.kind {
            Kind::Request { .. } => None,
            Kind::Raw { payload, .. } => Some(payload),
        }
    }

    /// Returns the cid of the target sub-device; `None` for the device itself.
    pub const fn cid(&self) -> Option<&'a str> {
        self.cid
    }

    /// Returns the wall clock, in seconds since 1970; 0 if it was not set.
    pub const fn unix_time(&self) -> u64 {
        self.unix_time
    }

    /// Returns the time limit for the answer; `None` for that of the device.
    pub const fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns the limit of the frame, in bytes; `None` for the most that devices accept.
    pub const fn frame_limit(&self) -> Option<usize> {
        if self.most < MAX_FRAME { Some(self.most) } else { None }
    }
}

/// Id of one accepted command. Unique per device for four billion commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub(super) u32);

/// Reason why a command was not accepted. The machine is unchanged, and no event will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No usable connection: wait for [`Event::Up`](super::Event::Up).
    NotReady,
    /// The transmit buffer is too full for this frame of `need` bytes: write the pending bytes and try again, or lend a
    /// larger buffer.
    NoRoom {
        /// Size of the whole frame in bytes.
        need: usize,
    },
    /// The table of unanswered commands is full: wait for one to resolve.
    TooMany,
    /// The frame would exceed the 4095 bytes that devices accept, or the limit of the command: send fewer DPs at once.
    TooLarge,
    /// The data cannot be sent: no DPs, text that is not a JSON object of DP numbers, a negotiation command, or an
    /// invalid cid.
    InvalidData,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady => f.write_str("not connected"),
            Self::NoRoom { need } => write!(f, "the transmit buffer has no room for a frame of {need} bytes"),
            Self::TooMany => f.write_str("too many unanswered commands"),
            Self::TooLarge => {
                f.write_str("the request exceeds the 4095 bytes that devices accept: send fewer DPs at once")
            }
            Self::InvalidData => {
                f.write_str("the data is no JSON object of DP numbers, or the command or cid is unusable")
            }
        }
    }
}

impl core::error::Error for SendError {}
