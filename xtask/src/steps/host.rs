//! Steps that need nothing but the Rust toolchain and a C++ compiler.

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

const CORE: &str = "rustuya-proto";

pub(super) fn fmt(context: &Context) -> Result<String> {
    context.cargo().args(["fmt", "--all", "--check"]).run().context("run `cargo fmt --all`")?;
    Ok("formatted".to_owned())
}

pub(super) fn clippy(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context
        .cargo()
        .args(["clippy", "--locked", "--workspace", "--all-targets", "--all-features"])
        .args(["--", "-D", "warnings"])
        .run()?;
    Ok("no warnings".to_owned())
}

pub(super) fn docs(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context
        .cargo()
        .args(["doc", "--locked", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok("no warnings".to_owned())
}

pub(super) fn test(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context.cargo().args(["test", "--locked", "--workspace"]).run()?;
    let sets = feature_sets(context)?;
    for set in &sets.whole {
        core_tests(context, set).run()?;
    }
    for set in &sets.partial {
        core_tests(context, set).args(["--test", "left_out"]).run()?;
    }
    Ok(format!("workspace, and {} feature sets of {CORE}", sets.whole.len() + sets.partial.len()))
}

fn core_tests(context: &Context, features: &str) -> Shell {
    context
        .cargo()
        .args(["test", "--locked", "--package", CORE, "--no-default-features"])
        .arg(format!("--features={features}"))
}

/// Feature sets of the core, each with its features separated by commas.
pub(super) struct FeatureSets {
    /// All versions, with every combination of the other features.
    pub(super) whole: Vec<String>,
    /// One version alone, with none and with all of the other features.
    pub(super) partial: Vec<String>,
}

pub(super) fn feature_sets(context: &Context) -> Result<FeatureSets> {
    let core = context.metadata.member(CORE).context("rustuya-proto is not in the workspace")?;
    let names = || core.features.keys().map(String::as_str).filter(|name| *name != "default");
    let (versions, others): (Vec<&str>, Vec<&str>) = names().partition(|name| is_version(name));
    let combinations = combinations(&others)?;
    let all = versions.join(",");
    let ends = || [combinations.first(), combinations.last()].into_iter().flatten();
    Ok(FeatureSets {
        whole: combinations.iter().map(|set| joined(&all, set)).collect(),
        partial: versions.iter().flat_map(|version| ends().map(|set| joined(version, set))).collect(),
    })
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn joined(front: &str, set: &str) -> String {
    if set.is_empty() { front.to_owned() } else { format!("{front},{set}") }
}

/// Every combination of features, separated by commas; the empty one first.
fn combinations(features: &[&str]) -> Result<Vec<String>> {
    if features.len() > 4 {
        bail!("{} features: choose the combinations to test by hand", features.len());
    }
    Ok((0..1_usize << features.len())
        .map(|mask| {
            let set: Vec<&str> =
                features.iter().enumerate().filter_map(|(bit, name)| (mask >> bit & 1 == 1).then_some(*name)).collect();
            set.join(",")
        })
        .collect())
}

pub(super) fn demo(context: &Context) -> Result<String> {
    let mut lines = 0;
    let mut bad = None;
    context
        .cargo()
        .args(["run", "--locked", "--quiet", "--package", "rustuya-cli", "--", "demo", "--json"])
        .stdout_lines(|line| {
            println!("{line}");
            lines += 1;
            if serde_json::from_str::<serde_json::Value>(line).is_err() {
                bad.get_or_insert_with(|| line.to_owned());
            }
        })?;
    if let Some(line) = bad {
        bail!("demo --json printed a line that is not JSON: {line}");
    }
    if lines == 0 {
        bail!("demo --json printed nothing");
    }
    Ok(format!("{lines} lines of JSON"))
}

#[cfg(test)]
mod tests {
    use super::{combinations, is_version, joined};

    #[test]
    fn every_combination_is_tested() {
        assert_eq!(combinations(&[]).unwrap(), [""]);
        assert_eq!(combinations(&["a", "b"]).unwrap(), ["", "a", "b", "a,b"]);
        assert!(combinations(&["a", "b", "c", "d", "e"]).is_err());
    }

    #[test]
    fn versions_are_told_from_other_features() {
        assert!(is_version("v31"));
        assert!(!is_version("std") && !is_version("verbose"));
        assert_eq!(joined("v31,v33", ""), "v31,v33");
        assert_eq!(joined("v31", "std"), "v31,std");
    }
}
