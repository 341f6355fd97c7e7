//! Hexadecimal forms of colors and scenes on the local network.

use serde_json::{Value, json};

/// Layout of a text of hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Color of newer lights: hue (to 360), saturation and value (to 1000), four digits each.
    Hsv,
    /// Color of older lights: red, green and blue, two digits each; hue, four digits; saturation and value, two each.
    Rgb,
    /// Scene of newer lights: its number, two digits, then 26 for each of up to eight units.
    Scene,
    /// Scene of older lights: brightness, temperature, frequency and count, two digits each, then as many colors of six.
    Flash,
    /// Slider of the app or beat of music: a mode, one digit; hue, saturation, value, brightness and temperature, four
    /// each.
    Slider,
}

impl Form {
    /// Returns whether a text has this form.
    pub(crate) fn is_met_by(self, text: &str) -> bool {
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        let part = |from: usize, len: usize| {
            let digits = text.get(from..from.saturating_add(len))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let below = |from, len, max| part(from, len).is_some_and(|number| number <= max);
        let rest = |head: usize, unit: usize| {
            let rest = text.len().checked_sub(head)?;
            rest.is_multiple_of(unit).then_some(rest / unit)
        };
        match self {
            Self::Hsv => text.len() == 12 && below(0, 4, 360) && below(4, 4, 1000) && below(8, 4, 1000),
            Self::Rgb => text.len() == 14 && below(6, 4, 360),
            Self::Scene => rest(2, 26).is_some_and(|units| (1..=8).contains(&units)),
            Self::Flash => {
                let count = part(6, 2).and_then(|count| usize::try_from(count).ok());
                count.is_some_and(|count| count > 0 && rest(8, 6) == Some(count))
            }
            Self::Slider => {
                text.len() == 21 && below(1, 4, 360) && [5, 9, 13, 17].into_iter().all(|from| below(from, 4, 1000))
            }
        }
    }

    /// Returns the `values` that the cloud tells of it.
    pub(crate) fn values(self) -> Value {
        let part = |max: u32| json!({ "min": 0, "scale": 0, "unit": "", "max": max, "step": 1 });
        match self {
            Self::Hsv => json!({ "h": part(360), "s": part(1000), "v": part(1000) }),
            Self::Rgb | Self::Scene | Self::Flash | Self::Slider => json!({}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_the_form_are_accepted() {
        for (form, text, fits) in [
            (Form::Hsv, "000003e803e8", true),
            (Form::Hsv, "00F001F402BC", true),
            (Form::Hsv, "016903e803e8", false),
            (Form::Hsv, "000003e903e8", false),
            (Form::Hsv, "000003e803e", false),
            (Form::Hsv, "00000 e803e8", false),
            (Form::Hsv, "", false),
            (Form::Rgb, "ff00000000ffff", true),
            (Form::Rgb, "ff00000169ffff", false),
            (Form::Rgb, "000003e803e8", false),
            (Form::Scene, "000e0d0000000000000000c80000", true),
            (Form::Scene, "00", false),
            (Form::Scene, "000e0d0000000000000000c8000", false),
            (Form::Flash, "ffff500100ff00", true),
            (Form::Flash, "ffff500200ff00", false),
            (Form::Flash, "ffff5000", false),
            (Form::Slider, "1000003e803e8000003e8", true),
            (Form::Slider, "1000003e803e8000003e9", false),
            (Form::Slider, "é", false),
        ] {
            assert_eq!(form.is_met_by(text), fits, "{form:?} {text}");
        }
    }
}
