//! The oldest supported Rust: stated once, repeated rightly or not at all, and true.

use anyhow::{Context as _, Result};
use cargo_metadata::Metadata;
use cargo_metadata::semver::Version;
use regex_lite::Regex;

use super::dependencies::is_published;
use super::{File, Problem};
use crate::context::Context;

/// The crate whose oldest compiler is that of the workspace.
const CORE: &str = "rustuya-proto";

/// Returns the oldest compiler of the core, and so of everything: [`members`].
pub(super) fn stated(context: &Context) -> Result<Version> {
    context.member(CORE)?.rust_version.clone().context("Cargo.toml has no workspace.package.rust-version")
}

/// The version as it is written: major and minor.
pub(super) fn written(msrv: &Version) -> String {
    format!("{}.{}", msrv.major, msrv.minor)
}

/// Places that state a version of their own.
pub(super) fn repeated(files: &[File], msrv: &str) -> Vec<Problem> {
    let prose = Regex::new(r"(?i)\b(?:rust|rustc|msrv)(?: version)?(?: is|:)? ?v?(1\.\d+)(?:\.\d+)?\b");
    let setting = Regex::new(r#"(?m)^\s*(?:rust-version|msrv)\s*=\s*"([^"]*)""#);
    let (Ok(prose), Ok(setting)) = (prose, setting) else {
        return vec!["the patterns of the MSRV check are broken".to_owned()];
    };
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.path != "Cargo.toml") {
        if file.has_extension("toml") {
            for found in setting.captures_iter(&file.text) {
                problems.push(format!("{}: states rust-version {}", file.path, &found[1]));
            }
        }
        if file.path.contains("rust-toolchain") {
            problems.push(format!("{}: states a toolchain", file.path));
        }
        let documents = ["md", "rs", "toml", "yml", "yaml"];
        if documents.iter().any(|extension| file.has_extension(extension)) {
            for found in prose.captures_iter(&file.text) {
                if &found[1] != msrv {
                    problems.push(format!("{}: `{}` is not {msrv}", file.path, &found[0]));
                }
            }
        }
    }
    problems
}

/// Members that do not take the workspace's value.
pub(super) fn members(metadata: &Metadata, msrv: &Version) -> Vec<Problem> {
    let members = metadata.workspace_packages().into_iter();
    members
        .filter(|package| package.rust_version.as_ref() != Some(msrv))
        .map(|package| format!("{}: needs rust-version.workspace = true", package.name))
        .collect()
}

/// Compiles the published crates with that very toolchain where rustup has it.
pub(super) fn compile(context: &Context, msrv: &str) -> Result<String> {
    let list = context.shell("rustup").args(["toolchain", "list"]).stdout().unwrap_or_default();
    let installed = list.lines().any(|line| is_toolchain(line, msrv));
    if !installed {
        return Ok(format!("Rust {msrv} is not installed, checked by metadata and lints"));
    }
    let mut cargo = context
        .shell("rustup")
        .args(["run", msrv, "cargo", "check", "--locked", "--all-features"])
        .without_env("RUSTUP_TOOLCHAIN")
        .without_env("CARGO")
        .env("CARGO_TARGET_DIR", context.target.join("msrv"));
    for package in context.metadata.workspace_packages().into_iter().filter(|package| is_published(package)) {
        cargo = cargo.arg("--package").arg(package.name.as_str());
    }
    cargo.run()?;
    Ok(format!("compiled with Rust {msrv}"))
}

fn is_toolchain(line: &str, msrv: &str) -> bool {
    line.strip_prefix(msrv).is_some_and(|rest| rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::{is_toolchain, repeated, written};
    use cargo_metadata::semver::Version;

    #[test]
    fn a_version_is_written_short() {
        assert_eq!(written(&Version::new(1, 77, 0)), "1.77");
    }

    #[test]
    fn wrong_repetitions_are_found() {
        // Assembled, so that this file does not repeat a wrong version itself.
        let old = format!("1.{}", 60);
        for (path, text) in [
            ("README.md", format!("Needs Rust {old} or newer.")),
            ("README.md", format!("The MSRV is {old}.")),
            (".github/ci.yml", format!("rust: {old}.0")),
            ("proto/Cargo.toml", "rust-version = \"1.77\"".to_owned()),
            ("clippy.toml", "msrv = \"1.77\"".to_owned()),
            ("rust-toolchain.toml", String::new()),
        ] {
            assert_eq!(repeated(&[file(path, &text)], "1.77").len(), 1, "{path}: {text}");
        }
    }

    #[test]
    fn right_repetitions_pass() {
        let version = format!("1.{}", 77);
        let files = [
            file("README.md", &format!("Rust {version} and Rust {version}.2 do; tinytuya 1.20.0 too.")),
            file("proto/Cargo.toml", "rust-version.workspace = true"),
        ];
        assert_eq!(repeated(&files, "1.77"), Vec::<String>::new());
    }

    #[test]
    fn toolchain_names() {
        assert!(is_toolchain("1.77-x86_64-unknown-linux-gnu", "1.77"));
        assert!(!is_toolchain("1.77.2-x86_64-unknown-linux-gnu", "1.77"));
        assert!(!is_toolchain("stable-x86_64-unknown-linux-gnu", "1.77"));
    }
}
