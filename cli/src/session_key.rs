//! `rustuya session-key`: derives the key of a 3.4 or 3.5 connection from its negotiation.

use std::io::Write;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use rustuya_proto::{LocalKey, Version, derive_session_key};

use crate::input::{hex_16, unfit};
use crate::key::{Secret, hex_key};

/// Derive the session key of a recorded 3.4 or 3.5 connection; prints 32 hex digits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Protocol version of the device: 3.4 or 3.5
    #[arg(long, value_name = "V")]
    version: Version,
    /// Local key of the device, 32 hex digits. Other users of this machine can see it in the process list: prefer
    /// --key-file, or the environment variable RUSTUYA_KEY_HEX
    #[arg(
        long,
        value_name = "HEX",
        conflicts_with = "key_file",
        value_parser = OsStringValueParser::new().map(Secret::from)
    )]
    local_key_hex: Option<Secret>,
    /// File whose first line is the local key, 32 hex digits
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The client's nonce: the payload of its SessKeyNegStart frame, 32 hex digits
    #[arg(long, value_name = "HEX")]
    client_nonce_hex: String,
    /// The device's nonce: the first 16 bytes of the payload of its SessKeyNegResp frame
    #[arg(long, value_name = "HEX")]
    device_nonce_hex: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let local = LocalKey::new(hex_key("--local-key-hex", args.local_key_hex.as_ref(), args.key_file.as_deref())?);
    let client = hex_16("--client-nonce-hex", &args.client_nonce_hex)?;
    let device = hex_16("--device-nonce-hex", &args.device_nonce_hex)?;
    let key = derive_session_key(args.version, &local, &client, &device)
        .ok_or_else(|| unfit("--version: only 3.4 and 3.5 negotiate a session key"))?;
    writeln!(std::io::stdout(), "{}", hex::encode(key.expose()))?;
    if key.is_refused_by_firmware() {
        eprintln!("rustuya: note: firmware refuses keys that begin with 00, and so would a client");
    }
    Ok(())
}
