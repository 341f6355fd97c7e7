//! The commands with hardly any file descriptors.

use core::ops::RangeInclusive;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::thread;

use crate::common::{Done, ID, KEY, Simulated, finish, rustuya};
use crate::scan::{free_ports, listed};

/// From what every process has open to what is enough for every command.
const LIMITS: RangeInclusive<u32> = 3..=32;

/// Runs the command with so many descriptors at most. One that goes on and on is told to end as soon as it says
/// something.
fn run(limit: u32, args: &[&str]) -> Done {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_rustuya")])
        .args(args)
        .env("RUSTUYA_KEY", KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let (mut stdout, mut stderr) = (String::new(), String::new());
    if out.read_line(&mut stdout).expect("UTF-8") > 0 && args.first() == Some(&"simulate") {
        let sent = Command::new("kill").arg(child.id().to_string()).status().expect("kill exists");
        assert!(sent.success(), "{args:?}");
    }
    out.read_to_string(&mut stdout).expect("UTF-8");
    child.stderr.take().expect("piped").read_to_string(&mut stderr).expect("UTF-8");
    Done { code: child.wait().expect("it ends").code(), stdout, stderr }
}

/// Every count of descriptors is enough, or the command says that it is not, and what helps. Returns the least that is.
#[track_caller]
fn ends_well(args: &[&str]) -> u32 {
    let limits: Vec<u32> = LIMITS.collect();
    // A device takes no more connections than four.
    let at_once = limits.chunks(3).flat_map(|limits| {
        thread::scope(|scope| {
            let started: Vec<_> = limits.iter().map(|limit| (*limit, scope.spawn(|| run(*limit, args)))).collect();
            started.into_iter().map(|(limit, run)| (limit, run.join().expect("no panic"))).collect::<Vec<_>>()
        })
    });
    let all: Vec<_> = at_once.collect();
    let mut least = *LIMITS.end() + 1;
    for (limit, done) in all.iter().rev() {
        // The shared libraries could not be loaded: nothing of the program has run.
        let unloaded = done.code == Some(127) && done.stderr.contains("shared libraries");
        match done.code {
            Some(0) => least = *limit,
            _ if unloaded => {}
            Some(1) => {
                for word in ["out of file descriptors", "ulimit -n"] {
                    assert!(done.stderr.contains(word), "{args:?} with {limit}: {done:?}");
                }
                for blamed in ["reachable", "power", "another program may hold"] {
                    assert!(!done.stderr.contains(blamed), "{args:?} with {limit}: {done:?}");
                }
            }
            _ => panic!("{args:?} with {limit}: {done:?}"),
        }
        assert!(!done.stderr.contains("panicked"), "{args:?} with {limit}: {done:?}");
    }
    assert!(LIMITS.contains(&least) && least > 6, "{args:?}: {least}");
    least
}

#[test]
fn a_shortage_is_told_by_scan() {
    let ports = listed(free_ports());
    let common = ["scan", "--bind", "127.0.0.1", "--discovery-ports", &ports];
    ends_well(&[&common[..], &["--timeout", "0.5"]].concat());
    // One address that refuses.
    ends_well(&[&common[..], &["--network", "127.0.0.9/32", "--port", "9"]].concat());
}

#[test]
fn a_shortage_is_told_by_what_talks_to_devices() {
    let commands = [&["get", ID][..], &["set", ID, "1=true"], &["watch", ID, "--count", "2", "--for", "5"]];
    thread::scope(|scope| {
        for (command, host) in
            commands.into_iter().flat_map(|command| ["127.0.0.1", "localhost"].map(|host| (command, host)))
        {
            scope.spawn(move || {
                let device = Simulated::start("3.4", &["--dps", r#"{"1":true}"#]);
                let at = ["--address", host, "--port", device.port(), "--version", "3.4", "--timeout", "5"];
                ends_well(&[command, &at].concat());
            });
        }
    });
}

#[test]
fn a_shortage_is_told_by_what_listens() {
    let simulate = ["simulate", "--version", "3.5", "--id", ID, "--port", "0"];
    let least = ends_well(&simulate);
    // It has begun to listen, and has none left for those who come.
    let told = run(least, &simulate).stderr;
    assert!(told.contains("no controller can connect") && told.contains("ulimit -n"), "{told}");
    let ports = listed(free_ports());
    let heard = ["get", ID, "--version", "3.4", "--discovery-ports", &ports, "--timeout", "0.5"];
    // With enough of them, nobody announces the device.
    for limit in LIMITS {
        let done = run(limit, &heard);
        let told = ["out of file descriptors", "no announcement heard", "shared libraries"];
        assert!(told.iter().any(|told| done.stderr.contains(told)), "with {limit}: {done:?}");
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("free the UDP"), "with {limit}: {done:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_search_that_has_no_sockets_left_midway_says_so() {
    let ports = listed(free_ports());
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = everywhere.local_addr().expect("an address").port().to_string();
    let network = ["--network", "127.64.0.0/16", "--port", &port, "--discovery-ports", &ports];
    let mut command = rustuya(&[&["scan", "--bind", "127.0.0.1"][..], &network].concat());
    let search = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command starts");
    everywhere.accept().expect("it has begun");
    let limit = ["--nofile=3:3", "--pid", &search.id().to_string()];
    assert!(Command::new("prlimit").args(limit).status().expect("prlimit exists").success());
    let done = search.wait_with_output().expect("it ends");
    let told = String::from_utf8(done.stderr).expect("UTF-8");
    assert_eq!(done.status.code(), Some(1), "{told}");
    for word in ["the search cannot go on", "out of file descriptors", "ulimit -n"] {
        assert!(told.contains(word), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_another_thread_the_commands_say_so() {
    let simulated = Simulated::start("3.4", &[]);
    // A stack that does not fit any memory: no thread can be started.
    let run = |args: &[&str]| {
        let mut command = rustuya(args);
        command.env("RUST_MIN_STACK", (1_u64 << 46).to_string());
        let done = finish(command);
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("runtime"), "{args:?}: {done:?}");
        done
    };
    let at = ["--port", simulated.port(), "--version", "3.4"];
    // An address needs none; a name has to be looked up.
    run(&[&["get", ID, "--address", "127.0.0.1"][..], &at].concat()).succeeded();
    run(&[&["get", ID, "--address", "localhost"][..], &at].concat()).failed(1, &["or give an IP address"]);
    for command in
        [&["watch", ID, "--address", "127.0.0.1"][..], &["scan"], &["simulate", "--version", "3.4", "--id", ID]]
    {
        run(command).failed(1, &["no thread can be started"]);
    }
}
