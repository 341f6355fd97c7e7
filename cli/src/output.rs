//! Lines on stdout.

use std::io::{self, Write};

use rustuya_proto::FrameError;
use serde::Serialize;

/// Writes one value as one line of JSON.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(out.write_all(&line)?)
}

/// Whether the command failed only because nobody reads its output any more, as with `| head`.
pub(crate) fn reader_left(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The word for a frame error in JSON.
pub(crate) fn error_kind(error: FrameError) -> &'static str {
    match error {
        FrameError::Prefix => "prefix",
        FrameError::Length | FrameError::TooLong { .. } => "length",
        FrameError::Suffix => "suffix",
        FrameError::Integrity => "integrity",
        FrameError::Padding => "padding",
        _ => "malformed",
    }
}
