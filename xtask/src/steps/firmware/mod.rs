//! Firmware images: built for two chips, run on emulated boards against every peer, and measured.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

use super::sysroot::Sysroot;
use crate::context::Context;
use crate::hygiene;
use crate::metadata::Metadata;
use crate::shell::Shell;
use crate::tools;

mod image;
mod peers;
mod qemu;
mod table;

use image::{Chip, Image, Role};
use table::Row;

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
    table::compare(context, &rows)?;
    Ok(format!("{} images, {runs} conversations under QEMU", rows.len()))
}

/// `cargo xtask firmware`: the table alone, or written to the documentation.
pub(crate) fn print(context: &Context, write: bool) -> Result<()> {
    let (rows, runs) = measure(context)?;
    println!("\n{}\n{runs} conversations under QEMU", table::markdown(&rows));
    if write {
        table::write(context, &rows)?;
    } else {
        table::compare(context, &rows)?;
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

    let images = Image::all();
    for image in &images {
        image.build(context, &sysroot)?;
    }
    let stage = peers::Stage { python, binary, scripts: context.root.join("tests/interop") };
    let jobs: Vec<peers::Job> = images.iter().flat_map(|image| image.jobs(&sysroot)).collect();
    let depths = peers::run_all(&stage, &jobs)?;
    let mut stacks: BTreeMap<&Image, u32> = BTreeMap::new();
    for (job, depth) in jobs.iter().zip(&depths) {
        let deepest = stacks.entry(&job.image).or_default();
        *deepest = (*deepest).max(*depth);
    }
    let mut rows = Vec::new();
    for image in images.iter().filter(|image| image.is_measured()) {
        let stack = stacks.get(image).copied().filter(|stack| *stack > 0);
        let stack = stack.with_context(|| format!("{image} reported no stack"))?;
        rows.push(Row { image: *image, sizes: image.sizes(&sysroot)?, stack });
    }
    Ok((rows, jobs.len()))
}

fn firmware_cargo(context: &Context) -> Shell {
    Shell::new(&context.cargo, &context.root.join("firmware"))
}

/// What can be seen without a board: format, licences, lints, and the async driver's test against a device.
fn host_checks(context: &Context) -> Result<()> {
    let packages = ["rustuya-firmware-async", "rustuya-firmware-images", "rustuya-firmware-pipe"];
    let each =
        |option: &str| packages.iter().flat_map(|name| [option.to_owned(), (*name).to_owned()]).collect::<Vec<_>>();
    firmware_cargo(context).arg("fmt").args(each("--package")).arg("--check").run()?;
    let text = firmware_cargo(context).args(["metadata", "--format-version=1", "--locked"]).stdout()?;
    hygiene::licences_of(&Metadata::parse(&text)?)?;
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
                .against(firmware_cargo(context), chip.target(), &image::flags(true))
                .args(["build", "--locked", "--release", "--target", chip.target(), "--package", package])
                .arg(format!("--features=rustuya-proto/default,{features}"))
                .run()
                .with_context(|| format!("{package} for {chip}"))?;
        }
    }
    // The example that people copy has to stay short, and the async driver too.
    for (path, limit) in [("firmware/pipe/src/controller.rs", 100), ("firmware/async/src/lib.rs", 150)] {
        let lines = std::fs::read_to_string(context.root.join(path)).context(path)?.lines().count();
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
        known.extend(std::fs::read_to_string(path).context(source)?.lines().map(|line| line.trim().to_owned()));
    }
    let text = std::fs::read_to_string(context.root.join(table::DOCUMENT)).context(table::DOCUMENT)?;
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

/// Which images there are.
impl Image {
    fn all() -> Vec<Self> {
        let mut images = Vec::new();
        for chip in Chip::ALL {
            for compact in [true, false] {
                for (role, all_versions) in [(Role::Controller, true), (Role::Controller, false), (Role::Device, false)]
                {
                    images.push(Self { role, all_versions, chip, compact });
                }
            }
            // A device speaks one version; this one exists to be tested with each.
            images.push(Self { role: Role::Device, all_versions: true, chip, compact: true });
        }
        images
    }
}
