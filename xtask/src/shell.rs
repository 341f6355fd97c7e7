//! Child processes.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// A child process that is echoed, run, and whose failure is an error.
pub(crate) struct Shell {
    command: Command,
}

/// Result of a finished child.
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shell {
    pub(crate) fn new(program: impl Into<OsString>, directory: &Path) -> Self {
        let mut command = Command::new(program.into());
        command.current_dir(directory);
        Self { command }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.command.arg(arg.into());
        self
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    pub(crate) fn without_env(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    fn line(&self) -> String {
        let program = Path::new(self.command.get_program());
        let mut line = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for arg in self.command.get_args() {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        line
    }

    fn echo(&self) -> String {
        let line = self.line();
        println!("$ {line}");
        line
    }

    /// Runs to the end with inherited output.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.echo();
        let status = self.command.status().with_context(|| format!("cannot start `{line}`"))?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }

    /// Runs to the end and keeps all output, whatever the exit status is.
    pub(crate) fn finish(mut self) -> Result<Finished> {
        let line = self.line();
        let output = self.command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{line}`"))?;
        Ok(Finished {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs to the end silently and returns standard output.
    pub(crate) fn stdout(self) -> Result<String> {
        let line = self.line();
        let done = self.finish()?;
        if !done.success {
            bail!("`{line}` failed:\n{}", done.stderr.trim_end());
        }
        Ok(done.stdout)
    }

    /// Runs the program and returns whether it succeeds; drops its output.
    pub(crate) fn succeeds(self) -> bool {
        self.finish().is_ok_and(|done| done.success)
    }

    /// Runs with inherited standard error, passing each line of standard output to `sink`.
    pub(crate) fn stdout_lines(self, sink: impl FnMut(&str)) -> Result<()> {
        self.lines(false, sink)
    }

    /// Runs with inherited standard output, passing each line of standard error to `sink`.
    pub(crate) fn stderr_lines(self, sink: impl FnMut(&str)) -> Result<()> {
        self.lines(true, sink)
    }

    fn lines(mut self, stderr: bool, mut sink: impl FnMut(&str)) -> Result<()> {
        let line = self.echo();
        if stderr {
            self.command.stderr(Stdio::piped());
        } else {
            self.command.stdout(Stdio::piped());
        }
        let mut child = self.command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let pipe: Option<Box<dyn std::io::Read>> = if stderr {
            child.stderr.take().map(|pipe| Box::new(pipe) as _)
        } else {
            child.stdout.take().map(|pipe| Box::new(pipe) as _)
        };
        let mut reader = BufReader::new(pipe.context("the child has no pipe")?);
        let mut raw = Vec::new();
        // Bytes, not `lines()`: a fuzzer prints what it was fed.
        while reader.read_until(b'\n', &mut raw)? > 0 {
            sink(String::from_utf8_lossy(&raw).trim_end_matches(['\r', '\n']));
            raw.clear();
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }
}
