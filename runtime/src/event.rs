//! News, owned: what listeners receive.

use core::time::Duration;
use std::borrow::Cow;
use std::sync::Arc;

use rustuya_proto::{CommandCode, Dialect, DownReason, DpId, Dps, Payload, Repeated, Report, RetCode, Version};
use serde_json::{Map, Value};

use crate::convert;
use crate::error::CommandError;
use crate::listener::Entry;
use crate::state::Stale;

/// News about a device. Cheap to clone.
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
///             Event::Unkept { values, limit } => println!("{values} values more than fit {limit} bytes"),
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
        /// The version that is spoken.
        version: Version,
    },
    /// The connection, or a round of attempts at one, ended. Attempts of a round that is not over tell nothing.
    Down {
        /// Why, as far as the bytes prove it.
        reason: DownReason,
        /// Time until the next attempt; `None` when there will be none without an announcement or a command.
        retry_in: Option<Duration>,
    },
    /// A frame with content: a push, a report, or an answer that carries state.
    Message(Arc<Message>),
    /// A gateway reported whether a sub-device is reachable. Comes only when that has changed.
    SubDevice {
        /// The sub-device.
        cid: Arc<str>,
        /// Whether the gateway reaches it.
        online: bool,
    },
    /// A command failed after its caller had stopped waiting for it: it was only to be written, or its future was
    /// dropped.
    Failed(Arc<Failed>),
    /// The device turned out to speak the other dialect. Store it with the device to spare the detour next time.
    Dialect(Dialect),
    /// A frame was larger than the device's [`receive_limit`](crate::DeviceBuilder::receive_limit). It was skipped unread,
    /// and the connection goes on. The command that it answers, if there is one, fails with
    /// [`CommandError::AnswerTooLarge`].
    Skipped {
        /// Command code in its header, which is not verified.
        command: CommandCode,
        /// Bytes of the frame.
        len: usize,
        /// Bytes that were allowed.
        limit: usize,
    },
    /// The device sent more than is remembered of it, see [`memory_limit`](crate::DeviceBuilder::memory_limit):
    /// `state()` and the list of sub-devices lack a part of one frame. Listeners receive the frame whole, before this.
    Unkept {
        /// Values and sub-devices that are not remembered.
        values: u64,
        /// Bytes that are allowed for this device.
        limit: usize,
    },
    /// A frame was ignored that is sealed under the right key, but was not sent by the device just now: it is one of our
    /// own, sent back, or it came before. Somebody on the network may be returning or repeating frames. The connection goes
    /// on, unless there are a hundred in a row.
    Ignored {
        /// Command code.
        command: CommandCode,
        /// Why.
        why: Repeated,
    },
    /// Every DP of [`Device::state`](crate::Device::state) was heard on the present connection. Comes after the message
    /// that told the last of them.
    Fresh,
    /// The state is not fresh any more, because the connection was lost, or the device was asked for it and did not tell
    /// all of it. Not told when this side has ended the connection on purpose.
    Stale(Stale),
    /// This listener was too slow: so many events were dropped before the next one, the oldest first.
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

/// News about one of many devices.
///
/// ```
/// # use rustuya_runtime::{Event, Listener, ManagerEvent};
/// async fn watch(mut events: Listener<ManagerEvent>) {
///     while let Some(news) = events.recv().await {
///         if let Event::Message(message) = news.event {
///             println!("{}: {:?}", news.device_id, message.dps());
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ManagerEvent {
    /// Id of the device; empty with [`Event::Lagged`], which is about the listener.
    pub device_id: Arc<str>,
    /// What happened.
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

/// A command that failed with nobody waiting for it.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
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
    /// The sub-device that it was for.
    pub cid: Option<String>,
    /// Why.
    pub error: CommandError,
}

/// A received frame. Its payload is kept as it came and taken apart when it is looked at.
///
/// ```
/// # use core::time::Duration;
/// # use rustuya_runtime_tokio::*;
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false, "2": 50 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?
/// #     .address(lamp.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
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
    /// The sub-device that it is about.
    cid: Option<Box<str>>,
    /// How many bytes of the payload follow the opening bracket of its DPs: the DPs, and what comes after them.
    dps: Option<usize>,
}

impl Message {
    /// A copy of `message`, whose payload was read as `report`.
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

    /// Return code, if the frame had one, whichever byte order the device wrote it in.
    pub const fn retcode(&self) -> Option<u32> {
        self.retcode
    }

    /// The payload as it came, decrypted.
    pub const fn bytes(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.payload)
    }

    /// The payload as JSON, as a string when it is none, `None` when there is none.
    pub fn payload(&self) -> Option<Value> {
        convert::payload(&self.view())
    }

    /// The sub-device that it is about; `None` for the device itself.
    pub fn cid(&self) -> Option<&str> {
        self.cid.as_deref()
    }

    /// Whether it holds DPs.
    pub fn has_dps(&self) -> bool {
        self.typed_dps().is_some_and(|mut dps| dps.next().is_some())
    }

    /// The DPs in it, in the order in which they came: all of them in the answer to a query, the changed ones in a
    /// push. Empty when it holds none.
    pub fn dps(&self) -> Map<String, Value> {
        self.typed_dps().map(convert::dp_map).unwrap_or_default()
    }

    /// One DP of it. Of one that is in it more than once, the last value: as in [`dps`](Self::dps) and in the state.
    pub fn dp(&self, dp: u16) -> Option<Value> {
        self.typed_dps()?.value(DpId(dp)).map(|value| convert::dp_value(&value))
    }

    /// The DPs in it, lent, without a tree of values.
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
    use crate::state::Cache;
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
        let mut cache = Cache::new(crate::memory::Budget::alone(4096));
        cache.note(&report, true, rustuya_proto::Instant::ZERO, |_, _| ());
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
