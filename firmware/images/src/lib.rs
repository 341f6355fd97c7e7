//! Shared parts of both images: the board, the host's settings, a console and the stack's high-water mark.

#![no_std]

pub mod board;
pub mod console;
pub mod settings;
pub mod stack;

use chacha20::ChaCha12Rng;
use chacha20::rand_core::SeedableRng as _;
use settings::Settings;

/// Size of each of the two buffers.
pub const BUFFER: usize = 1024;

/// Creates the random generator. On real hardware the seed comes from the chip's entropy source, at each start; an
/// emulated board has none, so the host passes it. Refuses to start without a seed: a repeated nonce reveals the
/// session key.
pub fn generator(settings: &Settings) -> ChaCha12Rng {
    match settings.seed {
        Some(seed) => ChaCha12Rng::from_seed(seed),
        None => refuse("no seed: give seed= and 64 hex digits"),
    }
}

/// Prints the reason, and ends with exit code 2.
pub fn refuse(why: &str) -> ! {
    console::line("refused: ", why.into());
    semihosting::process::exit(2)
}

/// Handles a panic. The core never panics on input; other panics give only an exit code, because their text would need
/// several KB of flash.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::process::exit(101)
}
