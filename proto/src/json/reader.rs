//! Pull reader: one value at a time, borrowed, without copies.

use super::text::Text;

/// Limit for nested arrays and objects. The reader refuses deeper text, so that hostile input costs no stack.
const MAX_DEPTH: u32 = 32;

/// One JSON value. Arrays and objects are the checked text between their brackets, brackets included.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// Digits with an optional sign, fraction and exponent.
    Number(&'a [u8]),
    String(Text<'a>),
    Array(&'a [u8]),
    Object(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads the value at the front of `text`, leading white space allowed.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        Self::split(text).map(|(value, _)| value)
    }

    /// Like [`parse`](Self::parse), with the text behind the value.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "what is left of a text is no longer than the text")]
    pub(crate) fn split(text: &'a [u8]) -> Split<'a, Self> {
        let text = skip_space(text);
        let (value, rest) = match *text.first()? {
            b'"' => {
                let (inside, rest) = split_string(text)?;
                (Self::String(Text::literal(inside)), rest)
            }
            open @ (b'{' | b'[') => {
                let rest = skip_nested(text)?;
                let nested = text.get(..text.len() - rest.len())?;
                (if open == b'{' { Self::Object(nested) } else { Self::Array(nested) }, rest)
            }
            b't' => (Self::Bool(true), text.strip_prefix(b"true")?),
            b'f' => (Self::Bool(false), text.strip_prefix(b"false")?),
            b'n' => (Self::Null, text.strip_prefix(b"null")?),
            _ => {
                let (number, rest) = split_number(text)?;
                (Self::Number(number), rest)
            }
        };
        Some((value, rest))
    }

    #[cfg(feature = "emulator")]
    pub(crate) fn object(&self) -> Option<Object<'a>> {
        match self {
            Self::Object(text) => Object::new(text),
            _ => None,
        }
    }

    pub(crate) fn array(&self) -> Option<Array<'a>> {
        match self {
            Self::Array(text) => Array::new(text),
            _ => None,
        }
    }

    pub(crate) const fn text(&self) -> Option<Text<'a>> {
        match self {
            Self::String(text) => Some(*text),
            _ => None,
        }
    }

    /// Returns an integer, also one that is written as a string of digits.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(digits) => parse_integer(digits),
            Self::String(text) => text.as_str()?.parse().ok(),
            _ => None,
        }
    }
}

/// Entries of a JSON object, in order. Ends at the closing bracket or at the first bytes that are not JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    rest: &'a [u8],
}

impl<'a> Object<'a> {
    /// Returns the object that `text` begins with. Ignores the bytes behind its closing bracket.
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        skip_space(text).strip_prefix(b"{").map(|rest| Self { rest })
    }

    /// Returns the text that has not been read yet.
    pub(crate) const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Continues with a text that [`remaining`](Self::remaining) has returned.
    pub(crate) const fn resume(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Returns the key of the next entry; its value must be taken with [`value`](Self::value) or
    /// [`object`](Self::object) before the next key.
    #[inline]
    pub(crate) fn key(&mut self) -> Option<Text<'a>> {
        let (key, rest) = split_string(next_item(self.rest)?)?;
        self.rest = skip_space(rest).strip_prefix(b":")?;
        Some(Text::literal(key))
    }

    /// Returns the value of the entry whose key was just taken.
    #[inline]
    pub(crate) fn value(&mut self) -> Option<Value<'a>> {
        let (value, rest) = Value::split(self.rest)?;
        self.rest = rest;
        Some(value)
    }

    /// Returns the value of the entry whose key was just taken, when it is an object. Looks for its end only: its
    /// content is checked when its entries are read. Returns `Some(None)` when it is no object; the caller then takes
    /// it as another value.
    #[inline]
    pub(crate) fn object(&mut self) -> Option<Option<Self>> {
        let Some(inner) = Self::new(self.rest) else { return Some(None) };
        self.rest = skip_brackets(inner.rest)?;
        Some(Some(inner))
    }

    /// Like [`object`](Self::object), but does not move behind the inner object; [`leave`](Self::leave) does.
    pub(crate) fn enter(&self) -> Option<Self> {
        Self::new(self.rest)
    }

    /// Continues behind `inner`, whose entries have all been read.
    pub(crate) fn leave(&mut self, inner: &Self) -> Option<()> {
        self.rest = skip_space(inner.rest).strip_prefix(b"}")?;
        Some(())
    }

    /// Returns whether the closing bracket follows the entries read so far.
    pub(crate) fn is_closed(&self) -> bool {
        skip_space(self.rest).first() == Some(&b'}')
    }
}

impl<'a> Iterator for Object<'a> {
    type Item = (Text<'a>, Value<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut ahead = *self;
        let entry = (ahead.key()?, ahead.value()?);
        *self = ahead;
        Some(entry)
    }
}

/// Values of a JSON array, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array<'a> {
    rest: &'a [u8],
}

impl<'a> Array<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        skip_space(text).strip_prefix(b"[").map(|rest| Self { rest })
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = Value::split(next_item(self.rest)?)?;
        self.rest = rest;
        Some(value)
    }
}

/// Item at the front of a text, and the text behind it.
type Split<'a, T> = Option<(T, &'a [u8])>;

/// Returns the next item behind an opening bracket or a comma; `None` at the closing bracket.
#[inline]
fn next_item(text: &[u8]) -> Option<&[u8]> {
    let text = skip_space(text);
    let text = match text.strip_prefix(b",") {
        Some(behind) => skip_space(behind),
        None => text,
    };
    (!matches!(text.first()?, b'}' | b']')).then_some(text)
}

#[inline]
fn skip_space(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', behind @ ..] = text {
        text = behind;
    }
    text
}

/// Splits off a string literal and returns its inside. Accepts control characters in it, because devices send them.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "an offset in the text, and two more")]
fn split_string(text: &[u8]) -> Split<'_, &[u8]> {
    let inside = text.strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        at += inside.get(at..)?.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (literal, behind) = inside.split_at_checked(at)?;
        match behind.split_first()? {
            (b'"', rest) => return Some((literal, rest)),
            // The byte behind the backslash belongs to the escape, whatever it is.
            _ => at += 2,
        }
    }
}

#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "what is left of a text is no longer than the text")]
fn split_number(text: &[u8]) -> Split<'_, &[u8]> {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = skip_digits(unsigned)?;
    if unsigned.first() == Some(&b'0') && unsigned.len() - rest.len() > 1 {
        return None;
    }
    if let [b'.', fraction @ ..] = rest {
        rest = skip_digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = skip_digits(match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            digits => digits,
        })?;
    }
    text.split_at_checked(text.len() - rest.len())
}

/// Skips digits, at least one.
#[inline]
fn skip_digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { None } else { text.get(count..) }
}

/// Skips an array or object without recursion: one bit a level remembers which bracket must close it.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the depth is at most `MAX_DEPTH`, and at least one behind the bracket that begins the text"
)]
fn skip_nested(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let (mut depth, mut is_object) = (0u32, 0u32);
    loop {
        // At the beginning of a value.
        rest = skip_space(rest);
        match *rest.first()? {
            open @ (b'{' | b'[') => {
                if depth == MAX_DEPTH {
                    return None;
                }
                depth += 1;
                is_object = (is_object << 1) | u32::from(open == b'{');
                rest = skip_space(rest.get(1..)?);
                if !matches!(rest.first()?, b'}' | b']') {
                    rest = skip_key(rest, is_object)?;
                    continue;
                }
            }
            b'"' => rest = split_string(rest)?.1,
            b't' => rest = rest.strip_prefix(b"true")?,
            b'f' => rest = rest.strip_prefix(b"false")?,
            b'n' => rest = rest.strip_prefix(b"null")?,
            _ => rest = split_number(rest)?.1,
        }
        // Behind a value: close as many levels as the text does.
        loop {
            let (byte, behind) = skip_space(rest).split_first()?;
            rest = behind;
            if *byte == b',' {
                rest = skip_key(skip_space(rest), is_object)?;
                break;
            }
            if *byte != if is_object & 1 == 1 { b'}' } else { b']' } {
                return None;
            }
            depth -= 1;
            is_object >>= 1;
            if depth == 0 {
                return Some(rest);
            }
        }
    }
}

/// Skips to behind the bracket that closes the one before `text`. Skips strings, and checks nothing else.
#[expect(clippy::arithmetic_side_effects, reason = "no deeper than the text is long, and returns at zero")]
fn skip_brackets(text: &[u8]) -> Option<&[u8]> {
    let mut bytes = text.iter();
    let mut depth = 1usize;
    loop {
        match bytes.next()? {
            b'"' => loop {
                match bytes.next()? {
                    b'"' => break,
                    b'\\' => {
                        bytes.next()?;
                    }
                    _ => {}
                }
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(bytes.as_slice());
                }
            }
            _ => {}
        }
    }
}

/// Skips a key and its colon in an object, and nothing in an array.
#[inline]
fn skip_key(text: &[u8], is_object: u32) -> Option<&[u8]> {
    if is_object & 1 == 0 {
        return Some(text);
    }
    let (_, rest) = split_string(text)?;
    skip_space(rest).strip_prefix(b":")
}

/// Returns the value of plain digits with an optional sign, when it fits.
#[expect(clippy::arithmetic_side_effects, reason = "eighteen digits fit 64 bits")]
pub(crate) fn parse_integer(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let digit = |byte: &u8| byte.checked_sub(b'0').filter(|d| *d < 10).map(i64::from);
    if digits.len() <= 18 {
        // Too few digits to overflow.
        let value = digits.iter().try_fold(0i64, |value, byte| Some(value * 10 + digit(byte)?))?;
        return Some(if negative { -value } else { value });
    }
    digits.iter().try_fold(0i64, |value, byte| {
        let (value, digit) = (value.checked_mul(10)?, digit(byte)?);
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}
