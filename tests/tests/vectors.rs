//! Tests the public codec with the test vectors, in both directions.

use rustuya_proto::{
    CommandCode, FrameError, FrameKind, Head, Keys, NoRoom, RetCode, Sender, Version, VersionHeader, frame_kind,
    frame_len, open, seal,
};
use rustuya_vectors::{Direction, Expect, KeyUsed, Negative, Transport, Vector, captured, negatives, tinytuya};

/// Converts a vector's version to the core's.
const fn version(of: rustuya_vectors::Version) -> Version {
    match of {
        rustuya_vectors::Version::V31 => Version::V31,
        rustuya_vectors::Version::V32 => Version::V32,
        rustuya_vectors::Version::V33 => Version::V33,
        rustuya_vectors::Version::V34 => Version::V34,
        rustuya_vectors::Version::V35 => Version::V35,
    }
}

/// Converts a vector's sender to the core's.
const fn sender(of: Direction) -> Sender {
    match of {
        Direction::Client => Sender::Controller,
        Direction::Device => Sender::Device,
    }
}

/// Returns the keys of a vector's frame: the local key for negotiation frames, for all others the session key where
/// there is one.
///
/// # Panics
/// If the vector has no key.
fn keys(vector: &Vector) -> Keys {
    let negotiation = vector.cmd.is_some_and(|code| CommandCode(code).is_negotiation());
    let key = if negotiation { vector.local_key() } else { vector.session_key().or_else(|| vector.local_key()) };
    let key = key.unwrap_or_else(|| panic!("{}: no key", vector.name));
    Keys::new(version(vector.version), &key)
}

/// Returns the header of a vector's frame.
///
/// # Panics
/// If the vector is not a frame.
fn head(vector: &Vector) -> Head {
    let (Some(seqno), Some(command)) = (vector.seqno, vector.cmd) else {
        panic!("{}: not a frame", vector.name);
    };
    Head {
        sender: sender(vector.direction),
        seqno,
        command: CommandCode(command),
        retcode: vector.retcode.map(RetCode),
        header: vector.header().and_then(|bytes| VersionHeader::at_front_of(&bytes)),
    }
}

fn tcp() -> impl Iterator<Item = &'static Vector> {
    tinytuya().iter().filter(|vector| vector.transport == Transport::Tcp)
}

/// Decodes `vector` with `keys` and compares all its fields.
fn opens_as_stated(vector: &Vector, keys: &Keys) {
    let name = &vector.name;
    let mut frame = vector.frame();
    assert_eq!(frame_len(&frame), Ok(Some(frame.len())), "{name}");
    let kind = if vector.version == rustuya_vectors::Version::V35 { FrameKind::F6699 } else { FrameKind::F55aa };
    assert_eq!(frame_kind(&frame), Some(kind), "{name}");
    let opened = open(keys, sender(vector.direction), &mut frame).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(Some(opened.seqno), vector.seqno, "{name}");
    assert_eq!(Some(opened.command.0), vector.cmd, "{name}");
    assert_eq!(opened.retcode.map(|code| code.0), vector.retcode, "{name}");
    assert_eq!(opened.header.map(|header| header.to_bytes()), vector.header(), "{name}");
    let payload = &frame[opened.payload];
    assert_eq!(payload, vector.payload_bytes(), "{name}: {}", payload.escape_ascii());
}

#[test]
fn every_frame_opens_to_its_meaning() {
    let mut count = 0;
    for vector in tcp() {
        opens_as_stated(vector, &keys(vector));
        count += 1;
    }
    assert_eq!(count, 150);
}

#[test]
fn captured_frames_open_under_any_key() {
    // The keys of these vectors are not public; acknowledgements and clear error texts need none.
    let mut count = 0;
    for vector in captured().iter().filter(|vector| vector.cmd.is_some()) {
        assert_eq!(vector.key_used, KeyUsed::None, "{}", vector.name);
        for key in 0..=255 {
            opens_as_stated(vector, &Keys::new(version(vector.version), &[key; 16]));
        }
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn every_frame_is_sealed_to_the_same_bytes() {
    let (mut client, mut device, mut not_ours) = (0, 0, Vec::new());
    for vector in tcp() {
        let name = &vector.name;
        let head = head(vector);
        assert_eq!(head.header.map(|header| header.to_bytes()), vector.header(), "{name}");
        if vector.key_used == KeyUsed::None && is_clear_error(vector) {
            // Errors of 3.2 and 3.3 in clear text are accepted, but never sent.
            not_ours.push(name.as_str());
            continue;
        }
        let iv = vector.iv().unwrap_or([0; 12]);
        let expected = vector.frame();
        let mut out = vec![0x5a; expected.len()];
        let sealed = seal(&keys(vector), &head, &iv, &vector.payload_bytes(), &mut out);
        assert_eq!(sealed, Ok(expected.len()), "{name}");
        assert_eq!(hex(&out), vector.frame_hex, "{name}");
        let short = &mut out[..expected.len() - 1];
        assert_eq!(
            seal(&keys(vector), &head, &iv, &vector.payload_bytes(), short),
            Err(NoRoom { need: expected.len() }),
            "{name}"
        );
        match vector.direction {
            Direction::Client => client += 1,
            Direction::Device => device += 1,
        }
    }
    assert_eq!(not_ours, ["v3.2/device22/error-clear-text", "v3.3/default/error-clear-text"]);
    assert_eq!((client, device), (74, 74));
}

fn is_clear_error(vector: &Vector) -> bool {
    matches!(version(vector.version), Version::V32 | Version::V33) && !vector.payload.is_empty()
}

#[test]
fn every_negative_is_refused_for_its_reason() {
    for negative in negatives() {
        let name = &negative.name;
        let mut frame = negative.frame();
        let before = frame.clone();
        let opened = open(&negative_keys(negative), sender(negative.direction), &mut frame);
        match negative.expect {
            Expect::Integrity => assert_eq!(opened, Err(FrameError::Integrity), "{name}"),
            Expect::Suffix => assert_eq!(opened, Err(FrameError::Suffix), "{name}"),
            Expect::Length => assert_eq!(opened, Err(FrameError::Length), "{name}"),
            Expect::Prefix => assert_eq!(opened, Err(FrameError::Prefix), "{name}"),
            Expect::Padding => assert_eq!(opened, Err(FrameError::Padding), "{name}"),
            Expect::Handshake => {
                // The frame is valid; only the session detects the wrong proof inside.
                let opened = opened.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(opened.payload.len(), 48, "{name}");
                continue;
            }
        }
        assert_eq!(frame, before, "{name}: a refused frame keeps its bytes");
    }
    assert_eq!(negatives().len(), 21);
}

fn negative_keys(negative: &Negative) -> Keys {
    let key = negative.session_key().unwrap_or(negative.local_key());
    Keys::new(version(negative.version), &key)
}

#[test]
fn frames_of_the_other_kind_are_an_integrity_failure() {
    for vector in tcp() {
        let other = match version(vector.version) {
            Version::V35 => Version::V34,
            Version::V31 | Version::V32 | Version::V33 | Version::V34 => Version::V35,
        };
        let keys = Keys::new(other, &vector.local_key().expect("TCP vectors have a key"));
        for sender in [Sender::Controller, Sender::Device] {
            assert_eq!(open(&keys, sender, &mut vector.frame()), Err(FrameError::Integrity), "{}", vector.name);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
