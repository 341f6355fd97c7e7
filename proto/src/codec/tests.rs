//! Cases outside the vectors: guesses, sizes, streams cut anywhere.

extern crate std;

use std::vec::Vec;
use std::{format, vec};

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use hmac::Mac as _;
use rustuya_vectors::{StreamCase, Transport, by_name, streams, tinytuya};

use super::keys::keyed_hmac;
use super::{FrameError, Head, Keys, Opened, Sender, VersionHeader, crc_fits, ecb, hmac_fits, open, seal};
use crate::version::Version;
use crate::wire::command::{CommandCode, RetCode};
use crate::wire::{Front, next_frame};

const KEY: [u8; 16] = *b"0123456789abcdef";
const IV: [u8; 12] = *b"000000000001";

fn version(of: rustuya_vectors::Version) -> Version {
    of.as_str().parse().expect("a version")
}

fn device(command: CommandCode) -> Head {
    Head { sender: Sender::Device, seqno: 7, command, retcode: None, header: None }
}

fn sealed(version: Version, head: &Head, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; payload.len() * 2 + 200];
    let len = seal(&Keys::new(version, &KEY), head, &IV, payload, &mut out).expect("room");
    out.truncate(len);
    out
}

/// Opens a device's frame; the payload is a copy.
fn opened(version: Version, frame: &[u8]) -> Result<(Opened, Vec<u8>), FrameError> {
    opened_with(&Keys::new(version, &KEY), Sender::Device, frame)
}

fn opened_with(keys: &Keys, sender: Sender, frame: &[u8]) -> Result<(Opened, Vec<u8>), FrameError> {
    let mut copy = frame.to_vec();
    let opened = open(keys, sender, &mut copy)?;
    let payload = copy[opened.payload.clone()].to_vec();
    Ok((opened, payload))
}

/// Returns a 55AA frame around `body` with a CRC that fits.
fn with_crc(command: CommandCode, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, 0x55, 0xaa, 0, 0, 0, 7];
    frame.extend(command.0.to_be_bytes());
    frame.extend(u32::try_from(body.len() + 8).expect("small").to_be_bytes());
    frame.extend(body);
    frame.extend(super::crc::checksum(&frame));
    frame.extend([0, 0, 0xaa, 0x55]);
    frame
}

/// Returns a 55AA frame around `body` with an HMAC that fits.
fn with_hmac(command: CommandCode, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, 0x55, 0xaa, 0, 0, 0, 7];
    frame.extend(command.0.to_be_bytes());
    frame.extend(u32::try_from(body.len() + 36).expect("small").to_be_bytes());
    frame.extend(body);
    frame.extend(keyed_hmac(&KEY).chain_update(&frame).finalize().into_bytes());
    frame.extend([0, 0, 0xaa, 0x55]);
    frame
}

/// Returns the frames that a receiver finds in `chunks`, read one after the other.
fn received<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let (mut buf, mut frames, mut unwanted) = (Vec::new(), Vec::new(), 0);
    for chunk in chunks {
        buf.extend_from_slice(chunk);
        loop {
            unwanted -= buf.drain(..unwanted.min(buf.len())).count();
            let (garbage, front) = next_frame(&buf, 4096);
            buf.drain(..garbage);
            match front {
                Front::Frame(len) => frames.push(buf.drain(..len).collect()),
                Front::Bad(_) => drop(buf.drain(..4)),
                Front::TooLong(len) => unwanted = len,
                Front::Partial => break,
            }
        }
    }
    assert!(buf.len() < 4, "left over: {buf:02x?}");
    frames
}

/// Compares frames with those that the case expects, bytes and meaning.
fn are_expected(case: &StreamCase, frames: &[Vec<u8>], how: &str) {
    let name = &case.name;
    let keys = Keys::new(version(case.version), &case.session_key().unwrap_or(case.local_key()));
    assert_eq!(frames.len(), case.expect_frames.len(), "{name}, {how}");
    for (frame, vector) in frames.iter().zip(case.frames()) {
        assert_eq!(*frame, vector.frame(), "{name}, {how}");
        let (opened, payload) =
            opened_with(&keys, Sender::Device, frame).unwrap_or_else(|error| panic!("{name}, {how}: {error}"));
        assert_eq!(Some(opened.command.0), vector.cmd, "{name}, {how}");
        assert_eq!(payload, vector.payload_bytes(), "{name}, {how}");
    }
}

#[test]
fn streams_give_the_same_frames_however_they_are_cut() {
    assert_eq!(streams().len(), 11);
    for case in streams() {
        let chunks: Vec<_> = case.chunks().collect();
        are_expected(case, &received(chunks.iter().map(Vec::as_slice)), "as given");
        let bytes = case.bytes();
        are_expected(case, &received(bytes.chunks(1)), "byte by byte");
        for cut in 0..=bytes.len() {
            let (front, back) = bytes.split_at(cut);
            are_expected(case, &received([front, back]), &format!("cut at {cut}"));
        }
    }
}

#[test]
fn bytes_like_a_frame_do_not_hide_the_next_one() {
    let good = by_name("v3.3/default/control-ack").expect("a vector").frame();
    let mut long = good.clone();
    long[12] = 0x10;
    let mut short = good.clone();
    short[15] = 7;
    let mut unfinished = good.clone();
    *unfinished.last_mut().expect("bytes") ^= 1;
    for bad in [long, short, unfinished] {
        let bytes = [bad, good.clone()].concat();
        assert_eq!(received([&bytes[..]]), core::slice::from_ref(&good));
        assert_eq!(received(bytes.chunks(1)), core::slice::from_ref(&good));
    }
}

#[test]
fn the_published_envelope_opens_and_is_made() {
    let vector = by_name("captured/v3.1/status-body").expect("a vector");
    let keys = Keys::new(Version::V31, &vector.local_key().expect("a key"));
    let text = vector.payload_bytes();
    for retcode in [None, Some(RetCode::OK)] {
        let code = retcode.map(|code| code.0.to_be_bytes()).unwrap_or_default();
        let code = if retcode.is_some() { &code[..] } else { &[] };
        let frame = with_crc(CommandCode::STATUS, &[code, &vector.frame()].concat());
        let (opened, payload) = opened_with(&keys, Sender::Device, &frame).expect("it opens");
        assert_eq!((opened.retcode, &payload), (retcode, &text));
        let head = Head { retcode, ..device(CommandCode::STATUS) };
        let mut out = vec![0; frame.len()];
        assert_eq!(seal(&keys, &head, &IV, &text, &mut out), Ok(frame.len()));
        assert_eq!(out, frame, "signature included");
    }
}

#[test]
fn broken_envelopes_are_refused() {
    for body in [&b"3.10123456789abcdef*not base64*"[..], b"3.10123456789abcdefAAAA", b"3.10123456789abcdef"] {
        let error = opened(Version::V31, &with_crc(CommandCode::STATUS, body)).expect_err("broken");
        assert!(matches!(error, FrameError::Malformed | FrameError::Padding), "{error:?}");
    }
    // Too short for an envelope, so it is text.
    let (_, payload) = opened(Version::V31, &with_crc(CommandCode::STATUS, b"3.1")).expect("text");
    assert_eq!(payload, b"3.1");
}

#[test]
fn an_empty_push_is_empty_on_every_version() {
    for version in Version::ALL {
        let frame = sealed(version, &device(CommandCode::STATUS), b"");
        let (opened, payload) = opened(version, &frame).expect("it opens");
        assert_eq!((opened.header, payload), (None, Vec::new()), "{version}");
        assert!(frame.iter().all(|byte| *byte != 0xff) || version >= Version::V34, "{version}");
    }
}

#[test]
fn clear_error_texts_of_whole_blocks_stay_clear() {
    // 16 characters are also one block: under one key in 256 they decrypt to a text with valid padding.
    let texts: [&[u8]; 2] = [b"parse data error", b"json obj data unvalid, no dp 101"];
    let mut padded = 0;
    for text in texts {
        let frame = with_crc(CommandCode::CONTROL, &[&[0, 0, 0, 1][..], text].concat());
        for number in 0..4096_u32 {
            let mut key = [0x5a; 16];
            key[..4].copy_from_slice(&number.to_le_bytes());
            for version in [Version::V32, Version::V33] {
                let keys = Keys::new(version, &key);
                let (opened, payload) = opened_with(&keys, Sender::Device, &frame).expect("text");
                assert_eq!((opened.retcode, &payload[..]), (Some(RetCode::REFUSED), text));
            }
            let aes = aes::Aes128::new((&key).into());
            padded += u32::from(ecb::peek_padding(&aes, text).is_ok());
        }
    }
    assert!(padded > 5, "the dangerous case happened {padded} times");
}

#[test]
fn wrong_keys_show_in_the_padding() {
    let frame = sealed(Version::V33, &device(CommandCode::STATUS), br#"{"dps":{"1":true}}"#);
    let mut refused = 0;
    for key in 0..=255_u8 {
        match opened_with(&Keys::new(Version::V33, &[key; 16]), Sender::Device, &frame) {
            Err(error) => {
                assert_eq!(error, FrameError::Padding);
                refused += 1;
            }
            Ok((_, payload)) => assert_ne!(payload, br#"{"dps":{"1":true}}"#),
        }
    }
    assert!(refused >= 250, "{refused}");
}

#[test]
fn a_missing_return_code_is_noticed() {
    let json = br#"{"dps":{"1":true}}"#;
    for version in Version::ALL {
        for (retcode, header) in [(false, false), (true, false), (false, true), (true, true)] {
            let head = Head {
                retcode: retcode.then_some(RetCode::REFUSED),
                header: (header && version != Version::V31).then(|| VersionHeader::device(version, 0xf25e)),
                ..device(CommandCode::DP_QUERY)
            };
            let (opened, payload) = opened(version, &sealed(version, &head, json)).expect("it opens");
            assert_eq!(opened.retcode, head.retcode, "{version}");
            assert_eq!(opened.header, head.header, "{version}");
            assert_eq!(payload, json, "{version}");
        }
    }
}

#[test]
fn controllers_send_no_return_code() {
    // Zeros at the beginning of a controller's body belong to the payload.
    let body = [0, 0, 0, 1, b'x'];
    let frame = with_crc(CommandCode::DP_QUERY, &body);
    let keys = Keys::new(Version::V31, &KEY);
    let (opened, payload) = opened_with(&keys, Sender::Controller, &frame).expect("it opens");
    assert_eq!((opened.retcode, &payload[..]), (None, &body[..]));
}

#[test]
fn a_return_code_in_host_order_is_one() {
    for code in [RetCode::OK, RetCode::REFUSED, RetCode(0x0100_0000)] {
        let head = Head { retcode: Some(code), ..device(CommandCode::CONTROL_NEW) };
        let (opened, payload) = opened(Version::V35, &sealed(Version::V35, &head, b"")).expect("it opens");
        assert_eq!((opened.retcode, payload.len()), (Some(code), 0));
        assert_eq!(code.is_ok(), code == RetCode::OK);
    }
}

#[test]
fn version_headers_are_known_by_their_content() {
    let bytes = *b"3.3\0\0\0\0\0\0\xf2\x5e\0\0\0\x01";
    let header = VersionHeader::at_front_of(&bytes).expect("a header");
    assert_eq!((header.crc, header.sequence, header.source), (0, 0xf25e, 1));
    assert_eq!(header.version(), Some(Version::V33));
    assert_eq!(header.to_bytes(), bytes);
    assert_eq!(header, VersionHeader::device(Version::V33, 0xf25e));
    assert_eq!(VersionHeader::at_front_of(&bytes[..14]), None);
    for not in [&b"3.x\0\0\0\0\0\0\0\0\0\0\0\0"[..], b"4.3\0\0\0\0\0\0\0\0\0\0\0\0", b"{\"dps\":{\"1\":1}}"] {
        assert_eq!(VersionHeader::at_front_of(not), None);
    }
    let unknown = VersionHeader::at_front_of(b"3.9\0\0\0\0\0\0\0\0\0\0\0\0").expect("a header");
    assert_eq!(unknown.version(), None);
    // The digit need not be that of the connection.
    for version in [Version::V32, Version::V33, Version::V34, Version::V35] {
        let head = Head { header: Some(unknown), ..device(CommandCode::STATUS) };
        let (opened, payload) = opened(version, &sealed(version, &head, b"{}")).expect("it opens");
        assert_eq!((opened.header, &payload[..]), (Some(unknown), &b"{}"[..]), "{version}");
    }
}

#[test]
fn frames_have_the_stated_sizes() {
    let pad = |n: usize| n / 16 * 16 + 16;
    for n in 0..=200 {
        let text = vec![b'x'; n];
        let size = |version, command, header| {
            let head = Head { sender: Sender::Controller, header, ..device(command) };
            sealed(version, &head, &text).len()
        };
        let v31 = Version::V31;
        assert_eq!(size(v31, CommandCode::CONTROL, None), 16 + 19 + 4 * pad(n).div_ceil(3) + 8);
        assert_eq!(size(v31, CommandCode::DP_QUERY, None), n + 24);
        for (version, control, query) in [
            (Version::V32, 16 + 15 + pad(n) + 8, 16 + pad(n) + 8),
            (Version::V33, 16 + 15 + pad(n) + 8, 16 + pad(n) + 8),
            (Version::V34, 16 + pad(15 + n) + 36, 16 + pad(n) + 36),
            (Version::V35, n + 65, n + 50),
        ] {
            let header = Some(VersionHeader::controller(version));
            assert_eq!(size(version, CommandCode::CONTROL, header), control, "{version}, {n}");
            assert_eq!(size(version, CommandCode::DP_QUERY, None), query, "{version}, {n}");
        }
    }
    let acknowledgement = Head { retcode: Some(RetCode::OK), ..device(CommandCode::CONTROL) };
    let sizes = Version::ALL.map(|version| sealed(version, &acknowledgement, b"").len());
    assert_eq!(sizes, [28, 28, 28, 56, 54]);
}

#[test]
fn the_heads_of_one_command_are_as_published() {
    let old = br#"{"devId":"eb0123456789abcdefghij","uid":"eb0123456789abcdefghij","t":"1700000000","dps":{"1":true}}"#;
    let new = br#"{"protocol":5,"t":1700000000,"data":{"dps":{"1":true}}}"#;
    type Case = (Version, u32, CommandCode, &'static [u8], &'static [u8]);
    let cases: [Case; 3] = [
        (Version::V33, 1, CommandCode::CONTROL, old, b"\0\0\x55\xaa\0\0\0\x01\0\0\0\x07\0\0\0\x87"),
        (Version::V34, 3, CommandCode::CONTROL_NEW, new, b"\0\0\x55\xaa\0\0\0\x03\0\0\0\x0d\0\0\0\x74"),
        (Version::V35, 3, CommandCode::CONTROL_NEW, new, b"\0\0\x66\x99\0\0\0\0\0\x03\0\0\0\x0d\0\0\0\x62"),
    ];
    for (version, seqno, command, json, front) in cases {
        let head = Head {
            sender: Sender::Controller,
            seqno,
            command,
            retcode: None,
            header: Some(VersionHeader::controller(version)),
        };
        let frame = sealed(version, &head, json);
        assert_eq!(&frame[..front.len()], front, "{version}");
    }
}

#[test]
fn bodies_of_impossible_size_are_malformed() {
    for size in 0..=40_usize {
        let frame = with_hmac(CommandCode::STATUS, &vec![0; size]);
        for sender in [Sender::Controller, Sender::Device] {
            let possible = size % 16 == 0 || (size % 16 == 4 && sender == Sender::Device);
            let result = opened_with(&Keys::new(Version::V34, &KEY), sender, &frame);
            assert_eq!(result.is_err_and(|e| e == FrameError::Malformed), !possible, "{size}");
        }
    }
    // A frame with a CRC is shorter than any with an HMAC may be.
    let ack = with_crc(CommandCode::CONTROL, &[0; 4]);
    assert_eq!(opened(Version::V34, &ack).map(drop), Err(FrameError::Length));
}

#[test]
fn reserved_bytes_of_6699_may_be_anything() {
    let gcm = aes_gcm::Aes128Gcm::new((&KEY).into());
    let mut frame = b"\0\0\x66\x99\x12\x34\0\0\0\x07\0\0\0\x09\0\0\0\x20".to_vec();
    let aad = frame[4..].to_vec();
    frame.extend(IV);
    let mut text = [0_u8; 4];
    let tag = gcm.encrypt_inout_detached((&IV).into(), &aad, (&mut text[..]).into()).expect("short");
    frame.extend(text);
    frame.extend(tag);
    frame.extend([0, 0, 0x99, 0x66]);
    let (opened, payload) = opened(Version::V35, &frame).expect("it opens");
    assert_eq!((opened.seqno, opened.retcode, payload.len()), (7, Some(RetCode::OK), 0));
}

#[test]
fn footers_tell_the_versions_apart() {
    for vector in tinytuya().iter().filter(|v| v.transport == Transport::Tcp) {
        let name = &vector.name;
        let frame = vector.frame();
        let key = vector.local_key().expect("a key");
        let negotiation = vector.cmd.is_some_and(|code| CommandCode(code).is_negotiation());
        match version(vector.version) {
            Version::V31 | Version::V32 | Version::V33 => {
                assert!(crc_fits(&frame) && !hmac_fits(&key, &frame), "{name}");
            }
            Version::V34 => {
                assert!(!crc_fits(&frame), "{name}");
                assert_eq!(hmac_fits(&key, &frame), negotiation, "{name}");
                assert!(!hmac_fits(&[0; 16], &frame), "{name}");
            }
            Version::V35 => assert!(!crc_fits(&frame) && !hmac_fits(&key, &frame), "{name}"),
        }
    }
}
