//! Checks of signatures and seals, with this crate's own computation.

use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use base64ct::{Base64, Encoding as _};
use hmac::{Hmac, Mac as _};
use md5::Md5;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Call;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &str, text: &str) -> String {
    let mut mac =
        <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key.as_bytes()).expect("keys of any length are taken");
    mac.update(text.as_bytes());
    hex(&mac.finalize().into_bytes())
}

/// The signature that a request of a developer project must have.
pub(crate) fn open_api(call: &Call, secret: &str, token: &str) -> String {
    let mut query = call.query.clone();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut url = call.path.clone();
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    let names = call.header("Signature-Headers");
    let signed: String = names
        .split(':')
        .filter(|name| !name.is_empty())
        .map(|name| format!("{name}:{}\n", call.header(name)))
        .collect();
    let text = format!(
        "{}{token}{}{}{}\n{}\n{signed}\n{url}",
        call.header("client_id"),
        call.header("t"),
        call.header("nonce"),
        call.method,
        hex(&Sha256::digest(&call.body)),
    );
    hmac(secret, &text).to_uppercase()
}

/// The keys of a request of the app's way.
pub(crate) struct Seal {
    signing: String,
    cipher: Aes128Gcm,
}

impl Seal {
    pub(crate) fn new(request_id: &str, refresh_token: &str) -> Self {
        let signing = hex(&Md5::digest(format!("{request_id}{refresh_token}")));
        let key = hmac(request_id, &signing);
        let cipher = Aes128Gcm::new_from_slice(&key.as_bytes()[..16]).expect("16 bytes");
        Self { signing, cipher }
    }

    pub(crate) fn sign(&self, call: &Call, query: &str, body: &str) -> String {
        let names = ["X-appKey", "X-requestId", "X-sid", "X-time", "X-token"];
        let parts: Vec<String> = names
            .iter()
            .map(|name| (name, call.header(name)))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        hmac(&self.signing, &format!("{}{query}{body}", parts.join("||")))
    }

    pub(crate) fn open(&self, sealed: &str) -> Option<Value> {
        let bytes = Base64::decode_vec(sealed).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<12>()?;
        let (text, tag) = rest.split_last_chunk::<16>()?;
        let mut text = text.to_vec();
        self.cipher.decrypt_inout_detached(nonce.into(), b"", text.as_mut_slice().into(), tag.into()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn seal(&self, number: u32, value: &Value) -> String {
        let nonce: [u8; 12] = format!("ABCD{number:08}").into_bytes().try_into().expect("12 letters");
        let mut text = value.to_string().into_bytes();
        let tag = self.cipher.encrypt_inout_detached((&nonce).into(), b"", text.as_mut_slice().into());
        let tag = tag.expect("a short text");
        Base64::encode_string(&[&nonce[..], &text, &tag].concat())
    }
}
