//! Strings, as in a payload.

use core::fmt;

use super::writer::Writer;

/// A string: either plain text given by the caller, or the inside of a JSON string literal as received, with its
/// escapes and possibly with invalid UTF-8.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    bytes: &'a [u8],
    literal: bool,
}

impl<'a> Text<'a> {
    /// Wraps plain text, which is escaped when written.
    pub const fn plain(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), literal: false }
    }

    /// Wraps the inside of a checked string literal.
    pub(super) const fn literal(bytes: &'a [u8]) -> Self {
        Self { bytes, literal: true }
    }

    /// Returns the text without copying, when it holds no escapes and is valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        if self.literal && self.bytes.contains(&b'\\') {
            return None;
        }
        core::str::from_utf8(self.bytes).ok()
    }

    /// Returns the characters, with escapes resolved. Invalid UTF-8 and lone surrogates become U+FFFD.
    pub const fn chars(&self) -> Chars<'a> {
        Chars { rest: self.bytes, literal: self.literal }
    }

    /// Returns the bytes as in the payload, for names without escapes.
    pub(crate) const fn raw(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns whether the text is `plain`, for names without escapes.
    pub(crate) fn is(&self, plain: &str) -> bool {
        self.bytes == plain.as_bytes()
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.byte(b'"');
        for c in self.chars() {
            w.string_char(c);
        }
        w.byte(b'"');
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        match self.as_str() {
            Some(text) => f.write_str(text),
            None => self.chars().try_for_each(|c| f.write_char(c)),
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        self.chars().flat_map(char::escape_debug).try_for_each(|c| f.write_char(c))?;
        f.write_char('"')
    }
}

impl PartialEq for Text<'_> {
    /// Compares the characters, with escapes resolved.
    fn eq(&self, other: &Self) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.chars().eq(other.chars())
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

/// Iterator of [`Text::chars`].
#[derive(Clone, Debug)]
pub struct Chars<'a> {
    rest: &'a [u8],
    literal: bool,
}

impl Chars<'_> {
    fn escape(&mut self) -> char {
        let Some((&kind, rest)) = self.rest.split_first() else {
            return char::REPLACEMENT_CHARACTER;
        };
        self.rest = rest;
        match kind {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => self.unicode_escape(),
            other => char::from(other),
        }
    }

    #[expect(clippy::arithmetic_side_effects, reason = "halves of a surrogate pair, each in its range")]
    fn unicode_escape(&mut self) -> char {
        let Some(first) = self.hex4() else {
            return char::REPLACEMENT_CHARACTER;
        };
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        let before = self.rest;
        if let Some(rest) = self.rest.strip_prefix(b"\\u") {
            self.rest = rest;
            if let Some(second) = self.hex4().filter(|s| (0xdc00..0xe000).contains(s)) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            }
            self.rest = before;
        }
        char::REPLACEMENT_CHARACTER
    }

    #[expect(clippy::arithmetic_side_effects, reason = "four hex digits fit 16 bits")]
    fn hex4(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_first_chunk::<4>()?;
        let digit = |b: &u8| char::from(*b).to_digit(16);
        let value = digits.iter().try_fold(0, |v, b| Some(v * 16 + digit(b)?))?;
        self.rest = rest;
        Some(value)
    }
}

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let (&first, rest) = self.rest.split_first()?;
        if first == b'\\' && self.literal {
            self.rest = rest;
            return Some(self.escape());
        }
        if first.is_ascii() {
            self.rest = rest;
            return Some(char::from(first));
        }
        let window = self.rest.get(..4).unwrap_or(self.rest);
        let valid = match core::str::from_utf8(window) {
            Ok(text) => text,
            Err(error) => {
                let (good, _) = window.split_at_checked(error.valid_up_to()).unwrap_or_default();
                core::str::from_utf8(good).unwrap_or_default()
            }
        };
        let c = valid.chars().next();
        let step = c.map_or(1, char::len_utf8);
        self.rest = self.rest.get(step..).unwrap_or_default();
        Some(c.unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}
