//! Encryption and signatures of the app's way.

use core::fmt;

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use base64ct::{Base64, Encoding as _};
use md5::{Digest as _, Md5};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::secret::Secret;
use crate::sign::{hex_into, hmac};

/// Letters and digits that nobody mistakes for another; a nonce is 12 of them.
const ALPHABET: &[u8; 48] = b"ABCDEFGHJKMNPQRSTWXYZabcdefhijkmnprstwxyz2345678";

const NONCE: usize = 12;
const TAG: usize = 16;

/// Sealed text that was not sealed with this key, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be decrypted")]
pub struct InvalidSeal;

/// The keys of one request: made of its id and of the refresh token of the login.
pub struct Sealing {
    /// The request's id, a random UUID.
    request_id: String,
    /// Signs.
    signing: Zeroizing<String>,
    cipher: Aes128Gcm,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing(..)")
    }
}

impl Sealing {
    /// For a request with this id.
    pub fn new(request_id: &str, refresh_token: &Secret) -> Self {
        let mut digest = Md5::new();
        digest.update(request_id);
        digest.update(refresh_token.expose());
        let mut signing = Zeroizing::new(String::with_capacity(32));
        hex_into(&mut signing, &digest.finalize(), false);
        let cipher = Aes128Gcm::new((&*cipher_key(request_id, &signing)).into());
        Self { request_id: request_id.to_owned(), signing, cipher }
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Encrypts with this nonce, and gives base64.
    pub fn seal_with(&self, nonce: &[u8; NONCE], text: &[u8]) -> String {
        let mut sealed = Zeroizing::new(text.to_vec());
        // Fails only beyond 64 GiB.
        let Ok(tag) = self.cipher.encrypt_inout_detached(nonce.into(), &[], sealed.as_mut_slice().into()) else {
            return String::new();
        };
        let whole = [&nonce[..], sealed.as_slice(), &tag[..]].concat();
        Base64::encode_string(&whole)
    }

    /// Encrypts with a nonce of its own.
    pub fn seal(&self, rng: &mut dyn CryptoRng, text: &[u8]) -> String {
        self.seal_with(&nonce(rng), text)
    }

    /// Decrypts what [`seal`](Self::seal), or the server, made.
    ///
    /// # Errors
    /// [`InvalidSeal`]; nothing is handed out then.
    pub fn open(&self, sealed: &str) -> Result<Zeroizing<Vec<u8>>, InvalidSeal> {
        let bytes = Base64::decode_vec(sealed.trim()).map_err(|_| InvalidSeal)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>().ok_or(InvalidSeal)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(InvalidSeal)?;
        let mut text = Zeroizing::new(text.to_vec());
        let opened = self.cipher.decrypt_inout_detached(nonce.into(), &[], text.as_mut_slice().into(), tag.into());
        if opened.is_err() {
            text.zeroize();
            return Err(InvalidSeal);
        }
        Ok(text)
    }

    /// The signature of a request with these headers, query and body, the latter two as they were sealed.
    pub fn sign(&self, app_key: &str, t: u64, token: &Secret, query: &str, body: &str) -> String {
        let t = t.to_string();
        let headers = [
            ("X-appKey", app_key),
            ("X-requestId", self.request_id.as_str()),
            ("X-time", t.as_str()),
            ("X-token", token.expose()),
        ];
        let mut text = Zeroizing::new(String::with_capacity(256));
        for (name, value) in headers.into_iter().filter(|(_, value)| !value.is_empty()) {
            if !text.is_empty() {
                text.push_str("||");
            }
            text.extend([name, "=", value]);
        }
        let mut sign = String::new();
        hex_into(&mut sign, &hmac(self.signing.as_bytes(), &[&text, query, body]), false);
        sign
    }
}

/// Sixteen hex digits, used as they are.
fn cipher_key(request_id: &str, signing: &str) -> Zeroizing<[u8; 16]> {
    let mac = Zeroizing::new(hmac(request_id.as_bytes(), &[signing]));
    let mut digits = Zeroizing::new(String::with_capacity(16));
    hex_into(&mut digits, &mac[..8], false);
    let mut key = Zeroizing::new([0; 16]);
    key.copy_from_slice(digits.as_bytes());
    key
}

fn nonce(rng: &mut dyn CryptoRng) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    for place in &mut nonce {
        // Bytes past the largest multiple of 48 would make some letters likelier.
        *place = loop {
            let mut byte = [0];
            rng.fill_bytes(&mut byte);
            if byte[0] < 240 {
                break ALPHABET[usize::from(byte[0] % 48)];
            }
        };
    }
    nonce
}

/// A random UUID of version 4.
pub(crate) fn uuid(rng: &mut dyn CryptoRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        hex_into(&mut text, &[*byte], false);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE_TEXT: &[u8; 12] = b"ABCDEFGHJKMN";
    const QUERY: &str = "QUJDREVGR0hKS01OmikDSNx7qH2gdfUgsK8i/PYZVyguT31CVTg1tNKGDfE=";
    const ANSWER: &str = "QUJDREVGR0hKS01OunBJSMZwhGvLK/Urs64zreSiEQYrrqls7n8ijZYtPOokBkoRgXnAe0yX6DzHAWI=";

    fn sealing() -> Sealing {
        Sealing::new("00000000-0000-4000-8000-000000000001", &"refresh-token-0123456789".into())
    }

    #[test]
    fn keys_texts_and_signatures_are_those_of_the_sdk() {
        let sealing = sealing();
        assert_eq!(*sealing.signing, "5f320f261257cb54c21a100a9a63d5ba");
        assert_eq!(*cipher_key(sealing.request_id(), &sealing.signing), *b"42bb86d8ccefa1a6");
        assert_eq!(sealing.seal_with(NONCE_TEXT, br#"{"homeId":"123"}"#), QUERY);
        assert_eq!(
            sealing.sign("APPKEY", 1_700_000_000_000, &"AT".into(), QUERY, ""),
            "2680bfcd03d93029a9bc58885dd57b86f6c0f751293393a8e3e7adb057c21f5d"
        );
        let answer = br#"[{"ownerId":123,"name":"Home"}]"#;
        assert_eq!(sealing.seal_with(NONCE_TEXT, answer), ANSWER);
        assert_eq!(sealing.open(ANSWER).map(|text| text.to_vec()), Ok(answer.to_vec()));
    }

    #[test]
    fn what_is_damaged_is_not_handed_out() {
        let sealing = sealing();
        let mut bytes = Base64::decode_vec(ANSWER).expect("base64");
        for index in 0..bytes.len() {
            bytes[index] ^= 1;
            assert_eq!(sealing.open(&Base64::encode_string(&bytes)), Err(InvalidSeal), "byte {index}");
            bytes[index] ^= 1;
        }
        for bad in ["", "QUJD", "not base64!", "QUJDREVGR0hKS01OmikDSNx7qH0="] {
            assert_eq!(sealing.open(bad), Err(InvalidSeal), "{bad}");
        }
        assert_eq!(format!("{sealing:?}"), "Sealing(..)");
    }

    #[test]
    fn every_request_has_an_id_and_a_nonce_of_its_own() {
        let mut rng = crate::app::tests::Counter(7);
        let (one, two) = (uuid(&mut rng), uuid(&mut rng));
        assert_ne!(one, two);
        for id in [one, two] {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!((parts, &id[14..15]), (vec![8, 4, 4, 4, 12], "4"), "{id}");
        }
        let nonces = [nonce(&mut rng), nonce(&mut rng)];
        assert_ne!(nonces[0], nonces[1]);
        assert!(nonces.concat().iter().all(|byte| ALPHABET.contains(byte)));
    }
}
