//! Process that executes orders in Python, one by one.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::{Value, json};

/// Time that an answer may take beyond the limit of its order.
const PATIENCE: Duration = Duration::from_secs(30);

/// Agent process. Ends when dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    /// True if an order may be unfinished.
    pub(crate) broken: bool,
}

impl Agent {
    /// Starts an agent for the classes of this name; it receives announcements at `announcements_at`, if given.
    pub(crate) fn start(interpreter: &Path, face: &str, announcements_at: Option<Ipv4Addr>) -> Self {
        let mut command = Command::new(interpreter);
        command.args(["-m", "tests.conformance", face]);
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../py"));
        if let Some(address) = announcements_at {
            command.args(["--announcements-at", &address.to_string()]);
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

    /// Sends an order that takes `limit` at most. Returns its result.
    pub(crate) fn order(&mut self, order: &Value, limit: Duration) -> Value {
        assert!(!self.broken, "the agent was given up");
        self.broken = true;
        writeln!(self.orders, "{order}").expect("the agent listens");
        let line = match self.answers.recv_timeout(limit + PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the agent does not answer: {order}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the agent has ended: {order}"),
        };
        let answer: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(why) = answer["failed"].as_str() {
            panic!("{order}: {why}");
        }
        self.broken = false;
        answer
    }

    /// Ends all objects of the process. Returns whether it can be reused.
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

/// Returns a loopback address that is unique in this process, and probably among processes.
pub(crate) fn address_of_its_own() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    const EACH: u32 = 250;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id() % 100;
    let byte = |number: u32| u8::try_from(number).expect("less than 256");
    Ipv4Addr::new(127, byte(100 + process), byte(number / EACH % EACH), byte(number % EACH + 1))
}
