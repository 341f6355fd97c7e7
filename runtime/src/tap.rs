//! Notes about the calls between a driver and the machine of a device, for the [`Tap`] of that device.

use core::convert::Infallible;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{Command, ConnId, CryptoRng, DeviceConfig, Instant, LossReason, TryCryptoRng, TryRng, Version};

/// Receives notes about the calls between a driver and the machine of one device.
///
/// The crate `rustuya-record` has taps that write a record, which can be replayed, and lines for a log.
///
/// Notes arrive in order, one at a time, after the device is unlocked, on whichever thread has just used it: often the
/// one that drives it. So a tap may use the device itself: read its state, queue commands, close it (which does not
/// wait then). It must not wait for an answer, which may need the thread that it runs on. When the `close` of a device
/// returns, its tap has received all notes. Notes for a slow tap are queued, up to 4 MiB; further ones are dropped and
/// counted: [`Note::Missed`].
///
/// ```
/// # use rustuya_runtime::proto::Instant;
/// # use rustuya_runtime::tap::{Note, Tap};
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
    /// Receives a note. `at` is the `now` of the call.
    fn note(&mut self, at: Instant, what: Note<'_>);
}

/// Lets the caller keep access to a tap that a driver has, for example to finish a recorder.
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

/// A call of a device's machine, or one of its outputs.
///
/// Calls are noted right before they are made. The outputs of a call, and the random bytes that it drew, are noted
/// before the next call.
///
/// ```
/// # use rustuya_runtime::tap::Note;
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
#[expect(clippy::exhaustive_enums, reason = "a tap must handle every call of the machine")]
pub enum Note<'a> {
    /// `Device::new`, with the sizes of the buffers that every call will get. Also when a new machine replaces that of
    /// a device.
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
    /// `poll`: every call of it.
    Poll,
    /// A poll returned `Output::Dial`.
    Dial {
        /// The connection.
        conn: ConnId,
        /// Destination.
        to: SocketAddr,
    },
    /// A poll returned `Output::Hangup`.
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
        /// Reason.
        why: LossReason,
    },
    /// `handle_announcement`.
    Announced {
        /// Address of the device.
        address: IpAddr,
        /// Version that it claims to speak.
        version: Option<Version>,
    },
    /// `handle_relayed`.
    Relayed,
    /// `connect_now`.
    ConnectNow,
    /// `close`.
    Closed,
    /// `send`, whether or not the machine takes the command.
    Command(Command<'a>),
    /// Bytes were read from the socket and committed to the receive buffer: one note per read.
    Received(&'a [u8]),
    /// Bytes were written to the socket and consumed from the transmit buffer: one note per write.
    Sent(&'a [u8]),
    /// The machine drew these bytes from the generator, during the call noted last.
    Drawn(&'a [u8]),
    /// This many notes were dropped here because the tap is too slow. A session that lacks them cannot be replayed past
    /// this.
    Missed {
        /// Number of notes.
        notes: u64,
    },
}

/// Generator for a recorded machine: draws from another one and notes the bytes.
///
/// ```
/// # use rustuya_runtime::proto::{CryptoRng, Instant};
/// # use rustuya_runtime::tap::{RecordingRng, Tap};
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
    /// Draws from `inner` during a call of the machine at `now`, and passes the bytes to `tap`.
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
