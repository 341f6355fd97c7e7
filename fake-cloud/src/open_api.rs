//! The calls of a developer project.

use serde_json::{Value, json};

use crate::{Call, Refused, Reply, State, check};

/// Largest accepted deviation of a client's clock.
const TOLERANCE_MS: u64 = 5 * 60 * 1000;

impl State {
    pub(crate) fn open_api(&mut self, call: &Call) -> Result<Reply, Refused> {
        self.verify(call)?;
        let parts: Vec<&str> = call.path.split('/').skip(1).collect();
        let result = match parts[..] {
            ["v1.0", "token"] => {
                let token = self.issue("");
                self.token = Some(token.clone());
                json!({ "access_token": token, "refresh_token": "r", "expire_time": 7200, "uid": "bay0000000000000000" })
            }
            ["v1.0", "iot-01", "associated-users", "devices"] => {
                let list = self.account.devices().iter().map(|device| self.account.linked(device)).collect();
                self.account.page(list, call.asked("last_row_key"), "devices")?
            }
            ["v1.3", "iot-03", "devices"] => {
                if call.asked("source_type") != Some("tuyaUser") {
                    return Err((1109, "param is illegal"));
                }
                let uid = call.asked("source_id").unwrap_or_default();
                let list = self.account.of(uid).map(|device| self.account.full(device)).collect();
                self.account.page(list, call.asked("last_row_key"), "list")?
            }
            ["v1.0", "devices", "factory-infos"] => {
                let ids: Vec<&str> = call.asked("device_ids").unwrap_or_default().split(',').collect();
                if ids.len() > 50 {
                    return Err((1109, "param is illegal"));
                }
                Value::Array(ids.iter().filter_map(|id| self.account.factory(id)).collect())
            }
            ["v1.0", "devices", id] => self.account.device(id)?.clone(),
            ["v1.0", "users", uid, "devices"] => self.account.of(uid).cloned().collect(),
            ["v1.1", "devices", id, "specifications"] => self.account.specification(id)?,
            ["v2.0", "cloud", "thing", "device"] => {
                self.account.things(call.asked("page_size"), call.asked("last_id"))?
            }
            ["v2.0", "cloud", "thing", id, "model"] => self.account.model(id)?,
            ["v1.0", "devices", id, "sub-devices"] | ["v1.0", "iot-03", "devices", id, "sub-devices"] => {
                self.account.children(id)
            }
            _ => return Err((1108, "uri path invalid")),
        };
        Ok(self.succeed(result))
    }

    fn verify(&self, call: &Call) -> Result<(), Refused> {
        if call.header("client_id") != self.account.access_id {
            return Err((1005, "clientId invalid"));
        }
        let t: u64 = call.header("t").parse().map_err(|_| (1013, "request time is invalid"))?;
        if t.abs_diff(self.now()) > TOLERANCE_MS {
            return Err((1013, "request time is invalid"));
        }
        let given = call.header("access_token");
        let token = if call.path.starts_with("/v1.0/token") { "" } else { given };
        let sign = check::open_api(call, &self.account.access_secret, token);
        if call.header("sign") != sign || call.header("sign_method") != "HMAC-SHA256" {
            return Err((1004, "sign invalid"));
        }
        if call.path != "/v1.0/token" && (given.is_empty() || self.token.as_deref() != Some(given)) {
            return Err((1010, "token is expired"));
        }
        Ok(())
    }
}
