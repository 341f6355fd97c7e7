//! The protocol core against a standard library that has only `core`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::features::{self, CORE, Sets};
use super::sysroot::{Sysroot, probe};
use crate::context::Context;
use crate::shell::Shell;

const TARGET: &str = "thumbv7em-none-eabihf";

pub(super) fn run(context: &Context) -> Result<String> {
    let sysroot = Sysroot::new(context, &[TARGET])?;

    let has_emulator = context.member(CORE)?.features.contains_key("emulator");
    ensure!(has_emulator, "{CORE} has lost its feature `emulator`");
    let build = ["build", "--locked", "--release", "--target", TARGET];
    let mut count = 0;
    for sets in Sets::ALL {
        // `std` is for machines with an operating system; every other feature has to do without one.
        count += features::each(context, sets, &["std"], &build, |shell| sysroot.against(shell, TARGET, ""))
            .with_context(|| format!("{CORE} needs more than `core`"))?;
    }
    prove_the_proof(context, &sysroot)?;
    Ok(format!("{TARGET}, {count} feature sets, only core"))
}

/// The build above proves something only if a crate with an allocator fails in its place.
fn prove_the_proof(context: &Context, sysroot: &Sysroot) -> Result<()> {
    let build = |directory: PathBuf| {
        sysroot
            .against(Shell::new(&context.cargo, &directory), TARGET, "")
            .args(["build", "--release", "--target", TARGET])
            .finish()
    };
    let with = build(probe(&sysroot.folder, "with_alloc", "#![no_std]\nextern crate alloc;\n")?)?;
    ensure!(!with.success, "a crate that uses `alloc` builds here: the proof is worth nothing");
    ensure!(
        with.stderr.contains("can't find crate for `alloc`"),
        "a crate that uses `alloc` fails for another reason:\n{}",
        with.stderr
    );
    let without = build(probe(&sysroot.folder, "without_alloc", "#![no_std]\n")?)?;
    ensure!(without.success, "a crate without `alloc` does not build:\n{}", without.stderr);
    println!("a crate that needs `alloc` is refused here, one that does not is accepted");
    Ok(())
}
