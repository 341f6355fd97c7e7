//! Handle of one sub-device behind a gateway.

use core::time::Duration;

use rustuya_proto::{Cid, DpId};
use serde::Serialize;

use super::dp::{self, Dp, IntoDps};
use super::handle::Device;
use super::query::{self, QueryReply};
use super::sending::Sending;
use crate::link::Operation;
use crate::report::error::CommandError;
use crate::report::state::State;

/// A device behind a gateway, such as a Zigbee sensor. Cheap to clone. It shares the gateway's connection; its events
/// arrive at the gateway's listeners, with its cid.
///
/// Gateways answer from memory, also for a sub-device that is gone. Only a push, or a report of the gateway, proves
/// that it is reachable. While the last report is that it is offline, its commands are not sent and fail with
/// [`CommandError::SubDeviceOffline`].
///
/// ```
/// # use {rustuya_runtime_tokio::*, rustuya_virtual_device::VirtualDevice};
/// # use serde_json::json;
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn core::error::Error>> {
/// # let far_end = VirtualDevice::builder("gw0123456789abcdefgh", "0123456789abcdef", Version::V34)?
/// #     .bind("127.0.0.1:0".parse()?)
/// #     .sub("a4c1380000000001", serde_json::from_str(r#"{ "1": 215 }"#)?)?
/// #     .start()
/// #     .await?;
/// # let gateway = Device::builder(far_end.id(), "0123456789abcdef")?
/// #     .address(far_end.local_addr())
/// #     .version(Version::V34)
/// #     .spawn(&Tokio);
/// let sensor = gateway.sub("a4c1380000000001")?;
/// assert_eq!(sensor.query().await?["1"], json!(215));
/// assert_eq!(sensor.state().get(1), Some(&json!(215)));
/// assert_eq!(sensor.is_online(), None); // an answer can come from the gateway's memory
/// gateway.sub_discover().acknowledged().await?;
/// assert_eq!(sensor.is_online(), Some(true));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubDevice {
    gateway: Device,
    cid: Cid,
}

impl SubDevice {
    pub(super) const fn new(gateway: Device, cid: Cid) -> Self {
        Self { gateway, cid }
    }

    /// Returns its cid.
    pub fn id(&self) -> &str {
        self.cid.as_str()
    }

    /// Returns the gateway.
    pub const fn gateway(&self) -> &Device {
        &self.gateway
    }

    /// Returns whether the gateway reaches it, by reports and pushes; `None` before the first one.
    pub fn is_online(&self) -> Option<bool> {
        self.gateway.link().with(|engine, _| engine.cache().online(self.id()))
    }

    /// Returns its last known DPs, and whether the gateway has reported them on the present connection. They may come
    /// from the gateway's memory. No query is sent on its own.
    pub fn state(&self) -> State {
        self.gateway.link().with(|engine, _| engine.child_state(self.id()))
    }

    /// As [`Device::status`], for this sub-device.
    pub fn status(&self) -> Sending {
        self.submit(Ok(Operation::Status))
    }

    /// As [`Device::query`], for this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Device::query`].
    pub async fn query(&self) -> Result<QueryReply, CommandError> {
        Ok(self.status().acknowledged().await?.into())
    }

    /// As [`Device::query_dps`], for this sub-device.
    ///
    /// # Errors
    /// As [`Device::query_dps`].
    pub async fn query_dps(&self, dps: &[u16]) -> Result<QueryReply, CommandError> {
        query::query_dps(self.gateway.link(), Some(&self.cid), dps, None).await
    }

    /// As [`Device::query_dps_within`], for this sub-device.
    ///
    /// # Errors
    /// As [`Device::query_dps`].
    pub async fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<QueryReply, CommandError> {
        query::query_dps(self.gateway.link(), Some(&self.cid), dps, Some(timeout)).await
    }

    /// As [`Device::set_value`], for this sub-device.
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        self.submit(dp::set_value(dp.into(), value))
    }

    /// As [`Device::set_dps`], for this sub-device.
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        self.submit(dp::set_dps(dps))
    }

    /// As [`Device::update_dps`], for this sub-device.
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        self.submit(Ok(Operation::Update(dps.iter().copied().map(DpId).collect())))
    }

    fn submit(&self, operation: Result<Operation, CommandError>) -> Sending {
        self.gateway.submit(operation, Some(self.cid.clone()))
    }
}
