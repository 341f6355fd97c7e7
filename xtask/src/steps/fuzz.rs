//! Every fuzz target for a short while, from the committed seeds.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

const EXECUTIONS: &str = "stat::number_of_executed_units:";

pub(super) fn run(context: &Context) -> Result<String> {
    let folder = context.root.join("fuzz");
    let targets = targets(&folder.join("fuzz_targets"))?;
    tools::need_compiler(context)?;
    install(context)?;
    let nightly = has_nightly(context);
    println!(
        "{} targets, {} s each, {}",
        targets.len(),
        context.fuzz_seconds,
        if nightly { "nightly with address sanitizer" } else { "stable, no sanitizer" }
    );
    let work = context.target.join("fuzz-run");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    cargo_fuzz(context, nightly)?.arg("build").args(options(context, nightly)).run()?;
    let mut total = 0_u64;
    for target in &targets {
        let corpus = copy_seeds(&folder.join("corpus").join(target), &work.join(target))?;
        let mut executions = None;
        cargo_fuzz(context, nightly)?
            .arg("run")
            .args(options(context, nightly))
            .arg(target)
            .arg(&corpus)
            .arg("--")
            .arg(format!("-max_total_time={}", context.fuzz_seconds))
            .args(["-print_final_stats=1", "-timeout=10", "-verbosity=1"])
            .stderr_lines(|line| {
                if let Some(count) = line.strip_prefix(EXECUTIONS) {
                    executions = count.trim().parse::<u64>().ok();
                }
                eprintln!("{line}");
            })
            .with_context(|| format!("fuzz target {target} (the input is in fuzz/artifacts/{target})"))?;
        let count = executions.with_context(|| format!("{target} did not report its executions"))?;
        ensure!(count > 0, "{target} executed nothing");
        println!("{target}: {count} executions");
        total += count;
    }
    Ok(format!("{} targets, {total} executions", targets.len()))
}

/// Names of the targets: one per source file.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context("fuzz/fuzz_targets")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "fuzz/fuzz_targets holds no target");
    Ok(names)
}

fn install(context: &Context) -> Result<()> {
    let path = tools::tools_path(context)?;
    if context.cargo().args(["fuzz", "--version"]).env("PATH", &path).succeeds() {
        return Ok(());
    }
    context
        .cargo()
        .args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"])
        .arg(context.target.join("tools"))
        .arg("--target-dir")
        .arg(context.target.join("tools/build"))
        .run()?;
    fs::remove_dir_all(context.target.join("tools/build")).context("target/tools/build")
}

/// The address sanitizer needs a nightly compiler; without one the fuzzers run unsanitized.
fn has_nightly(context: &Context) -> bool {
    cfg!(target_os = "linux")
        && context
            .shell("rustup")
            .args(["run", "nightly", "rustc", "--version"])
            .without_env("RUSTUP_TOOLCHAIN")
            .succeeds()
}

fn cargo_fuzz(context: &Context, nightly: bool) -> Result<Shell> {
    let shell = if nightly {
        // `CARGO` and `RUSTUP_TOOLCHAIN` name the toolchain that runs this program.
        context.shell("rustup").args(["run", "nightly", "cargo"]).without_env("RUSTUP_TOOLCHAIN").without_env("CARGO")
    } else {
        context.cargo()
    };
    // Linking takes longer with it than the build without it, once for every target.
    let shell = shell.env("CARGO_PROFILE_RELEASE_LTO", "off");
    Ok(shell.arg("fuzz").env("PATH", tools::tools_path(context)?))
}

fn options(context: &Context, nightly: bool) -> Vec<std::ffi::OsString> {
    vec![
        "--sanitizer".into(),
        if nightly { "address" } else { "none" }.into(),
        "--features=libfuzzer".into(),
        "--target-dir".into(),
        context.target.join("fuzz").into(),
    ]
}

/// Copies the committed seeds, because the fuzzer adds what it finds to its folder.
fn copy_seeds(from: &Path, to: &Path) -> Result<PathBuf> {
    fs::create_dir_all(to)?;
    let mut count = 0;
    for entry in fs::read_dir(from).with_context(|| format!("seeds in {}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
        count += 1;
    }
    if count == 0 {
        bail!("{} holds no seed", from.display());
    }
    Ok(to.to_owned())
}
