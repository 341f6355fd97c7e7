//! `cargo xtask`: the repository's checks as code, for people and for CI alike.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod chaos;
mod context;
mod hygiene;
mod shell;
mod soak;
mod steps;
mod tools;
mod tsan;
mod wheel;

use bench::Bench;
use context::Context;
use steps::{Selection, Step};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Checks of the rustuya repository", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check, stop at the first that fails
    ///
    /// Installs what it needs under the target folder; compilers, Python's venv and the bare-metal
    /// library source come from the system's packages (as root, or with sudo that asks nothing).
    Test {
        /// Leave out the build without an allocator (not in CI)
        #[arg(long)]
        skip_bare_metal: bool,
        /// Leave out the firmware images under emulation (not in CI)
        #[arg(long)]
        skip_firmware: bool,
        /// Leave out the fuzzers (not in CI)
        #[arg(long)]
        skip_fuzz: bool,
        /// Leave out the tests against other implementations (not in CI)
        #[arg(long)]
        skip_interop: bool,
        /// Leave out the Python package (not in CI)
        #[arg(long)]
        skip_python: bool,
        /// Run only this step (may be given several times)
        #[arg(long, value_enum, value_name = "STEP")]
        only: Vec<Step>,
        /// Seconds for each fuzz target
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
        fuzz_seconds: u32,
    },
    /// Build the firmware images, run them against their peers, and print what they take
    Firmware {
        /// Write the table to docs/firmware.md in place of comparing it
        #[arg(long)]
        write: bool,
    },
    /// Random lives of devices on every runtime, held against a model; prints how to repeat what fails
    Chaos(chaos::Args),
    /// Devices that connect, fail and talk for minutes; fails when memory, descriptors or threads grow
    Soak(soak::Args),
    /// The tests of the runtimes under ThreadSanitizer, standard library included; fails when there is a data race
    ///
    /// Needs `rustup component add rust-src`, and a target that the compiler has the sanitizer for.
    Tsan,
    /// Run a benchmark by hand, in release mode, on a machine that does nothing else
    Bench {
        /// Benchmark to run
        #[arg(value_enum)]
        bench: Bench,
        /// Only see that it runs and that its results make sense, in a few seconds
        #[arg(long)]
        smoke: bool,
        /// Arguments of the benchmark itself, after `--`
        #[arg(last = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test { skip_bare_metal, skip_firmware, skip_fuzz, skip_interop, skip_python, only, fuzz_seconds } => {
            let ci = std::env::var_os("CI").is_some();
            let selection =
                Selection { skip_bare_metal, skip_firmware, skip_fuzz, skip_interop, skip_python, only, ci };
            Context::new(fuzz_seconds).and_then(|context| steps::run(&context, &selection))
        }
        Command::Firmware { write } => Context::new(0).and_then(|context| steps::firmware::print(&context, write)),
        Command::Soak(args) => Context::new(0).and_then(|context| soak::run(&context, &args)),
        Command::Tsan => Context::new(0).and_then(|context| tsan::run(&context)),
        Command::Chaos(args) => Context::new(0).and_then(|context| chaos::run(&context, &args)),
        Command::Bench { bench, smoke, args } => {
            Context::new(0).and_then(|context| bench::run(&context, bench, smoke, &args))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ncargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
