//! Commands with a clock that is set to another time.

use std::process::{Command, Stdio};

use crate::common::{ID, KEY, Simulated, TempFile, finish, rustuya};
use serde_json::Value;

/// Source of a library that replaces the system's clock.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *told) {
    int result = syscall(SYS_clock_gettime, clock, told);
    if (clock == CLOCK_REALTIME) told->tv_sec = atoll(getenv("RUSTUYA_TEST_CLOCK"));
    return result;
}
"#;

/// Builds the library with the compiler that also links Rust programs.
fn library() -> TempFile {
    let (source, library) = (TempFile::new("clock.c", CLOCK.as_bytes()), TempFile::new("clock.so", b""));
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o", library.path(), source.path()]).stdin(Stdio::null());
    finish(cc).succeeded();
    library
}

#[test]
fn every_clock_will_do() {
    let library = library();
    let clocks = [
        (i64::MIN, "1970-01-01T00:00:00.000Z", 0),
        (-86_400, "1970-01-01T00:00:00.000Z", 0),
        (1 << 31, "2038-01-19T03:14:08", 1 << 31),
        (1 << 32, "2106-02-07T06:28:16", 1 << 32),
        (253_402_300_800, "9999-12-31T23:59:59.999Z", 253_402_300_800),
        (i64::MAX, "9999-12-31T23:59:59.999Z", i64::MAX),
    ];
    for version in ["3.1", "3.3", "3.4", "3.5"] {
        for (clock, shown, sent) in clocks {
            let record = TempFile::new(&format!("clock-{version}-{clock}.record"), b"");
            let under = |mut command: Command| {
                command.env("LD_PRELOAD", library.path()).env("RUSTUYA_TEST_CLOCK", clock.to_string());
                command
            };
            let simulate = ["simulate", "--version", version, "--id", ID, "--port", "0", "--dps", r#"{"1":false}"#];
            let simulated = Simulated::run_by(under(rustuya(&simulate)));
            let run = |name: &str, args: &[&str]| {
                let all = [&["--version", version][..], args].concat();
                let done = finish(under(simulated.command(name, &all)));
                done.succeeded();
                done.stdout
            };
            run("set", &["1=true"]);
            // Each write contains the time, as a number or as text.
            let told = simulated.process.line_where(|line| line["payload"].to_string().contains(r#""t":"#));
            let time = ["/payload/t", "/payload/data/t"].into_iter().find_map(|at| told.pointer(at));
            let time = time.unwrap_or_else(|| panic!("a time: {told}"));
            assert_eq!(time.as_str().map_or_else(|| time.to_string(), str::to_owned), sent.to_string(), "{told}");
            assert_eq!(run("get", &["--json"]).trim(), r#"{"1":true}"#);

            let told = run("watch", &["--json", "--count", "2", "--record", record.path()]);
            for line in told.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
                assert!(line["time"].as_str().is_some_and(|time| time.starts_with(shown)), "{clock}: {line}");
            }
            let replay = finish(under(rustuya(&["replay", record.path(), "--json"])));
            replay.succeeded();
            assert!(replay.stdout.contains(r#""step":"resolved""#), "{replay:?}");
            assert!(!replay.stdout.contains(KEY), "{replay:?}");
        }
    }
}
