//! Frames: any bytes are refused or decoded, and a decoded frame survives a round trip.

use rustuya_proto::{
    CommandCode, FrameError, Head, Keys, Opened, RetCode, Sender, Version, VersionHeader, frame_kind, frame_len, open,
    seal,
};

const KEY: [u8; 16] = *b"0123456789abcdef";
const IV: [u8; 12] = *b"000000000001";
const SENDERS: [Sender; 2] = [Sender::Controller, Sender::Device];

/// Decodes `data` as a stream of frames of every version and both senders, and as the content of frames with valid
/// integrity checks.
///
/// # Panics
/// If a decoded frame changes when it is encoded and decoded again, or if an encoded one does not decode.
pub fn frame(data: &[u8]) {
    let all = Version::ALL.map(|version| Keys::new(version, &KEY));
    scan(data, &all);
    inside(data, &all);
}

/// Returns whether `head` and `payload` survive a round trip through the frame `sealed`. They do unless they are
/// ambiguous: a receiver must guess whether there is a return code or a version header.
#[must_use]
pub fn survives(version: Version, head: &Head, payload: &[u8], sealed: &[u8]) -> bool {
    let body = sealed.get(16..).unwrap_or_default();
    let empty_header = head.header.map(VersionHeader::to_bytes).unwrap_or_default();
    let header: &[u8] = if head.header.is_some() { &empty_header } else { &[] };
    match version {
        Version::V31 => {
            head.header.is_none()
                && !(payload.len() >= 19 && payload.starts_with(b"3.1"))
                && retcode_by_value(head, body)
        }
        Version::V32 | Version::V33 => {
            let ciphertext = body.get(..body.len().saturating_sub(8)).unwrap_or_default();
            let clear = ciphertext.iter().rev().take(16).all(|b| (b' '..=b'~').contains(b));
            (payload.is_empty() || !clear) && retcode_by_value(head, body)
        }
        Version::V34 => head.header.is_some() || VersionHeader::at_front_of(payload).is_none(),
        Version::V35 => {
            let text: Vec<u8> = [header, payload].concat();
            let guess = head.sender == Sender::Controller
                || match head.retcode {
                    Some(_) if head.command == CommandCode::SESS_KEY_NEG_RESP => text.len() != 44,
                    Some(code) => !begins_like_text(&code.0.to_be_bytes()),
                    None if text.len() < 4 => true,
                    None if head.command == CommandCode::SESS_KEY_NEG_RESP => text.len() == 48,
                    None => begins_like_text(&text),
                };
            guess && (head.header.is_some() || VersionHeader::at_front_of(payload).is_none())
        }
    }
}

/// Returns whether a body of 3.1 to 3.3 seems to have a return code: three zero bytes at its start.
fn retcode_by_value(head: &Head, body: &[u8]) -> bool {
    match head.retcode {
        _ if head.sender == Sender::Controller => true,
        Some(code) => code.0 < 0x100,
        None => !body.starts_with(&[0, 0, 0]),
    }
}

fn begins_like_text(front: &[u8]) -> bool {
    front.starts_with(b"{") || front.starts_with(b"3.") || front.iter().take(4).all(u8::is_ascii_graphic)
}

fn scan(data: &[u8], all: &[Keys]) {
    let mut rest = data;
    while !rest.is_empty() {
        match frame_len(rest) {
            Ok(Some(len)) if len <= rest.len() => {
                assert!(frame_kind(rest).is_some());
                let (whole, behind) = rest.split_at(len);
                for keys in all {
                    for sender in SENDERS {
                        opened(keys, sender, whole);
                    }
                }
                rest = behind;
            }
            Ok(_) | Err(FrameError::Length) => rest = &rest[1..],
            Err(error) => {
                assert_eq!(error, FrameError::Prefix);
                rest = &rest[1..];
            }
        }
    }
}

/// Decodes a copy of `whole`, then encodes and decodes the result again.
fn opened(keys: &Keys, sender: Sender, whole: &[u8]) {
    let mut copy = whole.to_vec();
    match open(keys, sender, &mut copy) {
        Ok(opened) => {
            let head = head(sender, &opened);
            again(keys, &head, &copy[opened.payload]);
        }
        Err(FrameError::Integrity | FrameError::Length | FrameError::Suffix) => {
            assert_eq!(copy, whole, "a refused frame keeps its bytes");
        }
        Err(_) => {}
    }
}

fn head(sender: Sender, opened: &Opened) -> Head {
    Head { sender, seqno: opened.seqno, command: opened.command, retcode: opened.retcode, header: opened.header }
}

fn again(keys: &Keys, head: &Head, payload: &[u8]) {
    let mut out = vec![0xa5; payload.len() * 2 + 256];
    let len = seal(keys, head, &IV, payload, &mut out).expect("there is room");
    let sealed = &mut out[..len];
    if !survives(keys.version(), head, payload, sealed) {
        return;
    }
    let second = open(keys, head.sender, sealed).unwrap_or_else(|error| panic!("{head:?} does not open: {error}"));
    assert_eq!(self::head(head.sender, &second), *head);
    assert_eq!(&sealed[second.payload], payload);
}

/// Uses `data` as the content of frames with valid integrity checks, to reach the layers behind them.
fn inside(data: &[u8], all: &[Keys]) {
    let (Some((&[choice, code], text)), Some(plain)) = (data.split_first_chunk(), all.first()) else {
        return;
    };
    let command = CommandCode(u32::from(code));
    let plain_head =
        Head { sender: Sender::Controller, seqno: 1, command: CommandCode::DP_QUERY, retcode: None, header: None };
    let mut out = vec![0; text.len() * 2 + 256];
    // The body of a 3.1 query is not encrypted: any body with a valid CRC.
    let len = seal(plain, &plain_head, &IV, text, &mut out).expect("there is room");
    for keys in all {
        for sender in SENDERS {
            opened(keys, sender, &out[..len]);
        }
    }
    // Any plaintext with a valid HMAC or tag, decoded as a device's frame.
    for keys in all {
        let head = Head { command, ..plain_head };
        let len = seal(keys, &head, &IV, text, &mut out).expect("there is room");
        opened(keys, Sender::Device, &out[..len]);
        let head = Head {
            sender: Sender::Device,
            seqno: u32::from(choice),
            command,
            retcode: (choice & 1 == 0).then_some(RetCode(u32::from(choice >> 2))),
            header: (choice & 2 == 0 && keys.version() != Version::V31)
                .then(|| VersionHeader::device(keys.version(), u32::from(code))),
        };
        again(keys, &head, text);
    }
}
