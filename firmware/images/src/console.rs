//! Lines of text for the host. Not with `core::fmt`, which needs more flash than all other code of this image.

use semihosting::io::{Read as _, Write as _};

/// Part of a line.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i32),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Part<'_> {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

/// Prints a line of two parts, or drops it if the host does not read.
#[inline(never)]
pub fn line(name: &str, value: Part<'_>) {
    let Ok(mut out) = semihosting::io::stdout() else { return };
    let mut digits = [0; 11];
    let value = match value {
        Part::Text(text) => text.as_bytes(),
        Part::Number(number) => decimal(number, &mut digits),
    };
    for part in [name.as_bytes(), value, b"\n"] {
        let _ = out.write_all(part);
    }
}

/// Reads into `buf` up to an empty line, the end of the input or the end of `buf`; returns the number of bytes.
pub fn read(buf: &mut [u8]) -> usize {
    let Ok(mut input) = semihosting::io::stdin() else { return 0 };
    let mut len = 0;
    while !buf.get(..len).is_some_and(|read| read.ends_with(b"\n\n")) {
        let Some(slot) = buf.get_mut(len..len + 1) else { break };
        if !matches!(input.read(slot), Ok(1)) {
            break;
        }
        len += 1;
    }
    len
}

fn decimal(number: i32, digits: &mut [u8; 11]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    for (place, slot) in digits.iter_mut().enumerate().rev() {
        at = place;
        if rest > 0 || place == 10 {
            *slot = b'0' + (rest % 10) as u8;
            rest /= 10;
        } else {
            *slot = b'-';
            at += usize::from(number >= 0);
            break;
        }
    }
    digits.get(at..).unwrap_or_default()
}
