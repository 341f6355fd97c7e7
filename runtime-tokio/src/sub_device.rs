//! The handle of one sub-device behind a gateway.

use rustuya_proto::{Cid, DpId};
use serde_json::{Map, Value};

use crate::commands::{Ask, Reply};
use crate::device::Device;
use crate::error::CommandError;

/// A device behind a gateway, such as a Zigbee sensor. Cheap to clone; it shares the gateway's connection, and its
/// events arrive at the gateway's listeners, marked with its cid.
///
/// Gateways answer from memory, also for a sub-device that is gone: only a push proves that it lives.
#[derive(Clone, Debug)]
pub struct SubDevice {
    gateway: Device,
    cid: Cid,
}

impl SubDevice {
    pub(crate) const fn new(gateway: Device, cid: Cid) -> Self {
        Self { gateway, cid }
    }

    /// Its cid.
    pub fn id(&self) -> &str {
        self.cid.as_str()
    }

    /// The gateway.
    pub const fn gateway(&self) -> &Device {
        &self.gateway
    }

    /// As [`Device::status`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Device::status`].
    pub async fn status(&self) -> Result<Reply, CommandError> {
        self.ask(Ask::Status).await
    }

    /// As [`Device::query`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Device::status`].
    pub async fn query(&self) -> Result<Map<String, Value>, CommandError> {
        Ok(self.status().await?.dps)
    }

    /// As [`Device::set_value`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Device::set_value`].
    pub async fn set_value(&self, dp: u16, value: impl Into<Value>) -> Result<Reply, CommandError> {
        self.set_dps(Map::from_iter([(dp.to_string(), value.into())])).await
    }

    /// As [`Device::set_dps`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    ///
    /// # Cancel safety
    /// As [`Device::set_value`].
    pub async fn set_dps(&self, dps: Map<String, Value>) -> Result<Reply, CommandError> {
        self.ask(Ask::Set(Value::Object(dps).to_string())).await
    }

    /// As [`Device::update_dps`], of this sub-device; gateways often do nothing.
    ///
    /// # Errors
    /// See [`CommandError`]; never [`CommandError::Unanswered`].
    ///
    /// # Cancel safety
    /// As [`Device::status`].
    pub async fn update_dps(&self, dps: &[u16]) -> Result<Reply, CommandError> {
        self.ask(Ask::Update(dps.iter().copied().map(DpId).collect())).await
    }

    async fn ask(&self, ask: Ask) -> Result<Reply, CommandError> {
        self.gateway.ask(ask, Some(self.cid.clone())).await
    }
}
