//! The `rustuya` command, for the binary of this crate and for the Python package.
//!
//! One file per subcommand. Results go to stdout, reasons for failure to stderr. Exit status: 0 done, 1 refused or
//! failed, 2 usage.

mod announcement;
mod children;
mod completions;
mod connect;
mod decode;
mod demo;
mod doctor;
mod each;
mod entities;
mod get;
mod input;
mod key;
mod names;
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
mod wizard;

use std::ffi::OsString;
use std::io;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};
use rustuya_runtime_tokio::{DownReason, is_out_of_descriptors, need_descriptors, text};
use serde_json::{Map, Value};
use tokio::runtime::Runtime;

pub use crate::input::UsageError;

/// Control Tuya devices on the local network, and inspect their traffic.
#[derive(Debug, Parser)]
#[command(name = "rustuya", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Wizard(wizard::Args),
    Doctor(doctor::Args),
    Scan(scan::Args),
    Get(get::Args),
    Children(children::Args),
    Set(set::Args),
    Entities(entities::Args),
    Watch(watch::Args),
    Replay(replay::Args),
    Simulate(simulate::Args),
    Decode(decode::Args),
    SessionKey(session_key::Args),
    Announcement(announcement::Args),
    Completions(completions::Args),
}

/// Runs the command line `args`, which begins with the program's name, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    if let Some(status) = completions::answer(&args) {
        return status;
    }
    let command = match Cli::try_parse_from(args) {
        Ok(Cli { command }) => command,
        Err(mut error) => {
            hide_values(&mut error);
            // An error of writing cannot be reported anywhere.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let result = match command {
        Command::Demo(args) => demo::run(&args),
        Command::Wizard(args) => wizard::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Get(args) => get::run(&args),
        Command::Children(args) => children::run(&args),
        Command::Set(args) => set::run(&args),
        Command::Entities(args) => entities::run(&args),
        Command::Watch(args) => watch::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::SessionKey(args) => session_key::run(&args),
        Command::Announcement(args) => announcement::run(&args),
        Command::Completions(args) => completions::run(&args),
    };
    match result {
        Ok(()) => 0,
        Err(error) if output::reader_left(&error) => 0,
        Err(error) => {
            output::complain(&error);
            let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
            if causes.any(is_out_of_descriptors) {
                let reason = DownReason::OutOfDescriptors;
                output::complain(&format!("{reason}: {}", reason.advice()));
            }
            if error.is::<UsageError>() { 2 } else { 1 }
        }
    }
}

/// Removes from a message an argument that may be a key.
fn hide_values(error: &mut clap::Error) {
    let mut kinds = vec![ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
    if error.kind() == ErrorKind::UnknownArgument {
        kinds.push(ContextKind::InvalidArg);
    }
    for kind in kinds {
        if let Some(ContextValue::String(given)) = error.get(kind)
            && text::may_be_key(given)
        {
            error.insert(kind, ContextValue::String(input::HIDDEN.to_owned()));
            // The suggestion would repeat it.
            error.remove(ContextKind::Suggested);
        }
    }
}

/// Parses assignments of DPs such as `1=true`, like `rustuya set`: values that are not JSON are taken as text.
///
/// ```
/// let dps = rustuya_cli::dp_values(&["1=true".to_owned(), "5=red".to_owned()])?;
/// assert_eq!(dps["5"], "red");
/// # Ok::<(), rustuya_cli::UsageError>(())
/// ```
///
/// # Errors
/// [`UsageError`] for a word of another form, a value that no DP can have, and a repeated DP.
pub fn dp_values(words: &[String]) -> Result<Map<String, Value>, UsageError> {
    set::assignments(words)
}

/// Runs the network part of a subcommand, on one thread.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = runtime()?;
    let result = runtime.block_on(work);
    // Does not wait for a pending look-up of a host name.
    runtime.shutdown_background();
    result
}

fn runtime() -> io::Result<Runtime> {
    // With fewer descriptors tokio panics instead of returning an error.
    need_descriptors(6)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "p&]k=^,\"Q0123456";

    #[test]
    fn no_message_repeats_what_may_be_a_key() {
        let arguments = [
            &["get", "lamp", "--dialect", KEY][..],
            &["get", "lamp", "--protocol", KEY],
            &["get", "lamp", "--timeout", KEY],
            &["get", "lamp", "--address", "h", "--dp", KEY],
            &["set", "lamp", "1=1", "--wait", KEY],
            &["announcement", "lamp", "extra", KEY, KEY],
            &[KEY],
        ];
        for given in arguments {
            let mut error = Cli::try_parse_from(["rustuya"].iter().chain(given)).expect_err("no such argument");
            hide_values(&mut error);
            let text = error.render().to_string();
            assert!(!text.contains(KEY), "{given:?}: {text}");
        }
        let mut error = Cli::try_parse_from(["rustuya", "get", "lamp", "--dialect", "devce22"]).expect_err("misspelt");
        hide_values(&mut error);
        assert!(error.render().to_string().contains("devce22"), "what cannot be a key is shown");
    }
}
