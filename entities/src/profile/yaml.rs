//! YAML text as a tree, within limits.
//!
//! The files are written for a reader of YAML 1.1, so a plain `on` is a boolean and `010` is eight.

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::ProfileError;
use crate::value::Number;

/// Most bytes of a file. The longest that is known has a tenth of it.
pub(super) const MAX_BYTES: usize = 512 * 1024;
/// Most lists and maps within each other. A profile needs twelve.
const MAX_DEPTH: usize = 32;
/// Most scalars, lists and maps of a file.
const MAX_NODES: usize = 65_536;
/// Most keys of one map.
const MAX_KEYS: usize = 128;

/// A part of a YAML document.
#[derive(Clone, PartialEq)]
pub(super) enum Node {
    /// Text, and the information that it stood in quotes, or as a block.
    Scalar(String, bool),
    /// A list.
    List(Vec<Self>),
    /// A map, in the order of the file. The last of equal keys is kept.
    Map(Vec<(String, Self)>),
}

/// A scalar of a profile.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scalar {
    /// Nothing: the DP is absent.
    Null,
    /// `true`, `false`, and the plain words `on`, `off`, `yes`, `no`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(std::sync::Arc<str>),
}

impl Node {
    /// Returns the meaning of a scalar; `None` for lists and maps.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        match self {
            Self::Scalar(text, true) => Some(Scalar::Text(text.as_str().into())),
            Self::Scalar(text, false) => Some(plain(text)),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Reads the first document of a text.
pub(super) fn read(text: &str) -> Result<Node, ProfileError> {
    if text.len() > MAX_BYTES {
        return Err(ProfileError::TooLarge);
    }
    // Lists and maps that are not yet complete, the outermost first; of a map also the key whose value comes next.
    let mut open: Vec<(Node, Option<String>)> = Vec::new();
    let mut nodes = 0;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| ProfileError::Syntax {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            reason: error.info().into(),
        })?;
        let node = match event {
            Event::Scalar(text, style, ..) => Node::Scalar(text.into_owned(), style != ScalarStyle::Plain),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                if open.len() >= MAX_DEPTH {
                    return Err(ProfileError::TooDeep);
                }
                let is_list = matches!(event, Event::SequenceStart(..));
                open.push((if is_list { Node::List(Vec::new()) } else { Node::Map(Vec::new()) }, None));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some((node, _)) => node,
                None => continue,
            },
            Event::Alias(_) => return Err(ProfileError::Alias),
            Event::StreamEnd | Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
        };
        nodes += 1;
        if nodes > MAX_NODES {
            return Err(ProfileError::TooLarge);
        }
        match open.last_mut() {
            None => return Ok(node),
            Some((Node::List(list), _)) => list.push(node),
            Some((Node::Map(map), key)) => match (key.take(), node) {
                (Some(key), node) => insert(map, key, node)?,
                (None, Node::Scalar(text, _)) => *key = Some(text),
                (None, Node::List(_) | Node::Map(_)) => return Err(ProfileError::KeyIsNoText),
            },
            Some((Node::Scalar(..), _)) => {}
        }
    }
    Err(ProfileError::NoProfile)
}

fn insert(map: &mut Vec<(String, Node)>, key: String, node: Node) -> Result<(), ProfileError> {
    if let Some((_, found)) = map.iter_mut().find(|(found, _)| *found == key) {
        *found = node;
        return Ok(());
    }
    if map.len() >= MAX_KEYS {
        return Err(ProfileError::TooLarge);
    }
    map.push((key, node));
    Ok(())
}

/// Returns the meaning of a scalar without quotes.
fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" | "on" | "On" | "ON" | "yes" | "Yes" | "YES" => Scalar::Bool(true),
        "false" | "False" | "FALSE" | "off" | "Off" | "OFF" | "no" | "No" | "NO" => Scalar::Bool(false),
        _ => number(text).map_or_else(|| Scalar::Text(text.into()), Scalar::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let integer = |digits: &str, radix| {
        // A sign would be read as part of the digits.
        let digits = digits.replace('_', "");
        let magnitude = digits.starts_with(|first: char| first.is_digit(radix));
        let magnitude = magnitude.then(|| i64::from_str_radix(&digits, radix).ok())??;
        Some(Number::from(if is_negative { -magnitude } else { magnitude }))
    };
    if let Some(digits) = digits.strip_prefix("0x") {
        return integer(digits, 16);
    }
    if let Some(digits) = digits.strip_prefix("0b") {
        return integer(digits, 2);
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_')) {
        return integer(digits, 8);
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        // `09` is no octal number, and therefore text.
        let is_number = digits == "0" || !digits.starts_with('0');
        return is_number.then(|| integer(digits, 10))?;
    }
    // A fraction has a point; `1e5` is text.
    let is_fraction = digits.contains('.') && digits.bytes().any(|byte| byte.is_ascii_digit());
    is_fraction.then(|| text.replace('_', "").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Scalar {
        read(text).ok().and_then(|node| node.scalar()).unwrap()
    }

    #[test]
    fn scalars_mean_what_yaml_1_1_says() {
        for (text, number) in [
            ("0", Number::from(0)),
            ("-12", Number::from(-12)),
            ("1_000", Number::from(1000)),
            ("0x1F", Number::from(31)),
            ("010", Number::from(8)),
            ("0b101", Number::from(5)),
            ("0.5", Number::new(5, 1)),
            ("-.5", Number::new(-5, 1)),
            ("1.5e+3", Number::from(1500)),
        ] {
            assert_eq!(scalar(text), Scalar::Number(number), "{text}");
        }
        for text in
            ["1e5", "09", "v1", "1.2.3", "0x", "00FF", "+", "1-2", "9223372036854775808", "a on", "'on'", "\"1\""]
        {
            assert!(matches!(scalar(text), Scalar::Text(_)), "{text}");
        }
        assert_eq!(scalar("off"), Scalar::Bool(false));
        assert_eq!(scalar("Yes"), Scalar::Bool(true));
        assert_eq!(scalar("~"), Scalar::Null);
    }

    #[test]
    fn last_of_equal_keys_is_kept() {
        let node = read("a: 1\nb: 2\na: 3\n").ok();
        let is_kept = |node: &Node| matches!(node, Node::Map(map) if map.len() == 2 && map[0].1 == Node::Scalar("3".into(), false));
        assert!(node.as_ref().is_some_and(is_kept));
    }

    #[test]
    fn hostile_documents_end_in_errors() {
        let error = |text: &str| read(text).err();
        let bomb = "a: &a [1,1,1,1]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n";
        assert_eq!(error(bomb), Some(ProfileError::Alias));
        assert_eq!(error(&"[".repeat(100)), Some(ProfileError::TooDeep));
        assert_eq!(error(&"- ".repeat(100)), Some(ProfileError::TooDeep));
        assert_eq!(error(&"{a: ".repeat(100)), Some(ProfileError::TooDeep));
        for deep in ["[", "- ", "{a: ", "? ", "- ? ", "[[{"] {
            assert!(error(&deep.repeat(100_000 / deep.len())).is_some(), "{deep}");
        }
        assert_eq!(error(&format!("a: {}", "x".repeat(MAX_BYTES))), Some(ProfileError::TooLarge));
        assert_eq!(error(&"- a\n".repeat(MAX_NODES + 1)), Some(ProfileError::TooLarge));
        let keys: String = (0..=MAX_KEYS).map(|key| format!("k{key}: 1\n")).collect();
        assert_eq!(error(&keys), Some(ProfileError::TooLarge));
        assert_eq!(error("? [a]\n: b\n"), Some(ProfileError::KeyIsNoText));
        assert_eq!(error(""), Some(ProfileError::NoProfile));
        assert!(matches!(error("a: [1\nb: 2\n"), Some(ProfileError::Syntax { .. })));
    }
}
