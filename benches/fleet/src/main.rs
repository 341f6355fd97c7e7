//! Benchmark of fleets: virtual devices in one process, a library that drives them in another, and a raw blocking
//! socket that exchanges the same bytes for comparison.
//!
//! `cargo xtask bench fleet` runs all of it; `docs/benchmarks.md` describes the figures.

use core::time::Duration;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use rustuya_proto::Version;

mod client;
mod control;
mod figures;
mod raw;
mod report;
mod run;
mod server;
mod usage;
mod virtual_device;

use client::{Extent, Ours, Peer, Server, Tasks, Threads, scenario};
use run::{Output, Plan};
use virtual_device::VirtualDevice;

#[derive(Parser)]
#[command(name = "rustuya-bench-fleet", about = "Fleets of virtual devices, driven and timed")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every library with every size of fleet, in turns, and print a table
    Run(RunArgs),
    /// Run virtual devices; prints `ready DEVICE-PORT ORDER-PORT`
    Server(ServerArgs),
    /// Drive the devices of a running server with one library; prints figures as JSON
    Client(ClientArgs),
    /// Time a raw blocking socket alone
    Raw(RawArgs),
    /// Print the table of what `run --json` printed, of several such files together
    Table {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// A library to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Library {
    /// This library with its tokio driver
    Ours,
    /// This library with its plain-thread driver
    Blocking,
    /// The crate rustuya 0.4 with its tokio driver
    Peer,
}

impl Library {
    /// Returns its name in tables.
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours tokio",
            Self::Blocking => "ours blocking",
            Self::Peer => "0.4.6",
        }
    }
}

#[derive(Args)]
struct RunArgs {
    /// Sizes of the fleet
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    devices: Vec<usize>,
    /// Protocol versions
    #[arg(long, value_delimiter = ',', default_values_t = [Version::V33, Version::V35], value_parser = version)]
    versions: Vec<Version>,
    /// Libraries, in this order in the table; ratios are those to the last one
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Library::Ours, Library::Blocking, Library::Peer])]
    libraries: Vec<Library>,
    /// Rounds; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Seconds to watch the idle fleet, in the first round
    #[arg(long, default_value_t = 20)]
    idle: u64,
    /// A few seconds with 20 devices; figures that cannot be right are an error
    #[arg(long)]
    smoke: bool,
    /// Print a Markdown table (the default)
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print every figure of every run as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct ServerArgs {
    /// Number of devices
    #[arg(long)]
    devices: usize,
    /// Their protocol version
    #[arg(long, value_parser = version)]
    version: Version,
    /// Have the devices beyond the fleet use their local key as session key, without any negotiation, so that frames
    /// that were sealed beforehand can be sent to them
    #[arg(long)]
    replay: bool,
}

#[derive(Args)]
struct ClientArgs {
    #[arg(long, value_enum)]
    library: Library,
    /// The port of the devices
    #[arg(long)]
    port: u16,
    /// The port of the server's orders
    #[arg(long)]
    orders: u16,
    #[arg(long)]
    devices: usize,
    #[arg(long, value_parser = version)]
    version: Version,
    /// Milliseconds to watch the idle fleet
    #[arg(long, default_value_t = 0)]
    idle: u64,
    /// Exchanges to time
    #[arg(long, default_value_t = 2_000)]
    exchanges: usize,
    /// Milliseconds to send commands
    #[arg(long, default_value_t = 3_000)]
    commands: u64,
    /// Milliseconds to receive events
    #[arg(long, default_value_t = 2_000)]
    events: u64,
    /// Pushes per device in the burst
    #[arg(long, default_value_t = 500)]
    burst: usize,
}

#[derive(Args)]
struct RawArgs {
    /// The port of the devices
    #[arg(long)]
    port: u16,
    #[arg(long, value_parser = version)]
    version: Version,
    /// Exchanges to time
    #[arg(long, default_value_t = 2_000)]
    exchanges: usize,
}

impl ClientArgs {
    fn extent(&self) -> Extent {
        Extent {
            devices: self.devices,
            version: self.version,
            idle: Duration::from_millis(self.idle),
            exchanges: self.exchanges,
            commands: Duration::from_millis(self.commands),
            events: Duration::from_millis(self.events),
            burst: self.burst,
            cut: true,
        }
    }

    /// The arguments that lead to `extent` in another process.
    fn arguments(library: Library, port: &str, orders: &str, extent: &Extent) -> Vec<String> {
        let library = library.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        [
            ("library", library),
            ("port", port.to_owned()),
            ("orders", orders.to_owned()),
            ("devices", extent.devices.to_string()),
            ("version", extent.version.to_string()),
            ("idle", extent.idle.as_millis().to_string()),
            ("exchanges", extent.exchanges.to_string()),
            ("commands", extent.commands.as_millis().to_string()),
            ("events", extent.events.as_millis().to_string()),
            ("burst", extent.burst.to_string()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [format!("--{name}"), value])
        .collect()
    }
}

fn version(text: &str) -> Result<Version, String> {
    match text.parse() {
        Ok(version @ (Version::V33 | Version::V34 | Version::V35)) => Ok(version),
        _ => Err("3.3, 3.4 or 3.5".to_owned()),
    }
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run(args) => run::run(&plan(args)?),
        Command::Server(args) => server::run(args.devices, args.version, args.replay),
        Command::Client(args) => {
            let server = Server { port: args.port, orders: args.orders };
            let figures = match args.library {
                Library::Ours => scenario::run::<Tasks<Ours>>(server, args.extent())?,
                Library::Blocking => scenario::run::<Threads>(server, args.extent())?,
                Library::Peer => scenario::run::<Tasks<Peer>>(server, args.extent())?,
            };
            println!("{}", serde_json::to_string(&figures)?);
            Ok(())
        }
        Command::Table { files } => run::table(&files),
        Command::Raw(args) => {
            let mut raw = raw::Raw::connect(VirtualDevice::new(0), args.port, args.version)?;
            raw.exchange(args.exchanges.div_ceil(10))?;
            let mut times = raw.exchange(args.exchanges)?;
            let (p50, p99) = (figures::percentile(&mut times, 0.5), figures::percentile(&mut times, 0.99));
            println!("p50 {p50:.1} us, p99 {p99:.1} us");
            Ok(())
        }
    }
}

fn plan(args: RunArgs) -> Result<Plan> {
    ensure!(
        args.devices.iter().all(|devices| (1..=virtual_device::MAX_DEVICES).contains(devices)),
        "1 device or more, {} at most",
        virtual_device::MAX_DEVICES
    );
    let output = if args.json { Output::Json } else { Output::Markdown };
    let extent = Extent {
        devices: 0,
        version: Version::V35,
        idle: Duration::from_secs(args.idle),
        exchanges: 4_000,
        commands: Duration::from_secs(3),
        events: Duration::from_secs(2),
        burst: 500,
        cut: true,
    };
    if args.smoke {
        let extent = Extent {
            idle: Duration::ZERO,
            exchanges: 200,
            commands: Duration::from_millis(200),
            events: Duration::from_millis(100),
            ..extent
        };
        let libraries = vec![Library::Ours, Library::Blocking];
        return Ok(Plan {
            sizes: vec![20],
            versions: args.versions,
            libraries,
            rounds: 1,
            extent,
            strict: true,
            output,
        });
    }
    let rounds = usize::from(args.rounds);
    let (sizes, versions, libraries) = (args.devices, args.versions, args.libraries);
    Ok(Plan { sizes, versions, libraries, rounds, extent, strict: false, output })
}
