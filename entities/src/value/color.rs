//! Colors in the vendor's forms, in RGB and by name.

use core::fmt::Write as _;

use serde_json::Value as Json;

use super::{Color, Data};
use crate::entity::ColorForm;

/// Tail of a 14-digit color that stands for "read red, green and blue": hue 360 with full saturation and brightness.
const RGB_TAIL: &str = "0168ffff";

impl Color {
    /// Makes a color of hue (degrees), saturation and brightness (permille). Values beyond 360 and 1000 count as 360
    /// and 1000.
    ///
    /// ```
    /// # use rustuya_entities::Color;
    /// assert_eq!(Color::hsv(240, 500, 700).to_string(), "#5959b3");
    /// ```
    pub const fn hsv(hue: u16, saturation: u16, value: u16) -> Self {
        const fn at_most(value: u16, most: u16) -> u16 {
            if value > most { most } else { value }
        }
        Self { hue: at_most(hue, 360), saturation: at_most(saturation, 1000), value: at_most(value, 1000) }
    }

    /// Makes a color of red, green and blue.
    ///
    /// ```
    /// # use rustuya_entities::Color;
    /// assert_eq!(Color::rgb(0, 255, 0), Color::hsv(120, 1000, 1000));
    /// ```
    pub fn rgb(red: u8, green: u8, blue: u8) -> Self {
        let [r, g, b] = [red, green, blue].map(i32::from);
        let max = r.max(g).max(b);
        let delta = max.saturating_sub(r.min(g).min(b));
        let permille = |part: i32, whole: i32| ratio(part, 1000, whole);
        // A sixth of the circle, and the way from there in units of 60/delta degrees.
        let (base, way) = if delta == 0 {
            (0, 0)
        } else if max == r {
            (if g < b { 360 } else { 0 }, g.saturating_sub(b))
        } else if max == g {
            (120, b.saturating_sub(r))
        } else {
            (240, r.saturating_sub(g))
        };
        let turned = ratio(way.abs(), 60, delta);
        let hue: i32 = if way < 0 { i32::saturating_sub(base, turned) } else { i32::saturating_add(base, turned) };
        let part = |value: i32| u16::try_from(value).unwrap_or_default();
        // 360 and 0 are the same hue; devices report 0.
        Self { hue: part(hue) % 360, saturation: part(permille(delta, max)), value: part(permille(max, 255)) }
    }

    /// Makes a fully bright color of hue in degrees and saturation in percent, as Home Assistant gives them.
    ///
    /// ```
    /// # use rustuya_entities::Color;
    /// assert_eq!(Color::hs(120.0, 80.0), Color::hsv(120, 800, 1000));
    /// ```
    pub fn hs(hue: f64, saturation: f64) -> Self {
        Self { hue: rounded(hue, 360), saturation: rounded(saturation * 10.0, 1000), value: 1000 }
    }

    /// Returns red, green and blue.
    ///
    /// ```
    /// # use rustuya_entities::Color;
    /// assert_eq!(Color::hsv(0, 1000, 1000).to_rgb(), [255, 0, 0]);
    /// ```
    pub fn to_rgb(self) -> [u8; 3] {
        let Self { hue, saturation, value } = Self::hsv(self.hue, self.saturation, self.value);
        let [h, s, v] = [hue, saturation, value].map(i64::from);
        let h = h.rem_euclid(360);
        // Brightness less a share of the saturation; the share is in 1/60.
        let channel = |share: i64| {
            let part = 60_000_i64.saturating_sub(s.saturating_mul(share));
            let scaled = v.saturating_mul(part).saturating_mul(255).saturating_add(30_000_000) / 60_000_000;
            u8::try_from(scaled).unwrap_or(u8::MAX)
        };
        let (sector, rest) = (h / 60, h % 60);
        let (full, low) = (channel(0), channel(60));
        let (rising, falling) = (channel(60_i64.saturating_sub(rest)), channel(rest));
        match sector {
            0 => [full, rising, low],
            1 => [falling, full, low],
            2 => [low, full, rising],
            3 => [low, falling, full],
            4 => [rising, low, full],
            _ => [full, low, falling],
        }
    }

    /// Returns the color with another brightness in permille.
    #[must_use]
    pub const fn with_value(self, value: u16) -> Self {
        Self::hsv(self.hue, self.saturation, value)
    }

    /// Reads a color as a user writes it: a name of CSS's sixteen basic colors (and `orange`, `pink`, `cyan`,
    /// `magenta`, `violet`, `gold`), `#rrggbb`, `#rgb`, or hue, saturation and brightness as `hsv(240, 50, 70)` (in
    /// degrees and percent), or red, green and blue as `rgb(255, 136, 0)` or `255,136,0`.
    ///
    /// ```
    /// # use rustuya_entities::Color;
    /// assert_eq!(Color::from_text("Red"), Some(Color::hsv(0, 1000, 1000)));
    /// assert_eq!(Color::from_text("#f80"), Some(Color::rgb(0xff, 0x88, 0)));
    /// assert_eq!(Color::from_text("hsv(240, 50, 70)"), Some(Color::hsv(240, 500, 700)));
    /// assert_eq!(Color::from_text("colorless"), None);
    /// ```
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        if let Some((_, [red, green, blue])) = NAMES.iter().find(|(name, _)| *name == text) {
            return Some(Self::rgb(*red, *green, *blue));
        }
        if let Some(inner) = text.strip_prefix("hsv(").and_then(|rest| rest.strip_suffix(')')) {
            let [hue, saturation, value] = three::<u16>(&inner.replace('%', ""))?;
            let percent = |share: u16| (share <= 100).then(|| share.saturating_mul(10));
            return (hue <= 360)
                .then(|| Some(Self { hue, saturation: percent(saturation)?, value: percent(value)? }))?;
        }
        let triple = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&text);
        if let Some([red, green, blue]) = three::<u8>(triple) {
            return Some(Self::rgb(red, green, blue));
        }
        let digits = text.strip_prefix('#').unwrap_or(&text);
        match digits.len() {
            6 => {
                let [red, green, blue] = [hex(digits, 0, 2)?, hex(digits, 2, 4)?, hex(digits, 4, 6)?];
                Some(Self::rgb(byte(red), byte(green), byte(blue)))
            }
            3 => {
                let [red, green, blue] = [hex(digits, 0, 1)?, hex(digits, 1, 2)?, hex(digits, 2, 3)?];
                let double = |digit: u16| byte(digit.saturating_mul(17));
                Some(Self::rgb(double(red), double(green), double(blue)))
            }
            _ => None,
        }
    }

    /// Reads a color that a device sent, and its form. The digits of a color show their form; of JSON, `form` tells the
    /// ranges.
    pub(crate) fn decode(data: &Data<'_>, form: ColorForm) -> Option<(Self, ColorForm)> {
        let members = |json: &Json| {
            let color = Self::from_members(json)?;
            if form != ColorForm::JsonText8 {
                return Some((color, ColorForm::JsonText));
            }
            let Self { hue, saturation, value } = color;
            Some((Self { hue, saturation: to_permille(saturation), value: to_permille(value) }, form))
        };
        match data {
            Data::Text(text) => Self::from_digits(text.trim()).or_else(|| {
                let json: Json = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())??;
                members(&json)
            }),
            Data::Json(json) => members(json),
            Data::Bool(_) | Data::Number(_) => None,
        }
    }

    fn from_digits(text: &str) -> Option<(Self, ColorForm)> {
        match text.len() {
            12 => {
                let color = Self { hue: hex(text, 0, 4)?, saturation: hex(text, 4, 8)?, value: hex(text, 8, 12)? };
                Some((color, ColorForm::Hsv16))
            }
            14 => {
                let [red, green, blue] = [hex(text, 0, 2)?, hex(text, 2, 4)?, hex(text, 4, 6)?];
                let (hue, saturation, value) = (hex(text, 6, 10)?, hex(text, 10, 12)?, hex(text, 12, 14)?);
                let reads_rgb = text.get(6..).is_some_and(|tail| tail.eq_ignore_ascii_case(RGB_TAIL));
                let color = if reads_rgb {
                    Self::rgb(byte(red), byte(green), byte(blue))
                } else {
                    Self { hue, saturation: to_permille(saturation), value: to_permille(value) }
                };
                Some((color, ColorForm::Rgb8))
            }
            6 => {
                let color = Self::rgb(byte(hex(text, 0, 2)?), byte(hex(text, 2, 4)?), byte(hex(text, 4, 6)?));
                Some((color, ColorForm::Rgb))
            }
            _ => None,
        }
    }

    fn from_members(json: &Json) -> Option<Self> {
        let member = |name: &str| json.get(name)?.as_u64().and_then(|value| u16::try_from(value).ok());
        Some(Self { hue: member("h")?, saturation: member("s")?, value: member("v")? })
    }

    /// Returns whether all parts are in their ranges.
    pub(crate) const fn is_valid(self) -> bool {
        self.hue <= 360 && self.saturation <= 1000 && self.value <= 1000
    }

    /// Returns the color as a device takes it, in lower case.
    pub(crate) fn encode(self, form: ColorForm) -> String {
        let color = Self::hsv(self.hue, self.saturation, self.value);
        let Self { hue, saturation, value } = color;
        match form {
            ColorForm::Hsv16 => format!("{hue:04x}{saturation:04x}{value:04x}"),
            ColorForm::Rgb8 => {
                let [red, green, blue] = color.to_rgb();
                let [s, v] = [saturation, value].map(to_byte);
                format!("{red:02x}{green:02x}{blue:02x}{hue:04x}{s:02x}{v:02x}")
            }
            ColorForm::Rgb => {
                let [red, green, blue] = color.to_rgb();
                format!("{red:02x}{green:02x}{blue:02x}")
            }
            ColorForm::JsonText => format!(r#"{{"h":{hue},"s":{saturation},"v":{value}}}"#),
            ColorForm::JsonText8 => {
                let [s, v] = [saturation, value].map(to_byte);
                format!(r#"{{"h":{hue},"s":{s},"v":{v}}}"#)
            }
        }
    }
}

impl core::fmt::Display for Color {
    /// Writes `#rrggbb`.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_char('#')?;
        self.to_rgb().iter().try_for_each(|part| write!(f, "{part:02x}"))
    }
}

/// CSS's sixteen basic colors, and some more that people name.
const NAMES: [(&str, [u8; 3]); 22] = [
    ("aqua", [0, 255, 255]),
    ("black", [0, 0, 0]),
    ("blue", [0, 0, 255]),
    ("cyan", [0, 255, 255]),
    ("fuchsia", [255, 0, 255]),
    ("gold", [255, 215, 0]),
    ("gray", [128, 128, 128]),
    ("green", [0, 128, 0]),
    ("lime", [0, 255, 0]),
    ("magenta", [255, 0, 255]),
    ("maroon", [128, 0, 0]),
    ("navy", [0, 0, 128]),
    ("olive", [128, 128, 0]),
    ("orange", [255, 165, 0]),
    ("pink", [255, 192, 203]),
    ("purple", [128, 0, 128]),
    ("red", [255, 0, 0]),
    ("silver", [192, 192, 192]),
    ("teal", [0, 128, 128]),
    ("violet", [238, 130, 238]),
    ("white", [255, 255, 255]),
    ("yellow", [255, 255, 0]),
];

/// Returns `part * factor / whole`, rounded; 0 of nothing.
fn ratio(part: i32, factor: i32, whole: i32) -> i32 {
    part.saturating_mul(factor).saturating_add(whole / 2).checked_div(whole).unwrap_or_default()
}

/// Rounds to an integer from 0 to `most`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited to 0..=most before")]
fn rounded(value: f64, most: u16) -> u16 {
    if value.is_nan() { 0 } else { value.round().clamp(0.0, f64::from(most)) as u16 }
}

fn hex(text: &str, start: usize, end: usize) -> Option<u16> {
    let digits = text.get(start..end)?;
    digits.bytes().try_fold(0_u16, |number, digit| {
        let digit = u16::try_from(char::from(digit).to_digit(16)?).ok()?;
        Some(number << 4 | digit)
    })
}

fn byte(value: u16) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Turns 0..=255 into permille.
fn to_permille(byte: u16) -> u16 {
    u16::try_from(u32::from(byte).saturating_mul(1000).saturating_add(127) / 255).unwrap_or(1000)
}

/// Turns permille into 0..=255. Only nothing is 0: a brightness of 0 would switch the light off.
fn to_byte(permille: u16) -> u16 {
    let byte = u16::try_from(u32::from(permille).saturating_mul(255).saturating_add(500) / 1000).unwrap_or(255);
    byte.max(permille.min(1))
}

fn three<T: core::str::FromStr>(text: &str) -> Option<[T; 3]> {
    let mut parts = text.split(',').map(|part| part.trim().parse().ok());
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}
