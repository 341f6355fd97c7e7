//! Commands with hardly any file descriptors.

use core::ops::RangeInclusive;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::thread;

use crate::common::{Done, ID, KEY, Simulated, finish, rustuya};
use crate::scan::{free_ports, listed};

/// Limits, from the descriptors that every process has to a number that is enough for every command.
const LIMITS: RangeInclusive<u32> = 3..=32;

/// Runs the command with this limit of descriptors. Ends one that keeps running after its first output.
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

/// Asserts that the command either works or reports the lack of descriptors, with advice, at every limit. Returns the
/// least limit that is enough.
#[track_caller]
fn ends_well(args: &[&str]) -> u32 {
    let limits: Vec<u32> = LIMITS.collect();
    // A device accepts at most four connections.
    let at_once = limits.chunks(3).flat_map(|limits| {
        thread::scope(|scope| {
            let started: Vec<_> = limits.iter().map(|limit| (*limit, scope.spawn(|| run(*limit, args)))).collect();
            started.into_iter().map(|(limit, run)| (limit, run.join().expect("no panic"))).collect::<Vec<_>>()
        })
    });
    let all: Vec<_> = at_once.collect();
    let mut least = *LIMITS.end() + 1;
    for (limit, done) in all.iter().rev() {
        // The shared libraries could not be loaded, so the program has not run.
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
fn scan_reports_a_shortage() {
    let ports = listed(free_ports());
    let common = ["scan", "--bind", "127.0.0.1", "--discovery-ports", &ports];
    ends_well(&[&common[..], &["--timeout", "0.5"]].concat());
    // An address that refuses.
    ends_well(&[&common[..], &["--network", "127.0.0.9/32", "--port", "9"]].concat());
}

#[test]
fn device_commands_report_a_shortage() {
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
fn listening_commands_report_a_shortage() {
    let simulate = ["simulate", "--version", "3.5", "--id", ID, "--port", "0"];
    let least = ends_well(&simulate);
    // It listens, and has none left for controllers.
    let text = run(least, &simulate).stderr;
    assert!(text.contains("no controller can connect") && text.contains("ulimit -n"), "{text}");
    let ports = listed(free_ports());
    let heard = ["get", ID, "--version", "3.4", "--discovery-ports", &ports, "--timeout", "0.5"];
    // With enough descriptors, no announcement comes.
    for limit in LIMITS {
        let done = run(limit, &heard);
        let text = ["out of file descriptors", "no announcement received", "shared libraries"];
        assert!(text.iter().any(|word| done.stderr.contains(word)), "with {limit}: {done:?}");
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("free the UDP"), "with {limit}: {done:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_search_without_sockets_left_reports_it() {
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
    let text = String::from_utf8(done.stderr).expect("UTF-8");
    assert_eq!(done.status.code(), Some(1), "{text}");
    for word in ["the search cannot continue", "out of file descriptors", "ulimit -n"] {
        assert!(text.contains(word), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn commands_report_that_no_thread_can_be_started() {
    let simulated = Simulated::start("3.4", &[]);
    // No memory has room for such a stack, so no thread can be started.
    let run = |args: &[&str]| {
        let mut command = rustuya(args);
        command.env("RUST_MIN_STACK", (1_u64 << 46).to_string());
        let done = finish(command);
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("runtime"), "{args:?}: {done:?}");
        done
    };
    let at = ["--port", simulated.port(), "--version", "3.4"];
    // Only a name needs a thread, for its lookup.
    run(&[&["get", ID, "--address", "127.0.0.1"][..], &at].concat()).succeeded();
    run(&[&["get", ID, "--address", "localhost"][..], &at].concat()).failed(1, &["or give an IP address"]);
    for command in
        [&["watch", ID, "--address", "127.0.0.1"][..], &["scan"], &["simulate", "--version", "3.4", "--id", ID]]
    {
        run(command).failed(1, &["no thread can be started"]);
    }
}
