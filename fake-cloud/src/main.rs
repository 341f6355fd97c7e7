//! The fake cloud as a process of its own, for tests in other languages.
//!
//! It prints one line of JSON when it listens: `url`, `ca` (PEM), what its account has (`access_id`, `access_secret`,
//! `client_id`, `schema`, `user_code`, `devices`), and `private`, the texts that must never be shown. Then it obeys lines
//! of JSON on stdin, and answers each with `calls` and `is_logged_in`. It ends when stdin does.
//!
//! ```json
//! {"fail": {"path": "/v1.0/token", "times": 1, "fault": {"code": 1004}}}
//! {"skew": 3600000}
//! {"revoke": true}
//! {"scan_after": 1}
//! {"set": {"device": 0, "field": "local_key", "value": "0123456789abcdef"}}
//! {"account": {"keys_in_list": true}}
//! {}
//! ```

#![forbid(unsafe_code)]

use std::io::{self, BufRead, Write};

use rustuya_fake_cloud::{Account, FakeCloud, Fault};
use serde_json::{Value, json};

fn main() -> io::Result<()> {
    let account = Account::sample();
    let cloud = FakeCloud::start(account.clone())?;
    print(&json!({
        "url": cloud.url(),
        "ca": cloud.ca_pem(),
        "access_id": account.access_id,
        "access_secret": account.access_secret,
        "client_id": account.client_id,
        "schema": account.schema,
        "user_code": account.user_code,
        "devices": account.devices(),
        "private": account.private().iter().filter(|text| !text.is_empty()).collect::<Vec<_>>(),
    }))?;
    for line in io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line?)?;
        obey(&cloud, &order)?;
        print(&json!({ "calls": cloud.calls(), "is_logged_in": cloud.is_logged_in() }))?;
    }
    Ok(())
}

fn print(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn obey(cloud: &FakeCloud, order: &Value) -> io::Result<()> {
    for (name, value) in order.as_object().ok_or_else(|| unknown(order))? {
        let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
        match name.as_str() {
            "fail" => {
                let (path, fault) = (value["path"].as_str(), fault(&value["fault"])?);
                cloud.fail(path.unwrap_or_default(), fault, number("times").unwrap_or(1));
            }
            "skew" => cloud.skew(value.as_i64().ok_or_else(|| unknown(order))?),
            "revoke" => cloud.revoke(),
            "scan_after" => cloud.scan_after(value.as_u64().and_then(|polls| u32::try_from(polls).ok()).unwrap_or(0)),
            "set" => {
                let device = value["device"].as_u64().and_then(|device| usize::try_from(device).ok());
                let field = value["field"].as_str().ok_or_else(|| unknown(order))?;
                cloud.change(|account| account.set(device.unwrap_or(0), field, value["value"].clone()));
            }
            "account" => cloud.change(|account| {
                let flag = |name: &str, now: bool| value[name].as_bool().unwrap_or(now);
                account.keys_in_list = flag("keys_in_list", account.keys_in_list);
                account.keys_of_user = flag("keys_of_user", account.keys_of_user);
                account.gateways = flag("gateways", account.gateways);
                account.page =
                    value["page"].as_u64().and_then(|page| usize::try_from(page).ok()).unwrap_or(account.page);
                account.login_lives = value["login_lives"].as_u64().unwrap_or(account.login_lives);
            }),
            _ => return Err(unknown(order)),
        }
    }
    Ok(())
}

fn fault(value: &Value) -> io::Result<Fault> {
    if let Some(code) = value["code"].as_i64() {
        return Ok(Fault::Code(code, "refused \u{1b}[2J"));
    }
    if let Some(status) = value["status"].as_u64().and_then(|status| u16::try_from(status).ok()) {
        return Ok(Fault::Status(
            status,
            value["retry_after"].as_u64().and_then(|seconds| u32::try_from(seconds).ok()),
        ));
    }
    if let Some(result) = value.get("result") {
        return Ok(Fault::Result(result.clone()));
    }
    match value.as_str() {
        Some("html") => Ok(Fault::Html),
        Some("half") => Ok(Fault::Half),
        Some("cut") => Ok(Fault::CutJson),
        Some("close") => Ok(Fault::Close),
        Some("silence") => Ok(Fault::Silence),
        _ => Err(unknown(value)),
    }
}

fn unknown(order: &Value) -> io::Error {
    io::Error::other(format!("not understood: {order}"))
}
