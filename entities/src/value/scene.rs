//! Scenes and live colors of lights, as hexadecimal text.

use core::fmt::Write as _;

use super::{Color, Data, Limit, Number, Value};

/// Most steps of a scene: a bulb has eight, and text that goes on and on is none.
const MAX_STEPS: usize = 64;

/// Hexadecimal digits of one step of version 2.
const STEP: usize = 26;

/// Reads numbers of a fixed count of hexadecimal digits from a text.
struct Digits<'a>(&'a str);

impl Digits<'_> {
    fn next(&mut self, count: usize) -> Option<u16> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u16::from_str_radix(digits, 16).ok())?
    }

    fn number(&mut self, count: usize) -> Option<Value> {
        self.next(count).map(|number| Value::Number(Number::from(number)))
    }

    fn color(&mut self) -> Option<Value> {
        Some(Value::Color(Color { hue: self.next(4)?, saturation: self.next(4)?, value: self.next(4)? }))
    }
}

fn group<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Group(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Reads a scene.
pub(crate) fn decode(data: &Data<'_>, is_v2: bool) -> Option<Value> {
    let Data::Text(text) = data else { return None };
    let mut digits = Digits(text.trim());
    if is_v2 { decode_v2(&mut digits) } else { decode_v1(&mut digits) }
}

fn decode_v2(digits: &mut Digits<'_>) -> Option<Value> {
    let scene = digits.number(2)?;
    let count = digits.0.len().checked_div(STEP)?;
    if count > MAX_STEPS || digits.0.len().checked_rem(STEP)? != 0 {
        return None;
    }
    let step = |digits: &mut Digits<'_>| {
        Some(group([
            ("switch_time", digits.number(2)?),
            ("change_time", digits.number(2)?),
            ("change", change(&["static", "jump", "gradual"], digits.next(2)?)),
            ("color", digits.color()?),
            ("brightness", digits.number(4)?),
            ("color_temp", digits.number(4)?),
        ]))
    };
    let steps = (0..count).map(|_| step(digits)).collect::<Option<Vec<_>>>()?;
    Some(group([("scene", scene), ("steps", Value::List(steps))]))
}

fn decode_v1(digits: &mut Digits<'_>) -> Option<Value> {
    let (brightness, color_temp, frequency) = (digits.number(2)?, digits.number(2)?, digits.number(2)?);
    let count = usize::from(digits.next(2)?);
    if count > MAX_STEPS || digits.0.len() != count.checked_mul(6)? {
        return None;
    }
    let rgb = |digits: &mut Digits<'_>| {
        let byte = |value: u16| u8::try_from(value).ok();
        Some(Value::Color(Color::rgb(byte(digits.next(2)?)?, byte(digits.next(2)?)?, byte(digits.next(2)?)?)))
    };
    let steps = (0..count).map(|_| rgb(digits)).collect::<Option<Vec<_>>>()?;
    Some(group([
        ("brightness", brightness),
        ("color_temp", color_temp),
        ("frequency", frequency),
        ("steps", Value::List(steps)),
    ]))
}

/// Reads a live color: text of 21 hexadecimal digits.
pub(crate) fn decode_live(data: &Data<'_>) -> Option<Value> {
    let Data::Text(text) = data else { return None };
    let text = text.trim();
    let mut digits = Digits(text);
    let live = group([
        ("change", change(&["jump", "gradual"], digits.next(1)?)),
        ("color", digits.color()?),
        ("brightness", digits.number(4)?),
        ("color_temp", digits.number(4)?),
    ]);
    digits.0.is_empty().then_some(live)
}

/// Returns the name of a way from one color to the next; its number if it has none.
fn change(names: &[&str], number: u16) -> Value {
    match names.get(usize::from(number)) {
        Some(name) => (*name).into(),
        None => Value::Number(Number::from(number)),
    }
}

/// Writes the members of a group as hexadecimal text.
struct Writer<'a> {
    group: &'a Value,
    text: String,
}

impl Writer<'_> {
    fn put(&mut self, number: u16, digits: usize) -> Result<(), Limit> {
        let most = 1_u32.checked_shl(u32::try_from(digits.saturating_mul(4)).unwrap_or(16)).unwrap_or(u32::MAX);
        if u32::from(number) >= most {
            return Err(Limit::range(0, most.saturating_sub(1), ""));
        }
        write!(self.text, "{number:0digits$x}").map_err(|_| Limit::Kind("a scene"))
    }

    /// Writes a number from 0 to `most`; one that is left out is 0.
    fn number(&mut self, name: &str, digits: usize, most: u16) -> Result<(), Limit> {
        let number = match self.group.member(name) {
            None => 0,
            Some(Value::Number(number)) => {
                let number = number.exact(0).and_then(|number| u16::try_from(number).ok());
                number.filter(|number| *number <= most).ok_or_else(|| Limit::range(0, most, ""))?
            }
            Some(_) => return Err(Limit::Kind("a number")),
        };
        self.put(number, digits)
    }

    fn change(&mut self, names: &[&str], digits: usize) -> Result<(), Limit> {
        let allowed = || Limit::Words(names.iter().map(|name| (*name).to_owned()).collect());
        let number = match self.group.member("change") {
            None => 0,
            Some(Value::Text(name)) => {
                let index = names.iter().position(|known| **known == **name).ok_or_else(allowed)?;
                u16::try_from(index).map_err(|_| allowed())?
            }
            Some(Value::Number(number)) => {
                let number = number.exact(0).and_then(|number| u16::try_from(number).ok());
                number.filter(|number| *number < 16).ok_or_else(allowed)?
            }
            Some(_) => return Err(allowed()),
        };
        self.put(number, digits)
    }

    fn color(&mut self) -> Result<(), Limit> {
        let color = match self.group.member("color") {
            None => Color { hue: 0, saturation: 0, value: 0 },
            Some(Value::Color(color)) if color.is_valid() => *color,
            Some(_) => return Err(Limit::Kind("a color")),
        };
        [color.hue, color.saturation, color.value].into_iter().try_for_each(|part| self.put(part, 4))
    }
}

/// Writes a scene: a group as [`decode`] gives it, or its hexadecimal digits.
pub(crate) fn encode(value: &Value, is_v2: bool) -> Result<String, Limit> {
    if let Value::Text(text) = value {
        let text = text.trim().to_ascii_lowercase();
        return match decode(&Data::Text(text.as_str().into()), is_v2) {
            Some(_) => Ok(text),
            None => Err(Limit::Kind("a scene in hexadecimal digits")),
        };
    }
    let steps = match (value, value.member("steps")) {
        (Value::Group(_), Some(Value::List(steps))) if steps.len() <= MAX_STEPS => steps,
        _ => return Err(Limit::Kind("a scene with up to 64 steps")),
    };
    let mut writer = Writer { group: value, text: String::new() };
    if is_v2 {
        writer.number("scene", 2, 255)?;
        for step in steps {
            writer.group = step;
            writer.number("switch_time", 2, 255)?;
            writer.number("change_time", 2, 255)?;
            writer.change(&["static", "jump", "gradual"], 2)?;
            writer.color()?;
            writer.number("brightness", 4, 1000)?;
            writer.number("color_temp", 4, 1000)?;
        }
        return Ok(writer.text);
    }
    writer.number("brightness", 2, 255)?;
    writer.number("color_temp", 2, 255)?;
    writer.number("frequency", 2, 255)?;
    writer.put(u16::try_from(steps.len()).unwrap_or(u16::MAX), 2)?;
    for step in steps {
        let Value::Color(color) = step else { return Err(Limit::Kind("a color")) };
        color.to_rgb().into_iter().try_for_each(|part| writer.put(part.into(), 2))?;
    }
    Ok(writer.text)
}

/// Writes a live color: a group as [`decode_live`] gives it, or its hexadecimal digits.
pub(crate) fn encode_live(value: &Value) -> Result<String, Limit> {
    match value {
        Value::Text(text) => {
            let text = text.trim().to_ascii_lowercase();
            match decode_live(&Data::Text(text.as_str().into())) {
                Some(_) => Ok(text),
                None => Err(Limit::Kind("21 hexadecimal digits")),
            }
        }
        Value::Group(_) => {
            let mut writer = Writer { group: value, text: String::new() };
            writer.change(&["jump", "gradual"], 1)?;
            writer.color()?;
            writer.number("brightness", 4, 1000)?;
            writer.number("color_temp", 4, 1000)?;
            Ok(writer.text)
        }
        _ => Err(Limit::Kind("a color to be shown at once")),
    }
}
