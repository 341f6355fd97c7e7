//! The calls of the app's way.

use serde_json::{Value, json};

use crate::check::Seal;
use crate::{Call, Refused, Reply, State};

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// The QR code that is shown, and how often it was polled.
    code: Option<(String, u32)>,
    scanned: bool,
    pub(crate) scan_after: Option<u32>,
    access: Option<String>,
    refresh: String,
}

impl Sessions {
    pub(crate) const fn scan(&mut self) {
        self.scanned = self.code.is_some();
    }

    pub(crate) const fn is_logged_in(&self) -> bool {
        self.access.is_some()
    }
}

const CODES: &str = "/v1.0/m/life/home-assistant/qrcode/tokens";

impl State {
    pub(crate) fn app(&mut self, call: &Call) -> Result<Reply, Refused> {
        if let Some(rest) = call.path.strip_prefix(CODES) {
            return self.code(call, rest.trim_start_matches('/'));
        }
        let (seal, query, body) = self.unseal(call)?;
        let parts: Vec<&str> = call.path.split('/').skip(1).collect();
        let asked = |name: &str| query[name].as_str().unwrap_or_default().to_owned();
        let result = match parts[..] {
            ["v1.0", "m", "life", "users", "homes"] => {
                json!([{ "ownerId": 100_000_001, "name": "Home", "geoName": "x" }])
            }
            ["v1.0", "m", "life", "ha", "home", "devices"] if asked("homeId") == "100000001" => {
                self.account.devices().iter().map(|device| self.account.linked_by_app(device)).collect()
            }
            ["v1.0", "m", "life", "ha", "devices", "detail"] => {
                let ids = asked("devIds");
                ids.split(',').filter_map(|id| self.account.device(id).ok().cloned()).collect()
            }
            ["v1.1", "m", "life", id, "specifications"] => self.account.specification_without_numbers(id)?,
            ["v1.0", "m", "life", "devices", id, "status"] => self.account.relations(id)?,
            ["v1.0", "m", "life", "ha", _, "code", "custom-type"] => json!("false"),
            ["v1.0", "m", "life", "ha", _, "dp-report-types"] => {
                json!([{ "dp_code": "add_ele", "report_type": "sum" }])
            }
            ["v1.0", "m", "thing", "ha", _, "room"] => json!({ "id": 1, "name": "Office", "displayOrder": 1 }),
            ["v1.0", "m", "token", "terminal", "expire"] => {
                if body["accessToken"].as_str() != self.app.access.as_deref() {
                    return Err((1010, "token invalid"));
                }
                self.app.access = None;
                json!(true)
            }
            ["v1.0", "m", "token", refresh] if refresh == self.app.refresh => {
                let (access, refresh) = (self.issue("at"), self.issue("rt"));
                self.app.access = Some(access.clone());
                self.app.refresh.clone_from(&refresh);
                json!({ "accessToken": access, "refreshToken": refresh, "expireTime": 7200, "uid": "eu1600000000000000aaa" })
            }
            _ => return Err((1108, "uri path invalid")),
        };
        Ok(self.sealed(&seal, &result))
    }

    /// A success with this result, sealed for the call.
    pub(crate) fn app_result(&mut self, call: &Call, result: &Value) -> Reply {
        let seal = Seal::new(call.header("X-requestId"), &self.app.refresh);
        self.sealed(&seal, result)
    }

    fn sealed(&mut self, seal: &Seal, result: &Value) -> Reply {
        self.issued += 1;
        let sealed = seal.seal(self.issued, result);
        self.succeed(Value::String(sealed))
    }

    fn code(&mut self, call: &Call, token: &str) -> Result<Reply, Refused> {
        let is_user = call.asked("clientid") == Some(&self.account.client_id)
            && call.asked("usercode") == Some(&self.account.user_code);
        if !is_user {
            return Err((-9_999_999, "user code or client id is unknown"));
        }
        if call.method == "POST" && call.asked("schema") == Some(&self.account.schema) {
            let code = self.issue("qr");
            self.app.code = Some((code.clone(), 0));
            self.app.scanned = false;
            return Ok(self.succeed(json!({ "qrcode": code })));
        }
        match &mut self.app.code {
            Some((code, polls)) if *code == token => *polls += 1,
            _ => return Err((-9_999_998, "the code is no longer valid")),
        }
        let polls = self.app.code.as_ref().map_or(0, |(_, polls)| *polls);
        if !self.app.scanned && self.app.scan_after.is_none_or(|after| polls < after) {
            return Err((-9_999_997, "the code was not scanned yet"));
        }
        self.app.code = None;
        let (access, refresh) = (self.issue("at"), self.issue("rt"));
        self.app.access = Some(access.clone());
        self.app.refresh.clone_from(&refresh);
        Ok(self.succeed(json!({
            "access_token": access, "refresh_token": refresh, "expire_time": self.account.login_lives,
            "uid": "eu1600000000000000aaa", "username": "somebody@example.org", "terminal_id": "terminal0001",
            "endpoint": self.base,
        })))
    }

    /// Verifies a request, and opens its query and body.
    fn unseal(&self, call: &Call) -> Result<(Seal, Value, Value), Refused> {
        if self.app.access.as_deref() != Some(call.header("X-token")) {
            return Err((1010, "token invalid"));
        }
        let seal = Seal::new(call.header("X-requestId"), &self.app.refresh);
        let query = call.asked("encdata").unwrap_or_default();
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let body = body["encdata"].as_str().unwrap_or_default();
        if call.header("X-appKey") != self.account.client_id || call.header("X-sign") != seal.sign(call, query, body) {
            return Err((1004, "sign invalid"));
        }
        let open = |sealed: &str| {
            if sealed.is_empty() { Ok(Value::Null) } else { seal.open(sealed).ok_or((1109, "param is illegal")) }
        };
        let (query, body) = (open(query)?, open(body)?);
        Ok((seal, query, body))
    }
}
