//! Boards: a UART, a clock, a way to wait. Contains all code for particular chips.

#[cfg(target_arch = "arm")]
mod mps2;
#[cfg(target_arch = "riscv32")]
mod virt;

#[cfg(target_arch = "arm")]
use mps2 as chip;
#[cfg(target_arch = "riscv32")]
use virt as chip;

use core::net::SocketAddr;

use rustuya_firmware_pipe::controller::Pipe;
use rustuya_proto::{Instant, LossReason};

/// The board's UART, as a pipe that is always open.
pub struct Uart;

impl Uart {
    /// Initialises the chip. Call it once.
    pub fn new() -> Self {
        chip::start();
        Self
    }
}

impl Default for Uart {
    fn default() -> Self {
        Self::new()
    }
}

impl Pipe for Uart {
    const HAS_CARRIER: bool = false;

    fn dial(&mut self, _to: SocketAddr) -> Result<(), LossReason> {
        Ok(())
    }

    fn hang_up(&mut self) {}

    fn read(&mut self, into: &mut [u8]) -> Result<usize, LossReason> {
        Ok(into.iter_mut().map_while(|slot| chip::receive().map(|byte| *slot = byte)).count())
    }

    fn write(&mut self, from: &[u8]) -> Result<usize, LossReason> {
        Ok(from.iter().map_while(|byte| chip::send(*byte)).count())
    }
}

/// Returns the time since the start.
pub fn now() -> Instant {
    chip::now()
}

/// Sleeps for a millisecond, unless `until` is past. The caller polls the UART after that.
pub fn wait(until: Option<Instant>) {
    if until.is_none_or(|until| until > now()) {
        chip::sleep();
    }
}
