//! Repetition of requests.

use core::time::Duration;

use crate::error::{Cause, FetchError};

/// Attempts at the same request.
const MOST: u32 = 4;
/// No server makes this wait longer.
const LONGEST: Duration = Duration::from_secs(60);

/// Attempts at one request so far.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failed: u32,
}

impl Retry {
    /// Returns the pause before the request is made again; `None` where that does not help, or has not.
    pub(crate) fn wait(&mut self, error: &FetchError, asked: Option<Duration>) -> Option<Duration> {
        let (most, passing) = match error {
            FetchError::Api(error) => (MOST, error.cause() == Cause::Busy),
            FetchError::Status { .. } => (MOST, true),
            FetchError::Send { failure, .. } => (2, failure.is_passing()),
            // As when a connection ends early.
            FetchError::NotJson { kind, .. } => (2, *kind == "cut off" || *kind == "empty"),
            _ => (0, false),
        };
        self.failed += 1;
        if !passing || self.failed >= most {
            return None;
        }
        let backoff = Duration::from_secs(1 << (self.failed - 1));
        Some(asked.unwrap_or(backoff).clamp(backoff, LONGEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SendFailure;

    #[test]
    fn what_passes_is_waited_for_and_not_for_ever() {
        let busy = FetchError::Status { what: "token", status: 429 };
        let mut retry = Retry::default();
        let waits: Vec<_> = (0..4).map(|_| retry.wait(&busy, None)).collect();
        assert_eq!(
            waits,
            [1, 2, 4].map(|s| Some(Duration::from_secs(s))).into_iter().chain([None]).collect::<Vec<_>>()
        );
        let asked = |seconds| Retry::default().wait(&busy, Some(Duration::from_secs(seconds)));
        assert_eq!((asked(9), asked(0)), (Some(Duration::from_secs(9)), Some(Duration::from_secs(1))));
        assert_eq!(asked(86_400), Some(LONGEST));
        let timeout = FetchError::Send { what: "token", failure: SendFailure::Timeout };
        let mut retry = Retry::default();
        assert_eq!((retry.wait(&timeout, None).is_some(), retry.wait(&timeout, None)), (true, None));
        let name = FetchError::Send { what: "token", failure: SendFailure::HostNotFound };
        assert_eq!(Retry::default().wait(&name, None), None);
    }
}
