//! Lines of text for the host. Not `core::fmt`, which costs more flash than the whole of this image's own code.

use semihosting::io::{Read as _, Write as _};

/// A piece of a line.
#[derive(Clone, Copy)]
pub enum Part<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

impl<'a> From<&'a str> for Part<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Part<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// Prints one line. A host that does not listen misses it.
pub fn line(parts: &[Part<'_>]) {
    let Ok(mut out) = semihosting::io::stdout() else { return };
    for part in parts {
        let _ = match part {
            Part::Text(text) => out.write_all(text.as_bytes()),
            Part::Number(number) => {
                let mut digits = [0; 20];
                out.write_all(decimal(*number, &mut digits))
            }
        };
    }
    let _ = out.write_all(b"\n");
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

fn decimal(number: i64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    for (place, slot) in digits.iter_mut().enumerate().rev() {
        *slot = b'0' + (rest % 10) as u8;
        rest /= 10;
        at = place;
        if rest == 0 {
            break;
        }
    }
    if let Some(slot) = at.checked_sub(1).and_then(|place| digits.get_mut(place)).filter(|_| number < 0) {
        *slot = b'-';
        at -= 1;
    }
    digits.get(at..).unwrap_or_default()
}
