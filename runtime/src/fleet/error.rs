//! Errors of registry and managers.

use std::io;

use rustuya_proto::{DownReason, InvalidId, InvalidKey};

use crate::io::shortage::is_out_of_descriptors;
use crate::report::error::ConfigError;

/// Reason why a device was not added to a manager.
///
/// ```
/// # use rustuya_runtime_tokio::*;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let manager = Manager::new(&Registry::builder(Tokio).without_discovery().build());
/// let (id, key) = ("bf0123456789abcdefgh", "0123456789abcdef");
/// manager.add(id, [127, 0, 0, 2], key, Version::V33)?;
/// assert!(matches!(manager.add(id, [127, 0, 0, 2], key, Version::V33), Err(AddError::DuplicateDevice)));
/// assert!(matches!(manager.add(id, "my lamp", key, Version::V33), Err(AddError::Config(ConfigError::Address))));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The manager has this very device already.
    #[error("the manager has this device already, with the same address, key and version")]
    DuplicateDevice,
    /// The registry has a device of this id with another configuration, and one device has one connection.
    #[error(
        "this program has a device with this id already, with another address, key, version or setting: give the same ones, or change that device with Manager::add or reconfigure()"
    )]
    Conflict,
    /// The manager or its registry was shut down.
    #[error("the manager was shut down")]
    Closed,
    /// The device cannot be configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device must be discovered, and announcements cannot be received.
    #[error("announcements of devices cannot be received: {}", without_announcements(.0))]
    Discovery(#[source] io::Error),
}

impl From<InvalidId> for AddError {
    fn from(error: InvalidId) -> Self {
        Self::Config(error.into())
    }
}

impl From<InvalidKey> for AddError {
    fn from(error: InvalidKey) -> Self {
        Self::Config(error.into())
    }
}

fn without_announcements(error: &io::Error) -> &'static str {
    if is_out_of_descriptors(error) {
        DownReason::OutOfDescriptors.advice()
    } else {
        "give the address, or free the UDP ports"
    }
}
