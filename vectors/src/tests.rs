use std::collections::HashSet;

use super::*;

#[test]
fn counts() {
    assert_eq!(tinytuya().len(), 162);
    assert_eq!(negatives().len(), 21);
    assert_eq!(streams().len(), 11);
    assert_eq!(captured().len(), 4);
}

#[test]
fn names_are_unique() {
    let mut seen = HashSet::new();
    let vectors = tinytuya().iter().chain(captured()).map(|v| &v.name);
    let others = negatives().iter().map(|v| &v.name);
    for name in vectors.chain(others).chain(streams().iter().map(|s| &s.name)) {
        assert!(seen.insert(name), "{name} is used twice");
    }
}

#[test]
fn fields_agree_with_the_frame() {
    for v in tinytuya().iter().chain(captured()) {
        let frame = v.frame();
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let name = &v.name;
        assert_eq!(v.payload.is_empty(), v.payload_bytes().is_empty(), "{name}");
        if v.seqno.is_none() {
            assert!(v.cmd.is_none() && v.retcode.is_none(), "{name}");
            continue;
        }
        match word(0) {
            0x55aa => {
                assert_eq!(Some(word(4)), v.seqno, "{name}");
                assert_eq!(Some(word(8)), v.cmd, "{name}");
                assert_eq!(word(12) as usize + 16, frame.len(), "{name}");
                if let Some(retcode) = v.retcode {
                    assert_eq!(word(16), retcode, "{name}");
                }
                assert_eq!(v.iv(), None, "{name}");
                assert_eq!(word(frame.len() - 4), 0xaa55, "{name}");
            }
            0x6699 => {
                assert_eq!(Some(word(6)), v.seqno, "{name}");
                assert_eq!(Some(word(10)), v.cmd, "{name}");
                assert_eq!(word(14) as usize + 22, frame.len(), "{name}");
                assert_eq!(v.iv().as_ref().map(|iv| &iv[..]), Some(&frame[18..30]));
                assert_eq!(word(frame.len() - 4), 0x9966, "{name}");
            }
            other => panic!("{name}: prefix {other:08x}"),
        }
    }
}

#[test]
fn keys_are_there_when_used() {
    for v in tinytuya().iter().chain(captured()) {
        match v.key_used {
            KeyUsed::Local | KeyUsed::Udp => assert!(v.local_key().is_some(), "{}", v.name),
            KeyUsed::Session => assert!(v.session_key().is_some(), "{}", v.name),
            KeyUsed::None => {}
        }
        assert_eq!(v.transport == Transport::Udp, v.udp_port.is_some());
        if let Some(header) = v.header() {
            assert!(header.starts_with(v.version.as_str().as_bytes()), "{}", v.name);
        }
    }
}

#[test]
fn captured_vectors_name_their_source() {
    for v in captured() {
        assert!(v.source.as_ref().is_some_and(|s| !s.is_empty()), "{}", v.name);
    }
    assert!(captured().iter().any(|v| v.kind == Kind::Body));
    assert!(tinytuya().iter().all(|v| v.kind == Kind::Frame && v.source.is_none()));
}

#[test]
fn streams_hold_their_frames_in_order() {
    for case in streams() {
        let bytes = case.bytes();
        let mut from = 0;
        for vector in case.frames() {
            assert_eq!(vector.version, case.version, "{}", case.name);
            assert_eq!(vector.local_key(), Some(case.local_key()), "{}", case.name);
            assert_eq!(vector.session_key(), case.session_key(), "{}", case.name);
            let frame = vector.frame();
            let at = bytes[from..].windows(frame.len()).position(|w| w == frame);
            from += at.unwrap_or_else(|| panic!("{}: {}", case.name, vector.name)) + frame.len();
        }
    }
}

#[test]
fn negatives_differ_from_every_good_frame_of_their_key() {
    for bad in negatives() {
        let frame = bad.frame();
        assert_eq!(&bad.local_key(), b"0123456789abcdef", "{}", bad.name);
        let same = tinytuya().iter().find(|v| v.frame() == frame);
        // With another session key even an intact frame is refused.
        assert!(same.is_none_or(|v| v.session_key() != bad.session_key()), "{} is a good frame", bad.name);
    }
}

#[test]
fn lookup_by_name() {
    assert_eq!(by_name("v3.5/default/dp-query").and_then(|v| v.cmd), Some(0x10));
    assert_eq!(by_name("captured/v3.3/control-ack").and_then(|v| v.seqno), Some(3));
    assert_eq!(by_name("v3.9/none"), None);
}
