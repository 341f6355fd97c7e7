//! Faults of bytes and frames.

use rustuya_faulty::client::Client;
use rustuya_faulty::client::MachineEvent;
use rustuya_faulty::{Fault, FaultyDevice, POISON_DP, SUFFIX_DP};
use rustuya_proto::{Command, DpId, FrameError, Outcome, Version, frame_len};

use crate::raw::Raw;
use crate::{LIMIT, VERSIONS, connected, dp_of, receives, set_int, started};

/// Checks that everything works despite the fault.
fn works(device: &FaultyDevice, client: &mut Client) {
    let (outcome, text) = client.ask(&Command::status_of(&[DpId(1)]));
    assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{}: {outcome:?}, {text:?}", device.version());
    let outcome = set_int(client, 2, 7);
    assert!(matches!(outcome, Outcome::Acknowledged { .. }), "{}: {outcome:?}", device.version());
    device.push(None, serde_json::json!({ "3": "red" }));
    assert!(receives(client, "3", &"red".into()), "{}", device.version());
    let downs = client.events.iter().filter(|told| matches!(told, MachineEvent::Down(_))).count();
    assert_eq!(downs, 0, "{}: {:?}", device.version(), client.events);
}

#[test]
fn every_byte_is_a_segment() {
    let device = started(Version::V33);
    device.set_fault(Fault::OneByteSegments);
    let mut raw = Raw::to(&device);
    // A late reader sometimes reads several bytes at once.
    let most = (0..20).map(|_| {
        raw.query();
        let (mut frame, mut single) = (Vec::new(), 0);
        while frame_len(&frame).expect("a frame").is_none_or(|len| frame.len() < len) {
            let bytes = raw.read().expect("bytes");
            single += usize::from(bytes.len() == 1);
            frame.extend(bytes);
        }
        single
    });
    let most = most.max().unwrap_or_default();
    assert!(most > 10, "at most {most} single bytes in a frame");
    for version in VERSIONS {
        let device = started(version);
        device.set_fault(Fault::OneByteSegments);
        works(&device, &mut connected(&device));
    }
}

#[test]
fn frames_come_in_two_pieces() {
    let device = started(Version::V33);
    device.set_fault(Fault::SplitAcrossReads);
    let mut raw = Raw::to(&device);
    let mut cuts = Vec::new();
    for _ in 0..20 {
        raw.query();
        let mut frame = raw.read().expect("a piece");
        let first = frame.len();
        while frame_len(&frame).expect("a frame").is_none_or(|len| frame.len() < len) {
            frame.extend(raw.read().expect("another piece"));
        }
        if first < frame.len() {
            cuts.push(first);
        }
    }
    assert!(cuts.len() > 5, "cut at {cuts:?}");
    assert!(cuts.is_sorted() && cuts.iter().all(|cut| *cut <= 20), "the cut moves on: {cuts:?}");
    for version in VERSIONS {
        let device = started(version);
        device.set_fault(Fault::SplitAcrossReads);
        let mut client = connected(&device);
        for _ in 0..10 {
            works(&device, &mut client);
        }
    }
}

#[test]
fn a_header_claims_four_gigabytes() {
    let device = started(Version::V33);
    device.set_fault(Fault::FourGiBLength);
    let mut raw = Raw::to(&device);
    raw.query();
    let bytes = raw.read().expect("a header and a frame");
    assert_eq!(frame_len(&bytes), Ok(Some(16 + u32::MAX as usize)));
    for version in VERSIONS {
        let device = started(version);
        device.set_fault(Fault::FourGiBLength);
        let mut client = connected(&device);
        works(&device, &mut client);
        assert!(client.machine().stats().resyncs > 0, "{version}");
    }
}

#[test]
fn one_prefix_is_bad() {
    let device = started(Version::V33);
    device.set_fault(Fault::BadPrefixOnce);
    let mut raw = Raw::to(&device);
    raw.query();
    let bytes = raw.read().expect("a bad header and a frame");
    assert_eq!(&bytes[..4], b"\0\0\x55\xab");
    assert_eq!(frame_len(&bytes), Err(FrameError::Prefix));
    let good = &bytes[16..];
    assert_eq!(frame_len(good), Ok(Some(good.len())), "a good frame follows at once");
    raw.query();
    raw.message();
    for version in VERSIONS {
        let device = started(version);
        device.set_fault(Fault::BadPrefixOnce);
        let mut client = connected(&device);
        works(&device, &mut client);
        assert!(client.machine().stats().resyncs > 0, "{version}");
    }
}

#[test]
fn integrity_is_broken_in_an_otherwise_sound_frame() {
    poisoned(&Fault::BadIntegrity, FrameError::Integrity);
}

#[test]
fn padding_is_missing_in_an_otherwise_sound_frame() {
    poisoned(&Fault::BadPadding, FrameError::Padding);
}

fn poisoned(fault: &Fault, error: FrameError) {
    let device = started(Version::V33);
    device.set_fault(fault.clone());
    let mut raw = Raw::to(&device);
    for _ in 0..3 {
        raw.query();
        let mut bad = raw.frame();
        assert_eq!(raw.open(&mut bad.clone()), Err(error));
        if error == FrameError::Integrity {
            // With the bit restored, it is the push that must not be delivered.
            let at = bad.len() - 5;
            bad[at] ^= 1;
            let opened = raw.open(&mut bad).expect("sound but for that bit");
            assert!(String::from_utf8_lossy(&bad[opened.payload]).contains(POISON_DP));
        }
        assert!(raw.message().text.contains("dps"), "the answer follows");
    }
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        // Before anything was decrypted, a frame with a valid CRC and bad padding proves a wrong key.
        works(&device, &mut client);
        device.set_fault(fault.clone());
        works(&device, &mut client);
        assert!(client.machine().stats().bad_frames >= 2, "{version}");
        let poison = client.delivered().find(|text| text.contains(POISON_DP));
        assert_eq!(poison, None, "{version}: a broken frame was delivered");
    }
}

#[test]
fn ciphertext_contains_the_suffix() {
    for version in VERSIONS {
        let device = started(version);
        let mut client = connected(&device);
        device.set_fault(Fault::SuffixInCiphertext);
        works(&device, &mut client);
        let delivered = |client: &Client| client.delivered().any(|text| dp_of(text, SUFFIX_DP).is_some());
        assert!(version == Version::V31 || client.run_until(LIMIT, delivered), "{version}");
        let found = client.delivered().find_map(|text| dp_of(text, SUFFIX_DP));
        if version == Version::V31 {
            assert_eq!(found, None, "base64 holds no suffix");
            continue;
        }
        assert_eq!(found.as_ref().and_then(|text| text.as_str()).map(str::len), Some(48), "{version}");
        let suffix = if version == Version::V35 { b"\0\0\x99\x66" } else { b"\0\0\xaa\x55" };
        let bytes: Vec<u8> = client.reads.iter().flatten().copied().collect();
        let mut rest = bytes.as_slice();
        let mut inside = 0;
        while let Ok(Some(len)) = frame_len(rest) {
            let (frame, behind) = rest.split_at(len);
            inside += usize::from(frame[..len - 4].windows(4).any(|window| window == suffix));
            rest = behind;
        }
        assert_eq!((inside, rest), (1, &[][..]), "{version}");
    }
}

#[test]
fn damage_hits_connections_that_live_and_those_to_come() {
    let device = started(Version::V34);
    let mut client = connected(&device);
    device.set_fault(Fault::BadIntegrity);
    works(&device, &mut client);
    let before = client.machine().stats().bad_frames;
    assert!(before > 0);
    device.clear_fault();
    works(&device, &mut client);
    assert_eq!(client.machine().stats().bad_frames, before, "sound again");
    assert!(client.run_until(LIMIT, |client| client.losses.is_empty()));
}
