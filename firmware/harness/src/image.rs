//! One image: which there are, where it lies, what it takes.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags};

use crate::peers::{Job, Peer};

/// A chip to build for, and the board that QEMU has with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chip {
    /// Cortex-M4F, mps2-an386.
    Thumb,
    /// RV32IMC, virt.
    Riscv,
}

/// Which end of the protocol the image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It connects to a device.
    Controller,
    /// It is a device.
    Device,
}

/// A program for one chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// What it runs on.
    pub chip: Chip,
    /// Which end it is.
    pub role: Role,
    /// Whether it speaks every version, or 3.5 alone.
    pub all_versions: bool,
    /// With the compact settings of the ciphers.
    pub compact: bool,
}

/// Bytes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) text: u32,
    pub(crate) rodata: u32,
    /// Static variables, initialised or not.
    pub(crate) statics: u32,
    /// All that lies in flash.
    pub(crate) flash: u32,
}

impl Chip {
    /// Every chip.
    pub const ALL: [Self; 2] = [Self::Thumb, Self::Riscv];

    /// The compiler's name of it.
    pub const fn target(self) -> &'static str {
        match self {
            Self::Thumb => "thumbv7em-none-eabihf",
            Self::Riscv => "riscv32imc-unknown-none-elf",
        }
    }

    /// The emulator and its machine.
    pub(crate) const fn qemu(self) -> (&'static str, &'static [&'static str]) {
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

impl Image {
    /// Every image.
    pub fn all() -> Vec<Self> {
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

    /// Role and versions.
    pub(crate) const fn name(&self) -> &'static str {
        match (self.role, self.all_versions) {
            (Role::Controller, true) => "controller, all versions",
            (Role::Controller, false) => "controller, 3.5 only",
            (Role::Device, true) => "device, all versions",
            (Role::Device, false) => "device, 3.5 only",
        }
    }

    /// Whether it stands in the table.
    pub(crate) fn is_measured(&self) -> bool {
        !(self.role == Role::Device && self.all_versions)
    }

    /// The program of `firmware/images` that it is.
    pub const fn binary(&self) -> &'static str {
        match self.role {
            Role::Controller => "controller",
            Role::Device => "device",
        }
    }

    /// Where it lies in the folder of all images.
    pub fn path(&self, images: &Path) -> PathBuf {
        images.join(format!(
            "{}-{}-{}-{}",
            self.binary(),
            if self.all_versions { "all" } else { "v35" },
            self.chip,
            if self.compact { "compact" } else { "default" }
        ))
    }

    /// The features that it is built with.
    pub fn features(&self) -> &'static str {
        match (self.role, self.all_versions) {
            (Role::Controller, true) => "all-versions",
            (Role::Controller, false) => "v35",
            (Role::Device, true) => "all-versions,device",
            (Role::Device, false) => "v35,device",
        }
    }

    /// The conversations that this image has to have. Every image talks to this library; those with the compact ciphers
    /// talk to tinytuya too.
    pub(crate) fn jobs(&self, images: &Path) -> Vec<Job> {
        let versions: &[&str] = if self.all_versions { &["3.1", "3.3", "3.4", "3.5"] } else { &["3.5"] };
        let peers: &[Peer] = if self.compact { &[Peer::Rustuya, Peer::Tinytuya] } else { &[Peer::Rustuya] };
        let mut jobs = vec![Job { image: *self, path: self.path(images), version: "3.5", peer: Peer::Nobody }];
        for version in versions {
            for peer in peers {
                jobs.push(Job { image: *self, path: self.path(images), version, peer: *peer });
            }
        }
        jobs
    }

    pub(crate) fn sizes(&self, images: &Path) -> Result<Sizes> {
        sizes(&fs::read(self.path(images))?).with_context(|| format!("{self}"))
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
