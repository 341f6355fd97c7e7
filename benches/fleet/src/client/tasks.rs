//! Fleets of libraries whose devices are tasks of a tokio runtime.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use rustuya_proto::Version;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::measure::{Progress, Reader};
use super::{Caller, Confirm, Fleet, PATIENCE, PoolSize, Seen};
use crate::virtual_device::VirtualDevice;

/// Fleet of one library. All calls are made inside a tokio runtime.
pub(crate) trait Client: Sized {
    /// One device.
    type Device: Device;
    /// A listener for all devices.
    type Events: Events;

    /// Starts to connect to every device.
    fn start(devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self>;

    /// Returns all devices, in order.
    fn devices(&self) -> &[Self::Device];

    /// Listens to every device from now on.
    fn listen(&self) -> Self::Events;
}

/// Handle of one device.
pub(crate) trait Device: Clone + Send + Sync + 'static {
    type Events: Events;

    /// True if the library waits for acknowledgements.
    const ACKNOWLEDGES: bool;

    /// Returns once the device is connected.
    fn wait_connected(&self) -> impl Future<Output = Result<()>> + Send;

    /// Returns whether the device is connected.
    fn is_connected(&self) -> bool;

    /// Switches DP 1, without waiting for the device.
    fn set(&self, on: bool) -> impl Future<Output = Result<()>> + Send;

    /// Switches DP 1 and waits for the device's acknowledgement. Not called when the library cannot.
    fn set_acknowledged(&self, on: bool) -> impl Future<Output = Result<()>> + Send;

    /// Listens to this device from now on.
    fn listen(&self) -> Self::Events;
}

pub(crate) trait Events: Send + 'static {
    /// Waits for the next event; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Seen>> + Send;
}

/// Runtime with its fleet.
pub(crate) struct Tasks<C> {
    client: C,
    runtime: Runtime,
}

impl<C: Client> Fleet for Tasks<C> {
    type Pool = Runtime;
    type Workers = JoinSet<Result<()>>;

    fn pool(size: PoolSize) -> Result<Option<Runtime>> {
        let mut builder = match size {
            PoolSize::Default => Builder::new_multi_thread(),
            PoolSize::One => Builder::new_current_thread(),
        };
        Ok(Some(builder.enable_all().build()?))
    }

    fn start(runtime: Runtime, devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self> {
        let client = runtime.block_on(async { C::start(devices, port, version) })?;
        Ok(Self { client, runtime })
    }

    fn wait_connected(&self) -> Result<()> {
        let all = async {
            for device in self.client.devices() {
                device.wait_connected().await?;
            }
            Ok(())
        };
        let wait = async { timeout(PATIENCE, all).await.context("not every device was connected in time")? };
        self.runtime.block_on(wait)
    }

    fn connected(&self) -> usize {
        self.client.devices().iter().filter(|device| device.is_connected()).count()
    }

    fn exchange(&self, caller: Caller, index: usize, rounds: usize) -> Result<Option<Vec<Duration>>> {
        let one = exchange(self.client.devices()[index].clone(), rounds);
        let times = match caller {
            Caller::Task => self.runtime.block_on(self.runtime.spawn(one))??,
            Caller::Thread => self.runtime.block_on(one)?,
        };
        Ok(Some(times))
    }

    /// Starts a task for each device, which keeps one command unresolved.
    fn commands(&self, confirm: Confirm, progress: &Arc<Progress>) -> Result<Option<JoinSet<Result<()>>>> {
        if confirm == Confirm::ByReply && !C::Device::ACKNOWLEDGES {
            return Ok(None);
        }
        let mut tasks = JoinSet::new();
        for device in self.client.devices() {
            let command = command(device.clone(), confirm, Arc::clone(progress));
            tasks.spawn_on(command, self.runtime.handle());
        }
        Ok(Some(tasks))
    }

    fn join(&self, mut tasks: JoinSet<Result<()>>) -> Result<()> {
        let all = async {
            while let Some(task) = tasks.join_next().await {
                task??;
            }
            Ok(())
        };
        self.runtime.block_on(async { timeout(PATIENCE, all).await.context("a command was never answered")? })
    }

    fn read(&self, sent: u64) -> Result<Reader> {
        let mut events = self.runtime.block_on(async { self.client.listen() });
        Reader::new(sent, |tally| {
            let task = self.runtime.spawn(async move { while tally.note(events.next().await) {} });
            Ok(move || task.abort())
        })
    }
}

/// Switches one device on and off until there are enough commands.
async fn command<D: Device>(device: D, confirm: Confirm, progress: Arc<Progress>) -> Result<()> {
    let mut events = (confirm == Confirm::ByPush).then(|| device.listen());
    let mut on = false;
    while !progress.is_stopped() {
        on = !on;
        match &mut events {
            Some(events) => {
                device.set(on).await?;
                push(events).await?;
            }
            None => device.set_acknowledged(on).await?,
        }
        progress.count();
    }
    Ok(())
}

/// Times `rounds` commands until the push arrives at a listener.
async fn exchange<D: Device>(device: D, rounds: usize) -> Result<Vec<Duration>> {
    let mut events = device.listen();
    let mut times = Vec::with_capacity(rounds);
    // Skips the first one: the device may have been idle for long.
    for round in 0..=rounds {
        let begin = Instant::now();
        device.set(round % 2 == 0).await?;
        push(&mut events).await?;
        if round > 0 {
            times.push(begin.elapsed());
        }
    }
    Ok(times)
}

async fn push(events: &mut impl Events) -> Result<()> {
    loop {
        match events.next().await {
            Some(Seen::Push) => return Ok(()),
            Some(Seen::Other) => {}
            Some(Seen::Lost(count)) => bail!("{count} events lost with one command under way"),
            None => bail!("the listener ended"),
        }
    }
}
