//! What is given on the command line.
//!
//! Keys are not parsed by clap: its messages repeat the text that is wrong.

use core::fmt;

/// The command line is wrong: exit status 2.
#[derive(Debug)]
pub(crate) struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for UsageError {}

/// Reads hex digits of either case; white space and colons between them are fine, as captures show them.
pub(crate) fn hex_bytes(name: &str, text: &str) -> Result<Vec<u8>, UsageError> {
    let digits: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    let bytes = hex::decode(digits).map_err(|error| {
        UsageError(match error {
            hex::FromHexError::OddLength => format!("{name}: odd number of hex digits"),
            _ => format!("{name}: not hex digits"),
        })
    })?;
    if bytes.is_empty() {
        return Err(UsageError(format!("{name}: empty")));
    }
    Ok(bytes)
}

/// Reads a key or nonce.
pub(crate) fn hex_16(name: &str, text: &str) -> Result<[u8; 16], UsageError> {
    let bytes = hex_bytes(name, text)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| {
        let len = bytes.len();
        UsageError(format!(
            "{name}: must be 16 bytes (32 hex digits), not {len}"
        ))
    })
}

/// Refuses a value that has the right form but makes no sense here.
pub(crate) fn unfit(message: &str) -> UsageError {
    UsageError(message.to_owned())
}
