//! Runs of the images with their peers.

use core::hash::{BuildHasher as _, Hasher as _};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::hash_map::RandomState;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::image::{Image, Role};
use crate::qemu::{LineReader, boot};

const ID: &str = "eb0123456789abcdefghij";
/// Key of the tests.
const KEY: &str = "0123456789abcdef";
/// Number of boards that run at a time; they mostly sleep.
const WORKERS: usize = 4;

/// Peer at the other end of the UART.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// None: the image is started without a seed and must refuse.
    Nobody,
    /// This library on the host.
    Rustuya,
    /// tinytuya: its own client, or a device made of its framing and ciphers.
    Tinytuya,
}

/// Run of an image with a peer.
pub(crate) struct Job {
    pub(crate) image: Image,
    pub(crate) path: PathBuf,
    pub(crate) version: &'static str,
    pub(crate) peer: Peer,
}

/// Paths of the peers.
#[derive(Debug)]
pub struct Stage {
    /// A Python with tinytuya.
    pub python: PathBuf,
    /// The program `rustuya`.
    pub binary: PathBuf,
    /// The folder of the scripts that use tinytuya.
    pub scripts: PathBuf,
}

/// Runs every job. Returns the deepest stack that each reported, zero for those that end at once.
pub(crate) fn run_all(stage: &Stage, jobs: &[Job]) -> Result<Vec<u32>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((at, job)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    jobs.get(at).map(|job| (at, job))
                } {
                    let result =
                        job.run(stage).with_context(|| format!("{}, {}, {:?}", job.image, job.version, job.peer));
                    let failed = result.is_err();
                    println!(
                        "{}, {}, {:?}: {}",
                        job.image,
                        job.version,
                        job.peer,
                        if failed { "FAILED" } else { "passed" }
                    );
                    if let Ok(mut results) = results.lock() {
                        results.push((at, result));
                    }
                    if failed {
                        next.store(jobs.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    let depths = results.into_iter().map(|(_, result)| result).collect::<Result<Vec<_>>>()?;
    ensure!(depths.len() == jobs.len(), "a conversation did not take place");
    Ok(depths)
}

impl Job {
    /// Returns the runs of an image. Every image runs with this library as its peer; those with the compact ciphers
    /// also with tinytuya.
    pub(crate) fn all_of(image: Image, images: &Path) -> Vec<Self> {
        let versions: &[&str] = if image.all_versions { &["3.1", "3.3", "3.4", "3.5"] } else { &["3.5"] };
        let peers: &[Peer] = if image.compact { &[Peer::Rustuya, Peer::Tinytuya] } else { &[Peer::Rustuya] };
        let mut jobs = vec![Self { image, path: image.path(images), version: "3.5", peer: Peer::Nobody }];
        for version in versions {
            for peer in peers {
                jobs.push(Self { image, path: image.path(images), version, peer: *peer });
            }
        }
        jobs
    }

    fn run(&self, stage: &Stage) -> Result<u32> {
        match (self.peer, self.image.role) {
            (Peer::Nobody, _) => self.without_seed(),
            (Peer::Rustuya, Role::Controller) => self.controls_simulated_device(stage),
            (Peer::Tinytuya, Role::Controller) => self.controls_tinytuya_device(stage),
            (Peer::Rustuya, Role::Device) => self.obeys_commands(stage),
            (Peer::Tinytuya, Role::Device) => self.obeys_tinytuya(stage),
        }
    }

    /// Makes the image's settings at its start. `pace` is in milliseconds.
    fn settings(&self, pace: u32) -> String {
        let seed: String = (0..4).map(|_| format!("{:016x}", RandomState::new().build_hasher().finish())).collect();
        format!("id={ID}\nkey={KEY}\nversion={}\npace={pace}\nseed={seed}\n\n", self.version)
    }

    fn without_seed(&self) -> Result<u32> {
        for seed in ["", "seed=\n", "seed=00112233\n"] {
            let settings = format!("id={ID}\nkey={KEY}\nversion={}\n{seed}\n", self.version);
            let mut board = boot(self.image.chip, &self.path, "null", &settings)?;
            board.expect("a refusal", |line| line.starts_with("refused: no seed"))?;
            ensure!(board.wait()?.code() == Some(2), "the image starts without a seed");
        }
        Ok(0)
    }

    /// Runs a controller with `rustuya simulate`, which is then ended and restarted.
    fn controls_simulated_device(&self, stage: &Stage) -> Result<u32> {
        let (mut device, address) = self.simulate(stage, "127.0.0.1:0")?;
        let mut board = self.boot_client(&address)?;
        self.expect_start(&mut board)?;
        device.expect("the image's control", is_control)?;
        // Another client writes a DP: the device pushes it to the image.
        let out =
            self.rustuya(stage, &["set", ID, "2=77", "--json", "--address", &address, "--version", self.version])?;
        ensure!(out.status.success(), "rustuya set: {}", String::from_utf8_lossy(&out.stderr));
        expect_dp(&mut board, 2, "77")?;
        for _ in 0..2 {
            device.expect("a heartbeat", |line| command(line) == Some(9))?;
        }
        device.kill()?;
        board.expect("the end of the connection", |line| line.starts_with("down "))?;
        let (mut device, _) = self.simulate(stage, &address)?;
        self.expect_start(&mut board)?;
        device.expect("the image's control", is_control)?;
        deepest(&mut board)
    }

    /// Runs a controller with a device based on tinytuya's framing and ciphers, which then closes the connection.
    fn controls_tinytuya_device(&self, stage: &Stage) -> Result<u32> {
        let mut device = LineReader::start(
            "tuya_device.py",
            Command::new(&stage.python).arg(stage.scripts.join("tuya_device.py")).args([
                "--version",
                self.version,
                "--key",
                KEY,
                "--id",
                ID,
            ]),
        )?;
        let first: Value = serde_json::from_str(&device.expect("its port", |line| line.contains("port"))?)?;
        let mut board = self.boot_client(&format!("127.0.0.1:{}", first["port"]))?;
        self.expect_start(&mut board)?;
        device.write("{\"push\":{\"2\":55}}\n")?;
        expect_dp(&mut board, 2, "55")?;
        for _ in 0..2 {
            device.expect("a heartbeat", |line| command(line) == Some(9))?;
        }
        let lines_read = device.catch_up();
        ensure!(!lines_read.iter().any(|line| line.contains("violation")), "violations:\n{}", lines_read.join("\n"));
        ensure!(lines_read.iter().any(|line| is_control(line)), "no control:\n{}", lines_read.join("\n"));
        device.write("{\"close\":true}\n")?;
        board.expect("the end of the connection", |line| line.starts_with("down "))?;
        self.expect_start(&mut board)?;
        device.expect("the control after that", is_control)?;
        deepest(&mut board)
    }

    /// Runs a device with `rustuya get`, `set` and `watch`, each on a new connection.
    fn obeys_commands(&self, stage: &Stage) -> Result<u32> {
        let (mut board, address) = self.boot_server(1_000)?;
        let to = ["--json", "--address", &address, "--version", self.version];
        let ask = |what: &[&str]| -> Result<Value> {
            let out = self.rustuya(stage, &[what, &to].concat())?;
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            ensure!(out.status.success(), "rustuya {what:?}: {text}{}", String::from_utf8_lossy(&out.stderr));
            Ok(serde_json::from_str(&text)?)
        };
        let before = ask(&["get", ID])?;
        ensure!(before["1"] == json!(false) && before["2"].is_i64(), "the first state is {before}");
        ask(&["set", ID, "1=true", "2=500"])?;
        board.expect_line("written 1")?;
        let after = ask(&["get", ID])?;
        ensure!(
            after["1"] == json!(true) && after["2"].as_i64().is_some_and(|n| n <= 500),
            "after the control: {after}"
        );

        let mut watch = LineReader::start(
            "rustuya watch",
            Command::new(&stage.binary).args(["watch", ID]).args(to).env("RUSTUYA_KEY", KEY).env_remove("RUST_LOG"),
        )?;
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let line = watch.expect("the lamp dims by itself", |line| brightness(line).is_some())?;
            // If the lamp dims before the query, the answer repeats the push.
            seen.extend(brightness(&line).filter(|value| seen.last() != Some(value)));
        }
        ensure!(seen.windows(2).all(|pair| pair[1] < pair[0]), "the lamp does not dim: {seen:?}");
        watch.kill()?;
        let last = ask(&["get", ID])?;
        ensure!(last["1"] == json!(true), "after the watch: {last}");
        deepest(&mut board)
    }

    /// Runs a device with tinytuya's own client, twice.
    fn obeys_tinytuya(&self, stage: &Stage) -> Result<u32> {
        let (mut board, address) = self.boot_server(600_000)?;
        let port = address.rsplit(':').next().unwrap_or_default();
        for _ in 0..2 {
            let out = Command::new(&stage.python)
                .arg(stage.scripts.join("tuya_client.py"))
                .args(["--port", port, "--id", ID, "--version", self.version, "--key", KEY, "--timeout", "10"])
                .args((self.version == "3.5").then_some("--silent-updates"))
                .output()?;
            let text = String::from_utf8_lossy(&out.stdout).into_owned();
            ensure!(out.status.success(), "tuya_client.py: {text}{}", String::from_utf8_lossy(&out.stderr));
            let result: Value = serde_json::from_str(&text)?;
            ensure!(result["ok"] == json!(true), "tuya_client.py: {result}");
            board.expect_line("written 1")?;
        }
        deepest(&mut board)
    }

    /// Expects the output of a controller on every connection.
    fn expect_start(&self, board: &mut LineReader) -> Result<()> {
        board.expect_line(&format!("up {}", self.version))?;
        board.expect_line("resolved acknowledged")?;
        board.expect_line("set sent")?;
        board.expect_line("resolved acknowledged")
    }

    fn boot_client(&self, address: &str) -> Result<LineReader> {
        let serial = format!("tcp:{address},nodelay=on,reconnect=1");
        boot(self.image.chip, &self.path, &serial, &self.settings(500))
    }

    /// Boots a device image. Returns it with its address. QEMU gets a port that was just free; another one if it was
    /// taken.
    fn boot_server(&self, pace: u32) -> Result<(LineReader, String)> {
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
            let serial = format!("tcp:{address},server=on,wait=off,nodelay=on");
            let board = boot(self.image.chip, &self.path, &serial, &self.settings(pace));
            let Ok(mut board) = board else { continue };
            if board.expect("its first line", |line| line.starts_with("stack ")).is_ok() {
                return Ok((board, address));
            }
        }
        bail!("QEMU finds no free port")
    }

    fn simulate(&self, stage: &Stage, address: &str) -> Result<(LineReader, String)> {
        let (host, port) = address.rsplit_once(':').context("host and port")?;
        let mut device = LineReader::start(
            "rustuya simulate",
            Command::new(&stage.binary)
                .args(["simulate", "--version", self.version, "--id", ID, "--host", host, "--port", port])
                // A UART cuts frames anywhere; devices of 3.5 close the connection on that.
                .args(["--dps", r#"{"1":false,"2":10}"#, "--quirk", "patient-reads"])
                .env("RUSTUYA_KEY", KEY),
        )?;
        let line: Value = serde_json::from_str(&device.expect("its address", |line| line.contains("listening"))?)?;
        let address = line["listening"].as_str().context("its address")?.to_owned();
        Ok((device, address))
    }

    fn rustuya(&self, stage: &Stage, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(&stage.binary);
        command.args(args).env("RUSTUYA_KEY", KEY).stdin(Stdio::null());
        command.output().with_context(|| format!("cannot start {}", stage.binary.display()))
    }
}

/// Expects that the image prints a DP with this value.
fn expect_dp(board: &mut LineReader, dp: u32, value: &str) -> Result<()> {
    let (name, value) = (format!("dp {dp}"), format!("value {value}"));
    let mut named = false;
    let what = format!("{name}, {value}");
    board.expect(&what, |line| {
        let fits = named && line == value;
        named = line == name;
        fits
    })?;
    Ok(())
}

/// Returns the deepest stack that the image has reported.
fn deepest(board: &mut LineReader) -> Result<u32> {
    let depths = board.catch_up().iter().filter_map(|line| line.strip_prefix("stack ")?.parse().ok());
    depths.max().context("the image reported no stack")
}

/// Parses the command code in a device's line for a request.
fn command(line: &str) -> Option<u64> {
    serde_json::from_str::<Value>(line).ok()?.get("cmd")?.as_u64()
}

fn is_control(line: &str) -> bool {
    matches!(command(line), Some(7 | 13))
}

/// Parses DP 2 in a line of `rustuya watch --json`.
fn brightness(line: &str) -> Option<i64> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("dps")?.get("2")?.as_i64()
}
