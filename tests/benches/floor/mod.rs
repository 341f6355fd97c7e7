//! Minimum work of any implementation on the same primitives: copy the bytes, encrypt or decrypt, checksum. Keys are
//! prepared; no field is read, and only the checksum is checked.

use core::ops::Range;

use aes::Aes128;
use aes::cipher::array::Array;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::AeadInOut as _;
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use rustuya_proto::{Head, Version};
use sha2::Sha256;

/// Prepared keys of one version.
pub(crate) enum Floor {
    Md5(Aes128, [u8; 16]),
    Ecb(Aes128),
    EcbHmac(Aes128, Hmac<Sha256>),
    Gcm(Box<Aes128Gcm>),
}

/// Frame before encryption.
pub(crate) struct Template {
    bytes: Vec<u8>,
    text: Range<usize>,
}

const SUFFIX_55AA: [u8; 4] = [0, 0, 0xaa, 0x55];
const SUFFIX_6699: [u8; 4] = [0, 0, 0x99, 0x66];

impl Floor {
    pub(crate) fn new(version: Version, key: &[u8; 16]) -> Self {
        let aes = || Aes128::new(key.into());
        match version {
            Version::V31 => Self::Md5(aes(), *key),
            Version::V32 | Version::V33 => Self::Ecb(aes()),
            Version::V34 => Self::EcbHmac(aes(), Hmac::new_from_slice(key).expect("any length")),
            Version::V35 => Self::Gcm(Box::new(Aes128Gcm::new(key.into()))),
        }
    }

    /// Lays out the frame of `len` bytes for a controller's `payload`; for 3.1 without the envelope.
    pub(crate) fn encode_template(&self, head: &Head, payload: &[u8], len: usize) -> Template {
        let mut bytes = Vec::new();
        let header = head.header.map(|header| header.to_bytes());
        let header = header.as_ref().map_or(&[][..], |header| &header[..]);
        if matches!(self, Self::Gcm(_)) {
            bytes.extend([0, 0, 0x66, 0x99, 0, 0]);
        } else {
            bytes.extend([0, 0, 0x55, 0xaa]);
        }
        bytes.extend(head.seqno.to_be_bytes());
        bytes.extend(head.command.0.to_be_bytes());
        let around = if matches!(self, Self::Gcm(_)) { 22 } else { 16 };
        bytes.extend(u32::try_from(len - around).expect("small").to_be_bytes());
        let text = match self {
            Self::Gcm(_) => {
                bytes.extend(crate::IV);
                let start = bytes.len();
                bytes.extend([header, payload].concat());
                start..bytes.len()
            }
            Self::Md5(..) | Self::Ecb(_) => {
                bytes.extend(header);
                let start = bytes.len();
                bytes.extend(payload);
                pad(&mut bytes, start);
                start..bytes.len()
            }
            Self::EcbHmac(..) => {
                let start = bytes.len();
                bytes.extend([header, payload].concat());
                pad(&mut bytes, start);
                start..bytes.len()
            }
        };
        Template { bytes, text }
    }

    /// Writes the frame of `template` to `out`.
    pub(crate) fn encode(&self, template: &Template, out: &mut [u8]) {
        let Range { start, end } = template.text;
        match self {
            Self::Md5(aes, key) => {
                let mut text = [0; 64];
                let text = &mut text[..end - start];
                text.copy_from_slice(&template.bytes[start..end]);
                encrypt(aes, text);
                out[..start].copy_from_slice(&template.bytes[..start]);
                let encoded = Base64::encode(text, &mut out[start + 19..]).expect("room").len();
                let end = start + 19 + encoded;
                let digest = Md5::new()
                    .chain_update(b"data=")
                    .chain_update(&out[start + 19..end])
                    .chain_update(b"||lpv=3.1||")
                    .chain_update(key)
                    .finalize();
                out[start..start + 3].copy_from_slice(b"3.1");
                for (pair, byte) in out[start + 3..start + 19].chunks_exact_mut(2).zip(&digest[4..12]) {
                    pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
                    pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
                }
                crc_footer(out, end);
            }
            Self::Ecb(aes) => {
                out[..end].copy_from_slice(&template.bytes);
                encrypt(aes, &mut out[start..end]);
                crc_footer(out, end);
            }
            Self::EcbHmac(aes, hmac) => {
                out[..end].copy_from_slice(&template.bytes);
                encrypt(aes, &mut out[start..end]);
                let code = hmac.clone().chain_update(&out[..end]).finalize().into_bytes();
                out[end..end + 32].copy_from_slice(&code);
                out[end + 32..end + 36].copy_from_slice(&SUFFIX_55AA);
            }
            Self::Gcm(gcm) => {
                out[..end].copy_from_slice(&template.bytes);
                let (top, text) = out.split_at_mut(start);
                let (text, footer) = text.split_at_mut(end - start);
                let iv: &[u8; 12] = top[18..30].try_into().expect("12 bytes");
                let tag = gcm.encrypt_inout_detached(iv.into(), &top[4..18], text.into()).expect("short");
                footer[..16].copy_from_slice(&tag);
                footer[16..20].copy_from_slice(&SUFFIX_6699);
            }
        }
    }

    /// Checks and decrypts the push `frame`, which has a return code, in `scratch`. Returns the upper bound of the
    /// text's end.
    pub(crate) fn decode(&self, frame: &[u8], scratch: &mut [u8]) -> usize {
        let copy = &mut scratch[..frame.len()];
        copy.copy_from_slice(frame);
        let len = copy.len();
        match self {
            Self::Md5(aes, _) => {
                check_crc(copy);
                let text = &mut copy[20 + 19..len - 8];
                let len = Base64::decode_in_place(text).expect("base64").len();
                decrypt(aes, &mut text[..len]);
                20 + 19 + len
            }
            Self::Ecb(aes) => {
                check_crc(copy);
                decrypt(aes, &mut copy[20 + 15..len - 8]);
                len - 8
            }
            Self::EcbHmac(aes, hmac) => {
                let code = hmac.clone().chain_update(&copy[..len - 36]);
                code.verify_slice(&copy[len - 36..len - 4]).expect("HMAC");
                decrypt(aes, &mut copy[20..len - 36]);
                len - 36
            }
            Self::Gcm(gcm) => {
                let (top, rest) = copy.split_at_mut(30);
                let (text, footer) = rest.split_at_mut(len - 50);
                let iv: &[u8; 12] = top[18..30].try_into().expect("12 bytes");
                let tag: &[u8; 16] = footer[..16].try_into().expect("16 bytes");
                gcm.decrypt_inout_detached(iv.into(), &top[4..18], text.into(), tag.into()).expect("tag");
                len - 20
            }
        }
    }
}

fn pad(bytes: &mut Vec<u8>, start: usize) {
    let pad = 16 - (bytes.len() - start) % 16;
    bytes.resize(bytes.len() + pad, u8::try_from(pad).expect("at most 16"));
}

fn encrypt(aes: &Aes128, text: &mut [u8]) {
    aes.encrypt_blocks(Array::slice_as_chunks_mut(text).0);
}

fn decrypt(aes: &Aes128, text: &mut [u8]) {
    aes.decrypt_blocks(Array::slice_as_chunks_mut(text).0);
}

fn crc_footer(out: &mut [u8], end: usize) {
    let crc = crc32fast::hash(&out[..end]);
    out[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    out[end + 4..end + 8].copy_from_slice(&SUFFIX_55AA);
}

fn check_crc(frame: &[u8]) {
    let (covered, footer) = frame.split_at(frame.len() - 8);
    assert_eq!(crc32fast::hash(covered).to_be_bytes(), footer[..4]);
}
