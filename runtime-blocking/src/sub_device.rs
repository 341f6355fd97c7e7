//! Handle of one sub-device behind a gateway.

use core::time::Duration;

use rustuya_runtime::{CommandError, Dp, IntoDps, QueryReply, State};
use serde::Serialize;

use crate::device::Device;
use crate::sending::Sending;
use crate::wait::block_on;

/// Device behind a gateway, such as a Zigbee sensor. Cheap to clone; it shares the gateway's connection, and its events
/// arrive at the gateway's listeners, marked with its cid.
///
/// Gateways answer from memory, also for a lost sub-device. Only a push, or a report of the gateway, shows whether it
/// is reachable. While the last of these says that it is offline, its commands are not sent and fail with
/// [`CommandError::SubDeviceOffline`].
#[derive(Clone, Debug)]
pub struct SubDevice {
    // Dropped in this order: the connection must end before the thread, which the gateway keeps alive.
    inner: rustuya_runtime::SubDevice,
    gateway: Device,
}

impl SubDevice {
    pub(crate) const fn new(inner: rustuya_runtime::SubDevice, gateway: Device) -> Self {
        Self { inner, gateway }
    }

    /// Returns the cid.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// Returns the gateway.
    pub const fn gateway(&self) -> &Device {
        &self.gateway
    }

    /// Returns whether the gateway reaches it, according to reports and pushes; `None` if there were none yet.
    pub fn is_online(&self) -> Option<bool> {
        self.inner.is_online()
    }

    /// Returns its last received DPs.
    pub fn state(&self) -> State {
        self.inner.state()
    }

    /// Like [`Device::status`], of this sub-device.
    pub fn status(&self) -> Sending {
        Sending::new(self.inner.status())
    }

    /// Like [`Device::query`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn query(&self) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query())
    }

    /// Like [`Device::query_dps`], of this sub-device.
    ///
    /// # Errors
    /// Like [`Device::query_dps`].
    pub fn query_dps(&self, dps: &[u16]) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query_dps(dps))
    }

    /// Like [`Device::query_dps_within`], of this sub-device.
    ///
    /// # Errors
    /// Like [`Device::query_dps`].
    pub fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<QueryReply, CommandError> {
        block_on(self.inner.query_dps_within(dps, timeout))
    }

    /// Like [`Device::set_value`], of this sub-device.
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        Sending::new(self.inner.set_value(dp, value))
    }

    /// Like [`Device::set_dps`], of this sub-device.
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        Sending::new(self.inner.set_dps(dps))
    }

    /// Like [`Device::update_dps`], of this sub-device.
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        Sending::new(self.inner.update_dps(dps))
    }
}
