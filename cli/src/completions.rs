//! `rustuya completions`: scripts that complete command lines.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;

/// Print a script that lets a shell complete rustuya's command lines
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

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // Not directly to stdout: the generator panics if that is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rustuya", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}
