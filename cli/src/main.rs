//! The `rustuya` command.
//!
//! One file per subcommand. Results go to stdout, reasons for failure to stderr. Exit status: 0 done, 1 refused or
//! failed, 2 usage.

mod announcement;
mod completions;
mod connect;
mod decode;
mod demo;
mod each;
mod get;
mod input;
mod key;
mod output;
mod record;
mod replay;
mod scan;
mod session_key;
mod set;
mod signal;
mod simulate;
mod target;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::input::UsageError;

/// Talk to Tuya devices on the local network, and look into what they say.
#[derive(Debug, Parser)]
#[command(name = "rustuya", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Scan(scan::Args),
    Get(get::Args),
    Set(set::Args),
    Watch(watch::Args),
    Replay(replay::Args),
    Simulate(simulate::Args),
    Decode(decode::Args),
    SessionKey(session_key::Args),
    Announcement(announcement::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Set(args) => set::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::SessionKey(args) => session_key::run(&args),
        Command::Announcement(args) => announcement::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rustuya: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Runs what a subcommand does on sockets. One thread is enough for it.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
