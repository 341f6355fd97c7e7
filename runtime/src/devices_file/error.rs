//! Errors of files of devices.

use std::io;

use crate::text::NotText;

/// Reason why a file of devices cannot be used.
///
/// ```
/// # use rustuya_runtime::{DevicesFile, DevicesFileError};
/// assert!(matches!(DevicesFile::parse(b"{}"), Err(DevicesFileError::NoList)));
/// let error = DevicesFile::parse(b"[{").expect_err("has no end");
/// assert!(error.to_string().contains("line 1"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevicesFileError {
    /// The file cannot be read.
    #[error("the file cannot be read: check path and permissions")]
    Io(#[source] io::Error),
    /// The file cannot be written. It is unchanged.
    #[error("the file cannot be written: check the permissions of it and of its folder; it is unchanged")]
    Write(#[source] io::Error),
    /// The file is not Unicode text.
    #[error(transparent)]
    NotText(#[from] NotText),
    /// The file is UTF-16, which other programs that use it cannot read.
    #[error(
        "the file is UTF-16: save it as UTF-8, as other programs expect it (PowerShell: `Out-File -Encoding utf8`)"
    )]
    Utf16,
    /// The file is not JSON.
    #[error("the file is damaged at line {line}, column {column}: {kind}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// Kind of the error. Quotes nothing of the text.
        kind: &'static str,
    },
    /// The file is JSON without devices.
    #[error("the file has no list of devices: give a devices.json or snapshot.json as tinytuya writes it")]
    NoList,
    /// Several devices have this name.
    #[error("several devices are called {0}: give the id")]
    Ambiguous(String),
}

impl DevicesFileError {
    /// Returns the position at which the text is not JSON.
    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        Self::NotJson {
            line: error.line(),
            column: error.column(),
            kind: if error.is_eof() { "the end is missing (EOF)" } else { "not JSON" },
        }
    }
}
