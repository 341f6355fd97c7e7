//! The app's way: calls of a login, sealed and signed.

use core::fmt;

use rand_core::CryptoRng;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::envelope::opened;
use crate::error::{Cause, FetchError};
use crate::http::{Answer, Method, Request, encoded, segment};
use crate::json::{self, Wiped};
use crate::seal::{Sealing, uuid};
use crate::secret::Secret;

/// A call that a login allows.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppCall {
    /// The homes of the user: `ownerId`, `name`.
    Homes,
    /// The devices of a home.
    Devices {
        /// The home's `ownerId`.
        home: String,
    },
    /// The same of these devices.
    Details {
        /// Device ids.
        ids: Vec<String>,
    },
    /// Codes, types and values of a device, without DP numbers.
    Specification {
        /// Device id.
        device: String,
    },
    /// The state of a device, with the relation of DP numbers to codes.
    Relations {
        /// Device id.
        device: String,
    },
    /// True if the codes of a device are its maker's own.
    CustomType {
        /// Device id.
        device: String,
    },
    /// DPs of a device that report increments: `dp_code`, `report_type`.
    ReportTypes {
        /// Device id.
        device: String,
    },
    /// The room that a device is in: `id`, `name`.
    Room {
        /// Device id.
        device: String,
    },
    /// New tokens.
    Refresh,
    /// The end of the login.
    Logout,
}

impl AppCall {
    /// Returns the name of the requested data, for messages.
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Homes => "list of homes",
            Self::Devices { .. } => "list of devices",
            Self::Details { .. } => "list of keys",
            Self::Specification { .. } => "specification of a product",
            Self::Relations { .. } => "DP numbers of a product",
            Self::CustomType { .. } => "kind of codes of a device",
            Self::ReportTypes { .. } => "kinds of reports of a device",
            Self::Room { .. } => "room of a device",
            Self::Refresh => "renewal of the login",
            Self::Logout => "end of the login",
        }
    }

    fn path(&self, session: &AppSession) -> String {
        match self {
            Self::Homes => "/v1.0/m/life/users/homes".to_owned(),
            Self::Devices { .. } => "/v1.0/m/life/ha/home/devices".to_owned(),
            Self::Details { .. } => "/v1.0/m/life/ha/devices/detail".to_owned(),
            Self::Specification { device } => format!("/v1.1/m/life/{}/specifications", segment(device)),
            Self::Relations { device } => format!("/v1.0/m/life/devices/{}/status", segment(device)),
            Self::CustomType { device } => format!("/v1.0/m/life/ha/{}/code/custom-type", segment(device)),
            Self::ReportTypes { device } => format!("/v1.0/m/life/ha/{}/dp-report-types", segment(device)),
            Self::Room { device } => format!("/v1.0/m/thing/ha/{}/room", segment(device)),
            Self::Refresh => format!("/v1.0/m/token/{}", segment(session.refresh_token.expose())),
            Self::Logout => "/v1.0/m/token/terminal/expire".to_owned(),
        }
    }

    fn query(&self) -> Option<Value> {
        match self {
            Self::Devices { home } => Some(json!({ "homeId": home })),
            Self::Details { ids } => Some(json!({ "devIds": ids.join(",") })),
            _ => None,
        }
    }
}

impl fmt::Debug for AppCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what())
    }
}

/// A login: tokens and the server that takes them. `Debug` shows the server only.
#[derive(Clone)]
pub struct AppSession {
    client_id: String,
    endpoint: String,
    access_token: Secret,
    refresh_token: Secret,
    terminal_id: Secret,
    uid: Secret,
    /// Milliseconds since 1970, by the cloud's clock.
    expires: u64,
}

impl fmt::Debug for AppSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppSession").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl AppSession {
    /// Reads the answer to a QR code that was scanned, given at `server_time`, milliseconds since 1970.
    ///
    /// # Errors
    /// [`FetchError::Incomplete`]
    pub fn from_login(client_id: &str, result: &Value, server_time: u64) -> Result<Self, FetchError> {
        let what = "login";
        let need = |missing| json::filled(result, &[missing]).ok_or(FetchError::Incomplete { what, missing });
        let endpoint = need("endpoint")?;
        if !endpoint.starts_with("https://") {
            return Err(FetchError::Incomplete { what, missing: "endpoint" });
        }
        Ok(Self {
            client_id: client_id.to_owned(),
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            access_token: need("access_token")?.into(),
            refresh_token: need("refresh_token")?.into(),
            terminal_id: json::text(result, &["terminal_id"]).unwrap_or_default().into(),
            uid: json::text(result, &["uid"]).unwrap_or_default().into(),
            expires: expiry(result, server_time),
        })
    }

    /// The server of the data centre in which the account is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns whether the tokens must be [renewed](AppCall::Refresh) before the next call.
    pub const fn is_old(&self, now: u64) -> bool {
        now.saturating_add(60_000) > self.expires
    }

    /// Takes the answer to a [`Refresh`](AppCall::Refresh), given at `server_time`.
    ///
    /// # Errors
    /// [`FetchError::Incomplete`]; the tokens are as they were.
    pub fn renew(&mut self, result: &Value, server_time: u64) -> Result<(), FetchError> {
        let what = AppCall::Refresh.what();
        let need =
            |names: &[&str], missing| json::filled(result, names).ok_or(FetchError::Incomplete { what, missing });
        let access = need(&["accessToken", "access_token"], "accessToken")?;
        let refresh = need(&["refreshToken", "refresh_token"], "refreshToken")?;
        (self.access_token, self.refresh_token) = (access.into(), refresh.into());
        self.expires = expiry(result, server_time);
        Ok(())
    }

    /// The request for a call at `now`, milliseconds since 1970, and what its answer is [opened](Self::open) with.
    pub fn request(&self, call: &AppCall, now: u64, rng: &mut dyn CryptoRng) -> (Request, Sealing) {
        let sealing = Sealing::new(&uuid(rng), &self.refresh_token);
        let sealed = |value: Option<Value>, rng: &mut dyn CryptoRng| {
            let value = Wiped(value.unwrap_or_default());
            if value.is_null() {
                String::new()
            } else {
                sealing.seal(rng, &Zeroizing::new(value.to_string().into_bytes()))
            }
        };
        let query = sealed(call.query(), rng);
        let body = match call {
            AppCall::Logout => {
                let (token, terminal) = (self.access_token.expose(), self.terminal_id.expose());
                sealed(Some(json!({ "accessToken": token, "terminalId": terminal })), rng)
            }
            _ => String::new(),
        };
        let sign = sealing.sign(&self.client_id, now, &self.access_token, &query, &body);
        let mut headers = vec![
            ("X-appKey", Secret::from(self.client_id.as_str())),
            ("X-requestId", sealing.request_id().into()),
            ("X-sid", Secret::default()),
            ("X-time", now.to_string().into()),
            ("X-token", self.access_token.clone()),
            ("X-sign", sign.into()),
        ];
        let mut url = format!("{}{}", self.endpoint, call.path(self));
        if !query.is_empty() {
            url.push_str(&encoded(&[("encdata", &query)]));
        }
        let (method, body) = if *call == AppCall::Logout {
            headers.push(("Content-Type", "application/json".into()));
            (Method::Post, json!({ "encdata": body }).to_string().into_bytes())
        } else {
            (Method::Get, Vec::new())
        };
        (Request { method, what: call.what(), url: url.into(), headers, body: body.into() }, sealing)
    }

    /// Opens the answer to a request. Says what the cloud's clock was, too, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`FetchError`]; [`FetchError::LoginOver`] where the cloud no longer accepts the tokens.
    pub fn open(
        &self,
        what: &'static str,
        sealing: &Sealing,
        answer: &Answer,
    ) -> Result<(Value, Option<u64>), FetchError> {
        let mut opened = match opened(answer, what, &self.secrets()) {
            Ok(opened) => opened,
            Err(error) => {
                let over = matches!(error.cause(), Some(Cause::Credentials | Cause::Token));
                return Err(if over { FetchError::LoginOver } else { error });
            }
        };
        let result = match &*opened.result {
            Value::String(sealed) => {
                let text = sealing.open(sealed).map_err(|_| FetchError::Seal { what })?;
                // Some results are plain words.
                let word = || core::str::from_utf8(&text).map(Value::from);
                let read = serde_json::from_slice(&text).or_else(|_| word());
                read.map_err(|_| FetchError::Incomplete { what, missing: "result" })?
            }
            _ => opened.result.take(),
        };
        Ok((result, opened.server_time))
    }

    fn secrets(&self) -> [&Secret; 4] {
        [&self.access_token, &self.refresh_token, &self.terminal_id, &self.uid]
    }
}

fn expiry(result: &Value, server_time: u64) -> u64 {
    let seconds = json::integer(result, &["expire_time", "expireTime"]).unwrap_or(7200);
    server_time.saturating_add(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000))
}
