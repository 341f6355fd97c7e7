//! The keys of an app's account, by a QR code that the app scans.

use core::time::Duration;
use std::collections::VecDeque;

use rand_core::CryptoRng;
use serde_json::Value;

use crate::app_call::{AppCall, AppSession};
use crate::centre::Endpoint;
use crate::device::{CloudDevice, link_children, merge};
use crate::envelope::opened;
use crate::error::{FetchError, SendFailure};
use crate::fetch::{Fetched, Note, Progress, Step};
use crate::http::{Answer, Method, Request, encoded, segment};
use crate::json;
use crate::mapping::Mapping;
use crate::qr_text::QrText;
use crate::retry::Retry;
use crate::seal::Sealing;
use crate::secret::Secret;

/// User of the app, and the client id of the login. This library has none of its own: the vendor gives them out.
#[derive(Clone, Debug)]
pub struct AppLogin {
    /// The client id that the vendor gave out.
    pub client_id: String,
    /// The schema that belongs to it.
    pub schema: String,
    /// The user code that the app shows: Me > Settings > Account and Security > User Code.
    pub user_code: Secret,
    /// The address without a path; [`AppLogin::BASE`] is the vendor's.
    pub base: String,
}

impl AppLogin {
    /// The vendor's address for logins, the same for all data centres.
    pub const BASE: &str = "https://apigw.iotbing.com";
}

/// Fetches the devices of an app's account, with keys and the meaning of DPs, and logs out again. It holds state only, as
/// [`Fetch`](crate::Fetch) does, and is driven in the same way; randomness comes from the caller.
#[derive(Debug)]
pub struct AppFetch {
    login: AppLogin,
    known: Vec<(String, Mapping)>,
    state: State,
    /// QR codes so far.
    codes: u32,
    flight: Option<Flight>,
    retry: Retry,
    wait: Option<Duration>,
    news: VecDeque<Progress>,
    end: Option<Result<Box<Fetched>, FetchError>>,

    jobs: VecDeque<AppCall>,
    stage: Stage,
    products: (usize, usize),
    /// Reason for an end without the devices, reported after the logout.
    failed: Option<FetchError>,
    is_cancelled: bool,
    devices: Vec<CloudDevice>,
    fetched: Vec<(String, Mapping)>,
    notes: Vec<Note>,
    /// The data centre's server.
    endpoint: Option<String>,
    offset_ms: i64,
    calls: u32,
}

#[derive(Debug)]
enum State {
    /// A code is to be fetched.
    NoCode,
    /// This code is shown since then.
    Shown { token: Secret, since: u64 },
    /// The user has agreed.
    LoggedIn(Box<AppSession>),
    /// It is over.
    LoggedOut,
}

#[derive(Debug)]
enum Flight {
    Code,
    Scanned,
    Call(AppCall, Box<Sealing>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Homes,
    Keys,
    Relations,
    Logout,
}

/// The server forgets a code after about five minutes.
const CODE_LIVES: u64 = 5 * 60 * 1000;
/// Number of codes that are shown before the login is given up.
const MOST_CODES: u32 = 3;
const POLL: Duration = Duration::from_secs(2);
/// Ids in one request.
const IDS: usize = 20;

const CODES: &str = "/v1.0/m/life/home-assistant/qrcode/tokens";

impl AppFetch {
    /// Begins with a QR code.
    pub fn new(login: AppLogin) -> Self {
        Self {
            login,
            known: Vec::new(),
            state: State::NoCode,
            codes: 0,
            flight: None,
            retry: Retry::default(),
            wait: None,
            news: VecDeque::new(),
            end: None,
            jobs: VecDeque::from([AppCall::Homes]),
            stage: Stage::Homes,
            products: (0, 0),
            failed: None,
            is_cancelled: false,
            devices: Vec::new(),
            fetched: Vec::new(),
            notes: Vec::new(),
            endpoint: None,
            offset_ms: 0,
            calls: 0,
        }
    }

    /// Leaves out the request for the DPs of these products, whose mappings are known.
    #[must_use]
    pub fn known(mut self, products: impl IntoIterator<Item = (String, Mapping)>) -> Self {
        self.known.extend(products);
        self
    }

    /// Ends early: it comes to its end with [`FetchError::Cancelled`], after the logout where somebody is logged in.
    ///
    /// Returns true if the answer to the [last request](Step::Send) is still needed. Else poll without it.
    pub fn cancel(&mut self) -> bool {
        if self.is_cancelled || self.end.is_some() {
            return self.flight.is_some();
        }
        self.is_cancelled = true;
        self.failed = Some(FetchError::Cancelled);
        self.jobs = VecDeque::from([AppCall::Logout]);
        self.stage = Stage::Logout;
        self.retry = Retry::default();
        self.wait = None;
        // The code may just have been scanned; and other tokens than the renewed ones cannot log out.
        let is_needed =
            matches!(self.flight, Some(Flight::Scanned | Flight::Call(AppCall::Refresh | AppCall::Logout, _)));
        if !is_needed {
            self.flight = None;
        }
        is_needed
    }

    /// Returns the next step at `now`, milliseconds since 1970.
    pub fn poll(&mut self, now: u64, rng: &mut dyn CryptoRng) -> Step {
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
            match &self.state {
                State::NoCode | State::Shown { .. } if self.is_cancelled => {
                    self.end = Some(Err(FetchError::Cancelled));
                }
                State::NoCode if self.codes >= MOST_CODES => self.end = Some(Err(FetchError::NotScanned)),
                State::NoCode => {
                    self.flight = Some(Flight::Code);
                    return Step::Send(self.code_request());
                }
                State::Shown { since, .. } if now.saturating_sub(*since) >= CODE_LIVES => self.state = State::NoCode,
                State::Shown { token, .. } => {
                    let request = self.scan_request(token);
                    self.flight = Some(Flight::Scanned);
                    return Step::Send(request);
                }
                State::LoggedIn(session) => {
                    let call = match self.jobs.front() {
                        Some(AppCall::Logout) => AppCall::Logout,
                        Some(_) if session.is_old(now.saturating_add_signed(self.offset_ms)) => AppCall::Refresh,
                        Some(call) => call.clone(),
                        None => {
                            self.next_stage();
                            continue;
                        }
                    };
                    let (request, sealing) = session.request(&call, now.saturating_add_signed(self.offset_ms), rng);
                    self.flight = Some(Flight::Call(call, Box::new(sealing)));
                    return Step::Send(request);
                }
                State::LoggedOut => self.finish(),
            }
        }
    }

    /// Takes the answer to what was [sent](Step::Send) last, or why there is none, at `now`.
    pub fn handle(&mut self, answer: Result<Answer, SendFailure>, now: u64) {
        let Some(flight) = self.flight.take() else { return };
        self.calls += 1;
        let what = match &flight {
            Flight::Code => "QR code",
            Flight::Scanned => "login",
            Flight::Call(call, _) => call.what(),
        };
        let asked = answer.as_ref().ok().and_then(|answer| answer.retry_after);
        let answer = answer.map_err(|failure| FetchError::Send { what, failure });
        let error = match &flight {
            Flight::Code => self.on_code(answer, now).err(),
            Flight::Scanned => self.on_scan(answer, now).err(),
            Flight::Call(call, sealing) => self.on_answer(call, sealing, answer, now).err(),
        };
        if self.is_cancelled && matches!(flight, Flight::Scanned) {
            // There is no login to wait for.
            self.wait = None;
            return;
        }
        let Some(error) = error else {
            self.retry = Retry::default();
            return;
        };
        if let Some(wait) = self.retry.wait(&error, asked) {
            self.news.push_back(Progress::Waiting(wait, error));
            self.wait = Some(wait);
            return;
        }
        self.retry = Retry::default();
        match flight {
            Flight::Code | Flight::Scanned => self.end = Some(Err(error)),
            Flight::Call(call, _) => self.on_refusal(&call, error),
        }
    }

    fn code_request(&self) -> Request {
        let login = &self.login;
        let query =
            [("clientid", &*login.client_id), ("usercode", login.user_code.expose()), ("schema", &login.schema)];
        let url = [login.base.trim_end_matches('/'), CODES, &encoded(&query)].concat();
        Request { method: Method::Post, what: "QR code", url: url.into(), headers: Vec::new(), body: Vec::new().into() }
    }

    fn scan_request(&self, token: &Secret) -> Request {
        let login = &self.login;
        let query = [("clientid", &*login.client_id), ("usercode", login.user_code.expose())];
        let base = login.base.trim_end_matches('/');
        let url = [base, CODES, "/", &segment(token.expose()), &encoded(&query)].concat();
        Request { method: Method::Get, what: "login", url: url.into(), headers: Vec::new(), body: Vec::new().into() }
    }

    fn on_code(&mut self, answer: Result<Answer, FetchError>, now: u64) -> Result<(), FetchError> {
        let opened = opened(&answer?, "QR code", &[&self.login.user_code])?;
        let Some(token) = json::filled(&opened.result, &["qrcode"]) else {
            return Err(FetchError::Incomplete { what: "QR code", missing: "qrcode" });
        };
        self.codes += 1;
        self.news.push_back(Progress::Code(QrText::new(format!("tuyaSmart--qrLogin?token={token}"))));
        self.state = State::Shown { token: token.into(), since: now };
        self.wait = Some(POLL);
        Ok(())
    }

    fn on_scan(&mut self, answer: Result<Answer, FetchError>, now: u64) -> Result<(), FetchError> {
        let opened = match opened(&answer?, "login", &[&self.login.user_code]) {
            // Nobody has scanned it yet.
            Err(FetchError::Api(_)) => {
                self.wait = Some(POLL);
                return Ok(());
            }
            other => other?,
        };
        let server = opened.server_time.unwrap_or(now);
        self.offset_ms = i64::try_from(i128::from(server) - i128::from(now)).unwrap_or_default();
        let session = AppSession::from_login(&self.login.client_id, &opened.result, server)?;
        self.endpoint = Some(session.endpoint().to_owned());
        self.state = State::LoggedIn(Box::new(session));
        self.news.push_back(Progress::LoggedIn);
        Ok(())
    }

    fn on_answer(
        &mut self,
        call: &AppCall,
        sealing: &Sealing,
        answer: Result<Answer, FetchError>,
        now: u64,
    ) -> Result<(), FetchError> {
        let State::LoggedIn(session) = &mut self.state else { return Ok(()) };
        let (result, server) = session.open(call.what(), sealing, &answer?)?;
        let result = json::Wiped(result);
        if *call == AppCall::Refresh {
            return session.renew(&result, server.unwrap_or(now.saturating_add_signed(self.offset_ms)));
        }
        self.jobs.pop_front();
        self.on_result(call, &result);
        Ok(())
    }

    fn on_result(&mut self, call: &AppCall, result: &Value) {
        match call {
            AppCall::Homes => {
                let homes = json::list(result, &["list"]).unwrap_or_default();
                let ids = homes.iter().filter_map(|home| json::filled(home, &["ownerId", "owner_id", "homeId"]));
                self.jobs.extend(ids.map(|home| AppCall::Devices { home }));
            }
            AppCall::Devices { .. } | AppCall::Details { .. } => {
                let list = json::list(result, &["list", "devices"]).unwrap_or_default();
                if merge(&mut self.devices, list.iter().filter_map(CloudDevice::from_json)) > 0 {
                    self.news.push_back(Progress::Devices(self.devices.len()));
                }
            }
            AppCall::Relations { device } => {
                let product = self.devices.iter().find(|known| known.id == *device);
                let product = product.and_then(|known| known.product_id.clone()).unwrap_or_default();
                self.fetched.push((product, Mapping::from_relations(result)));
                self.tell_product();
            }
            AppCall::Logout => self.log_out(),
            _ => {}
        }
    }

    fn on_refusal(&mut self, call: &AppCall, error: FetchError) {
        match (call, &error) {
            (AppCall::Logout, _) => return self.log_out(),
            // Without valid tokens there is nothing to log out of.
            (AppCall::Refresh, _) | (_, FetchError::LoginOver) => {
                if self.devices.is_empty() && !self.is_cancelled {
                    self.failed = Some(FetchError::LoginOver);
                }
                self.note(String::new(), error);
                self.state = State::LoggedOut;
                return;
            }
            (AppCall::Homes, _) => {
                self.failed = Some(error);
                self.jobs = VecDeque::from([AppCall::Logout]);
                self.stage = Stage::Logout;
                return;
            }
            (AppCall::Relations { device }, _) => {
                let named = self.devices.iter().find(|known| known.id == *device);
                let name = named.and_then(|known| known.product_name.clone()).unwrap_or_default();
                self.note(name, error);
                self.tell_product();
            }
            _ => self.note(String::new(), error),
        }
        self.jobs.pop_front();
    }

    fn tell_product(&mut self) {
        self.products.0 += 1;
        let (at, of) = self.products;
        self.news.push_back(Progress::Product { at, of });
    }

    fn log_out(&mut self) {
        self.news.push_back(Progress::LoggedOut);
        self.state = State::LoggedOut;
    }

    fn note(&mut self, about: String, error: FetchError) {
        self.notes.push(Note { about, error });
    }

    /// All jobs of a stage are done: thinks of those of the next one.
    fn next_stage(&mut self) {
        self.stage = match self.stage {
            Stage::Homes => {
                let keyless = self.devices.iter().filter(|device| device.key.is_empty());
                let ids: Vec<String> = keyless.map(|device| device.id.clone()).collect();
                self.jobs.extend(ids.chunks(IDS).map(|ids| AppCall::Details { ids: ids.to_vec() }));
                Stage::Keys
            }
            Stage::Keys => {
                let mut products: Vec<&str> = self.known.iter().map(|(product, _)| product.as_str()).collect();
                for device in &self.devices {
                    let Some(product) = device.product_id.as_deref().filter(|product| !product.is_empty()) else {
                        continue;
                    };
                    if !products.contains(&product) {
                        products.push(product);
                        self.jobs.push_back(AppCall::Relations { device: device.id.clone() });
                    }
                }
                self.products = (0, self.jobs.len());
                Stage::Relations
            }
            Stage::Relations | Stage::Logout => {
                self.jobs.push_back(AppCall::Logout);
                Stage::Logout
            }
        };
    }

    fn finish(&mut self) {
        let endpoint = Endpoint::at(self.endpoint.as_deref().unwrap_or(&self.login.base), None);
        let mut devices = core::mem::take(&mut self.devices);
        let error = match self.failed.take() {
            None if devices.is_empty() => Some(FetchError::NoDevices { place: endpoint.name().to_owned() }),
            other => other,
        };
        if let Some(error) = error {
            self.end = Some(Err(error));
            return;
        }
        link_children(&mut devices);
        for device in &mut devices {
            let product = device.product_id.as_deref().unwrap_or_default();
            let known = self.fetched.iter().chain(&self.known).find(|(known, _)| known == product);
            device.mapping = known.map(|(_, mapping)| mapping.clone());
        }
        self.end = Some(Ok(Box::new(Fetched {
            endpoint,
            devices,
            notes: core::mem::take(&mut self.notes),
            clock_offset_ms: self.offset_ms,
            calls: self.calls,
        })));
    }
}

#[cfg(test)]
pub(crate) mod tests;
