//! Firmware images: built for two chips, run on emulated boards against every peer, and measured.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rustuya_firmware_harness::table::{self, Row};
use rustuya_firmware_harness::{self as harness, Chip, Image, Stage};

use super::sysroot::Sysroot;
use crate::context::Context;
use crate::shell::Shell;
use crate::tools;

/// Debian's names of the emulators.
const PACKAGES: [(&str, &str); 2] =
    [("qemu-system-arm", "qemu-system-arm"), ("qemu-system-riscv32", "qemu-system-misc")];
/// Crates that a firmware author would use, built alone for every chip.
const LIBRARIES: [(&str, &str); 3] =
    [("rustuya-firmware-pipe", ""), ("rustuya-firmware-pipe", "device"), ("rustuya-firmware-async", "")];

/// The step: everything, with the table compared to the documentation.
pub(super) fn run(context: &Context) -> Result<String> {
    let (rows, runs) = measure(context)?;
    print!("{}", table::markdown(&rows));
    table::check_limits(&rows)?;
    table::compare(&context.root, &rows)?;
    Ok(format!("{} images, {runs} conversations under QEMU", rows.len()))
}

/// `cargo xtask firmware`: the table alone, or written to the documentation.
pub(crate) fn print(context: &Context, write: bool) -> Result<()> {
    let (rows, runs) = measure(context)?;
    println!("\n{}\n{runs} conversations under QEMU", table::markdown(&rows));
    if write {
        table::write(&context.root, &rows)?;
    } else {
        table::compare(&context.root, &rows)?;
    }
    table::check_limits(&rows)
}

fn measure(context: &Context) -> Result<(Vec<Row>, usize)> {
    for (program, package) in PACKAGES {
        if !tools::on_path(program) {
            tools::apt_install(context, &[package])?;
        }
    }
    let python = tools::python(context)?;
    let targets = Chip::ALL.map(Chip::target);
    let sysroot = Sysroot::new(context, &targets)?;
    quotations(context)?;
    host_checks(context)?;
    libraries(context, &sysroot)?;
    context.cargo().args(["build", "--locked", "--workspace", "--bin", "rustuya"]).run()?;
    let binary = context.target.join("debug").join(format!("rustuya{}", std::env::consts::EXE_SUFFIX));

    let images = sysroot.folder.join("images");
    for image in Image::all() {
        build(context, &sysroot, &image, &images).with_context(|| image.to_string())?;
    }
    harness::run(&Stage { python, binary, scripts: context.root.join("tests/interop") }, &images)
}

/// The compiler flags of an image.
fn flags(compact: bool) -> String {
    let ciphers = if compact {
        r#" --cfg aes_backend_soft="compact" --cfg sha2_backend="soft" --cfg sha2_backend_soft="compact""#
    } else {
        ""
    };
    format!("-Dwarnings{ciphers}")
}

fn build(context: &Context, sysroot: &Sysroot, image: &Image, images: &Path) -> Result<()> {
    let target = image.chip.target();
    // Each setting has a folder of its own: cargo would build everything anew at each change.
    let folder: PathBuf = sysroot.folder.join(if image.compact { "target" } else { "target-default" });
    sysroot
        .against(firmware_cargo(context), target, &flags(image.compact))
        .env("CARGO_TARGET_DIR", &folder)
        .args(["build", "--locked", "--release", "--target", target])
        .args(["--package", "rustuya-firmware-images", "--bin", image.binary(), "--features", image.features()])
        .run()?;
    fs::create_dir_all(images)?;
    fs::copy(folder.join(target).join("release").join(image.binary()), image.path(images))?;
    Ok(())
}

fn firmware_cargo(context: &Context) -> Shell {
    Shell::new(&context.cargo, &context.root.join("firmware"))
}

/// Runs the checks that need no board: format, lints, and the async driver's test against a device.
fn host_checks(context: &Context) -> Result<()> {
    let packages = ["rustuya-firmware-async", "rustuya-firmware-images", "rustuya-firmware-pipe"];
    let each =
        |option: &str| packages.iter().flat_map(|name| [option.to_owned(), (*name).to_owned()]).collect::<Vec<_>>();
    firmware_cargo(context).arg("fmt").args(each("--package")).arg("--check").run()?;
    let host = |shell: Shell| shell.env("CARGO_TARGET_DIR", context.target.join("firmware-host"));
    for (package, features) in LIBRARIES {
        host(firmware_cargo(context))
            .args(["clippy", "--locked", "--all-targets", "--package", package])
            .arg(format!("--features=rustuya-proto/default,{features}"))
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    host(firmware_cargo(context)).args(["test", "--locked", "--package", "rustuya-firmware-async"]).run()
}

/// The crates that are meant for firmware, for every chip, with nothing but `core`.
fn libraries(context: &Context, sysroot: &Sysroot) -> Result<()> {
    for chip in Chip::ALL {
        for (package, features) in LIBRARIES {
            sysroot
                .against(firmware_cargo(context), chip.target(), &flags(true))
                .args(["build", "--locked", "--release", "--target", chip.target(), "--package", package])
                .arg(format!("--features=rustuya-proto/default,{features}"))
                .run()
                .with_context(|| format!("{package} for {chip}"))?;
        }
    }
    // The example that people copy has to stay short, and the async driver too.
    for (path, limit) in [("firmware/pipe/src/controller.rs", 100), ("firmware/async/src/lib.rs", 150)] {
        let lines = fs::read_to_string(context.root.join(path)).context(path)?.lines().count();
        ensure!(lines < limit, "{path}: {lines} lines, not under {limit}");
    }
    Ok(())
}

/// Every line of Rust that the document shows stands in the firmware's sources.
fn quotations(context: &Context) -> Result<()> {
    let sources =
        ["pipe/src/controller.rs", "images/src/lib.rs", "images/src/bin/controller.rs", "images/src/bin/device.rs"];
    let mut known = std::collections::BTreeSet::new();
    for source in sources {
        let path = context.root.join("firmware").join(source);
        known.extend(fs::read_to_string(path).context(source)?.lines().map(|line| line.trim().to_owned()));
    }
    let text = fs::read_to_string(context.root.join(table::DOCUMENT)).context(table::DOCUMENT)?;
    let mut quoting = false;
    for line in text.lines() {
        if line.starts_with("```") {
            quoting = line == "```rust";
        } else if quoting && !known.contains(line.trim()) {
            bail!("{}: `{line}` stands in none of {}", table::DOCUMENT, sources.join(", "));
        }
    }
    Ok(())
}
