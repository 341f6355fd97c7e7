//! Data points of a profile: code, type, range and first value.

use serde_json::{Map, Value, json};

use crate::datum::Datum;
use crate::form::Form;
use crate::spec::Spec;

/// One DP of a profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) dp: u16,
    pub(crate) code: &'static str,
    pub(crate) is_writable: bool,
    pub(crate) first: Datum,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    Int {
        unit: &'static str,
        min: i64,
        max: i64,
        scale: u8,
        step: u16,
    },
    Enum(&'static [&'static str]),
    Bitmap(&'static [&'static str]),
    /// Longest text, in bytes.
    Text(u64),
    Raw(u64),
    Json(Form),
}

/// Makes a switch or a flag.
pub(super) const fn boolean(dp: u16, code: &'static str, first: bool) -> Point {
    Point { dp, code, is_writable: true, first: Datum::Bool(first), kind: Kind::Bool }
}

/// Makes a number without a unit, of scale 0 and step 1.
pub(super) const fn integer(dp: u16, code: &'static str, (min, max): (i64, i64), first: i64) -> Point {
    let kind = Kind::Int { unit: "", min, max, scale: 0, step: 1 };
    Point { dp, code, is_writable: true, first: Datum::Int(first), kind }
}

/// Makes a percentage.
pub(super) const fn percent(dp: u16, code: &'static str, first: i64) -> Point {
    integer(dp, code, (0, 100), first).unit("%")
}

/// Makes a temperature in tenths of a degree Celsius.
pub(super) const fn celsius(dp: u16, code: &'static str, range: (i64, i64), first: i64) -> Point {
    integer(dp, code, range, first).unit("°C").scale(1)
}

/// Makes a time in seconds, of a day at most.
pub(super) const fn countdown(dp: u16, code: &'static str) -> Point {
    integer(dp, code, (0, 86_400), 0).unit("s")
}

/// Makes a choice; its first word is the first value.
pub(super) const fn choice(dp: u16, code: &'static str, words: &'static [&'static str]) -> Point {
    let first = match words {
        [first, ..] => Datum::Text(first),
        [] => Datum::Any,
    };
    Point { dp, code, is_writable: true, first, kind: Kind::Enum(words) }
}

/// Makes a bitmap of faults, none of which is set.
pub(super) const fn fault(dp: u16, labels: &'static [&'static str]) -> Point {
    Point { dp, code: "fault", is_writable: false, first: Datum::Int(0), kind: Kind::Bitmap(labels) }
}

/// Makes a text that was never set.
pub(super) const fn text(dp: u16, code: &'static str, longest: u64) -> Point {
    Point { dp, code, is_writable: true, first: Datum::Any, kind: Kind::Text(longest) }
}

/// Makes bytes that were never set.
pub(super) const fn raw(dp: u16, code: &'static str, longest: u64) -> Point {
    Point { dp, code, is_writable: true, first: Datum::Any, kind: Kind::Raw(longest) }
}

/// Makes what the cloud shows as JSON and the local network has as digits: a color or a scene.
pub(super) const fn digits(dp: u16, code: &'static str, form: Form) -> Point {
    Point { dp, code, is_writable: true, first: Datum::Any, kind: Kind::Json(form) }
}

impl Point {
    /// Sets the unit of a number.
    pub(super) const fn unit(mut self, name: &'static str) -> Self {
        if let Kind::Int { unit, .. } = &mut self.kind {
            *unit = name;
        }
        self
    }

    /// Sets the number of decimal places of a number.
    pub(super) const fn scale(mut self, places: u8) -> Self {
        if let Kind::Int { scale, .. } = &mut self.kind {
            *scale = places;
        }
        self
    }

    /// Sets the step of a number.
    pub(super) const fn step(mut self, by: u16) -> Self {
        if let Kind::Int { step, .. } = &mut self.kind {
            *step = by;
        }
        self
    }

    /// Sets the first value.
    pub(super) const fn first(mut self, first: Datum) -> Self {
        self.first = first;
        self
    }

    /// Makes a text the first value.
    pub(super) const fn is(self, text: &'static str) -> Self {
        self.first(Datum::Text(text))
    }

    /// Lets only the device itself change the value.
    pub(super) const fn measured(mut self) -> Self {
        self.is_writable = false;
        self
    }

    /// Returns the entry of `mapping` in tinytuya's `devices.json`.
    pub(crate) fn mapping(&self) -> Value {
        let (kind, values) = match self.kind {
            Kind::Bool => ("Boolean", json!({})),
            Kind::Int { unit, min, max, scale, step } => {
                ("Integer", json!({ "unit": unit, "min": min, "max": max, "scale": scale, "step": step }))
            }
            Kind::Enum(words) => ("Enum", json!({ "range": words })),
            Kind::Bitmap(labels) => ("Bitmap", json!({ "label": labels, "maxlen": labels.len() })),
            // The values of texts stay JSON text there.
            Kind::Text(longest) => ("String", json!(json!({ "maxlen": longest }).to_string())),
            Kind::Raw(longest) => ("Raw", json!({ "maxlen": longest })),
            Kind::Json(form) => ("Json", form.values()),
        };
        let mut entry = Map::new();
        entry.insert("code".to_owned(), self.code.into());
        entry.insert("type".to_owned(), kind.into());
        if let Kind::Json(_) = self.kind {
            entry.insert("raw_values".to_owned(), values.to_string().into());
        }
        entry.insert("values".to_owned(), values);
        Value::Object(entry)
    }

    /// Returns the values that a controller may write.
    pub(crate) fn spec(&self) -> Spec {
        match self.kind {
            Kind::Bool => Spec::Bool,
            Kind::Int { min, max, .. } => Spec::Integer { min, max },
            Kind::Enum(words) => Spec::Enum(words.iter().map(|word| (*word).to_owned()).collect()),
            Kind::Bitmap(labels) => Spec::Bitmap(labels.len().try_into().unwrap_or(u32::MAX)),
            Kind::Text(longest) => Spec::Text(longest),
            Kind::Raw(_) => Spec::Raw,
            Kind::Json(form) => Spec::Digits(form),
        }
    }
}
