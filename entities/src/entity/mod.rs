//! Parts of a device that a user names: lights, switches, sensors.

mod channel;

use std::borrow::Cow;
use std::sync::Arc;

use crate::schema::{Access, NumberSpec};

/// A part of a device that a user names.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entity {
    /// Id, unique within the device and stable: made of the code of its main DP, such as `switch_1`.
    pub id: String,
    /// Kind.
    pub kind: EntityKind,
    /// Name; `None` if it is the device itself, as the light of a lamp.
    pub name: Option<String>,
    /// Code of its main DP.
    pub code: String,
    /// Device class in Home Assistant's words, such as `temperature`.
    pub device_class: Option<Cow<'static, str>>,
    /// Meaning of its values over time.
    pub state_class: Option<StateClass>,
    /// Unit of its value; empty if it has none.
    pub unit: String,
    /// Part in the daily use of the device.
    pub category: Category,
    /// Shown without the user's asking. DPs without a known meaning are not.
    pub is_enabled: bool,
    /// HVAC mode that a climate has while it is on, if its own modes do not say: a heater that is only switched is in
    /// `heat`.
    pub on_mode: Option<Cow<'static, str>>,
    /// Its DPs by role, the main one first.
    pub channels: Vec<(Role, Channel)>,
}

impl Entity {
    /// Makes an entity without channels, named like the device, and enabled.
    pub fn new(id: impl Into<String>, kind: EntityKind, code: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind,
            name: None,
            code: code.into(),
            device_class: None,
            state_class: None,
            unit: String::new(),
            category: Category::Primary,
            is_enabled: true,
            on_mode: None,
            channels: Vec::new(),
        }
    }

    /// Returns the channel of a role.
    pub fn channel(&self, role: &Role) -> Option<&Channel> {
        self.channels.iter().find(|(found, _)| found == role).map(|(_, channel)| channel)
    }
}

/// Kind of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is its own name")]
pub enum EntityKind {
    Alarm,
    BinarySensor,
    Button,
    Climate,
    Cover,
    Event,
    Fan,
    Humidifier,
    Light,
    Lock,
    Number,
    Select,
    Sensor,
    Siren,
    Switch,
    Text,
    Vacuum,
    Valve,
}

impl EntityKind {
    /// All kinds.
    pub const ALL: &'static [Self] = &[
        Self::Alarm,
        Self::BinarySensor,
        Self::Button,
        Self::Climate,
        Self::Cover,
        Self::Event,
        Self::Fan,
        Self::Humidifier,
        Self::Light,
        Self::Lock,
        Self::Number,
        Self::Select,
        Self::Sensor,
        Self::Siren,
        Self::Switch,
        Self::Text,
        Self::Vacuum,
        Self::Valve,
    ];

    /// Returns the name in lower case, such as `binary_sensor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::BinarySensor => "binary_sensor",
            Self::Button => "button",
            Self::Climate => "climate",
            Self::Cover => "cover",
            Self::Event => "event",
            Self::Fan => "fan",
            Self::Humidifier => "humidifier",
            Self::Light => "light",
            Self::Lock => "lock",
            Self::Number => "number",
            Self::Select => "select",
            Self::Sensor => "sensor",
            Self::Siren => "siren",
            Self::Switch => "switch",
            Self::Text => "text",
            Self::Vacuum => "vacuum",
            Self::Valve => "valve",
        }
    }
}

/// Part of an entity in the daily use of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// Main purpose of the device.
    #[default]
    Primary,
    /// A setting.
    Config,
    /// A fact about the device itself.
    Diagnostic,
}

impl Category {
    /// All parts.
    pub const ALL: &'static [Self] = &[Self::Primary, Self::Config, Self::Diagnostic];

    /// Returns the name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Config => "config",
            Self::Diagnostic => "diagnostic",
        }
    }
}

/// Meaning of a sensor's values over time, in Home Assistant's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateClass {
    /// A present value.
    Measurement,
    /// A sum that may fall.
    Total,
    /// A sum that only grows until it begins anew.
    TotalIncreasing,
    /// An amount since the last report: each report adds to a sum (`add_ele` of most plugs).
    Increment,
}

impl StateClass {
    /// All meanings.
    pub const ALL: &'static [Self] = &[Self::Measurement, Self::Total, Self::TotalIncreasing, Self::Increment];

    /// Returns the name in lower case, such as `total_increasing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measurement => "measurement",
            Self::Total => "total",
            Self::TotalIncreasing => "total_increasing",
            Self::Increment => "increment",
        }
    }
}

/// One DP of an entity, and the way between its data and a value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Channel {
    /// Number of the DP.
    pub dp: u16,
    /// The vendor's code.
    pub code: String,
    /// Direction.
    pub access: Access,
    /// The way between data and value.
    pub codec: Codec,
}

impl Channel {
    /// Makes a channel.
    pub fn new(dp: u16, code: impl Into<String>, access: Access, codec: Codec) -> Self {
        Self { dp, code: code.into(), access, codec }
    }
}

/// The way between the data of a DP and its value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Codec {
    /// A boolean, also sent as 0 and 1 or "true" and "false". Value: `Bool`.
    Bool {
        /// The device sends `false` for on.
        is_inverted: bool,
    },
    /// One of several data mean on, all others off. Value: `Bool`. Read-only.
    On {
        /// Data that mean on: booleans, integers and texts.
        on: Vec<serde_json::Value>,
    },
    /// One bit of a bitmap. Value: `Bool`. Read-only.
    Bit {
        /// Number of the bit, from 0.
        bit: u8,
    },
    /// Any bit of a bitmap. Value: `Bool`. Read-only.
    AnyBit,
    /// A number with range, step and scale. Value: `Number` in the spec's unit.
    Number(NumberSpec),
    /// A share of a range: `min` is 0, `max` is 100. Value: `Number` in percent. Also for enums of speeds: see `Steps`.
    Percent {
        /// The device's range.
        spec: NumberSpec,
        /// The device counts the other way round: its `max` is 0 %.
        is_inverted: bool,
    },
    /// Steps from low to high as words: the i-th of n is `i * 100 / n` percent, i from 1. Value: `Number` in percent.
    Steps {
        /// The device's words, from low to high.
        range: Vec<String>,
    },
    /// A color temperature. Value: `Number` in kelvin.
    ColorTemp {
        /// The device's range; its `min` is the warmest.
        spec: NumberSpec,
        /// The warmest light in kelvin.
        min_kelvin: u32,
        /// The coldest light in kelvin.
        max_kelvin: u32,
    },
    /// A color in the vendor's hexadecimal forms. The form is the one that the device sends, else this one.
    /// Value: `Color`.
    Color {
        /// The form to use as long as the device has sent none.
        form: ColorForm,
    },
    /// Words of an enum, with names in place of the device's words. Value: `Text`.
    Words(Vec<Word>),
    /// Labels of the bits that are set. Value: `Labels`. Read-only.
    Labels(Vec<String>),
    /// Text as it is. Value: `Text`.
    Text {
        /// Most characters.
        max_len: Option<u32>,
    },
    /// Text in base64. Value: `Text`.
    Base64Text {
        /// The text in base64 is UTF-16 in big-endian order, else UTF-8.
        is_utf16: bool,
    },
    /// Bytes in base64. Value: `Bytes`.
    Bytes,
    /// Measurements of one phase. Value: `Group` with `voltage` (V), `current` (A), `power` (W) and others, or the one
    /// that `part` names as a `Number`. Read-only.
    Phase {
        /// Name of the part; `None` for all.
        part: Option<Cow<'static, str>>,
    },
    /// A scene of a light. Value: `Group`: `scene` (its number, of version 2 only) and `steps`, a `List` of groups.
    Scene {
        /// `scene_data_v2`, else `scene_data` and `flash_scene_N`.
        is_v2: bool,
    },
    /// Picture of a light, shown at once (`control_data`) or to the beat (`music_data`). Value: `Group` with `change`
    /// (`jump` or `gradual`), `color`, `brightness` and `color_temp` in permille.
    Live,
    /// Data as they are. Value: `Json`.
    Json,
    /// By the rules of a device file, which may look at other DPs. Value: as the file says.
    #[cfg(feature = "profiles")]
    Rules(crate::profile::Rules),
}

/// A word of a device and the name that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Word {
    /// The device's word.
    pub raw: Arc<str>,
    /// The name, such as `heat_cool` for the device's `auto`.
    pub name: Arc<str>,
}

impl Word {
    /// Makes a word with a name.
    pub fn new(raw: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { raw: raw.into(), name: name.into() }
    }
}

/// Form of a color on the LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColorForm {
    /// 12 hexadecimal digits `HHHHSSSSVVVV`: hue 0 to 360, saturation and brightness 0 to 1000.
    Hsv16,
    /// 14 hexadecimal digits `RRGGBBHHHHSSVV`: red, green, blue, saturation and brightness 0 to 255.
    Rgb8,
    /// 6 hexadecimal digits `RRGGBB`.
    Rgb,
    /// JSON text `{"h":..,"s":..,"v":..}`, hue 0 to 360, saturation and brightness 0 to 1000.
    JsonText,
    /// JSON text as `JsonText`, but saturation and brightness 0 to 255.
    JsonText8,
}

/// Part of a DP in an entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The one value of a switch, sensor, number, select, button, event or text.
    Value,
    /// On and off.
    Power,
    /// Brightness in percent.
    Brightness,
    /// Lowest usable brightness, in the device's integers.
    BrightnessMin,
    /// Highest usable brightness, in the device's integers.
    BrightnessMax,
    /// Color temperature in kelvin.
    ColorTemp,
    /// Color.
    Color,
    /// Mode: `white`, `colour`, `scene`, `music` of a light; of a climate the HVAC mode; of a fan its preset.
    Mode,
    /// Effect or scene.
    Effect,
    /// Command: open, stop, close; start, pause; lock.
    Command,
    /// Position that is asked for, in percent; 100 is open.
    Position,
    /// Position as it is, in percent; 100 is open.
    CurrentPosition,
    /// Movement or activity: opening, closing, heating, cleaning.
    Action,
    /// Tilt in percent.
    Tilt,
    /// Closed (`false`) or open (`true`) as a contact reports it.
    IsOpen,
    /// Preset: eco, holiday.
    Preset,
    /// Temperature that is asked for.
    TargetTemperature,
    /// Lower end of a range of temperatures.
    TargetTemperatureLow,
    /// Upper end of a range of temperatures.
    TargetTemperatureHigh,
    /// Temperature as it is.
    CurrentTemperature,
    /// Unit of the temperatures: `c` or `f`.
    TemperatureUnit,
    /// Humidity that is asked for, in percent.
    TargetHumidity,
    /// Humidity as it is, in percent.
    CurrentHumidity,
    /// Fan speed in percent, or the fan mode of a climate in words.
    FanSpeed,
    /// Swing: on and off, or words.
    Swing,
    /// Swing from side to side.
    SwingHorizontal,
    /// Swing up and down.
    SwingVertical,
    /// Direction of a fan: `forward`, `reverse`.
    Direction,
    /// Oscillation of a fan.
    Oscillate,
    /// Status of a robot.
    Status,
    /// Pause of a robot.
    Pause,
    /// Way back to the dock.
    Dock,
    /// Sound by which the device is found.
    Locate,
    /// Fault.
    Fault,
    /// Battery in percent.
    Battery,
    /// Tone of a siren.
    Tone,
    /// Volume of a siren.
    Volume,
    /// Duration in seconds.
    Duration,
    /// State of an alarm: `alarm` means triggered.
    AlarmState,
    /// Text of an alarm.
    AlarmMessage,
    /// Locked (`true`) or unlocked.
    IsLocked,
    /// User who unlocked, by the way of unlocking: `fingerprint`, `card`, `app`.
    UnlockedBy(String),
    /// Usability of the entity: true or false.
    Available,
    /// Something else that belongs to the entity, by name.
    Attribute(String),
}
