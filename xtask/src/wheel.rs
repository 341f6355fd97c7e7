//! The wheel of the Python package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools::environment;

mod sdist;

/// The Python of an environment with the tools that the tests need.
pub(crate) fn tools(context: &Context) -> Result<PathBuf> {
    environment(context, "python-tools", Some(&context.root.join("py/requirements-test.txt")))
}

/// Installs the wheel, whatever was installed of it before.
pub(crate) fn install(context: &Context, python: &Path, wheel: &Path) -> Result<()> {
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--force-reinstall", "--no-deps"];
    context.shell(python).args(pip).arg(wheel).run()
}

/// Optimisation of a wheel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimised {
    /// As it is shipped, but for the slow optimisations across crates.
    Somewhat,
    /// As it is shipped.
    Fully,
}

/// Builds the wheel with the maturin that is installed for `python`, from the source distribution alone.
pub(crate) fn build(context: &Context, python: &Path, optimised: Optimised) -> Result<PathBuf> {
    let source = sdist::unpacked(context, python)?;
    let folder = emptied(
        context,
        match optimised {
            Optimised::Somewhat => "python-wheel",
            Optimised::Fully => "python-wheel-optimised",
        },
    )?;
    // Without `--locked`: the lock file still names the members of the workspace that were left out.
    let mut build = Shell::new(python, &source)
        .args(["-m", "maturin", "build", "--release", "--out"])
        .arg(&folder)
        // Apart from what is built in the tree: a library for Python has the same name, wherever it was built from.
        .env("CARGO_TARGET_DIR", context.target.join("python-build"));
    if optimised == Optimised::Somewhat {
        build = build.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    }
    build.run()?;
    only_entry(&folder)
}

/// A folder below the target folder with nothing in it.
fn emptied(context: &Context, name: &str) -> Result<PathBuf> {
    let folder = context.target.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The one thing in a folder.
fn only_entry(folder: &Path) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    match entries.as_slice() {
        [entry] => Ok(entry.path()),
        entries => bail!("{} holds {} entries instead of one", folder.display(), entries.len()),
    }
}
