//! Events of a replay, owned and fit to be printed.

use core::fmt::{self, Write as _};
use core::net::{IpAddr, SocketAddr};

use rustuya_proto::{
    CommandCode, Dialect, DownReason, Instant, LossReason, Outcome, Repeated, RetCode, SendError, Version,
};

/// One thing that happened in a replay.
///
/// ```
/// # use rustuya_record::{Happened, Step};
/// /// What a reader of a record wants to see first.
/// fn is_notable(step: &Step) -> bool {
///     matches!(step.what, Happened::Up { .. } | Happened::Down { .. } | Happened::Diverged(_))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// When, on the recorded clock.
    pub at: Instant,
    /// The number of the device, in a record of several; otherwise 0.
    pub device: u32,
    /// The line of the record, from 1.
    pub line: u64,
    /// What.
    pub what: Happened,
}

/// Event of a replay. Connections and commands are numbered from 1, in their order.
///
/// ```
/// # use rustuya_record::Happened;
/// /// What went wrong, if anything did.
/// fn trouble(what: &Happened) -> Option<String> {
///     match what {
///         Happened::Down { reason, .. } => Some(format!("{reason}: {}", reason.advice())),
///         Happened::Diverged(divergence) => Some(divergence.to_string()),
///         _ => None,
///     }
/// }
/// # assert_eq!(trouble(&Happened::Created), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// The device was described.
    Created,
    /// The device was described anew.
    Reconfigured,
    /// The machine ordered a dial.
    Dial {
        /// Number of the connection.
        connection: u32,
        /// Destination; in a redacted record an address that stands for the real one.
        to: SocketAddr,
    },
    /// The machine ordered the end of a connection.
    Hangup {
        /// Number of the connection.
        connection: u32,
    },
    /// The dial was held back.
    Held {
        /// Number of the connection.
        connection: u32,
    },
    /// The dial succeeded.
    Dialed {
        /// Number of the connection.
        connection: u32,
    },
    /// The dial failed, or the connection ended.
    Lost {
        /// Number of the connection.
        connection: u32,
        /// Why.
        why: LossReason,
    },
    /// The device announced itself.
    Announced {
        /// Its address.
        address: IpAddr,
        /// The version that it claims to speak.
        version: Option<Version>,
    },
    /// The device was announced from another address than the named one, which was not trusted.
    Relayed,
    /// The caller wanted a connection at once.
    ConnectNow,
    /// The caller closed the device.
    Closed,
    /// The caller asked for something, and the machine took it.
    Asked {
        /// Number of the command.
        number: u32,
        /// Its code, before the version's own is chosen.
        command: CommandCode,
        /// The sub-device.
        cid: Option<String>,
    },
    /// The caller asked for something, and the machine did not take it.
    Refused {
        /// Number of the command.
        number: u32,
        /// Its code.
        command: CommandCode,
        /// Why.
        error: SendError,
    },
    /// A frame was written.
    Sent(FrameHead),
    /// Bytes were read.
    Received {
        /// Number of bytes.
        len: usize,
    },
    /// The connection is usable.
    Up {
        /// The version that is spoken.
        version: Version,
    },
    /// The connection, or an attempt at one, ended.
    Down {
        /// Why; [`DownReason::advice`] says what to do about it.
        reason: DownReason,
        /// Time of the next attempt.
        retry_at: Option<Instant>,
    },
    /// The device speaks the other dialect.
    Dialect(Dialect),
    /// A frame came that answers no command.
    Message {
        /// Command code.
        command: CommandCode,
        /// Sequence number.
        seqno: u32,
        /// Return code.
        retcode: Option<RetCode>,
        /// The payload; masked in a redacted record.
        payload: String,
    },
    /// A frame that was larger than the receive buffer was skipped.
    Skipped {
        /// Command code in its header.
        command: CommandCode,
        /// Bytes of the frame.
        len: usize,
    },
    /// A frame was ignored that is our own, sent back, or came before.
    Ignored {
        /// Command code.
        command: CommandCode,
        /// Why.
        why: Repeated,
    },
    /// A command found its fate.
    Resolved {
        /// Number of the command.
        number: u32,
        /// Its fate.
        outcome: Outcome,
        /// The payload of the frame that decided it; masked in a redacted record.
        payload: Option<String>,
    },
    /// The machine did something else than it did when it was recorded: the record is not complete or was changed,
    /// the key is not that of the record, or this version of the library behaves differently.
    Diverged(Divergence),
}

/// The difference between a record and its replay.
///
/// ```
/// # use rustuya_record::Divergence;
/// let divergence = Divergence::Draws { recorded: 16, replayed: 32 };
/// assert_eq!(divergence.to_string(), "16 random bytes were drawn, 32 in the replay");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Divergence {
    /// A frame that was sent has another header or length.
    Frame {
        /// The frame in the record.
        recorded: FrameHead,
        /// The frame that the machine sends now.
        replayed: FrameHead,
    },
    /// More was sent than the machine has to send now.
    Silence {
        /// Bytes in the record.
        recorded: usize,
        /// Bytes that the machine has to send.
        replayed: usize,
    },
    /// The machine orders other dials or hangups.
    Orders {
        /// Orders in the record.
        recorded: String,
        /// Orders now.
        replayed: String,
    },
    /// The machine draws more or fewer random bytes.
    Draws {
        /// Bytes in the record.
        recorded: usize,
        /// Bytes drawn now.
        replayed: usize,
    },
    /// The record tells of a connection that the machine has not ordered.
    Connection {
        /// Its number.
        connection: u32,
    },
    /// The bytes that were received find no room in the buffer.
    Overflow {
        /// Number of bytes that are left over.
        left: usize,
    },
}

/// The header of a frame, and its size.
///
/// ```
/// # use rustuya_record::{FrameHead, Happened};
/// /// The frames that the machine sent, of all that happened.
/// fn sent(happened: &[Happened]) -> impl Iterator<Item = &FrameHead> {
///     happened.iter().filter_map(|what| match what {
///         Happened::Sent(head) => Some(head),
///         _ => None,
///     })
/// }
/// # assert_eq!(sent(&[]).count(), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHead {
    /// Command code.
    pub command: CommandCode,
    /// Sequence number.
    pub seqno: u32,
    /// Size of the whole frame in bytes; 0 for bytes that are no frame.
    pub len: usize,
}

impl FrameHead {
    pub(crate) const fn new(command: CommandCode, seqno: u32, len: usize) -> Self {
        Self { command, seqno, len }
    }
}

impl fmt::Display for FrameHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str("bytes that are no frame");
        }
        write!(f, "{:?} number {}, {} bytes", self.command, self.seqno, self.len)
    }
}

impl fmt::Display for Step {
    /// One line, the time in seconds first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_micros();
        write!(f, "{:>6}.{:06}  ", micros / 1_000_000, micros % 1_000_000)?;
        if self.device != 0 {
            write!(f, "device {}: ", self.device)?;
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Reconfigured => f.write_str("reconfigured"),
            Self::Dial { connection, to } => write!(f, "dial {to} (connection {connection})"),
            Self::Hangup { connection } => write!(f, "hang up connection {connection}"),
            Self::Held { connection } => write!(f, "connection {connection} waits for its turn"),
            Self::Dialed { connection } => write!(f, "connection {connection} is open"),
            Self::Lost { connection, why } => write!(f, "connection {connection} is lost: {why:?}"),
            Self::Announced { address, version: Some(version) } => write!(f, "announced at {address}, {version}"),
            Self::Announced { address, version: None } => write!(f, "announced at {address}"),
            Self::Relayed => f.write_str("announced from another address, not trusted"),
            Self::ConnectNow => f.write_str("to be connected now"),
            Self::Closed => f.write_str("closed"),
            Self::Asked { number, command, cid } => {
                write!(f, "command {number}: {command:?}")?;
                cid.as_ref().map_or(Ok(()), |cid| write!(f, " for {}", cid.escape_debug()))
            }
            Self::Refused { number, command, error } => write!(f, "command {number}: {command:?} not taken: {error}"),
            Self::Sent(head) => write!(f, "sent {head}"),
            Self::Received { len } => write!(f, "received {len} bytes"),
            Self::Up { version } => write!(f, "up, version {version}"),
            Self::Down { reason, .. } => write!(f, "down: {reason}; {}", reason.advice()),
            Self::Dialect(dialect) => write!(f, "dialect {dialect:?}"),
            Self::Message { command, seqno, retcode, payload } => {
                write!(f, "message {command:?} number {seqno}")?;
                if let Some(code) = retcode {
                    write!(f, ", return code {}", code.0)?;
                }
                write!(f, ": {}", Shown(payload))
            }
            Self::Skipped { command, len } => write!(f, "skipped a frame of {len} bytes, {command:?}"),
            Self::Ignored { command, why } => write!(f, "ignored {command:?}: {why}"),
            Self::Resolved { number, outcome, payload } => {
                write!(f, "command {number} resolved: {outcome:?}")?;
                payload.as_ref().map_or(Ok(()), |payload| write!(f, ": {}", Shown(payload)))
            }
            Self::Diverged(divergence) => write!(f, "DIVERGED: {divergence}"),
        }
    }
}

/// A payload in one line. Quotation marks stay as they are: most payloads are JSON.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\'' => f.write_char(c),
            c => write!(f, "{}", c.escape_debug()),
        })
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frame { recorded, replayed } => {
                write!(f, "the record has {recorded}, the replay {replayed}")
            }
            Self::Silence { recorded, replayed } => {
                write!(f, "{recorded} bytes were sent, the replay has {replayed} to send")
            }
            Self::Orders { recorded, replayed } => {
                write!(f, "the record has {recorded}, the replay {replayed}")
            }
            Self::Draws { recorded, replayed } => {
                write!(f, "{recorded} random bytes were drawn, {replayed} in the replay")
            }
            Self::Connection { connection } => {
                write!(f, "the replay has no connection {connection}")
            }
            Self::Overflow { left } => {
                write!(f, "{left} received bytes find no room in the buffer")
            }
        }
    }
}
