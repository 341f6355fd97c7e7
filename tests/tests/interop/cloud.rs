//! The fake cloud by the judgement of others: tinytuya's cloud client and wizard, and the vendor's SDK for logins with a QR
//! code. Then what our wizard and theirs make of the same cloud, compared byte by byte, and each reads the other's file.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustuya_fake_cloud::{Account, FakeCloud};
use rustuya_runtime_tokio::DevicesFile;
use serde_json::{Value, json};

use crate::process::{Process, python, required};

/// A folder of its own with the cloud's certificate, deleted in the end.
struct Place {
    folder: PathBuf,
    cloud: FakeCloud,
}

impl Place {
    fn new(name: &str, account: Account) -> Self {
        let folder = std::env::temp_dir().join(format!("rustuya-cloud-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let cloud = FakeCloud::start(account).expect("a port");
        std::fs::write(folder.join("ca.pem"), cloud.ca_pem()).expect("writable");
        Self { folder, cloud }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("was written")
    }

    /// In this folder, with what others must not see in its environment.
    fn command(&self, mut command: Command) -> Command {
        let account = Account::sample();
        command
            .current_dir(&self.folder)
            .env("REQUESTS_CA_BUNDLE", self.path("ca.pem"))
            .env("TUYA_ACCESS_SECRET", account.access_secret)
            .env("TUYA_USER_CODE", account.user_code);
        command
    }

    /// The only line that a script prints, which must have found nothing wrong.
    #[track_caller]
    fn script(&self, name: &str, args: &[&str]) -> Value {
        let mut command = python(name);
        command.args(args);
        let mut process = Process::start(self.command(command));
        let code = process.stop();
        let said = process.log.first().cloned().unwrap_or_default();
        assert_eq!((code, &said["errors"]), (0, &json!([])), "{:?}", process.log);
        said
    }

    fn tinytuya(&self) -> Value {
        let address = self.cloud.address().to_string();
        self.script("cloud_tinytuya.py", &["--address", &address, "--access-id", &Account::sample().access_id])
    }

    /// Our wizard.
    fn wizard(&self, output: &str) {
        let mut command = Command::new(required("RUSTUYA_INTEROP_BINARY", "the rustuya program"));
        let access = Account::sample().access_id;
        command.args(["wizard", "--access-id", &access, "--region", "eu", "--endpoint", &self.cloud.url()]);
        command.args(["--ca-file", "ca.pem", "--no-scan", "--json", "--output", output]);
        let done = self.command(command).output().expect("the wizard runs");
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Leaving it behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Id, name, key, whether it is a sub-device, and the id of its gateway.
type Entry = (String, Option<String>, Option<String>, bool, Option<String>);

fn entries(path: &Path) -> Vec<Entry> {
    let file = DevicesFile::read(path).expect("readable");
    let entry = |listed: &rustuya_runtime_tokio::DeviceEntry| {
        let key = listed.local_key().ok().flatten();
        let key = key.map(|key| key.expose().iter().copied().map(char::from).collect());
        let name = listed.name().map(str::to_owned);
        let gateway = file.gateway(listed).map(|gateway| gateway.id().to_owned());
        (listed.id().to_owned(), name, key, listed.is_sub_device(), gateway)
    };
    file.devices().map(entry).collect()
}

/// The thing model is no matter of tinytuya's.
fn without_models() -> Account {
    let mut account = Account::sample();
    account.without_models();
    account
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn tinytuyas_wizard_and_ours_write_the_same_file() {
    let place = Place::new("same", without_models());
    let said = place.tinytuya();
    assert_eq!(said["listed"].as_array().map(Vec::len), Some(9));
    let theirs = place.read("devices.json");
    place.wizard("ours.json");
    let ours = place.read("ours.json");
    assert_eq!(entries(&place.path("devices.json")), entries(&place.path("ours.json")));

    // It takes the pictures' host from the address, mangles units, and drops what a product without instructions has.
    let address = place.cloud.address().to_string();
    let (_, domain) = address.split_once('.').expect("an IP address");
    let theirs = theirs.replace(&format!("https://images.{domain}/"), "https://images.tuyaeu.com/");
    let expected =
        ours.replace("\"unit\": \"pcs\"", "\"unit\": \"p\\u00b0Cs\"").replace("S/cm\"", "S/\\u00b0Cm\"").replacen(
            ".png\",\n        \"mapping\": {}\n    },\n    {\n        \"name\": \"Front",
            ".png\"\n    },\n    {\n        \"name\": \"Front",
            1,
        );
    for (line, (their, our)) in theirs.lines().zip(expected.lines()).enumerate() {
        assert_eq!(their, our, "line {line}");
    }
    assert_eq!(theirs, expected);

    // Ours brings theirs up to date: the units are mended, nothing else changes.
    place.wizard("devices.json");
    let mended = place.read("devices.json");
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (mut mended, mut ours) = (value(&mended), value(&ours));
    for list in [&mut mended, &mut ours] {
        for entry in list.as_array_mut().expect("a list") {
            assert!(
                entry["icon"].as_str().is_some_and(|icon| icon.starts_with("https://images.tuyaeu.com/")),
                "{entry}"
            );
            // Of the gateway, which has none.
            entry.as_object_mut().expect("an entry").retain(|name, value| name != "mapping" || *value != json!({}));
        }
    }
    assert_eq!(mended, ours);
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn tinytuya_reads_our_file() {
    let place = Place::new("read", Account::sample());
    place.wizard("devices.json");
    let said = place.script("cloud_tinytuya.py", &["--read", "devices.json"]);
    let ours: Value = serde_json::from_str(&place.read("devices.json")).expect("JSON");
    let expected: serde_json::Map<String, Value> = ours
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            (
                entry["id"].as_str().unwrap_or_default().to_owned(),
                json!([entry["name"], entry["key"], entry["mapping"]]),
            )
        })
        .collect();
    assert_eq!(said["found"], Value::Object(expected));
}

#[test]
#[ignore = "needs Python with tinytuya; cargo xtask test runs it"]
fn tinytuyas_older_way_is_served() {
    let place = Place::new("older", without_models());
    let (address, access) = (place.cloud.address().to_string(), Account::sample().access_id);
    let id = "bf00000000000000000004";
    let args = ["--address", &address, "--access-id", &access, "--device-id", id];
    let said = place.script("cloud_tinytuya.py", &args);
    assert_eq!(said["listed"].as_array().map(Vec::len), Some(9));
    assert_eq!(place.cloud.count("/v1.0/users/"), 1);
}

#[test]
#[ignore = "needs Python with tuya-device-sharing-sdk; cargo xtask test runs it"]
fn the_vendors_sdk_logs_in_and_out() {
    let mut account = Account::sample();
    account.keys_in_list = true;
    let devices = account.devices().to_vec();
    let place = Place::new("sharing", account);
    place.cloud.scan_after(2);
    let (address, app) = (place.cloud.address().to_string(), Account::sample());
    let args = ["--address", &address, "--client-id", &app.client_id, "--schema", &app.schema];
    let said = place.script("cloud_sharing.py", &args);
    for device in &devices {
        let found = &said["devices"][device["id"].as_str().unwrap_or_default()];
        assert_eq!((&found[0], &found[1]), (&device["name"], &device["local_key"]), "{found}");
    }
    assert_eq!(said["devices"][devices[0]["id"].as_str().unwrap_or_default()][2], json!([20, 21, 22, 23, 24, 26]));
    assert!(!place.cloud.is_logged_in(), "it has logged out");
}
