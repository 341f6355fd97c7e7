//! The keys of a developer project's devices, call by call.

mod display;
mod job;
mod stage;

use core::time::Duration;
use std::collections::VecDeque;

use crate::centre::Endpoint;
use crate::device::CloudDevice;
use crate::envelope::{Opened, opened};
use crate::error::{ApiError, Cause, FetchError, SendFailure, Tried};
use crate::http::{Answer, Method, Request, encoded};
use crate::mapping::Mapping;
use crate::qr_text::QrText;
use crate::retry::Retry;
use crate::secret::Secret;
use crate::sign::{Project, StringToSign};
use job::Job;
use stage::Stage;

/// Fetches the devices of a developer project, with keys, gateways, hardware addresses and the meaning of DPs. It holds
/// state only: the caller sends the requests, waits, and has the clock.
///
/// Poll it, do what the [`Step`] says, and poll it again, until [`Step::Done`]. What it asks for is asked once: products
/// that are [known](Self::known) not at all, others once for all their devices.
///
/// ```
/// use rustuya_cloud::{Answer, DataCentre, Fetch, Endpoint, Project, Step};
/// let project = Project { access_id: "p8k3nexampleclientid".into(), access_secret: "0123456789abcdef".into() };
/// let mut fetch = Fetch::new(project, vec![Endpoint::of(DataCentre::CentralEurope)]);
/// let now = 1_700_000_000_000;
/// loop {
///     match fetch.poll(now) {
///         Step::Send(request) => {
///             assert_eq!((request.what, request.url.expose()), ("token", "https://openapi.tuyaeu.com/v1.0/token?grant_type=1"));
///             fetch.handle(Ok(Answer::new(200, r#"{"success":false,"code":1013,"msg":"request time is invalid"}"#)), now);
///         }
///         Step::Progress(_) => {}
///         Step::Wait(time) => std::thread::sleep(time),
///         Step::Done(result) => {
///             assert!(result.expect_err("refused").advice().contains("clock"));
///             break;
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Fetch {
    project: Project,
    /// Other endpoints that may have the devices.
    rest: VecDeque<Endpoint>,
    endpoint: Endpoint,
    tried: Vec<Tried>,
    device_ids: Vec<String>,
    known: Vec<(String, Mapping)>,
    wants_mappings: bool,

    token: Option<Secret>,
    /// The token was renewed for the job at hand.
    renewed: bool,
    /// The cloud's clock less that of this computer.
    offset_ms: i64,
    /// The offset comes from a refusal.
    corrected: bool,
    flight: Option<Flight>,
    retry: Retry,
    wait: Option<Duration>,
    news: VecDeque<Progress>,
    end: Option<Result<Box<Fetched>, FetchError>>,

    stage: Stage,
    jobs: VecDeque<Job>,
    current: Option<Job>,
    pages: u32,
    devices: Vec<CloudDevice>,
    owners: Vec<Secret>,
    fetched: Vec<(String, Mapping)>,
    products: (usize, usize),
    notes: Vec<Note>,
    /// The first refusal of a list of devices.
    refusal: Option<FetchError>,
    calls: u32,
}

/// Last request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    Token,
    Job,
}

/// Next step of the caller.
#[derive(Debug)]
pub enum Step {
    /// Send this, and give the answer to [`Fetch::handle`].
    Send(Request),
    /// Poll again after this time.
    Wait(Duration),
    /// For people who watch. Poll again.
    Progress(Progress),
    /// It is over. Polled again, it says the same.
    Done(Result<Box<Fetched>, FetchError>),
}

/// Progress of the fetch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Progress {
    /// This data centre is asked.
    Trying(String),
    /// This data centre does not have the devices.
    Refused(Tried),
    /// This data centre has accepted the project.
    Accepted(String),
    /// The clocks differ by so many milliseconds.
    Clock(i64),
    /// The token is fetched anew.
    TokenRenewed,
    /// So many devices are known.
    Devices(usize),
    /// Products whose DPs are asked for: this one, of so many.
    Product {
        /// The number of this one, from 1.
        at: usize,
        /// Number of all of them.
        of: usize,
    },
    /// The cloud is busy: the request is made again after this time.
    Waiting(Duration, FetchError),
    /// Draw this as a QR code, for the app to scan. A later one replaces it.
    Code(QrText),
    /// The code was scanned, and the app's user agreed.
    LoggedIn,
    /// The login is given up again.
    LoggedOut,
}

/// Fetched devices.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The data centre that has the devices.
    pub endpoint: Endpoint,
    /// The devices, in the cloud's order.
    pub devices: Vec<CloudDevice>,
    /// Facts that could not be fetched.
    pub notes: Vec<Note>,
    /// The cloud's clock less that of this computer, in milliseconds, give or take the time of a request.
    pub clock_offset_ms: i64,
    /// Number of requests, which count against the project's monthly quota.
    pub calls: u32,
}

/// Something that could not be found out. The rest is there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Note {
    /// The name of the device or product that it is about; empty for all.
    pub about: String,
    /// Why.
    pub error: FetchError,
}

/// Clocks that differ by less are as good as equal.
const NOTABLE_MS: u64 = 30_000;

impl Fetch {
    /// Begins with the first of these endpoints, and goes on to the next where one does not have the devices.
    pub fn new(project: Project, endpoints: Vec<Endpoint>) -> Self {
        let mut rest = VecDeque::from(endpoints);
        let endpoint = rest.pop_front().unwrap_or_else(|| Endpoint::of(crate::DataCentre::CentralEurope));
        let news = VecDeque::from([Progress::Trying(endpoint.name().to_owned())]);
        Self {
            project,
            rest,
            endpoint,
            tried: Vec::new(),
            device_ids: Vec::new(),
            known: Vec::new(),
            wants_mappings: true,
            token: None,
            renewed: false,
            offset_ms: 0,
            corrected: false,
            flight: None,
            retry: Retry::default(),
            wait: None,
            news,
            end: None,
            stage: Stage::List,
            jobs: VecDeque::from([Job::Linked { last: None }]),
            current: None,
            pages: 0,
            devices: Vec::new(),
            owners: Vec::new(),
            fetched: Vec::new(),
            products: (0, 0),
            notes: Vec::new(),
            refusal: None,
            calls: 0,
        }
    }

    /// Devices that the user knows: where the list of devices is refused, their owner's list is asked for.
    #[must_use]
    pub fn device_ids(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.device_ids.extend(ids);
        self
    }

    /// Leaves out the request for the DPs of these products, whose mappings are known.
    #[must_use]
    pub fn known(mut self, products: impl IntoIterator<Item = (String, Mapping)>) -> Self {
        self.known.extend(products);
        self
    }

    /// Does not ask what DPs mean.
    #[must_use]
    pub const fn without_mappings(mut self) -> Self {
        self.wants_mappings = false;
        self
    }

    /// Ends early, with [`FetchError::Cancelled`]. The answer to the [last request](Step::Send) is no longer needed.
    pub fn cancel(&mut self) {
        self.flight = None;
        self.wait = None;
        self.news.clear();
        self.end.get_or_insert(Err(FetchError::Cancelled));
    }

    /// Returns the next step at `now`, milliseconds since 1970.
    pub fn poll(&mut self, now: u64) -> Step {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Step::Progress(news);
            }
            if let Some(end) = &self.end {
                return Step::Done(end.clone());
            }
            if let Some(wait) = self.wait.take() {
                return Step::Wait(wait);
            }
            if self.token.is_none() {
                self.flight = Some(Flight::Token);
                return Step::Send(self.request("token", "/v1.0/token", &[("grant_type", "1")], now));
            }
            if self.current.is_none() {
                self.current = self.jobs.pop_front();
                self.renewed = false;
                self.retry = Retry::default();
            }
            let Some(job) = self.current.clone() else {
                self.next_stage();
                continue;
            };
            if let Job::Spec { .. } = job {
                let (at, of) = self.products;
                self.products.0 = at + 1;
                self.current = Some(job.begun());
                self.news.push_back(Progress::Product { at: at + 1, of });
                continue;
            }
            self.flight = Some(Flight::Job);
            let query = job.query();
            let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
            return Step::Send(self.request(job.what(), &job.path(), &query, now));
        }
    }

    /// Takes the answer to what was [sent](Step::Send) last, or why there is none, at `now`.
    pub fn handle(&mut self, answer: Result<Answer, SendFailure>, now: u64) {
        let Some(flight) = self.flight.take() else { return };
        self.calls += 1;
        let what = match (flight, &self.current) {
            (Flight::Job, Some(job)) => job.what(),
            _ => "token",
        };
        let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let result = match answer {
            Ok(answer) => opened(&answer, what, &self.secrets()),
            Err(failure) => Err(FetchError::Send { what, failure }),
        };
        let error = match (flight, result) {
            (Flight::Token, Ok(opened)) => return self.on_token(&opened, now),
            (Flight::Job, Ok(opened)) => {
                let Some(job) = self.current.take() else { return };
                return self.on_job(job, &opened.result);
            }
            (_, Err(error)) => error,
        };
        if self.is_mended(flight, &error, now) {
            return;
        }
        if let Some(wait) = self.retry.wait(&error, asked) {
            self.news.push_back(Progress::Waiting(wait, error));
            self.wait = Some(wait);
            return;
        }
        let error = match error.cause() {
            Some(Cause::Clock) if self.corrected => FetchError::Clock { offset_ms: self.offset_ms },
            _ => error,
        };
        match (flight, self.current.take()) {
            (Flight::Job, Some(job)) => self.on_refusal(job, error),
            // The token cannot be renewed; what is known is kept.
            _ if self.stage != Stage::List && !self.devices.is_empty() => {
                self.notes.push(Note { about: String::new(), error });
                self.token = Some(Secret::default());
                self.jobs.clear();
                self.stage = Stage::Models;
            }
            _ => self.leave(error),
        }
    }

    /// Takes away what the error is about, where that is possible, and once: the request is made again then.
    fn is_mended(&mut self, flight: Flight, error: &FetchError, now: u64) -> bool {
        match error.cause() {
            Some(Cause::Token) if flight == Flight::Job && !self.renewed => {
                self.renewed = true;
                self.token = None;
                self.news.push_back(Progress::TokenRenewed);
                true
            }
            Some(Cause::Clock) if !self.corrected => {
                let Some(server) = error.api().and_then(|error: &ApiError| error.server_time) else { return false };
                self.corrected = true;
                self.set_clock(server, now);
                true
            }
            _ => false,
        }
    }

    fn set_clock(&mut self, server: u64, now: u64) {
        let offset = i64::try_from(i128::from(server) - i128::from(now)).unwrap_or_default();
        if offset.abs_diff(self.offset_ms) >= NOTABLE_MS {
            self.news.push_back(Progress::Clock(offset));
        }
        self.offset_ms = offset;
    }

    fn on_token(&mut self, opened: &Opened, now: u64) {
        let Some(token) = crate::json::filled(&opened.result, &["access_token"]) else {
            return self.leave(FetchError::Incomplete { what: "token", missing: "access_token" });
        };
        self.token = Some(token.into());
        self.retry = Retry::default();
        if let Some(server) = opened.server_time {
            self.set_clock(server, now);
        }
        if !self.renewed {
            self.news.push_back(Progress::Accepted(self.endpoint.name().to_owned()));
        }
    }

    /// Returns the secrets that no message may repeat.
    fn secrets(&self) -> Vec<&Secret> {
        let uids = self.devices.iter().map(|device| &device.uid).chain(&self.owners);
        [Some(&self.project.access_secret), self.token.as_ref()].into_iter().flatten().chain(uids).collect()
    }

    fn request(&self, what: &'static str, path: &str, query: &[(&str, &str)], now: u64) -> Request {
        let t = now.saturating_add_signed(if self.corrected { self.offset_ms } else { 0 });
        let text = StringToSign::new(Method::Get, path, query, &[], b"");
        let sign = self.project.sign(self.token.as_ref(), t, "", &text);
        let mut headers = vec![
            ("client_id", Secret::from(self.project.access_id.as_str())),
            ("sign", sign.into()),
            ("t", t.to_string().into()),
            ("sign_method", "HMAC-SHA256".into()),
            ("lang", "en".into()),
        ];
        headers.extend(self.token.clone().map(|token| ("access_token", token)));
        let url = [self.endpoint.base.as_str(), path, &encoded(query)].concat();
        Request { method: Method::Get, what, url: url.into(), headers, body: Vec::new().into() }
    }

    /// The endpoint does not have the devices: goes on to the next one, or ends.
    fn leave(&mut self, error: FetchError) {
        let elsewhere = error.cause().is_none_or(Cause::may_be_elsewhere);
        let tried = Tried { place: self.endpoint.name().to_owned(), error: error.clone() };
        if !elsewhere || self.tried.is_empty() && self.rest.is_empty() {
            self.end = Some(Err(error));
            return;
        }
        self.tried.push(tried.clone());
        let Some(endpoint) = self.rest.pop_front() else {
            self.end = Some(Err(FetchError::Nowhere { tried: self.tried.clone() }));
            return;
        };
        self.news.push_back(Progress::Refused(tried));
        self.news.push_back(Progress::Trying(endpoint.name().to_owned()));
        self.endpoint = endpoint;
        self.token = None;
        self.renewed = false;
        self.retry = Retry::default();
        self.stage = Stage::List;
        self.jobs = VecDeque::from([Job::Linked { last: None }]);
        self.current = None;
        self.pages = 0;
        self.devices.clear();
        self.owners.clear();
        self.notes.clear();
        self.refusal = None;
    }
}

#[cfg(test)]
pub(crate) mod tests;
