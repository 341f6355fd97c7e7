//! The steps of `cargo xtask test`, their order and their report.

use core::time::Duration;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::context::Context;
use crate::hygiene;

mod bare_metal;
mod deny;
mod features;
pub(crate) mod firmware;
mod fuzz;
mod host;
mod models;
mod outside;
pub(crate) mod python;
mod sysroot;

/// One thing that is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Formatting
    Fmt,
    /// Rules of the repository that no other tool checks
    Hygiene,
    /// Licences, duplicates, sources and advisories of dependencies
    Deny,
    /// Lints, warnings are errors
    Clippy,
    /// Documentation, warnings are errors
    Docs,
    /// Every published crate can be packed, in the order in which they depend on each other
    Package,
    /// Tests of the workspace and of every feature set of the protocol core
    Test,
    /// Models of threads, in every order in which these can meet
    Models,
    /// Golden vectors against the package they come from
    Vectors,
    /// The protocol core on a target that has only `core`
    BareMetal,
    /// Firmware images on emulated microcontrollers, talking to real peers
    Firmware,
    /// Every fuzz target for a short while
    Fuzz,
    /// Tests against other implementations
    Interop,
    /// The Python package: wheel, tests, types
    Python,
    /// The demonstration, to its end
    Demo,
}

/// Selection on the command line.
pub(crate) struct Selection {
    pub(crate) skip_bare_metal: bool,
    pub(crate) skip_firmware: bool,
    pub(crate) skip_fuzz: bool,
    pub(crate) skip_interop: bool,
    pub(crate) skip_python: bool,
    pub(crate) only: Vec<Step>,
    pub(crate) ci: bool,
}

impl Selection {
    fn steps(&self) -> Result<Vec<Step>> {
        let skipped: Vec<Step> = [
            (self.skip_bare_metal, Step::BareMetal),
            (self.skip_firmware, Step::Firmware),
            (self.skip_fuzz, Step::Fuzz),
            (self.skip_interop, Step::Interop),
            (self.skip_python, Step::Python),
        ]
        .into_iter()
        .filter_map(|(skip, step)| skip.then_some(step))
        .collect();
        if self.ci && !skipped.is_empty() {
            bail!("the environment variable CI is set: nothing may be skipped there");
        }
        let steps: Vec<Step> = Step::value_variants()
            .iter()
            .copied()
            .filter(|step| self.only.is_empty() || self.only.contains(step))
            .filter(|step| !skipped.contains(step))
            .collect();
        if steps.is_empty() {
            bail!("the options select no step");
        }
        Ok(steps)
    }
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Runs the step; the text is one line for the final table.
    fn run(self, context: &Context) -> Result<String> {
        match self {
            Self::Fmt => host::fmt(context),
            Self::Hygiene => hygiene::run(context),
            Self::Deny => deny::run(context),
            Self::Clippy => host::clippy(context),
            Self::Docs => host::docs(context),
            Self::Package => host::package(context),
            Self::Test => host::test(context),
            Self::Models => models::run(context),
            Self::Vectors => outside::vectors(context),
            Self::BareMetal => bare_metal::run(context),
            Self::Firmware => firmware::run(context),
            Self::Fuzz => fuzz::run(context),
            Self::Interop => outside::interop(context),
            Self::Python => python::run(context),
            Self::Demo => host::demo(context),
        }
    }
}

/// Runs the selected steps in order and prints a table of what ran.
pub(crate) fn run(context: &Context, selection: &Selection) -> Result<()> {
    let steps = selection.steps()?;
    let start = Instant::now();
    let mut table: Vec<(String, Duration, String)> = Vec::new();
    let mut failure = None;
    for step in steps {
        let name = step.name();
        println!("\n==> {name} (at {})", seconds(start.elapsed()));
        let begin = Instant::now();
        let result = step.run(context);
        let time = begin.elapsed();
        match result {
            Ok(detail) => table.push((name, time, detail)),
            Err(error) => {
                table.push((name.clone(), time, "FAILED".to_owned()));
                failure = Some((name, error));
                break;
            }
        }
    }
    println!("\n{:<12} {:>9}  result", "step", "time");
    for (name, time, detail) in &table {
        println!("{name:<12} {:>9}  {detail}", seconds(*time));
    }
    println!("{:<12} {:>9}", "all", seconds(start.elapsed()));
    match failure {
        None => Ok(()),
        Some((name, error)) => Err(error).with_context(|| format!("step `{name}` failed")),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{Selection, Step};
    use clap::ValueEnum;

    fn all() -> Selection {
        Selection {
            skip_bare_metal: false,
            skip_firmware: false,
            skip_fuzz: false,
            skip_interop: false,
            skip_python: false,
            only: Vec::new(),
            ci: false,
        }
    }

    #[test]
    fn everything_runs_by_default() {
        assert_eq!(all().steps().unwrap(), Step::value_variants());
        let ci = Selection { ci: true, ..all() };
        assert_eq!(ci.steps().unwrap(), Step::value_variants());
    }

    #[test]
    fn skipping_is_refused_in_ci() {
        let skip = Selection { skip_fuzz: true, ..all() };
        assert!(!skip.steps().unwrap().contains(&Step::Fuzz));
        for selection in [
            Selection { skip_fuzz: true, ci: true, ..all() },
            Selection { skip_bare_metal: true, ci: true, ..all() },
            Selection { skip_firmware: true, ci: true, ..all() },
            Selection { skip_interop: true, ci: true, ..all() },
            Selection { skip_python: true, ci: true, ..all() },
        ] {
            assert!(selection.steps().is_err());
        }
    }

    #[test]
    fn a_selection_of_nothing_is_an_error() {
        let nothing = Selection { skip_fuzz: true, only: vec![Step::Fuzz], ..all() };
        assert!(nothing.steps().is_err());
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        assert_eq!(Step::BareMetal.name(), "bare-metal");
    }
}
