//! What both images share: the board, the host's settings, a console and the stack's high-water mark.

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

/// The board's generator. On real hardware the seed comes from the chip's entropy source, once at each start; an
/// emulated board has none, so the host gives it. Without a seed nothing starts: a nonce that repeats gives the
/// session key away.
pub fn generator(settings: &Settings) -> ChaCha12Rng {
    match settings.seed {
        Some(seed) => ChaCha12Rng::from_seed(seed),
        None => refuse("no seed: give seed= and 64 hex digits"),
    }
}

/// Says why, and ends with exit code 2.
pub fn refuse(why: &str) -> ! {
    console::line("refused: ", why.into());
    semihosting::process::exit(2)
}

/// The core cannot panic on any input; whatever else does is told by the exit code alone, because the words for it would
/// cost several KB of flash.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::process::exit(101)
}
