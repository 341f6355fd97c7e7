//! Tests of the thread itself. They count threads, so they run one at a time and alone in their process.
#![cfg(target_os = "linux")]

mod common;

use core::task::{Context, Waker};
use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::time::Instant;

use common::{KEY, SOON, controller, fake, thread};
use rustuya_faulty::{FaultyDevice, PowerLoss};
use rustuya_runtime_blocking::{Device, Discovery, Manager, PollThread, Registry, Scanner, Version};
use serde_json::json;

static ALONE: Mutex<()> = Mutex::new(());

/// Returns the folders of this process's poll threads.
fn folders() -> Vec<PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux lists threads");
    let folders = tasks.filter_map(|task| Some(task.ok()?.path()));
    // A thread that ends meanwhile does not count.
    folders.filter(|at| fs::read_to_string(at.join("comm")).is_ok_and(|name| name.trim_end() == "rustuya")).collect()
}

fn poll_threads() -> usize {
    folders().len()
}

/// Returns the CPU time of the only poll thread.
fn computed() -> Duration {
    let [folder] = folders().try_into().expect("one thread");
    let text = fs::read_to_string(folder.join("schedstat")).expect("Linux counts time");
    Duration::from_nanos(text.split(' ').next().and_then(|time| time.parse().ok()).expect("a number"))
}

#[test]
fn a_thousand_devices_share_one_thread() {
    let _alone = ALONE.lock();
    const DEVICES: usize = 1000;
    const PER_HOST: usize = 50;
    // One host stands for many devices: it has one key and accepts any device id.
    let hosts: Vec<FaultyDevice> = (0..DEVICES / PER_HOST)
        .map(|_| fake(Version::V35).max_clients(PER_HOST).start().expect("a free port"))
        .collect();
    let registry = Registry::builder(thread()).without_discovery().build();
    let manager = Manager::new(&registry);
    let devices: Vec<Device> = (0..DEVICES)
        .map(|n| {
            let builder = Device::builder(&format!("bf{n:018}"), KEY).expect("usable id and key");
            let builder = builder.address(hosts[n / PER_HOST].addr()).version(Version::V35);
            manager.add_with(builder.command_timeout(Duration::from_secs(60))).expect("is new")
        })
        .collect();
    for device in &devices {
        assert_eq!(device.wait_connected(Duration::from_secs(60)), Ok(Version::V35));
    }
    assert_eq!(poll_threads(), 1);
    // All of them at once, and then one by one.
    for device in &devices {
        device.status().queue().expect("is queued");
    }
    for device in &devices {
        assert_eq!(device.query().expect("answers")["2"], json!(50));
    }
    let metrics = manager.metrics();
    assert_eq!((metrics.connects, metrics.acknowledged), (DEVICES as u64, 2 * DEVICES as u64));
    // Silent devices of one host delay no others.
    hosts[0].power_off(PowerLoss::Silence);
    let start = Instant::now();
    for device in &devices[PER_HOST..] {
        device.query().expect("answers");
    }
    assert!(start.elapsed() < Duration::from_secs(60));
    manager.shutdown();
    assert!(devices.iter().all(Device::is_closed));
    assert_eq!(poll_threads(), 1, "it is still held");
    drop((devices, manager, registry));
    assert_eq!(poll_threads(), 0);
}

#[test]
fn a_thread_without_news_sleeps() {
    let _alone = ALONE.lock();
    let lamp = fake(Version::V35).start().expect("a free port");
    let thread = thread();
    let device = controller(&lamp).version(Version::V35).spawn(&thread);
    let nowhere = Device::builder("nowhere", KEY).expect("usable id and key").spawn(&thread);
    device.query().expect("answers");
    let mut events = nowhere.listener();
    let before = computed();
    assert!(before > Duration::ZERO);
    assert_eq!(events.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout));
    let idle = computed() - before;
    assert!(idle < Duration::from_millis(50), "computed for {idle:?}");
}

#[test]
fn the_last_handle_of_any_kind_joins_the_thread() {
    let _alone = ALONE.lock();
    let lamp = fake(Version::V34).max_clients(1).start().expect("a free port");
    let thread = thread();
    let device = controller(&lamp).version(Version::V34).spawn(&thread);
    drop(thread);
    let discovery = Discovery::builder().ports([0; 3]).bind_address([127, 0, 0, 1].into()).start(device.thread());
    let discovery = discovery.expect("free ports");
    let scanner = Scanner::new(device.thread().clone());
    let registry = Registry::builder(device.thread().clone()).without_discovery().build();
    let manager = Manager::new(&registry);
    device.query().expect("answers");
    let mut listener = device.listener();
    let clone = device.clone();
    let sub = clone.sub("child").expect("a cid");
    assert_eq!(poll_threads(), 1);
    drop((device, clone, discovery, scanner, registry));
    assert_eq!(poll_threads(), 1);
    assert!(sub.gateway().is_connected());
    drop(manager);
    assert_eq!(poll_threads(), 1);
    // A command right before the end is still sent.
    sub.gateway().set_value(2, 99).queue().expect("is queued");
    drop(sub);
    assert_eq!(poll_threads(), 0);
    assert!(lamp.wait_for(SOON, |state| state.dps(None)["2"] == json!(99)));
    while listener.recv().is_some() {}
}

/// Waker that holds a handle and drops it when it is woken.
struct Holder(Mutex<Option<(PollThread, Sender<()>)>>);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        if let Some((thread, dropped)) = self.0.lock().expect("nobody panics").take() {
            drop(thread);
            // The receiver may be gone after the first wake-up.
            let _ = dropped.send(());
        }
    }
}

#[test]
fn a_handle_may_be_dropped_where_the_thread_cannot_be_joined() {
    let _alone = ALONE.lock();
    let thread = thread();
    // Handles of the shared crate do not keep the thread alive.
    let device = rustuya_runtime::Device::builder("nowhere", KEY).expect("usable id and key").spawn(&thread);
    let mut listener = device.listener();
    let (sender, dropped) = channel();
    let waker = Waker::from(Arc::new(Holder(Mutex::new(Some((thread, sender))))));
    assert!(listener.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    drop(device);
    assert_eq!(dropped.recv_timeout(SOON), Ok(()));
    let start = Instant::now();
    while poll_threads() > 0 {
        assert!(start.elapsed() < SOON, "the thread does not end");
        std::thread::yield_now();
    }
}
