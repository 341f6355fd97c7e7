//! Resources of this process, as the operating system reports them.

use core::time::Duration;
use std::fs;

use anyhow::{Context as _, Result, bail};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::time::TimeValLike as _;

/// Raises the limit of open files for `files` connections and some more.
pub(crate) fn raise_file_limit(files: usize) -> Result<()> {
    let need = u64::try_from(files)?.saturating_add(64);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("reading the limit of open files")?;
    if hard < need {
        bail!(
            "{need} open files are needed, {hard} are allowed: raise the hard limit (`ulimit -Hn`) or use less devices"
        );
    }
    if soft < need {
        setrlimit(Resource::RLIMIT_NOFILE, need, hard).context("raising the limit of open files")?;
    }
    Ok(())
}

/// Returns the user and system time of this process so far.
pub(crate) fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("reading the CPU time")?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros)?))
}

/// Returns the resident memory of this process, in bytes.
pub(crate) fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").context("reading resident memory")?;
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("Rss:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .context("smaps_rollup has no Rss")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

/// Returns the number of threads of this process.
pub(crate) fn threads() -> Result<usize> {
    Ok(fs::read_dir("/proc/self/task").context("listing threads")?.count())
}

/// Describes the processor, the kernel, the compiler, and the load of the machine, in one line.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let rustc = std::process::Command::new("rustc").arg("-V").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let rustc = rustc.split_whitespace().nth(1).unwrap_or("of unknown version");
    format!(
        "{cores} cores of {}, Linux {}, compiler {rustc}, load before the run {}",
        model.unwrap_or("an unknown processor"),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("unknown"),
    )
}
