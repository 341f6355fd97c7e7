//! JSON without memory: a pull reader that borrows from the payload, and a bounded writer.
//!
//! The maintained no-alloc readers do not fit: serde-json-core fills structs with known fields, and picojson needs
//! valid UTF-8, copies escaped strings to a scratch buffer and does not return nested values as text. A DPS map has
//! unknown keys, and its values may be anything, invalid UTF-8 included.

mod checked;
mod reader;
mod text;
mod writer;

pub use checked::{Decimal, JsonText};
pub(crate) use reader::{Array, Object, Value, parse_integer};
pub use text::{Chars, Text};
pub(crate) use writer::Writer;

#[cfg(test)]
mod tests;
