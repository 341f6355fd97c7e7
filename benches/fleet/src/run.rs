//! Runs of all libraries in turns, each with a fresh server process and a fresh client process.

use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::client::Extent;
use crate::figures::{Figures, Run};
use crate::{ClientArgs, Library, report, usage};

/// Plan of the runs.
pub(crate) struct Plan {
    pub(crate) sizes: Vec<usize>,
    pub(crate) versions: Vec<rustuya_proto::Version>,
    pub(crate) libraries: Vec<Library>,
    pub(crate) rounds: usize,
    pub(crate) extent: Extent,
    /// True if implausible figures are an error.
    pub(crate) strict: bool,
    pub(crate) output: Output,
}

/// Format of the printed figures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Markdown,
    Json,
}

/// Runs the plan and prints its figures.
pub(crate) fn run(plan: &Plan) -> Result<()> {
    let machine = usage::machine();
    eprintln!("{machine}");
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for &devices in &plan.sizes {
        for &version in &plan.versions {
            for round in 0..plan.rounds {
                let mut libraries = plan.libraries.clone();
                if round % 2 == 1 {
                    libraries.reverse();
                }
                for library in libraries {
                    // Watches the idle fleet only in the first round: it takes longest and varies least.
                    let idle = if round == 0 { plan.extent.idle } else { Duration::ZERO };
                    let extent = Extent { devices, version, idle, ..plan.extent };
                    let name = format!("{} {version} N={devices} round {}", library.name(), round + 1);
                    let begin = Instant::now();
                    let result = one(library, &extent).and_then(|figures| {
                        if plan.strict {
                            plausible(&figures)?;
                        }
                        Ok(figures)
                    });
                    match result {
                        Ok(figures) => {
                            eprintln!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
                            let client = library.name().to_owned();
                            runs.push(Run { client, version: version.to_string(), devices, round, figures });
                        }
                        Err(error) if plan.strict => return Err(error.context(name)),
                        Err(error) => {
                            eprintln!("{name}: {error:#}");
                            failures.push(format!("{name}: {error:#}"));
                        }
                    }
                }
            }
        }
    }
    runs.sort_by_key(|run| plan.libraries.iter().position(|library| library.name() == run.client));
    let record = Record { machine, runs, failures };
    match plan.output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&record)?),
        Output::Markdown => record.print(),
    }
    Ok(())
}

/// Results of all runs of one call.
#[derive(Serialize, Deserialize)]
struct Record {
    machine: String,
    runs: Vec<Run>,
    /// Failed runs with their errors.
    failures: Vec<String>,
}

impl Record {
    fn print(&self) {
        println!("{}\n\n{}", self.machine, report::markdown(&self.runs));
        for failure in &self.failures {
            println!("* failed: {failure}");
        }
    }
}

/// Prints one table of the records in `files`.
pub(crate) fn table(files: &[PathBuf]) -> Result<()> {
    let mut all = Record { machine: String::new(), runs: Vec::new(), failures: Vec::new() };
    for file in files {
        let text = std::fs::read(file).with_context(|| file.display().to_string())?;
        let record: Record = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
        all.machine = record.machine;
        all.runs.extend(record.runs);
        all.failures.extend(record.failures);
    }
    all.print();
    Ok(())
}

/// Checks properties that hold on any machine, however slow.
fn plausible(figures: &Figures) -> Result<()> {
    ensure!(figures.events_missing == 0, "{} events are missing", figures.events_missing);
    let burst = &figures.burst;
    ensure!(burst.received == burst.sent, "{} of {} pushes of the burst arrived", burst.received, burst.sent);
    ensure!(figures.commands.per_second > 0.0, "no command was carried out");
    let latency = figures.from_thread.context("no exchange was timed")?.p50;
    ensure!(latency > 0.0 && latency < 1e6, "a push takes {latency} us");
    ensure!(figures.acknowledged.is_none_or(|rate| rate.per_second > 0.0), "no command was acknowledged");
    ensure!(figures.back.is_some(), "the fleet did not come back after a cut");
    Ok(())
}

/// Child process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn one(library: Library, extent: &Extent) -> Result<Figures> {
    let program = std::env::current_exe()?;
    let mut server = Command::new(&program)
        .args(["server", "--devices", &extent.devices.to_string(), "--version", extent.version.as_str()])
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .map(Process)?;
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().context("the server has no output")?).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["ready", port, orders] = words[..] else {
        bail!("the device server did not start");
    };
    let args = ClientArgs::arguments(library, port, orders, extent);
    let client =
        Command::new(&program).arg("client").args(args).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(client.status.success(), "the client failed ({})", client.status);
    serde_json::from_slice(&client.stdout).context("the client printed no figures")
}
