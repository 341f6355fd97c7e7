//! What devices answer.

use rustuya_proto::CommandCode;
use serde_json::{Map, Value};

use crate::convert;

/// What a device answered.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reply {
    /// Command code of the answer; of the command, when no frame was needed to know that it succeeded.
    pub command: CommandCode,
    /// Return code, as the big-endian number on the wire. Not zero can mean success too: errors come as
    /// [`CommandError::Rejected`](crate::CommandError::Rejected).
    pub retcode: Option<u32>,
    /// The payload: JSON, a string when it is none, `None` when there is none.
    pub payload: Option<Value>,
    /// The DPs in the payload.
    pub dps: Map<String, Value>,
}

impl Reply {
    /// Success without a frame that tells more.
    pub(crate) fn empty(command: CommandCode) -> Self {
        Self { command, retcode: None, payload: None, dps: Map::new() }
    }

    pub(crate) fn new(message: &rustuya_proto::Message<'_>) -> Self {
        let dps = message.payload.report().and_then(|report| report.dps).map(convert::dp_map);
        Self {
            command: message.command,
            retcode: message.retcode.map(|code| code.0),
            payload: convert::payload(&message.payload),
            dps: dps.unwrap_or_default(),
        }
    }
}
