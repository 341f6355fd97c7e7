//! Table of the figures of all runs.

use core::fmt::Write as _;

use crate::figures::{Figures, Run, median};

/// Row: its name, its figure, and the format.
struct Row {
    name: &'static str,
    figure: fn(&Figures) -> Option<f64>,
    decimals: usize,
}

const ROWS: &[Row] = &[
    Row { name: "all connected, ms", figure: |f| Some(f.connect_ms), decimals: 0 },
    Row { name: "CPU to connect all, ms", figure: |f| Some(f.connect_cpu_ms), decimals: 0 },
    Row { name: "resident per device, KiB", figure: |f| Some(f.idle_kib), decimals: 1 },
    Row { name: "resident after the load, KiB", figure: |f| Some(f.loaded_kib), decimals: 1 },
    Row { name: "threads", figure: |f| Some(f.threads as f64), decimals: 0 },
    Row { name: "idle, % of a core", figure: |f| Some(f.idle?.cpu_percent), decimals: 3 },
    Row { name: "CPU per heartbeat, us", figure: |f| f.idle?.us_per_heartbeat, decimals: 1 },
    Row { name: "set to push, a task: p50, us", figure: |f| Some(f.from_task?.p50), decimals: 1 },
    Row { name: "set to push, a task: p99, us", figure: |f| Some(f.from_task?.p99), decimals: 1 },
    Row { name: "set to push, a task: raw p50, us", figure: |f| Some(f.from_task?.raw_p50), decimals: 1 },
    Row { name: "set to push, a task: p50 to raw p50", figure: |f| Some(f.from_task?.ratio), decimals: 2 },
    Row { name: "set to push, a thread: p50, us", figure: |f| Some(f.from_thread?.p50), decimals: 1 },
    Row { name: "set to push, a thread: p99, us", figure: |f| Some(f.from_thread?.p99), decimals: 1 },
    Row { name: "set to push, a thread: raw p50, us", figure: |f| Some(f.from_thread?.raw_p50), decimals: 1 },
    Row { name: "set to push, a thread: p50 to raw p50", figure: |f| Some(f.from_thread?.ratio), decimals: 2 },
    Row { name: "set to push, one thread: p50, us", figure: |f| Some(f.one_thread?.p50), decimals: 1 },
    Row { name: "set to push, one thread: p99, us", figure: |f| Some(f.one_thread?.p99), decimals: 1 },
    Row { name: "set to push, one thread: raw p50, us", figure: |f| Some(f.one_thread?.raw_p50), decimals: 1 },
    Row { name: "set to push, one thread: p50 to raw p50", figure: |f| Some(f.one_thread?.ratio), decimals: 2 },
    Row { name: "commands to push, per s", figure: |f| Some(f.commands.per_second), decimals: 0 },
    Row { name: "CPU per command, us", figure: |f| Some(f.commands.cpu_us), decimals: 1 },
    Row { name: "server CPU per command, us", figure: |f| Some(f.commands.server_cpu_us), decimals: 1 },
    Row { name: "acknowledged commands, per s", figure: |f| Some(f.acknowledged?.per_second), decimals: 0 },
    Row { name: "CPU per acknowledged command, us", figure: |f| Some(f.acknowledged?.cpu_us), decimals: 1 },
    Row { name: "events to one listener, per s", figure: |f| Some(f.events.per_second), decimals: 0 },
    Row { name: "CPU per event, us", figure: |f| Some(f.events.cpu_us), decimals: 2 },
    Row { name: "events missing, rounds of 64", figure: |f| Some(f.events_missing as f64), decimals: 0 },
    Row { name: "burst of 500 per device, lost, %", figure: |f| Some(lost(f)), decimals: 1 },
    Row { name: "half back after a cut, s", figure: |f| Some(f.back?.half), decimals: 2 },
    Row { name: "all back after a cut, s", figure: |f| Some(f.back?.all), decimals: 2 },
];

fn quotient(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

fn lost(figures: &Figures) -> f64 {
    let burst = &figures.burst;
    (burst.sent - burst.received) as f64 * 100.0 / burst.sent.max(1) as f64
}

/// Formats one table: a line for each figure and version, medians over the rounds, and a column for each size of the
/// fleet and library. A figure is followed by its ratio to that of the last library, in brackets.
pub(crate) fn markdown(runs: &[Run]) -> String {
    let (sizes, versions) = (distinct(runs, |run| run.devices), distinct(runs, |run| run.version.clone()));
    let clients = distinct(runs, |run| run.client.clone());
    let mut text = String::from("| figure | version |");
    let mut rule = String::from("|---|---|");
    for size in &sizes {
        for client in &clients {
            let _ = write!(text, " N={size} {client} |");
            rule.push_str("--:|");
        }
    }
    let _ = write!(text, "\n{rule}\n");
    for row in ROWS {
        for version in &versions {
            let _ = write!(text, "| {} | {version} |", row.name);
            for size in &sizes {
                let of = |client: &String| {
                    let mine = runs
                        .iter()
                        .filter(|run| run.devices == *size && run.version == *version && run.client == *client);
                    median(mine.filter_map(|run| (row.figure)(&run.figures)).collect())
                };
                let values: Vec<Option<f64>> = clients.iter().map(of).collect();
                let Some((last, others)) = values.split_last() else { continue };
                for value in others {
                    let _ = write!(text, " {}", number(*value, row.decimals));
                    if let Some(ratio) = value.zip(*last).and_then(|(value, last)| quotient(value, last)) {
                        let _ = write!(text, " ({ratio:.2})");
                    }
                    text.push_str(" |");
                }
                let _ = write!(text, " {} |", number(*last, row.decimals));
            }
            text.push('\n');
        }
    }
    text
}

fn distinct<T: PartialEq>(runs: &[Run], of: impl Fn(&Run) -> T) -> Vec<T> {
    let mut all = Vec::new();
    for value in runs.iter().map(of) {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use crate::figures::{Burst, Figures, Run};

    fn run(client: &str, connect_ms: f64, received: u64) -> Run {
        let burst = Burst { sent: 100, received, told: 0, seconds: 1.0 };
        let figures = Figures { connect_ms, burst, ..Figures::default() };
        Run { client: client.to_owned(), version: "3.5".to_owned(), devices: 10, round: 0, figures }
    }

    #[test]
    fn medians_stand_side_by_side() {
        let runs = [run("a", 10.0, 100), run("b", 30.0, 75), run("b", 50.0, 75), run("a", 20.0, 100)];
        let table = markdown(&runs);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "| figure | version | N=10 a | N=10 b |");
        assert_eq!(lines[2], "| all connected, ms | 3.5 | 15 (0.38) | 40 |");
        assert!(lines.contains(&"| burst of 500 per device, lost, % | 3.5 | 0.0 (0.00) | 25.0 |"));
        assert!(lines.contains(&"| half back after a cut, s | 3.5 | - | - |"));
    }
}
