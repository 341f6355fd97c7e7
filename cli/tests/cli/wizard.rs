//! wizard against a fake cloud with a certificate of its own, and against virtual devices.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustuya_fake_cloud::{Account, FakeCloud, Fault};
use serde_json::{Value, json};

use crate::common::{Done, Simulated, finish, rustuya};
use crate::scan::{free_ports, listed};

/// A folder of its own with the cloud's certificate, deleted in the end.
pub(crate) struct Place {
    folder: PathBuf,
    pub(crate) cloud: FakeCloud,
}

impl Place {
    pub(crate) fn new(name: &str, account: Account) -> Self {
        let folder = std::env::temp_dir().join(format!("rustuya-wizard-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let cloud = FakeCloud::start(account).expect("a port");
        std::fs::write(folder.join("ca.pem"), cloud.ca_pem()).expect("writable");
        Self { folder, cloud }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The wizard in this folder, with the project's secret in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = rustuya(&["wizard", "--endpoint", &self.cloud.url(), "--ca-file", "ca.pem"]);
        command.args(args).current_dir(&self.folder).env("TUYA_ACCESS_SECRET", "0123456789abcdef0123456789abcdef");
        command
    }

    /// Runs it without a question and without a scan.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        let access = ["--access-id", "p8k3nexampleclientid", "--no-scan"];
        self.finish(self.command(&[&access[..], args].concat()))
    }

    /// Runs it; nothing that is private may be in what it prints.
    #[track_caller]
    fn finish(&self, command: Command) -> Done {
        let done = finish(command);
        for private in Account::sample().private().iter().filter(|private| !private.is_empty()) {
            assert!(!done.stdout.contains(private) && !done.stderr.contains(private), "{private}: {done:?}");
        }
        done
    }

    /// Waits until the cloud is asked for this.
    #[cfg(unix)]
    #[track_caller]
    fn asked(&self, part: &str) {
        for _ in 0..3000 {
            if self.cloud.count(part) > 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{part} is never asked for: {:?}", self.cloud.calls());
    }

    fn file(&self, name: &str) -> Value {
        let text = std::fs::read(self.path(name)).expect("was written");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Leaving it behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn lines(done: &Done) -> Vec<Value> {
    assert_eq!(done.code, Some(0), "{done:?}");
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).expect("there").permissions()) & 0o777
}

#[test]
fn keys_gateways_addresses_and_meanings_are_fetched_once() {
    let place = Place::new("fetch", Account::sample());
    let told = lines(&place.run(&["--json", "--region", "eu"]));
    assert_eq!(told.len(), 10);
    let summary = &told[9];
    assert_eq!((&summary["region"], &summary["devices"], &summary["new"]), (&json!("eu"), &json!(9), &json!(9)));
    assert!(told[..9].iter().all(|line| line["key"] == true && line["change"] == "new"), "{told:?}");
    assert_eq!((&told[5]["name"], &told[5]["parent"]), (&json!("Front door"), &told[4]["id"]));

    let file = place.file("devices.json");
    let keys: Vec<&str> = file.as_array().into_iter().flatten().filter_map(|entry| entry["key"].as_str()).collect();
    assert_eq!((keys.len(), keys[0], keys[5]), (9, "a'\"<>$&{}\\~^;=()", "g4teway_key_0005"));
    assert_eq!((&file[0]["mac"], &file[1]["name"]), (&json!("105a17000001"), &json!("Hall lamp")));
    assert!(
        file[0]["icon"].as_str().is_some_and(|icon| icon.starts_with("https://images.tuyaeu.com/smart/")),
        "{file}"
    );
    assert_eq!((&file[5]["node_id"], &file[5]["parent"]), (&json!("a4c138fffe000001"), &file[4]["id"]));
    assert_eq!(file[2]["mapping"]["2"]["values"]["unit"], "°C");
    assert_eq!(
        file[3]["mapping"]["101"]["values"],
        json!({ "unit": "pcs", "min": 0, "max": "9999", "scale": "0", "step": 0 })
    );
    assert_eq!(file[3]["mapping"]["38"]["code"], "relay_status", "the model knows more than the specification");
    assert_eq!(file[4]["mapping"], json!({}), "a gateway has no instructions");
    for private in ["lat", "lon", "uid", "owner_id", "ip"] {
        assert!(file[0].get(private).is_none(), "{private}");
    }
    #[cfg(unix)]
    assert_eq!(mode(&place.path("devices.json")), 0o600);
    assert_eq!(place.cloud.count("/specifications"), 8, "once for each product");
    assert_eq!(place.cloud.count("associated-users"), 3, "pages of four");
    assert!(summary["calls"].as_u64().is_some_and(|calls| calls == place.cloud.calls().len() as u64));
}

#[test]
fn a_second_run_brings_the_file_up_to_date() {
    let place = Place::new("again", Account::sample());
    place.run(&[]);
    let mut file = place.file("devices.json");
    file[0]["note"] = json!("mine");
    file[1]["ip"] = json!("192.0.2.7");
    file.as_array_mut().expect("a list").push(json!({ "id": "sold", "key": "k" }));
    std::fs::write(place.path("devices.json"), file.to_string()).expect("writable");
    let calls = place.cloud.count("/specifications");

    place.cloud.change(|account| account.set(0, "local_key", json!("an0ther_key_0001")));
    let told = lines(&place.run(&["--json"]));
    assert_eq!((&told[0]["change"], &told[1]["change"]), (&json!("key"), &json!("same")), "{told:?}");
    assert_eq!((&told[9]["new"], &told[9]["kept"]), (&json!(0), &json!(1)));
    file[0]["key"] = json!("an0ther_key_0001");
    assert_eq!(place.file("devices.json"), file, "all else is as it was");
    assert_eq!(place.cloud.count("/specifications"), calls + 2, "only of those that have none");

    let people = place.run(&[]);
    assert_eq!(people.code, Some(0), "{people:?}");
    assert!(people.stdout.contains("1 more that the cloud does not list were kept"), "{people:?}");
    place.run(&["--fresh"]);
    assert_eq!(place.cloud.count("/specifications"), calls + 12);
    assert_eq!(std::fs::read_dir(&place.folder).expect("a folder").count(), 2, "nothing is left beside the file");
}

#[test]
fn every_refusal_ends_in_advice_and_leaves_the_file_alone() {
    let place = Place::new("refusals", Account::sample());
    std::fs::write(place.path("devices.json"), "[]").expect("writable");
    let table = [
        (1004, "Access Secret"),
        (1005, "Access ID"),
        (1106, "owner"),
        (1114, "IP allowlist"),
        (2007, "country"),
        (2406, "unlink"),
        (28_841_001, "IoT Core"),
        (28_841_002, "Extend Trial Period"),
        (28_841_004, "next month"),
        (28_841_101, "Smart Home Basic Service"),
        (28_841_105, "Go to Authorize"),
        (28_841_107, "add it again"),
        (1108, "report it"),
    ];
    for (code, advice) in table {
        for path in ["/v1.0/iot-01", "/v2.0/cloud/thing/device"] {
            place.cloud.fail(path, Fault::Code(code, "odd \u{1b}[2J words"), 1);
        }
        let done = place.run(&[]);
        done.failed(1, &[advice, &format!("code {code}, tid 00112233445566778899aabbccddeeff")]);
        assert!(!done.stderr.contains('\u{1b}'), "{done:?}");
    }
    place.cloud.fail("/v1.0/token", Fault::TextCode("1004", "sign invalid"), 1);
    place.run(&[]).failed(1, &["Access Secret", "code 1004"]);
    place.cloud.fail("/v1.0/iot-01", Fault::Code(1010, "token is expired"), 2);
    place.run(&[]).failed(1, &["another program keeps fetching tokens"]);
    place.cloud.fail("/v1.0/iot-01", Fault::Result(json!({ "devices": [], "has_more": false })), 1);
    place.run(&[]).failed(1, &["lists no devices", "owner"]);
    let mut wrong = place.command(&["--access-id", "p8k3nexampleclientid", "--no-scan"]);
    wrong.env("TUYA_ACCESS_SECRET", "ffffffffffffffffffffffffffffffff");
    place.finish(wrong).failed(1, &["sign invalid", "Access Secret"]);
    assert_eq!(std::fs::read_to_string(place.path("devices.json")).expect("there"), "[]");
}

#[test]
fn what_is_not_the_cloud_is_told_from_it() {
    let place = Place::new("ways", Account::sample());
    let fails = |fault: Fault, times, words: &[&str]| {
        place.cloud.fail("/v1.0/token", fault, times);
        place.run(&["--timeout", "1"]).failed(1, words);
    };
    fails(Fault::Html, 1, &["a web page", "login page"]);
    fails(Fault::CutJson, 2, &["cut off"]);
    fails(Fault::Half, 2, &["the connection ended"]);
    fails(Fault::Close, 2, &["the connection ended"]);
    fails(Fault::Silence, 2, &["no answer in time", "check the connection"]);
    fails(Fault::Status(403, None), 1, &["no JSON"]);
    fails(Fault::Result(json!({})), 1, &["no access_token"]);
    // One failure is made up for.
    for fault in [Fault::Half, Fault::Status(429, Some(1)), Fault::Status(503, None), Fault::Code(1110, "busy")] {
        place.cloud.fail("/v1.3", fault, 1);
        let done = place.run(&["--json"]);
        assert!(lines(&done)[0]["key"] == true && done.stderr.contains("trying again in"), "{done:?}");
    }
    place.cloud.skew(3_600_000);
    let done = place.run(&["--json"]);
    assert!(done.stderr.contains("clock is 3600 s late") || done.stderr.contains("clock is 3599 s late"), "{done:?}");
    assert!(lines(&done)[9]["clock_offset_ms"].as_i64().is_some_and(|ms| (3_590_000..3_610_000).contains(&ms)));
    let other = FakeCloud::start(Account::sample()).expect("a port");
    std::fs::write(place.path("ca.pem"), other.ca_pem()).expect("writable");
    place.run(&[]).failed(1, &["certificate is not accepted", "--ca-file"]);
    std::fs::write(place.path("ca.pem"), "nothing").expect("writable");
    place.run(&[]).failed(1, &["holds no certificates"]);
}

#[test]
fn what_is_missing_is_named_where_nobody_can_be_asked() {
    let place = Place::new("usage", Account::sample());
    let mut without = place.command(&["--access-id", "p8k3nexampleclientid", "--no-scan"]);
    without.env_remove("TUYA_ACCESS_SECRET");
    place.finish(without).failed(2, &["no Access Secret", "TUYA_ACCESS_SECRET", "--access-secret-file"]);
    place.finish(place.command(&["--no-scan"])).failed(2, &["--access-id"]);
    place.run(&["--region", "mars"]).failed(2, &["no such data centre", "us-e"]);
    finish(rustuya(&["wizard", "--endpoint", "http://127.0.0.1:1"])).failed(2, &["--endpoint: must begin with https"]);
    std::fs::write(place.path("broken.json"), "{}").expect("writable");
    place.run(&["--output", "broken.json"]).failed(1, &["--output broken.json", "is not replaced"]);
    assert!(place.cloud.calls().is_empty());

    // The secret in a file; everything in tinytuya's file.
    std::fs::write(place.path("secret"), "0123456789abcdef0123456789abcdef\r\n").expect("writable");
    let mut by_file =
        place.command(&["--access-id", "p8k3nexampleclientid", "--no-scan", "--access-secret-file", "secret"]);
    by_file.env_remove("TUYA_ACCESS_SECRET");
    assert_eq!(place.finish(by_file).code, Some(0));
    let stored = json!({
        "apiKey": "p8k3nexampleclientid", "apiSecret": "0123456789abcdef0123456789abcdef", "apiRegion": "us",
        "apiDeviceID": "bf00000000000000000001",
    });
    std::fs::write(place.path("tinytuya.json"), stored.to_string()).expect("writable");
    let mut stored = place.command(&["--no-scan", "--json"]);
    stored.env_remove("TUYA_ACCESS_SECRET");
    let done = place.finish(stored);
    assert!(done.stderr.contains("taken from tinytuya.json"), "{done:?}");
    assert_eq!(lines(&done)[9]["region"], "us");
}

#[test]
fn a_qr_code_that_the_app_scans_is_enough() {
    let place = Place::new("qr", Account::sample());
    place.cloud.scan_after(1);
    let app = ["--qr", "--client-id", "APPKEY0000000000", "--schema", "exampleauthorize", "--no-scan"];
    let mut command = place.command(&[&app[..], &["--json"]].concat());
    command.env("TUYA_USER_CODE", "uSeRc0d");
    let done = place.finish(command);
    let told = lines(&done);
    assert_eq!((told.len(), &told[9]["devices"], &told[9]["region"]), (10, &json!(9), &Value::Null));
    assert!(done.stderr.contains('█') && done.stderr.contains("logged out again"), "{done:?}");
    assert!(!place.cloud.is_logged_in());
    let file = place.file("devices.json");
    assert_eq!((&file[0]["key"], &file[6]["parent"]), (&json!("a'\"<>$&{}\\~^;=()"), &file[4]["id"]));
    assert_eq!(file[0]["mapping"]["21"]["values"]["range"][0], "white");
    assert_eq!(file[0]["mapping"]["20"]["type"], "Boolean");

    place.finish(place.command(&app)).failed(2, &["TUYA_USER_CODE"]);
    place.finish(place.command(&["--qr", "--no-scan"])).failed(2, &["--client-id"]);
    let mut wrong = place.command(&app);
    wrong.env("TUYA_USER_CODE", "other");
    place.finish(wrong).failed(1, &["user code or client id is unknown"]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_logs_out_again() {
    let place = Place::new("interrupted", Account::sample());
    place.cloud.scan_after(1);
    // The list of homes takes for ever.
    place.cloud.fail("/v1.0/m/life/users/homes", Fault::Silence, 1);
    let app = ["--qr", "--client-id", "APPKEY0000000000", "--schema", "exampleauthorize", "--no-scan"];
    let mut command = place.command(&app);
    command.env("TUYA_USER_CODE", "uSeRc0d").stdout(Stdio::piped()).stderr(Stdio::piped());
    let interrupt = |child: &Child| {
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill exists");
        assert!(sent.success(), "the process lives");
    };
    let child = command.spawn().expect("the command starts");
    place.asked("/users/homes");
    assert!(place.cloud.is_logged_in());
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("logged out again") && said.contains("the fetch was cancelled"), "{said}");
    assert!(!place.cloud.is_logged_in() && !place.path("devices.json").exists());

    // Nobody has scanned the code yet.
    let place = Place::new("not-scanned", Account::sample());
    let mut command = place.command(&app);
    command.env("TUYA_USER_CODE", "uSeRc0d").stderr(Stdio::piped());
    let child = command.spawn().expect("the command starts");
    place.asked("/tokens/");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(place.cloud.count("terminal/expire"), 0, "there is no login");
}

#[test]
fn from_nothing_to_a_lamp_that_is_switched() {
    let place = Place::new("lan", Account::sample());
    let ports = free_ports();
    let announce = format!("127.0.0.1:{}", ports[1]);
    let id = "bf00000000000000000001";
    let mut lamp = rustuya(&["simulate", "--version", "3.4", "--id", id, "--port", "0", "--announce", &announce]);
    lamp.args(["--dps", r#"{"20":false,"21":"white","22":500,"24":"00f003e803e8"}"#])
        .env("RUSTUYA_KEY", "a'\"<>$&{}\\~^;=()");
    let lamp = Simulated::run_by(lamp);
    let stranger = ["simulate", "--version", "3.3", "--id", "bf-of-neighbours", "--port", "0", "--announce", &announce];
    let _stranger = Simulated::run_by(rustuya(&stranger));
    let ports = listed(ports);
    let args = ["--access-id", "p8k3nexampleclientid", "--scan-time", "7", "--discovery-ports", &ports, "--json"];
    let told = lines(&place.finish(place.command(&args)));
    let (address, version) = (json!("127.0.0.1"), json!("3.4"));
    assert_eq!((&told[0]["address"], &told[0]["version"]), (&address, &version), "{told:?}");
    assert_eq!(told[9]["unlisted"], json!([{ "id": "bf-of-neighbours", "address": "127.0.0.1", "version": "3.3" }]));
    let file = place.file("devices.json");
    assert_eq!((&file[0]["ip"], &file[0]["version"]), (&address, &version));
    assert_eq!(file.as_array().map(Vec::len), Some(9), "nobody else's device is written");
    let people = ["--access-id", "p8k3nexampleclientid", "--scan-time", "7", "--discovery-ports", &ports];
    let people = place.finish(place.command(&people));
    assert!(
        people.stdout.contains("bf-of-neighbours answers at 127.0.0.1, but the cloud does not list it"),
        "{people:?}"
    );

    let devices = place.path("devices.json");
    let list = ["--devices", devices.to_str().expect("UTF-8"), "--port", lamp.port()];
    let run = |args: &[&str]| {
        let mut command = rustuya(&[args, &list[..]].concat());
        command.env_remove("RUSTUYA_KEY");
        finish(command)
    };
    run(&["set", "Desk lamp", "20=true", "22=700"]).succeeded();
    assert_eq!(
        run(&["get", "Desk lamp", "--json"]).json(),
        json!({ "20": true, "21": "white", "22": 700, "24": "00f003e803e8" })
    );

    // By name, in the folder of the file, which needs no naming.
    let by_name = |args: &[&str]| {
        let mut command = rustuya(&[args, &["--port", lamp.port()]].concat());
        command.env_remove("RUSTUYA_KEY").current_dir(place.path("."));
        finish(command)
    };
    by_name(&["set", "Desk lamp", "color=red", "--wait", "effect"]).succeeded();
    let state = by_name(&["get", "Desk lamp", "--json"]).json();
    assert_eq!((&state["21"], &state["24"]), (&json!("colour"), &json!("000003e803e8")));
    let shown = by_name(&["get", "Desk lamp"]);
    assert!(shown.stdout.contains("#ff0000"), "{shown:?}");
}
