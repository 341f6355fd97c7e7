//! Steps that need nothing but the Rust toolchain and a C++ compiler.

use anyhow::{Context as _, Result, bail};

use super::features::{self, CORE, Sets};
use crate::context::Context;
use crate::tools;

pub(super) fn fmt(context: &Context) -> Result<String> {
    context.cargo().args(["fmt", "--all", "--check"]).run().context("run `cargo fmt --all`")?;
    Ok("formatted".to_owned())
}

pub(super) fn clippy(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context
        .cargo()
        .args(["clippy", "--locked", "--workspace", "--all-targets", "--all-features"])
        .args(["--", "-D", "warnings"])
        .run()?;
    Ok("no warnings".to_owned())
}

pub(super) fn docs(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context
        .cargo()
        .args(["doc", "--locked", "--workspace", "--no-deps", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;
    Ok("no warnings".to_owned())
}

/// Packs what `cargo publish --workspace` would upload. That it compiles, the other steps have seen.
pub(super) fn package(context: &Context) -> Result<String> {
    context.cargo().args(["publish", "--workspace", "--dry-run", "--no-verify", "--allow-dirty"]).run()?;
    let members = context.metadata.workspace_packages();
    let count = members.iter().filter(|package| package.publish.as_ref().is_none_or(|to| !to.is_empty())).count();
    Ok(format!("{count} crates"))
}

pub(super) fn test(context: &Context) -> Result<String> {
    tools::need_compiler(context)?;
    context.cargo().args(["test", "--locked", "--workspace"]).run()?;
    let whole = features::each(context, Sets::Whole, &[], &["test", "--locked"], |shell| shell)?;
    let partial =
        features::each(context, Sets::Partial, &[], &["test", "--locked", "--test", "left_out"], |shell| shell)?;
    Ok(format!("workspace, and {} feature sets of {CORE}", whole + partial))
}

pub(super) fn demo(context: &Context) -> Result<String> {
    let mut lines = 0;
    let mut bad = None;
    context
        .cargo()
        .args(["run", "--locked", "--quiet", "--package", "rustuya-cli", "--", "demo", "--json"])
        .stdout_lines(|line| {
            println!("{line}");
            lines += 1;
            if serde_json::from_str::<serde_json::Value>(line).is_err() {
                bad.get_or_insert_with(|| line.to_owned());
            }
        })?;
    if let Some(line) = bad {
        bail!("demo --json printed a line that is not JSON: {line}");
    }
    if lines == 0 {
        bail!("demo --json printed nothing");
    }
    Ok(format!("{lines} lines of JSON"))
}
