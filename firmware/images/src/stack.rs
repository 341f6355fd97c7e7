//! High-water mark of the stack: paints the free memory below it at the start, and checks it later.
#![expect(unsafe_code, reason = "looks at memory that belongs to no variable")]

const PAINT: u32 = 0xc5c5_c5c5;
/// Room for the painter's own frame.
const SKIP: usize = 128;

unsafe extern "C" {
    /// The end of the static variables.
    static __sheap: u32;
    /// The upper end of the stack.
    static _stack_start: u32;
}

/// Paints the free memory. Call it once, before anything else.
#[inline(never)]
pub fn paint() {
    let here = 0_u32;
    let end = (&raw const here as usize - SKIP) & !3;
    let mut at = &raw const __sheap as usize;
    while at < end {
        // SAFETY: from the end of the static variables to the stack pointer the RAM is unused.
        unsafe { (at as *mut u32).write_volatile(PAINT) };
        at += 4;
    }
}

/// Returns the largest size of the stack so far, in bytes.
#[inline(never)]
pub fn used() -> usize {
    let top = &raw const _stack_start as usize;
    let mut at = &raw const __sheap as usize;
    // SAFETY: all of this is RAM; it is only read.
    while at < top && unsafe { (at as *const u32).read_volatile() } == PAINT {
        at += 4;
    }
    top - at
}
