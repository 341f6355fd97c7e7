//! The Python package: built as a wheel, installed where there is no Rust, tested and type-checked there.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bench;
use crate::context::Context;
use crate::shell::Shell;
use crate::wheel::{self, Optimised};

pub(super) fn run(context: &Context) -> Result<String> {
    let package = context.root.join("py");
    let tools = wheel::tools(context)?;
    let python = |python: &Path| Shell::new(python, &package);
    python(&tools).args(["-m", "ruff", "check", "."]).run()?;
    python(&tools).args(["-m", "ruff", "format", "--check", "."]).run()?;
    let wheel = wheel::build(context, &tools, Optimised::Somewhat)?;
    smoke(context, &wheel)?;
    wheel::install(context, &tools, &wheel)?;
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
