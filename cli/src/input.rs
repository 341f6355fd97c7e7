//! Arguments of the command line.
//!
//! clap does not parse keys, because its messages repeat the wrong text.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::path::Path;

use rustuya_runtime_tokio::text;
use serde_json::{Map, Value};

/// Wrong command line: exit status 2.
#[derive(Debug)]
pub struct UsageError(String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for UsageError {}

/// Replacement for an argument that is not repeated.
pub(crate) const HIDDEN: &str = "(not repeated: it may be a local key)";

/// Returns the given name, or [`HIDDEN`] if it may be a key.
pub(crate) fn shown(name: &str) -> &str {
    if text::may_be_key(name) { HIDDEN } else { name }
}

/// Returns the given path with its option, or [`HIDDEN`] in place of a path that may be a key.
pub(crate) fn file(option: &str, path: &Path) -> String {
    let name = path.display().to_string();
    // An absolute path is no misspelt key.
    let is_path = path.is_absolute() && name.chars().count() != 16;
    format!("{option} {}", if is_path { &name } else { shown(&name) }).trim_start().to_owned()
}

/// Reads hex digits of either case. Accepts white space and colons between them, as in captures.
pub(crate) fn hex_bytes(name: &str, text: &str) -> Result<Vec<u8>, UsageError> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
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
        UsageError(format!("{name}: must be 16 bytes (32 hex digits), not {len}"))
    })
}

/// Creates the error for a value that has the right form but makes no sense here.
pub(crate) fn unfit(message: &str) -> UsageError {
    UsageError(message.to_owned())
}

/// Reads a number of seconds above zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let sensible = |seconds: &Duration| !seconds.is_zero() && *seconds <= LONGEST;
    seconds.filter(sensible).ok_or("must be a number of seconds above 0")
}

/// A hundred years; more would overflow clocks.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// UDP ports of announcements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports(pub(crate) [u16; 3]);

impl FromStr for Ports {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ports: Result<Vec<u16>, _> = text.split(',').map(str::parse).collect();
        let ports = ports.ok().and_then(|ports| ports.try_into().ok());
        ports.map(Self).ok_or("must be three port numbers, such as 6666,6667,7000")
    }
}

/// Reads a JSON object whose keys are DP numbers.
pub(crate) fn dp_map(name: &str, text: &str) -> Result<Map<String, Value>, UsageError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(dps)) if dps.keys().all(|dp| is_dp(dp)) => Ok(dps),
        _ => Err(UsageError(format!("{name}: must be a JSON object of DPs, such as {{\"1\":true,\"2\":50}}"))),
    }
}

/// Reads the number of a DP.
pub(crate) fn dp(text: &str) -> Result<u16, &'static str> {
    text.trim().parse().map_err(|_| "DPs are numbers from 0 to 65535, such as 1,20")
}

/// Returns whether `text` is the number of a DP.
pub(crate) fn is_dp(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|dp| dp.to_string() == text)
}
