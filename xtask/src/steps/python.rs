//! The Python package: built as a wheel, installed where there is no Rust, tested and type-checked there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

pub(super) fn run(context: &Context) -> Result<String> {
    let package = context.root.join("py");
    let tools = environment(context, "python-tools", &package.join("requirements-test.txt"))?;
    let python = |python: &Path| Shell::new(python, &package);
    python(&tools).args(["-m", "ruff", "check", "."]).run()?;
    python(&tools).args(["-m", "ruff", "format", "--check", "."]).run()?;
    let wheel = wheel(context, &tools)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--force-reinstall", "--no-deps"];
    python(&tools).args(pip).arg(&wheel).run()?;
    python(&tools).args(["-m", "pytest"]).run()?;
    python(&tools).args(["-m", "mypy", "python/rustuya", "tests"]).run()?;
    for example in examples(&package)? {
        python(&tools).args(["-m", "mypy"]).arg(example).run()?;
    }
    python(&tools)
        .args(["-m", "mypy.stubtest", "rustuya", "--ignore-unused-allowlist"])
        .args(["--allowlist", "tests/stubtest-allowlist.txt"])
        .run()?;
    let size = fs::metadata(&wheel)?.len() / 1024;
    Ok(format!("wheel of {size} KiB, tests, mypy, stubtest, ruff"))
}

/// The Python of an environment with the tools that `requirements` pins, apart from the one of the interop tests.
fn environment(context: &Context, name: &str, requirements: &Path) -> Result<PathBuf> {
    // Where that one could be made, so can this.
    tools::python(context)?;
    let pinned = fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    let folder = context.target.join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == pinned) {
        return Ok(python);
    }
    context.shell("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    context.shell(&python).args(pip).arg(requirements).run()?;
    fs::write(&stamp, pinned)?;
    Ok(python)
}

/// Builds the wheel as it is shipped, but for the slow optimisations across crates.
fn wheel(context: &Context, python: &Path) -> Result<PathBuf> {
    let folder = context.target.join("python-wheel");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    context
        .shell(python)
        .args(["-m", "maturin", "build", "--release", "--locked", "--manifest-path", "py/Cargo.toml", "--out"])
        .arg(&folder)
        .env("CARGO_TARGET_DIR", &context.target)
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .run()?;
    let wheels = fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    match wheels.as_slice() {
        [wheel] => Ok(wheel.path()),
        wheels => bail!("maturin built {} wheels instead of one", wheels.len()),
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
