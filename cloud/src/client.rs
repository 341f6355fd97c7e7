//! Sends what the state machines ask for: one request after the other, from the thread that calls.

use core::error::Error as _;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use crate::app::AppFetch;
use crate::error::{FetchError, SendFailure};
use crate::fetch::{Fetch, Fetched, Progress, Step};
use crate::http::{Answer, Method, Request};

/// A blocking HTTPS client. It keeps connections open while it is used, and follows no redirects.
///
/// ```no_run
/// use rustuya_cloud::{Client, Fetch, Place, Project};
/// let project = Project { access_id: "p8k3nexampleclientid".into(), access_secret: "0123456789abcdef".into() };
/// let fetched = Client::builder().build()?.fetch(Fetch::new(project, Place::all()), |news| println!("{news:?}"))?;
/// println!("{} devices", fetched.devices.len());
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
}

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    ca_file: Option<PathBuf>,
    timeout: Duration,
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
        Self { ca_file: None, timeout: Duration::from_secs(20) }
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
        Ok(Client { agent: config.into() })
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
        loop {
            match fetch.poll(now()) {
                Step::Send(request) => {
                    let answer = self.send(&request);
                    fetch.handle(answer, now());
                }
                Step::Wait(time) => thread::sleep(time),
                Step::Progress(news) => tell(news),
                Step::Done(result) => return result.map(|fetched| *fetched),
            }
        }
    }

    /// Fetches the devices of an app's account, once the QR code in [`Progress::Code`] is scanned.
    ///
    /// # Errors
    /// [`FetchError`], with advice.
    pub fn fetch_app(&self, mut fetch: AppFetch, mut tell: impl FnMut(Progress)) -> Result<Fetched, FetchError> {
        let mut rng = rand::rng();
        loop {
            match fetch.poll(now(), &mut rng) {
                Step::Send(request) => {
                    let answer = self.send(&request);
                    fetch.handle(answer, now());
                }
                Step::Wait(time) => thread::sleep(time),
                Step::Progress(news) => tell(news),
                Step::Done(result) => return result.map(|fetched| *fetched),
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
