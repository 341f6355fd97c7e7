//! Invalid frames, made from valid ones.

use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherDecrypt as _, KeyInit as _};
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use rustuya_proto::{FrameKind, Scheme, Version};
use rustuya_seeded::SeededRng;
use serde_json::Value;
use sha2::Sha256;

use crate::fault::STALE;
use crate::tap::{Clear, Tap};

/// Text in a push that [`with_suffix`] overwrites.
pub(crate) const FILLER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffff";

/// Flips one bit of the frame's CRC, HMAC or tag.
pub(crate) fn bad_integrity(mut frame: Vec<u8>) -> Vec<u8> {
    // In every kind of frame, the last byte of the check precedes the suffix.
    if let Some(at) = frame.len().checked_sub(5) {
        frame[at] ^= 1;
    }
    frame
}

/// Makes the same message without padding, with a valid check. Text of whole blocks then ends in spaces, which are
/// never valid padding.
pub(crate) fn bad_padding(tap: &Tap, clear: &Clear, iv: &[u8; 12]) -> Option<Vec<u8>> {
    let mut clear = clear.clone();
    let (inner, footer) = match tap.version().scheme() {
        Scheme::PlainMd5 | Scheme::EcbOuterHeader => (0, 8),
        Scheme::EcbInnerHeader => (clear.head.header.map_or(0, |_| 15), 36),
        Scheme::Gcm => return tap.seal(&clear, iv).map(bad_integrity),
    };
    while !(clear.payload.len() + inner).is_multiple_of(16) {
        clear.payload.push(b' ');
    }
    let mut frame = tap.seal(&clear, iv)?;
    let mut body = frame.split_off(16);
    body.truncate(body.len() - footer);
    if tap.version() == Version::V31 {
        // Return code, `3.1`, signature, base64.
        let front = clear.head.retcode.map_or(0, |_| 4) + 3;
        let mut text = body.split_off(front + 16);
        let len = Base64::decode_in_place(&mut text).ok()?.len();
        let mut encoded = vec![0; text.len() * 2];
        let encoded = Base64::encode(&text[..len - 16], &mut encoded).ok()?;
        body.truncate(front);
        body.extend(sign_31(tap.key()?, encoded).bytes());
        body.extend(encoded.bytes());
    } else {
        body.truncate(body.len() - 16);
    }
    let length = u32::try_from(body.len() + footer).ok()?;
    frame[12..16].copy_from_slice(&length.to_be_bytes());
    frame.extend(body);
    if footer == 8 {
        let crc = crc32fast::hash(&frame);
        frame.extend(crc.to_be_bytes());
    } else {
        let mut hmac = Hmac::<Sha256>::new_from_slice(tap.key()?).ok()?;
        hmac.update(&frame);
        frame.extend(hmac.finalize().into_bytes());
    }
    frame.extend(SUFFIX_55AA);
    Some(frame)
}

/// Computes the signature of a 3.1 envelope.
fn sign_31(key: &[u8; 16], base64: &str) -> String {
    let digest = Md5::new().chain_update("data=").chain_update(base64).chain_update("||lpv=3.1||").chain_update(key);
    let digest: [u8; 16] = digest.finalize().into();
    digest[4..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the same message with its [`FILLER`] overwritten so that the ciphertext contains the suffix of its kind of
/// frame. `None` for 3.1, whose pushes are base64 text.
pub(crate) fn with_suffix(tap: &Tap, clear: &Clear, rng: &mut SeededRng) -> Option<Vec<u8>> {
    let mut clear = clear.clone();
    let text = clear.payload.windows(FILLER.len()).position(|window| window == FILLER.as_bytes())?;
    let inner = clear.head.header.map_or(0, |_| 15);
    match tap.version().scheme() {
        Scheme::PlainMd5 => None,
        Scheme::EcbOuterHeader | Scheme::EcbInnerHeader => {
            let inner = if tap.version().scheme() == Scheme::EcbInnerHeader { inner } else { 0 };
            let block = (text + inner).next_multiple_of(16) - inner;
            clear.payload[block..block + 16].copy_from_slice(&readable_block(tap.key()?, rng)?);
            tap.seal(&clear, &[0; 12])
        }
        Scheme::Gcm => {
            for _ in 0..10_000 {
                let mut iv = [0; 12];
                iv.iter_mut().for_each(|byte| *byte = rng.bits() as u8);
                let frame = tap.seal(&clear, &iv)?;
                // The text follows the header of the frame, the IV, the return code and the version header.
                let retcode = clear.head.retcode.map_or(0, |_| 4);
                let sealed = &frame[18 + 12 + retcode + inner + text..][..FILLER.len()];
                // A stream cipher allows any text, but it must be valid in a JSON string.
                let fitting = sealed.windows(4).enumerate().find_map(|(at, window)| {
                    let mut wanted = [0; 4];
                    for (at, slot) in wanted.iter_mut().enumerate() {
                        *slot = window[at] ^ FILLER.as_bytes()[0] ^ SUFFIX_6699[at];
                    }
                    is_plain(&wanted).then_some((at, wanted))
                });
                if let Some((at, wanted)) = fitting {
                    clear.payload[text + at..text + at + 4].copy_from_slice(&wanted);
                    return tap.seal(&clear, &iv);
                }
            }
            None
        }
    }
}

/// Finds a block of text for a JSON string whose ciphertext contains the 55AA suffix, by brute force: about one
/// ciphertext in 400,000 decrypts to UTF-8 that needs no escapes.
fn readable_block(key: &[u8; 16], rng: &mut SeededRng) -> Option<[u8; 16]> {
    const BATCH: usize = 64;
    let aes = Aes128::new(key.into());
    let mut high = rng.bits() & !0xffff_ffff;
    for low in 0..u64::from(u32::MAX) / BATCH as u64 {
        let mut blocks = [Array::from([0; 16]); BATCH];
        for (at, block) in blocks.iter_mut().enumerate() {
            block[..6].copy_from_slice(&high.to_be_bytes()[..6]);
            block[6..10].copy_from_slice(&SUFFIX_55AA);
            block[10..].copy_from_slice(&(low * BATCH as u64 + at as u64).to_be_bytes()[2..]);
        }
        aes.decrypt_blocks(&mut blocks);
        if let Some(block) = blocks.iter().find(|block| is_plain(block.as_slice())) {
            return Some((*block).into());
        }
        high = high.wrapping_add(1 << 32);
    }
    None
}

/// Returns whether the bytes need no escapes in a JSON string.
fn is_plain(bytes: &[u8]) -> bool {
    let fits = |c: char| !c.is_control() && c != '"' && c != '\\';
    core::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(fits))
}

/// Makes the same message with another value before that of each DP; `None` if it has no DPs.
pub(crate) fn dps_twice(clear: Clear, whole: bool) -> Option<Clear> {
    let json: Value = serde_json::from_slice(&clear.payload).ok()?;
    let dps = ["/dps", "/data/dps"].into_iter().find_map(|at| json.pointer(at)?.as_object())?;
    let stale: Vec<String> = dps.keys().map(|dp| format!("\"{dp}\":\"{STALE}\"")).collect();
    let stale = stale.join(",");
    let front = if whole { format!("\"dps\":{{{stale}}},\"dps\":{{") } else { format!("\"dps\":{{{stale},") };
    let text = core::str::from_utf8(&clear.payload).ok().filter(|_| !dps.is_empty())?;
    Some(Clear { payload: text.replacen("\"dps\":{", &front, 1).into_bytes(), ..clear })
}

/// Makes a header of this kind of frame that claims 4 GiB, and a few bytes behind it.
pub(crate) fn four_gib(kind: FrameKind) -> Vec<u8> {
    let front: &[u8] = match kind {
        FrameKind::F55aa => b"\0\0\x55\xaa\0\0\0\0\0\0\0\x08\xff\xff\xff\xff",
        FrameKind::F6699 => b"\0\0\x66\x99\0\0\0\0\0\0\0\0\0\x08\xff\xff\xff\xff",
    };
    [front, b"endless?"].concat()
}

/// Makes a header of this kind of frame with one wrong byte in its prefix.
pub(crate) fn bad_prefix(kind: FrameKind) -> Vec<u8> {
    match kind {
        FrameKind::F55aa => b"\0\0\x55\xab\0\0\0\0\0\0\0\x08\0\0\0\x0c".to_vec(),
        FrameKind::F6699 => b"\0\0\x66\x98\0\0\0\0\0\0\0\0\0\x08\0\0\0\x20".to_vec(),
    }
}

/// Returns the kind of frames that a device of this version sends.
pub(crate) const fn kind(version: Version) -> FrameKind {
    match version.scheme() {
        Scheme::Gcm => FrameKind::F6699,
        Scheme::PlainMd5 | Scheme::EcbOuterHeader | Scheme::EcbInnerHeader => FrameKind::F55aa,
    }
}

pub(crate) const SUFFIX_55AA: [u8; 4] = [0x00, 0x00, 0xaa, 0x55];
pub(crate) const SUFFIX_6699: [u8; 4] = [0x00, 0x00, 0x99, 0x66];

#[cfg(test)]
mod tests {
    use rustuya_proto::{CommandCode, FrameError, Head, Keys, RetCode, Sender, VersionHeader, open};

    use super::*;

    const KEY: [u8; 16] = *b"0123456789abcdef";
    const VERSIONS: [Version; 5] = [Version::V31, Version::V32, Version::V33, Version::V34, Version::V35];

    fn push(version: Version, text: &str) -> (Tap, Clear) {
        let header = (version != Version::V31).then(|| VersionHeader::device(version, 9));
        let head =
            Head { sender: Sender::Device, seqno: 5, command: CommandCode::STATUS, retcode: Some(RetCode::OK), header };
        let payload = format!("{{\"dps\":{{\"250\":\"{text}\"}}}}").into_bytes();
        (Tap::with_key(version, KEY), Clear { head, payload })
    }

    fn opened(version: Version, frame: &[u8]) -> Result<Vec<u8>, FrameError> {
        let mut copy = frame.to_vec();
        open(&Keys::new(version, &KEY), Sender::Device, &mut copy).map(|opened| copy[opened.payload].to_vec())
    }

    #[test]
    fn only_the_check_is_wrong() {
        for version in VERSIONS {
            let (tap, clear) = push(version, "poison");
            let sound = tap.seal(&clear, &[3; 12]).expect("room");
            let bad = bad_integrity(sound.clone());
            assert_eq!(opened(version, &bad), Err(FrameError::Integrity), "{version}");
            assert_eq!(opened(version, &bad_integrity(bad)), Ok(clear.payload), "{version}");
        }
    }

    #[test]
    fn only_the_padding_is_wrong() {
        for version in VERSIONS {
            // All sizes, including whole blocks without room for padding.
            for size in 0..17 {
                let (tap, clear) = push(version, &"p".repeat(size));
                let bad = bad_padding(&tap, &clear, &[3; 12]).expect("it can be made");
                let error = if version == Version::V35 { FrameError::Integrity } else { FrameError::Padding };
                assert_eq!(opened(version, &bad), Err(error), "{version}, {size}");
            }
        }
    }

    #[test]
    fn the_last_value_is_the_true_one() {
        let (_, clear) = push(Version::V33, "white");
        for (whole, text) in [
            (false, r#"{"dps":{"250":"stale","250":"white"}}"#),
            (true, r#"{"dps":{"250":"stale"},"dps":{"250":"white"}}"#),
        ] {
            assert_eq!(dps_twice(clear.clone(), whole).expect("has DPs").payload, text.as_bytes());
        }
        let empty = Clear { payload: Vec::new(), ..clear };
        assert!(dps_twice(empty, true).is_none());
    }

    #[test]
    fn the_ciphertext_contains_the_suffix() {
        let mut rng = SeededRng::new(1);
        for version in VERSIONS {
            let (tap, clear) = push(version, FILLER);
            let Some(frame) = with_suffix(&tap, &clear, &mut rng) else {
                assert_eq!(version, Version::V31, "base64 holds no suffix");
                continue;
            };
            let suffix = if version == Version::V35 { SUFFIX_6699 } else { SUFFIX_55AA };
            let at = frame.windows(4).position(|window| window == suffix).expect("there");
            // After return code and version header or IV, and before every footer.
            assert!((35..frame.len() - 40).contains(&at), "{version}: at {at} of {}", frame.len());
            let text = opened(version, &frame).expect("a sound frame");
            let text = String::from_utf8(text).expect("UTF-8");
            let json: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(json["dps"]["250"].as_str().map(str::len), Some(FILLER.len()), "{version}: {text}");
        }
    }

    #[test]
    fn false_headers_are_what_they_claim() {
        for kind in [FrameKind::F55aa, FrameKind::F6699] {
            let len = rustuya_proto::frame_len(&four_gib(kind)).expect("a header").expect("a whole one");
            assert!(len > u32::MAX as usize, "{len}");
            assert_eq!(rustuya_proto::frame_len(&bad_prefix(kind)), Err(FrameError::Prefix));
        }
    }
}
