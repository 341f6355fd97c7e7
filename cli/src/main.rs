//! The `rustuya` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(rustuya_cli::run(std::env::args_os()))
}
