//! Interface of the measured fleets, and the fleets of each library.

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

/// Largest number of devices that dial or negotiate at the same time.
const DIALS: usize = 128;

/// Time limit of every wait; after it the run fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Fleet of one library, used by a plain thread.
pub(crate) trait Fleet: Sized {
    /// Threads of the library.
    type Pool;
    /// Senders of commands.
    type Workers;

    /// Starts the threads; `None` when there is no such pool.
    fn pool(size: PoolSize) -> Result<Option<Self::Pool>>;

    /// Starts to connect to every device.
    fn start(pool: Self::Pool, devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self>;

    /// Returns once every device is connected.
    fn wait_connected(&self) -> Result<()>;

    /// Returns the number of connected devices.
    fn connected(&self) -> usize;

    /// Times `rounds` commands to one device until the push arrives at its listener; `None` when there is no such
    /// caller.
    fn exchange(&self, caller: Caller, index: usize, rounds: usize) -> Result<Option<Vec<Duration>>>;

    /// Starts commands to all devices until `progress` ends them; `None` when the library cannot.
    fn commands(&self, confirm: Confirm, progress: &Arc<Progress>) -> Result<Option<Self::Workers>>;

    /// Waits for the end of the stopped senders.
    fn join(&self, workers: Self::Workers) -> Result<()>;

    /// Listens to every device, and starts a reader of `sent` pushes.
    fn read(&self, sent: u64) -> Result<Reader>;
}

/// Number of threads of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolSize {
    /// The library's default.
    Default,
    /// Devices and callers share one thread.
    One,
}

/// Caller of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A task of the runtime.
    Task,
    /// A thread that waits for the call.
    Thread,
}

/// Confirmation of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// A listener receives the push.
    ByPush,
    /// The library returns the acknowledgement.
    ByReply,
}

/// Entry of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A device pushed DPs.
    Push,
    /// This number of events were lost before this point.
    Lost(u64),
    /// Anything else, such as the acknowledgement of a command.
    Other,
}
