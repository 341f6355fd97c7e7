//! scan against simulate, on the loopback interface.

use crate::common::{Done, ID, KEY, Running, Simulated, TempFile, run};
use serde_json::{Value, json};

/// Three UDP ports that nobody holds.
fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("an address").port())
}

fn listed(ports: [u16; 3]) -> String {
    ports.map(|port| port.to_string()).join(",")
}

const LAMP: &str = "bf00000000000000lamp";

#[test]
fn devices_are_shown_as_they_are_heard() {
    let ports = free_ports();
    let (clear, encrypted) = (format!("127.0.0.1:{}", ports[0]), format!("127.0.0.1:{}", ports[1]));
    let list = json!([{ "id": LAMP, "name": "lamp", "key": KEY }]);
    let file = TempFile::new("scan.json", list.to_string().as_bytes());
    let list = listed(ports);
    let args = ["scan", "--json", "--discovery-ports", &list, "--timeout", "600", "--devices", file.path()];
    let scan = Running::start(&args);
    let _old = Simulated::start("3.1", &["--announce", &clear]);
    assert_eq!(scan.line(), json!({ "id": ID, "ip": "127.0.0.1", "version": "3.1", "product_key": null }));
    let _lamp = Simulated::start_as(LAMP, "3.4", &["--announce", &encrypted]);
    assert_eq!(
        scan.line(),
        json!({ "id": LAMP, "ip": "127.0.0.1", "version": "3.4", "product_key": null, "name": "lamp" })
    );
    #[cfg(unix)]
    assert_eq!(scan.signal("INT"), Some(0), "it can be ended early");
}

#[test]
fn one_device_is_looked_for_and_found_by_asking() {
    let [_, _, answers] = free_ports();
    let answer_port = answers.to_string();
    let simulated = Simulated::start("3.5", &["--answer-probes=127.0.0.1:0", "--answer-port", &answer_port]);
    let probe = simulated.listening["probes"].as_str().expect("an address").to_owned();
    let ports = format!("0,0,{answers}");
    let list = json!([{ "id": ID, "name": "strip", "key": KEY }, { "id": "c", "name": "valve", "sub": true }]);
    let file = TempFile::new("find.json", list.to_string().as_bytes());
    let here = ["--bind", "127.0.0.1", "--discovery-ports", &ports, "--probe", &probe, "--devices", file.path()];
    let scan = |args: &[&str]| run(&[&["scan"], args, &here[..]].concat());

    let found = scan(&["--find", "strip", "--timeout", "600", "--json"]);
    assert_eq!(
        found.json(),
        json!({ "id": ID, "ip": "127.0.0.1", "version": "3.5", "product_key": null, "name": "strip" })
    );
    let words = scan(&["--find", ID, "--timeout", "600"]);
    words.succeeded();
    assert_eq!(words.stdout, format!("{:<15}  {ID:<22}  3.5  strip\n", "127.0.0.1"));
    scan(&["--find", "valve"]).failed(2, &["look for its gateway"]);
    let unheard = scan(&["--find", "somebody", "--timeout", "1"]);
    unheard.failed(1, &["somebody was not heard", "check that"]);
    assert!(unheard.stdout.is_empty(), "{unheard:?}");
}

#[test]
fn hearing_nobody_is_no_failure_but_comes_with_advice() {
    let ports = free_ports();
    let Done { code, stdout, stderr } =
        run(&["scan", "--bind", "127.0.0.1", "--discovery-ports", &listed(ports), "--timeout", "0.3"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let [clear, encrypted, answers] = ports;
    let firewall = format!("firewall lets UDP {clear}, {encrypted} and {answers} in");
    for words in ["no device was heard", "same network", &firewall] {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn other_versions_do_not_answer_probes() {
    let [_, _, answers] = free_ports();
    let simulated = Simulated::start("3.3", &["--answer-probes=127.0.0.1:0", "--answer-port", &answers.to_string()]);
    let probe = simulated.listening["probes"].as_str().expect("an address").to_owned();
    let ports = format!("0,0,{answers}");
    let done = run(&[
        "scan",
        "--bind",
        "127.0.0.1",
        "--discovery-ports",
        &ports,
        "--probe",
        &probe,
        "--timeout",
        "1",
        "--json",
    ]);
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), ""), "{done:?}");
    assert_eq!(Simulated::start("3.3", &[]).listening.get("probes"), None::<&Value>);
}
