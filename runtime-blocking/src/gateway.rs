//! Verbs of gateways: their sub-devices.

use std::sync::Arc;

use rustuya_runtime::ConfigError;

use crate::device::Device;
use crate::sending::Sending;
use crate::sub_device::SubDevice;

impl Device {
    /// Asks a gateway for its sub-devices. In the payload of the answer, `data.online` and `data.offline` list the
    /// cids; a gateway with many may send more reports, which arrive as events. The absence of a cid from both lists of
    /// one report means nothing. Devices that are no gateways, and gateways of 3.3, often do not answer.
    pub fn sub_discover(&self) -> Sending {
        Sending::new(self.inner.sub_discover())
    }

    /// Returns a sub-device of this gateway. The handle shares this connection and sends nothing by itself.
    ///
    /// # Errors
    /// [`ConfigError::Id`] when `cid` is invalid.
    pub fn sub(&self, cid: &str) -> Result<SubDevice, ConfigError> {
        Ok(SubDevice::new(self.inner.sub(cid)?, self.clone()))
    }

    /// Returns the known sub-devices, and whether the gateway reaches them, if it has reported that.
    pub fn sub_devices(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.inner.sub_devices()
    }
}
