//! Pull reader: one value at a time, borrowed, nothing copied.

use super::text::Text;

/// How deep arrays and objects may nest. Deeper text is refused, so that hostile input costs no stack.
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
        Self::read(&mut { text })
    }

    /// Reads one value and moves `rest` behind it; on failure `rest` is left anywhere.
    pub(crate) fn read(rest: &mut &'a [u8]) -> Option<Self> {
        skip_space(rest);
        match *rest.first()? {
            b'"' => read_string(rest).map(Self::String),
            b'{' => read_nested(rest).map(Self::Object),
            b'[' => read_nested(rest).map(Self::Array),
            b't' => read_word(rest, b"true").map(|()| Self::Bool(true)),
            b'f' => read_word(rest, b"false").map(|()| Self::Bool(false)),
            b'n' => read_word(rest, b"null").map(|()| Self::Null),
            _ => read_number(rest).map(Self::Number),
        }
    }

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

    /// An integer, also one that is written as a string of digits.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Self::Number(digits) => parse_integer(digits),
            Self::String(text) => text.as_str()?.parse().ok(),
            _ => None,
        }
    }
}

/// The entries of a JSON object, in order. Ends at the closing bracket or at the first thing that is not JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object<'a> {
    rest: &'a [u8],
}

impl<'a> Object<'a> {
    /// The object that `text` begins with; what follows its closing bracket is not looked at.
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        let mut rest = text;
        skip_space(&mut rest);
        rest.strip_prefix(b"{").map(|rest| Self { rest })
    }

    /// What is left after the entries read so far: after the last one, the closing bracket.
    pub(crate) fn is_closed(mut self) -> bool {
        skip_space(&mut self.rest);
        self.rest.first() == Some(&b'}')
    }
}

impl<'a> Iterator for Object<'a> {
    type Item = (Text<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest;
        next_item(&mut rest)?;
        let key = read_string(&mut rest)?;
        skip_space(&mut rest);
        rest = rest.strip_prefix(b":")?;
        let value = Value::read(&mut rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// The values of a JSON array, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Array<'a> {
    rest: &'a [u8],
}

impl<'a> Array<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Option<Self> {
        let mut rest = text;
        skip_space(&mut rest);
        rest.strip_prefix(b"[").map(|rest| Self { rest })
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.rest;
        next_item(&mut rest)?;
        let value = Value::read(&mut rest)?;
        self.rest = rest;
        Some(value)
    }
}

/// Moves to the next item behind an opening bracket or a comma; `None` at the closing bracket.
fn next_item(rest: &mut &[u8]) -> Option<()> {
    skip_space(rest);
    if let Some(behind) = rest.strip_prefix(b",") {
        *rest = behind;
        skip_space(rest);
    }
    (!matches!(rest.first()?, b'}' | b']')).then_some(())
}

fn skip_space(rest: &mut &[u8]) {
    while let [b' ' | b'\t' | b'\r' | b'\n', behind @ ..] = *rest {
        *rest = behind;
    }
}

fn read_word(rest: &mut &[u8], word: &[u8]) -> Option<()> {
    *rest = rest.strip_prefix(word)?;
    Some(())
}

/// Reads a string literal. Control characters inside are tolerated, because devices send them.
fn read_string<'a>(rest: &mut &'a [u8]) -> Option<Text<'a>> {
    let inside = rest.strip_prefix(b"\"")?;
    let mut escaped = false;
    for (at, byte) in inside.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let (literal, behind) = inside.split_at_checked(at)?;
                *rest = behind.get(1..)?;
                return Some(Text::literal(literal));
            }
            _ => {}
        }
    }
    None
}

fn read_number<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = *rest;
    let digits = |from: usize| text.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    let mut end = usize::from(text.first() == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 || (whole > 1 && text.get(end) == Some(&b'0')) {
        return None;
    }
    end += whole;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
    }
    let (number, behind) = text.split_at_checked(end)?;
    *rest = behind;
    Some(number)
}

/// Reads an array or object without recursion: one bit a level remembers which bracket must close it.
fn read_nested<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let text = *rest;
    let (mut depth, mut is_object) = (0u32, 0u32);
    loop {
        // At the beginning of a value, or of an entry of the innermost object.
        skip_space(rest);
        match *rest.first()? {
            open @ (b'{' | b'[') => {
                if depth == MAX_DEPTH {
                    return None;
                }
                depth += 1;
                is_object = (is_object << 1) | u32::from(open == b'{');
                *rest = rest.get(1..)?;
                skip_space(rest);
                if !matches!(rest.first()?, b'}' | b']') {
                    read_key(rest, is_object)?;
                    continue;
                }
            }
            b'"' => {
                read_string(rest)?;
            }
            b't' => read_word(rest, b"true")?,
            b'f' => read_word(rest, b"false")?,
            b'n' => read_word(rest, b"null")?,
            _ => {
                read_number(rest)?;
            }
        }
        // Behind a value: close as many levels as the text does.
        loop {
            skip_space(rest);
            let (byte, behind) = rest.split_first()?;
            *rest = behind;
            if *byte == b',' {
                skip_space(rest);
                read_key(rest, is_object)?;
                break;
            }
            if *byte != if is_object & 1 == 1 { b'}' } else { b']' } {
                return None;
            }
            depth -= 1;
            is_object >>= 1;
            if depth == 0 {
                return text.get(..text.len() - rest.len());
            }
        }
    }
}

/// In an object, reads a key and its colon; in an array, nothing.
fn read_key(rest: &mut &[u8], is_object: u32) -> Option<()> {
    if is_object & 1 == 1 {
        read_string(rest)?;
        skip_space(rest);
        *rest = rest.strip_prefix(b":")?;
    }
    Some(())
}

/// The value of plain digits with an optional sign, when it fits.
pub(crate) fn parse_integer(digits: &[u8]) -> Option<i64> {
    let (negative, digits) = match digits.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0i64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|d| *d < 10).map(i64::from)?;
        let value = value.checked_mul(10)?;
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    })
}
