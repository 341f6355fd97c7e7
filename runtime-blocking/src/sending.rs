//! Blocking commands.

use core::time::Duration;

use rustuya_runtime::{CommandError, Reply};

use crate::wait::block_on;

/// Command that is not sent yet. [`send`](Self::send), [`acknowledged`](Self::acknowledged),
/// [`confirmed`](Self::confirmed) and [`queue`](Self::queue) send it, and differ in what they wait for.
///
/// Without a connection they wait for one, up to the command time-out of the device, or [`timeout`](Self::timeout).
/// `close`, `delete` and `shutdown` end every wait at once.
#[derive(Debug)]
#[must_use = "a command is given with `send`, `acknowledged` or `queue`"]
pub struct Sending(rustuya_runtime::Sending);

impl Sending {
    pub(crate) const fn new(inner: rustuya_runtime::Sending) -> Self {
        Self(inner)
    }

    /// Sends the command, and returns when it is written to the device's connection. If it fails after that, listeners
    /// receive [`Event::Failed`](crate::Event::Failed). For a device configured with
    /// [`nowait`](crate::DeviceBuilder::nowait) it returns as soon as the command is queued.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn send(self) -> Result<(), CommandError> {
        block_on(self.0)
    }

    /// Sends the command, and returns the device's answer.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn acknowledged(self) -> Result<Reply, CommandError> {
        block_on(self.0.acknowledged())
    }

    /// Sends a write, and returns when the device shows the written values, in a push or in its answer to a query: an
    /// acknowledgement proves only that the device has received them. Returns the DPs as the device shows them; for
    /// commands that write no DPs, returns the answer.
    ///
    /// # Errors
    /// [`CommandError::NoEffect`] with the values that the device shows instead; see [`CommandError`] for others.
    pub fn confirmed(self) -> Result<Reply, CommandError> {
        block_on(self.0.confirmed())
    }

    /// Queues the command, and does not wait. If it fails, listeners receive an event.
    ///
    /// # Errors
    /// Errors that are known at once: [`CommandError::InvalidDp`], [`CommandError::InvalidValue`],
    /// [`CommandError::Closed`].
    pub fn queue(self) -> Result<(), CommandError> {
        self.0.queue()
    }

    /// Limits the wait for the connection, and the wait for the answer that follows, for this command alone.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }
}
