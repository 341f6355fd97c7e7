//! Bounded writer of compact JSON.

/// Writes into a lent slice and keeps counting past its end, so that a failed attempt shows how much room it needs.
pub(crate) struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(buf: &'a mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Returns the number of bytes written so far; more than the slice holds when that was too small.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.buf.get_mut(self.len) {
            *slot = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    #[expect(clippy::arithmetic_side_effects, reason = "at most twenty digits, each subtracted only where it fits")]
    pub(crate) fn unsigned(&mut self, mut value: u64) {
        let mut digits = 1;
        while 10_u64.checked_pow(digits).is_some_and(|power| power <= value) {
            digits += 1;
        }
        // Subtracts instead of dividing: small chips divide 64 bits in a routine that is larger than all of this
        // writer.
        for exponent in (0..digits).rev() {
            let power = 10_u64.saturating_pow(exponent);
            let mut digit = b'0';
            while value >= power {
                value -= power;
                digit += 1;
            }
            self.byte(digit);
        }
    }

    pub(crate) fn integer(&mut self, value: i64) {
        if value < 0 {
            self.byte(b'-');
        }
        self.unsigned(value.unsigned_abs());
    }

    /// Writes a string literal with quotes: ASCII only, everything else as `\uXXXX`, as Python's encoder writes it.
    pub(crate) fn string(&mut self, text: &str) {
        self.byte(b'"');
        for c in text.chars() {
            self.string_char(c);
        }
        self.byte(b'"');
    }

    /// Writes one character inside a string literal.
    pub(crate) fn string_char(&mut self, c: char) {
        match c {
            '"' => self.text("\\\""),
            '\\' => self.text("\\\\"),
            '\n' => self.text("\\n"),
            '\r' => self.text("\\r"),
            '\t' => self.text("\\t"),
            '\u{8}' => self.text("\\b"),
            '\u{c}' => self.text("\\f"),
            ' '..='~' => self.byte(u8::try_from(u32::from(c)).unwrap_or(b'?')),
            _ => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    self.text("\\u");
                    for nibble in [*unit >> 12, (*unit >> 8) & 15, (*unit >> 4) & 15, *unit & 15] {
                        let hex = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
                        self.byte(u8::try_from(u32::from(hex)).unwrap_or(b'0'));
                    }
                }
            }
        }
    }

    /// Writes JSON text, without white space between tokens and with non-ASCII characters escaped. Does not check the
    /// text.
    pub(crate) fn json(&mut self, text: &str) {
        let (mut in_string, mut escaped) = (false, false);
        for c in text.chars() {
            if !in_string && matches!(c, ' ' | '\t' | '\r' | '\n') {
                continue;
            }
            if c.is_ascii() {
                self.byte(u8::try_from(u32::from(c)).unwrap_or(b'?'));
            } else {
                self.string_char(c);
            }
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = in_string;
            } else if c == '"' {
                in_string = !in_string;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(fill: impl FnOnce(&mut Writer<'_>)) -> heapless::String<256> {
        let mut buf = [0u8; 256];
        let mut w = Writer::new(&mut buf);
        fill(&mut w);
        let n = w.len();
        heapless::String::try_from(core::str::from_utf8(&buf[..n]).expect("ASCII")).expect("fits")
    }

    #[test]
    fn numbers_and_strings() {
        assert_eq!(written(|w| w.integer(i64::MIN)), "-9223372036854775808");
        assert_eq!(written(|w| w.unsigned(u64::MAX)), "18446744073709551615");
        assert_eq!(written(|w| w.integer(0)), "0");
        assert_eq!(written(|w| w.string("a b\"\\\n\u{1}é😀")), r#""a b\"\\\n\u0001\u00e9\ud83d\ude00""#);
    }

    #[test]
    fn json_is_compacted_outside_strings_only() {
        assert_eq!(
            written(|w| w.json("{ \"a b\" : [1,\t2], \"c\\\" d\": \"é\" }")),
            r#"{"a b":[1,2],"c\" d":"\u00e9"}"#
        );
    }

    #[test]
    fn a_short_buffer_is_never_overrun_and_the_need_is_known() {
        let mut buf = [0u8; 3];
        let mut w = Writer::new(&mut buf);
        w.text("abcdef");
        w.byte(b'x');
        w.string("é");
        assert_eq!(w.len(), 7 + 8);
        assert_eq!(buf, [0; 3]);
    }
}
