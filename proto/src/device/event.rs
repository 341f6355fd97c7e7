//! Output of the controller's machine: instructions and events for its driver.

use core::fmt;
use core::net::SocketAddr;

use super::command::CommandId;
use crate::codec::VersionHeader;
use crate::payload::{DeviceError, Payload};
use crate::session::guard::Repeated;
use crate::time::Instant;
use crate::version::{Dialect, Version};
use crate::wire::command::{CommandCode, RetCode};

/// Id of one TCP connection of a device. A driver reports facts with the id from [`Output::Dial`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId(pub(super) u32);

/// Output of `poll`: an instruction to the driver, or an event.
///
/// Call `poll` again until it returns [`Wait`](Self::Wait).
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "every variant is an order that a driver must obey")]
pub enum Output<'b> {
    /// Open a TCP connection (with TCP_NODELAY) and report `handle_dialed` or `handle_lost`. Both buffers are empty
    /// now. No earlier connection is open any more.
    Dial {
        /// Id of the connection.
        conn: ConnId,
        /// Address to dial.
        to: SocketAddr,
    },
    /// Close this connection, or stop dialing it. The driver reports nothing back.
    Hangup {
        /// Id of the connection to close.
        conn: ConnId,
    },
    /// An event for the application.
    Event(Event<'b>),
    /// Nothing more to do now: write the bytes in `tx`, then sleep until bytes or a command come, or until this
    /// instant.
    Wait {
        /// Time of the next `poll` at the latest; `None` for no deadline.
        until: Option<Instant>,
    },
}

/// Event of a device. Borrows its bytes from the receive buffer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'b> {
    /// The connection is usable: commands are accepted.
    Up {
        /// Version in use.
        version: Version,
    },
    /// The connection, or a round of attempts at one, ended. Commands that are lost with it resolve right after this
    /// event. Single attempts of a round are not reported: one alone often suggests the wrong reason.
    Down {
        /// Reason, as far as the bytes prove it.
        reason: DownReason,
        /// Time of the next attempt; `None` when there will be none without an announcement or `connect_now`.
        retry_at: Option<Instant>,
    },
    /// The device turned out to use the other dialect. Store it with the device, so that it need not be found out
    /// again.
    Dialect(Dialect),
    /// Result of an accepted command. Comes exactly once for each.
    Resolved {
        /// Id of the command.
        id: CommandId,
        /// Result of the command.
        outcome: Outcome,
        /// Frame that decided it, which may contain state as well.
        message: Option<Message<'b>>,
    },
    /// A frame that answers no command: a push, a report, a late answer.
    Message(Message<'b>),
    /// A frame that answers no command was larger than the receive buffer may be. It was skipped unread, and its header
    /// is not verified.
    Skipped {
        /// Command code.
        command: CommandCode,
        /// Bytes of the whole frame.
        len: usize,
    },
    /// A frame under the right key was ignored because the device did not send it just now. A host on the network may
    /// be returning or repeating frames. Counts in [`Stats::ignored`](super::Stats::ignored).
    Ignored {
        /// Command code.
        command: CommandCode,
        /// Reason.
        why: Repeated,
    },
}

impl<'b> Event<'b> {
    /// Returns the frame that came with this event.
    pub const fn message(&self) -> Option<&Message<'b>> {
        match self {
            Self::Message(message) | Self::Resolved { message: Some(message), .. } => Some(message),
            _ => None,
        }
    }
}

/// Received frame.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Message<'b> {
    /// Command code.
    pub command: CommandCode,
    /// Sequence number.
    pub seqno: u32,
    /// Return code, if the frame had one.
    pub retcode: Option<RetCode>,
    /// Version header, if the frame had one; its counter shows repeated or missed reports.
    pub header: Option<VersionHeader>,
    /// Payload.
    pub payload: Payload<'b>,
}

/// Result of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The device answered.
    Acknowledged {
        /// Return code of the answer; non-zero means success too, unless a text comes with it. `None` when a state push
        /// was the answer.
        retcode: Option<RetCode>,
    },
    /// The device refused with a text: the payload of the message, when there is one.
    Rejected {
        /// Return code of the answer.
        retcode: Option<RetCode>,
        /// Refusal, when it is a known one.
        error: Option<DeviceError>,
    },
    /// The device answered with a frame that is larger than the receive buffer may be. It was skipped unread. The
    /// command may have taken effect.
    TooLong {
        /// Bytes of the whole frame.
        len: usize,
    },
    /// No answer within the time limit. The command may have taken effect.
    Unanswered,
    /// The connection ended first. The command may have taken effect.
    ConnectionLost,
}

/// Reason why a dial or a connection ended, reported by the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossReason {
    /// The host refused the dial: nothing listens on the port.
    Refused,
    /// No route, host down, network down.
    Unreachable,
    /// The host name has no address.
    Unresolved,
    /// The dial took too long.
    TimedOut,
    /// The peer reset the connection.
    Reset,
    /// The peer closed the connection: end of file.
    Closed,
    /// This side has no file descriptor, or socket, left to dial with.
    OutOfDescriptors,
    /// Any other I/O error.
    Other,
}

/// Reason why there is no connection, as far as the bytes prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownReason {
    /// The address does not answer.
    Unreachable,
    /// The device refuses TCP connections.
    Refused,
    /// The device accepts connections and closes them before anything was sent.
    Busy,
    /// The device accepts and says nothing. What rests on silence may be wrong: each further round of attempts has twice
    /// the time, up to [`Timing::negotiate`](super::Timing::negotiate).
    Silent,
    /// The local key is wrong.
    WrongKey {
        /// True if a frame proved it. If not, every version that was tried was refused.
        sure: bool,
    },
    /// The device speaks another version than configured.
    WrongVersion {
        /// Version that it uses; `None` when it is one of 3.1, 3.2 and 3.3.
        speaks: Option<Version>,
    },
    /// The peer at the device's address uses a version that proves less than
    /// [`min_version`](super::DeviceConfig::min_version), or than was proven before. It is not believed: any host could
    /// use that version.
    TooOld {
        /// The version.
        version: Version,
    },
    /// The version that is configured, or that the device uses, is not part of this build.
    LeftOut {
        /// The version.
        version: Version,
    },
    /// The device repeatedly closed the connection on our first message: wrong key, wrong version, or another client.
    /// Only without [`probe_on_failure`](super::DeviceConfig::probe_on_failure), which finds out more.
    KeyOrVersion,
    /// The device closed the connection: one that worked, or once on our first message, as a power cut does.
    PeerClosed,
    /// A connection that was up is silent. If nothing at all was received on it, a round of attempts follows at once.
    Unresponsive,
    /// The peer sends bytes that are not frames.
    Garbage,
    /// The host name of the device has no address.
    Unresolved,
    /// This program, or the system, has no file descriptor left to dial with. The device may be fine.
    OutOfDescriptors,
    /// The address is not known: the device's announcements come from another address than the one they name, and
    /// such announcements are not trusted.
    Relayed,
    /// The connection was ended by this side: on purpose, because the device turned out to speak another version, or
    /// because answers came so late that another connection is needed to tell which commands they belong to.
    Ended,
}

impl DownReason {
    /// All reasons, each with example fields: for tables and tests.
    pub const ALL: [Self; 16] = [
        Self::Unreachable,
        Self::Refused,
        Self::Busy,
        Self::Silent,
        Self::WrongKey { sure: true },
        Self::WrongVersion { speaks: None },
        Self::LeftOut { version: Version::V31 },
        Self::KeyOrVersion,
        Self::PeerClosed,
        Self::Unresponsive,
        Self::Garbage,
        Self::Unresolved,
        Self::Relayed,
        Self::Ended,
        Self::TooOld { version: Version::V31 },
        Self::OutOfDescriptors,
    ];

    /// Returns whether the local key or the version must be corrected.
    pub const fn is_auth(self) -> bool {
        matches!(
            self,
            Self::WrongKey { .. }
                | Self::WrongVersion { .. }
                | Self::TooOld { .. }
                | Self::LeftOut { .. }
                | Self::KeyOrVersion
        )
    }

    /// Returns whether frames prove that the local key or the version must be corrected: another attempt cannot help.
    pub const fn is_proven(self) -> bool {
        matches!(self, Self::WrongKey { sure: true } | Self::WrongVersion { .. } | Self::LeftOut { .. })
    }

    /// Returns advice for the user.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => "check the address, and whether the device has power and Wi-Fi",
            Self::Refused => {
                "check address and port; the device may be restarting, or another client holds its only connection"
            }
            Self::Busy => "another client, such as the phone app, holds the device's only connection: close it or wait",
            Self::Silent => {
                "power-cycle the device; if it stays silent, check the local key: some devices meet a wrong one with silence"
            }
            Self::WrongKey { .. } => "fetch the local key again: it changes whenever the device is paired anew",
            Self::WrongVersion { .. } => "configure the version that the device speaks, or Auto",
            Self::TooOld { .. } => {
                "if the device really speaks that version, configure it, or a lower min_version; if not, another host may pretend to be the device: check the network"
            }
            Self::LeftOut { .. } => "build with the cargo feature of that version, or configure another one",
            Self::KeyOrVersion => "check the local key and the version; close other clients of the device",
            Self::PeerClosed => "nothing, unless it repeats: the device restarted or dropped its clients",
            Self::Unresponsive => "check whether the device has power and Wi-Fi",
            Self::Garbage => "check that address and port are those of the device",
            Self::Unresolved => "check the host name and the name service, or give an IP address",
            Self::OutOfDescriptors => {
                "close connections and files of this program, or of others, or raise the limit (`ulimit -n` shows it)"
            }
            Self::Relayed => {
                "if a relay, a container's bridge or another router passes announcements on, trust relayed announcements, or give the device's address"
            }
            Self::Ended => "nothing: the connection was ended on purpose",
        }
    }
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("the device is not reachable"),
            Self::Refused => f.write_str("the device refuses connections"),
            Self::Busy => f.write_str("the device accepts connections and closes them at once"),
            Self::Silent => f.write_str("the device accepts connections but does not answer"),
            Self::WrongKey { sure: true } => f.write_str("wrong local key"),
            Self::WrongKey { sure: false } => {
                f.write_str("wrong local key (most likely: the device refuses every version)")
            }
            Self::WrongVersion { speaks: Some(version) } => write!(f, "wrong version: the device speaks {version}"),
            Self::WrongVersion { speaks: None } => f.write_str("wrong version: the device speaks 3.1, 3.2 or 3.3"),
            Self::TooOld { version } => {
                write!(f, "the device's address speaks version {version}, which is too old to be believed")
            }
            Self::LeftOut { version } => write!(f, "version {version} is left out of this build"),
            Self::KeyOrVersion => f.write_str("wrong local key or wrong version"),
            Self::PeerClosed => f.write_str("the device closed the connection"),
            Self::Unresponsive => f.write_str("the device stopped answering"),
            Self::Garbage => f.write_str("the peer sends no Tuya frames"),
            Self::Unresolved => f.write_str("the host name of the device has no address"),
            Self::OutOfDescriptors => f.write_str("this program, or the system, is out of file descriptors"),
            Self::Relayed => f.write_str("the device was heard from another address than the one it names"),
            Self::Ended => f.write_str("ended by this side"),
        }
    }
}
