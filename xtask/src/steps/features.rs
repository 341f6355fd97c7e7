//! The feature sets of the protocol core, put together by cargo-hack.

use anyhow::{Context as _, Result, ensure};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

pub(super) const CORE: &str = "rustuya-proto";

/// Sets of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sets {
    /// All versions, with each combination of the other features.
    Whole,
    /// One version alone, with none and with all of the other features.
    Partial,
}

impl Sets {
    pub(super) const ALL: [Self; 2] = [Self::Whole, Self::Partial];
}

/// Runs cargo with these arguments for each set. `prepare` is given the call of cargo-hack; the features of `without` are
/// in no set. Returns the number of sets.
pub(super) fn each(
    context: &Context,
    sets: Sets,
    without: &[&str],
    args: &[&str],
    prepare: impl Fn(Shell) -> Shell,
) -> Result<usize> {
    let core = context.member(CORE)?;
    let names: Vec<&str> = core.features.keys().map(String::as_str).collect();
    let options = options(sets, &names, without);
    let hack = |more: &[&str]| -> Result<Shell> {
        let shell = context.shell(tools::cargo_tool(context, "cargo-hack")?).env("CARGO", &context.cargo);
        let shell = shell.args(["hack", "--package", CORE]).args(options.iter().cloned());
        Ok(shell.args(more.iter().copied()).args(args.iter().copied()))
    };
    let list = hack(&["--print-command-list"])?.stdout()?;
    let count = list.lines().filter(|line| line.contains("--features")).count();
    ensure!(count > 1, "cargo-hack finds no feature sets of {CORE}:\n{list}");
    prepare(hack(&[])?).run().with_context(|| format!("a feature set of {CORE}; its line is above"))?;
    Ok(count)
}

/// The options of cargo-hack.
fn options(sets: Sets, names: &[&str], without: &[&str]) -> Vec<String> {
    let (versions, others): (Vec<&str>, Vec<&str>) =
        names.iter().filter(|name| **name != "default" && !without.contains(name)).partition(|name| is_version(name));
    let versions = versions.join(",");
    let excluded = [&["default"], without].concat().join(",");
    let mut options = vec![
        "--feature-powerset".to_owned(),
        format!("--exclude-features={excluded}"),
        format!("--at-least-one-of={versions}"),
    ];
    match sets {
        Sets::Whole => options.push(format!("--group-features={versions}")),
        Sets::Partial => {
            options.push(format!("--mutually-exclusive-features={versions}"));
            if others.len() > 1 {
                options.push(format!("--group-features={}", others.join(",")));
            }
        }
    }
    options
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{Sets, is_version, options};

    const NAMES: [&str; 6] = ["default", "emulator", "quirks", "std", "v31", "v33"];

    #[test]
    fn versions_go_together_or_alone() {
        let common = ["--feature-powerset", "--exclude-features=default", "--at-least-one-of=v31,v33"];
        let whole = options(Sets::Whole, &NAMES, &[]);
        assert_eq!(whole, [&common[..], &["--group-features=v31,v33"]].concat());
        let partial = options(Sets::Partial, &NAMES, &[]);
        let alone = ["--mutually-exclusive-features=v31,v33", "--group-features=emulator,quirks,std"];
        assert_eq!(partial, [&common[..], &alone].concat());
    }

    #[test]
    fn features_can_be_left_out() {
        let partial = options(Sets::Partial, &NAMES, &["std"]);
        assert!(partial.contains(&"--exclude-features=default,std".to_owned()), "{partial:?}");
        assert!(partial.contains(&"--group-features=emulator,quirks".to_owned()), "{partial:?}");
    }

    #[test]
    fn versions_are_told_from_other_features() {
        assert!(is_version("v31"));
        assert!(!is_version("std") && !is_version("verbose"));
    }
}
