//! ThreadSanitizer over the runtimes.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use crate::context::Context;
use crate::shell::Shell;

const PACKAGES: [&str; 6] = [
    "rustuya-runtime",
    "rustuya-runtime-blocking",
    "rustuya-runtime-tokio",
    "rustuya-runtime-futures",
    "rustuya-record",
    "rustuya-virtual-device",
];

/// Reports that are no faults. The library's own code is in no suppression.
const SUPPRESSIONS: &str = "\
# A socket is registered at a duplicate of the selector that is waited at. ThreadSanitizer takes them for two selectors,
# and so does not see that what the kernel hands out was written before.
race:tokio::runtime::io::driver::Driver
";

/// Tests that need speed, which is what instrumented code has not: ten times as slow, a flood is not kept up with.
const TOO_SLOW: [&str; 1] = ["a_flood_on_one_port_hides_no_device_on_another_nor_in_a_scan"];

/// Commands in the random lives of devices, of which the real runtimes have a tenth.
const LIVES: &str = "200000";

/// A program with a race.
const RACE: &str = "\
static mut SHARED: u64 = 0;
fn main() {
    let add = || for _ in 0..100_000 { unsafe { SHARED += 1 } };
    std::thread::scope(|scope| { scope.spawn(add); scope.spawn(add); });
}
";

/// Report of the compiler when a race was found.
const FOUND: &str = "WARNING: ThreadSanitizer: data race";

/// Runs the tests of the runtimes, and random lives of devices on them, with the standard library and all dependencies instrumented.
///
/// The stable compiler is told to take unstable flags; nothing of that is in what is released.
pub(crate) fn run(context: &Context) -> Result<()> {
    let rustc = || context.shell("rustc").env("RUSTC_BOOTSTRAP", "1");
    let about = rustc().arg("-vV").stdout()?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    if let Some(missing) = missing(&rustc, host)? {
        println!("\nNOT RUN: no races were looked for, because {missing}");
        return Ok(());
    }
    let folder = context.target.join("tsan");
    fs::create_dir_all(&folder)?;
    sees_a_race(&rustc, &folder.join("race"), host)?;
    let suppressions = folder.join("suppressions.txt");
    fs::write(&suppressions, SUPPRESSIONS)?;
    let test = || {
        let cargo =
            context.cargo().args(["test", "--locked", "-Zbuild-std", "--target", host, "--target-dir"]).arg(&folder);
        cargo
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Zsanitizer=thread")
            .env("CARGO_PROFILE_TEST_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("TSAN_OPTIONS", format!("suppressions={} exitcode=66", suppressions.display()))
    };
    let of_packages =
        PACKAGES.iter().fold(test().args(["--lib", "--tests"]), |cargo, name| cargo.args(["--package", name]));
    let of_packages = TOO_SLOW.iter().fold(of_packages.arg("--"), |cargo, test| cargo.args(["--skip", test]));
    let lives = test().args(["--package", "rustuya-tests", "--test", "chaos", "--", "--nocapture", "--test-threads=1"]);
    let lives = lives.args(["tokio", "blocking", "smol"]).env("RUSTUYA_CHAOS_COMMANDS", LIVES);
    for cargo in [of_packages, lives] {
        cargo.run().context("a test failed, or there is a race: the reports above show both threads")?;
    }
    Ok(())
}

/// Returns a description of the first missing part.
fn missing(rustc: &impl Fn() -> Shell, host: &str) -> Result<Option<String>> {
    let sysroot = PathBuf::from(rustc().args(["--print", "sysroot"]).stdout()?.trim()).join("lib/rustlib");
    if !sysroot.join("src/rust/library/std").is_dir() {
        return Ok(Some("the source of the standard library is missing: `rustup component add rust-src`".to_owned()));
    }
    let libraries = fs::read_dir(sysroot.join(host).join("lib"))?.collect::<Result<Vec<_>, _>>()?;
    let has_one = libraries.iter().any(|entry| entry.file_name().to_string_lossy().ends_with("_rt.tsan.a"));
    Ok((!has_one).then(|| format!("the compiler comes without the runtime of ThreadSanitizer for {host}")))
}

/// A check that finds nothing must be able to.
fn sees_a_race(rustc: &impl Fn() -> Shell, folder: &PathBuf, host: &str) -> Result<()> {
    fs::create_dir_all(folder)?;
    let (source, program) = (folder.join("main.rs"), folder.join("race"));
    fs::write(&source, RACE)?;
    rustc()
        .args([
            "--edition",
            "2021",
            "-Zsanitizer=thread",
            "-Cunsafe-allow-abi-mismatch=sanitizer",
            "--target",
            host,
            "-o",
        ])
        .arg(&program)
        .arg(&source)
        .run()?;
    let done = Shell::new(&program, folder).finish()?;
    ensure!(!done.success && done.stderr.contains(FOUND), "a deliberate race was not reported:\n{}", done.stderr);
    Ok(())
}
