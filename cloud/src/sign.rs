//! Signatures of a developer project's requests.

use core::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::http::Method;
use crate::secret::Secret;

/// A developer project: who asks, and the secret that proves it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The project's Access ID, 20 characters.
    pub access_id: String,
    /// The project's Access Secret, 32 hex digits.
    pub access_secret: Secret,
}

/// The part of a request that is signed. Holds what was sent: `Debug` does not show it.
///
/// ```
/// use rustuya_cloud::{Method, Project, StringToSign};
/// let text = StringToSign::new(Method::Get, "/v1.0/token", &[("grant_type", "1")], &[], b"");
/// let project = Project { access_id: "p8k3nexampleclientid".into(), access_secret: "0123456789abcdef0123456789abcdef".into() };
/// let sign = project.sign(None, 1_700_000_000_000, "", &text);
/// assert_eq!(sign, "332809089E743C033D807BF406AE12F11420B14FE56023A80903FF2D9E4E847B");
/// ```
#[derive(Clone)]
pub struct StringToSign(Zeroizing<String>);

impl StringToSign {
    /// Of a request. Values of the query are as they are before they are encoded; `headers` are those that
    /// `Signature-Headers` names, in its order.
    pub fn new(method: Method, path: &str, query: &[(&str, &str)], headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(256));
        text.push_str(method.as_str());
        text.push('\n');
        hex_into(&mut text, &Sha256::digest(body), false);
        text.push('\n');
        for (name, value) in headers {
            text.extend([*name, ":", *value, "\n"]);
        }
        text.push('\n');
        text.push_str(path);
        let mut sorted = query.to_vec();
        sorted.sort_unstable();
        for (index, (name, value)) in sorted.iter().enumerate() {
            text.extend([if index == 0 { "?" } else { "&" }, *name, "=", *value]);
        }
        Self(text)
    }

    #[cfg(test)]
    fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StringToSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StringToSign(..)")
    }
}

impl Project {
    /// The signature of a request made at `t`, milliseconds since 1970. Requests for a token have none yet; `nonce` is
    /// empty where the request has no such header.
    pub fn sign(&self, token: Option<&Secret>, t: u64, nonce: &str, text: &StringToSign) -> String {
        let t = t.to_string();
        let token = token.map_or("", Secret::expose);
        let mac = hmac(self.access_secret.expose().as_bytes(), &[&self.access_id, token, &t, nonce, &text.0]);
        let mut sign = String::new();
        hex_into(&mut sign, &mac, true);
        sign
    }
}

/// HMAC-SHA256 of all these texts in a row.
pub(crate) fn hmac(key: &[u8], texts: &[&str]) -> [u8; 32] {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    texts.iter().for_each(|text| mac.update(text.as_bytes()));
    mac.finalize().into_bytes().into()
}

pub(crate) fn hex_into(out: &mut String, bytes: &[u8], upper: bool) {
    let digits: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    for byte in bytes {
        out.push(char::from(digits[usize::from(byte >> 4)]));
        out.push(char::from(digits[usize::from(byte & 15)]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "3f4eda2bdec17232f67c0b188af3eec1";
    const NONCE: &str = "5138cc3a9033d69856923fd07b491173";
    const T: u64 = 1_700_000_000_000;
    const LIST: &str = "/v1.0/iot-01/associated-users/devices";
    const COMMANDS: &str = "/v1.0/iot-03/devices/bf0/commands";
    const BODY: &[u8] = br#"{"commands": [{"code": "switch_1", "value": true}]}"#;

    fn sign(token: Option<&str>, nonce: &str, text: &StringToSign) -> String {
        let project = Project {
            access_id: "p8k3nexampleclientid".to_owned(),
            access_secret: "0123456789abcdef0123456789abcdef".into(),
        };
        project.sign(token.map(Secret::from).as_ref(), T, nonce, text)
    }

    #[test]
    fn requests_for_a_token() {
        let text = StringToSign::new(Method::Get, "/v1.0/token", &[("grant_type", "1")], &[], b"");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(text.text(), format!("GET\n{empty}\n\n/v1.0/token?grant_type=1"));
        assert_eq!(sign(None, "", &text), "332809089E743C033D807BF406AE12F11420B14FE56023A80903FF2D9E4E847B");
        assert_eq!(sign(None, NONCE, &text), "4816BD8E5B012E79B751BC6A6AEC2716B51FBE5E09316435D628C9793B729258");
    }

    #[test]
    fn queries_are_sorted_and_signed_before_they_are_encoded() {
        let text = StringToSign::new(Method::Get, LIST, &[("size", "50")], &[], b"");
        assert_eq!(sign(Some(TOKEN), "", &text), "84DEEFFD3BCE1DED613C13CED28D0DCCE431797F21AD0F6B404012C3306798D9");
        let text = StringToSign::new(Method::Get, LIST, &[("size", "50"), ("last_row_key", "a b")], &[], b"");
        assert_eq!(sign(Some(TOKEN), "", &text), "99C24072C7C31D54EF8EE2D038036E1EF230819D01A17A19BAE231BEE5EB4346");
    }

    #[test]
    fn bodies_and_headers_are_signed() {
        let hash = "f91c1e221662f76e44b8eb47289228b9ce8cbb8c635ee66494c1f3b040e7372a";
        let signed = [("Content-type", "application/json")];
        let text = StringToSign::new(Method::Post, COMMANDS, &[], &signed, BODY);
        assert_eq!(text.text(), format!("POST\n{hash}\nContent-type:application/json\n\n{COMMANDS}"));
        assert_eq!(sign(Some(TOKEN), "", &text), "186CF79DF15B9D55389192DD6BCBC1DD6CD34AC2F09C2F5C52471C2BF771C8CC");
        let text = StringToSign::new(Method::Post, COMMANDS, &[], &[], BODY);
        assert_eq!(sign(Some(TOKEN), NONCE, &text), "CF57E2660546E574FDCC1CDF0780A9819F64708983567C2815810E4578C1FBF9");
    }
}
