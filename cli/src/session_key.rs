//! `rustuya session-key`: the key of a 3.4 or 3.5 connection, from what its negotiation shows.

use std::io::Write;

use rustuya_proto::{LocalKey, Version, derive_session_key};

use crate::input::{hex_16, unfit};

/// Derive the session key of a recorded 3.4 or 3.5 connection; prints 32 hex digits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Protocol version of the device: 3.4 or 3.5
    #[arg(long, value_name = "V")]
    version: Version,
    /// Local key of the device, 32 hex digits. Other users of this machine can see it while the command runs
    #[arg(long, value_name = "HEX")]
    local_key_hex: String,
    /// The client's nonce: the payload of its SessKeyNegStart frame, 32 hex digits
    #[arg(long, value_name = "HEX")]
    client_nonce_hex: String,
    /// The device's nonce: the first 16 bytes of the payload of its SessKeyNegResp frame
    #[arg(long, value_name = "HEX")]
    device_nonce_hex: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let local = LocalKey::new(hex_16("--local-key-hex", &args.local_key_hex)?);
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
