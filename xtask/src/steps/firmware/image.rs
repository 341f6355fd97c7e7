//! One image: how it is built, where it lies, what it takes.

use core::fmt;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags};

use super::peers::{Job, Peer};
use crate::context::Context;
use crate::steps::sysroot::Sysroot;

/// A chip to build for, and the board that QEMU has with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Chip {
    /// Cortex-M4F, mps2-an386.
    Thumb,
    /// RV32IMC, virt.
    Riscv,
}

/// Which end of the protocol the image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It connects to a device.
    Controller,
    /// It is a device.
    Device,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Image {
    pub(super) chip: Chip,
    pub(super) role: Role,
    pub(super) all_versions: bool,
    /// With the compact settings of the ciphers.
    pub(super) compact: bool,
}

/// Bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) text: u32,
    pub(super) rodata: u32,
    /// Static variables, initialised or not.
    pub(super) statics: u32,
    /// All that lies in flash.
    pub(super) flash: u32,
}

impl Chip {
    pub(super) const ALL: [Self; 2] = [Self::Thumb, Self::Riscv];

    pub(super) const fn target(self) -> &'static str {
        match self {
            Self::Thumb => "thumbv7em-none-eabihf",
            Self::Riscv => "riscv32imc-unknown-none-elf",
        }
    }

    /// The emulator and its machine.
    pub(super) const fn qemu(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Thumb => ("qemu-system-arm", &["-M", "mps2-an386"]),
            Self::Riscv => ("qemu-system-riscv32", &["-M", "virt", "-bios", "none"]),
        }
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.target())
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ciphers = if self.compact { "compact" } else { "default" };
        write!(f, "{} for {}, {ciphers} ciphers", self.name(), self.chip)
    }
}

/// The compiler flags of an image.
pub(super) fn flags(compact: bool) -> String {
    let ciphers = if compact {
        r#" --cfg aes_backend_soft="compact" --cfg sha2_backend="soft" --cfg sha2_backend_soft="compact""#
    } else {
        ""
    };
    format!("-Dwarnings{ciphers}")
}

impl Image {
    /// Role and versions.
    pub(super) const fn name(&self) -> &'static str {
        match (self.role, self.all_versions) {
            (Role::Controller, true) => "controller, all versions",
            (Role::Controller, false) => "controller, 3.5 only",
            (Role::Device, true) => "device, all versions",
            (Role::Device, false) => "device, 3.5 only",
        }
    }

    /// Whether it stands in the table.
    pub(super) fn is_measured(&self) -> bool {
        !(self.role == Role::Device && self.all_versions)
    }

    const fn binary(&self) -> &'static str {
        match self.role {
            Role::Controller => "controller",
            Role::Device => "device",
        }
    }

    pub(super) fn path(&self, sysroot: &Sysroot) -> PathBuf {
        let name = format!(
            "{}-{}-{}-{}",
            self.binary(),
            if self.all_versions { "all" } else { "v35" },
            self.chip,
            if self.compact { "compact" } else { "default" }
        );
        sysroot.folder.join("images").join(name)
    }

    pub(super) fn build(&self, context: &Context, sysroot: &Sysroot) -> Result<()> {
        let versions = if self.all_versions { "all-versions" } else { "v35" };
        let features = match self.role {
            Role::Controller => versions.to_owned(),
            Role::Device => format!("{versions},device"),
        };
        let flags = flags(self.compact);
        // Each setting has a folder of its own: cargo would build everything anew at each change.
        let folder = sysroot.folder.join(if self.compact { "target" } else { "target-default" });
        sysroot
            .against(super::firmware_cargo(context), self.chip.target(), &flags)
            .env("CARGO_TARGET_DIR", &folder)
            .args(["build", "--locked", "--release", "--target", self.chip.target()])
            .args(["--package", "rustuya-firmware-images", "--bin", self.binary(), "--features", &features])
            .run()
            .with_context(|| format!("{self}"))?;
        let path = self.path(sysroot);
        fs::create_dir_all(path.parent().context("a folder")?)?;
        fs::copy(folder.join(self.chip.target()).join("release").join(self.binary()), path)?;
        Ok(())
    }

    /// The conversations that this image has to have. Every image talks to this library; those with the compact ciphers
    /// talk to tinytuya too.
    pub(super) fn jobs(&self, sysroot: &Sysroot) -> Vec<Job> {
        let versions: &[&str] = if self.all_versions { &["3.1", "3.3", "3.4", "3.5"] } else { &["3.5"] };
        let peers: &[Peer] = if self.compact { &[Peer::Rustuya, Peer::Tinytuya] } else { &[Peer::Rustuya] };
        let mut jobs = vec![Job { image: *self, path: self.path(sysroot), version: "3.5", peer: Peer::Nobody }];
        for version in versions {
            for peer in peers {
                jobs.push(Job { image: *self, path: self.path(sysroot), version, peer: *peer });
            }
        }
        jobs
    }

    pub(super) fn sizes(&self, sysroot: &Sysroot) -> Result<Sizes> {
        sizes(&fs::read(self.path(sysroot))?).with_context(|| format!("{self}"))
    }
}

/// Reads an ELF file's section headers, and makes sure that it holds no allocator.
fn sizes(bytes: &[u8]) -> Result<Sizes> {
    let file = object::File::parse(bytes)?;
    for symbol in file.symbols() {
        let name = symbol.name().unwrap_or_default();
        ensure!(!name.contains("__rust_alloc") && name != "malloc", "the image has an allocator: {name}");
    }
    let mut sizes = Sizes { text: 0, rodata: 0, statics: 0, flash: 0 };
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { bail!("not an ELF file") };
        let name = section.name()?;
        // The runtime of RISC-V counts all spare RAM as a section.
        if !sh_flags.contains(object::elf::SHF_ALLOC) || matches!(name, ".stack" | ".heap") {
            continue;
        }
        let size = u32::try_from(section.size())?;
        let is_file = section.file_range().is_some();
        if sh_flags.contains(object::elf::SHF_WRITE) {
            sizes.statics += size;
        } else if sh_flags.contains(object::elf::SHF_EXECINSTR) {
            sizes.text += size;
        } else {
            sizes.rodata += size;
        }
        sizes.flash += if is_file { size } else { 0 };
    }
    ensure!(sizes.text > 0, "the image holds no code");
    Ok(sizes)
}
