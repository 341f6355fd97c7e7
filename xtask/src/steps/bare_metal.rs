//! The protocol core against a standard library that has only `core`.
//!
//! Debian packages a compiler together with the source of its library. From that source `core` is built
//! for a Cortex-M4F into a sysroot of our own, which then holds `core` and `compiler_builtins` and nothing
//! else: a crate that needs `alloc` or `std` does not compile. The compiler is called by its full path, so
//! rustup's stays the one that everything else uses.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::host;
use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

const RUSTC: &str = "/usr/bin/rustc";
const TARGET: &str = "thumbv7em-none-eabihf";
const TARGET_FLAGS: &str = "CARGO_TARGET_THUMBV7EM_NONE_EABIHF_RUSTFLAGS";
const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld"];
const CORE: &str = "rustuya-proto";

pub(super) fn run(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    need_rustc(context)?;
    let folder = context.target.join("bare-metal");
    let sysroot = folder.join("sysroot");
    build_sysroot(context, &folder, &sysroot)?;

    // `std` is for machines with an operating system; every other feature has to do without one.
    let sets = host::feature_sets(context)?;
    let mut sets = [sets.whole, sets.partial].concat();
    sets.retain(|set| set.split(',').all(|name| name != "std"));
    ensure!(
        sets.iter().any(|set| set.split(',').any(|name| name == "emulator")),
        "{CORE} has lost its feature `emulator`"
    );
    for set in &sets {
        against(context.cargo(), &folder, &sysroot)
            .args(["build", "--locked", "--release", "--target", TARGET, "--package", CORE])
            .arg("--no-default-features")
            .arg(format!("--features={set}"))
            .run()
            .with_context(|| format!("{CORE} with features `{set}` needs more than `core`"))?;
    }
    prove_the_proof(context, &folder, &sysroot)?;
    Ok(format!("{TARGET}, {} feature sets, only core", sets.len()))
}

/// Where the packaged compiler keeps its library source.
fn library_source(context: &Context) -> Option<PathBuf> {
    let sysroot = context.shell(RUSTC).args(["--print", "sysroot"]).stdout().ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    source.is_dir().then_some(source)
}

fn need_rustc(context: &Context) -> Result<()> {
    if library_source(context).is_some() {
        return Ok(());
    }
    tools::apt_install(context, &PACKAGES)?;
    ensure!(
        library_source(context).is_some(),
        "{RUSTC} or its library source is missing after installing {}",
        PACKAGES.join(", ")
    );
    Ok(())
}

/// A cargo call that uses the packaged compiler and no flags from outside.
fn packaged(shell: Shell) -> Shell {
    shell
        .env("RUSTC", RUSTC)
        .without_env("RUSTFLAGS")
        .without_env("CARGO_ENCODED_RUSTFLAGS")
        .without_env("CARGO_BUILD_RUSTFLAGS")
        .without_env("RUSTC_WRAPPER")
        .without_env("RUSTC_WORKSPACE_WRAPPER")
        // With it, dependencies see unstable target features that users of stable Rust do not have.
        .without_env("RUSTC_BOOTSTRAP")
}

/// A cargo call that finds only our sysroot for the target.
fn against(shell: Shell, folder: &Path, sysroot: &Path) -> Shell {
    packaged(shell)
        .env(TARGET_FLAGS, format!("--sysroot={}", sysroot.display()))
        .env("CARGO_TARGET_DIR", folder.join("target"))
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

fn build_sysroot(context: &Context, folder: &Path, sysroot: &Path) -> Result<()> {
    let version = context.shell(RUSTC).arg("-vV").stdout()?;
    let stamp = sysroot.join("compiler.txt");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == version) {
        return only_core(sysroot);
    }
    // Cargo does not notice that a sysroot changed.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let empty = probe(folder, "empty", "#![no_std]\n")?;
    let output = folder.join("core");
    packaged(Shell::new(&context.cargo, &empty))
        .args(["build", "--release", "-Zbuild-std=core", "--target", TARGET])
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode in `core`, firmware cannot be linked with link-time optimisation.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", &output)
        .run()
        .context("building `core`")?;
    let libraries = libraries(sysroot);
    fs::create_dir_all(&libraries)?;
    for entry in fs::read_dir(output.join(TARGET).join("release/deps"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_core(&name) {
            fs::copy(&path, libraries.join(&name))?;
        }
    }
    fs::remove_dir_all(&output)?;
    only_core(sysroot)?;
    Ok(fs::write(stamp, version)?)
}

fn is_core(name: &str) -> bool {
    name.ends_with(".rlib") && (name.starts_with("libcore-") || name.starts_with("libcompiler_builtins-"))
}

/// The sysroot must hold both libraries and nothing beside them.
fn only_core(sysroot: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(libraries(sysroot))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    if names.len() != 2 || !names.iter().all(|name| is_core(name)) {
        bail!("the bare-metal sysroot holds {}; delete target/bare-metal", names.join(", "));
    }
    Ok(())
}

/// A crate of one file, outside the workspace.
fn probe(folder: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let directory = folder.join("probe").join(name);
    fs::create_dir_all(directory.join("src"))?;
    fs::write(
        directory.join("Cargo.toml"),
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n"),
    )?;
    fs::write(directory.join("src/lib.rs"), source)?;
    Ok(directory)
}

/// The build above proves something only if a crate with an allocator fails in its place.
fn prove_the_proof(context: &Context, folder: &Path, sysroot: &Path) -> Result<()> {
    let build = |directory: PathBuf| {
        against(Shell::new(&context.cargo, &directory), folder, sysroot)
            .args(["build", "--release", "--target", TARGET])
            .finish()
    };
    let with = build(probe(folder, "with_alloc", "#![no_std]\nextern crate alloc;\n")?)?;
    ensure!(!with.success, "a crate that uses `alloc` builds here: the proof is worth nothing");
    ensure!(
        with.stderr.contains("can't find crate for `alloc`"),
        "a crate that uses `alloc` fails for another reason:\n{}",
        with.stderr
    );
    let without = build(probe(folder, "without_alloc", "#![no_std]\n")?)?;
    ensure!(without.success, "a crate without `alloc` does not build:\n{}", without.stderr);
    println!("a crate that needs `alloc` is refused here, one that does not is accepted");
    Ok(())
}
