//! Child processes that talk in lines, read with a time limit.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::image::Chip;

/// How long anything expected may take. Much more than it does, for busy machines.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A child whose standard output is read line by line. Killed when dropped.
pub(crate) struct Talker {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Every line so far, for error messages.
    heard: Vec<String>,
}

impl Talker {
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
        Ok(Self { name, child, input, lines, heard: Vec::new() })
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().context("the child has no input")?;
        input
            .write_all(text.as_bytes())
            .and_then(|()| input.flush())
            .with_context(|| format!("writing to {}", self.name))
    }

    /// The first line from now on that `fits`; an error after [`LIMIT`].
    pub(crate) fn expect(&mut self, what: &str, mut fits: impl FnMut(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let why = match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.push(line.clone());
                    if fits(&line) {
                        return Ok(line);
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => "says nothing more",
                Err(RecvTimeoutError::Disconnected) => "has ended",
            };
            bail!("{} {why}; expected: {what}. It said:\n{}", self.name, self.heard.join("\n"));
        }
    }

    pub(crate) fn expect_line(&mut self, line: &str) -> Result<()> {
        self.expect(line, |heard| heard == line).map(|_| ())
    }

    /// Takes what has been said meanwhile.
    pub(crate) fn catch_up(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.heard.push(line);
        }
        &self.heard
    }

    /// Waits for the end.
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

impl Drop for Talker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an image with its UART bound to `serial`, QEMU's words for one end of a TCP connection.
pub(crate) fn boot(chip: Chip, image: &Path, serial: &str, settings: &str) -> Result<Talker> {
    let (program, machine) = chip.qemu();
    let mut board = Talker::start(
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
