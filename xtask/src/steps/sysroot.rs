//! A compiler with `core` and nothing else.
//!
//! Debian packages a compiler together with the source of its library. From that source `core` is built for each target
//! into a sysroot of our own, which then holds `core` and `compiler_builtins` and nothing else: a crate that needs
//! `alloc` or `std` does not compile. The compiler is called by its full path, so rustup's stays the one that everything
//! else uses.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

const RUSTC: &str = "/usr/bin/rustc";
const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "lld"];

/// The compiler, its sysroot and what is built with them.
pub(super) struct Sysroot {
    /// Folder of everything.
    pub(super) folder: PathBuf,
    sysroot: PathBuf,
}

impl Sysroot {
    /// Installs the compiler where it is missing and builds `core` for each of the targets.
    pub(super) fn new(context: &Context, targets: &[&str]) -> Result<Self> {
        tools::need_compiler(context)?;
        need_rustc(context)?;
        let folder = context.target.join("bare-metal");
        let this = Self { sysroot: folder.join("sysroot"), folder };
        let version = context.shell(RUSTC).arg("-vV").stdout()?;
        let stamp = this.sysroot.join("compiler.txt");
        if !fs::read_to_string(&stamp).is_ok_and(|text| text == version) && this.folder.exists() {
            // Cargo does not notice that a sysroot changed.
            fs::remove_dir_all(&this.folder)?;
        }
        fs::create_dir_all(&this.sysroot)?;
        fs::write(stamp, version)?;
        for target in targets {
            this.build_core(context, target)?;
        }
        Ok(this)
    }

    /// A cargo call that finds only our sysroot for the target, with `flags` for the compiler on top.
    pub(super) fn against(&self, shell: Shell, target: &str, flags: &str) -> Shell {
        let name = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
        packaged(shell)
            .env(&name, format!("--sysroot={} {flags}", self.sysroot.display()))
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
    }

    fn libraries(&self, target: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(target).join("lib")
    }

    fn build_core(&self, context: &Context, target: &str) -> Result<()> {
        let libraries = self.libraries(target);
        if libraries.exists() {
            return only_core(&libraries);
        }
        let empty = probe(&self.folder, "empty", "#![no_std]\n")?;
        let output = self.folder.join("core");
        packaged(Shell::new(&context.cargo, &empty))
            .args(["build", "--release", "-Zbuild-std=core", "--target", target])
            .env("RUSTC_BOOTSTRAP", "1")
            // Without bitcode in `core`, firmware cannot be linked with link-time optimisation.
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env("CARGO_TARGET_DIR", &output)
            .run()
            .context("building `core`")?;
        let partial = libraries.with_extension("partial");
        fs::create_dir_all(&partial)?;
        for entry in fs::read_dir(output.join(target).join("release/deps"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_core(&name) {
                fs::copy(&path, partial.join(&name))?;
            }
        }
        fs::remove_dir_all(&output)?;
        only_core(&partial)?;
        Ok(fs::rename(partial, libraries)?)
    }
}

/// Returns the library source of the packaged compiler.
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

fn is_core(name: &str) -> bool {
    name.ends_with(".rlib") && (name.starts_with("libcore-") || name.starts_with("libcompiler_builtins-"))
}

/// The sysroot must hold both libraries and nothing beside them.
fn only_core(libraries: &Path) -> Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(libraries)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    if names.len() != 2 || !names.iter().all(|name| is_core(name)) {
        bail!("the bare-metal sysroot holds {}; delete target/bare-metal", names.join(", "));
    }
    Ok(())
}

/// A crate of one file, outside the workspace.
pub(super) fn probe(folder: &Path, name: &str, source: &str) -> Result<PathBuf> {
    let directory = folder.join("probe").join(name);
    fs::create_dir_all(directory.join("src"))?;
    fs::write(
        directory.join("Cargo.toml"),
        format!("[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n"),
    )?;
    fs::write(directory.join("src/lib.rs"), source)?;
    Ok(directory)
}
