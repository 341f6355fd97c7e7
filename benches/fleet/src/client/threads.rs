//! This library with its plain-thread driver.

use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::{self, JoinHandle, available_parallelism};
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use rustuya_proto::Version;
use rustuya_runtime_blocking::{Device, Listener, Manager, ManagerEvent, PollThread, Registry};

use super::measure::{Progress, Reader, Tally};
use super::ours::seen;
use super::{Caller, Confirm, DIALS, Fleet, PATIENCE, PoolSize, Seen};
use crate::virtual_device::VirtualDevice;

/// All devices on one poll thread.
pub(crate) struct Threads {
    registry: Registry,
    manager: Manager,
    devices: Vec<Device>,
}

impl Fleet for Threads {
    type Pool = PollThread;
    type Workers = Vec<JoinHandle<Result<()>>>;

    /// The devices always have a thread of their own.
    fn pool(size: PoolSize) -> Result<Option<PollThread>> {
        Ok(match size {
            PoolSize::Default => Some(PollThread::start()?),
            PoolSize::One => None,
        })
    }

    fn start(thread: PollThread, devices: &[VirtualDevice], port: u16, version: Version) -> Result<Self> {
        let registry = Registry::builder(thread).dials_at_once(DIALS).without_discovery().build();
        let manager = Manager::new(&registry);
        let add = |device: &VirtualDevice| -> Result<Device> {
            let builder = Device::builder(&device.id, &device.key)?.query_on_connect(false);
            Ok(manager.add_with(builder.address(IpAddr::V4(device.address)).port(port).version(version))?)
        };
        let devices = devices.iter().map(add).collect::<Result<_>>()?;
        Ok(Self { registry, manager, devices })
    }

    fn wait_connected(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for device in &self.devices {
            device.wait_connected(deadline.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    fn connected(&self) -> usize {
        self.devices.iter().filter(|device| device.is_connected()).count()
    }

    fn exchange(&self, caller: Caller, index: usize, rounds: usize) -> Result<Option<Vec<Duration>>> {
        if caller == Caller::Task {
            return Ok(None);
        }
        let device = &self.devices[index];
        let mut events = device.listener();
        let mut times = Vec::with_capacity(rounds);
        // Skips the first one: the device may have been idle for long.
        for round in 0..=rounds {
            let begin = Instant::now();
            device.set_value(1, round % 2 == 0).send()?;
            loop {
                match seen(&events.recv().context("the listener ended")?) {
                    Seen::Push => break,
                    Seen::Other => {}
                    Seen::Lost(count) => bail!("{count} events lost with one command under way"),
                }
            }
            if round > 0 {
                times.push(begin.elapsed());
            }
        }
        Ok(Some(times))
    }

    fn commands(&self, confirm: Confirm, progress: &Arc<Progress>) -> Result<Option<Self::Workers>> {
        let cores = available_parallelism()?.get();
        let threads = match confirm {
            Confirm::ByPush => cores,
            Confirm::ByReply => 2 * cores,
        };
        let mut workers = Vec::new();
        for share in self.devices.chunks(self.devices.len().div_ceil(threads)) {
            let (devices, progress) = (share.to_vec(), Arc::clone(progress));
            let worker = match confirm {
                Confirm::ByPush => {
                    let events = self.listen_to(share)?;
                    thread::spawn(move || answer_pushes(&devices, events, &progress))
                }
                Confirm::ByReply => thread::spawn(move || go_round(&devices, &progress)),
            };
            workers.push(worker);
        }
        Ok(Some(workers))
    }

    fn join(&self, workers: Self::Workers) -> Result<()> {
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
    }

    fn read(&self, sent: u64) -> Result<Reader> {
        let events = self.manager.listener();
        Reader::new(sent, |tally| {
            let enough = Arc::<AtomicBool>::default();
            let stop = Arc::clone(&enough);
            thread::Builder::new().spawn(move || read(events, &tally, &stop))?;
            Ok(move || enough.store(true, Ordering::Relaxed))
        })
    }
}

impl Threads {
    /// Creates a manager with a share of the devices, and its listener.
    fn listen_to(&self, share: &[Device]) -> Result<Pushes> {
        let manager = Manager::new(&self.registry);
        for device in share {
            manager.add_with(device.config())?;
        }
        Ok(Pushes { events: manager.listener(), _manager: manager })
    }
}

/// Listener of a share of the devices.
struct Pushes {
    events: Listener<ManagerEvent>,
    /// Without it, the listener ends.
    _manager: Manager,
}

/// Keeps one command unresolved at every device: sends the next one after each push.
fn answer_pushes(devices: &[Device], mut pushes: Pushes, progress: &Progress) -> Result<()> {
    let mut by_id: HashMap<&str, (&Device, bool)> = HashMap::new();
    for device in devices {
        by_id.insert(device.id(), (device, true));
        device.set_value(1, true).send()?;
    }
    let mut under_way = devices.len();
    while under_way > 0 {
        let told = pushes.events.recv_timeout(PATIENCE).context("a command was never answered by a push")?;
        match seen(&told.event) {
            Seen::Push => {}
            Seen::Other => continue,
            Seen::Lost(count) => bail!("{count} events lost with one command under way at each device"),
        }
        progress.count();
        let (device, on) = by_id.get_mut(&*told.device_id).context("an event of a foreign device")?;
        if progress.is_stopped() {
            under_way -= 1;
        } else {
            *on = !*on;
            device.set_value(1, *on).send()?;
        }
    }
    Ok(())
}

/// Sends commands one by one, each after the acknowledgement of the previous one.
fn go_round(devices: &[Device], progress: &Progress) -> Result<()> {
    for on in [true, false].into_iter().cycle() {
        for device in devices {
            if progress.is_stopped() {
                return Ok(());
            }
            device.set_value(1, on).acknowledged()?;
            progress.count();
        }
    }
    Ok(())
}

/// Reads the expected pushes of `tally`, or until `enough`.
fn read(mut events: Listener<ManagerEvent>, tally: &Tally, enough: &AtomicBool) {
    while !enough.load(Ordering::Relaxed) {
        match events.recv_timeout(Duration::from_secs(1)) {
            Ok(told) if tally.note(Some(seen(&told.event))) => {}
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) => return,
            Err(RecvTimeoutError::Disconnected) => {
                tally.note(None);
                return;
            }
        }
    }
}
