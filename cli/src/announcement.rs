//! `rustuya announcement`: one discovery datagram, decoded.

use core::net::Ipv4Addr;

use anyhow::bail;
use rustuya_proto::{AnnouncementError, Datagram};
use serde::Serialize;

use crate::input::hex_bytes;
use crate::output::{error_kind, json_line};

/// Decode a discovery datagram from UDP 6666, 6667 or 7000; prints one JSON object
///
/// A datagram that announces no device prints {"error":KIND,...}, and the exit status is 1: KIND is one of those of
/// `decode`, not-json, no-id, or request for a client's request for announcements.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The whole datagram as hex digits
    #[arg(value_name = "HEX")]
    datagram: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    ip: Option<Ipv4Addr>,
    version: Option<&'static str>,
    product_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Refused {
    error: &'static str,
    detail: String,
    /// Address of the answer to a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Ipv4Addr>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut bytes = hex_bytes("HEX", &args.datagram)?;
    let mut out = std::io::stdout().lock();
    let refused = match Datagram::decode(&mut bytes) {
        Ok(Datagram::Announcement(seen)) => {
            let shown = Shown {
                id: seen.id,
                ip: seen.ip,
                version: seen.version.map(|version| version.as_str()),
                product_key: seen.product_key,
            };
            return json_line(&mut out, &shown);
        }
        Ok(Datagram::InfoRequest { ip }) => {
            Refused { error: "request", detail: "a client asks devices to announce themselves".to_owned(), ip }
        }
        Err(error) => Refused {
            error: match error {
                AnnouncementError::Frame(error) => error_kind(error),
                AnnouncementError::NotJson => "not-json",
                AnnouncementError::NoId => "no-id",
                _ => "malformed",
            },
            detail: match error {
                AnnouncementError::Frame(error) => error.to_string(),
                error => error.to_string(),
            },
            ip: None,
        },
    };
    json_line(&mut out, &refused)?;
    bail!("not an announcement: {}", refused.detail)
}
