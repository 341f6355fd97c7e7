//! Events of a virtual device: requests, rejected writes and changes.

use rustuya_proto::{CommandCode, WriteError};
use rustuya_runtime::Entry;
use serde_json::Value;

/// A request that a virtual device received.
///
/// ```
/// # use rustuya_runtime_tokio::Listener;
/// # use rustuya_virtual_device::Request;
/// async fn show(mut requests: Listener<Request>) {
///     while let Some(request) = requests.recv().await {
///         println!("{} {:?} {:?}", request.seqno, request.name, request.payload);
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// Sequence number.
    pub seqno: u32,
    /// Command code.
    pub command: CommandCode,
    /// Name of the command code, such as `DpQuery`, when it has one.
    pub name: Option<&'static str>,
    /// The sub-device that it addresses; `None` for the device itself.
    pub cid: Option<String>,
    /// Payload: JSON, or a string if it is not JSON; `None` if it is empty.
    pub payload: Option<Value>,
}

impl Entry for Request {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// A value in a controller's request that a virtual device did not accept. The controller gets no error: devices
/// acknowledge everything.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::builder("bf0123456789abcdefgh", "0123456789abcdef", Version::V35)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .dps(serde_json::from_str(r#"{ "1": false }"#)?)?
/// #     .start()
/// #     .await?;
/// # let device = Device::builder(lamp.id(), "0123456789abcdef")?.address(lamp.local_addr()).spawn(&Tokio);
/// let mut told = lamp.rejected_write_listener();
/// device.set_value(7, true).acknowledged().await?; // there is no DP 7
/// let rejected = told.recv().await.expect("it is told");
/// assert_eq!((rejected.dp, rejected.why), (7, Some(proto::WriteError::Unknown)));
/// assert_eq!(lamp.rejected_writes(), [rejected]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RejectedWrite {
    /// The sub-device that it addresses; `None` for the device itself.
    pub cid: Option<String>,
    /// The DP.
    pub dp: u16,
    /// The value.
    pub value: Value,
    /// Reason. `None` if the value itself is valid, but stands where 3.5 does not look (outside of `data`), or the
    /// request names another device.
    pub why: Option<WriteError>,
}

impl Entry for RejectedWrite {
    fn lagged(_lost: u64) -> Option<Self> {
        None
    }
}

/// Change to be pushed to controllers.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Dps {
        /// Connection that made the change, which its machine has answered already; `None` for the device itself.
        by: Option<u64>,
        cid: Option<String>,
        /// JSON text of the changed DPs.
        dps: String,
    },
    /// A sub-device was added or removed.
    Children,
    /// This many changes were dropped because the controller does not read.
    Lost(u64),
}

impl Change {
    pub(crate) fn is_by(&self, client: u64) -> bool {
        matches!(self, Self::Dps { by: Some(by), .. } if *by == client)
    }
}

impl Entry for Change {
    fn lagged(lost: u64) -> Option<Self> {
        Some(Self::Lost(lost))
    }
}
