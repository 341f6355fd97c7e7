//! Errors of virtual devices.

use rustuya_proto::{InvalidId, InvalidKey, UnknownQuirk, WriteError};

/// Reason why a virtual device cannot be configured.
///
/// ```
/// # use rustuya_runtime_tokio::Version;
/// # use rustuya_virtual_device::{SimulationError, VirtualDevice};
/// let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V35)?;
/// assert!(matches!(lamp.clone().quirk("telepathy"), Err(SimulationError::Quirk(_))));
/// assert_eq!(lamp.sub("no spaces here", Default::default()).err().map(|error| error.to_string()).as_deref(), Some("invalid id"));
/// # Ok::<(), SimulationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The id of a device or sub-device is invalid.
    #[error("invalid id")]
    Id(#[from] InvalidId),
    /// The local key is invalid.
    #[error("invalid local key")]
    Key(#[from] InvalidKey),
    /// There is no such quirk.
    #[error("invalid quirk")]
    Quirk(#[from] UnknownQuirk),
    /// The DPs are not an object whose keys are DP numbers from 0 to 65535.
    #[error("DPs must be a JSON object whose keys are numbers from 0 to 65535")]
    Dps,
    /// The type of a DP is not understood.
    #[error(
        "invalid schema: each DP needs a type, such as Boolean, and its values, as mapping in devices.json has them"
    )]
    Schema {
        /// The DP, if its key is a number.
        dp: Option<u16>,
    },
    /// No device sends such a value: null, a list, an object, a number that a signed one of 64 bits cannot hold, or a text
    /// of more than 48,000 bytes.
    #[error("DP {dp}: no device sends {what}")]
    Impossible {
        /// The DP.
        dp: u16,
        /// Kind of the value.
        what: &'static str,
    },
    /// A real device could not have this value. Only in strict mode.
    #[error("DP {dp}: no real device could have this: {why}")]
    Value {
        /// The DP.
        dp: u16,
        /// Reason.
        why: WriteError,
    },
    /// There is no such sub-device.
    #[error("no such sub-device")]
    UnknownSub,
}
