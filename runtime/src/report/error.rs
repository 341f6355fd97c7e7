//! Errors, with the remedy in their text.

use rustuya_proto::{DownReason, InvalidId, InvalidKey, SendError, UnknownVersion};
use serde_json::{Map, Value};

/// Reason why a device cannot be configured.
///
/// ```
/// # use rustuya_runtime::{ConfigError, Device};
/// let error = Device::builder("bf0123456789abcdefgh", "short").expect_err("no key");
/// assert!(matches!(error, ConfigError::Key(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The id of a device or sub-device is invalid.
    #[error("invalid id")]
    Id(#[from] InvalidId),
    /// The local key is invalid.
    #[error("invalid local key")]
    Key(#[from] InvalidKey),
    /// The version is unknown.
    #[error("invalid version")]
    Version(#[from] UnknownVersion),
    /// The address is neither an IP address nor a host name.
    #[error("invalid address: give an IP address or a host name, with a port if it is not 6668, or Auto")]
    Address,
    /// A sub-device has no connection of its own.
    #[error("a sub-device has no connection of its own: connect its gateway, and use Device::sub")]
    SubDevice,
}

/// Reason why a command failed. Every command completes exactly once, with its answer or with one of these.
///
/// ```
/// # use rustuya_runtime::{CommandError, Device};
/// async fn switch_on(device: &Device) -> Result<(), CommandError> {
///     match device.set_value(1, true).acknowledged().await {
///         Ok(_) => Ok(()),
///         // It may have been done: look before it is done again.
///         Err(CommandError::Unanswered | CommandError::ConnectionLost { .. }) => match device.query().await?.get("1") {
///             Some(serde_json::Value::Bool(true)) => Ok(()),
///             _ => device.set_value(1, true).await,
///         },
///         // A write of several DPs that took effect in part.
///         Err(CommandError::Partial { uncertain, failed, .. }) => {
///             println!("not done: {failed:?}, may be done: {uncertain:?}");
///             Ok(())
///         }
///         // It failed; the text contains the remedy.
///         Err(error) => Err(error),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The device refused the command.
    #[error("the device refused: {text}{}", help(text))]
    Rejected {
        /// Return code of the refusal, whichever byte order the device uses. Compare it with zero, nothing else.
        retcode: Option<u32>,
        /// Text of the device, escaped, at most 255 characters.
        text: String,
    },
    /// The device did not answer a query in time. The query changed nothing.
    #[error("the device did not answer the query in time: check whether it is busy, or wait for what it pushes")]
    NoAnswer,
    /// The device did not answer in time. The command may have taken effect: query the state before repeating it.
    #[error("the device did not answer in time; the command may have taken effect")]
    Unanswered,
    /// The device acknowledged the write, but reports other values, or none, for the DPs that were written: there was
    /// no push, and then the state was queried. Only for commands that wait for the effect, with
    /// [`confirmed`](crate::Sending::confirmed).
    #[error("the device took the write, but {}", differences(wanted, shown))]
    NoEffect {
        /// The DPs that were written.
        wanted: Box<Map<String, Value>>,
        /// Those of them that the device has reported since then, with their last values.
        shown: Box<Map<String, Value>>,
    },
    /// The write was sent in parts with different results: because it is too large for one frame, because of
    /// [`Pacing`](crate::Pacing), or because the device refused it as a whole. Acknowledged parts have taken effect,
    /// and others may have: query the state before repeating it.
    #[error("the write was done in part: {}: {cause}", describe(acknowledged, uncertain, failed))]
    Partial {
        /// DPs whose write the device has acknowledged, in ascending order.
        acknowledged: Vec<u16>,
        /// DPs that were sent and not acknowledged. Their write may have taken effect.
        uncertain: Vec<u16>,
        /// DPs that the device refused, or that were not sent.
        failed: Vec<u16>,
        /// First failure.
        cause: Box<Self>,
    },
    /// The answer was larger than the device's [`receive_limit`](crate::DeviceBuilder::receive_limit), and was skipped. A
    /// command that writes may have taken effect.
    #[error(
        "the device's answer of {len} bytes is larger than {limit}, the limit of this program for received frames: raise it"
    )]
    AnswerTooLarge {
        /// Size of the answer, in bytes.
        len: usize,
        /// Size limit, in bytes.
        limit: usize,
    },
    /// The connection ended before the answer. A command that writes may have taken effect.
    #[error(
        "the connection was lost before the answer ({reason}): {}; query the state before repeating a write",
        reason.advice()
    )]
    ConnectionLost {
        /// Reason of the end.
        reason: DownReason,
    },
    /// There was no usable connection within the time limit. The command was not sent.
    #[error("not connected{}", explain(*reason))]
    NotConnected {
        /// Diagnosis; `None` if no attempt has failed yet, as with a device whose address is still unknown.
        reason: Option<DownReason>,
    },
    /// The device is connected, but other commands kept it busy for the whole time limit, or 256 wait already. The
    /// command was not sent.
    #[error("other commands kept the device busy for the whole time limit, or 256 wait already: send fewer at a time")]
    Busy,
    /// The gateway reported that this sub-device is offline, and has not reported otherwise since. It would answer from
    /// its memory. The command was not sent.
    #[error(
        "the gateway reports that the sub-device is offline: check its battery and reach, then query the sub-devices of the gateway"
    )]
    SubDeviceOffline,
    /// The device was closed. The command was not sent.
    #[error("the device was closed by this program")]
    Closed,
    /// The runtime or thread that ran the device has ended; the device itself was not closed. The command was not sent.
    #[error(
        "the runtime that drove the device has ended: make a new device, on a runtime that lives as long as the device is used"
    )]
    RuntimeGone,
    /// The request would exceed the size that devices accept. The command was not sent.
    #[error("the request exceeds the 4095 bytes that devices accept: send fewer DPs at once")]
    TooLarge,
    /// The DP is not a number from 0 to 65535. The command was not sent.
    #[error("{0:?} is not a DP number: DPs are numbers from 0 to 65535")]
    InvalidDp(String),
    /// The value cannot be sent as JSON, or is not a map of DPs where one is required. The command was not sent.
    #[error("the value cannot be sent: {0}")]
    InvalidValue(String),
    /// The request is invalid. It was not sent.
    #[error("the request cannot be sent")]
    Invalid(#[source] SendError),
}

impl CommandError {
    /// Returns the reason of the connection's end, if that is the cause.
    ///
    /// ```
    /// # use rustuya_runtime::{CommandError, DownReason};
    /// let error = CommandError::NotConnected { reason: Some(DownReason::WrongKey { sure: true }) };
    /// assert_eq!(error.diagnosis(), Some(DownReason::WrongKey { sure: true }));
    /// assert!(error.is_auth());
    /// ```
    pub const fn diagnosis(&self) -> Option<DownReason> {
        match self {
            Self::ConnectionLost { reason } => Some(*reason),
            Self::NotConnected { reason } => *reason,
            Self::Partial { cause, .. } => cause.diagnosis(),
            _ => None,
        }
    }

    /// Returns whether the command was sent and nothing proves that the device refused it.
    pub(crate) const fn may_have_acted(&self) -> bool {
        matches!(
            self,
            Self::Unanswered
                | Self::NoEffect { .. }
                | Self::AnswerTooLarge { .. }
                | Self::ConnectionLost { .. }
                | Self::Partial { .. }
        )
    }

    /// Returns whether local key or version must be corrected.
    pub fn is_auth(&self) -> bool {
        self.diagnosis().is_some_and(DownReason::is_auth)
    }
}

impl From<SendError> for CommandError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::TooLarge => Self::TooLarge,
            other => Self::Invalid(other),
        }
    }
}

impl From<core::convert::Infallible> for ConfigError {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

/// Describes the result of each DP in words.
fn describe(acknowledged: &[u16], uncertain: &[u16], failed: &[u16]) -> String {
    let groups =
        [("the device acknowledged", acknowledged), ("it may have taken", uncertain), ("it did not take", failed)];
    let describe = |(what, dps): (&str, &[u16])| {
        let dps = dps.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        (!dps.is_empty()).then(|| format!("{what} DP {dps}"))
    };
    groups.into_iter().filter_map(describe).collect::<Vec<_>>().join("; ")
}

/// Describes the values that differ from those that were written.
fn differences(wanted: &Map<String, Value>, shown: &Map<String, Value>) -> String {
    let tell = |(dp, value): (&String, &Value)| match shown.get(dp) {
        Some(shown) if shown == value => None,
        Some(shown) => Some(format!("DP {dp} is {shown}, not {value}")),
        None => Some(format!("does not show DP {dp}")),
    };
    wanted.iter().filter_map(tell).collect::<Vec<_>>().join(", ")
}

/// Returns the remedy for a refusal.
fn help(text: &str) -> &'static str {
    if text.contains("data unvalid") {
        "; the device may tell its state in pushes alone: wait for a push; be a gateway, whose sub-devices have the DPs: ask \
         a sub-device; or, up to 3.4, be device22, which tells only DPs that are named: name DPs, with the dialect device22"
    } else if text.contains("data format") || text.contains("parse data") {
        "; devices say so to values that they do not take, and to what they cannot read: where one refuses everything, check \
         the local key and the version"
    } else {
        ""
    }
}

fn explain(reason: Option<DownReason>) -> String {
    match reason {
        Some(reason) => format!(": {reason} ({})", reason.advice()),
        None => ": no attempt has ended within the time limit; check the address, or wait for an announcement".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_connection_is_explained_with_advice() {
        let error = CommandError::NotConnected { reason: Some(DownReason::WrongKey { sure: true }) };
        let text = error.to_string();
        assert!(text.starts_with("not connected: wrong local key ("), "{text}");
        assert!(text.contains("paired"), "{text}");
        assert!(error.is_auth());
        assert!(!CommandError::NotConnected { reason: None }.is_auth());
    }

    #[test]
    fn what_is_told_to_who_only_asked_claims_no_effect() {
        for error in [CommandError::NoAnswer, CommandError::ConnectionLost { reason: DownReason::Silent }] {
            let text = error.to_string();
            assert!(!text.contains("written") && !text.contains("may have"), "{text}");
        }
        let text = CommandError::Rejected { retcode: None, text: "json obj data unvalid".into() }.to_string();
        assert!(text.contains("up to 3.4, be device22"), "{text}");
        for unread in ["data format error", "parse data error"] {
            let text = CommandError::Rejected { retcode: Some(1), text: unread.into() }.to_string();
            assert!(text.contains("check the local key and the version"), "{text}");
        }
    }

    #[test]
    fn the_source_is_not_repeated_in_the_text() {
        let error = CommandError::from(SendError::InvalidData);
        let source = core::error::Error::source(&error).expect("has a source").to_string();
        assert!(!error.to_string().contains(&source));
        assert_eq!(CommandError::from(SendError::TooLarge), CommandError::TooLarge);
    }
}
