//! Payloads to frames and back: [`seal`] and [`open`], in place, under prepared [`Keys`].
//!
//! Checks integrity before it decrypts, and never returns bytes that fail a check.

pub(crate) mod crc;
pub(crate) mod ecb;
#[cfg(feature = "v35")]
mod gcm;
mod header;
pub(crate) mod keys;
mod open;
mod seal;
#[cfg(feature = "v31")]
mod v31;

pub(crate) use crate::wire::FrameError;
pub use header::VersionHeader;
pub use keys::Keys;
pub use open::{Opened, open};
pub(crate) use open::{ciphertext_fits, crc_fits, hmac_fits, is_ciphertext_length, open_clear};
pub(crate) use seal::seal_body;
pub use seal::{Head, NoRoom, seal};

/// Writer of a frame. Devices put a return code first; controllers never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Sender {
    /// The client: an app, a hub, this library.
    Controller,
    /// The device.
    Device,
}

#[cfg(test)]
mod tests;
