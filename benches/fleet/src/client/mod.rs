//! What a library must be able to do to be measured, and the libraries.

mod ours;
mod peer;
pub(crate) mod scenario;

use anyhow::Result;
use rustuya_proto::Version;

use crate::virtual_device::VirtualDevice;

pub(crate) use ours::Ours;
pub(crate) use peer::Peer;

/// The most devices that dial or negotiate at the same time.
pub(crate) const DIALS: usize = 128;

/// How long anything may take before the run is given up.
pub(crate) const PATIENCE: core::time::Duration = core::time::Duration::from_secs(120);

/// A fleet in the hands of one library. Everything is called inside a tokio runtime.
pub(crate) trait Client: Sized + Send + Sync + 'static {
    /// One device.
    type Device: Device;
    /// A listener for all devices.
    type Events: Events;

    /// Begins to connect to every device.
    fn start(devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self>;

    /// Returns once every device is connected.
    fn all_connected(&self) -> impl Future<Output = Result<()>> + Send;

    /// How many devices are connected now.
    fn connected(&self) -> usize;

    /// A handle of device number `index`.
    fn device(&self, index: usize) -> Self::Device;

    /// Listens to every device from now on.
    fn listen(&self) -> Self::Events;
}

/// A handle of one device.
pub(crate) trait Device: Clone + Send + Sync + 'static {
    type Events: Events;

    /// Whether the library waits for acknowledgements.
    const ACKNOWLEDGES: bool;

    /// Switches DP 1, without waiting for the device.
    fn set(&self, on: bool) -> impl Future<Output = Result<()>> + Send;

    /// Switches DP 1 and waits for the device's acknowledgement. Not called when the library cannot.
    fn set_acknowledged(&self, on: bool) -> impl Future<Output = Result<()>> + Send;

    /// Listens to this device from now on.
    fn listen(&self) -> Self::Events;
}

/// What a listener hands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A device pushed DPs.
    Push,
    /// So many events were lost before this point.
    Lost(u64),
    /// Anything else, such as the acknowledgement of a command.
    Other,
}

pub(crate) trait Events: Send + 'static {
    /// The next event; `None` when there will be no more.
    fn next(&mut self) -> impl Future<Output = Option<Seen>> + Send;
}
