//! Sequence of measurements of every client, in a process of its own.

use core::time::Duration;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::measure::{Extent, Progress, Server, Span, Spent, Turns};
use super::{Caller, Confirm, Fleet, PATIENCE, PoolSize};
use crate::control::Control;
use crate::figures::{BackAgain, Burst, Figures, Latency, Rate};
use crate::raw::Raw;
use crate::usage;
use crate::virtual_device::VirtualDevice;

/// Pushes per device and round of the event rate.
const ROUND: usize = 64;
/// Number of consecutive exchanges before the turn of the raw socket.
const TURN: usize = 50;

/// Runs all measurements with the library's default threads, and those of one device also with one thread.
pub(crate) fn run<F: Fleet>(server: Server, extent: Extent) -> Result<Figures> {
    usage::raise_file_limit(extent.devices + 16)?;
    // The server ends with the control connection.
    let mut control = Control::connect(server.orders)?;
    let mut figures = Scenario::<F>::run(server, &mut control, extent)?;
    if extent.exchanges > 0
        && let Some(pool) = F::pool(PoolSize::One)?
    {
        let mut raw = Raw::connect(VirtualDevice::new(extent.devices), server.port, extent.version)?;
        let device = VirtualDevice::new(extent.devices + 1);
        let fleet = F::start(pool, &[device], server.port, extent.version)?;
        fleet.wait_connected()?;
        figures.one_thread = latency(&fleet, Caller::Thread, 1, &mut raw, extent.exchanges)?;
    }
    Ok(figures)
}

struct Scenario<'a, F> {
    fleet: F,
    control: &'a mut Control,
    extent: Extent,
}

impl<'a, F: Fleet> Scenario<'a, F> {
    fn run(server: Server, control: &'a mut Control, extent: Extent) -> Result<Figures> {
        let devices: Vec<VirtualDevice> = (0..extent.devices).map(VirtualDevice::new).collect();
        // Starts the threads before the measurement: their memory is not the devices'.
        let pool = F::pool(PoolSize::Default)?.context("no threads for the devices")?;
        sleep(Duration::from_millis(100));
        let empty = usage::resident()?;
        let mut figures = Figures::default();

        let (begin, cpu) = (Instant::now(), usage::cpu()?);
        let fleet = F::start(pool, &devices, server.port, extent.version)?;
        fleet.wait_connected()?;
        figures.connect_ms = begin.elapsed().as_secs_f64() * 1e3;
        figures.connect_cpu_ms = (usage::cpu()? - cpu).as_secs_f64() * 1e3;
        ensure!(fleet.connected() == extent.devices, "a device is down again");

        let mut this = Self { fleet, control, extent };
        sleep(Duration::from_secs(1));
        figures.idle_kib = this.kib_per_device(empty)?;
        figures.threads = usage::threads()?;
        if !extent.idle.is_zero() {
            let span = Span::begin(this.control)?;
            sleep(extent.idle);
            figures.idle = Some(span.end(this.control)?.idle());
        }
        if extent.exchanges > 0 {
            let mut raw = Raw::connect(VirtualDevice::new(extent.devices), server.port, extent.version)?;
            let mut time = |caller| latency(&this.fleet, caller, extent.devices, &mut raw, extent.exchanges);
            (figures.from_task, figures.from_thread) = (time(Caller::Task)?, time(Caller::Thread)?);
        }
        figures.commands = this.commands(Confirm::ByPush)?.context("every library sends commands")?;
        figures.acknowledged = this.commands(Confirm::ByReply)?;
        (figures.events, figures.events_missing) = this.events()?;
        figures.burst = this.burst(extent.burst)?.0;
        figures.loaded_kib = this.kib_per_device(empty)?;
        if extent.cut {
            figures.back = Some(this.cut()?);
        }
        Ok(figures)
    }

    fn kib_per_device(&self, empty: u64) -> Result<f64> {
        let grown = usage::resident()?.saturating_sub(empty);
        Ok(grown as f64 / 1024.0 / self.extent.devices as f64)
    }

    fn commands(&mut self, confirm: Confirm) -> Result<Option<Rate>> {
        let progress = Arc::<Progress>::default();
        let Some(workers) = self.fleet.commands(confirm, &progress)? else { return Ok(None) };
        // Leaves out the start of the workers.
        sleep(self.extent.commands / 4);
        let span = Span::begin(self.control)?;
        let before = progress.done();
        sleep(self.extent.commands);
        let count = progress.done() - before;
        let spent = span.end(self.control)?;
        progress.stop();
        self.fleet.join(workers)?;
        Ok(Some(spent.rate(count)))
    }

    /// Measures rounds that fit into a listener's queue, until the time is over.
    fn events(&mut self) -> Result<(Rate, u64)> {
        let (mut received, mut missing, mut all) = (0, 0, Spent::default());
        while all.seconds < self.extent.events.as_secs_f64() {
            let (round, spent) = self.burst(ROUND)?;
            ensure!(round.received > 0, "no event of a round arrived");
            received += round.received;
            missing += round.sent - round.received;
            all.seconds += round.seconds;
            all.cpu += spent.cpu;
            all.server_cpu += spent.server_cpu;
        }
        Ok((all.rate(received), missing))
    }

    /// Measures `count` pushes from every device at once, with one listener that keeps reading.
    fn burst(&mut self, count: usize) -> Result<(Burst, Spent)> {
        let sent = self.control.prepare(count)?;
        ensure!(sent == u64::try_from(count * self.extent.devices)?, "a device was down before the burst");
        let reader = self.fleet.read(sent)?;
        let span = Span::begin(self.control)?;
        let begin = span.begin;
        self.control.burst()?;
        let (last, received, told) = reader.finish()?;
        let spent = span.end(self.control)?;
        let seconds = last.saturating_duration_since(begin).as_secs_f64();
        Ok((Burst { sent, received, told, seconds }, spent))
    }

    /// Closes every connection at the devices' end, and measures the reconnection.
    fn cut(&mut self) -> Result<BackAgain> {
        let cut = self.control.cut()?;
        ensure!(cut == u64::try_from(self.extent.devices)?, "{cut} devices were connected before the cut");
        let begin = Instant::now();
        loop {
            sleep(Duration::from_millis(20));
            let back = self.control.back()?;
            if let (Some(half), Some(all)) = (back.half, back.all) {
                self.fleet.wait_connected()?;
                return Ok(BackAgain { half, all });
            }
            if begin.elapsed() > PATIENCE {
                bail!("{} of {cut} devices are back {PATIENCE:?} after the cut", self.control.counts()?.ready);
            }
        }
    }
}

/// Measures `exchanges` with each of `devices` in turn, alternating with the raw socket.
fn latency<F: Fleet>(
    fleet: &F,
    caller: Caller,
    devices: usize,
    raw: &mut Raw,
    exchanges: usize,
) -> Result<Option<Latency>> {
    let mut turns = Turns::default();
    raw.exchange(TURN)?;
    for turn in 0..exchanges.div_ceil(TURN) {
        let bare = raw.exchange(TURN)?;
        let Some(times) = fleet.exchange(caller, turn % devices, TURN)? else { return Ok(None) };
        turns.add(times, bare);
    }
    turns.latency().map(Some)
}
