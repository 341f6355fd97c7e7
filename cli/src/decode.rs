//! `rustuya decode`: frames of a command connection, verified and decrypted.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use rustuya_proto::{FrameError, FrameKind, Keys, RetCode, Sender, Version, frame_kind, frame_len, open};
use serde::Serialize;
use serde_json::Value;

use crate::input::hex_bytes;
use crate::key::{Secret, hex_key};
use crate::output::{error_kind, json_line};

/// Verify and decrypt frames; prints one JSON object per frame
///
/// A frame that does not verify prints {"error":KIND,...} in its place, KIND being integrity, suffix, length, prefix,
/// padding or malformed, and the exit status is 1. Garbage between frames is an error of kind prefix.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Protocol version of the device: 3.1, 3.2, 3.3, 3.4 or 3.5
    #[arg(long, value_name = "V")]
    version: Version,
    /// Key for every frame given, 32 hex digits: the local key, or for 3.4 and 3.5 after the negotiation the session
    /// key. Other users of this machine can see it in the process list: prefer --key-file, or the environment variable
    /// RUSTUYA_KEY_HEX
    #[arg(
        long,
        value_name = "HEX",
        conflicts_with = "key_file",
        value_parser = OsStringValueParser::new().map(Secret::from)
    )]
    key_hex: Option<Secret>,
    /// File whose first line is the key, 32 hex digits
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Sender of the frames
    #[arg(long, value_enum, default_value_t = From::Device)]
    from: From,
    /// Frames as hex digits, one or several back to back
    #[arg(required = true, value_name = "FRAME_HEX")]
    frames: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum From {
    Device,
    Client,
}

/// A frame that verified.
#[derive(Serialize)]
struct Decoded {
    seqno: u32,
    cmd: u32,
    name: Option<&'static str>,
    retcode: Option<u32>,
    payload: Value,
    payload_hex: String,
}

/// Bytes that are not a valid frame.
#[derive(Serialize)]
struct Refused {
    error: &'static str,
    detail: String,
    /// Offset of the refused bytes in their argument.
    offset: usize,
    /// Number of skipped bytes.
    length: usize,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let key = hex_key("--key-hex", args.key_hex.as_ref(), args.key_file.as_deref())?;
    let mut streams = Vec::new();
    for text in &args.frames {
        streams.push(hex_bytes("FRAME_HEX", text)?);
    }
    let keys = Keys::new(args.version, &key);
    let sender = match args.from {
        From::Device => Sender::Device,
        From::Client => Sender::Controller,
    };
    let mut out = std::io::stdout().lock();
    let mut refused = 0usize;
    for stream in &mut streams {
        refused += decode_stream(&keys, sender, stream, &mut out)?;
    }
    match refused {
        0 => Ok(()),
        1 => bail!("1 frame does not verify"),
        n => bail!("{n} frames do not verify"),
    }
}

/// Prints every frame in `stream` and returns the number of refused ones.
fn decode_stream(keys: &Keys, sender: Sender, stream: &mut [u8], out: &mut impl Write) -> anyhow::Result<usize> {
    let mut refused = 0;
    let mut at = 0;
    while let Some(rest) = stream.get_mut(at..).filter(|rest| !rest.is_empty()) {
        let (error, length) = match whole_frame(rest) {
            Ok(frame) => {
                let length = frame.len();
                match open_frame(keys, sender, frame) {
                    Ok(decoded) => {
                        json_line(out, &decoded)?;
                        at += length;
                        continue;
                    }
                    // The length field may be damaged, so the next frame may begin inside this one.
                    Err(error @ FrameError::Suffix) => (error, next_prefix(rest)),
                    Err(error) => (error, length),
                }
            }
            Err(error) => (error, next_prefix(rest)),
        };
        refused += 1;
        let found = frame_kind(rest);
        json_line(
            out,
            &Refused { error: error_kind(error), detail: detail(error, keys.version(), found), offset: at, length },
        )?;
        at += length;
    }
    Ok(refused)
}

/// Returns the frame that `rest` begins with.
fn whole_frame(rest: &mut [u8]) -> Result<&mut [u8], FrameError> {
    let len = frame_len(rest)?.ok_or(FrameError::Length)?;
    rest.get_mut(..len).ok_or(FrameError::Length)
}

/// Returns the offset of the next prefix behind the front of `rest`, or the end.
fn next_prefix(rest: &[u8]) -> usize {
    (1..rest.len()).find(|at| rest.get(*at..).and_then(frame_kind).is_some()).unwrap_or(rest.len())
}

fn open_frame(keys: &Keys, sender: Sender, frame: &mut [u8]) -> Result<Decoded, FrameError> {
    let opened = open(keys, sender, frame)?;
    let payload = frame.get(opened.payload).unwrap_or_default();
    Ok(Decoded {
        seqno: opened.seqno,
        cmd: opened.command.0,
        name: opened.command.name(),
        retcode: opened.retcode.map(RetCode::number),
        payload: readable(payload),
        payload_hex: hex::encode(payload),
    })
}

/// Returns JSON objects and arrays as they are, other text as a string, and other bytes (such as nonces) as `null`.
fn readable(payload: &[u8]) -> Value {
    let text = String::from_utf8_lossy(payload);
    if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(&text) {
        return value;
    }
    let printable = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    if text.is_empty() || !text.chars().all(printable) {
        return Value::Null;
    }
    Value::String(text.into_owned())
}

/// Describes the error, as far as the bytes show its cause.
fn detail(error: FrameError, version: Version, found: Option<FrameKind>) -> String {
    let expected = match version {
        Version::V35 => FrameKind::F6699,
        Version::V31 | Version::V32 | Version::V33 | Version::V34 => FrameKind::F55aa,
    };
    match (error, found) {
        (FrameError::Integrity, Some(FrameKind::F6699)) if expected != FrameKind::F6699 => {
            format!("a 6699 frame: the device uses 3.5, not {version}")
        }
        (FrameError::Integrity, Some(FrameKind::F55aa)) if expected != FrameKind::F55aa => {
            format!("a 55AA frame: the device uses 3.4 or older, not {version}")
        }
        (FrameError::Length, Some(_)) => "the length field is impossible, or the frame is not complete".to_owned(),
        _ => error.to_string(),
    }
}
