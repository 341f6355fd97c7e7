//! Programs from outside: looked up, or installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::context::Context;

/// Returns whether a program is on the search path.
pub(crate) fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Installs system packages with apt; an error says what to install by hand.
pub(crate) fn apt_install(context: &Context, packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if !on_path("apt-get") {
        bail!("missing: install what Debian calls `{list}`");
    }
    let root = context.shell("id").arg("-u").stdout().is_ok_and(|id| id.trim() == "0");
    let sudo = !root && context.shell("sudo").args(["-n", "true"]).succeeds();
    if !root && !sudo {
        bail!("missing: run `apt-get install {list}` as root");
    }
    let apt = |args: &[&str]| {
        let shell = if root { context.shell("apt-get") } else { context.shell("sudo").args(["-n", "apt-get"]) };
        shell.args(args.iter().copied()).env("DEBIAN_FRONTEND", "noninteractive").run()
    };
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).with_context(|| format!("cannot install {list}"))
}

/// Makes sure that C and C++ can be compiled (build scripts, the fuzzers' runtime).
pub(crate) fn need_compiler(context: &Context) -> Result<()> {
    if on_path("cc") && on_path("c++") {
        return Ok(());
    }
    apt_install(context, &["gcc", "g++", "libc6-dev"])
}

/// The Python of an environment that holds the pinned packages of `vectors/requirements.txt`.
pub(crate) fn python(context: &Context) -> Result<PathBuf> {
    let usable = || context.shell("python3").args(["-c", "import venv, ensurepip"]).succeeds();
    if !usable() {
        apt_install(context, &["python3", "python3-venv"])?;
        if !usable() {
            bail!("python3 has no usable venv module");
        }
    }
    let requirements = context.root.join("vectors/requirements.txt");
    let pinned = fs::read_to_string(&requirements).context("vectors/requirements.txt")?;
    let folder = context.target.join("python");
    let python = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == pinned) && python.is_file() {
        return Ok(python);
    }
    context.shell("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    context
        .shell(&python)
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&requirements)
        .run()?;
    fs::write(&stamp, pinned)?;
    Ok(python)
}

/// The Node packages that `tests/interop/package-lock.json` pins: the folder that holds them.
pub(crate) fn node_modules(context: &Context) -> Result<PathBuf> {
    if !on_path("node") || !on_path("npm") {
        apt_install(context, &["nodejs", "npm"]).context("the tests against tuyapi need Node and npm")?;
    }
    let source = context.root.join("tests/interop");
    let folder = context.target.join("node");
    let modules = folder.join("node_modules");
    let stamp = folder.join("installed.json");
    let locked = fs::read_to_string(source.join("package-lock.json")).context("tests/interop/package-lock.json")?;
    if fs::read_to_string(&stamp).is_ok_and(|text| text == locked) && modules.is_dir() {
        return Ok(modules);
    }
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), folder.join(name)).with_context(|| format!("tests/interop/{name}"))?;
    }
    // `ci` installs what is locked, or fails; no package gets to run anything.
    context
        .shell("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(&folder)
        .run()
        .context("cannot install the Node packages of tests/interop/package-lock.json")?;
    fs::write(&stamp, locked)?;
    Ok(modules)
}

/// The Python of an environment with what `requirements` pins, apart from the one of the interop tests.
pub(crate) fn environment(context: &Context, name: &str, requirements: Option<&Path>) -> Result<PathBuf> {
    // A machine that could make that one can make this one.
    python(context)?;
    let pinned = match requirements {
        Some(path) => fs::read_to_string(path).with_context(|| path.display().to_string())?,
        None => String::new(),
    };
    let folder = context.target.join(name);
    let program = folder.join("bin/python");
    let stamp = folder.join("installed.txt");
    if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|text| text == pinned) {
        return Ok(program);
    }
    context.shell("python3").args(["-m", "venv", "--clear"]).arg(&folder).run()?;
    if let Some(path) = requirements {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        context.shell(&program).args(pip).arg(path).run()?;
    }
    fs::write(&stamp, pinned)?;
    Ok(program)
}

/// One of cargo's tools that `xtask/requirements.txt` pins.
pub(crate) fn cargo_tool(context: &Context, name: &str) -> Result<PathBuf> {
    let requirements = context.root.join("xtask/requirements.txt");
    let python = environment(context, "cargo-tools", Some(&requirements))?;
    let tool = python.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    if !tool.is_file() {
        bail!("{} brings no {name}", requirements.display());
    }
    Ok(tool)
}

/// The search path with the folder of installed cargo tools in front.
pub(crate) fn tools_path(context: &Context) -> Result<std::ffi::OsString> {
    let mut folders = vec![context.target.join("tools/bin")];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    Ok(env::join_paths(folders)?)
}
