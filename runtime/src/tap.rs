//! Events for the [`Tap`] of a device: the calls between a driver and its machine.

use core::convert::Infallible;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustuya_proto::{Command, ConnId, CryptoRng, DeviceConfig, Instant, LossReason, TryCryptoRng, TryRng, Version};

/// Receives events: the calls between a driver and the machine of one device.
///
/// The crate `rustuya-record` has taps that write a record, which can be replayed, and lines for a log.
///
/// Events arrive in order, one at a time, after the device is unlocked, on whichever thread has just used it: often the
/// one that drives it. So a tap may use the device itself: read its state, queue commands, close it (which does not
/// wait then). It must not wait for an answer, which may need the thread that it runs on. When the `close` of a device
/// returns, its tap has received all events. Events for a slow tap are queued, up to 4 MiB; further ones are dropped and
/// counted: [`TapEvent::Missed`].
///
/// ```
/// # use rustuya_runtime::proto::Instant;
/// # use rustuya_runtime::tap::{Tap, TapEvent};
/// /// Counts what passes over the network.
/// #[derive(Default)]
/// struct Traffic {
///     sent: usize,
///     received: usize,
/// }
///
/// impl Tap for Traffic {
///     fn on_event(&mut self, _at: Instant, event: TapEvent<'_>) {
///         match event {
///             TapEvent::Sent(bytes) => self.sent += bytes.len(),
///             TapEvent::Received(bytes) => self.received += bytes.len(),
///             _ => {}
///         }
///     }
/// }
/// ```
pub trait Tap: Send {
    /// Receives an event. `at` is the `now` of the call.
    fn on_event(&mut self, at: Instant, event: TapEvent<'_>);
}

/// Lets the caller keep access to a tap that a driver has, for example to finish a recorder.
impl<T: Tap> Tap for Arc<Mutex<T>> {
    fn on_event(&mut self, at: Instant, event: TapEvent<'_>) {
        self.lock().unwrap_or_else(PoisonError::into_inner).on_event(at, event);
    }
}

impl<T: Tap + ?Sized> Tap for Box<T> {
    fn on_event(&mut self, at: Instant, event: TapEvent<'_>) {
        (**self).on_event(at, event);
    }
}

/// A call of a device's machine, or one of its outputs.
///
/// Calls are reported right before they are made. The outputs of a call, and the random bytes that it drew, are reported
/// before the next call.
///
/// ```
/// # use rustuya_runtime::tap::TapEvent;
/// fn show(event: &TapEvent<'_>) -> String {
///     match event {
///         TapEvent::Dial { to, .. } => format!("dial {to}"),
///         TapEvent::Sent(bytes) => format!("{} bytes out", bytes.len()),
///         TapEvent::Received(bytes) => format!("{} bytes in", bytes.len()),
///         other => format!("{other:?}"),
///     }
/// }
/// # assert_eq!(show(&TapEvent::Sent(&[1, 2])), "2 bytes out");
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a tap must handle every call of the machine")]
pub enum TapEvent<'a> {
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
    /// `handle_dial_delayed`.
    DialDelayed {
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
    /// Bytes were read from the socket and committed to the receive buffer: one event per read.
    Received(&'a [u8]),
    /// Bytes were written to the socket and consumed from the transmit buffer: one event per write.
    Sent(&'a [u8]),
    /// The machine drew these bytes from the generator, during the call reported last.
    Drawn(&'a [u8]),
    /// This many events were dropped here because the tap is too slow. A session that lacks them cannot be replayed past
    /// this.
    Missed {
        /// Number of events.
        events: u64,
    },
}

/// Generator for a recorded machine: draws from another one and reports the bytes.
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
        self.tap.on_event(self.now, TapEvent::Drawn(&drawn.to_be_bytes()));
        Ok(drawn)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let drawn = self.inner.next_u64();
        self.tap.on_event(self.now, TapEvent::Drawn(&drawn.to_be_bytes()));
        Ok(drawn)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        self.inner.fill_bytes(dst);
        self.tap.on_event(self.now, TapEvent::Drawn(dst));
        Ok(())
    }
}

impl TryCryptoRng for RecordingRng<'_> {}

impl fmt::Debug for RecordingRng<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingRng").field("now", &self.now).finish_non_exhaustive()
    }
}
