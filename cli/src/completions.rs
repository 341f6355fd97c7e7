//! `rustuya completions`: scripts that complete command lines, and the answers to those scripts.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory;
use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{CompletionCandidate, Shell};
use rustuya_entities::assignable;
use rustuya_runtime_tokio::DevicesFile;

use crate::Cli;
use crate::names::{Sources, USUAL};

/// Print a script that lets a shell complete rustuya's command lines
///
/// Options, the names of devices in the devices file, and what each device can be set to by name. Print the script again
/// after an update of rustuya.
#[derive(Debug, clap::Args)]
#[command(after_help = WHERE)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Folder of such scripts for each shell.
const WHERE: &str = "\
Where it goes:
  bash        rustuya completions bash > ~/.local/share/bash-completion/completions/rustuya
  fish        rustuya completions fish > ~/.config/fish/completions/rustuya.fish
  zsh         rustuya completions zsh > DIRECTORY/_rustuya, a directory of $fpath
  PowerShell  rustuya completions powershell | Out-String | Invoke-Expression
  elvish      eval (rustuya completions elvish | slurp)";

/// Environment variable by which a script asks for candidates. Its value is the shell.
const ASKED: &str = "_RUSTUYA_COMPLETE";

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // Not directly to stdout: the generator panics if that is closed.
    let mut script = Vec::new();
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).with_context(|| format!("there is no script for {name}"))?;
    shell.write_registration(ASKED, "rustuya", "rustuya", "rustuya", &mut script)?;
    Ok(std::io::stdout().lock().write_all(&script)?)
}

/// Answers a script, if one asks. Returns the exit status then.
pub(crate) fn answer(args: &[OsString]) -> Option<u8> {
    std::env::var_os(ASKED)?;
    let factory = Cli::command;
    match CompleteEnv::with_factory(factory).var(ASKED).try_complete(args.iter().cloned(), None) {
        Ok(true) => Some(0),
        Ok(false) => None,
        Err(_) => Some(1),
    }
}

/// Completes the name of a device.
pub(crate) fn devices(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = words();
    let Some(list) = list(&words) else { return Vec::new() };
    candidates(current, list.devices().map(|listed| listed.name().unwrap_or(listed.id()).to_owned()))
}

/// Completes the name of a device, or what the devices that are named already can be set to.
pub(crate) fn devices_and_names(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = words();
    let Some(list) = list(&words) else { return Vec::new() };
    let named = |listed: &&rustuya_runtime_tokio::DeviceEntry| {
        words.iter().any(|word| word == listed.id() || Some(word.as_str()) == listed.name())
    };
    let sources = Sources::default();
    let mut offered = Vec::new();
    for listed in list.devices().filter(named) {
        let entities = sources.product(listed.id(), Some(listed)).entities(&BTreeMap::new());
        offered.extend(assignable(&entities).into_iter().map(|name| format!("{name}=")));
    }
    offered.extend(list.devices().map(|listed| listed.name().unwrap_or(listed.id()).to_owned()));
    offered.dedup();
    candidates(current, offered)
}

/// Returns the words of the command line that is completed, without the quotes of the shell.
fn words() -> Vec<String> {
    let words = std::env::args().skip_while(|word| word != "--").skip(1);
    words.map(|word| word.replace('\\', "").trim_matches(['"', '\'']).to_owned()).collect()
}

/// Reads the devices file that the command line names, or the usual one.
fn list(words: &[String]) -> Option<DevicesFile> {
    let given = words.iter().position(|word| word == "--devices").and_then(|at| words.get(at + 1));
    let path = given.map(String::as_str).or_else(|| words.iter().find_map(|word| word.strip_prefix("--devices=")));
    DevicesFile::read(Path::new(path.unwrap_or(USUAL))).ok()
}

/// Returns those that begin with the current word. A name of several words is quoted, as a shell needs it.
fn candidates(current: &OsStr, offered: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let begun = current.trim_start_matches(['"', '\'']).replace('\\', "");
    let fits = |name: &String| name.starts_with(&begun) && !name.chars().any(char::is_control);
    let quoted = |name: String| match name.chars().all(|c| c.is_alphanumeric() || "=._-".contains(c)) {
        true => name,
        false => format!("'{}'", name.replace('\'', "'\\''")),
    };
    offered.into_iter().filter(fits).map(quoted).map(CompletionCandidate::new).collect()
}
