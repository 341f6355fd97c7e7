//! Events that listeners receive.

use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;

use rustuya_proto::{CommandCode, Dialect, DownReason, DpId, Dps, Payload, Repeated, Report, RetCode, Version};
use serde_json::{Map, Value};

use crate::report::convert;
use crate::report::entry::Entry;
use crate::report::error::CommandError;
use crate::report::state::Stale;

/// Event of a device. Cheap to clone.
///
/// ```
/// # use rustuya_runtime::{Event, Listener};
/// async fn show(mut events: Listener) {
///     while let Some(event) = events.recv().await {
///         match event {
///             Event::Up { version } => println!("connected, version {version}"),
///             Event::Down { reason, retry_in } => println!("{reason}: {}; again in {retry_in:?}", reason.advice()),
///             Event::Message(message) => println!("{:?}", message.dps()),
///             Event::SubDevice { cid, online } => println!("{cid} is online: {online}"),
///             Event::Failed(failed) => println!("{:?}: {}", failed.command, failed.error),
///             Event::Skipped { len, limit, .. } => println!("a frame of {len} bytes was skipped; the limit is {limit}"),
///             Event::ValuesDropped { values, limit } => println!("{values} values more than fit {limit} bytes"),
///             Event::Fresh => println!("the state is what the device has now"),
///             Event::Stale(why) => println!("the state may be out of date: {why}"),
///             Event::Lagged(lost) => println!("too slow: {lost} events lost"),
///             _ => {}
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The connection is usable.
    Up {
        /// Version in use.
        version: Version,
    },
    /// The connection, or a round of attempts to connect, ended. Attempts within a round are not reported.
    Down {
        /// Reason, as far as the received bytes prove it.
        reason: DownReason,
        /// Time until the next attempt; `None` if only an announcement or a command will cause one.
        retry_in: Option<Duration>,
    },
    /// A frame with content: a push, a report, or an answer with DPs.
    Message(Arc<Message>),
    /// A gateway reported that a sub-device became reachable or unreachable.
    SubDevice {
        /// The sub-device.
        cid: Arc<str>,
        /// Whether the gateway reaches it.
        online: bool,
    },
    /// A command failed and no caller waited for it any more: the caller waited only until it was written, or has
    /// dropped its future.
    Failed(Arc<Failed>),
    /// The dialect of the device was detected to be the other one. Store it with the device, so that the next start
    /// begins with it.
    Dialect(Dialect),
    /// A frame was larger than the device's [`receive_limit`](crate::DeviceBuilder::receive_limit). It was skipped
    /// unread, and the connection goes on. The command that it answers, if there is one, fails with
    /// [`CommandError::AnswerTooLarge`].
    Skipped {
        /// Command code in its header, which is not verified.
        command: CommandCode,
        /// Size of the frame, in bytes.
        len: usize,
        /// Size limit, in bytes.
        limit: usize,
    },
    /// The device sent more than its [`memory_limit`](crate::DeviceBuilder::memory_limit) permits: `state()` and the
    /// list of sub-devices lack a part of one frame. Listeners receive the whole frame before this event.
    ValuesDropped {
        /// Values and sub-devices that were dropped.
        values: u64,
        /// Memory limit of this device, in bytes.
        limit: usize,
    },
    /// A frame was ignored that is sealed with the right key, but that the device did not send just now: an echo of our
    /// own, or a replay. Somebody on the network may be repeating frames. The connection goes on, unless there are a
    /// hundred in a row.
    Ignored {
        /// Command code.
        command: CommandCode,
        /// Reason.
        why: Repeated,
    },
    /// Every DP of [`Device::state`](crate::Device::state) was received on the present connection. Comes after the
    /// message with the last of them.
    Fresh,
    /// The state is not fresh any more: the connection was lost, or the device did not report all of it when it was
    /// queried. Not sent if this side has closed the connection on purpose.
    Stale(Stale),
    /// This listener was too slow: this many events, the oldest ones, were dropped before the next one.
    Lagged(u64),
}

impl Entry for Event {
    fn lagged(lost: u64) -> Option<Self> {
        Some(Self::Lagged(lost))
    }

    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Message(message) => {
                    size_of::<Message>() + message.payload.len() + message.cid().map_or(0, str::len)
                }
                Self::Failed(_) => size_of::<Failed>(),
                Self::SubDevice { cid, .. } => cid.len(),
                _ => 0,
            }
    }
}

/// Event of one device of a manager.
///
/// ```
/// # use rustuya_runtime::{Event, Listener, ManagerEvent};
/// async fn watch(mut events: Listener<ManagerEvent>) {
///     while let Some(event) = events.recv().await {
///         if let Event::Message(message) = event.event {
///             println!("{}: {:?}", event.device_id, message.dps());
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ManagerEvent {
    /// Id of the device; empty with [`Event::Lagged`], which concerns the listener.
    pub device_id: Arc<str>,
    /// The event.
    pub event: Event,
}

impl Entry for ManagerEvent {
    fn lagged(lost: u64) -> Option<Self> {
        Some(Self { device_id: Arc::from(""), event: Event::Lagged(lost) })
    }

    fn weight(&self) -> usize {
        size_of::<Arc<str>>() + self.event.weight()
    }
}

/// A command that failed while no caller waited for it.
///
/// ```
/// # use core::time::Duration;
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # lamp.unplug().await;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr());
/// let device = device.command_timeout(Duration::from_millis(50)).spawn(&Tokio);
/// let mut events = device.listener();
/// device.set_value(1, true).queue()?; // nobody waits for it
/// while let Some(event) = events.recv().await {
///     if let Event::Failed(failed) = event {
///         assert_eq!((failed.command, failed.cid.as_deref()), (CommandCode::CONTROL, None));
///         assert!(matches!(failed.error, CommandError::NotConnected { .. }));
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Failed {
    /// The command.
    pub command: CommandCode,
    /// The sub-device that it was sent to.
    pub cid: Option<String>,
    /// Reason.
    pub error: CommandError,
}

/// A received frame. Its payload is stored unparsed, and parsed on access.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// let mut events = device.listener();
/// device.query().await?;
/// while let Some(event) = events.recv().await {
///     if let Event::Message(message) = event {
///         assert_eq!(message.dp(2), Some(json!(50)));
///         assert_eq!(message.dps().len(), 2);
///         assert_eq!(message.cid(), None); // about the device itself
///         println!("{:?} {}", message.command(), message.text());
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    command: CommandCode,
    seqno: u32,
    retcode: Option<u32>,
    payload: Box<[u8]>,
    /// The sub-device that it concerns.
    cid: Option<Box<str>>,
    /// Number of bytes of the payload behind the opening bracket of its DPs: the DPs, and what follows them.
    dps: Option<usize>,
}

impl Message {
    /// Copies `message`, whose payload was parsed as `report`.
    pub(crate) fn new(message: &rustuya_proto::Message<'_>, report: Option<&Report<'_>>) -> Self {
        Self {
            command: message.command,
            seqno: message.seqno,
            retcode: message.retcode.map(RetCode::number),
            payload: message.payload.as_bytes().into(),
            cid: report.and_then(|report| report.cid).map(|cid| cid.to_string().into()),
            dps: report.and_then(|report| report.dps).map(|dps| dps.remaining().len()),
        }
    }

    /// Command code.
    pub const fn command(&self) -> CommandCode {
        self.command
    }

    /// Sequence number.
    pub const fn seqno(&self) -> u32 {
        self.seqno
    }

    /// Return code, if the frame had one, whichever byte order the device uses.
    pub const fn retcode(&self) -> Option<u32> {
        self.retcode
    }

    /// The decrypted payload.
    pub const fn bytes(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// The payload as JSON, or a string if it is not JSON; `None` if it is empty.
    pub fn payload(&self) -> Option<Value> {
        convert::payload(&self.view())
    }

    /// The sub-device that it concerns; `None` for the device itself.
    pub fn cid(&self) -> Option<&str> {
        self.cid.as_deref()
    }

    /// Returns whether it has DPs.
    pub fn has_dps(&self) -> bool {
        self.typed_dps().is_some_and(|mut dps| dps.next().is_some())
    }

    /// Its DPs, in the order of the payload: all of them in the answer to a query, the changed ones in a push. Empty if
    /// there are none.
    pub fn dps(&self) -> Map<String, Value> {
        self.typed_dps().map(convert::dp_map).unwrap_or_default()
    }

    /// One of its DPs. If the payload has it more than once, the last value counts, as in [`dps`](Self::dps) and in the
    /// state.
    pub fn dp(&self, dp: u16) -> Option<Value> {
        self.typed_dps()?.value(DpId(dp)).map(|value| convert::dp_value(&value))
    }

    /// Iterates over its DPs in place, without a tree of values.
    pub fn typed_dps(&self) -> Option<Dps<'_>> {
        let at = self.payload.len().checked_sub(self.dps?)?;
        self.payload.get(at..).map(Dps::resume)
    }

    fn view(&self) -> Payload<'_> {
        Payload::new(&self.payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::state::Cache;
    use serde_json::json;

    #[test]
    fn a_dp_that_comes_twice_has_its_last_value_in_every_view() {
        let payload: &[u8] = br#"{"dps":{"1":true,"2":5,"1":false,"01":7}}"#;
        let payload = Payload::new(payload);
        let report = payload.report().expect("a report");
        let message = Message {
            command: CommandCode::STATUS,
            seqno: 0,
            retcode: None,
            payload: payload.as_bytes().into(),
            cid: None,
            dps: report.dps.map(|dps| dps.remaining().len()),
        };
        let mut cache = Cache::new(crate::report::memory::Budget::alone(4096));
        cache.apply(&report, true, rustuya_proto::Instant::ZERO, |_, _| ());
        let state = cache.own_state(None, rustuya_proto::Instant::ZERO);
        let last =
            report.dps.expect("DPs").filter(|(id, _)| id.0 == 1).last().map(|(_, value)| convert::dp_value(&value));
        assert_eq!(message.dp(1), last);
        assert_eq!(message.dps().get("1"), last.as_ref());
        assert_eq!(state.get(1), last.as_ref());
        assert_ne!(last, Some(json!(true)), "not the first");
        assert_eq!(message.dp(2), Some(json!(5)));
        assert!(message.has_dps());
        assert!(!Message { dps: None, ..message }.has_dps());
    }
}
