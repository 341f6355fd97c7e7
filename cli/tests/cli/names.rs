//! Names, units and words in place of DP numbers.

use serde_json::{Value, json};

use crate::common::*;

const CHILD: &str = "ch0123456789abcdefgh";

/// The devices file of a lamp with a key, and of a gateway with a child.
fn devices(name: &str, id: &str, address: &str) -> TempFile {
    let (ip, port) = address.rsplit_once(':').expect("an address");
    let port: u16 = port.parse().expect("a port");
    let integer = |code: &str, unit: &str, min: i64, max: i64, scale: u8| {
        json!({ "code": code, "type": "Integer",
            "values": { "unit": unit, "min": min, "max": max, "scale": scale, "step": 1 } })
    };
    let list = json!([
        { "id": id, "name": "Desk lamp", "key": KEY, "ip": ip, "port": port, "version": "3.4", "category": "dj",
          "mapping": {
            "20": { "code": "switch_led", "type": "Boolean", "values": {} },
            "21": { "code": "work_mode", "type": "Enum", "values": { "range": ["white", "colour", "scene", "music"] } },
            "22": integer("bright_value_v2", "", 0, 1000, 0),
            "24": { "code": "colour_data_v2", "type": "Json", "values": {} },
            "26": integer("countdown_1", "s", 0, 86400, 0),
          } },
        { "id": CHILD, "name": "Bedroom", "key": KEY, "sub": true, "node_id": "a4c1", "parent": id, "category": "wsdcg",
          "mapping": { "1": integer("va_temperature", "℃", -200, 600, 1), "2": integer("va_humidity", "%", 0, 100, 0) } },
    ]);
    TempFile::new(name, list.to_string().as_bytes())
}

#[test]
fn a_lamp_is_set_and_shown_by_name() {
    let lamp = Simulated::start("3.4", &["--dps", r#"{"20":false,"21":"white","22":10,"24":"000003e803e8","99":7}"#]);
    let file = devices("names.json", ID, &lamp.address);
    let with = |args: &[&str]| run(&[args, &["--devices", file.path()]].concat());
    let set = with(&["set", "Desk lamp", "brightness=50%", "color=red", "--wait", "effect"]);
    set.succeeded();
    assert!(set.stdout.contains("Desk lamp: brightness=50% color=red confirmed in "), "{set:?}");
    let state = with(&["get", "Desk lamp", "--json"]).json();
    assert_eq!((&state["20"], &state["21"]), (&json!(true), &json!("colour")));
    assert_eq!(state["24"], "000003e801f4", "red, half as bright: one color");
    lamp.process.line_where(|line| line["name"] == "ControlNew" && line.to_string().contains("000003e801f4"));

    let table = with(&["get", "Desk lamp"]);
    table.succeeded();
    for part in ["power", "on", "brightness", "50 %", "#800000", "99"] {
        assert!(table.stdout.contains(part), "{part}: {table:?}");
    }
    let numbers = with(&["get", "Desk lamp", "--dps"]);
    assert!(numbers.stdout.contains("\"000003e801f4\""), "{numbers:?}");

    // By number and by name, in one command; JSON has what was written.
    let both = with(&["set", "Desk lamp", "26=60", "power=off", "--json"]).json();
    assert_eq!(both["set"], json!({ "26": 60, "20": false }));
    with(&["set", "Desk lamp", "toggle=yes"]).failed(1, &["the device has no toggle; it has power, brightness, color"]);
    with(&["set", "Desk lamp", "brightness=500%"]).failed(1, &["brightness", "100"]);
    with(&["set", "Desk lamp", "color=reddish"]).failed(1, &["color"]);
    with(&["set", "Desk lamp", "20=true", "power=off"]).failed(1, &["DP 20 is given by number and by name"]);
    let state = with(&["get", "Desk lamp", "--json"]).json();
    assert_eq!(state["20"], json!(false), "nothing of these was written");
}

#[test]
fn values_of_a_child_have_its_own_names_and_units() {
    let gateway = Simulated::start("3.4", &["--sub", r#"a4c1={"1":215,"2":48}"#]);
    let file = devices("names-child.json", ID, &gateway.address);
    let with = |args: &[&str]| run(&[args, &["--devices", file.path()]].concat());
    let table = with(&["get", "Bedroom"]);
    table.succeeded();
    assert!(table.stdout.contains("21.5 °C") && table.stdout.contains("48 %"), "{table:?}");
    let watch = with(&["watch", "Bedroom", "--json", "--count", "2"]);
    watch.succeeded();
    let lines: Vec<Value> = watch.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let state = lines.iter().find(|line| line["event"] == "state").expect("a state");
    assert_eq!(state["values"], json!({ "va_temperature": "21.5 °C", "va_humidity": "48 %" }));
    let all = with(&["watch", ID, "--for", "3"]);
    assert!(!all.stdout.contains("a4c1 1=215"), "the gateway's watcher sees names, too: {all:?}");
    with(&["set", "Bedroom", "va_temperature=22"]).failed(1, &["va_temperature is only reported"]);
}

#[test]
fn entities_are_listed_without_a_connection() {
    let file = devices("names-list.json", ID, "127.0.0.1:9");
    let with = |args: &[&str]| run(&[args, &["--devices", file.path()]].concat());
    let list = with(&["entities", "Desk lamp", "--json"]).json();
    let light = &list[0];
    assert_eq!((&light["kind"], &light["code"], &light["name"]), (&json!("light"), &json!("switch_led"), &Value::Null));
    assert_eq!(light["dps"], json!([20, 21, 22, 24]));
    assert_eq!(light["set"], json!(["power", "brightness", "color", "effect", "mode"]));
    let all = with(&["entities"]);
    all.succeeded();
    assert!(all.stdout.contains("Bedroom:") && all.stdout.contains("sensor (temperature)"), "{all:?}");
    with(&["entities", "Kitchen"]).failed(1, &["does not list it"]);
    let bare =
        TempFile::new("names-bare.json", br#"[{"id":"bf0123456789abcdefgh","name":"x","key":"0123456789abcdef"}]"#);
    run(&["entities", "x", "--devices", bare.path()]).failed(1, &["no mapping", "rustuya wizard"]);
    let folder = std::env::temp_dir().join(format!("rustuya-names-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut nothing = rustuya(&["entities"]);
    nothing.current_dir(&folder);
    finish(nothing).failed(2, &["rustuya wizard", "--devices"]);
    // The file that the wizard writes there is found without being named.
    std::fs::copy(file.path(), folder.join("devices.json")).expect("is copied");
    let mut found = rustuya(&["entities", "Bedroom", "--json"]);
    found.current_dir(&folder);
    let found = finish(found).json();
    assert_eq!((&found[0]["id"], &found[0]["unit"]), (&json!("va_temperature"), &json!("°C")));
    std::fs::remove_dir_all(&folder).expect("is deleted");
}

#[test]
fn own_files_win_over_the_mapping() {
    let file = devices("names-own.json", ID, "127.0.0.1:9");
    let own = json!({ "devices": { CHILD: { "dps": { "1": { "name": "Bed", "unit": "°F" } } } } });
    let overrides = TempFile::new("names-overrides.json", own.to_string().as_bytes());
    let args = ["entities", "Bedroom", "--json", "--devices", file.path(), "--overrides", overrides.path()];
    let list = run(&args).json();
    assert_eq!((&list[0]["name"], &list[0]["unit"]), (&json!("Bed"), &json!("°F")));
    let broken = TempFile::new("names-broken.json", b"{\"devices\":{\"x\":{\"sort\":1}}}");
    let args = ["entities", "--devices", file.path(), "--overrides", broken.path()];
    run(&args).failed(1, &["devices.x", "sort"]);
    let missing = ["entities", "--devices", file.path(), "--profiles", "/nonexistent/profiles"];
    run(&missing).failed(1, &["--profiles"]);
}

#[test]
fn a_device_file_leaves_other_dps_and_own_facts_in_place() {
    let folder = std::env::temp_dir().join(format!("rustuya-device-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let device_file = "name: Plug\nproducts:\n  - id: p1\nentities:\n  - entity: switch\n    class: outlet\n    dps:\n      \
                       - id: 1\n        type: boolean\n        name: switch\n";
    std::fs::write(folder.join("plug.yaml"), device_file).expect("is written");
    let list = json!([{ "id": ID, "name": "Plug", "key": KEY, "product_id": "p1", "category": "cz", "mapping": {
        "41": { "code": "child_lock", "type": "Boolean", "values": {} } } }]);
    let file = TempFile::new("names-device-file.json", list.to_string().as_bytes());
    let own = json!({ "devices": { ID: { "dps": { "41": { "name": "Lock for children" } } } } });
    let own = TempFile::new("names-device-file-own.json", own.to_string().as_bytes());
    let profiles = folder.to_str().expect("UTF-8");
    let args =
        ["entities", "Plug", "--json", "--devices", file.path(), "--profiles", profiles, "--overrides", own.path()];
    let list = run(&args).json();
    assert_eq!((&list[0]["kind"], &list[0]["device_class"]), (&json!("switch"), &json!("outlet")), "{list}");
    assert_eq!((&list[1]["dps"], &list[1]["name"]), (&json!([41]), &json!("Lock for children")), "{list}");
    std::fs::remove_dir_all(&folder).expect("is deleted");
}
