//! States and capabilities of entities as records of the module `rustuya.entities`.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyModule, PyTuple};
use rustuya_entities::{
    AlarmMode, Capabilities, Color, Entity, EntityState, HvacMode, Number, NumberCapabilities, Reading, Value,
};

use crate::{convert, lifecycle};

static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Returns a class or function of the module `rustuya.entities`.
pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let _inside = lifecycle::enter(py);
    let module = MODULE.get_or_try_init(py, || py.import("rustuya.entities").map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// Converts a number: an int if it has no decimals, else the nearest float, whose text has the same digits.
fn number<'py>(py: Python<'py>, number: Number) -> PyResult<Bound<'py, PyAny>> {
    match number.exact(0).filter(|_| number.scale() == 0) {
        Some(integer) => integer.into_bound_py_any(py),
        None => number.to_f64().into_bound_py_any(py),
    }
}

/// Converts a value with its meaning.
pub(crate) fn value<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Bool(flag) => flag.into_bound_py_any(py),
        Value::Number(exact) => number(py, *exact),
        Value::Text(text) => text.into_bound_py_any(py),
        Value::Labels(labels) => labels.into_bound_py_any(py),
        Value::Color(color) => color.to_string().into_bound_py_any(py),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_bound_py_any(py),
        Value::Group(members) => {
            let dict = PyDict::new(py);
            for (name, member) in members {
                dict.set_item(name, self::value(py, member)?)?;
            }
            dict.into_bound_py_any(py)
        }
        Value::List(values) => {
            let list = PyList::empty(py);
            for entry in values {
                list.append(self::value(py, entry)?)?;
            }
            list.into_bound_py_any(py)
        }
        other => convert::to_python(py, &other.to_json()),
    }
}

/// Fields of a record.
struct Fields<'py>(Bound<'py, PyDict>);

impl<'py> Fields<'py> {
    fn new(py: Python<'py>) -> Self {
        Self(PyDict::new(py))
    }

    fn put(&self, name: &str, field: impl IntoPyObject<'py>) -> PyResult<&Self> {
        self.0.set_item(name, field)?;
        Ok(self)
    }

    fn number(&self, name: &str, field: Option<Number>) -> PyResult<&Self> {
        let py = self.0.py();
        self.put(name, field.map(|field| number(py, field)).transpose()?)
    }

    /// Puts texts as a tuple.
    fn words<T: AsRef<str>>(&self, name: &str, words: &[T]) -> PyResult<&Self> {
        self.put(name, PyTuple::new(self.0.py(), words.iter().map(AsRef::as_ref))?)
    }

    fn into_record(self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let py = self.0.py();
        let class = class(py, name)?;
        let _inside = lifecycle::enter(py);
        class.call((), Some(&self.0))
    }
}

/// Converts a state: to a record, or to the value of an entity that has only one.
pub(crate) fn state<'py>(py: Python<'py>, state: &EntityState) -> PyResult<Bound<'py, PyAny>> {
    let fields = Fields::new(py);
    let name = match state {
        EntityState::Alarm(state) => {
            fields.put("mode", state.mode.map(AlarmMode::as_str))?;
            fields.put("is_triggered", state.is_triggered)?.put("message", state.message.as_deref())?;
            "AlarmState"
        }
        EntityState::Climate(state) => {
            fields.put("mode", state.hvac_mode.map(HvacMode::as_str))?.put("action", state.action.as_deref())?;
            fields.number("target_temperature", state.target_temperature)?;
            fields.number("target_temperature_low", state.target_temperature_low)?;
            fields.number("target_temperature_high", state.target_temperature_high)?;
            fields.number("current_temperature", state.current_temperature)?.put("unit", state.unit.as_str())?;
            fields.number("target_humidity", state.target_humidity)?;
            fields.number("current_humidity", state.current_humidity)?;
            fields.put("preset", state.preset.as_deref())?.put("fan_mode", state.fan_mode.as_deref())?;
            fields.put("swing_mode", state.swing_mode.as_deref())?;
            fields.put("swing_horizontal_mode", state.swing_horizontal_mode.as_deref())?;
            "ClimateState"
        }
        EntityState::Cover(state) => {
            fields.put("state", state.as_str())?.put("position", state.position)?.put("tilt", state.tilt)?;
            fields.put("is_closed", state.is_closed)?;
            "CoverState"
        }
        EntityState::Event(state) => {
            fields.put("event_type", state.event_type.as_deref())?;
            "EventState"
        }
        EntityState::Fan(state) => {
            fields.put("is_on", state.is_on)?.put("percentage", state.percentage)?;
            fields.put("preset", state.preset.as_deref())?.put("is_oscillating", state.is_oscillating)?;
            fields.put("direction", state.direction.as_deref())?;
            "FanState"
        }
        EntityState::Humidifier(state) => {
            fields.put("is_on", state.is_on)?.number("target_humidity", state.target_humidity)?;
            fields.number("current_humidity", state.current_humidity)?.put("mode", state.mode.as_deref())?;
            fields.put("action", state.action.as_deref())?;
            "HumidifierState"
        }
        EntityState::Light(state) => {
            fields.put("is_on", state.is_on)?.put("brightness", state.brightness.map(|level| level.byte()))?;
            fields.put("brightness_percent", state.brightness.map(|level| level.percent()))?;
            fields.put("color_mode", state.color_mode.map(|mode| mode.as_str()))?;
            fields.put("color", state.color.map(|color| color.to_string()))?;
            fields.put("hs", state.color.map(hue_and_saturation))?;
            fields.put("rgb", state.color.map(|color| color.to_rgb().map(u16::from)).map(<(u16, u16, u16)>::from))?;
            fields.put("color_temp", state.color_temp)?.put("mode", state.mode.as_deref())?;
            fields.put("effect", state.effect.as_deref())?;
            "LightState"
        }
        EntityState::Lock(state) => {
            let unlocked = PyDict::new(py);
            for each in &state.unlocked_by {
                unlocked.set_item(&each.by, number(py, each.user)?)?;
            }
            fields.put("is_locked", state.is_locked)?.put("unlocked_by", unlocked)?;
            "LockState"
        }
        EntityState::Siren(state) => {
            fields.put("is_on", state.is_on)?.put("tone", state.tone.as_deref())?;
            fields.put("volume", state.volume.as_ref().map(|volume| value(py, volume)).transpose()?)?;
            fields.number("duration", state.duration)?;
            "SirenState"
        }
        EntityState::Vacuum(state) => {
            fields.put("activity", state.activity.map(|activity| activity.as_str()))?;
            fields.put("status", state.status.as_deref())?.put("fan_speed", state.fan_speed.as_deref())?;
            fields.number("battery", state.battery)?.words("faults", &state.faults)?;
            "VacuumState"
        }
        EntityState::Valve(state) => {
            fields.put("is_open", state.is_open)?.put("position", state.position)?;
            "ValveState"
        }
        EntityState::Value(reading) => return one_value(py, reading.as_ref()),
        other => return convert::to_python(py, &other.to_json()),
    };
    fields.into_record(name)
}

fn one_value<'py>(py: Python<'py>, reading: Option<&Reading>) -> PyResult<Bound<'py, PyAny>> {
    match reading {
        Some(reading) => value(py, &reading.value),
        None => Ok(py.None().into_bound(py)),
    }
}

/// Returns hue in degrees and saturation in percent.
fn hue_and_saturation(color: Color) -> (f64, f64) {
    (f64::from(color.hue), Number::new(color.saturation.into(), 1).to_f64())
}

/// Converts the abilities of an entity; None where all entities of its kind have the same.
pub(crate) fn capabilities<'py>(py: Python<'py>, entity: &Entity) -> PyResult<Bound<'py, PyAny>> {
    let fields = Fields::new(py);
    let name = match &entity.capabilities() {
        Capabilities::Alarm(modes) => {
            fields.words("modes", &modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>())?;
            "AlarmCapabilities"
        }
        Capabilities::Climate(able) => {
            fields.words("modes", &able.hvac_modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>())?;
            fields.words("presets", &able.presets)?.words("fan_modes", &able.fan_modes)?;
            fields.words("swing_modes", &able.swing_modes)?;
            fields.words("swing_horizontal_modes", &able.swing_horizontal_modes)?;
            fields.number("min_temperature", able.min_temperature)?;
            fields.number("max_temperature", able.max_temperature)?;
            fields.number("temperature_step", able.temperature_step)?.put("unit", able.unit.as_str())?;
            fields.number("min_humidity", able.humidity.map(|(min, _)| min))?;
            fields.number("max_humidity", able.humidity.map(|(_, max)| max))?;
            fields.put("has_temperature_range", able.has_temperature_range)?.put("has_action", able.has_action)?;
            "ClimateCapabilities"
        }
        Capabilities::Cover(able) => {
            fields.put("can_open", able.can_open)?.put("can_stop", able.can_stop)?;
            fields.put("can_set_position", able.can_set_position)?.put("has_position", able.has_position)?;
            fields.put("can_tilt", able.can_tilt)?;
            "CoverCapabilities"
        }
        Capabilities::Event(types) => {
            fields.words("event_types", types)?;
            "EventCapabilities"
        }
        Capabilities::Fan(able) => {
            fields.put("speed_count", able.speed_count)?.words("presets", &able.presets)?;
            fields.put("can_oscillate", able.can_oscillate)?.words("directions", &able.directions)?;
            "FanCapabilities"
        }
        Capabilities::Humidifier(able) => {
            fields.number("min_humidity", able.min_humidity)?.number("max_humidity", able.max_humidity)?;
            fields.words("modes", &able.modes)?;
            "HumidifierCapabilities"
        }
        Capabilities::Light(able) => {
            fields.words("color_modes", &able.color_modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>())?;
            fields.put("min_kelvin", able.kelvin.map(|(min, _)| min))?;
            fields.put("max_kelvin", able.kelvin.map(|(_, max)| max))?.words("effects", &able.effects)?;
            "LightCapabilities"
        }
        Capabilities::Number(able) => {
            range(&fields, able)?;
            "NumberCapabilities"
        }
        Capabilities::Words(words) => {
            fields.words("options", words)?;
            "OptionCapabilities"
        }
        Capabilities::Text(most) => {
            fields.put("max_length", *most)?;
            "TextCapabilities"
        }
        Capabilities::Siren(able) => {
            fields.words("tones", &able.tones)?.words("volumes", &able.volumes)?;
            fields.put("can_set_volume", able.can_set_volume)?.put("can_set_duration", able.can_set_duration)?;
            "SirenCapabilities"
        }
        Capabilities::Vacuum(able) => {
            fields.put("can_start", able.can_start)?.put("can_pause", able.can_pause)?;
            fields.put("can_return", able.can_return)?.put("can_locate", able.can_locate)?;
            fields.words("fan_speeds", &able.fan_speeds)?.words("modes", &able.modes)?;
            "VacuumCapabilities"
        }
        _ => return Ok(py.None().into_bound(py)),
    };
    fields.into_record(name)
}

fn range(fields: &Fields<'_>, able: &NumberCapabilities) -> PyResult<()> {
    fields.number("min", able.min)?.number("max", able.max)?.number("step", able.step)?;
    fields.put("decimals", able.decimals).map(drop)
}
