//! Questions to the user at the terminal.

use std::io::{self, IsTerminal, Read, Write};

use crossterm::terminal;
use rustuya_cloud::Secret;
use zeroize::Zeroizing;

use super::nobody;

/// Asks for a line. `missing` is the error where nobody is there to answer.
pub(super) fn line(question: &str, missing: &str) -> anyhow::Result<String> {
    if !is_somebody_there() {
        return Err(nobody(missing).into());
    }
    prompt(question)?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let line = line.trim();
    if line.is_empty() { Err(nobody(missing).into()) } else { Ok(line.to_owned()) }
}

/// As [`line`], and what is typed is not shown.
pub(super) fn hidden(question: &str, missing: &str) -> anyhow::Result<Secret> {
    if !is_somebody_there() {
        return Err(nobody(missing).into());
    }
    let typed = {
        // Before the question: whoever types at once is not shown, either.
        let _quiet = Quiet::new()?;
        prompt(question)?;
        typed(&mut io::stdin().lock())
    };
    eprintln!();
    let typed = typed?;
    let typed = typed.trim();
    if typed.is_empty() { Err(nobody(missing).into()) } else { Ok(Secret::from(typed)) }
}

fn is_somebody_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn prompt(question: &str) -> io::Result<()> {
    let mut out = io::stderr().lock();
    out.write_all(question.as_bytes())?;
    out.flush()
}

/// While it lives, the terminal shows nothing of what is typed.
struct Quiet;

impl Quiet {
    fn new() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A failure here can be reported to nobody.
        let _ = terminal::disable_raw_mode();
    }
}

/// Longer than any secret.
const MOST: usize = 512;

/// Reads keys up to the end of the line; the terminal does nothing by itself now.
fn typed(keys: &mut impl Read) -> io::Result<Zeroizing<String>> {
    // Room for all, so that no copy is left behind where the text grows.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST));
    loop {
        let mut key = [0];
        if keys.read(&mut key)? == 0 {
            break;
        }
        match key[0] {
            b'\r' | b'\n' | 4 => break,
            3 => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            8 | 0x7f => {
                // A character may have several bytes.
                while bytes.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            21 => bytes.clear(),
            byte if byte >= b' ' && bytes.len() < MOST => bytes.push(byte),
            _ => {}
        }
    }
    let text = core::str::from_utf8(&bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "no UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_a_line() {
        let read = |keys: &[u8]| typed(&mut &keys[..]).map(|text| text.as_str().to_owned()).ok();
        assert_eq!(read(b"secret\rmore").as_deref(), Some("secret"));
        assert_eq!(read("x\u{7f}se\u{e9}\u{7f}c\x08cret\n".as_bytes()).as_deref(), Some("secret"));
        assert_eq!(read(b"wrong\x15\x1bsecret").as_deref(), Some("secret"), "ends with the input");
        assert_eq!(read(b"sec\x03ret\n"), None);
        assert_eq!(read(b"\xff\n"), None);
        assert_eq!(read(&[b'a'; 2000]).map(|text| text.len()), Some(MOST));
    }
}
