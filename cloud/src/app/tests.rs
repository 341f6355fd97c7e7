use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use serde_json::json;

use super::*;
use crate::error::Cause;

/// Counts, for tests.
pub(crate) struct Counter(pub(crate) u8);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.try_next_u32()?))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

const NOW: u64 = 1_700_000_000_000;

/// Drives a fetch; `server` answers in the clear, and what it answers is sealed where it must be.
struct Driver {
    fetch: AppFetch,
    now: u64,
    refresh: &'static str,
    asked: Vec<&'static str>,
    news: Vec<String>,
}

impl Driver {
    fn new() -> Self {
        let login = AppLogin {
            client_id: "APPKEY".to_owned(),
            schema: "schema".to_owned(),
            user_code: "hunter2".into(),
            base: AppLogin::BASE.to_owned(),
        };
        Self { fetch: AppFetch::new(login), now: NOW, refresh: "rt1", asked: Vec::new(), news: Vec::new() }
    }

    fn run(
        &mut self,
        mut server: impl FnMut(&Request, u64) -> Result<Value, Value>,
    ) -> Result<Box<Fetched>, FetchError> {
        let mut rng = Counter(0);
        for _ in 0..2000 {
            match self.fetch.poll(self.now, &mut rng) {
                Step::Send(request) => {
                    self.asked.push(request.what);
                    let sealed = request.headers.iter().find(|(name, _)| *name == "X-requestId");
                    let sealing = sealed.map(|(_, id)| Sealing::new(id.expose(), &self.refresh.into()));
                    let body = match (server(&request, self.now), sealing) {
                        (Ok(result), Some(sealing)) => {
                            let text = sealing.seal_with(b"ABCDEFGHJKMN", result.to_string().as_bytes());
                            json!({ "success": true, "result": text, "t": self.now })
                        }
                        (Ok(result), None) => json!({ "success": true, "result": result, "t": self.now }),
                        (Err(refusal), _) => refusal,
                    };
                    if request.what == "renewal of the login" {
                        self.refresh = "rt2";
                    }
                    self.fetch.handle(Ok(Answer::new(200, body.to_string())), self.now);
                }
                Step::Wait(time) => self.now += u64::try_from(time.as_millis()).expect("short"),
                Step::Progress(news) => self.news.push(format!("{news:?}")),
                Step::Done(result) => return result,
            }
        }
        panic!("it goes on and on: {:?}", self.asked);
    }
}

fn login(lives: u64) -> Value {
    json!({
        "access_token": "at1", "refresh_token": "rt1", "expire_time": lives, "uid": "u", "terminal_id": "t",
        "endpoint": "https://apigw.tuyaeu.com",
    })
}

fn pending() -> Value {
    json!({ "success": false, "code": -1, "msg": "not yet" })
}

#[test]
fn keys_are_fetched_and_the_login_is_given_up() {
    let mut driver = Driver::new();
    let mut polls = 0;
    let fetched = driver.run(|request, _| match request.what {
        "QR code" => {
            let url = format!("{}{CODES}?clientid=APPKEY&usercode=hunter2&schema=schema", AppLogin::BASE);
            assert_eq!((request.method, request.url.expose()), (Method::Post, url.as_str()));
            Ok(json!({ "qrcode": "abc" }))
        }
        "login" => {
            assert!(request.url.expose().contains("/tokens/abc?clientid=APPKEY&usercode=hunter2"));
            polls += 1;
            if polls < 3 { Err(pending()) } else { Ok(login(7200)) }
        }
        "list of homes" => Ok(json!([{ "ownerId": 5 }])),
        "list of devices" => {
            assert!(request.url.expose().starts_with("https://apigw.tuyaeu.com/v1.0/m/life/ha/home/devices?encdata="));
            Ok(json!([
                { "id": "hub", "local_key": "k", "sub": false, "product_id": "p1" },
                { "id": "child", "sub": true, "product_id": "p2", "product_name": "Sensor" },
                { "id": "other", "local_key": "k", "product_id": "p1" },
            ]))
        }
        "list of keys" => Ok(json!([{ "id": "child", "local_key": "k" }])),
        "DP numbers of a product" if request.url.expose().contains("child") => {
            Err(json!({ "success": false, "code": 2009, "msg": "no" }))
        }
        "DP numbers of a product" => Ok(json!({ "dpStatusRelationDTOS": [{ "dpId": 1, "dpCode": "switch" }] })),
        "end of the login" => {
            assert!(request.body.starts_with(b"{\"encdata\":\""));
            Ok(json!(true))
        }
        other => panic!("{other}"),
    });
    let fetched = fetched.expect("fetched");
    let devices: Vec<_> = fetched.devices.iter().map(|device| (device.id.as_str(), device.key.expose())).collect();
    assert_eq!(devices, [("hub", "k"), ("child", "k"), ("other", "k")]);
    assert_eq!(fetched.devices[1].gateway_id.as_deref(), Some("hub"));
    assert_eq!(fetched.devices[0].mapping.as_ref().map(Mapping::len), Some(1));
    assert_eq!(fetched.devices[1].mapping, None);
    assert_eq!(fetched.notes.iter().map(|note| note.about.as_str()).collect::<Vec<_>>(), ["Sensor"]);
    assert_eq!(fetched.endpoint.icons(), "https://images.tuyaeu.com/");
    let asked = &driver.asked;
    assert_eq!(asked.iter().filter(|what| **what == "DP numbers of a product").count(), 2, "once for each product");
    assert_eq!(asked.last(), Some(&"end of the login"));
    assert_eq!(driver.news[0], "Code(QrText(..))");
    assert!(!format!("{:?}{:?}", driver.news, driver.fetch).contains("hunter2"));
}

#[test]
fn codes_that_nobody_scans_are_replaced_and_given_up() {
    let mut driver = Driver::new();
    let result = driver.run(|request, _| match request.what {
        "QR code" => Ok(json!({ "qrcode": "abc" })),
        _ => Err(pending()),
    });
    assert!(matches!(result, Err(FetchError::NotScanned)));
    assert!(driver.now - NOW >= 15 * 60 * 1000);
    assert_eq!(driver.asked.iter().filter(|what| **what == "QR code").count(), 3);
}

#[test]
fn tokens_are_renewed_before_they_expire() {
    let mut driver = Driver::new();
    let mut tokens = Vec::new();
    let result = driver.run(|request, _| {
        let token = request.headers.iter().find(|(name, _)| *name == "X-token");
        tokens.extend(token.map(|(_, token)| (request.what, token.expose().to_owned())));
        match request.what {
            "QR code" => Ok(json!({ "qrcode": "abc" })),
            "login" => Ok(login(30)),
            "renewal of the login" => {
                assert!(request.url.expose().ends_with("/v1.0/m/token/rt1"));
                Ok(json!({ "accessToken": "at2", "refreshToken": "rt2", "expireTime": 7200 }))
            }
            "list of homes" => Ok(json!([{ "ownerId": 5 }])),
            "list of devices" => Ok(json!([{ "id": "a", "local_key": "k" }])),
            _ => Ok(Value::Null),
        }
    });
    assert_eq!(result.expect("fetched").devices.len(), 1);
    let expected = [
        ("renewal of the login", "at1"),
        ("list of homes", "at2"),
        ("list of devices", "at2"),
        ("end of the login", "at2"),
    ];
    assert_eq!(tokens, expected.map(|(what, token)| (what, token.to_owned())));
}

#[test]
fn refusals_end_it_with_their_reason_and_a_logout() {
    let mut driver = Driver::new();
    let refused = || Err(json!({ "success": false, "code": 1106, "msg": "permission deny hunter2" }));
    let result = driver.run(|request, _| match request.what {
        "QR code" => Ok(json!({ "qrcode": "abc" })),
        "login" => Ok(login(7200)),
        "list of homes" => refused(),
        _ => Ok(Value::Null),
    });
    assert_eq!(result.err().and_then(|error| error.cause()), Some(Cause::Permission));
    assert_eq!(driver.asked.last(), Some(&"end of the login"));

    let mut driver = Driver::new();
    let result = driver.run(|request, _| match request.what {
        "QR code" => Ok(json!({ "qrcode": "abc" })),
        "login" => Ok(login(7200)),
        _ => Err(json!({ "success": false, "msg": "sign invalid" })),
    });
    assert!(matches!(result, Err(FetchError::LoginOver)));
    assert_eq!(driver.asked, ["QR code", "login", "list of homes"], "there is nothing to log out of");

    let mut driver = Driver::new();
    let error = driver.run(|_, _| refused()).expect_err("no code").to_string();
    assert!(error.contains("(hidden)") && !error.contains("hunter2"), "{error}");
}

#[test]
fn every_call_has_its_path() {
    let session = AppSession::from_login("APPKEY", &login(7200), NOW).expect("complete");
    let id = || "a/b".to_owned();
    let calls = [
        (AppCall::Specification { device: id() }, "/v1.1/m/life/a%2Fb/specifications"),
        (AppCall::CustomType { device: id() }, "/v1.0/m/life/ha/a%2Fb/code/custom-type"),
        (AppCall::ReportTypes { device: id() }, "/v1.0/m/life/ha/a%2Fb/dp-report-types"),
        (AppCall::Room { device: id() }, "/v1.0/m/thing/ha/a%2Fb/room"),
        (AppCall::Refresh, "/v1.0/m/token/rt1"),
    ];
    for (call, path) in calls {
        let (request, sealing) = session.request(&call, NOW, &mut Counter(0));
        assert_eq!(request.url.expose(), format!("https://apigw.tuyaeu.com{path}"));
        let damaged = Answer::new(200, r#"{"success":true,"result":"QUJDREVGR0hKS01OmikDSNx7qH0="}"#);
        assert!(matches!(session.open("x", &sealing, &damaged), Err(FetchError::Seal { .. })));
    }
    assert!(AppSession::from_login("A", &json!({ "endpoint": "http://x", "access_token": "a" }), 0).is_err());
    assert_eq!(format!("{session:?}"), r#"AppSession { endpoint: "https://apigw.tuyaeu.com", .. }"#);
}

/// Drives it up to the request for `what`, which is sent and not answered.
fn sent(driver: &mut Driver, what: &str) {
    let mut rng = Counter(0);
    for _ in 0..50 {
        match driver.fetch.poll(driver.now, &mut rng) {
            Step::Send(request) if request.what == what => return,
            Step::Send(request) => {
                let sealed = request.headers.iter().find(|(name, _)| *name == "X-requestId");
                let result = match request.what {
                    "QR code" => json!({ "qrcode": "abc" }),
                    "login" => login(30),
                    other => panic!("{other}"),
                };
                assert!(sealed.is_none());
                let body = json!({ "success": true, "result": result, "t": driver.now });
                driver.fetch.handle(Ok(Answer::new(200, body.to_string())), driver.now);
            }
            Step::Wait(_) | Step::Progress(_) => {}
            Step::Done(result) => panic!("{result:?}"),
        }
    }
    panic!("{what} is never asked for");
}

#[test]
fn a_cancelled_fetch_ends_with_a_logout_where_there_is_a_login() {
    let end = |mut driver: Driver| {
        let result = driver.run(|request, _| match request.what {
            "end of the login" => Ok(json!(true)),
            other => panic!("{other}"),
        });
        assert!(matches!(result, Err(FetchError::Cancelled)), "{result:?}");
        driver.asked
    };
    let answer = |driver: &mut Driver, body: Value| {
        driver.fetch.handle(Ok(Answer::new(200, body.to_string())), driver.now);
    };
    // Before anything was sent, and while the code is fetched.
    let mut driver = Driver::new();
    assert!(!driver.fetch.cancel());
    assert_eq!(end(driver), [""; 0]);
    let mut driver = Driver::new();
    sent(&mut driver, "QR code");
    assert!(!driver.fetch.cancel());
    assert_eq!(end(driver), [""; 0]);

    // The answer may say that the code was scanned.
    let mut driver = Driver::new();
    sent(&mut driver, "login");
    assert!(driver.fetch.cancel());
    answer(&mut driver, pending());
    assert_eq!(end(driver), [""; 0]);
    let mut driver = Driver::new();
    sent(&mut driver, "login");
    assert!(driver.fetch.cancel());
    answer(&mut driver, json!({ "success": true, "result": login(7200), "t": NOW }));
    assert_eq!(end(driver), ["end of the login"]);
    let mut driver = Driver::new();
    sent(&mut driver, "login");
    assert!(driver.fetch.cancel());
    driver.fetch.handle(Err(SendFailure::Timeout), NOW);
    assert_eq!(end(driver), [""; 0]);

    // While the tokens are renewed, the new ones are waited for.
    let mut driver = Driver::new();
    sent(&mut driver, "renewal of the login");
    assert!(driver.fetch.cancel());
    answer(&mut driver, json!({ "success": false, "code": 1110, "msg": "busy" }));
    assert_eq!(end(driver), ["end of the login"]);
    assert!(!Driver::new().fetch.cancel());
}
