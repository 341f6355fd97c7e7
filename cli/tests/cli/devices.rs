//! get, set and watch against simulate: the real command on both ends.

use crate::common::{ID, KEY, Running, Simulated, TempFile, WRONG_KEY, finish, run, rustuya};
use serde_json::{Value, json};

/// Returns the names of the commands that a simulated device has received, up to and including `last`.
fn received(simulated: &Simulated, last: &str) -> Vec<Value> {
    let mut names = Vec::new();
    simulated.process.line_where(|line| {
        names.push(line["name"].clone());
        line["name"] == last
    });
    names
}

fn asks_sets_and_watches(version: &str) {
    let simulated = Simulated::start(version, &["--dps", r#"{"1":false,"2":50,"5":"white"}"#]);
    let (query, control) = match version {
        "3.1" | "3.3" => ("DpQuery", "Control"),
        "3.2" => ("ControlNew", "Control"),
        _ => ("DpQueryNew", "ControlNew"),
    };

    // Without a configured version, 3.1 is believed only with --min-version.
    let least = if version == "3.1" { "3.1" } else { "3.3" };
    let everything = ["--json", "--dp", "1,2,5", "--min-version", least];
    for told in [version, "auto"] {
        let state = simulated.run("get", &[&["--version", told][..], &everything].concat());
        assert_eq!(state.json(), json!({ "1": false, "2": 50, "5": "white" }), "told {told}");
    }
    received(&simulated, query);

    let set = simulated.run("set", &["--version", version, "--json", "1=true", "2=70", "5=red"]);
    let set = set.json();
    assert_eq!(set["set"], json!({ "1": true, "2": 70, "5": "red" }));
    assert_eq!((&set["id"], set["micros"].is_u64()), (&Value::from(ID), true));
    received(&simulated, control);
    let state = simulated.run("get", &everything);
    assert_eq!(state.json(), json!({ "1": true, "2": 70, "5": "red" }));

    let table = simulated.run("get", &["--version", version, "--dp", "1,2,5"]);
    table.succeeded();
    assert!(table.stdout.contains("\"red\"") && table.stdout.contains("70"), "{table:?}");
    let words = simulated.run("set", &["--min-version", least, "2=71"]);
    words.succeeded();
    assert!(words.stdout.contains("2=71 acknowledged in "), "{words:?}");

    watches(&simulated, version);
}

#[test]
fn set_waits_as_configured() {
    let silent = Simulated::start("3.4", &["--dps", r#"{"1":false,"2":50}"#, "--quirk", "silent-control"]);
    silent.run("set", &["--timeout", "2", "1=true"]).failed(1, &["did not answer"]);
    for (wait, past) in
        [("written", "2=7 written in "), ("none", "2=7 handed over in "), ("effect", "2=7 confirmed in ")]
    {
        let set = silent.run("set", &["--wait", wait, "2=7"]);
        set.succeeded();
        assert!(set.stdout.contains(past), "{set:?}");
    }
    let set = silent.run("set", &["--wait", "effect", "--timeout", "3", "2=text"]);
    set.failed(1, &["DP 2 is 7, not \"text\""]);
    let loud = Simulated::start("3.4", &["--dps", r#"{"1":false,"2":50}"#, "--quirk", "drop-ack"]);
    loud.run("set", &["1=true", "2=3", "--one-by-one"]).succeeded();
    let names = received(&loud, "ControlNew");
    let second = received(&loud, "ControlNew");
    assert_eq!((names.last(), second.last()), (Some(&json!("ControlNew")), Some(&json!("ControlNew"))));
}

/// Checks that `watch` shows a change made by another process.
fn watches(simulated: &Simulated, version: &str) {
    let address = simulated.address.as_str();
    let watch = Running::start(&["watch", ID, "--address", address, "--version", version, "--json", "--count", "3"]);
    let up = watch.line();
    assert_eq!((&up["event"], &up["version"], &up["id"]), (&json!("up"), &json!(version), &json!(ID)));
    let time = up["time"].as_str().expect("a time");
    assert!(time.len() == 24 && time.ends_with('Z') && time.contains('T'), "{time}");
    if version == "3.2" {
        // No DP is known yet: the device shows its DPs after a request to measure.
        let state = watch.line_where(|line| line["event"] == "state" && !line["dps"]["1"].is_null());
        assert_eq!(state["dps"]["1"], json!(true), "{state}");
        return;
    }
    let state = watch.line();
    assert_eq!((&state["event"], &state["dps"]["1"]), (&json!("state"), &json!(true)));
    simulated.run("set", &["--version", version, "1=false"]).succeeded();
    let push = watch.line();
    assert_eq!(
        (&push["event"], &push["command"], &push["dps"]),
        (&json!("state"), &json!("Status"), &json!({ "1": false }))
    );
    assert_eq!(watch.ended(), Some(0), "after three events");
}

#[test]
fn version_3_1() {
    asks_sets_and_watches("3.1");
}

#[test]
fn version_3_2() {
    asks_sets_and_watches("3.2");
}

#[test]
fn version_3_3() {
    asks_sets_and_watches("3.3");
}

#[test]
fn version_3_4() {
    asks_sets_and_watches("3.4");
}

#[test]
fn version_3_5() {
    asks_sets_and_watches("3.5");
}

#[test]
fn device22_answers_named_dps_and_queries_write_nothing() {
    let dps = r#"{"20":true,"21":"white"}"#;
    // DPs that the device pushes after a request to measure, which changes nothing, need not be named.
    let simulated = Simulated::start("3.3", &["--device22", "--dps", dps]);
    for version in ["3.3", "auto"] {
        let measured = simulated.run("get", &["--json", "--version", version]);
        assert_eq!(measured.json(), json!({ "20": true, "21": "white" }));
    }
    let simulated = Simulated::start("3.3", &["--device22", "--quirk", "update-silence", "--dps", dps]);
    for version in ["3.3", "auto"] {
        let unnamed = simulated.run("get", &["--json", "--version", version]);
        assert_eq!(unnamed.code, Some(1), "{unnamed:?}");
        assert!(unnamed.stderr.contains("name DPs") && !unnamed.stderr.contains("taken effect"), "{unnamed:?}");
        let named = simulated.run("get", &["--json", "--version", version, "--dp", "20,21"]);
        assert_eq!(named.json(), json!({ "20": true, "21": "white" }));
    }
    for version in ["3.2", "3.3", "3.4"] {
        let simulated = Simulated::start(version, &["--device22", "--quirk", "device22-one-dp", "--dps", dps]);
        let named = simulated.run("get", &["--json", "--dialect", "device22", "--dp", "20,21,22"]);
        assert_eq!(named.code, Some(0), "{named:?}");
        assert_eq!(serde_json::from_str::<Value>(&named.stdout).ok(), Some(json!({ "20": true, "21": "white" })));
        assert!(named.stderr.contains("22"), "{named:?}");
    }
}

#[test]
fn sub_devices_are_reached_through_their_gateway() {
    for version in ["3.3", "3.4", "3.5"] {
        let subs = ["--dps", r#"{"4":1}"#, "--sub", r#"c1={"1":false}"#, "--sub", r#"c2={"1":true,"2":7}"#];
        let simulated = Simulated::start(version, &subs);
        let get = |cid: &str| simulated.run("get", &["--version", version, "--json", "--cid", cid]).json();
        assert_eq!((get("c1"), get("c2")), (json!({ "1": false }), json!({ "1": true, "2": 7 })));
        assert_eq!(simulated.run("get", &["--version", version, "--json"]).json(), json!({ "4": 1 }));

        let here = ["--address", simulated.address.as_str(), "--version", version];
        let watch = Running::start(&[&["watch", ID, "--cid", "c1", "--json", "--count", "3"][..], &here].concat());
        watch.line_where(|line| line["event"] == "state");
        simulated.run("set", &["--version", version, "--cid", "c2", "2=8"]).succeeded();
        simulated.run("set", &["--version", version, "--cid", "c1", "1=true"]).succeeded();
        let push = watch.line();
        assert_eq!((&push["cid"], &push["dps"]), (&json!("c1"), &json!({ "1": true })), "nothing of c2");
        assert_eq!(watch.ended(), Some(0));

        assert_eq!((get("c1"), get("c2")), (json!({ "1": true }), json!({ "1": true, "2": 8 })));
        let control =
            simulated.process.line_where(|line| line["name"].as_str().is_some_and(|name| name.starts_with("Control")));
        assert_eq!(control["cid"], "c2", "{control}");
    }
}

#[test]
fn a_wrong_key_is_named() {
    for version in ["3.3", "3.4", "3.5"] {
        let simulated = Simulated::start(version, &[]);
        for subcommand in [&["get"][..], &["set", "1=true"]] {
            let (name, rest) = subcommand.split_first().expect("a name");
            let mut command = simulated.command(name, &["--version", version]);
            command.args(["--timeout", "6"]).args(rest).env("RUSTUYA_KEY", WRONG_KEY);
            let done = finish(command);
            done.failed(1, &["wrong local key", "fetch the local key again"]);
            assert!(!done.stderr.contains(WRONG_KEY) && done.stdout.is_empty(), "{done:?}");
        }
    }
}

#[test]
fn a_wrong_version_is_named() {
    for (speaks, told) in [("3.5", "3.3"), ("3.4", "3.3"), ("3.5", "3.4"), ("3.1", "3.3")] {
        let simulated = Simulated::start(speaks, &[]);
        simulated.run("get", &["--version", told]).failed(1, &[speaks, "version"]);
    }
}

#[test]
fn a_host_of_3_1_is_believed_only_on_request() {
    let liar = Simulated::start("3.1", &["--dps", r#"{"1":true}"#]);
    let advice = ["3.1", "too old to be believed", "min_version", "--version 3.1, or --min-version"];
    for (subcommand, args) in [("get", &["--json"][..]), ("set", &["1=false"])] {
        let done = liar.run(subcommand, args);
        done.failed(1, &advice);
        assert!(done.stdout.is_empty(), "its lies are not printed: {done:?}");
        liar.run(subcommand, &[&["--min-version", "3.4"], args].concat()).failed(1, &["too old"]);
    }
    let file = TempFile::new("trusting.json", format!(r#"[{{"id":"{ID}","key":"","min_version":"3.1"}}]"#).as_bytes());
    for trusting in [["--min-version", "3.1"], ["--version", "3.1"], ["--devices", file.path()]] {
        assert_eq!(liar.run("get", &[&trusting[..], &["--json"]].concat()).json(), json!({ "1": true }));
    }
    run(&["get", ID, "--min-version", "3.6"]).failed(2, &["3.1, 3.2, 3.3, 3.4, 3.5"]);
}

#[test]
fn version_and_address_are_remembered_on_request() {
    let simulated = Simulated::start("3.5", &["--dps", r#"{"1":true}"#]);
    let text = format!(r#"[{{"room":"hall","id":"{ID}","key":"","version":"","more":[1,2]}}]"#);
    let file = TempFile::new("remembered.json", text.as_bytes());
    let read = || std::fs::read_to_string(file.path()).expect("a text file");
    simulated.run("get", &["--devices", file.path(), "--json"]).succeeded();
    assert_eq!(read(), text, "only where that is asked for");
    simulated.run("get", &["--devices", file.path(), "--json", "--remember"]).succeeded();
    let known = format!(r#"[{{"room":"hall","id":"{ID}","key":"","version":"3.5","more":[1,2],"ip":"127.0.0.1"}}]"#);
    assert_eq!(read(), known);
    // The remembered version is not lowered any more.
    drop(simulated);
    let liar = Simulated::start("3.3", &["--dps", r#"{"1":false}"#]);
    liar.run("get", &["--devices", file.path(), "--json"]).failed(1, &["version"]);
    run(&["get", ID, "--remember"]).failed(2, &["--devices"]);
}

#[cfg(unix)]
#[test]
fn a_failure_to_remember_is_reported_after_the_answer() {
    let simulated = Simulated::start("3.5", &["--dps", r#"{"1":true}"#]);
    let mut command = simulated.command("get", &["--devices", "/dev/stdin", "--json", "--remember"]);
    // A pipe can be read only once.
    let (rest, mut given) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut given, format!(r#"[{{"id":"{ID}","key":""}}]"#).as_bytes()).expect("has room");
    drop(given);
    command.stdin(rest);
    let done = finish(command);
    done.failed(1, &["--remember"]);
    assert_eq!(done.stdout, "{\"1\":true}\n", "{done:?}");
}

#[test]
fn a_missing_device_is_a_failure_with_advice() {
    let simulated = Simulated::start("3.3", &[]);
    let address = simulated.address.clone();
    drop(simulated);
    let args = ["--address", &address, "--version", "3.3"];
    run(&[&["get", ID, "--timeout", "0.5"][..], &args].concat()).failed(1, &["refuses connections", "check address"]);
    run(&[&["watch", ID, "--for", "0.5"][..], &args].concat()).failed(1, &["refuses connections", "check address"]);
    let watched = run(&[&["watch", ID, "--count", "1", "--json"][..], &args].concat());
    watched.failed(1, &["refuses connections"]);
    let line: Value = serde_json::from_str(&watched.stdout).expect("one line");
    assert_eq!(line["event"], "down");
    assert!(line["reason"].is_string() && line["advice"].is_string() && line["retry_in"].is_f64(), "{line}");
}

#[test]
fn refusals_of_the_device_are_passed_on() {
    let simulated = Simulated::start("3.4", &["--sub", r#"c1={"1":false}"#, "--quirk", "unknown-cid-error"]);
    simulated.run("get", &["--cid", "c9"]).failed(1, &["the device refused: devid not found"]);
}

#[test]
fn quirks_change_the_behaviour() {
    let simulated = Simulated::start("3.3", &["--quirk", "drop-ack", "--quirk", "delay-ms=1"]);
    let set = simulated.run("set", &["--json", "1=true"]).json();
    assert_eq!((&set["answer"], &set["retcode"]), (&json!("Status"), &Value::Null), "the push is the answer");
    let silent = Simulated::start("3.4", &["--quirk", "silent-control"]);
    silent.run("set", &["--timeout", "1", "1=true"]).failed(1, &["did not answer"]);
}

#[test]
fn a_list_of_devices_contains_addresses() {
    let simulated = Simulated::start("3.4", &["--sub", r#"c1={"1":false}"#, "--dps", r#"{"4":1}"#]);
    let port: u16 = simulated.port().parse().expect("a port");
    let list = json!([
        { "id": ID, "name": "hub", "key": KEY, "ip": "127.0.0.1", "version": "3.4", "port": port },
        { "id": "child1", "name": "valve", "key": KEY, "node_id": "c1", "parent": "", "sub": true },
        { "id": "keyless", "name": "bare", "key": "", "ip": "127.0.0.1", "version": 3.4, "port": port },
    ]);
    let file = TempFile::new("devices.json", list.to_string().as_bytes());
    let with_list = |args: &[&str]| {
        let mut command = rustuya(args);
        command.args(["--devices", file.path()]).env_remove("RUSTUYA_KEY");
        finish(command)
    };
    assert_eq!(with_list(&["get", ID, "--json"]).json(), json!({ "4": 1 }));
    assert_eq!(with_list(&["get", "hub", "--json"]).json(), json!({ "4": 1 }));
    assert_eq!(with_list(&["get", "valve", "--json"]).json(), json!({ "1": false }));
    with_list(&["set", "child1", "1=true"]).succeeded();
    let watched = with_list(&["watch", "hub", "valve", "--json", "--count", "3"]);
    watched.succeeded();
    let lines: Vec<Value> = watched.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let state_of = |cid: Value| lines.iter().find(|line| line["event"] == "state" && line["cid"] == cid);
    let child = state_of(json!("c1")).expect("the sub-device's state");
    assert_eq!((&child["name"], &child["dps"]), (&json!("valve"), &json!({ "1": true })));
    let hub = state_of(Value::Null).expect("the gateway's state");
    assert_eq!((&hub["name"], &hub["id"], &hub["dps"]), (&json!("hub"), &json!(ID), &json!({ "4": 1 })));
    with_list(&["get", "bare"]).failed(2, &["no local key", "bare"]);

    let broken = TempFile::new("broken.json", format!("[{{\"id\":\"{ID}\",\"key\":\"{WRONG_KEY}\"").as_bytes());
    let done = run(&["get", ID, "--devices", broken.path()]);
    done.failed(1, &["--devices", "EOF"]);
    assert!(!done.stderr.contains(WRONG_KEY), "{done:?}");
    run(&["get", ID, "--devices", "/nonexistent/devices.json"]).failed(1, &["/nonexistent/devices.json"]);
}

#[test]
fn without_an_address_the_announcement_is_waited_for() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let announce = format!("127.0.0.1:{port}");
    let simulated = Simulated::start("3.4", &["--announce", &announce]);
    let ports = format!("0,{port},0");
    let here = ["--json", "--discovery-ports", &ports, "--port", simulated.port(), "--timeout", "20"];
    assert_eq!(run(&[&["get", ID][..], &here].concat()).json(), json!({ "1": false }));
    let unknown = ["get", "somebody-else", "--discovery-ports", &ports, "--timeout", "0.5"];
    run(&unknown).failed(1, &["somebody-else", "no announcement", "--address"]);
}

#[test]
fn keys_come_from_files_and_options_too() {
    let key = "0123456789abcd\u{e9}\u{ff}";
    let latin1: Vec<u8> = key.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    let utf8 = TempFile::new("utf8.key", format!("{key}\r\nanything else\n").as_bytes());
    let bytes = TempFile::new("latin1.key", &latin1);
    let simulated = Simulated::start("3.4", &["--key-file", utf8.path()]);
    for source in [["--key-file", utf8.path()], ["--key-file", bytes.path()], ["--key", key]] {
        assert_eq!(simulated.run("get", &[&source[..], &["--json"]].concat()).json(), json!({ "1": false }));
    }
    let utf16 = |unit: fn(u16) -> [u8; 2]| format!("{key}\r\n").encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let marked = |mark: &[u8], text: &[u8]| [mark, text].concat();
    let files = [
        ("bom", marked(b"\xef\xbb\xbf", key.as_bytes())),
        ("le", utf16(u16::to_le_bytes)),
        ("be", utf16(u16::to_be_bytes)),
        ("le-bom", marked(b"\xff\xfe", &utf16(u16::to_le_bytes))),
        ("be-bom", marked(b"\xfe\xff", &utf16(u16::to_be_bytes))),
        ("quotes", format!("\"{key}\"\n").into_bytes()),
        ("space", format!("  {key}\t\n").into_bytes()),
    ];
    for (name, content) in files {
        let file = TempFile::new(&format!("{name}.key"), &content);
        let state = simulated.run("get", &["--version", "3.4", "--json", "--key-file", file.path()]);
        assert_eq!(state.json(), json!({ "1": false }), "{name}");
    }
    let dashes = Simulated::start("3.3", &["--key", "--key-like--text"]);
    assert_eq!(dashes.run("get", &["--json", "--key", "--key-like--text"]).json(), json!({ "1": false }));
}

#[test]
fn return_codes_are_the_number_that_the_device_means() {
    // 3.5 firmware writes it in its own byte order.
    for version in ["3.3", "3.5"] {
        let quirks = ["--quirk", "ack-retcode-one", "--quirk", "ack-before-push"];
        let simulated = Simulated::start(version, &quirks);
        let set = simulated.run("set", &["--version", version, "--json", "1=true"]).json();
        assert_eq!(set["retcode"], json!(1), "{version}");
    }
}

#[cfg(unix)]
#[test]
fn signals_end_running_commands() {
    let simulated = Simulated::start("3.3", &[]);
    let watch = Running::start(&["watch", ID, "--address", &simulated.address, "--json"]);
    watch.line_where(|line| line["event"] == "state");
    assert_eq!(watch.signal("INT"), Some(0));
    assert_eq!(simulated.process.signal("TERM"), Some(0));
    let simulated = Simulated::start("3.5", &[]);
    assert_eq!(simulated.process.signal("INT"), Some(0));
}

#[test]
fn children_are_listed_with_their_state_and_their_names() {
    let many: Vec<String> = (0..5).map(|n| format!("a4c138000000000{n}={{\"1\":1}}")).collect();
    let mut args = vec!["--quirk", "report-chunk=2"];
    many.iter().for_each(|child| args.extend(["--sub", child]));
    let gateway = Simulated::start("3.4", &args);
    let lines = |done: &crate::common::Done| -> Vec<Value> {
        done.succeeded();
        done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let told = lines(&gateway.run("children", &["--version", "3.4", "--json"]));
    assert_eq!(told.len(), 5, "{told:?}");
    assert_eq!(told[0], json!({ "gateway": ID, "cid": "a4c1380000000000", "online": true }));
    let table = gateway.run("children", &["--version", "3.4"]);
    table.succeeded();
    assert!(table.stdout.contains("a4c1380000000004") && table.stdout.contains("online"), "{table:?}");

    let file = TempFile::new(
        "children.json",
        json!([
            { "id": ID, "key": KEY, "version": "3.4", "name": "hub" },
            { "id": "c1", "sub": true, "parent": ID, "uuid": "a4c1380000000003", "name": "gauge\u{1b}[2J" },
            { "id": "c2", "sub": true, "parent": ID, "node_id": "gone", "name": "gone" }
        ])
        .to_string()
        .as_bytes(),
    );
    for who in ["hub", "--all"] {
        let args = ["children", who, "--devices", file.path(), "--address", &gateway.address];
        let told = lines(&run(&[&args[..], &["--json"]].concat()));
        let named = json!({
            "gateway": ID, "cid": "a4c1380000000003", "online": true, "id": "c1", "name": "gauge\u{1b}[2J"
        });
        let silent = json!({ "gateway": ID, "cid": "gone", "online": null, "id": "c2", "name": "gone" });
        assert!(told.len() == 6 && told.contains(&named) && told.contains(&silent), "{told:?}");
        let table = run(&args);
        table.succeeded();
        assert!(!table.stdout.contains('\u{1b}') && table.stdout.contains("gauge\\u{1b}[2J"), "{table:?}");
    }
    let mute = Simulated::start("3.3", &["--sub", "c1={\"1\":1}", "--quirk", "no-children-report"]);
    let unanswered = mute.run("children", &["--version", "3.3", "--timeout", "3"]);
    unanswered.failed(1, &["did not answer"]);
    // The command writes nothing.
    assert!(!unanswered.stderr.contains("effect"), "{unanswered:?}");
}

/// A full pipe as standard output, without a reader.
#[cfg(unix)]
#[test]
fn signals_end_commands_blocked_by_their_output() {
    use std::io::Write as _;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Command, Stdio};
    use std::thread::sleep;

    let simulated = Simulated::start("3.3", &[]);
    let watch = ["watch", ID, "--address", &simulated.address, "--json"];
    let simulate = ["simulate", "--version", "3.3", "--id", ID, "--port", "0"];
    for (args, signal) in [(&watch[..], "-INT"), (&simulate[..], "-TERM")] {
        let (_reader, mut full) = UnixStream::pair().expect("a pair");
        full.set_nonblocking(true).expect("can be set");
        while full.write(&[b' '; 4096]).is_ok() {}
        full.set_nonblocking(false).expect("can be set");
        let mut child = rustuya(args).stdout(Stdio::from(OwnedFd::from(full))).spawn().expect("the command starts");
        // It is blocked until the signal comes. By now it has taken over the signals.
        sleep(core::time::Duration::from_millis(1500));
        assert!(child.try_wait().expect("can be asked").is_none(), "{args:?}");
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill exists");
        assert!(sent.success(), "the process lives");
        let ended = (0..600).find_map(|_| {
            sleep(core::time::Duration::from_millis(100));
            child.try_wait().expect("can be asked")
        });
        let _ = child.kill();
        assert!(ended.is_some(), "{args:?} does not end");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_record_that_cannot_be_written_ends_the_watch_at_once() {
    let simulated = Simulated::start("3.3", &[]);
    let watch = simulated.run("watch", &["--version", "3.3", "--json", "--record", "/dev/full"]);
    watch.failed(1, &["--record /dev/full: cannot be written"]);
}

#[test]
fn host_names_are_looked_up_wherever_addresses_are() {
    let simulated = Simulated::start("3.4", &[]);
    let port: u16 = simulated.port().parse().expect("a number");
    let named = format!("localhost:{port}");
    run(&["get", ID, "--address", &named, "--version", "3.4"]).succeeded();
    let list = json!([{ "id": ID, "name": "lamp", "key": KEY, "ip": "localhost", "port": port, "version": "3.4" }]);
    let file = TempFile::new("names.json", list.to_string().as_bytes());
    run(&["get", "lamp", "--devices", file.path()]).succeeded();
    run(&["get", ID, "--address", "no-such-host.invalid"]).failed(1, &["host name", "name service"]);
}
