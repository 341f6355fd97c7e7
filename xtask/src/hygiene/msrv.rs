//! The oldest supported Rust: stated once, repeated rightly or not at all, and true.

use anyhow::{Context as _, Result};
use regex_lite::Regex;

use super::{File, Problem};
use crate::context::Context;
use crate::metadata::Metadata;

/// The value in the root manifest.
pub(super) fn stated(files: &[File]) -> Result<String> {
    let root = files.iter().find(|file| file.path == "Cargo.toml").context("no Cargo.toml")?;
    let manifest: toml::Table = root.text.parse().context("Cargo.toml")?;
    manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("package")?.get("rust-version")?.as_str())
        .map(str::to_owned)
        .context("Cargo.toml has no workspace.package.rust-version")
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
pub(super) fn members(metadata: &Metadata, msrv: &str) -> Vec<Problem> {
    metadata
        .members()
        .filter(|package| package.rust_version.as_deref() != Some(msrv))
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
    for package in context.metadata.members().filter(|package| package.is_published()) {
        cargo = cargo.arg("--package").arg(&package.name);
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
    use super::{is_toolchain, repeated, stated};

    #[test]
    fn reads_the_root_manifest() {
        let files = [file("Cargo.toml", "[workspace.package]\nrust-version = \"1.77\"\n")];
        assert_eq!(stated(&files).unwrap(), "1.77");
        assert!(stated(&[file("Cargo.toml", "[workspace]\n")]).is_err());
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
