//! Errors in records.

use core::error::Error;
use core::fmt;
use std::io;

/// A record cannot be replayed any further.
///
/// ```
/// # use rustuya_record::{RecordErrorKind, Replay};
/// let error = Replay::new(&b"hello"[..]).err().ok_or("that is no record")?;
/// assert!(matches!(error.kind, RecordErrorKind::NoRecord));
/// assert_eq!(error.line, 1);
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RecordError {
    /// The line, from 1.
    pub line: u64,
    /// Kind of the error.
    pub kind: RecordErrorKind,
}

/// Kind of an error in a line.
///
/// ```
/// # use rustuya_record::{RecordErrorKind, Replay};
/// let newer = br#"{"record":"rustuya","format":999,"redacted":true}"#;
/// let error = Replay::new(&newer[..]).err().ok_or("that is from the future")?;
/// assert!(matches!(error.kind, RecordErrorKind::Format(999)));
/// # Ok::<(), &str>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordErrorKind {
    /// The record could not be read.
    #[error("it cannot be read")]
    Io(#[source] io::Error),
    /// The first line is not that of a record.
    #[error("this is no record: a record begins with {{\"record\":\"rustuya\"")]
    NoRecord,
    /// The record is of a later format.
    #[error("it is of format {0}, which this version does not know: use a newer one")]
    Format(u32),
    /// The line is not JSON, or not of the form that a record has.
    #[error("it is damaged")]
    Malformed(#[source] serde_json::Error),
    /// The line is longer than any that is written.
    #[error("it is longer than {0} bytes: the record is damaged")]
    TooLong(usize),
    /// A field has an impossible value.
    #[error("it is damaged: {0}")]
    Value(&'static str),
    /// Time runs backwards.
    #[error("its time is before that of the line before: the lines are not in their order")]
    Time,
    /// The line is about a device that was not described before.
    #[error("device {0} is not described before this line: the beginning of the record is missing")]
    UnknownDevice(u32),
    /// More devices than a replay holds.
    #[error("it describes more than {0} devices: split the record")]
    TooManyDevices(usize),
    /// The record holds the real bytes, which only the local key opens.
    #[error("the record is not redacted: give the device's local key number {0}")]
    KeyNeeded(u32),
}

impl RecordError {
    pub(crate) const fn new(line: u64, kind: RecordErrorKind) -> Self {
        Self { line, kind }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the record: {}", self.line, self.kind)
    }
}

impl Error for RecordError {
    /// Returns the source of the kind, whose own text is part of this error's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}
