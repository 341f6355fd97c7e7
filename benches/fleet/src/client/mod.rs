//! What a fleet must be able to do to be measured, and the fleets of each library.

mod measure;
mod ours;
mod peer;
pub(crate) mod scenario;
mod tasks;
mod threads;

use core::time::Duration;
use std::sync::Arc;

use anyhow::Result;
use rustuya_proto::Version;

use crate::virtual_device::VirtualDevice;
use measure::{Progress, Reader};

pub(crate) use measure::{Extent, Server};
pub(crate) use ours::Ours;
pub(crate) use peer::Peer;
pub(crate) use tasks::Tasks;
pub(crate) use threads::Threads;

/// The most devices that dial or negotiate at the same time.
const DIALS: usize = 128;

/// How long anything may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A fleet in the hands of one library, used by a plain thread.
pub(crate) trait Fleet: Sized {
    /// The threads that the library needs.
    type Pool;
    /// Those who give commands.
    type Workers;

    /// Starts the threads; `None` when there is no such pool.
    fn pool(size: PoolSize) -> Result<Option<Self::Pool>>;

    /// Begins to connect to every device.
    fn start(pool: Self::Pool, devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self>;

    /// Returns once every device is connected.
    fn wait_connected(&self) -> Result<()>;

    /// How many devices are connected now.
    fn connected(&self) -> usize;

    /// Times `rounds` commands to one device until the push arrives at its listener; `None` when there is no such
    /// caller.
    fn exchange(&self, caller: Caller, index: usize, rounds: usize) -> Result<Option<Vec<Duration>>>;

    /// Has commands given to all devices until `progress` says stop; `None` when the library cannot.
    fn commands(&self, confirm: Confirm, progress: &Arc<Progress>) -> Result<Option<Self::Workers>>;

    /// Waits for those who have been told to stop.
    fn join(&self, workers: Self::Workers) -> Result<()>;

    /// Listens to every device, and has a reader take `sent` pushes.
    fn read(&self, sent: u64) -> Result<Reader>;
}

/// The threads of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolSize {
    /// As the library comes.
    Default,
    /// Devices and callers share one.
    One,
}

/// Who calls the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A task of the runtime.
    Task,
    /// A thread that waits for the call.
    Thread,
}

/// How a command is known to have been carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// A listener sees the push.
    ByPush,
    /// The library says so.
    ByReply,
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
