//! DP numbers that are customary for a category. Numbers identify little, so they count only where no source names the
//! DPs of a device, only for DPs that it reports, and only with the right type.

use serde_json::Value as Json;

use crate::schema::{DpKind, DpSpec, NumberSpec, Observed, Origin};

/// Type of a customary DP, with its range.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Bool,
    /// Least and greatest integer, scale, unit.
    Number(i64, i64, u8, &'static str),
    /// A temperature: with one decimal if the value is too hot otherwise.
    Temperature,
    Words(&'static [&'static str]),
    Bitmap,
    Text,
    Json,
}

use Kind::{Bitmap, Bool, Number, Temperature, Text, Words};

/// `(DP, code, type)`.
type Row = (u16, &'static str, Kind);

const LIGHT: &[Row] = &[
    (1, "switch_led", Bool),
    (2, "work_mode", Words(&["white", "colour", "scene", "scene_1", "scene_2", "scene_3", "scene_4"])),
    (3, "bright_value", Number(25, 255, 0, "")),
    (4, "temp_value", Number(0, 255, 0, "")),
    (5, "colour_data", Kind::Json),
    (6, "scene_data", Kind::Json),
    (7, "flash_scene_1", Kind::Json),
    (8, "flash_scene_2", Kind::Json),
    (9, "flash_scene_3", Kind::Json),
    (10, "flash_scene_4", Kind::Json),
    (20, "switch_led", Bool),
    (21, "work_mode", Words(&["white", "colour", "scene", "music"])),
    (22, "bright_value_v2", Number(10, 1000, 0, "")),
    (23, "temp_value_v2", Number(0, 1000, 0, "")),
    (24, "colour_data_v2", Kind::Json),
    (25, "scene_data_v2", Kind::Json),
    (26, "countdown_1", Number(0, 86400, 0, "s")),
    (27, "music_data", Kind::Json),
    (28, "control_data", Kind::Json),
    (34, "do_not_disturb", Bool),
];

/// A dimmer with one knob: DP 2 is a number, which is not the mode of a light.
const DIMMER: &[Row] = &[(1, "switch_led", Bool), (2, "bright_value", Number(10, 1000, 0, ""))];

const SWITCH: &[Row] = &[
    (1, "switch_1", Bool),
    (2, "switch_2", Bool),
    (3, "switch_3", Bool),
    (4, "switch_4", Bool),
    (5, "switch_5", Bool),
    (6, "switch_6", Bool),
    (7, "switch_usb1", Bool),
    (9, "countdown_1", Number(0, 86400, 0, "s")),
    (10, "countdown_2", Number(0, 86400, 0, "s")),
    (11, "countdown_3", Number(0, 86400, 0, "s")),
    (12, "countdown_4", Number(0, 86400, 0, "s")),
    (13, "countdown_5", Number(0, 86400, 0, "s")),
    (14, "countdown_6", Number(0, 86400, 0, "s")),
    (17, "add_ele", Number(0, 50000, 3, "kWh")),
    (18, "cur_current", Number(0, 30000, 0, "mA")),
    (19, "cur_power", Number(0, 80000, 1, "W")),
    (20, "cur_voltage", Number(0, 5000, 1, "V")),
    (26, "fault", Bitmap),
    (38, "relay_status", Words(&["power_off", "power_on", "last"])),
    (40, "light_mode", Words(&["none", "relay", "pos"])),
    (41, "child_lock", Bool),
    (42, "cycle_time", Text),
    (43, "random_time", Text),
    (44, "switch_inching", Text),
];

/// Older plugs meter on these; a switch there is a gang.
const OLD_METER: &[Row] = &[
    (4, "cur_current", Number(0, 30000, 0, "mA")),
    (5, "cur_power", Number(0, 50000, 1, "W")),
    (6, "cur_voltage", Number(0, 5000, 1, "V")),
];

const COVER: &[Row] = &[
    (1, "control", Words(&["open", "stop", "close", "continue"])),
    (2, "percent_control", Number(0, 100, 0, "%")),
    (3, "percent_state", Number(0, 100, 0, "%")),
    (5, "control_back_mode", Words(&["forward", "back"])),
    (5, "control_back", Bool),
    (7, "work_state", Words(&["opening", "closing"])),
    (11, "situation_set", Words(&["fully_open", "fully_close"])),
    (12, "fault", Bitmap),
];

const THERMOSTAT: &[Row] = &[
    (1, "switch", Bool),
    (2, "temp_set", Temperature),
    (3, "temp_current", Temperature),
    (4, "mode", Words(&["auto", "manual"])),
    (5, "eco", Bool),
    (6, "child_lock", Bool),
    (16, "temp_set", Temperature),
    (24, "temp_current", Temperature),
];

const AIR_CONDITIONER: &[Row] = &[
    (1, "switch", Bool),
    (2, "temp_set", Temperature),
    (3, "temp_current", Temperature),
    (4, "mode", Words(&["cold", "hot", "wet", "wind", "auto"])),
    (5, "fan_speed_enum", Words(&["low", "middle", "high", "auto"])),
];

const FAN: &[Row] = &[
    (1, "switch", Bool),
    (3, "fan_speed", Number(1, 100, 0, "")),
    (60, "switch_fan", Bool),
    (61, "fan_mode", Words(&[])),
    (62, "fan_speed", Number(1, 6, 0, "")),
    (63, "fan_direction", Words(&["forward", "reverse"])),
];

const HUMIDITY: &[Row] = &[(1, "switch", Bool), (5, "mode", Words(&[]))];

const DEHUMIDIFIER: &[Row] = &[
    (2, "dehumidify_set_value", Number(20, 80, 0, "%")),
    (4, "dehumidify_set_value", Number(20, 80, 0, "%")),
    (6, "humidity_indoor", Number(0, 100, 0, "%")),
    (14, "humidity_indoor", Number(0, 100, 0, "%")),
];

const HUMIDIFIER: &[Row] = &[
    (2, "humidity_set", Number(20, 80, 0, "%")),
    (4, "humidity_set", Number(20, 80, 0, "%")),
    (6, "humidity_current", Number(0, 100, 0, "%")),
    (14, "humidity_current", Number(0, 100, 0, "%")),
];

const CONTACT: &[Row] = &[
    (1, "doorcontact_state", Bool),
    (2, "battery_percentage", Number(0, 100, 0, "%")),
    (3, "battery_state", Words(&["low", "middle", "high"])),
    (4, "temper_alarm", Bool),
];

const VACUUM: &[Row] = &[
    (1, "power_go", Bool),
    (2, "power_go", Bool),
    (3, "mode", Words(&[])),
    (4, "mode", Words(&[])),
    (5, "status", Words(&[])),
    (11, "seek", Bool),
    (13, "seek", Bool),
];

/// `(categories, rows)`, tried in order.
const CUSTOMARY: &[(&[&str], &[Row])] = &[
    (&["dj", "dd", "dc", "fwd", "xdd", "tyd", "tyndj", "gyd"], LIGHT),
    (&["dj", "tgq", "tgkg"], DIMMER),
    (&["cz", "kg", "pc", "aqcz", "tdq"], SWITCH),
    (&["cz", "kg", "pc", "aqcz"], OLD_METER),
    (&["cl", "clkg"], COVER),
    (&["wk", "wkf", "qn", "rs", "dbl", "mjj"], THERMOSTAT),
    (&["kt"], AIR_CONDITIONER),
    (&["fs", "fsd", "fskg", "ks"], FAN),
    (&["cs", "jsq"], HUMIDITY),
    (&["cs"], DEHUMIDIFIER),
    (&["jsq"], HUMIDIFIER),
    (&["mcs"], CONTACT),
    (&["sd"], VACUUM),
];

/// Integers beyond this are no degrees.
const HOTTEST: u64 = 90;

/// Returns what a DP with this value customarily is in a category.
pub(crate) fn spec(category: &str, dp: u16, observed: &Observed) -> Option<DpSpec> {
    let tables = CUSTOMARY.iter().filter(|(categories, _)| categories.contains(&category));
    let mut rows = tables.flat_map(|(_, rows)| *rows).filter(|(number, _, _)| *number == dp);
    rows.find_map(|(_, code, kind)| Some(DpSpec::new(dp, *code, fitting(*kind, observed)?, Origin::Customary)))
}

/// Returns the type, if the value is of it.
fn fitting(kind: Kind, observed: &Observed) -> Option<DpKind> {
    let number =
        |min, max, scale, unit: &str| DpKind::Integer(NumberSpec { min, max, step: 1, scale, unit: unit.to_owned() });
    Some(match (kind, observed) {
        (Bool, Observed::Bool) => DpKind::Boolean,
        (Number(min, max, scale, unit), Observed::Integer(value)) => {
            // A value out of range tells that this end is another.
            match *value {
                value if value < min => number(None, Some(max), scale, unit),
                // Some lights have the numbers of the first version, and the ranges of the second.
                value if value > max && max == 255 => number(Some(min.min(10)), Some(1000), scale, unit),
                value if value > max => number(Some(min), None, scale, unit),
                _ => number(Some(min), Some(max), scale, unit),
            }
        }
        (Temperature, Observed::Integer(value)) => number(None, None, u8::from(value.unsigned_abs() > HOTTEST), "°C"),
        (Words(words), Observed::Text(word)) => {
            let is_known = words.contains(&word.as_str());
            DpKind::Enum {
                range: if is_known { words.iter().map(|word| (*word).to_owned()).collect() } else { Vec::new() },
            }
        }
        (Bitmap, Observed::Integer(_)) => DpKind::Bitmap { labels: Vec::new() },
        (Text, Observed::Text(_)) => DpKind::String { max_len: None },
        (Kind::Json, Observed::Text(_)) => DpKind::Json { members: Json::Null },
        _ => return None,
    })
}
