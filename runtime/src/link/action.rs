//! Next step of the loop that drives a link.

use std::time::Instant;

use crate::io::destination::Destination;

/// Next step of the loop.
///
/// ```
/// # use rustuya_runtime::driver::Action;
/// /// What a loop that must not block does for each action.
/// fn meaning(action: Action) -> &'static str {
///     match action {
///         Action::Dial(_) => "open a connection in the background, then report it",
///         Action::Hangup => "drop the connection",
///         Action::Reset => "reset the connection",
///         Action::Again => "yield, then poll again",
///         Action::Sleep(_) => "wait for the transport, the waker, or this time",
///         Action::End => "return",
///     }
/// }
/// # assert_eq!(meaning(Action::End), "return");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a loop must handle every variant")]
pub enum Action {
    /// Open a TCP connection without Nagle's delay, and report [`dialed`](crate::driver::DrivenLink::dialed) or
    /// [`lost`](crate::driver::DrivenLink::lost). Then call [`poll`](crate::driver::DrivenLink::poll) again.
    Dial(Destination),
    /// Drop the connection, or stop dialing. Then call [`poll`](crate::driver::DrivenLink::poll) again.
    Hangup,
    /// Reset the connection: [`reset_on_drop`](crate::driver::reset_on_drop), then drop it. Part of a frame was written, and
    /// the rest finds no room. Some firmware that is left with such a part waits for the rest until it is power-cycled,
    /// unless it sees an error in place of an orderly end. Then call [`poll`](crate::driver::DrivenLink::poll) again.
    Reset,
    /// Yield to other tasks, then call [`poll`](crate::driver::DrivenLink::poll) again.
    Again,
    /// Sleep until the transport is ready, the waker is called, or this time has come, if there is one.
    Sleep(Option<Instant>),
    /// End the loop.
    End,
}
