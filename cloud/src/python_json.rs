//! JSON as Python's `json.dumps(value, indent=4)` writes it, for tools that compare files.

use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use zeroize::Zeroizing;

/// Writes a value.
pub(crate) fn write(value: &Value) -> Zeroizing<Vec<u8>> {
    // Room for the outcome, so that no copy of keys is left behind where the text grows.
    let mut counted = Counted(0);
    let _ = value.serialize(&mut Serializer::with_formatter(&mut counted, Python::new()));
    let mut out = Zeroizing::new(Vec::with_capacity(counted.0));
    // A value is written to memory: that cannot fail.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut *out, Python::new()));
    out
}

struct Counted(usize);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Python(PrettyFormatter<'static>);

impl Python {
    fn new() -> Self {
        Self(PrettyFormatter::with_indent(b"    "))
    }
}

impl Formatter for Python {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !c.is_ascii()) {
            let (plain, tail) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_text_is_pythons() {
        let value = json!([{ "a": "°C 💡 \"\\\n\u{7f}", "b": {}, "c": [], "d": [1, 2.5, null, true] }]);
        let expected = "[\n    {\n        \"a\": \"\\u00b0C \\ud83d\\udca1 \\\"\\\\\\n\u{7f}\",\n        \"b\": {},\n        \"c\": [],\n        \
                        \"d\": [\n            1,\n            2.5,\n            null,\n            true\n        ]\n    }\n]";
        assert_eq!(String::from_utf8(write(&value).to_vec()).as_deref(), Ok(expected));
    }
}
