//! Images: list, paths and sizes.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags};

use crate::chip::Chip;

/// Role of an image in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Connects to a device.
    Controller,
    /// Acts as a device.
    Device,
}

/// Program for one chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// Chip of the image.
    pub chip: Chip,
    /// Role of the image.
    pub role: Role,
    /// True if it supports every version, false if only 3.5.
    pub all_versions: bool,
    /// True if the ciphers have their compact settings.
    pub compact: bool,
}

/// Sizes of an image, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) text: u32,
    pub(crate) rodata: u32,
    /// Static variables, initialised or not.
    pub(crate) statics: u32,
    /// Everything in flash.
    pub(crate) flash: u32,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ciphers = if self.compact { "compact" } else { "default" };
        write!(f, "{} for {}, {ciphers} ciphers", self.name(), self.chip)
    }
}

impl Image {
    /// Returns every image.
    pub fn all() -> Vec<Self> {
        let mut images = Vec::new();
        for chip in Chip::ALL {
            for compact in [true, false] {
                for (role, all_versions) in [(Role::Controller, true), (Role::Controller, false), (Role::Device, false)]
                {
                    images.push(Self { role, all_versions, chip, compact });
                }
            }
            // Firmware of a device has one version; this image is tested with each.
            images.push(Self { role: Role::Device, all_versions: true, chip, compact: true });
        }
        images
    }

    /// Returns role and versions.
    pub(crate) const fn name(&self) -> &'static str {
        match (self.role, self.all_versions) {
            (Role::Controller, true) => "controller, all versions",
            (Role::Controller, false) => "controller, 3.5 only",
            (Role::Device, true) => "device, all versions",
            (Role::Device, false) => "device, 3.5 only",
        }
    }

    /// Returns whether it is in the table.
    pub(crate) fn is_measured(&self) -> bool {
        !(self.role == Role::Device && self.all_versions)
    }

    /// Returns its program in `firmware/images`.
    pub const fn binary(&self) -> &'static str {
        match self.role {
            Role::Controller => "controller",
            Role::Device => "device",
        }
    }

    /// Returns its path in the folder of all images.
    pub fn path(&self, images: &Path) -> PathBuf {
        images.join(format!(
            "{}-{}-{}-{}",
            self.binary(),
            if self.all_versions { "all" } else { "v35" },
            self.chip,
            if self.compact { "compact" } else { "default" }
        ))
    }

    /// Returns its build features.
    pub fn features(&self) -> &'static str {
        match (self.role, self.all_versions) {
            (Role::Controller, true) => "all-versions",
            (Role::Controller, false) => "v35",
            (Role::Device, true) => "all-versions,device",
            (Role::Device, false) => "v35,device",
        }
    }

    pub(crate) fn sizes(&self, images: &Path) -> Result<Sizes> {
        sizes(&fs::read(self.path(images))?).with_context(|| format!("{self}"))
    }
}

/// Reads an ELF file's section headers, and checks that it contains no allocator.
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
        // The runtime of RISC-V has a section for all spare RAM.
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
