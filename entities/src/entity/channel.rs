//! From the data of a DP to its value, and back.

use std::sync::Arc;

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use serde_json::Value as Json;

use super::{Channel, Codec, ColorForm, Word};
use crate::schema::{Access, NumberSpec};
use crate::value::{Color, Data, DpSource, Limit, Number, Reading, Value, ValueError, Writes, phase, scene};

impl Channel {
    /// Returns the DPs on which its value depends: its own, and those that the rules of a device file look at.
    pub fn inputs(&self) -> &[u16] {
        match &self.codec {
            #[cfg(feature = "profiles")]
            Codec::Rules(rules) => rules.inputs(),
            _ => core::slice::from_ref(&self.dp),
        }
    }

    /// Reads the value. `None` if the source does not have the DP.
    ///
    /// Never fails: what breaks the specification is passed on as far as it has a meaning, and flagged.
    pub fn read(&self, dps: &dyn DpSource) -> Option<Reading> {
        #[cfg(feature = "profiles")]
        if let Codec::Rules(rules) = &self.codec {
            return rules.read(dps);
        }
        dps.data(self.dp).map(|data| self.codec.decode(&data))
    }

    /// Adds the DP that sets the value. Present DPs of the device decide on the form of a color.
    ///
    /// # Errors
    /// Says what the DP takes; `writes` is then as it was.
    pub fn write(&self, value: &Value, dps: &dyn DpSource, writes: &mut Writes) -> Result<(), ValueError> {
        if self.access == Access::ReadOnly {
            return Err(ValueError::new(&self.code, Limit::ReadOnly));
        }
        #[cfg(feature = "profiles")]
        if let Codec::Rules(rules) = &self.codec {
            return rules.write(value, dps, writes);
        }
        let json = match (&self.codec, value) {
            (Codec::Color { form }, Value::Color(color)) => {
                let present = dps.data(self.dp).and_then(|data| Color::decode(&data, *form)).map(|(_, form)| form);
                color_json(*color, present.unwrap_or(*form))
            }
            (codec, value) => codec.encode(value),
        };
        writes.set(self.dp, json.map_err(|limit| ValueError::new(&self.code, limit))?);
        Ok(())
    }
}

impl Codec {
    /// Returns whether its values are on and off.
    pub(crate) fn is_switch(&self) -> bool {
        match self {
            Self::Bool { .. } => true,
            #[cfg(feature = "profiles")]
            Self::Rules(rules) => rules.is_switch(),
            _ => false,
        }
    }

    /// Returns whether its values are words of a list.
    pub(crate) fn is_words(&self) -> bool {
        match self {
            Self::Words(_) => true,
            #[cfg(feature = "profiles")]
            Self::Rules(rules) => !rules.all_words().is_empty(),
            _ => false,
        }
    }

    /// Returns the names of its words, in their order.
    pub(crate) fn words(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.iter().map(|word| word.name.to_string()).collect(),
            #[cfg(feature = "profiles")]
            Self::Rules(rules) => rules.all_words().iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the range of its numbers: of those that the device counts, not of those in percent or kelvin.
    pub(crate) const fn number_spec(&self) -> Option<&NumberSpec> {
        match self {
            Self::Number(spec) => Some(spec),
            #[cfg(feature = "profiles")]
            Self::Rules(rules) => rules.spec(),
            _ => None,
        }
    }

    /// Turns data into a value.
    pub fn decode(&self, data: &Data<'_>) -> Reading {
        match self {
            Self::Bool { is_inverted } => match data {
                Data::Bool(value) => Reading::new(Value::Bool(*value != *is_inverted)),
                other => match other.as_bool() {
                    Some(value) => Reading::out_of_spec(Value::Bool(value != *is_inverted)),
                    None => passed_on(data),
                },
            },
            Self::On { on } => Reading::new(Value::Bool(on.iter().any(|value| means(data, value)))),
            Self::Bit { bit } => match bits(data) {
                Some(bits) => {
                    Reading::new(Value::Bool(bits.checked_shr((*bit).into()).is_some_and(|low| low & 1 == 1)))
                }
                None => passed_on(data),
            },
            Self::AnyBit => match bits(data) {
                Some(bits) => Reading::new(Value::Bool(bits != 0)),
                None => passed_on(data),
            },
            Self::Labels(labels) => match bits(data) {
                Some(bits) => Reading::new(Value::Labels(labels_of(bits, labels))),
                None => passed_on(data),
            },
            Self::Number(spec) => match (data, data.as_number()) {
                (Data::Number(_), Some(number)) => flagged(Value::Number(spec.scaled(number)), spec.holds(number)),
                (_, Some(number)) => Reading::out_of_spec(Value::Number(spec.scaled(number))),
                (_, None) => passed_on(data),
            },
            Self::Percent { spec, is_inverted } => {
                match data.as_number().and_then(|number| Some((number, spec.percent(number, *is_inverted)?))) {
                    Some((number, percent)) => {
                        flagged(Value::Number(percent), matches!(data, Data::Number(_)) && spec.holds(number))
                    }
                    None => passed_on(data),
                }
            }
            Self::Steps { range } => {
                let word = data.as_text();
                match range.iter().position(|known| *known == word) {
                    Some(index) => Reading::new(Value::Number(step_percent(index, range.len()))),
                    None => passed_on(data),
                }
            }
            Self::ColorTemp { spec, min_kelvin, max_kelvin } => {
                match data.as_number().and_then(|number| spec.kelvin(number, *min_kelvin, *max_kelvin)) {
                    Some(kelvin) => flagged(
                        Value::Number(Number::from(kelvin)),
                        matches!(data, Data::Number(number) if spec.holds(*number)),
                    ),
                    None => passed_on(data),
                }
            }
            Self::Color { form } => match Color::decode(data, *form) {
                Some((color, _)) => flagged(Value::Color(color), color.is_valid()),
                None => passed_on(data),
            },
            Self::Words(words) => match data {
                Data::Text(text) => match words.iter().find(|word| *word.raw == **text) {
                    Some(word) => Reading::new(Value::Text(Arc::clone(&word.name))),
                    None => passed_on(data),
                },
                other => match words.iter().find(|word| *word.raw == *other.as_text()) {
                    Some(word) => Reading::out_of_spec(Value::Text(Arc::clone(&word.name))),
                    None => passed_on(data),
                },
            },
            Self::Text { max_len } => {
                let text = data.as_text();
                let fits = matches!(data, Data::Text(_)) && fits(text.chars().count(), *max_len);
                flagged(Value::Text(text.into()), fits)
            }
            Self::Base64Text { is_utf16 } => match bytes(data) {
                Some(bytes) => text_of(&bytes, *is_utf16),
                None => passed_on(data),
            },
            Self::Bytes => match bytes(data) {
                Some(bytes) => Reading::new(Value::Bytes(bytes)),
                None => passed_on(data),
            },
            Self::Phase { part } => match phase::decode(data) {
                Some(members) => match part {
                    None => Reading::new(Value::Group(members)),
                    Some(part) => match members.into_iter().find(|(name, _)| name == part) {
                        Some((_, value)) => Reading::new(value),
                        None => passed_on(data),
                    },
                },
                None => passed_on(data),
            },
            Self::Scene { is_v2 } => decoded(data, scene::decode(data, *is_v2)),
            Self::Live => decoded(data, scene::decode_live(data)),
            Self::Json => Reading::new(Value::Json(data.to_json())),
            // Its rules look at other DPs, too: `Channel::read` has them.
            #[cfg(feature = "profiles")]
            Self::Rules(_) => passed_on(data),
        }
    }

    /// Turns a value into the JSON that the device takes.
    fn encode(&self, value: &Value) -> Result<Json, Limit> {
        match (self, value) {
            (Self::Bool { is_inverted }, Value::Bool(value)) => Ok((*value != *is_inverted).into()),
            (Self::Bool { .. }, _) => Err(Limit::Kind("on or off")),
            (Self::Number(spec), Value::Number(number)) => spec.raw(*number).map(Json::from),
            (Self::Percent { spec, is_inverted }, Value::Number(percent)) => {
                spec.raw_of_percent(*percent, *is_inverted).map(Json::from)
            }
            (Self::Steps { range }, Value::Number(percent)) => step_word(*percent, range).map(Json::from),
            (Self::ColorTemp { spec, min_kelvin, max_kelvin }, Value::Number(kelvin)) => {
                spec.raw_of_kelvin(*kelvin, *min_kelvin, *max_kelvin).map(Json::from)
            }
            (Self::Number(_) | Self::Percent { .. } | Self::Steps { .. } | Self::ColorTemp { .. }, _) => {
                Err(Limit::Kind("a number"))
            }
            (Self::Color { form }, Value::Color(color)) => color_json(*color, *form),
            (Self::Color { .. }, _) => Err(Limit::Kind("a color")),
            (Self::Words(words), Value::Text(text)) => word_of(words, text).map(Json::from),
            (Self::Words(_), _) => Err(Limit::Kind("a word")),
            (Self::Text { max_len }, Value::Text(text)) => within(text.chars().count(), *max_len, || (**text).into()),
            (Self::Base64Text { is_utf16: false }, Value::Text(text)) => {
                Ok(Base64::encode_string(text.as_bytes()).into())
            }
            (Self::Base64Text { is_utf16: true }, Value::Text(text)) => {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
                Ok(Base64::encode_string(&bytes).into())
            }
            (Self::Text { .. } | Self::Base64Text { .. }, _) => Err(Limit::Kind("a text")),
            (Self::Bytes, Value::Bytes(bytes)) => Ok(Base64::encode_string(bytes).into()),
            (Self::Bytes, _) => Err(Limit::Kind("bytes")),
            (Self::Scene { is_v2 }, value) => scene::encode(value, *is_v2).map(Json::from),
            (Self::Live, value) => scene::encode_live(value).map(Json::from),
            (Self::Json, value) => Ok(value.to_json()),
            #[cfg(feature = "profiles")]
            (Self::Rules(_), _) => Err(Limit::ReadOnly),
            (Self::On { .. } | Self::Bit { .. } | Self::AnyBit | Self::Labels(_) | Self::Phase { .. }, _) => {
                Err(Limit::ReadOnly)
            }
        }
    }
}

fn flagged(value: Value, is_in_spec: bool) -> Reading {
    if is_in_spec { Reading::new(value) } else { Reading::out_of_spec(value) }
}

fn decoded(data: &Data<'_>, value: Option<Value>) -> Reading {
    value.map_or_else(|| passed_on(data), Reading::new)
}

/// Passes data on that have no meaning here.
fn passed_on(data: &Data<'_>) -> Reading {
    Reading::out_of_spec(match data {
        Data::Bool(value) => Value::Bool(*value),
        Data::Number(number) => Value::Number(*number),
        Data::Text(text) => Value::text(&**text),
        Data::Json(json) => Value::Json(json.clone().into_owned()),
    })
}

/// Returns whether data are those of a specification, or the same as text.
fn means(data: &Data<'_>, value: &Json) -> bool {
    match (data, value) {
        (Data::Bool(data), Json::Bool(value)) => data == value,
        (Data::Text(data), Json::String(value)) => data == value,
        (Data::Number(data), Json::Number(value)) => value.to_string().parse() == Ok(*data),
        (Data::Json(data), value) => **data == *value,
        (data, Json::String(value)) => data.as_text() == **value,
        (data, Json::Bool(value)) => data.as_bool() == Some(*value),
        (data, Json::Number(value)) => data.as_number().is_some_and(|data| value.to_string().parse() == Ok(data)),
        _ => false,
    }
}

/// Returns the bits of a bitmap. Firmware sends bit 31 as a sign.
#[expect(clippy::cast_sign_loss, reason = "the bits count, not the number")]
fn bits(data: &Data<'_>) -> Option<u64> {
    let number = data.as_number()?.exact(0)?;
    Some(match i32::try_from(number) {
        Ok(low) => u64::from(low as u32),
        Err(_) => number as u64,
    })
}

fn labels_of(bits: u64, labels: &[String]) -> Vec<String> {
    let set = (0..64_usize).filter(|bit| bits.checked_shr(u32::try_from(*bit).unwrap_or(64)).unwrap_or(0) & 1 == 1);
    set.map(|bit| labels.get(bit).filter(|label| !label.is_empty()).cloned().unwrap_or_else(|| format!("bit_{bit}")))
        .collect()
}

fn bytes(data: &Data<'_>) -> Option<Vec<u8>> {
    let Data::Text(text) = data else { return None };
    let text = text.trim();
    Base64::decode_vec(text).or_else(|_| Base64Unpadded::decode_vec(text)).ok()
}

fn text_of(bytes: &[u8], is_utf16: bool) -> Reading {
    if is_utf16 {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
        let mut is_valid = rest.is_empty();
        let text: String = char::decode_utf16(units)
            .map(|unit| {
                is_valid &= unit.is_ok();
                unit.unwrap_or(char::REPLACEMENT_CHARACTER)
            })
            .collect();
        return flagged(Value::text(text), is_valid);
    }
    let text = String::from_utf8_lossy(bytes);
    let is_valid = matches!(text, std::borrow::Cow::Borrowed(_));
    flagged(Value::text(&*text), is_valid)
}

fn color_json(color: Color, form: ColorForm) -> Result<Json, Limit> {
    if color.is_valid() { Ok(color.encode(form).into()) } else { Err(Limit::Kind("a color")) }
}

fn word_of<'a>(words: &'a [Word], text: &str) -> Result<&'a str, Limit> {
    let exact = words.iter().find(|word| *word.name == *text);
    // Users write `Heat`, and devices have words such as `ZZ`: a word in another case means the one word that is equal.
    let found = exact.or_else(|| words.iter().find(|word| word.name.eq_ignore_ascii_case(text)));
    match found {
        Some(word) => Ok(&word.raw),
        None => Err(Limit::Words(words.iter().map(|word| word.name.to_string()).collect())),
    }
}

fn step_percent(index: usize, count: usize) -> Number {
    let hundredths = index.saturating_add(1).saturating_mul(100).checked_div(count).unwrap_or_default();
    Number::from(u32::try_from(hundredths).unwrap_or(100))
}

fn step_word(percent: Number, range: &[String]) -> Result<&str, Limit> {
    let error = || Limit::range(1, 100, "%");
    if percent <= Number::from(0) || percent > Number::from(100) {
        return Err(error());
    }
    // The first step that is at least as fast.
    let index = range.iter().enumerate().position(|(index, _)| step_percent(index, range.len()) >= percent);
    index.and_then(|index| range.get(index)).map(String::as_str).ok_or_else(error)
}

fn fits(len: usize, max_len: Option<u32>) -> bool {
    max_len.is_none_or(|max| usize::try_from(max).is_ok_and(|max| len <= max))
}

fn within(len: usize, max_len: Option<u32>, json: impl FnOnce() -> Json) -> Result<Json, Limit> {
    if fits(len, max_len) {
        Ok(json())
    } else {
        Err(Limit::Length(max_len.and_then(|max| usize::try_from(max).ok()).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests;
