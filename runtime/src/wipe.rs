//! Removal of keys from the stack.

use zeroize::Zeroize as _;

/// Size of the overwritten part, in words of 8 bytes: more than the calls that work with a key use.
const WORDS: usize = 2048;

/// Overwrites the part of the stack that returned calls have used. Moving a value copies it: a key that was moved, or
/// was in a register, may still be there.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut left = [0_u64; WORDS];
    left.zeroize();
    core::hint::black_box(&left);
}
