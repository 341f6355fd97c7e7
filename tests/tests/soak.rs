//! Soak test of a set of devices: its resources must not grow.
//!
//! `cargo xtask soak` runs this for minutes, and measures the resident memory as well; the short form among the tests
//! checks only counts. `RUSTUYA_SOAK_SECONDS` sets the duration.

#![cfg(target_os = "linux")]

use core::time::Duration;
use std::fs;
use std::time::Instant;

use rustuya_runtime_blocking as blocking;
use rustuya_runtime_tokio::{
    Device, Discovery, DiscoveryBuilder, Event, Manager, Pacing, Registry, Timing, Tokio, Version,
};
use rustuya_virtual_device::VirtualDevice;
use serde_json::{Map, Value, json};

const KEY: &str = "0123456789abcdef";
const CHILD: &str = "a4c1380123456789";
/// Rounds of the short form.
const ROUNDS: usize = 24;
/// Time limit of every wait, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Resources of the process.
#[derive(Clone, Copy, Debug)]
struct Usage {
    descriptors: u64,
    threads: u64,
    /// Resident memory in KiB.
    memory: u64,
}

impl Usage {
    fn now() -> Self {
        let descriptors = fs::read_dir("/proc/self/fd").expect("Linux").count() as u64;
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux");
            line.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
        };
        Self { descriptors, threads: of("Threads:"), memory: of("VmRSS:") }
    }
}

/// Returns the growth apart from fluctuations: the minimum of the last third minus the maximum of the second. The first
/// third warms up.
fn growth(usage: &[Usage], of: fn(&Usage) -> u64) -> u64 {
    let third = usage.len() / 3;
    let most = usage[third..usage.len() - third].iter().map(of).max().unwrap_or(0);
    let least = usage[usage.len() - third..].iter().map(of).min().unwrap_or(0);
    least.saturating_sub(most)
}

fn check(usage: &[Usage], with_memory: bool) {
    let descriptors = growth(usage, |usage| usage.descriptors);
    let threads = growth(usage, |usage| usage.threads);
    let memory = growth(usage, |usage| usage.memory);
    println!(
        "{} rounds; {:?} at first, {:?} in the end; grown by {descriptors} descriptors, {threads} threads, {memory} KiB",
        usage.len(),
        usage[usage.len() / 3],
        usage[usage.len() - 1]
    );
    assert!(descriptors == 0 && threads == 0, "descriptors or threads are not given back");
    // Allocators keep some freed memory.
    assert!(!with_memory || memory < 2048, "memory is not given back");
}

#[test]
fn nothing_grows_but_the_time() {
    let seconds = std::env::var("RUSTUYA_SOAK_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().expect("threads");
    let mut usage = tokio.block_on(Fleet::live(until));
    // Ended runtimes must have released everything.
    drop(tokio);
    check(&usage, until.is_some());
    usage.clear();
}

/// Devices, and programs that use them until the end.
struct Fleet {
    lamps: Vec<VirtualDevice>,
    discovery: Discovery,
    manager: Manager,
    handles: Vec<Device>,
    thread: blocking::PollThread,
}

impl Fleet {
    async fn live(until: Option<Instant>) -> Vec<Usage> {
        let fleet = Self::build().await;
        let mut news = fleet.manager.listener();
        let received = tokio::spawn(async move {
            let mut count = 0_u64;
            while news.recv().await.is_some() {
                count += 1;
            }
            count
        });
        // An unread listener queues a bounded number of events.
        let forgotten = fleet.handles[0].listener();
        let mut usage = Vec::new();
        while until.map_or(usage.len() < ROUNDS, |until| Instant::now() < until || usage.len() < ROUNDS) {
            let number = usage.len();
            fleet.round(number).await;
            usage.push(Usage::now());
            if number.is_multiple_of(50) {
                println!("round {number}: {:?}", usage[number]);
            }
        }
        let totals: Vec<_> = fleet.handles.iter().map(Device::metrics).collect();
        let (connects, sent) = totals.iter().fold((0, 0), |(c, s), metrics| (c + metrics.connects, s + metrics.sent));
        for handle in &fleet.handles {
            handle.close().await;
        }
        drop((forgotten, fleet));
        let received = received.await.expect("no panic");
        assert!(
            connects as usize > usage.len() && received > sent / 2,
            "{connects} connections, {sent} sent, {received} heard"
        );
        println!("the handles that stayed: {connects} connections, {sent} commands, {received} events");
        usage
    }

    async fn build() -> Self {
        let discovery = listening().start(&Tokio).expect("free ports");
        let announce = discovery.local_addrs()[1];
        let mut lamps = Vec::new();
        for (number, version) in [Version::V31, Version::V33, Version::V34, Version::V35].into_iter().enumerate() {
            let dps = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("DPs");
            let lamp = VirtualDevice::builder(&format!("bf0123456789abcd000{number}"), KEY, version)
                .and_then(|lamp| lamp.dps(dps(r#"{"1":false,"2":0,"5":"white"}"#)))
                .and_then(|lamp| lamp.sub(CHILD, dps(r#"{"1":false}"#)))
                .expect("a device");
            let lamp = lamp.bind("127.0.0.1:0".parse().expect("an address"));
            let lamp = lamp.announce_to(announce).announce_every(Duration::from_millis(20));
            lamps.push(lamp.start().await.expect("a free port"));
        }
        let manager = Manager::new(&Registry::new(Tokio));
        let handles = lamps.iter().map(|lamp| {
            let builder = Device::builder(lamp.id(), KEY).expect("an id").version(lamp.version()).timing(timing());
            manager.add_with(builder.address(lamp.local_addr())).expect("a new one")
        });
        let handles = handles.collect();
        Self { discovery, manager, handles, thread: blocking::PollThread::start().expect("a thread"), lamps }
    }

    async fn round(&self, number: usize) {
        for (lamp, handle) in self.lamps.iter().zip(&self.handles) {
            come_back(handle).await;
            for value in 0..20 {
                let pushed = Map::from_iter([("5".to_owned(), json!(format!("{number}.{value}")))]);
                lamp.set_dps(None, pushed).expect("it has that");
                handle.set_value(2, value).await.expect("it is connected");
            }
            handle.set_value(1, number.is_multiple_of(2)).acknowledged().await.expect("it is connected");
            handle.query().await.expect("it is connected");
            // A cancelled command.
            drop(handle.status().acknowledged());
        }
        let lamp = &self.lamps[number % self.lamps.len()];
        self.visit(lamp, number).await;
        let (id, address, version) = (lamp.id().to_owned(), lamp.local_addr(), lamp.version());
        let thread = self.thread.clone();
        let blocked = tokio::task::spawn_blocking(move || {
            let device = blocking::Device::builder(&id, KEY).expect("an id").address(address).version(version);
            let device = device.timing(timing()).spawn(&thread);
            let listener = device.listener();
            device.wait_connected(LIMIT).expect("there is nothing in the way");
            for value in 0..10 {
                device.set_value(2, value).acknowledged().expect("it is connected");
            }
            device.close();
            drop(listener);
            // A poll thread of its own, with discovery.
            let thread = blocking::PollThread::start().expect("a thread");
            let service = blocking::Discovery::builder().ports([0, 0, 0]).bind_address([127, 0, 0, 1].into());
            let service = service.active(false).start(&thread).expect("free ports");
            service.scan(Duration::from_millis(5));
        });
        blocked.await.expect("no panic");
        let found = self.discovery.scan(Duration::from_millis(60)).await;
        assert!(found.len() <= self.lamps.len(), "{found:?}");
        // All devices lose power.
        for lamp in &self.lamps {
            lamp.unplug().await;
        }
        let _ = self.handles[0].set_value(1, true).timeout(Duration::from_millis(5)).await;
        for lamp in &self.lamps {
            lamp.plug().await.expect("the port is still free");
        }
    }

    /// Runs a short-lived program on a device.
    async fn visit(&self, lamp: &VirtualDevice, number: usize) {
        let service = listening().start(&Tokio).expect("free ports");
        let builder = Device::builder(lamp.id(), KEY).expect("an id").address(lamp.local_addr()).discovery(&service);
        // One of them speaks 3.1, which needs a configured minimum version.
        let builder = builder.min_version(Version::V31);
        let builder = builder.pacing(Pacing::NONE.merge(Duration::from_millis(2))).timing(timing());
        let device = builder.spawn(&Tokio);
        let mut events = device.listener();
        come_back(&device).await;
        let sub = device.sub(CHILD).expect("a cid");
        sub.set_value(1, number.is_multiple_of(2)).await.expect("it is connected");
        device.set_value(2, 7).acknowledged().await.expect("it is connected");
        while let Some(event) = events.try_recv() {
            assert!(!matches!(event, Event::Failed(_)), "{event:?}");
        }
        if number.is_multiple_of(3) {
            // Dropped without a close.
            drop(device);
        } else {
            device.close().await;
        }
    }
}

/// Waits until the device answers on a new connection. The end of the previous one may not be noticed yet.
async fn come_back(handle: &Device) {
    let begun = Instant::now();
    while let Err(error) = handle.query().await {
        assert!(begun.elapsed() < LIMIT, "{error}");
        let _ = handle.wait_connected(LIMIT).await;
    }
}

fn listening() -> DiscoveryBuilder {
    Discovery::builder().ports([0, 0, 0]).bind_address([127, 0, 0, 1].into()).active(false)
}

/// Short delays between attempts.
fn timing() -> Timing {
    let mut timing = Timing::DEFAULT;
    (timing.backoff_min, timing.backoff_max) = (Duration::from_millis(5), Duration::from_millis(50));
    timing
}
