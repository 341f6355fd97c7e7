//! Verbs of gateways: their sub-devices.

use std::sync::Arc;

use rustuya_proto::Cid;

use super::handle::Device;
use super::sending::Sending;
use super::sub_device::SubDevice;
use crate::link::Operation;
use crate::report::error::ConfigError;

impl Device {
    /// Queries the sub-devices of a gateway. In the payload of the answer, `data.online` and `data.offline` list the
    /// cids; a gateway with many may send more reports, which arrive as events. A sub-device that one report lacks is
    /// not necessarily gone. Devices that are no gateways, and gateways of 3.3, often do not answer.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let report = device.sub_discover().acknowledged().await?.payload();
    /// println!("{:?}", report.map(|report| report["data"]["online"].clone()));
    /// # Ok(()) }
    /// ```
    pub fn sub_discover(&self) -> Sending {
        self.submit(Ok(Operation::SubDevices), None)
    }

    /// Makes a handle of a sub-device of this gateway. It shares this connection and sends nothing by itself.
    ///
    /// ```
    /// # use rustuya_runtime::*;
    /// # async fn example(device: &Device) -> Result<(), Box<dyn core::error::Error>> {
    /// let sensor = device.sub("a4c1380000000001")?;
    /// println!("{:?}", sensor.query().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConfigError::Id`] if `cid` is invalid.
    pub fn sub(&self, cid: &str) -> Result<SubDevice, ConfigError> {
        Ok(SubDevice::new(self.clone(), Cid::new(cid)?))
    }

    /// Returns the known sub-devices, and whether the gateway reaches them, if it has reported that.
    pub fn sub_devices(&self) -> Vec<(Arc<str>, Option<bool>)> {
        self.link().with(|engine, _| engine.cache().children())
    }
}
