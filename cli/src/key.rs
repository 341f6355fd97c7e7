//! Sources of local keys, which are never printed.

use core::fmt;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::builder::{OsStringValueParser, TypedValueParser};
use rustuya_runtime_tokio::{LocalKey, text};
use zeroize::Zeroizing;

use crate::input::{UsageError, hex_16, unfit};

/// Environment variable with a local key.
const VARIABLE: &str = "RUSTUYA_KEY";

/// Options with a local key. Without them, `RUSTUYA_KEY` is used.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// File whose first line is the local key. Without it, the key is taken from --devices, if there is that option, or
    /// from the environment variable RUSTUYA_KEY
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Local key, 16 characters. Other users of this machine can see it in the process list, and the shell keeps it
    /// in its history: prefer RUSTUYA_KEY or --key-file
    #[arg(
        long,
        value_name = "KEY",
        conflicts_with = "key_file",
        allow_hyphen_values = true,
        value_parser = OsStringValueParser::new().map(Secret::from)
    )]
    key: Option<Secret>,
}

impl KeyArgs {
    /// Returns the key of the options, if there is one.
    pub(crate) fn explicit(&self) -> anyhow::Result<Option<LocalKey>> {
        if let Some(key) = &self.key {
            return Ok(Some(key.read("--key")?));
        }
        let Some(path) = &self.key_file else {
            return Ok(None);
        };
        // The error does not repeat the path: it may be the key itself, given to the wrong option.
        let bytes = Zeroizing::new(std::fs::read(path).context("--key-file: the file cannot be read")?);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let key = match text::decode(&bytes) {
            Ok(text) => text::local_key(text.lines().next().unwrap_or_default()),
            // Sixteen bytes that are not UTF-8 are a key in Latin-1.
            Err(error) if line.len() != 16 => return Err(unfit(&format!("--key-file: {error}")).into()),
            Err(_) => LocalKey::try_from(line),
        };
        Ok(Some(key.map_err(|error| unfit(&format!("--key-file: {error}")))?))
    }

    /// Returns the key of the options, or else of the environment.
    pub(crate) fn any(&self) -> anyhow::Result<LocalKey> {
        match self.explicit()? {
            Some(key) => Ok(key),
            None => Ok(from_environment()?.ok_or_else(|| unfit("no local key: set RUSTUYA_KEY, or give --key-file"))?),
        }
    }
}

/// Environment variable with a key as hex digits.
const HEX_VARIABLE: &str = "RUSTUYA_KEY_HEX";

/// Reads a key of hex digits from the option, or else from the file, or else from the environment.
pub(crate) fn hex_key(option: &str, given: Option<&Secret>, file: Option<&Path>) -> anyhow::Result<[u8; 16]> {
    let variable = || std::env::var_os(HEX_VARIABLE).filter(|value| !value.is_empty()).map(Secret::from);
    let (source, text) = match (given, file) {
        (Some(given), _) => (option, given.clone()),
        // The error does not repeat the path: it may be the key itself, given to the wrong option.
        (None, Some(path)) => {
            let bytes = Zeroizing::new(std::fs::read(path).context("--key-file: the file cannot be read")?);
            let text = text::decode(&bytes).map_err(|error| unfit(&format!("--key-file: {error}")))?;
            let line = text.lines().next().unwrap_or_default();
            ("--key-file", Secret(Zeroizing::new(line.as_bytes().to_vec())))
        }
        (None, None) => match variable() {
            Some(text) => (HEX_VARIABLE, text),
            None => return Err(unfit(&format!("no key: set {HEX_VARIABLE}, or give --key-file or {option}")).into()),
        },
    };
    let digits = core::str::from_utf8(&text.0).map_err(|_| unfit(&format!("{source}: not hex digits")))?;
    Ok(hex_16(source, digits)?)
}

/// Returns the key in `RUSTUYA_KEY`, if that is set and not empty.
pub(crate) fn from_environment() -> Result<Option<LocalKey>, UsageError> {
    let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
    value.map(|value| Secret::from(value).read(VARIABLE)).transpose()
}

/// Returns the key as text of 16 characters.
pub(crate) fn as_text(key: &LocalKey) -> Zeroizing<String> {
    Zeroizing::new(key.expose().iter().copied().map(char::from).collect())
}

/// Text that may be a local key: wiped when dropped, absent from `Debug` output.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Reads the key. An error contains `source`.
    pub(crate) fn read(&self, source: &str) -> Result<LocalKey, UsageError> {
        // Sixteen bytes that are not UTF-8 are a key in Latin-1.
        let key = match core::str::from_utf8(&self.0) {
            Ok(text) => text::local_key(text),
            Err(_) => LocalKey::try_from(&self.0[..]),
        };
        key.map_err(|error| unfit(&format!("{source}: {error}")))
    }
}

impl From<OsString> for Secret {
    fn from(text: OsString) -> Self {
        Self(Zeroizing::new(text.into_encoded_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sixteen_characters_of_any_kind() {
        let expected = LocalKey::new(*b"a$`\\\"'<>{}|~^&;\xe9");
        let secret = |bytes: &[u8]| Secret(Zeroizing::new(bytes.to_vec()));
        assert_eq!(secret("a$`\\\"'<>{}|~^&;\u{e9}".as_bytes()).read("here").expect("UTF-8"), expected);
        assert_eq!(secret(b"a$`\\\"'<>{}|~^&;\xe9").read("here").expect("Latin-1"), expected);
    }

    #[test]
    fn input_that_is_no_key_is_not_repeated() {
        let secret = Secret::from(OsString::from("hunter2hunter2"));
        let error = secret.read("--key-file").expect_err("14 characters").to_string();
        assert!(error.starts_with("--key-file: "), "{error}");
        assert!(!format!("{error}{secret:?}").contains("hunter2"));
    }
}
