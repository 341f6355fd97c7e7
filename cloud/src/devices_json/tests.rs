use super::*;
use serde_json::json;

const ICONS: &str = "https://images.tuyaeu.com/";

fn device(item: Value) -> CloudDevice {
    CloudDevice::from_json(&item).expect("has an id")
}

fn text(file: &DevicesJson) -> Value {
    serde_json::from_slice(&file.to_text()).expect("JSON")
}

#[test]
fn a_new_file_has_tinytuyas_fields_in_its_order() {
    let mut lamp = device(json!({
        "id": "lamp", "name": " Desk lamp ", "local_key": "0123456789abcdef", "category": "dj", "product_id": "p",
        "product_name": "Bulb", "model": "", "uuid": "list", "sub": false, "icon": "smart/a.png", "biz_type": 18,
        "ip": "203.0.113.7", "lat": "1.0", "uid": "u", "online": true,
    }));
    lamp.complete(device(json!({ "id": "lamp", "mac": "105a17000001", "sn": "1" })));
    lamp.has_factory_info = true;
    lamp.mapping = Some(Mapping::default());
    let gateway = device(json!({ "id": "hub", "local_key": "k", "sub": false }));
    let child = device(json!({ "id": "door", "local_key": "k", "sub": true, "uuid": "u7", "node_id": "n7" }));
    let heard = [Heard { id: "lamp".to_owned(), address: [192, 0, 2, 4].into(), version: Some("3.4") }];
    let mut file = DevicesJson::default();
    let merged = file.merge(&[lamp, gateway, child], ICONS, &heard);
    assert_eq!((merged.new, merged.kept, merged.changes), (3, 0, vec![Change::New; 3]));
    let expected = r#"[
    {
        "name": "Desk lamp",
        "id": "lamp",
        "key": "0123456789abcdef",
        "mac": "105a17000001",
        "uuid": "list",
        "sn": "1",
        "category": "dj",
        "product_name": "Bulb",
        "product_id": "p",
        "biz_type": 18,
        "model": "",
        "sub": false,
        "icon": "https://images.tuyaeu.com/smart/a.png",
        "mapping": {},
        "ip": "192.0.2.4",
        "version": "3.4"
    },
    {
        "name": "",
        "id": "hub",
        "key": "k",
        "mac": "",
        "sub": false
    },
    {
        "name": "",
        "id": "door",
        "key": "k",
        "mac": "",
        "sub": true,
        "uuid": "u7",
        "node_id": "n7",
        "parent": "hub"
    }
]"#;
    assert_eq!(core::str::from_utf8(&file.to_text()), Ok(expected));
}

#[test]
fn a_second_run_changes_what_has_changed_and_keeps_the_rest() {
    let mapping = json!({ "1": { "code": "switch", "type": "Boolean", "values": {} } });
    let old = json!([
        { "id": "gone", "key": "k0", "note": "sold" },
        { "name": "Lamp", "id": "lamp", "key": "old_key", "mac": "aa", "version": "3.3", "dev_type": "device22",
          "product_id": "p", "mapping": mapping, "ip": "192.0.2.1" },
        { "name": "Plug", "id": "plug", "key": "same", "mac": "" },
        "odd",
    ]);
    let mut file = DevicesJson::parse(old.to_string().as_bytes()).expect("a list");
    let known = file.mappings();
    assert_eq!(
        known.iter().map(|(product, mapping)| (product.as_str(), mapping.len())).collect::<Vec<_>>(),
        [("p", 1)]
    );
    let mut lamp = device(json!({ "id": "lamp", "name": "Lamp", "local_key": "new_key", "product_id": "p" }));
    lamp.mapping = Some(Mapping::default());
    let plug = device(json!({ "id": "plug", "name": "Plug", "local_key": "" }));
    let merged = file.merge(&[lamp, plug], ICONS, &[]);
    assert_eq!((merged.changes, merged.new, merged.kept), (vec![Change::Key, Change::Same], 0, 2));
    let mut expected = old;
    expected[1]["key"] = json!("new_key");
    assert_eq!(text(&file), expected, "all else is as it was, the address and the mapping too");
    let again = file.merge(&[device(json!({ "id": "lamp", "name": "Desk", "local_key": "new_key" }))], ICONS, &[]);
    assert_eq!(again.changes, [Change::Other]);
}

#[test]
fn what_the_list_is_in_stays() {
    let mut file = DevicesJson::parse(br#"{"timestamp":1.5,"devices":[{"id":"a"}]}"#).expect("a list");
    file.merge(&[device(json!({ "id": "b" }))], ICONS, &[]);
    let text = text(&file);
    assert_eq!((&text["timestamp"], text["devices"].as_array().map(Vec::len)), (&json!(1.5), Some(2)));
    assert_eq!(DevicesJson::parse(b" \n").map(|file| file.len()).ok(), Some(0));
    for bad in [&b"{}"[..], b"[{", b"5", b"{\"devices\":{}}"] {
        assert!(matches!(DevicesJson::parse(bad), Err(DevicesJsonError::NoList)));
    }
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_and_replaced_in_one_step() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("rustuya-devices-json-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (path, link) = (folder.join("devices.json"), folder.join("link.json"));
    let mut file = DevicesJson::read(&path).expect("none yet");
    assert!(file.is_empty());
    file.merge(&[device(json!({ "id": "a", "local_key": "k" }))], ICONS, &[]);
    file.write(&path).expect("writable");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("permissions");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    DevicesJson::read(&link).expect("readable").write(&link).expect("writable");
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(mode(&path), 0o600, "keys are nobody else's");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 2, "nothing is left beside it");
    assert!(matches!(file.write(folder.join("no/such/x.json")), Err(DevicesJsonError::Write(_))));
    fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn nothing_of_the_file_is_shown() {
    let file = DevicesJson::parse(br#"[{"id":"a","key":"hunter2"}]"#).expect("a list");
    assert_eq!(format!("{file:?}"), "DevicesJson { len: 1, .. }");
}

#[test]
fn an_entry_of_ones_own_takes_the_place_of_its_device() {
    let mut file =
        DevicesJson::parse(br#"[{ "id": "a", "key": "old", "room": "hall" }, { "id": "b" }]"#).expect("a list");
    for entry in [json!({ "id": "a", "key": "new" }), json!({ "id": "c", "port": 7000 })] {
        file.put(entry.as_object().cloned().expect("an object"));
    }
    assert_eq!(text(&file), json!([{ "id": "a", "key": "new" }, { "id": "b" }, { "id": "c", "port": 7000 }]));
}
