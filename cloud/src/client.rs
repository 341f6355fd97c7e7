//! Sends what the state machines ask for, one request after the other.

use core::error::Error as _;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::ThreadRng;

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use crate::app::AppFetch;
use crate::cancel::{CancelToken, Wakeup};
use crate::error::{FetchError, SendFailure};
use crate::fetch::{Fetch, Fetched, Progress, Step};
use crate::http::{Answer, Method, Request};

/// A blocking HTTPS client. It keeps connections open while it is used, and follows no redirects.
///
/// ```no_run
/// use rustuya_cloud::{Client, Fetch, Endpoint, Project};
/// let project = Project { access_id: "p8k3nexampleclientid".into(), access_secret: "0123456789abcdef".into() };
/// let fetched = Client::builder().build()?.fetch(Fetch::new(project, Endpoint::all()), |news| println!("{news:?}"))?;
/// println!("{} devices", fetched.devices.len());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    cancel: Option<CancelToken>,
}

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    ca_file: Option<PathBuf>,
    timeout: Duration,
    cancel: Option<CancelToken>,
}

/// A client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The file of certificates cannot be read.
    #[error("the file of certificates cannot be read")]
    CaFile(#[source] io::Error),
    /// The file holds no certificates.
    #[error("the file holds no certificates in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificates,
    /// This system has no certificates of authorities.
    #[error("this system trusts no certificate authority: install its package ca-certificates, or give a file of them")]
    NoRoots,
}

/// The cloud's longest answers are lists of hundreds of devices.
const LONGEST: u64 = 16 * 1024 * 1024;

impl Default for ClientBuilder {
    fn default() -> Self {
        Self { ca_file: None, timeout: Duration::from_secs(20), cancel: None }
    }
}

impl ClientBuilder {
    /// Trusts the certificates in this file, in PEM form, instead of the platform's.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        self.ca_file = Some(path.as_ref().to_owned());
        self
    }

    /// Sets the time limit of one request as a whole; 20 seconds by default.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Lets this token cancel the client's fetches. Each request has a thread of its own then.
    pub fn cancel_token(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError`]
    pub fn build(self) -> Result<Client, ClientError> {
        let roots = match &self.ca_file {
            Some(path) => from_file(path)?,
            None => from_platform()?,
        };
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .build();
        let config = Agent::config_builder()
            .https_only(true)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("rustuya/", env!("CARGO_PKG_VERSION")))
            .timeout_global(Some(self.timeout))
            .tls_config(tls)
            .build();
        Ok(Client { agent: config.into(), cancel: self.cancel })
    }
}

impl Client {
    /// A client with other settings than the usual ones.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Fetches the devices of a developer project. Says meanwhile what is going on.
    ///
    /// # Errors
    /// [`FetchError`], with advice.
    pub fn fetch(&self, mut fetch: Fetch, mut tell: impl FnMut(Progress)) -> Result<Fetched, FetchError> {
        self.drive(&mut fetch, &mut tell)
    }

    /// Fetches the devices of an app's account, once the QR code in [`Progress::Code`] is scanned.
    ///
    /// # Errors
    /// [`FetchError`], with advice.
    pub fn fetch_app(&self, fetch: AppFetch, mut tell: impl FnMut(Progress)) -> Result<Fetched, FetchError> {
        self.drive(&mut (fetch, rand::rng()), &mut tell)
    }

    fn drive(&self, machine: &mut dyn Machine, tell: &mut dyn FnMut(Progress)) -> Result<Fetched, FetchError> {
        let (sender, wakeups) = channel();
        if let Some(token) = &self.cancel {
            token.add(&sender);
        }
        for number in 0.. {
            while let Ok(wakeup) = wakeups.try_recv() {
                if matches!(wakeup, Wakeup::Cancelled) {
                    machine.cancel();
                }
            }
            match machine.poll(now()) {
                Step::Send(request) if self.cancel.is_none() => machine.handle(self.send(&request), now()),
                Step::Send(request) => self.send_apart(number, request, machine, &sender, &wakeups),
                Step::Wait(time) => wait(time, machine, &wakeups),
                Step::Progress(news) => tell(news),
                Step::Done(result) => return result.map(|fetched| *fetched),
            }
        }
        Err(FetchError::Cancelled)
    }

    /// Sends from a thread of its own, so that a cancelled fetch does not wait for an answer that it does not need.
    fn send_apart(
        &self,
        number: u64,
        request: Request,
        machine: &mut dyn Machine,
        sender: &Sender<Wakeup>,
        wakeups: &Receiver<Wakeup>,
    ) {
        let (client, sender) = (self.clone(), sender.clone());
        let send = move || {
            // The fetch may have ended.
            let _ = sender.send(Wakeup::Answer(number, client.send(&request)));
        };
        if thread::Builder::new().name("cloud request".to_owned()).spawn(send).is_err() {
            return machine.handle(Err(SendFailure::Other), now());
        }
        while let Ok(wakeup) = wakeups.recv() {
            match wakeup {
                Wakeup::Answer(of, answer) if of == number => return machine.handle(answer, now()),
                Wakeup::Cancelled if !machine.cancel() => return,
                _ => {}
            }
        }
    }

    /// Sends one request, and waits for its answer.
    ///
    /// # Errors
    /// [`SendFailure`]; an answer of any status is none.
    pub fn send(&self, request: &Request) -> Result<Answer, SendFailure> {
        let headers = request.headers.iter().filter(|(_, value)| !value.is_empty());
        let url = request.url.expose();
        let sent = match request.method {
            Method::Get => {
                headers.fold(self.agent.get(url), |call, (name, value)| call.header(*name, value.expose())).call()
            }
            Method::Post => {
                let call = headers.fold(self.agent.post(url), |call, (name, value)| call.header(*name, value.expose()));
                if request.body.is_empty() { call.send_empty() } else { call.send(&request.body[..]) }
            }
        };
        let (parts, mut body) = sent.map_err(|error| failure(&error))?.into_parts();
        let asked = parts.headers.get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Answer {
            status: parts.status.as_u16(),
            retry_after: asked.map(Duration::from_secs),
            body: read(&mut body)?,
        })
    }
}

/// A state machine that needs nothing but requests.
trait Machine {
    fn poll(&mut self, now: u64) -> Step;
    fn handle(&mut self, answer: Result<Answer, SendFailure>, now: u64);
    /// Returns true if the answer to the last request is still needed.
    fn cancel(&mut self) -> bool;
}

impl Machine for Fetch {
    fn poll(&mut self, now: u64) -> Step {
        Self::poll(self, now)
    }

    fn handle(&mut self, answer: Result<Answer, SendFailure>, now: u64) {
        Self::handle(self, answer, now);
    }

    fn cancel(&mut self) -> bool {
        Self::cancel(self);
        false
    }
}

impl Machine for (AppFetch, ThreadRng) {
    fn poll(&mut self, now: u64) -> Step {
        self.0.poll(now, &mut self.1)
    }

    fn handle(&mut self, answer: Result<Answer, SendFailure>, now: u64) {
        self.0.handle(answer, now);
    }

    fn cancel(&mut self) -> bool {
        self.0.cancel()
    }
}

/// Waits, unless the fetch is cancelled.
fn wait(time: Duration, machine: &mut dyn Machine, wakeups: &Receiver<Wakeup>) {
    let ends = Instant::now() + time;
    loop {
        match wakeups.recv_timeout(ends.saturating_duration_since(Instant::now())) {
            Ok(Wakeup::Cancelled) => {
                machine.cancel();
                return;
            }
            // Nobody waits for this answer any more.
            Ok(Wakeup::Answer(..)) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn read(body: &mut Body) -> Result<Zeroizing<Vec<u8>>, SendFailure> {
    let read = body.with_config().limit(LONGEST).read_to_vec();
    read.map(Zeroizing::new).map_err(|error| match error {
        ureq::Error::BodyExceedsLimit(_) => SendFailure::TooLong,
        ureq::Error::Timeout(_) => SendFailure::Timeout,
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => SendFailure::Timeout,
        _ => SendFailure::Closed,
    })
}

fn failure(error: &ureq::Error) -> SendFailure {
    match error {
        ureq::Error::Timeout(_) => SendFailure::Timeout,
        ureq::Error::HostNotFound => SendFailure::HostNotFound,
        ureq::Error::ConnectionFailed | ureq::Error::ConnectProxyFailed(_) => SendFailure::Connect,
        ureq::Error::Rustls(error) => SendFailure::Tls(error.to_string()),
        ureq::Error::Tls(reason) => SendFailure::Tls((*reason).to_owned()),
        ureq::Error::Io(error) => io_failure(error),
        ureq::Error::Protocol(_) | ureq::Error::BodyStalled => SendFailure::Closed,
        _ => SendFailure::Other,
    }
}

fn io_failure(error: &io::Error) -> SendFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let inner = inner.or_else(|| error.source()?.downcast_ref());
    if let Some(inner) = inner {
        return SendFailure::Tls(inner.to_string());
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SendFailure::Timeout,
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => SendFailure::Closed,
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => SendFailure::Connect,
        _ => SendFailure::Other,
    }
}

fn from_file(path: &Path) -> Result<Vec<Certificate<'static>>, ClientError> {
    let text = std::fs::read(path).map_err(ClientError::CaFile)?;
    let certificates = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() { Err(ClientError::NoCertificates) } else { Ok(certificates) }
}

fn from_platform() -> Result<Vec<Certificate<'static>>, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> = found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if certificates.is_empty() { Err(ClientError::NoRoots) } else { Ok(certificates) }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
