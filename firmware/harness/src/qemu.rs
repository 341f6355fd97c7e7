//! Child processes with output by lines, read with a time limit.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::chip::Chip;

/// Time limit of every expected line, even on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Child process whose standard output is read line by line. Killed when dropped.
pub(crate) struct LineReader {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Every line so far, for error messages.
    lines_read: Vec<String>,
}

impl LineReader {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("the child has no output")?;
        let input = child.stdin.take();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { name, child, input, lines, lines_read: Vec::new() })
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the child has no input")?;
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .with_context(|| format!("writing to {}", self.name))
    }

    /// Waits for a line that `fits`; an error after [`LIMIT`].
    pub(crate) fn expect(&mut self, what: &str, mut fits: impl FnMut(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let why = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.lines_read.push(line.clone());
                    if fits(&line) {
                        return Ok(line);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => "says nothing more",
                Err(RecvTimeoutError::Disconnected) => "has ended",
            };
            bail!("{} {why}; expected: {what}. It said:\n{}", self.name, self.lines_read.join("\n"));
        }
    }

    pub(crate) fn expect_line(&mut self, line: &str) -> Result<()> {
        self.expect(line, |lines_read| lines_read == line).map(|_| ())
    }

    /// Reads the lines printed so far. Returns all lines.
    pub(crate) fn catch_up(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.lines_read.push(line);
        }
        &self.lines_read
    }

    /// Waits for the end of the child.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("{} does not end", self.name)
    }

    /// Ends the child.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for LineReader {
    fn drop(&mut self) {
        // Fails if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an image with its UART bound to `serial`, QEMU's description of one end of a TCP connection.
pub(crate) fn boot(chip: Chip, image: &Path, serial: &str, settings: &str) -> Result<LineReader> {
    let (program, machine) = chip.qemu();
    let mut board = LineReader::start(
        "the image",
        Command::new(program)
            .args(machine)
            .args(["-display", "none", "-monitor", "none", "-serial", serial])
            .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
            .arg(image),
    )?;
    board.write(settings)?;
    Ok(board)
}
