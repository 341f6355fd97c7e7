//! `rustuya completions`: scripts that complete command lines.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;

/// Print a script that lets a shell complete rustuya's command lines
///
/// bash: rustuya completions bash > ~/.local/share/bash-completion/completions/rustuya
/// fish: rustuya completions fish > ~/.config/fish/completions/rustuya.fish
/// zsh: into a file _rustuya in a directory of $fpath. PowerShell: rustuya completions powershell | Out-String |
/// Invoke-Expression. elvish: eval (rustuya completions elvish | slurp)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    // Not to stdout at once: the generator panics where that is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rustuya", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}
