//! Emulated device with a hostile controller.

use core::time::Duration;

use rustuya_proto::{Dialect, DpValue, Instant, LocalKey, Model as _, Quirks, Sender, Version, frame_len};
use rustuya_seeded::SeededRng;

use crate::input::Input;
use crate::machines::{CHILD, Memory, Peer, emulator_config, model};

/// Runs a connection whose other end sends the input. The first byte selects version and dialect, the second a quirk.
/// An upper bit of the first byte gives the controller the local key, so that it can encrypt any payload; without it,
/// nothing that it sends may change the device.
///
/// # Panics
/// If the device stalls, writes an invalid frame, answers with far more than it received, or is changed by a controller
/// without its key.
pub fn emulator(data: &[u8]) {
    let mut input = Input::new(data);
    let (first, quirk) = (input.byte(), input.byte());
    let version = Version::ALL[usize::from(first & 7) % Version::ALL.len()];
    let dialect = if first & 8 == 0 { Dialect::Default } else { Dialect::Device22 };
    let has_key = first & 0x80 != 0;
    let mut quirks = Quirks::of(version);
    let named = Quirks::NAMES.get(usize::from(quirk)).filter(|(name, _)| !name.contains('='));
    if let Some((name, _)) = named {
        quirks.set(name).expect("named by itself");
    }
    let (mut now, mut rng, mut model) = (Instant::from_millis(1_000), SeededRng::new(u64::from(first)), model());
    let before = snapshot(&model);
    let mut config = emulator_config(version, dialect, quirks);
    if !has_key {
        // An attacker can record and replay genuine frames, so they have another key here.
        config.local_key = LocalKey::new(*b"fedcba9876543210");
    }
    let mut peer = Peer::new(config.clone(), [2048, 300][usize::from(first >> 4 & 1)], now, &mut rng);
    let (mut sent, mut frames) = (0, 0);
    for _ in 0..256 {
        if input.is_empty() {
            break;
        }
        let (op, choice) = (input.byte(), input.byte());
        let bytes = match op % 6 {
            0 | 1 => input.take(usize::from(choice)).to_vec(),
            2 | 3 if has_key => peer.tap.forge(Sender::Controller, &mut input),
            2 | 3 => front(version, choice, &mut input),
            4 => {
                now = now + Duration::from_millis(u64::from(choice) * 250);
                Vec::new()
            }
            _ => {
                // Opens another connection of the same device.
                if choice & 3 == 0 {
                    peer = Peer::new(config.clone(), 2048, now, &mut rng);
                }
                Vec::new()
            }
        };
        sent += bytes.len();
        frames += 1;
        peer.tap.controller_wrote(&bytes);
        peer.to_device.extend_from_slice(&bytes);
        // A device reads no more than it has room for, and must lose nothing of the rest.
        for _ in 0..64 {
            peer.deliver(1 + usize::from(choice) * 4);
            peer.poll(&mut model, now, &mut rng);
            if peer.to_device.is_empty() {
                break;
            }
        }
        let answered = core::mem::take(&mut peer.to_controller);
        if named.is_none() {
            whole(&answered);
        }
        // Each whole frame may cause a refusal, an answer and a push of all DPs.
        assert!(answered.len() <= (bytes.len() / 16 + 8) * 2_048, "{} bytes for {}", answered.len(), bytes.len());
    }
    if !has_key {
        assert_eq!(snapshot(&model), before, "changed without the key, by {sent} bytes in {frames} writes");
    }
}

/// Makes the start of a frame with any header fields, and any bytes after it.
fn front(version: Version, choice: u8, input: &mut Input<'_>) -> Vec<u8> {
    let body = input.take(usize::from(choice));
    let (command, seqno) = (u32::from(choice & 0x1f), u32::from(choice >> 5));
    let len = u32::try_from(body.len()).unwrap_or_default();
    if version == Version::V35 {
        let head = [&[0, 0, 0x66, 0x99, 0, 0][..], &seqno.to_be_bytes(), &command.to_be_bytes(), &len.to_be_bytes()];
        return [&head.concat()[..], body, &[0, 0, 0x99, 0x66]].concat();
    }
    let head = [&[0, 0, 0x55, 0xaa][..], &seqno.to_be_bytes(), &command.to_be_bytes(), &(len + 8).to_be_bytes()];
    let mut frame = [&head.concat()[..], body].concat();
    // Anyone can compute a checksum.
    let crc = crc32(&frame);
    frame.extend(crc.to_be_bytes());
    frame.extend([0, 0, 0xaa, 0x55]);
    frame
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let crc = crc ^ u32::from(*byte);
        (0..8).fold(crc, |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// Checks that a device without quirks writes complete frames only.
fn whole(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let len = frame_len(bytes).expect("the device writes frames").expect("the device writes whole frames");
        bytes = bytes.get(len..).expect("the device writes whole frames");
    }
}

/// Returns the DPs of the device and of its sub-device.
fn snapshot(model: &Memory) -> Vec<String> {
    let mut all = Vec::new();
    for cid in [None, Some(CHILD)] {
        model.dps(cid, &mut |dp, value: DpValue<'_>| all.push(format!("{cid:?} {dp} {value:?}")));
    }
    all
}
