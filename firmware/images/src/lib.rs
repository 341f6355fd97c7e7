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
    console::line(&["refused: ".into(), why.into()]);
    semihosting::process::exit(2)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    let line = info.location().map_or(0, |place| i64::from(place.line()));
    console::line(&["panic in line ".into(), line.into()]);
    semihosting::process::exit(101)
}
