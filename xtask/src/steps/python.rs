//! The Python package: built as a wheel, installed where there is no Rust, tested and type-checked there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::bench;
use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

mod sdist;

pub(super) fn run(context: &Context) -> Result<String> {
    let package = context.root.join("py");
    let tools = tools(context)?;
    let python = |python: &Path| Shell::new(python, &package);
    python(&tools).args(["-m", "ruff", "check", "."]).run()?;
    python(&tools).args(["-m", "ruff", "format", "--check", "."]).run()?;
    let wheel = wheel(context, &tools, Optimised::Somewhat)?;
    smoke(context, &wheel)?;
    install(context, &tools, &wheel)?;
    context.cargo().args(["build", "--locked", "--workspace", "--bin", "rustuya-fake-cloud"]).run()?;
    let cloud = context.target.join("debug").join(format!("rustuya-fake-cloud{}", std::env::consts::EXE_SUFFIX));
    python(&tools).args(["-m", "pytest"]).env("RUSTUYA_FAKE_CLOUD", cloud).run()?;
    python(&tools).args(["-m", "mypy", "python/rustuya", "tests", "benches"]).run()?;
    for example in examples(&package)? {
        python(&tools).args(["-m", "mypy"]).arg(example).run()?;
    }
    python(&tools).args(["-m", "pyright", "--pythonpath"]).arg(&tools).run()?;
    // This mode looks for the package by the `python` on the search path, whatever else it is told.
    python(&tools)
        .args(["-m", "pyright", "--ignoreexternal", "--verifytypes", "rustuya"])
        .env("PATH", first_on_path(&tools)?)
        .run()?;
    python(&tools)
        .args(["-m", "mypy.stubtest", "rustuya", "--ignore-unused-allowlist"])
        .args(["--allowlist", "tests/stubtest-allowlist.txt"])
        .run()?;
    // Every scenario of the list, by the package that was just installed. Of the whole workspace, which is built already.
    context
        .cargo()
        .args(["test", "--locked", "--workspace", "--test", "python", "--", "--ignored"])
        .env("RUSTUYA_PYTHON", &tools)
        .run()?;
    // The device server is for Linux only.
    if cfg!(target_os = "linux") {
        bench::python::smoke(context, &tools)?;
    }
    let size = fs::metadata(&wheel)?.len() / 1024;
    Ok(format!("wheel of {size} KiB, tests, mypy, pyright, stubtest, ruff, conformance, benchmarks at small"))
}

/// The search path for programs, with the folder of this one in front.
fn first_on_path(program: &Path) -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}

/// The Python of an environment with the tools that the tests need.
pub(crate) fn tools(context: &Context) -> Result<PathBuf> {
    environment(context, "python-tools", Some(&context.root.join("py/requirements-test.txt")))
}

/// The Python of an environment with what `requirements` pins, apart from the one of the interop tests.
pub(crate) fn environment(context: &Context, name: &str, requirements: Option<&Path>) -> Result<PathBuf> {
    // A machine that could make that one can make this one.
    tools::python(context)?;
    let pinned = match requirements {
        Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => String::new(),
    };
    let folder = context.target.join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == pinned) {
        return Ok(python);
    }
    context.shell("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    if let Some(path) = requirements {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        context.shell(&python).args(pip).arg(path).run()?;
    }
    fs::write(&stamp, pinned)?;
    Ok(python)
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
pub(crate) fn wheel(context: &Context, python: &Path, optimised: Optimised) -> Result<PathBuf> {
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

/// Installs the wheel where there is nothing else, and has it control a device without a Rust on the search path.
fn smoke(context: &Context, wheel: &Path) -> Result<()> {
    let folder = context.target.join("python-fresh");
    context.shell("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    let programs = folder.join("bin");
    let python = programs.join("python");
    context.shell(&python).args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(wheel).run()?;
    let script = context.root.join("py/tests/smoke.py");
    Shell::new(&python, &folder).args(["-I", "-W", "error"]).arg(script).env("PATH", programs).run()
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

/// Every example is a program of its own.
fn examples(package: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(package.join("examples"))? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    paths.sort();
    Ok(paths)
}
