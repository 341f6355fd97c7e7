//! A stand-in for the vendor's cloud: HTTPS on 127.0.0.1 with a certificate of its own, for tests.
//!
//! It shares no code with what it tests: signatures and seals are verified with its own, which other implementations are
//! run against, too. It fails on demand, in every way that the cloud and the way to it can fail.
//!
//! ```
//! use rustuya_fake_cloud::{Account, FakeCloud, Fault};
//! let cloud = FakeCloud::start(Account::sample())?;
//! cloud.fail("/v1.0/token", Fault::Code(1004, "sign invalid"), 1);
//! assert!(cloud.url().starts_with("https://127.0.0.1:"));
//! assert!(cloud.calls().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

#![forbid(unsafe_code)]

mod account;
mod app_api;
mod check;
mod open_api;
mod server;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

pub use account::Account;
use serde_json::{Value, json};

/// The running server. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeCloud {
    address: SocketAddr,
    ca_pem: String,
    shared: Arc<Shared>,
}

/// The number of every request.
const TID: &str = "00112233445566778899aabbccddeeff";

/// Failure of a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The cloud refuses with this number and these words.
    Code(i64, &'static str),
    /// As [`Code`](Self::Code), with the number as text.
    TextCode(&'static str, &'static str),
    /// An HTTP status, with a `Retry-After` of so many seconds if there is one.
    Status(u16, Option<u32>),
    /// A web page, as of the login to a network.
    Html,
    /// The connection ends in the middle of the answer.
    Half,
    /// The answer is complete for HTTP, but its JSON is cut off.
    CutJson,
    /// The connection ends without an answer.
    Close,
    /// No answer comes at all.
    Silence,
    /// A success with this result.
    Result(Value),
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) over: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) account: Account,
    faults: Vec<(String, Fault, u32)>,
    calls: Vec<String>,
    /// This clock less the computer's, in milliseconds.
    skew_ms: i64,
    pub(crate) issued: u32,
    pub(crate) token: Option<String>,
    pub(crate) app: app_api::Sessions,
    pub(crate) base: String,
}

impl FakeCloud {
    /// Begins to listen on a free port.
    ///
    /// # Errors
    /// Fails when there is no port, or no certificate can be made.
    pub fn start(account: Account) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (config, ca_pem) = server::certificate()?;
        let state = State {
            account,
            faults: Vec::new(),
            calls: Vec::new(),
            skew_ms: 0,
            issued: 0,
            token: None,
            app: app_api::Sessions::default(),
            base: format!("https://{address}"),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), over: AtomicBool::new(false) });
        server::start(listener, config, &shared)?;
        Ok(Self { address, ca_pem, shared })
    }

    /// The address without a path.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// `HOST:PORT`
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that clients must trust, in PEM form.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// From now on, the next so many calls whose path begins with this fail.
    pub fn fail(&self, path: &str, fault: Fault, times: u32) {
        self.shared.lock().faults.push((path.to_owned(), fault, times));
    }

    /// Sets this clock apart from the computer's.
    pub fn skew(&self, ms: i64) {
        self.shared.lock().skew_ms = ms;
    }

    /// The tokens that were given out are no longer valid, as after two hours.
    pub fn revoke(&self) {
        self.shared.lock().token = None;
    }

    /// The QR code that is shown is scanned.
    pub fn scan(&self) {
        self.shared.lock().app.scan();
    }

    /// So many polls after a QR code is made, it is scanned by itself.
    pub fn scan_after(&self, polls: u32) {
        self.shared.lock().app.scan_after = Some(polls);
    }

    /// Returns whether a login of the app's kind exists.
    pub fn is_logged_in(&self) -> bool {
        self.shared.lock().app.is_logged_in()
    }

    /// Changes what the account has.
    pub fn change(&self, change: impl FnOnce(&mut Account)) {
        change(&mut self.shared.lock().account);
    }

    /// The calls so far: verb and path, without the query.
    pub fn calls(&self) -> Vec<String> {
        self.shared.lock().calls.clone()
    }

    /// Counts the calls so far whose path contains this.
    pub fn count(&self, part: &str) -> usize {
        self.shared.lock().calls.iter().filter(|call| call.contains(part)).count()
    }
}

impl Drop for FakeCloud {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = std::net::TcpStream::connect(self.address);
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answer of the server.
pub(crate) enum Reply {
    Json(Value),
    Fault(Fault),
}

/// A request, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl State {
    /// Answers a request.
    pub(crate) fn answer(&mut self, call: &Call) -> Reply {
        self.calls.push(format!("{} {}", call.method, call.path));
        if let Some(at) =
            self.faults.iter().position(|(path, _, times)| *times > 0 && call.path.starts_with(path.as_str()))
        {
            let (_, fault, times) = &mut self.faults[at];
            *times -= 1;
            let fault = fault.clone();
            return match fault {
                Fault::Code(code, words) => self.refuse(json!(code), words),
                Fault::TextCode(code, words) => self.refuse(json!(code), words),
                Fault::Result(result) if call.path.contains("/m/") && !call.path.contains("qrcode") => {
                    self.app_result(call, &result)
                }
                Fault::Result(result) => self.succeed(result),
                other => Reply::Fault(other),
            };
        }
        let result = if call.path.contains("/m/") { self.app(call) } else { self.open_api(call) };
        match result {
            Ok(reply) => reply,
            Err((code, words)) => self.refuse(json!(code), words),
        }
    }

    /// This clock, in milliseconds since 1970.
    pub(crate) fn now(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add_signed(self.skew_ms)
    }

    pub(crate) fn succeed(&self, result: Value) -> Reply {
        Reply::Json(json!({ "success": true, "result": result, "t": self.now(), "tid": TID }))
    }

    fn refuse(&self, code: Value, words: &str) -> Reply {
        let tid = TID;
        Reply::Json(json!({ "success": false, "code": code, "msg": words, "t": self.now(), "tid": tid }))
    }

    /// A text that was not given out before.
    pub(crate) fn issue(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}{:032x}", self.issued)
    }
}

/// A refusal: number and words.
pub(crate) type Refused = (i64, &'static str);
