//! Requests that somebody else sends, and what came back.

use core::fmt;
use core::time::Duration;

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The verb of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
}

impl Method {
    /// As HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request, complete and signed. Its address, headers and body hold tokens and ids: `Debug` shows none of them.
#[derive(Clone)]
pub struct Request {
    /// The verb.
    pub method: Method,
    /// Name of the requested data, for progress and errors.
    pub what: &'static str,
    /// The whole address.
    pub url: Secret,
    /// The headers in the order in which they are sent.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body; empty for none.
    pub body: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("what", &self.what).finish_non_exhaustive()
    }
}

/// Answer of a server. The body holds keys: `Debug` does not show it, and it is wiped when this is dropped.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Pause that the server asks for, if it does so in seconds.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// An answer of this status with this body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, retry_after: None, body: Zeroizing::new(body.into()) }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("len", &self.body.len())
            .finish()
    }
}

/// A query as it goes over the wire.
pub(crate) fn encoded(query: &[(&str, &str)]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(query.iter().map(|(k, v)| 3 * (k.len() + v.len()) + 2).sum()));
    for (index, (name, value)) in query.iter().enumerate() {
        text.push(if index == 0 { '?' } else { '&' });
        percent(&mut text, name);
        text.push('=');
        percent(&mut text, value);
    }
    text
}

/// One part of a path. Ids and tokens come from outside: none may end the part that it is in.
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    percent(&mut encoded, text);
    encoded
}

fn percent(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
}

const fn hex_digit(nibble: u8) -> char {
    (if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }) as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths_are_encoded() {
        assert_eq!(*encoded(&[]), "");
        assert_eq!(
            *encoded(&[("last_row_key", "a b&c=é"), ("size", "50")]),
            "?last_row_key=a%20b%26c%3D%C3%A9&size=50"
        );
        assert_eq!(segment("../a/b?c#d"), "..%2Fa%2Fb%3Fc%23d");
    }

    #[test]
    fn nothing_that_may_be_secret_is_shown() {
        let request = Request {
            method: Method::Get,
            what: "token",
            url: "https://host/hunter2".into(),
            headers: vec![("access_token", "hunter2".into())],
            body: Zeroizing::new(b"hunter2".to_vec()),
        };
        let answer = Answer::new(200, "hunter2");
        assert!(!format!("{request:?}{answer:?}").contains("hunter2"));
    }
}
