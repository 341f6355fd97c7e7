//! Numbers that are packed in bytes, and colors among them.

use super::read::bytes;
use super::write::text_of;
use crate::profile::model::{Field, ProfileDp, Range};
use crate::value::{Color, Number, Value};

/// Most bytes of a packed value.
const MAX_BYTES: usize = 4096;

/// Returns the numbers that a text holds by the format of its DP; `None` if it is shorter.
pub(super) fn unpacked(dp: &ProfileDp, text: &str) -> Option<Vec<i64>> {
    let bytes = bytes(dp.kind, text)?;
    let mut rest = bytes.as_slice();
    let mut numbers = Vec::with_capacity(dp.format.len());
    for field in &dp.format {
        let (own, others) = rest.split_at_checked(field.bytes.into())?;
        let number = own.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let bits = 8 * u32::from(field.bytes);
        let is_negative = field.range.min < Number::from(0) && bits < 64 && number >> (bits - 1) & 1 == 1;
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        numbers.push(if is_negative { number - (1_i64 << bits) } else { number });
        rest = others;
    }
    Some(numbers)
}

/// Packs numbers by the format of a DP.
fn packed(dp: &ProfileDp, numbers: &[i64]) -> String {
    let mut bytes = Vec::new();
    for (field, number) in dp.format.iter().zip(numbers) {
        let all = number.to_be_bytes();
        let from = all.len() - usize::from(field.bytes).min(all.len());
        bytes.extend_from_slice(all.get(from..).unwrap_or_default());
        if bytes.len() > MAX_BYTES {
            break;
        }
    }
    text_of(dp.kind, &bytes)
}

/// Returns the numbers by name.
pub(super) fn group(dp: &ProfileDp, numbers: &[i64]) -> Value {
    let named = dp.format.iter().zip(numbers);
    Value::Group(named.map(|(field, number)| (field.name.clone(), Value::Number(Number::from(*number)))).collect())
}

impl ProfileDp {
    /// Returns `true` if it holds a color.
    pub fn is_color(&self) -> bool {
        let has = |names: &[&str]| names.iter().all(|name| self.format.iter().any(|field| field.name == *name));
        has(&["h", "s"]) || has(&["r", "g", "b"])
    }
}

/// Reads a color. Without a brightness of its own it is fully bright.
pub(super) fn color(dp: &ProfileDp, text: &str) -> Option<Color> {
    let numbers = unpacked(dp, text)?;
    let part = |name: &str, most: u16| {
        let (field, number) = dp.format.iter().zip(&numbers).find(|(field, _)| field.name == name)?;
        Some(scaled(*number, field.range, most))
    };
    if let (Some(hue), Some(saturation)) = (part("h", 360), part("s", 1000)) {
        return Some(Color::hsv(hue, saturation, part("v", 1000).unwrap_or(1000)));
    }
    let byte = |name| part(name, 255).and_then(|value| u8::try_from(value).ok());
    Some(Color::rgb(byte("r")?, byte("g")?, byte("b")?))
}

/// Writes a color. What is no part of it stays as it is.
pub(super) fn color_text(dp: &ProfileDp, color: Color, present: Option<&str>) -> String {
    let present = present.and_then(|text| unpacked(dp, text)).unwrap_or_default();
    let [red, green, blue] = color.to_rgb().map(u16::from);
    let number = |(i, field): (usize, &Field)| {
        let (value, most) = match field.name.as_str() {
            "h" => (color.hue, 360),
            "s" => (color.saturation, 1000),
            "v" => (color.value, 1000),
            "r" => (red, 255),
            "g" => (green, 255),
            "b" => (blue, 255),
            _ => return present.get(i).copied().unwrap_or_default(),
        };
        let full = Range { min: Number::from(0), max: Number::from(most) };
        let number = super::exact::remapped(Number::from(value), full, field.range);
        number.and_then(|number| number.rounded(0)).unwrap_or_default()
    };
    packed(dp, &dp.format.iter().enumerate().map(number).collect::<Vec<_>>())
}

fn scaled(number: i64, range: Range, most: u16) -> u16 {
    let full = Range { min: Number::from(0), max: Number::from(most) };
    let number = super::exact::remapped(Number::from(number), range, full).and_then(|number| number.rounded(0));
    u16::try_from(number.unwrap_or_default().clamp(0, most.into())).unwrap_or_default()
}
