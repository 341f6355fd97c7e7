//! Searches the memory of a process for copies of a local key, during its use and afterwards.
//!
//! The device is a process of its own, which runs this file's `peer` test. This process keeps the key in two parts, so
//! that the search does not find its own copy.
#![cfg(target_os = "linux")]

use core::hint::black_box;
use core::net::SocketAddr;
use core::ops::Range;
use core::time::Duration;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustuya_faulty::FaultyDevice;
use rustuya_proto::{self as proto, DeviceId, LocalKey, Version};
use rustuya_runtime_blocking as blocking;
use rustuya_runtime_tokio::{self as rt, Tokio};
use serde_json::json;

const ID: &str = "eb0123456789abcdefghij";
const VERSIONS: [Version; 4] = [Version::V31, Version::V33, Version::V34, Version::V35];

/// Environment variable with the version of the device's process.
const CASE: &str = "RUSTUYA_TEST_PEER";

/// Runs one search at a time: a search copies the memory with the keys in it, which another one would find.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Key in two parts.
#[derive(Clone, Copy)]
struct Split {
    one: [u8; 16],
    other: [u8; 16],
}

impl Split {
    /// Creates a key of letters and digits, which is also valid as text.
    fn random() -> Self {
        let mut random = [0; 32];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).expect("randomness");
        let mut split = Self { one: [0; 16], other: [0; 16] };
        for (at, letter) in random.iter().take(16).enumerate() {
            split.other[at] = random[16 + at];
            split.one[at] = (b'A' + letter % 26) ^ split.other[at];
        }
        split
    }

    fn byte(&self, at: usize) -> u8 {
        black_box(self.one[at]) ^ black_box(self.other[at])
    }

    /// Calls `act` with the key, then wipes the copy.
    #[inline(never)]
    fn with<T>(&self, act: impl FnOnce(&str) -> T) -> T {
        let mut whole = [0; 16];
        for (at, byte) in whole.iter_mut().enumerate() {
            *byte = self.byte(at);
        }
        let result = act(core::str::from_utf8(&whole).expect("letters"));
        for byte in &mut whole {
            *black_box(byte) = 0;
        }
        black_box(&whole);
        result
    }

    fn is_at(&self, bytes: &[u8]) -> bool {
        bytes.len() >= 16 && (0..16).all(|at| bytes[at] == self.byte(at))
    }
}

/// Finds the addresses of the key in the writable memory of this process.
#[inline(never)]
fn copies(key: &Split) -> Vec<usize> {
    const CHUNK: usize = 1 << 20;
    let memory = File::open("/proc/self/mem").expect("Linux");
    let mut chunk = vec![0_u8; CHUNK + 15];
    let own: Range<usize> = chunk.as_ptr() as usize..chunk.as_ptr() as usize + chunk.len();
    let mut found = Vec::new();
    for line in std::fs::read_to_string("/proc/self/maps").expect("Linux").lines() {
        let mut words = line.split(' ');
        let (range, rights) = (words.next().expect("a range"), words.next().expect("rights"));
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').expect("two ends");
        let hex = |text| usize::from_str_radix(text, 16).expect("an address");
        let (start, end) = (hex(start), hex(end));
        for from in (start..end).step_by(CHUNK) {
            let len = (end - from).min(CHUNK + 15);
            // Skips the read buffer itself: it contains earlier results.
            if memory.read_exact_at(&mut chunk[..len], from as u64).is_err() {
                continue;
            }
            let first = key.byte(0);
            for (at, _) in chunk[..len].iter().enumerate().filter(|(_, byte)| **byte == first) {
                let address = from + at;
                if at < CHUNK && !own.contains(&address) && key.is_at(&chunk[at..len]) {
                    found.push(address);
                }
            }
        }
    }
    chunk.fill(0);
    black_box(&chunk);
    found
}

/// Device in another process.
struct Peer {
    process: Child,
    orders: Option<ChildStdin>,
    /// Kept open while it runs: its test harness prints a result at the end.
    _told: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Peer {
    fn start(version: Version, key: &Split) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this file"))
            .args(["--exact", "peer", "--ignored", "--nocapture"])
            .env(CASE, version.as_str())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let mut orders = process.stdin.take().expect("piped");
        orders.write_all(&key.one).and_then(|()| orders.write_all(&key.other)).expect("it listens");
        let mut told = BufReader::new(process.stdout.take().expect("piped"));
        let place = told.by_ref().lines().find_map(|line| {
            line.expect("text").split_once("at:").map(|(_, at)| at.trim().parse().expect("an address"))
        });
        Self { process, orders: Some(orders), _told: told, address: place.expect("an address") }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "a part of the other tests, which start it in a process of its own"]
fn peer() {
    let version: Version = std::env::var(CASE).expect("started by the other tests").parse().expect("a version");
    let mut split = Split { one: [0; 16], other: [0; 16] };
    let mut orders = std::io::stdin().lock();
    orders.read_exact(&mut split.one).and_then(|()| orders.read_exact(&mut split.other)).expect("a key");
    let dps = json!({ "1": false });
    let device = split.with(|key| FaultyDevice::builder(ID, key, version).dps(dps).start()).expect("a device");
    println!("at: {}", device.addr());
    // Waits until the other end is closed.
    let _ = orders.read(&mut [0]);
}

#[test]
fn the_search_finds_what_is_there() {
    let _alone = alone();
    let key = Split::random();
    assert!(copies(&key).is_empty(), "in two parts it is not");
    let held = key.with(|key| Box::new(LocalKey::from_text(key).expect("valid")));
    let found = copies(&key);
    assert!(found.contains(&(held.expose().as_ptr() as usize)), "{found:x?}");
}

const LONG: Duration = Duration::from_secs(30);

/// Largest number of copies while a device is connected: in its configuration, and in the machine's session where the
/// version has no session key.
const CONNECTED: usize = 4;

/// Largest distance of the copies: all of them are within the device's own memory, and none on a stack.
const WITHIN: usize = 4096;

/// Checks the lasting copies. A thread that handles a frame has a temporary copy on its stack.
fn assert_few(key: &Split, version: Version) {
    let few = |found: &[usize]| {
        let spread = found.iter().max().zip(found.iter().min()).map(|(last, first)| last - first);
        found.len() <= CONNECTED && spread.is_some_and(|spread| spread < WITHIN)
    };
    if let Err(found) = comes_to(key, few) {
        panic!("{version}, connected: {found:x?}");
    }
}

/// Repeats the search until the result is good, for two seconds at most.
fn comes_to(key: &Split, good: impl Fn(&[usize]) -> bool) -> Result<(), Vec<usize>> {
    for _ in 0..200 {
        if good(&copies(key)) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let found = copies(key);
    if good(&found) { Ok(()) } else { Err(found) }
}

#[test]
fn a_device_on_tokio_leaves_no_key_behind() {
    let _alone = alone();
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let _inside = tokio.enter();
    for version in VERSIONS {
        let key = Split::random();
        let peer = Peer::start(version, &key);
        let device = key.with(|text| {
            let builder = rt::Device::builder(ID, text).expect("valid");
            builder.address(rt::Address::Socket(peer.address)).version(version).spawn(&Tokio)
        });
        tokio.block_on(device.wait_connected(LONG)).expect("connects");
        tokio.block_on(async { device.set_value(1, true).acknowledged().await }).expect("acknowledged");
        assert_few(&key, version);
        tokio.block_on(device.close());
        drop(device);
        settled(&key, version);
    }
}

#[test]
fn a_device_of_the_blocking_driver_leaves_no_key_behind() {
    let _alone = alone();
    let thread = blocking::PollThread::start().expect("a thread");
    for version in VERSIONS {
        let key = Split::random();
        let peer = Peer::start(version, &key);
        let device = key.with(|text| {
            let builder = blocking::Device::builder(ID, text).expect("valid");
            builder.address(rt::Address::Socket(peer.address)).version(version).spawn(&thread)
        });
        device.wait_connected(LONG).expect("connects");
        device.set_value(1, true).acknowledged().expect("acknowledged");
        assert_few(&key, version);
        device.close();
        drop(device);
        settled(&key, version);
    }
}

/// Checks that no copy is left once the driver has dropped the device, a moment after its close.
fn settled(key: &Split, version: Version) {
    if let Err(found) = comes_to(key, <[usize]>::is_empty) {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        panic!("{version}: left at {found:x?} of\n{maps}");
    }
}

#[test]
fn the_core_wipes_its_key_where_it_is() {
    let _alone = alone();
    let key = Split::random();
    let config = key.with(|text| {
        let local_key = LocalKey::from_text(text).expect("valid");
        Box::new(proto::DeviceConfig::new(DeviceId::new(ID).expect("valid"), local_key))
    });
    let device = Box::new(proto::Device::new((*config).clone(), proto::Instant::ZERO));
    let places = [config.local_key.expose().as_ptr(), device.config().local_key.expose().as_ptr()];
    let places = places.map(|place| place as usize);
    let found = copies(&key);
    assert!(places.iter().all(|place| found.contains(place)), "{places:x?} of {found:x?}");
    drop((config, device));
    let left = copies(&key);
    assert!(places.iter().all(|place| !left.contains(place)), "{places:x?} of {left:x?}");
}
