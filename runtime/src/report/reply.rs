//! Answers of devices.

use rustuya_proto::{CommandCode, Payload, Report, RetCode};
use serde_json::{Map, Value};

use crate::report::convert;

/// Answer of a device.
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let lamp = VirtualDevice::lamp(Version::V34).await?;
/// # let device = lamp.controller().spawn(&Tokio);
/// let reply = device.status().acknowledged().await?;
/// assert_eq!(reply.dps["2"], json!(50));
/// println!("{:?} {:?} {:?}", reply.command, reply.retcode, reply.payload());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// Command code of the answer; of the command, if success was known without a frame.
    pub command: CommandCode,
    /// Return code, whichever byte order the device uses. A code other than zero can mean success too; failures are
    /// [`CommandError::Rejected`](crate::CommandError::Rejected).
    pub retcode: Option<u32>,
    /// The DPs in the payload; of a query that was answered without any, those that the device pushed instead.
    pub dps: Map<String, Value>,
    /// For a query: whether the device may have more DPs, see [`QueryReply::partial`](crate::QueryReply::partial).
    pub partial: bool,
    /// The decrypted payload.
    bytes: Box<[u8]>,
}

impl Reply {
    /// Success without the contents of a frame.
    pub(crate) fn empty(command: CommandCode) -> Self {
        Self { command, retcode: None, dps: Map::new(), partial: false, bytes: Box::default() }
    }

    /// Converts the answer in `message`, whose payload was parsed as `report`.
    pub(crate) fn new(message: &rustuya_proto::Message<'_>, report: Option<&Report<'_>>) -> Self {
        Self {
            command: message.command,
            retcode: message.retcode.map(RetCode::number),
            dps: report.and_then(|report| report.dps).map(convert::dp_map).unwrap_or_default(),
            partial: false,
            bytes: message.payload.as_bytes().into(),
        }
    }

    /// Returns the decrypted payload.
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parses the payload as JSON, or as a string if it is not JSON; `None` if it is empty. Parses it anew with each call.
    pub fn payload(&self) -> Option<Value> {
        convert::payload(&Payload::new(&self.bytes))
    }
}
