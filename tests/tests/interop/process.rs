//! Processes that print JSON lines.

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

use crate::LIMIT;

/// Process that prints JSON lines. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Value>,
    /// Lines read so far.
    pub(crate) log: Vec<Value>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        // The thread ends with the program's output.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "violation": line }));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, log: Vec::new() }
    }

    /// Reads lines until `done` holds for those read so far.
    pub(crate) fn read_until(&mut self, done: impl Fn(&[Value]) -> bool) -> &[Value] {
        let deadline = Instant::now() + LIMIT;
        while !done(&self.log) {
            let rest = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(rest) {
                Ok(line) => self.log.push(line),
                Err(error) => panic!("{error}; printed so far: {:?}", self.log),
            }
        }
        &self.log
    }

    /// Writes a line to the program.
    pub(crate) fn order(&mut self, order: &Value) {
        let stdin = self.stdin.as_mut().expect("not stopped");
        writeln!(stdin, "{order}").expect("the program listens");
    }

    /// Closes the program's standard input and returns its exit status.
    pub(crate) fn stop(&mut self) -> i32 {
        self.stdin = None;
        self.exit()
    }

    /// Waits for the end and returns the exit status.
    pub(crate) fn exit(&mut self) -> i32 {
        let deadline = Instant::now() + LIMIT;
        // The output ends with the program.
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.log.push(line);
        }
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child to wait for") {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("does not end; printed: {:?}", self.log);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the command of a Python program of `tests/interop`.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new(required("RUSTUYA_INTEROP_PYTHON", "a Python with tinytuya"));
    command.arg(folder().join(script));
    command
}

/// Makes the command of a Node program of `tests/interop`.
pub(crate) fn node(script: &str, key: &str) -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", required("RUSTUYA_INTEROP_NODE_MODULES", "the Node packages with tuyapi"));
    command.env("RUSTUYA_KEY", key).arg(folder().join(script));
    command
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("interop")
}

pub(crate) fn required(variable: &str, what: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) if Path::new(&path).exists() => path.into(),
        Some(path) => panic!("{variable}: {} does not exist; it must name {what}", path.display()),
        None => panic!("{variable} is not set: it must name {what}. `cargo xtask test` sets it"),
    }
}
