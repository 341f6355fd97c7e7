//! Runs every scenario on every subject, and formats the results.

use core::fmt::{self, Write as _};
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustuya_proto::Version;

use crate::list;
use crate::runner;
use crate::scenario::{Need, Scenario};
use crate::subject::Subject;

/// Result of a scenario on a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Every expectation held.
    Passed,
    /// Some did not: one text for each version.
    Failed(Vec<String>),
    /// The subject lacks a feature that the scenario needs.
    Lacks(Need, &'static str),
}

/// Results of scenarios by subject.
#[derive(Clone, Debug)]
pub struct Table {
    subjects: Vec<&'static str>,
    rows: Vec<(Scenario, Vec<Cell>)>,
    took: Duration,
}

/// Largest number of failed runs that are repeated; more are not due to load.
const FEW: usize = 4;

impl Table {
    /// Runs the whole list on `subjects`, `at_once` at a time, and compares the results with `page`, a file in the
    /// folder `docs`. `RUSTUYA_ONLY=text` runs only the scenarios whose name contains the text, and compares nothing;
    /// `RUSTUYA_WRITE=1` rewrites the page.
    ///
    /// # Panics
    /// Panics when a scenario fails, or the page differs.
    pub fn check(subjects: &[&dyn Subject], at_once: usize, page: &str, introduction: &str) {
        let only = std::env::var("RUSTUYA_ONLY").ok();
        let table = Self::run(&list::scenarios(), only.as_deref(), subjects, at_once);
        println!("{table}");
        let failures = table.failures();
        assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
        if only.is_some() {
            return;
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        let found = table.page(introduction);
        if std::env::var_os("RUSTUYA_WRITE").is_some() {
            fs::write(&path, &found).expect("docs can be written");
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(written, found, "docs/{page} is not what was found: run this with RUSTUYA_WRITE=1");
    }

    /// Runs `scenarios`, or those whose name contains `filter`, on every subject, `at_once` at a time: scenarios mostly
    /// wait.
    fn run(scenarios: &[Scenario], filter: Option<&str>, subjects: &[&dyn Subject], at_once: usize) -> Self {
        let started = Instant::now();
        let chosen = scenarios.iter().filter(|scenario| filter.is_none_or(|filter| scenario.name.contains(filter)));
        let chosen: Vec<&Scenario> = chosen.collect();
        let mut rows = Vec::new();
        for scenario in &chosen {
            let lacks = |subject: &&dyn Subject| {
                let needs = scenario.needs();
                let lacking = needs.into_iter().find_map(|need| Some((need, subject.lacks(need)?)));
                lacking.map_or(Cell::Passed, |(need, why)| Cell::Lacks(need, why))
            };
            rows.push(((*scenario).clone(), subjects.iter().map(lacks).collect::<Vec<_>>()));
        }
        let mut jobs = Vec::new();
        for (row, (scenario, cells)) in rows.iter().enumerate() {
            for (column, _) in cells.iter().enumerate().filter(|(_, cell)| **cell == Cell::Passed) {
                jobs.extend(scenario.versions.iter().map(|version| (row, column, *version)));
            }
        }
        let play = |(row, column, version): (usize, usize, Version)| {
            let mut stage = subjects[column].stage();
            let play = || runner::play(chosen[row], version, &mut *stage);
            let result = catch_unwind(AssertUnwindSafe(play));
            result.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_text(&*panic))))
        };
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(why) = play(*job) {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).push((*job, why));
                        }
                    }
                });
            }
        });
        let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        failed.sort();
        // Parallel runs may overload a small machine. Repeats failed runs alone.
        if failed.len() <= FEW {
            failed.retain_mut(|(job, why)| {
                let name = format!("{} {}: {}", subjects[job.1].name(), job.2, chosen[job.0].name);
                println!("to be run again alone: {name}: {why}");
                play(*job).map_err(|again| *why = again).is_err()
            });
        }
        for ((row, column, version), why) in failed {
            let why = format!("{version}: {why}");
            match &mut rows[row].1[column] {
                Cell::Failed(reasons) => reasons.push(why),
                cell => *cell = Cell::Failed(vec![why]),
            }
        }
        Self { subjects: subjects.iter().map(|subject| subject.name()).collect(), rows, took: started.elapsed() }
    }

    /// Lists every failed cell with its reasons.
    #[must_use]
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (scenario, cells) in &self.rows {
            for (subject, cell) in self.subjects.iter().zip(cells) {
                if let Cell::Failed(reasons) = cell {
                    failures.extend(reasons.iter().map(|why| format!("{subject}: {}: {why}", scenario.name)));
                }
            }
        }
        failures
    }

    /// Returns the duration.
    #[must_use]
    pub const fn took(&self) -> Duration {
        self.took
    }

    /// Formats the page for the documentation, beginning with `introduction`.
    #[must_use]
    fn page(&self, introduction: &str) -> String {
        let mut page = String::from(introduction);
        let names = self.subjects.join(" | ");
        let _ = writeln!(page, "| | scenario | versions | {names} |");
        let _ = writeln!(page, "|---|---|---|{}", "---|".repeat(self.subjects.len()));
        let mut reasons: Vec<(Need, &'static str, &'static str)> = Vec::new();
        for (number, (scenario, cells)) in self.rows.iter().enumerate() {
            let mut marks = Vec::new();
            for (subject, cell) in self.subjects.iter().zip(cells) {
                marks.push(match cell {
                    Cell::Passed => "yes".to_owned(),
                    Cell::Failed(_) => "**no**".to_owned(),
                    Cell::Lacks(need, why) => {
                        let reason = (*need, *subject, *why);
                        let known = reasons.iter().position(|known| *known == reason);
                        let at = known.unwrap_or_else(|| {
                            reasons.push(reason);
                            reasons.len() - 1
                        });
                        format!("- ({})", at + 1)
                    }
                });
            }
            let versions: Vec<&str> = scenario.versions.iter().map(|version| version.as_str()).collect();
            let (name, versions, marks) = (scenario.name, versions.join(" "), marks.join(" | "));
            let _ = writeln!(page, "| {} | {name} | {versions} | {marks} |", number + 1);
        }
        if !reasons.is_empty() {
            page.push_str("\nWhat a dash stands for:\n\n");
        }
        for (number, (need, subject, why)) in reasons.iter().enumerate() {
            let _ = writeln!(page, "{}. {subject}, {need}: {why}", number + 1);
        }
        page
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.rows.iter().map(|(scenario, _)| scenario.name.chars().count()).max().unwrap_or(0);
        write!(f, "{:widest$}", "")?;
        self.subjects.iter().try_for_each(|subject| write!(f, "  {subject}"))?;
        writeln!(f)?;
        for (scenario, cells) in &self.rows {
            write!(f, "{:widest$}", scenario.name)?;
            for (subject, cell) in self.subjects.iter().zip(cells) {
                let mark = match cell {
                    Cell::Passed => "yes",
                    Cell::Failed(_) => "NO",
                    Cell::Lacks(..) => "-",
                };
                write!(f, "  {mark:^width$}", width = subject.len())?;
            }
            writeln!(f)?;
        }
        let runs: usize = self.rows.iter().map(|(scenario, _)| scenario.versions.len()).sum();
        writeln!(f, "{} scenarios, {runs} runs each, {:.1} s", self.rows.len(), self.took.as_secs_f32())
    }
}

/// Returns the text of a panic.
fn panic_text(panic: &(dyn core::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without words")
}
