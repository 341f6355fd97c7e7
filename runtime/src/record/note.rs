//! What a driver reports while it drives a machine.

use core::convert::Infallible;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::num::NonZeroU16;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{
    Command, CommandCode, ConnId, CryptoRng, DeviceConfig, Instant, LossReason, RequestData, TryCryptoRng, TryRng,
    Version,
};

/// Something that wants to know what passes between a driver and the machine of one device.
///
/// Notes are told in order, one at a time, after the device is unlocked, by whichever thread has just used it: often the
/// one that drives it. So a tap may use the device itself: read its state, queue commands, close it (which does not wait
/// then). It must not wait for an answer, which may need the thread that it is on. A device that is closed has told
/// all by the time that its `close` returns. What a slow tap has not been told yet waits in memory, up to 4 MiB;
/// what comes then is left out and counted: [`Note::Missed`].
///
/// ```
/// # use rustuya_runtime::proto::Instant;
/// # use rustuya_runtime::record::{Note, Tap};
/// /// Counts what passes over the network.
/// #[derive(Default)]
/// struct Traffic {
///     sent: usize,
///     received: usize,
/// }
///
/// impl Tap for Traffic {
///     fn note(&mut self, _at: Instant, what: Note<'_>) {
///         match what {
///             Note::Sent(bytes) => self.sent += bytes.len(),
///             Note::Received(bytes) => self.received += bytes.len(),
///             _ => {}
///         }
///     }
/// }
/// ```
pub trait Tap: Send {
    /// Takes a note. `at` is the `now` of the call that the note is about.
    fn note(&mut self, at: Instant, what: Note<'_>);
}

/// Lets the caller keep a hand on a tap that a driver has, for example to finish a [`Recorder`](super::Recorder).
impl<T: Tap> Tap for Arc<Mutex<T>> {
    fn note(&mut self, at: Instant, what: Note<'_>) {
        self.lock().unwrap_or_else(PoisonError::into_inner).note(at, what);
    }
}

impl<T: Tap + ?Sized> Tap for Box<T> {
    fn note(&mut self, at: Instant, what: Note<'_>) {
        (**self).note(at, what);
    }
}

/// One call of a device's machine, or what came of it.
///
/// Calls are noted right before they are made. What comes of a call, its draws and its orders, is noted before the
/// next call.
///
/// ```
/// # use rustuya_runtime::record::Note;
/// fn show(what: &Note<'_>) -> String {
///     match what {
///         Note::Dial { to, .. } => format!("dial {to}"),
///         Note::Sent(bytes) => format!("{} bytes out", bytes.len()),
///         Note::Received(bytes) => format!("{} bytes in", bytes.len()),
///         other => format!("{other:?}"),
///     }
/// }
/// # assert_eq!(show(&Note::Sent(&[1, 2])), "2 bytes out");
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a tap is to be told of every call that the machine has")]
pub enum Note<'a> {
    /// `Device::new`, with the sizes of the buffers that will be lent to it, the same at every call. Also where the
    /// machine of a device is replaced by a new one.
    Created {
        /// The configuration.
        config: &'a DeviceConfig,
        /// Size of the receive buffer in bytes: the largest frame.
        rx: usize,
        /// Size of the transmit buffer in bytes.
        tx: usize,
    },
    /// `reconfigure`.
    Reconfigured(&'a DeviceConfig),
    /// `poll`. Each one.
    Poll,
    /// A poll ordered a dial.
    Dial {
        /// The connection.
        conn: ConnId,
        /// Where to.
        to: SocketAddr,
    },
    /// A poll ordered the end of a connection.
    Hangup {
        /// The connection.
        conn: ConnId,
    },
    /// `handle_held`.
    Held {
        /// The connection.
        conn: ConnId,
    },
    /// `handle_dialed`.
    Dialed {
        /// The connection.
        conn: ConnId,
    },
    /// `handle_lost`.
    Lost {
        /// The connection.
        conn: ConnId,
        /// Why.
        why: LossReason,
    },
    /// `handle_announcement`.
    Announced {
        /// The address that the device has.
        address: IpAddr,
        /// The version that it claims to speak.
        version: Option<Version>,
    },
    /// `handle_relayed`.
    Relayed,
    /// `connect_now`.
    ConnectNow,
    /// `close`.
    Closed,
    /// `send`, whether or not the machine takes the command.
    Command(Asked<'a>),
    /// Bytes were read from the socket and committed to the receive buffer: one note per read.
    Received(&'a [u8]),
    /// Bytes were written to the socket and consumed from the transmit buffer: one note per write.
    Sent(&'a [u8]),
    /// The machine drew these bytes from the generator, during the call noted last.
    Drawn(&'a [u8]),
    /// So many notes were left out here: the tap is too slow, and no more of them are kept. A session that lacks them
    /// cannot be replayed past this.
    Missed {
        /// How many.
        notes: u64,
    },
}

/// A command, in parts that can be written down.
///
/// ```
/// # use rustuya_runtime::proto::{CommandCode, DpMap, RequestData};
/// # use rustuya_runtime::record::Asked;
/// let dps = RequestData::Dps(DpMap::Json(r#"{"1":true}"#));
/// let asked = Asked::request(CommandCode::CONTROL, dps).cid(Some("a4c1380000000001"));
/// let command = asked.command(); // for the machine
/// # let _ = command;
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// Command code, as the machine is given it.
    pub command: CommandCode,
    /// What the command carries; not looked at with `raw`.
    pub data: RequestData<'a>,
    /// The payload itself, for a raw command.
    pub raw: Option<&'a [u8]>,
    /// The sub-device that is meant.
    pub cid: Option<&'a str>,
    /// Seconds since 1970.
    pub unix_time: u64,
    /// How long to wait for the answer, where that is not the device's setting.
    pub timeout: Option<Duration>,
    /// The most bytes that its frame may have, where that is less than devices accept.
    pub at_most: Option<NonZeroU16>,
}

impl<'a> Asked<'a> {
    /// A command with the fields that its code usually carries.
    pub const fn request(command: CommandCode, data: RequestData<'a>) -> Self {
        Self { command, data, raw: None, cid: None, unix_time: 0, timeout: None, at_most: None }
    }

    /// A command with exactly this payload.
    pub const fn raw(command: CommandCode, payload: &'a [u8]) -> Self {
        Self { raw: Some(payload), ..Self::request(command, RequestData::None) }
    }

    /// Addresses a sub-device.
    #[must_use]
    pub const fn cid(mut self, cid: Option<&'a str>) -> Self {
        self.cid = cid;
        self
    }

    /// Sets the wall clock, in seconds since 1970.
    #[must_use]
    pub const fn unix_time(mut self, seconds: u64) -> Self {
        self.unix_time = seconds;
        self
    }

    /// Sets how long to wait for the answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the most bytes that its frame may have.
    #[must_use]
    pub const fn at_most(mut self, bytes: Option<NonZeroU16>) -> Self {
        self.at_most = bytes;
        self
    }

    /// The command for the machine.
    pub const fn command(&self) -> Command<'a> {
        let mut command = match self.raw {
            Some(payload) => Command::raw(self.command, payload),
            None => Command::request(self.command, self.data),
        };
        if let Some(cid) = self.cid {
            command = command.cid(cid);
        }
        if let Some(timeout) = self.timeout {
            command = command.timeout(timeout);
        }
        if let Some(bytes) = self.at_most {
            command = command.at_most(bytes.get() as usize);
        }
        command.unix_time(self.unix_time)
    }
}

/// A generator for a machine that is recorded: draws from another one and notes what was drawn.
///
/// ```
/// # use rustuya_runtime::proto::{CryptoRng, Instant};
/// # use rustuya_runtime::record::{RecordingRng, Tap};
/// /// Lends a machine what it draws from, for one call at `now`.
/// fn lent(inner: &mut dyn CryptoRng, tap: &mut dyn Tap, now: Instant, call: impl FnOnce(&mut dyn CryptoRng)) {
///     call(&mut RecordingRng::new(inner, tap, now));
/// }
/// ```
pub struct RecordingRng<'a> {
    inner: &'a mut dyn CryptoRng,
    tap: &'a mut dyn Tap,
    now: Instant,
}

impl<'a> RecordingRng<'a> {
    /// Draws from `inner` during a call of the machine at `now`, and notes that to `tap`.
    pub const fn new(inner: &'a mut dyn CryptoRng, tap: &'a mut dyn Tap, now: Instant) -> Self {
        Self { inner, tap, now }
    }
}

impl TryRng for RecordingRng<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let drawn = self.inner.next_u32();
        self.tap.note(self.now, Note::Drawn(&drawn.to_be_bytes()));
        Ok(drawn)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let drawn = self.inner.next_u64();
        self.tap.note(self.now, Note::Drawn(&drawn.to_be_bytes()));
        Ok(drawn)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.inner.fill_bytes(dst);
        self.tap.note(self.now, Note::Drawn(dst));
        Ok(())
    }
}

impl TryCryptoRng for RecordingRng<'_> {}

impl fmt::Debug for RecordingRng<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingRng").field("now", &self.now).finish_non_exhaustive()
    }
}
