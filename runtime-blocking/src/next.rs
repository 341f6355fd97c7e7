//! Request of a task after it ran.

use std::time::Instant;

/// Request of a task after it ran.
#[derive(Debug)]
pub(crate) enum Next {
    /// Run again, after the other ready tasks.
    Again,
    /// Run again on an event or a wake-up, or at this time.
    Sleep(Option<Instant>),
    End,
}
