//! What every client goes through, in this order, in a process of its own.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use rustuya_proto::Version;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Client, Device, Events, PATIENCE, Seen};
use crate::control::Control;
use crate::figures::{BackAgain, Burst, Figures, Idle, Latency, Rate, median, percentile};
use crate::raw::Raw;
use crate::usage;
use crate::virtual_device::VirtualDevice;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) devices: usize,
    pub(crate) version: Version,
    /// Watching the idle fleet; zero leaves it out.
    pub(crate) idle: Duration,
    /// Set-to-push exchanges for each of the two callers.
    pub(crate) exchanges: usize,
    /// Sending commands.
    pub(crate) commands: Duration,
    /// Receiving events, in rounds of [`ROUND`] per device.
    pub(crate) events: Duration,
    /// Pushes per device in the burst.
    pub(crate) burst: usize,
    /// Whether to cut the connections in the end.
    pub(crate) cut: bool,
}

/// Pushes per device and round of the event rate.
const ROUND: usize = 64;
/// Exchanges in a row before the raw socket has its turn.
const TURN: usize = 50;
/// Without an event for so long, what is missing is lost.
const SILENCE: Duration = Duration::from_secs(10);

/// Where the devices are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) orders: u16,
}

/// Runs everything with a new runtime of the default size, and what concerns one device with a runtime of one thread.
pub(crate) fn run<C: Client>(server: Server, extent: Extent) -> Result<Figures> {
    usage::raise_file_limit(extent.devices + 16)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The server ends with the connection for orders.
    let mut control = Control::connect(server.orders)?;
    let mut figures = runtime.block_on(Scenario::<C>::run(server, &mut control, extent))?;
    drop(runtime);
    if extent.exchanges > 0 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        figures.one_thread = runtime.block_on(one_thread::<C>(server, extent))?;
    }
    Ok(figures)
}

async fn one_thread<C: Client>(server: Server, extent: Extent) -> Result<Latency> {
    let mut raw = Raw::connect(VirtualDevice::new(extent.devices), server.port, extent.version)?;
    let client = C::start(&[VirtualDevice::new(extent.devices + 1)], server.port, extent.version)?;
    timeout(PATIENCE, client.all_connected()).await.context("the device was not connected in time")??;
    latency(&client, 1, &mut raw, extent.exchanges, false).await
}

struct Scenario<'a, C> {
    client: Arc<C>,
    control: &'a mut Control,
    extent: Extent,
    cpu: Duration,
    server_cpu: u64,
}

impl<'a, C: Client> Scenario<'a, C> {
    async fn run(server: Server, control: &'a mut Control, extent: Extent) -> Result<Figures> {
        let devices: Vec<VirtualDevice> = (0..extent.devices).map(VirtualDevice::new).collect();
        // The threads of the runtime belong to the process, not to the devices.
        sleep(Duration::from_millis(100)).await;
        let empty = usage::resident()?;
        let mut figures = Figures::default();

        let (begin, cpu) = (Instant::now(), usage::cpu()?);
        let client = Arc::new(C::start(&devices, server.port, extent.version)?);
        timeout(PATIENCE, client.all_connected()).await.context("not every device was connected in time")??;
        figures.connect_ms = begin.elapsed().as_secs_f64() * 1e3;
        figures.connect_cpu_ms = (usage::cpu()? - cpu).as_secs_f64() * 1e3;
        ensure!(client.connected() == extent.devices, "a device is down again");

        let mut this = Self { client, control, extent, cpu, server_cpu: 0 };
        sleep(Duration::from_secs(1)).await;
        figures.idle_kib = this.kib_per_device(empty)?;
        figures.threads = usage::threads()?;
        if !extent.idle.is_zero() {
            figures.idle = Some(this.idle().await?);
        }
        if extent.exchanges > 0 {
            let extra = VirtualDevice::new(extent.devices);
            let mut raw = Raw::connect(extra, server.port, extent.version)?;
            figures.from_task = latency(&*this.client, extent.devices, &mut raw, extent.exchanges, true).await?;
            figures.from_thread = latency(&*this.client, extent.devices, &mut raw, extent.exchanges, false).await?;
        }
        figures.commands = this.commands(Acknowledge::ByPush).await?.context("every library sends commands")?;
        figures.acknowledged = this.commands(Acknowledge::ByReply).await?;
        (figures.events, figures.events_missing) = this.events().await?;
        figures.burst = this.burst(extent.burst).await?.0;
        figures.loaded_kib = this.kib_per_device(empty)?;
        if extent.cut {
            figures.back = Some(this.cut().await?);
        }
        Ok(figures)
    }

    fn kib_per_device(&self, empty: u64) -> Result<f64> {
        let grown = usage::resident()?.saturating_sub(empty);
        Ok(grown as f64 / 1024.0 / self.extent.devices as f64)
    }

    /// Begins to count CPU time.
    fn begin(&mut self) -> Result<Instant> {
        self.server_cpu = self.control.counts()?.cpu_us;
        self.cpu = usage::cpu()?;
        Ok(Instant::now())
    }

    /// CPU time of the client and the server since `begin`, microseconds.
    fn end(&mut self) -> Result<(f64, f64)> {
        let cpu = usage::cpu()? - self.cpu;
        let server = self.control.counts()?.cpu_us - self.server_cpu;
        Ok((cpu.as_secs_f64() * 1e6, server as f64))
    }

    async fn idle(&mut self) -> Result<Idle> {
        let before = self.control.counts()?.heartbeats;
        let begin = self.begin()?;
        sleep(self.extent.idle).await;
        let seconds = begin.elapsed().as_secs_f64();
        let (cpu, _) = self.end()?;
        let heartbeats = self.control.counts()?.heartbeats - before;
        let us_per_heartbeat = (heartbeats > 0).then(|| cpu / heartbeats as f64);
        Ok(Idle { cpu_percent: cpu / 1e4 / seconds, heartbeats, us_per_heartbeat })
    }

    /// Every device has one command under way at any time.
    async fn commands(&mut self, how: Acknowledge) -> Result<Option<Rate>> {
        if how == Acknowledge::ByReply && !C::Device::ACKNOWLEDGES {
            return Ok(None);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for index in 0..self.extent.devices {
            let (device, stop, done) = (self.client.device(index), Arc::clone(&stop), Arc::clone(&done));
            tasks.spawn(async move {
                let mut events = (how == Acknowledge::ByPush).then(|| device.listen());
                let mut on = false;
                while !stop.load(Ordering::Relaxed) {
                    on = !on;
                    match &mut events {
                        Some(events) => {
                            device.set(on).await?;
                            push(events).await?;
                        }
                        None => device.set_acknowledged(on).await?,
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        // The start of the tasks is left out.
        sleep(self.extent.commands / 4).await;
        let begin = self.begin()?;
        let before = done.load(Ordering::Relaxed);
        sleep(self.extent.commands).await;
        let count = (done.load(Ordering::Relaxed) - before) as f64;
        let seconds = begin.elapsed().as_secs_f64();
        let (cpu, server) = self.end()?;
        stop.store(true, Ordering::Relaxed);
        let all: Result<()> = timeout(PATIENCE, async {
            while let Some(task) = tasks.join_next().await {
                task??;
            }
            Ok(())
        })
        .await
        .context("a command was never answered by a push")?;
        all?;
        Ok(Some(Rate { per_second: count / seconds, cpu_us: cpu / count, server_cpu_us: server / count }))
    }

    /// Rounds that a listener can hold, until the time is over.
    async fn events(&mut self) -> Result<(Rate, u64)> {
        let (mut received, mut missing) = (0, 0);
        let (mut seconds, mut cpu, mut server) = (0.0, 0.0, 0.0);
        while seconds < self.extent.events.as_secs_f64() {
            let (round, client_us, server_us) = self.burst(ROUND).await?;
            ensure!(round.received > 0, "no event of a round arrived");
            received += round.received;
            missing += round.sent - round.received;
            seconds += round.seconds;
            cpu += client_us;
            server += server_us;
        }
        let count = received as f64;
        Ok((Rate { per_second: count / seconds, cpu_us: cpu / count, server_cpu_us: server / count }, missing))
    }

    /// `count` pushes from every device at once, to one listener that keeps reading. With the CPU time of the client
    /// and of the server, microseconds.
    async fn burst(&mut self, count: usize) -> Result<(Burst, f64, f64)> {
        let sent = self.control.prepare(count)?;
        ensure!(sent == u64::try_from(count * self.extent.devices)?, "a device was down before the burst");
        let tally = Arc::new(Tally::default());
        let mut events = self.client.listen();
        let reader = tokio::spawn({
            let tally = Arc::clone(&tally);
            async move { tally.read(&mut events, sent).await }
        });
        let begin = self.begin()?;
        self.control.burst()?;
        let last = tally.finish(reader).await?;
        let (cpu, server) = self.end()?;
        let received = tally.received.load(Ordering::Relaxed);
        let told = tally.lost.load(Ordering::Relaxed);
        let seconds = last.saturating_duration_since(begin).as_secs_f64();
        Ok((Burst { sent, received, told, seconds }, cpu, server))
    }

    /// Closes every connection at the devices' end.
    async fn cut(&mut self) -> Result<BackAgain> {
        let cut = self.control.cut()?;
        ensure!(cut == u64::try_from(self.extent.devices)?, "{cut} devices were connected before the cut");
        let begin = Instant::now();
        loop {
            sleep(Duration::from_millis(20)).await;
            let back = self.control.back()?;
            if let (Some(half), Some(all)) = (back.half, back.all) {
                timeout(PATIENCE, self.client.all_connected()).await.context("not every device came back")??;
                return Ok(BackAgain { half, all });
            }
            if begin.elapsed() > PATIENCE {
                bail!("{} of {cut} devices are back {PATIENCE:?} after the cut", self.control.counts()?.ready);
            }
        }
    }
}

/// How a command is known to have been carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Acknowledge {
    /// A listener sees the push.
    ByPush,
    /// The library says so.
    ByReply,
}

/// `exchanges` with one of `devices` after the other, in turns with the raw socket.
async fn latency<C: Client>(
    client: &C,
    devices: usize,
    raw: &mut Raw,
    exchanges: usize,
    in_task: bool,
) -> Result<Latency> {
    let (mut times, mut raw_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    raw.exchange(TURN)?;
    for turn in 0..exchanges.div_ceil(TURN) {
        let mut bare = raw.exchange(TURN)?;
        let one = exchange(client.device(turn % devices), TURN);
        let mut with_library = if in_task { tokio::spawn(one).await?? } else { one.await? };
        ratios.push(percentile(&mut with_library, 0.5) / percentile(&mut bare, 0.5));
        raw_times.append(&mut bare);
        times.append(&mut with_library);
    }
    Ok(Latency {
        p50: percentile(&mut times, 0.5),
        p99: percentile(&mut times, 0.99),
        raw_p50: percentile(&mut raw_times, 0.5),
        raw_p99: percentile(&mut raw_times, 0.99),
        ratio: median(ratios).context("no exchange")?,
    })
}

/// Times `rounds` commands until the push arrives at a listener.
async fn exchange<D: Device>(device: D, rounds: usize) -> Result<Vec<Duration>> {
    let mut events = device.listen();
    let mut times = Vec::with_capacity(rounds);
    // The first one is not counted: the device may have been left alone for long.
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

/// What a listener has seen of a burst.
#[derive(Default)]
struct Tally {
    received: AtomicU64,
    lost: AtomicU64,
}

impl Tally {
    /// Reads until `sent` pushes are accounted for; when that was.
    async fn read(&self, events: &mut impl Events, sent: u64) -> Result<Instant> {
        let (mut received, mut lost) = (0, 0);
        while received + lost < sent {
            match events.next().await {
                Some(Seen::Push) => received += 1,
                Some(Seen::Lost(count)) => lost += count,
                Some(Seen::Other) => continue,
                None => bail!("the listener ended"),
            }
            self.received.store(received, Ordering::Relaxed);
            self.lost.store(lost, Ordering::Relaxed);
        }
        Ok(Instant::now())
    }

    /// Waits for the reader, but not longer than events keep coming.
    async fn finish(&self, mut reader: tokio::task::JoinHandle<Result<Instant>>) -> Result<Instant> {
        let (mut before, mut since) = (0, Instant::now());
        loop {
            if let Ok(done) = timeout(Duration::from_millis(200), &mut reader).await {
                return done?;
            }
            let now = self.received.load(Ordering::Relaxed);
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > SILENCE {
                reader.abort();
                return Ok(since);
            }
        }
    }
}
