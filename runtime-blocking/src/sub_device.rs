//! The handle of one sub-device behind a gateway.

use core::time::Duration;

use rustuya_runtime::{CommandError, Dp, IntoDps, Queried, State};
use serde::Serialize;

use crate::device::Device;
use crate::sending::Sending;
use crate::wait::block_on;

/// A device behind a gateway, such as a Zigbee sensor. Cheap to clone; it shares the gateway's connection, and its
/// events arrive at the gateway's listeners, marked with its cid.
///
/// Gateways answer from memory, also for a sub-device that is gone. Only a push, or a report of the gateway, tells
/// whether it lives. While the last such news is that it is offline, its commands are not sent and fail with
/// [`CommandError::SubDeviceOffline`].
#[derive(Clone, Debug)]
pub struct SubDevice {
    // In this order: the connection is to end before the thread does, which the gateway holds.
    inner: rustuya_runtime::SubDevice,
    gateway: Device,
}

impl SubDevice {
    pub(crate) const fn new(inner: rustuya_runtime::SubDevice, gateway: Device) -> Self {
        Self { inner, gateway }
    }

    /// Its cid.
    pub fn id(&self) -> &str {
        self.inner.id()
    }

    /// The gateway.
    pub const fn gateway(&self) -> &Device {
        &self.gateway
    }

    /// Whether the gateway reaches it, as far as reports and pushes tell; `None` when they told nothing yet.
    pub fn is_online(&self) -> Option<bool> {
        self.inner.is_online()
    }

    /// Its DPs as they were last heard.
    pub fn state(&self) -> State {
        self.inner.state()
    }

    /// As [`Device::status`], of this sub-device.
    pub fn status(&self) -> Sending {
        Sending::new(self.inner.status())
    }

    /// As [`Device::query`], of this sub-device.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn query(&self) -> Result<Queried, CommandError> {
        block_on(self.inner.query())
    }

    /// As [`Device::query_dps`], of this sub-device.
    ///
    /// # Errors
    /// As [`Device::query_dps`].
    pub fn query_dps(&self, dps: &[u16]) -> Result<Queried, CommandError> {
        block_on(self.inner.query_dps(dps))
    }

    /// As [`Device::query_dps_within`], of this sub-device.
    ///
    /// # Errors
    /// As [`Device::query_dps`].
    pub fn query_dps_within(&self, dps: &[u16], timeout: Duration) -> Result<Queried, CommandError> {
        block_on(self.inner.query_dps_within(dps, timeout))
    }

    /// As [`Device::set_value`], of this sub-device.
    pub fn set_value(&self, dp: impl Into<Dp>, value: impl Serialize) -> Sending {
        Sending::new(self.inner.set_value(dp, value))
    }

    /// As [`Device::set_dps`], of this sub-device.
    pub fn set_dps<Form>(&self, dps: impl IntoDps<Form>) -> Sending {
        Sending::new(self.inner.set_dps(dps))
    }

    /// As [`Device::update_dps`], of this sub-device.
    pub fn update_dps(&self, dps: &[u16]) -> Sending {
        Sending::new(self.inner.update_dps(dps))
    }
}
