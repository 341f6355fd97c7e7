//! One DP of a profile's entity as a channel.

use core::fmt;
use std::sync::Arc;

use super::read::{Read, bytes};
use super::write::text_of;
use super::{RuleSet, Walk, color, exact, words};
use crate::profile::model::{DpType, ProfileDp, Range};
use crate::profile::yaml::Scalar;
use crate::schema::NumberSpec;
use crate::value::{Data, DpSource, Limit, Number, Reading, Value, ValueError, Writes};

/// A DP of a profile's entity: reads and writes it by all rules of the file. They may look at other DPs, so it reads
/// the state of the device rather than one message.
#[derive(Clone, PartialEq)]
pub struct Rules {
    set: Arc<RuleSet>,
    index: usize,
    shape: Shape,
    spec: Option<NumberSpec>,
    inputs: Vec<u16>,
}

/// Form of a value, by the part of the DP in its entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// As the rules give it.
    #[default]
    Plain,
    /// On or off.
    Switch,
    /// The range of the DP is 0 to 100 %.
    Percent,
    /// Brightness: the range of the DP, else 0 to 255, is 0 to 100 %.
    Brightness,
    /// Speed: the first step of the range is `100 / n` percent, the last 100 %.
    Speed,
    /// Volume: 0 to 1 is 0 to 100 %.
    Fraction,
    /// Color temperature in kelvin. A range without a target becomes 2700 to 6500 K.
    Kelvin,
    /// Color.
    Color,
    /// Mode of a light: `white`, `colour` or the name of an effect.
    LightMode,
}

const PERCENT: Range = Range { min: Number::new(0, 0), max: Number::new(100, 0) };
const BYTE: Range = Range { min: Number::new(0, 0), max: Number::new(255, 0) };
const ONE: Range = Range { min: Number::new(0, 0), max: Number::new(1, 0) };
const KELVIN: Range = Range { min: Number::new(2700, 0), max: Number::new(6500, 0) };

/// A device of which nothing is known.
struct Nothing;

impl DpSource for Nothing {
    fn data(&self, _: u16) -> Option<Data<'_>> {
        None
    }
}

impl Rules {
    pub(in crate::profile) fn new(set: Arc<RuleSet>, index: usize, shape: Shape) -> Self {
        let mut rules = Self { inputs: set.inputs(index), set, index, shape, spec: None };
        rules.spec = rules.number_spec();
        rules
    }

    /// Returns the DP.
    pub fn dp(&self) -> Option<&ProfileDp> {
        self.set.dps.get(self.index)
    }

    /// Returns `true` if its values are secret.
    pub fn is_sensitive(&self) -> bool {
        self.dp().is_some_and(|dp| dp.is_sensitive)
    }

    /// Returns the numbers of the DPs on which its value depends, its own first.
    pub fn inputs(&self) -> &[u16] {
        &self.inputs
    }

    /// Returns the form of its values.
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Returns the words that it takes in a state of the device; none if it takes others than words.
    pub fn words(&self, source: &dyn DpSource) -> Vec<Arc<str>> {
        let words = self.set.values(self.index, &Walk::new(source), 0).into_iter();
        let words = words.filter(|value| matches!(value, Scalar::Text(_)));
        words.map(|value| self.word(words::text(&value))).collect()
    }

    /// Returns the words that it takes in some state of the device.
    pub fn all_words(&self) -> Vec<Arc<str>> {
        self.words(&Nothing)
    }

    /// Returns the least and the greatest number that it takes in a state of the device.
    pub fn range(&self, source: &dyn DpSource) -> Option<(Number, Number)> {
        let range = match self.shape {
            Shape::Percent | Shape::Brightness | Shape::Speed | Shape::Fraction => PERCENT,
            Shape::Kelvin if self.is_without_target() => KELVIN,
            _ => self.set.range(self.index, &Walk::new(source), true, 0)?,
        };
        Some((range.min, range.max))
    }

    /// Returns the range, step and unit of its numbers over all states of the device; `None` if it has no numbers.
    pub const fn spec(&self) -> Option<&NumberSpec> {
        self.spec.as_ref()
    }

    /// Returns the number of speeds of a fan.
    pub fn speed_count(&self) -> Option<u32> {
        let is_number = |value: &Scalar| matches!(value, Scalar::Number(number) if *number > Number::from(0));
        let single =
            self.set.values(self.index, &Walk::new(&Nothing), 0).iter().filter(|value| is_number(value)).count();
        if single > 0 {
            return u32::try_from(single).ok();
        }
        let whole = self.whole(&Nothing)?;
        u32::try_from(whole.max.exact(0)?.checked_sub(whole.min.exact(0)?)?).ok()
    }

    /// Returns `true` if its values are on and off.
    pub fn is_switch(&self) -> bool {
        let is_boolean = || self.dp().is_some_and(|dp| dp.kind == DpType::Boolean) && self.all_words().is_empty();
        self.shape == Shape::Switch || self.shape == Shape::Plain && is_boolean()
    }

    fn number_spec(&self) -> Option<NumberSpec> {
        let dp = self.dp()?;
        let unit = super::unit(dp.unit.as_deref());
        let shares = matches!(self.shape, Shape::Percent | Shape::Brightness | Shape::Speed | Shape::Fraction);
        if shares {
            return Some(NumberSpec { min: Some(0), max: Some(100), step: 1, scale: 0, unit: "%".into() });
        }
        let rules = || dp.mapping.iter().flat_map(|rule| core::iter::once(rule).chain(&rule.conditions));
        let mut numbers = rules().filter_map(|rule| match rule.value {
            Some(Scalar::Number(number)) => Some(number),
            _ => None,
        });
        if !dp.kind.is_number() && numbers.next().is_none() || matches!(self.shape, Shape::Switch | Shape::Color) {
            return None;
        }
        if !self.all_words().is_empty() {
            return None;
        }
        let ranges = if self.shape == Shape::Kelvin && self.is_without_target() {
            vec![KELVIN]
        } else {
            self.set.all_ranges(self.index)
        };
        let default = dp.mapping.iter().find(|rule| rule.dps_val.is_none());
        let all = || default.into_iter().flat_map(|rule| core::iter::once(rule).chain(&rule.conditions));
        let divisor = all().find_map(|rule| rule.scale).unwrap_or(Number::from(1));
        let steps = all().filter_map(|rule| exact::quotient(rule.step?, divisor));
        let step = steps.min().or_else(|| exact::quotient(Number::from(1), divisor))?;
        let decimals = ranges.iter().flat_map(|range| [range.min, range.max]).chain([step]).map(Number::scale).max();
        // A division that has no end, as by 3.92.
        let scale = decimals.unwrap_or(0).min(6);
        Some(NumberSpec {
            min: ranges.iter().map(|range| range.min).min().and_then(|min| min.rounded(scale)),
            max: ranges.iter().map(|range| range.max).max().and_then(|max| max.rounded(scale)),
            step: step.rounded(scale).unwrap_or(1).max(1),
            scale,
            unit,
        })
    }

    /// Returns the value to use where none is given.
    pub fn default_value(&self) -> Option<Value> {
        self.set.default_value(self.index).map(|value| self.shaped(value, &Nothing).value)
    }

    /// Returns the value in a state of the device; `None` if it has none now.
    pub fn read(&self, source: &dyn DpSource) -> Option<Reading> {
        let Read { value, is_out_of_spec } = self.set.value(self.index, &Walk::new(source), 0)?;
        let reading = self.shaped(value, source);
        let is_out_of_spec = is_out_of_spec || reading.is_out_of_spec;
        Some(Reading { is_out_of_spec, is_sensitive: self.is_sensitive(), ..reading })
    }

    /// Adds what sets a value: its DP, or the one to which the rules lead, and those that must be set along.
    ///
    /// # Errors
    ///
    /// Values that the rules do not allow, with what they allow. Nothing is added then.
    pub fn write(&self, value: &Value, source: &dyn DpSource, writes: &mut Writes) -> Result<(), ValueError> {
        let Some(scalar) = self.unshaped(value, source) else {
            let name = self.dp().map_or("", |dp| &dp.name);
            return Err(ValueError::new(name, Limit::Kind(self.kind())));
        };
        let mut all = writes.clone();
        self.set.write(self.index, &scalar, &Walk::new(source), &mut all, 0)?;
        *writes = all;
        Ok(())
    }

    /// Returns the kind of value that it takes, in words.
    const fn kind(&self) -> &'static str {
        match self.shape {
            Shape::Switch => "on or off",
            Shape::Percent | Shape::Brightness | Shape::Speed | Shape::Fraction => "a number of percent",
            Shape::Kelvin => "a number of kelvin",
            Shape::Color => "a color",
            Shape::Plain | Shape::LightMode => "a single value",
        }
    }

    fn is_without_target(&self) -> bool {
        let Some(dp) = self.dp() else { return false };
        let conditions = dp.mapping.iter().flat_map(|rule| core::iter::once(rule).chain(&rule.conditions));
        dp.kind.is_number()
            && dp.range.is_some_and(|range| range.max <= Number::from(1000))
            && conditions.clone().all(|rule| rule.target_range.is_none() && rule.value.is_none())
    }

    /// Returns the range that stands for 0 to 100 %.
    fn whole(&self, source: &dyn DpSource) -> Option<Range> {
        let range = || self.set.range(self.index, &Walk::new(source), true, 0);
        match self.shape {
            Shape::Percent => range(),
            Shape::Brightness => Some(range().unwrap_or(BYTE)),
            Shape::Speed => range().map(|range| {
                // The lowest speed is a step above standing still.
                let least = if range.min == Number::from(0) { Number::from(1) } else { range.min };
                let below = least.exact(0).map_or(range.min, |least| Number::from(least.saturating_sub(1)));
                Range { min: below, max: range.max }
            }),
            Shape::Fraction => Some(ONE),
            _ => None,
        }
    }

    fn shaped(&self, value: Scalar, source: &dyn DpSource) -> Reading {
        match (self.shape, value) {
            (Shape::Switch, value) => switch(value),
            (Shape::Kelvin, Scalar::Number(number)) if self.is_without_target() => {
                let range = self.set.range(self.index, &Walk::new(source), true, 0);
                let kelvin = range.and_then(|range| exact::remapped(number, range, KELVIN));
                Reading::new(Value::Number(kelvin.unwrap_or(number)))
            }
            (_, Scalar::Number(number)) => {
                let whole = self.whole(source);
                let percent = whole.and_then(|whole| exact::remapped(number, whole, PERCENT));
                Reading::new(Value::Number(percent.unwrap_or(number)))
            }
            (Shape::Color, Scalar::Text(text)) => match self.dp().and_then(|dp| color::color(dp, &text)) {
                Some(color) => Reading::new(Value::Color(color)),
                None => Reading::out_of_spec(Value::Text(text)),
            },
            (Shape::LightMode, Scalar::Text(text)) => Reading::new(Value::Text(self.word(text))),
            (_, Scalar::Text(text)) => self.plain(text),
            (_, Scalar::Bool(value)) => Reading::new(Value::Bool(value)),
            (_, Scalar::Null) => Reading::out_of_spec(Value::Json(serde_json::Value::Null)),
        }
    }

    /// Returns text as its type says: bytes, packed numbers, JSON.
    fn plain(&self, text: Arc<str>) -> Reading {
        let Some(dp) = self.dp().filter(|dp| dp.mapping.is_empty()) else { return Reading::new(Value::Text(text)) };
        if !dp.format.is_empty()
            && let Some(numbers) = color::unpacked(dp, &text)
        {
            return Reading::new(color::group(dp, &numbers));
        }
        match dp.kind {
            DpType::Json => match serde_json::from_str(&text) {
                Ok(json) => Reading::new(Value::Json(json)),
                Err(_) => Reading::out_of_spec(Value::Text(text)),
            },
            DpType::Hex | DpType::Base64 => match bytes(dp.kind, &text) {
                Some(bytes) => Reading::new(Value::Bytes(bytes)),
                None => Reading::out_of_spec(Value::Text(text)),
            },
            kind if kind.is_number() || kind == DpType::Boolean => Reading::out_of_spec(Value::Text(text)),
            _ => Reading::new(Value::Text(text)),
        }
    }

    fn unshaped(&self, value: &Value, source: &dyn DpSource) -> Option<Scalar> {
        let dp = self.dp()?;
        Some(match (self.shape, value) {
            (Shape::Color, Value::Color(value)) => {
                let present = source.data(dp.id);
                let present = match &present {
                    Some(Data::Text(text)) => Some(text.as_ref()),
                    _ => None,
                };
                Scalar::Text(color::color_text(dp, *value, present).into())
            }
            (Shape::Color | Shape::LightMode, Value::Text(text)) => Scalar::Text(self.raw_word(text)),
            (_, Value::Bool(value)) => Scalar::Bool(*value),
            (Shape::Kelvin, Value::Number(number)) if self.is_without_target() => {
                let range = self.set.range(self.index, &Walk::new(source), true, 0)?;
                Scalar::Number(exact::remapped(*number, KELVIN, range)?)
            }
            (_, Value::Number(number)) => match self.whole(source) {
                Some(whole) => Scalar::Number(self.on_whole(*number, whole)?),
                None => Scalar::Number(*number),
            },
            (Shape::Switch, Value::Text(text)) => Scalar::Bool(Data::Text(text.as_ref().into()).as_bool()?),
            (_, Value::Text(text)) => match text.parse() {
                Ok(number) if dp.kind.is_number() && self.words(source).is_empty() => Scalar::Number(number),
                _ => Scalar::Text(text.clone()),
            },
            (_, Value::Bytes(bytes)) => Scalar::Text(text_of(dp.kind, bytes).into()),
            (_, Value::Json(json)) => Scalar::Text(json.to_string().into()),
            _ => return None,
        })
    }

    /// Returns the number of a range for a share in percent: of an integer range the nearest integer.
    fn on_whole(&self, percent: Number, whole: Range) -> Option<Number> {
        let number = exact::remapped(percent, PERCENT, whole)?;
        let is_stepped = self.shape == Shape::Speed;
        let is_lit = self.shape == Shape::Brightness && whole.min == Number::from(0) && whole.max > Number::from(1);
        let nearest = number.rounded(0)?;
        let least = whole.min.rounded(0)?;
        // The lowest end is off. A little is more than that.
        if percent > Number::from(0) && nearest <= least && (is_stepped || is_lit) {
            return Some(Number::from(least.checked_add(1)?));
        }
        Some(if is_stepped { Number::from(nearest) } else { number })
    }

    /// Returns the name of a mode of a light.
    fn word(&self, word: Arc<str>) -> Arc<str> {
        if self.shape != Shape::LightMode {
            return word;
        }
        light_mode(&word).map_or(word, Into::into)
    }

    /// Returns the word of the file for the name of a mode.
    fn raw_word(&self, name: &Arc<str>) -> Arc<str> {
        let of_file =
            self.set.values(self.index, &Walk::new(&Nothing), 0).into_iter().filter_map(|value| match value {
                Scalar::Text(word) => Some(word),
                _ => None,
            });
        let words: Vec<Arc<str>> = of_file.collect();
        let exact = words.iter().find(|word| *word == name);
        exact.or_else(|| words.iter().find(|word| light_mode(word) == Some(name))).unwrap_or(name).clone()
    }
}

/// Returns the vendor's name of a color mode.
fn light_mode(word: &str) -> Option<&'static str> {
    match word {
        "white" | "color_temp" | "brightness" => Some("white"),
        "hs" | "xy" | "rgb" | "rgbw" | "rgbww" => Some("colour"),
        _ => None,
    }
}

fn switch(value: Scalar) -> Reading {
    let data = match &value {
        Scalar::Bool(value) => return Reading::new(Value::Bool(*value)),
        Scalar::Number(number) => return Reading::new(Value::Bool(*number != Number::from(0))),
        Scalar::Text(text) => Data::Text(text.as_ref().into()),
        Scalar::Null => return Reading::out_of_spec(Value::Bool(false)),
    };
    match data.as_bool() {
        Some(value) => Reading::new(Value::Bool(value)),
        None => Reading::out_of_spec(Value::Text(words::text(&value))),
    }
}

impl fmt::Debug for Rules {
    /// Prints its name, not all rules of its entity.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.dp().map_or("", |dp| &dp.name);
        f.debug_struct("Rules").field("name", &name).field("shape", &self.shape).finish_non_exhaustive()
    }
}
