//! scan against simulate, on the loopback interface.

use crate::common::{Done, ID, KEY, Running, Simulated, TempFile, run};
use serde_json::{Value, json};

/// Returns three free UDP ports.
pub(crate) fn free_ports() -> [u16; 3] {
    let sockets = [(); 3].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port"));
    sockets.map(|socket| socket.local_addr().expect("an address").port())
}

pub(crate) fn listed(ports: [u16; 3]) -> String {
    ports.map(|port| port.to_string()).join(",")
}

const LAMP: &str = "bf00000000000000lamp";

#[test]
fn devices_are_shown_as_they_announce_themselves() {
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
    unheard.failed(1, &["somebody was not found", "check that"]);
    assert!(unheard.stdout.is_empty(), "{unheard:?}");
}

#[test]
fn finding_no_device_is_no_failure_but_comes_with_advice() {
    let ports = free_ports();
    let Done { code, stdout, stderr } =
        run(&["scan", "--bind", "127.0.0.1", "--discovery-ports", &listed(ports), "--timeout", "0.3"]);
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let [clear, encrypted, answers] = ports;
    let firewall = format!("firewall lets UDP {clear}, {encrypted} and {answers} in");
    for words in ["no device was found", "same network", &firewall] {
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

/// Announces a device at 127.0.0.1 from the address `from`, repeatedly, until the result is dropped.
struct Relay(std::sync::Arc<core::sync::atomic::AtomicBool>);

impl Relay {
    fn start(from: &str, port: u16, datagram: Vec<u8>) -> Self {
        let over = std::sync::Arc::new(core::sync::atomic::AtomicBool::new(false));
        let socket = std::net::UdpSocket::bind((from, 0)).expect("a free port");
        let ends = std::sync::Arc::clone(&over);
        std::thread::spawn(move || {
            while !ends.load(core::sync::atomic::Ordering::Relaxed) {
                // The scan may not listen yet.
                let _sent = socket.send_to(&datagram, ("127.0.0.1", port));
                std::thread::sleep(core::time::Duration::from_millis(50));
            }
        });
        Self(over)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.store(true, core::sync::atomic::Ordering::Relaxed);
    }
}

fn announcement() -> Vec<u8> {
    format!(r#"{{"gwId":"{ID}","ip":"127.0.0.1","version":"3.4"}}"#).into_bytes()
}

#[test]
fn relayed_announcements_are_reported_and_believed_on_request() {
    let ports = free_ports();
    let list = listed(ports);
    let lamp = Simulated::start("3.4", &[]);
    let _relay = Relay::start("127.0.0.9", ports[1], announcement());
    let here = ["--bind", "127.0.0.1", "--discovery-ports", &list, "--json"];
    let scan = |args: &[&str]| run(&[&["scan"], &here[..], args].concat());

    let cautious = scan(&["--timeout", "1"]);
    assert_eq!((cautious.code, cautious.stdout.as_str()), (Some(0), ""), "{cautious:?}");
    assert!(cautious.stderr.contains("announced by another address, 127.0.0.9"), "{cautious:?}");
    scan(&["--timeout", "1", "--find", ID]).failed(1, &["announced by another address", "--trust-relayed"]);
    let trusting = scan(&["--timeout", "60", "--find", ID, "--trust-relayed"]);
    let expected = json!({
        "id": ID, "ip": "127.0.0.1", "version": "3.4", "product_key": null, "relayed_by": "127.0.0.9"
    });
    assert_eq!(trusting.json(), expected);

    let (_, port) = lamp.address.rsplit_once(':').expect("a port");
    let get = |args: &[&str]| {
        run(&[&["get", ID, "--port", port, "--discovery-ports", &list, "--timeout", "3"], args].concat())
    };
    get(&[]).failed(1, &["another address", "--trust-relayed"]);
    get(&["--trust-relayed"]).succeeded();
}

#[test]
fn a_device_that_waits_to_be_paired_is_marked() {
    let ports = free_ports();
    let list = listed(ports);
    let text = format!(r#"{{"gwId":"{ID}","ip":"127.0.0.1","version":"3.4","active":0}}"#);
    let _device = Relay::start("127.0.0.1", ports[1], text.into_bytes());
    let scan = ["scan", "--bind", "127.0.0.1", "--discovery-ports", &list, "--timeout", "60", "--find", ID];
    let words = run(&scan);
    words.succeeded();
    assert!(words.stdout.contains("(waiting to be paired)"), "{words:?}");
    assert_eq!(run(&[&scan[..], &["--json"]].concat()).json()["unpaired"], json!(true));
}

#[test]
fn a_network_is_looked_through_address_by_address() {
    let ports = free_ports();
    let list = listed(ports);
    let lamp = Simulated::start("3.4", &[]);
    let (_, port) = lamp.address.rsplit_once(':').expect("a port");
    let sweep = |network: &str, more: &[&str]| {
        run(&[&["scan", "--network", network, "--port", port, "--discovery-ports", &list, "--bind", "127.0.0.1"], more]
            .concat())
    };
    let port_number: u16 = port.parse().expect("a number");
    assert_eq!(
        sweep("127.0.0.0/29", &["--json"]).json(),
        json!({ "id": null, "ip": "127.0.0.1", "port": port_number })
    );
    let words = sweep("127.0.0.1", &[]);
    words.succeeded();
    assert!(words.stdout.starts_with("127.0.0.1 ") && words.stdout.contains("is open"), "{words:?}");
    // The other addresses have no open port.
    let nobody = sweep("127.0.0.8/29", &[]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(0), ""), "{nobody:?}");
    assert!(nobody.stderr.contains("nothing listens on TCP"), "{nobody:?}");
    sweep("127.0.0.1", &["--find", ID]).failed(1, &["was not found"]);
    sweep("10.0.0.0/8", &[]).failed(2, &["more than 65536 addresses"]);
    sweep("lamp", &[]).failed(2, &["192.168.5.0/24"]);
}
