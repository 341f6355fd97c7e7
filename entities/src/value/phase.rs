//! Measurements of electrical phases.

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use serde_json::Value as Json;

use super::{Data, Number, Value};

/// Reads the measurements of one phase: base64, hexadecimal text or JSON.
pub(crate) fn decode(data: &Data<'_>) -> Option<Vec<(String, Value)>> {
    match data {
        Data::Text(text) => {
            let text = text.trim();
            if text.starts_with('{') {
                return members(&serde_json::from_str(text).ok()?);
            }
            // Hexadecimal digits are base64, too. The lengths tell them apart.
            let by_hex = bytes_of_hex(text).and_then(|bytes| unpacked(&bytes));
            by_hex.or_else(|| unpacked(&Base64::decode_vec(text).or_else(|_| Base64Unpadded::decode_vec(text)).ok()?))
        }
        Data::Json(json) => members(json),
        Data::Bool(_) | Data::Number(_) => None,
    }
}

/// Returns the unit of a measurement.
pub(crate) fn unit(name: &str) -> &'static str {
    match name {
        "voltage" => "V",
        "current" => "A",
        "power" => "W",
        "reactive_power" => "var",
        "apparent_power" => "VA",
        _ => "",
    }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<u8>>>())?
}

/// Reads packed measurements: 8 bytes, 17 with a head `01 0f`, 18 with a head `02 0f` and the signs at the end.
fn unpacked(bytes: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut group = Group(Vec::new());
    match bytes {
        [v1, v0, c2, c1, c0, p2, p1, p0] => {
            group.put("voltage", &[*v1, *v0], 1, false);
            group.put("current", &[*c2, *c1, *c0], 3, false);
            group.put("power", &[*p2, *p1, *p0], 0, false);
        }
        [0x01, 0x0f, body @ ..] if body.len() == 15 => group.put_all(body, 0)?,
        [0x02, 0x0f, body @ .., signs] if body.len() == 15 => group.put_all(body, *signs)?,
        _ => return None,
    }
    Some(group.0)
}

struct Group(Vec<(String, Value)>);

impl Group {
    fn put(&mut self, name: &str, bytes: &[u8], scale: u8, is_negative: bool) {
        let magnitude = bytes.iter().fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
        let number = if is_negative { magnitude.saturating_neg() } else { magnitude };
        self.0.push((name.to_owned(), Value::Number(Number::new(number, scale))));
    }

    fn put_all(&mut self, body: &[u8], signs: u8) -> Option<()> {
        let [v1, v0, c2, c1, c0, p2, p1, p0, q2, q1, q0, s2, s1, s0, factor] = body else { return None };
        self.put("voltage", &[*v1, *v0], 1, false);
        self.put("current", &[*c2, *c1, *c0], 3, signs & 1 != 0);
        self.put("power", &[*p2, *p1, *p0], 0, signs & 2 != 0);
        self.put("reactive_power", &[*q2, *q1, *q0], 0, signs & 4 != 0);
        self.put("apparent_power", &[*s2, *s1, *s0], 0, false);
        self.put("power_factor", &[*factor], 2, signs & 8 != 0);
        Some(())
    }
}

/// Reads measurements as JSON. Powers are in kW there.
fn members(json: &Json) -> Option<Vec<(String, Value)>> {
    let names = [
        ("voltage", "voltage", false),
        ("electricCurrent", "current", false),
        ("power", "power", true),
        ("reactivePower", "reactive_power", true),
        ("apparentPower", "apparent_power", true),
        ("powerFactor", "power_factor", false),
    ];
    let found = names.into_iter().filter_map(|(theirs, name, is_kilo)| {
        let number = Data::from_json(json.get(theirs)?)?.as_number()?;
        let number = if is_kilo { kilo(number)? } else { number };
        Some((name.to_owned(), Value::Number(number)))
    });
    let found: Vec<_> = found.collect();
    (!found.is_empty()).then_some(found)
}

/// Returns the number times 1000.
fn kilo(number: Number) -> Option<Number> {
    match number.scale().checked_sub(3) {
        Some(scale) => Some(Number::new(number.mantissa(), scale)),
        None => Some(Number::new(number.rounded(3)?, 0)),
    }
}
