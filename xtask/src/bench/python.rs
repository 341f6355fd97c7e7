//! The benchmarks of the Python package: `py/benches`, beside other packages from the registry, each in an
//! environment of its own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::FLEET;
use crate::context::Context;
use crate::shell::Shell;
use crate::tools::environment;
use crate::wheel::{self, Optimised};

/// Page in which `--write` puts the table.
const RESULTS: &str = "docs/benchmarks.md";

/// Runs it with a wheel that is built and optimised as it is shipped. With `smoke`, that of the tests is enough, and
/// there is no other package.
pub(super) fn run(context: &Context, smoke: bool, args: &[String]) -> Result<()> {
    if smoke {
        let tools = wheel::tools(context)?;
        let wheel = wheel::build(context, &tools, Optimised::Somewhat)?;
        wheel::install(context, &tools, &wheel)?;
        return self::smoke(context, &tools);
    }
    let wheel = wheel::build(context, &wheel::tools(context)?, Optimised::Fully)?;
    let requirements = |name: &str| context.root.join("py/benches").join(name);
    let ours = environment(context, "python-bench-ours", None)?;
    wheel::install(context, &ours, &wheel)?;
    let mut bench = Shell::new(&ours, &context.root.join("py")).args(["-m", "benches", "--server"]);
    bench = bench.arg(server(context)?).arg("--ours").arg(&ours);
    for name in ["peer", "tiny"] {
        let folder = format!("python-bench-{name}");
        let other = environment(context, &folder, Some(&requirements(&format!("requirements-{name}.txt"))))?;
        bench = bench.arg(format!("--{name}")).arg(other);
    }
    for arg in args {
        bench = bench.arg(arg);
        if arg == "--write" {
            bench = bench.arg(context.root.join(RESULTS));
        }
    }
    bench.run()
}

/// All of it in a few seconds, with the package that is installed for `python`: does it run, is nothing lost?
pub(crate) fn smoke(context: &Context, python: &Path) -> Result<()> {
    Shell::new(python, &context.root.join("py"))
        .args(["-m", "benches", "--smoke", "--server"])
        .arg(server(context)?)
        .arg("--ours")
        .arg(python)
        .run()
}

/// Builds the virtual devices, a program of the benchmark of fleets.
fn server(context: &Context) -> Result<PathBuf> {
    let target = context.target.join("fleet");
    context
        .cargo()
        .args(["build", "--locked", "--release", "--manifest-path", FLEET])
        .env("CARGO_TARGET_DIR", target.clone())
        .run()
        .context("the device server of the benchmark")?;
    Ok(target.join("release").join(format!("rustuya-bench-fleet{}", std::env::consts::EXE_SUFFIX)))
}
