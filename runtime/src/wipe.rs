//! Copies of keys that are left on the stack.

use zeroize::Zeroize as _;

/// What is overwritten: more than the calls take that work with a key.
const WORDS: usize = 2048;

/// Overwrites what calls that have returned left on the stack below. A value is moved by copying it: a key that was
/// moved, or was in a register, may still be where it was.
#[inline(never)]
pub(crate) fn wipe_stack() {
    let mut left = [0_u64; WORDS];
    left.zeroize();
    core::hint::black_box(&left);
}
