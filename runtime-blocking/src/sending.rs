//! Commands as calls.

use core::time::Duration;

use rustuya_runtime::{CommandError, Reply};

use crate::wait::block_on;

/// A command that is yet to be given: by [`send`](Self::send), [`acknowledged`](Self::acknowledged),
/// [`confirmed`](Self::confirmed) or [`queue`](Self::queue), which differ in what they wait for.
///
/// While there is no connection they wait for one, up to the command time-out of the device, or
/// [`timeout`](Self::timeout). `close`, `delete` and `shutdown` end every wait at once.
#[derive(Debug)]
#[must_use = "a command is given with `send`, `acknowledged` or `queue`"]
pub struct Sending(rustuya_runtime::Sending);

impl Sending {
    pub(crate) const fn new(inner: rustuya_runtime::Sending) -> Self {
        Self(inner)
    }

    /// Gives the command, and returns when it is written to the device's connection. If it fails after that, listeners
    /// are told, by [`Event::Failed`](crate::Event::Failed). For a device that was configured with
    /// [`nowait`](crate::DeviceBuilder::nowait) it returns as soon as the command is queued.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn send(self) -> Result<(), CommandError> {
        block_on(self.0)
    }

    /// Gives the command, and returns the device's answer.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn acknowledged(self) -> Result<Reply, CommandError> {
        block_on(self.0.acknowledged())
    }

    /// Gives a write, and returns when the device shows what was written, by a push or when it is asked: an
    /// acknowledgement proves that the device has received it, not that it did something. Gives the DPs as the device
    /// shows them. Of what writes no DPs, returns the answer.
    ///
    /// # Errors
    /// [`CommandError::NoEffect`] says what is there instead; see [`CommandError`] for others.
    pub fn confirmed(self) -> Result<Reply, CommandError> {
        block_on(self.0.confirmed())
    }

    /// Gives the command, and does not wait for anything. If it fails, listeners are told.
    ///
    /// # Errors
    /// What can be said at once: [`CommandError::InvalidDp`], [`CommandError::InvalidValue`],
    /// [`CommandError::Closed`].
    pub fn queue(self) -> Result<(), CommandError> {
        self.0.queue()
    }

    /// Limits the wait for the connection, and the wait for the answer that follows, for this command alone.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }
}
