//! Chips, and their boards in QEMU.

use core::fmt;

/// Chip with its board in QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chip {
    /// Cortex-M4F, mps2-an386.
    Thumb,
    /// RV32IMC, virt.
    Riscv,
}

impl Chip {
    /// Every chip.
    pub const ALL: [Self; 2] = [Self::Thumb, Self::Riscv];

    /// Returns the compiler's name of the target.
    pub const fn target(self) -> &'static str {
        match self {
            Self::Thumb => "thumbv7em-none-eabihf",
            Self::Riscv => "riscv32imc-unknown-none-elf",
        }
    }

    /// Returns the emulator and its arguments for the machine.
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
