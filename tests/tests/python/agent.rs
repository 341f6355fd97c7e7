//! A process that does in Python what it is told, one order after the other.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::{Value, json};

/// How much longer than its own limit an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The process. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    /// It may have been left in the middle of something.
    pub(crate) broken: bool,
}

impl Agent {
    /// Starts one for the face of this name, which hears announcements at `hears_at` if at all.
    pub(crate) fn start(interpreter: &Path, face: &str, hears_at: Option<Ipv4Addr>) -> Self {
        let mut command = Command::new(interpreter);
        command.args(["-m", "tests.conformance", face]);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../py"));
        if let Some(address) = hears_at {
            command.args(["--hears-at", &address.to_string()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the interpreter starts");
        let (orders, lines) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(lines).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, orders, answers, broken: false }
    }

    /// Gives an order that takes no longer than `limit`, and returns what it came to.
    pub(crate) fn order(&mut self, order: &Value, limit: Duration) -> Value {
        assert!(!self.broken, "the agent was given up");
        self.broken = true;
        writeln!(self.orders, "{order}").expect("the agent listens");
        let line = match self.answers.recv_timeout(limit + PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the agent does not answer: {order}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the agent has ended: {order}"),
        };
        let told: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(why) = told["failed"].as_str() {
            panic!("{order}: {why}");
        }
        self.broken = false;
        told
    }

    /// Ends everything that the process has; whether it can be used for something else.
    pub(crate) fn reset(&mut self) -> bool {
        if !self.broken {
            self.order(&json!({ "do": "reset" }), Duration::ZERO);
        }
        !self.broken
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that nobody else in this process has, and hardly anybody in another.
pub(crate) fn address_of_its_own() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const EACH: u32 = 250;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id() % 100;
    let byte = |number: u32| u8::try_from(number).expect("less than 256");
    Ipv4Addr::new(127, byte(100 + process), byte(number / EACH % EACH), byte(number % EACH + 1))
}
