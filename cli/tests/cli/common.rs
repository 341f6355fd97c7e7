//! Runs the real command, with time limits, and checks that no output contains the key.

use core::time::Duration;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use serde_json::Value;

/// Key with special characters of shells, JSON and formats.
pub(crate) const KEY: &str = "a$`\"{}\\~^&;=()[]";
pub(crate) const WRONG_KEY: &str = "not the key here";
pub(crate) const ID: &str = "bf0123456789abcdefgh";

/// Time limit of each step, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Result of a command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Asserts success, and reads the only line as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.succeeded();
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn succeeded(&self) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
    }

    /// Asserts that it failed with this status, and with all of these texts on stderr.
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word}: {self:?}");
        }
    }
}

/// Creates the command with the key in its environment.
pub(crate) fn rustuya(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rustuya"));
    command.args(args).env("RUSTUYA_KEY", KEY).stdin(Stdio::null());
    command
}

/// Runs it with the key in its environment.
#[track_caller]
pub(crate) fn run(args: &[&str]) -> Done {
    finish(rustuya(args))
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn finish(mut command: Command) -> Done {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let id = child.id();
    let (send, result) = mpsc::channel();
    thread::spawn(move || send.send(child.wait_with_output()));
    let Ok(output) = result.recv_timeout(LIMIT) else {
        panic!("process {id} is not done after {LIMIT:?}: {command:?}");
    };
    let Output { status, stdout, stderr } = output.expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let done = Done { code: status.code(), stdout: text(stdout), stderr: text(stderr) };
    assert!(!done.stdout.contains(KEY) && !done.stderr.contains(KEY), "the key is shown: {done:?}");
    done
}

/// Running command, with its lines of JSON.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::run(rustuya(args))
    }

    #[track_caller]
    fn run(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the command starts");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (send, lines) = mpsc::channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// Waits for the next line.
    #[track_caller]
    pub(crate) fn line(&self) -> Value {
        let line = self.lines.recv_timeout(LIMIT).expect("a line comes in time");
        assert!(!line.contains(KEY), "the key is shown: {line}");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits for the next line for which `wanted` is true.
    #[track_caller]
    pub(crate) fn line_where(&self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            let line = self.line();
            if wanted(&line) {
                return line;
            }
        }
        panic!("no such line among a thousand");
    }

    /// Sends a signal by its name, and returns the exit status.
    #[cfg(unix)]
    #[track_caller]
    pub(crate) fn signal(mut self, name: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill exists");
        assert!(sent.success(), "the process lives");
        // Its standard output ends with it.
        for _ in 0..1000 {
            match self.lines.recv_timeout(LIMIT) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.child.wait().expect("it ended").code(),
                Err(mpsc::RecvTimeoutError::Timeout) => break,
            }
        }
        panic!("process {id} does not end on {name}");
    }

    /// Waits until it ends by itself, and returns the exit status.
    #[track_caller]
    pub(crate) fn ended(mut self) -> Option<i32> {
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            assert!(rest.len() < 1000, "it goes on and on");
            rest.push(line);
        }
        self.child.wait().expect("it ended").code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `rustuya simulate` on a free port.
pub(crate) struct Simulated {
    pub(crate) process: Running,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// Its first line.
    pub(crate) listening: Value,
}

impl Simulated {
    #[track_caller]
    pub(crate) fn start(version: &str, args: &[&str]) -> Self {
        Self::start_as(ID, version, args)
    }

    /// Starts it with another id.
    #[track_caller]
    pub(crate) fn start_as(id: &str, version: &str, args: &[&str]) -> Self {
        let mut all = vec!["simulate", "--version", version, "--id", id, "--port", "0"];
        all.extend(args);
        let simulated = Self::run_by(rustuya(&all));
        let line = &simulated.listening;
        assert_eq!((&line["id"], &line["version"]), (&Value::from(id), &Value::from(version)));
        simulated
    }

    /// Starts it with this command, such as with another clock.
    #[track_caller]
    pub(crate) fn run_by(command: Command) -> Self {
        let process = Running::run(command);
        let line = process.line();
        let address = line["listening"].as_str().expect("an address").to_owned();
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        Self { process, address, listening: line }
    }

    /// Runs a subcommand on this device.
    #[track_caller]
    pub(crate) fn run(&self, subcommand: &str, args: &[&str]) -> Done {
        finish(self.command(subcommand, args))
    }

    /// Creates a subcommand on this device.
    pub(crate) fn command(&self, subcommand: &str, args: &[&str]) -> Command {
        let mut command = rustuya(&[subcommand, ID, "--address", &self.address]);
        command.args(args);
        command
    }

    /// Returns the port alone.
    pub(crate) fn port(&self) -> &str {
        self.address.rsplit(':').next().expect("a port")
    }
}

/// File that is deleted when it is dropped.
pub(crate) struct TempFile(std::path::PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("rustuya-{}-{name}", std::process::id()));
        std::fs::write(&path, content).expect("the file can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A leftover file does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}
