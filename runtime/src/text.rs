//! Text in the forms that editors and shells produce.

use rustuya_proto::{InvalidKey, LocalKey};
use zeroize::Zeroizing;

/// Bytes that are not text.
///
/// ```
/// # use rustuya_runtime::text;
/// let error = text::decode(b"[\n{\"name\":\"L\xe2mpada\"}]").expect_err("is Latin-1");
/// assert_eq!((error.line, error.column), (2, 11));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is neither UTF-8 nor UTF-16 at line {line}, column {column}: save the file as UTF-8")]
#[non_exhaustive]
pub struct NotText {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

/// Decodes UTF-8 or UTF-16, with or without a byte order mark. UTF-16 without one is recognized by a first character
/// that is ASCII, as in JSON and in keys. The text is wiped on drop, because it may contain keys.
///
/// # Errors
/// [`NotText`], for example for Latin-1 with letters beyond ASCII.
pub fn decode(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    match *bytes {
        [0xef, 0xbb, 0xbf, ref text @ ..] => utf_8(text),
        [0xff, 0xfe, ref units @ ..] => utf_16(units, u16::from_le_bytes),
        [0xfe, 0xff, ref units @ ..] => utf_16(units, u16::from_be_bytes),
        [1..=0xff, 0, ..] => utf_16(bytes, u16::from_le_bytes),
        [0, 1..=0xff, ..] => utf_16(bytes, u16::from_be_bytes),
        _ => utf_8(bytes),
    }
}

/// Returns whether [`decode`] takes this for UTF-16.
pub fn is_utf_16(bytes: &[u8]) -> bool {
    matches!(*bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [1..=0xff, 0, ..] | [0, 1..=0xff, ..])
}

fn utf_8(bytes: &[u8]) -> Result<Zeroizing<String>, NotText> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(NotText::behind(bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid()))),
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Zeroizing<String>, NotText> {
    let (pairs, rest) = bytes.as_chunks();
    // Reserve the largest size, so that growing leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    for c in char::decode_utf16(pairs.iter().copied().map(unit)) {
        let Ok(c) = c else { return Err(NotText::behind(&text)) };
        text.push(c);
    }
    if rest.is_empty() { Ok(text) } else { Err(NotText::behind(&text)) }
}

impl NotText {
    /// Makes the position after `text`.
    fn behind(text: &str) -> Self {
        let last = text.rsplit('\n').next().unwrap_or_default();
        Self { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 }
    }
}

/// Parses a local key in the form in which users paste it: removes surrounding white space, and a pair of quotation
/// marks, if it is longer than 16 characters only because of them.
///
/// ```
/// # use rustuya_runtime::text;
/// let key = text::local_key("0123456789abcdef")?;
/// assert_eq!(text::local_key(" \"0123456789abcdef\"\r\n")?, key);
/// # Ok::<(), rustuya_runtime::proto::InvalidKey>(())
/// ```
///
/// # Errors
/// [`InvalidKey`], about the remaining text.
pub fn local_key(text: &str) -> Result<LocalKey, InvalidKey> {
    let whole = LocalKey::from_text(text);
    if whole.is_ok() {
        return whole;
    }
    let bare = text.trim();
    let within = |mark| bare.strip_prefix(mark)?.strip_suffix(mark);
    let bare = within('"').or_else(|| within('\'')).unwrap_or(bare);
    LocalKey::from_text(bare)
}

/// Returns whether a text that was given for something else may be a local key, as a whole or nearly: 15 to 17
/// characters without surrounding white space and quotation marks, the same HTML-escaped, or 32 hex digits. Messages
/// must not repeat it then.
///
/// ```
/// # use rustuya_runtime::text;
/// assert!(text::may_be_key("0123456789abcdef ") && text::may_be_key("a&amp;b&lt;c0123456789d"));
/// assert!(!text::may_be_key("192.168.100.200") && !text::may_be_key("device22"));
/// ```
pub fn may_be_key(text: &str) -> bool {
    let bare = text.trim().trim_matches(['"', '\'']);
    let len = bare.chars().count();
    let is_address = bare.contains(['.', ':']) && bare.chars().all(|c| c.is_ascii_hexdigit() || ".:/%[]".contains(c));
    let is_hex = len == 32 && bare.bytes().all(|b| b.is_ascii_hexdigit());
    let is_escaped = matches!(LocalKey::from_text(bare), Err(InvalidKey::Escaped { .. }));
    !is_address && ((15..=17).contains(&len) || is_hex || is_escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_key_is_known_by_its_form() {
        for key in ["0123456789abcdef", " '0123456789abcdef'\n", "0123456789abcde", "p&]k=^,\"Q0123456&"] {
            assert!(may_be_key(key), "{key}");
        }
        assert!(may_be_key(&"0f".repeat(16)) && may_be_key("&lt;123456789abcdef"));
        for other in ["", "3.4", "Auto", "192.168.100.200", "192.168.1.20:6668", "fe80::1%2", "bf0123456789abcdefgh"] {
            assert!(!may_be_key(other), "{other}");
        }
    }

    const TEXT: &str = "[{\"name\":\"Lâmpada 客厅 💡\"}]\r\n";

    fn encoded(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn every_encoding_of_unicode_gives_the_same_text() {
        let marked = format!("\u{feff}{TEXT}");
        let read = |bytes: &[u8]| decode(bytes).map(|text| text.as_str().to_owned());
        for bytes in [
            TEXT.as_bytes().to_vec(),
            marked.as_bytes().to_vec(),
            encoded(TEXT, u16::to_le_bytes),
            encoded(TEXT, u16::to_be_bytes),
            encoded(&marked, u16::to_le_bytes),
            encoded(&marked, u16::to_be_bytes),
        ] {
            assert_eq!(read(&bytes).as_deref(), Ok(TEXT), "{bytes:02x?}");
            assert_eq!(is_utf_16(&bytes), bytes.contains(&0), "{bytes:02x?}");
        }
        for nothing in [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"] {
            assert_eq!(read(nothing).as_deref(), Ok(""));
        }
        assert_eq!(read(b"5").as_deref(), Ok("5"));
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let at = |bytes: &[u8]| decode(bytes).map(|_| ()).map_err(|error| (error.line, error.column));
        assert_eq!(at(b"\xe2"), Err((1, 1)));
        assert_eq!(at("ä\nöü\n".bytes().chain(*b"x\xff").collect::<Vec<_>>().as_slice()), Err((3, 2)));
        // Half a pair of surrogates, and half a unit.
        let mut lone = encoded("a\n", u16::to_le_bytes);
        lone.extend([0x00, 0xd8, b'b', 0]);
        assert_eq!(at(&lone), Err((2, 1)));
        assert_eq!(at(b"a\0b"), Err((1, 2)));
    }

    #[test]
    fn keys_are_read_as_they_are_pasted() {
        let key = LocalKey::new(*b"0123456789abcdef");
        for text in [
            "0123456789abcdef\n",
            "0123456789abcdef\r\n",
            "\t 0123456789abcdef ",
            "\"0123456789abcdef\"",
            "'0123456789abcdef'\n",
        ] {
            assert_eq!(local_key(text).as_ref(), Ok(&key), "{text:?}");
        }
        // Sixteen characters are the key, whatever the first and the last one are.
        for text in ["\"123456789abcde\"", "'123456789abcde'", " 123456789abcde "] {
            assert_eq!(
                local_key(text).map(|key| *key.expose()).ok().as_ref().map(<[u8; 16]>::as_slice),
                Some(text.as_bytes())
            );
        }
        assert_eq!(local_key("\"0123456789abcde\" "), Err(InvalidKey::Length { len: 15 }));
        assert_eq!(local_key("'0123456789&amp;abcde' "), Err(InvalidKey::Escaped { len: 20 }));
    }
}
