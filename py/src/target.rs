//! Targets of commands.

use std::sync::Arc;

use rustuya_runtime_tokio as rt;

/// Device or sub-device that a command is for.
#[derive(Clone)]
pub(crate) enum Target {
    Device(rt::Device),
    /// Device of a handle that was closed; other handles may still use it.
    Closed(rt::Device),
    Sub(rt::SubDevice),
}

impl Target {
    /// Returns the device, or the gateway of a sub-device.
    pub(crate) fn device(&self) -> &rt::Device {
        match self {
            Self::Device(device) | Self::Closed(device) => device,
            Self::Sub(sub) => sub.gateway(),
        }
    }

    /// Returns the name for error texts: the id, or the gateway's id and the cid.
    pub(crate) fn name(&self) -> Arc<str> {
        match self {
            Self::Device(device) | Self::Closed(device) => device.id().into(),
            Self::Sub(sub) => format!("{}/{}", sub.gateway().id(), sub.id()).into(),
        }
    }
}
