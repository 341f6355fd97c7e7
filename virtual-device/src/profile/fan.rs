//! Fans.

use super::point::{boolean, choice, digits, fault, integer};
use super::template::{MINUTE, Template};
use crate::behavior::Part;
use crate::form::Form;

const TIMES: &[&str] = &["cancel", "1h", "2h", "4h", "8h"];

pub(super) const ALL: &[Template] = &[
    Template {
        name: "fan",
        title: "Table fan",
        product: "fan",
        category: "fs",
        model: "V-FAN-1",
        points: &[
            boolean(1, "switch", true),
            choice(2, "mode", &["normal", "nature", "sleep"]),
            integer(3, "fan_speed_percent", (1, 100), 40).unit("%"),
            boolean(5, "switch_horizontal", false),
            choice(6, "countdown_set", TIMES),
            integer(7, "countdown_left", (0, 480), 0).unit("min").measured(),
            boolean(8, "anion", false),
            boolean(14, "child_lock", false),
        ],
        parts: &[Part::Hours { set: 6, left: Some(7), switch: 1 }],
        children: &[],
    },
    Template {
        name: "fan-light",
        title: "Ceiling fan",
        product: "ceiling fan with light",
        category: "fsd",
        model: "V-FANLIGHT-1",
        points: &[
            boolean(20, "switch_led", true),
            choice(21, "work_mode", &["white", "scene"]),
            integer(22, "bright_value", (10, 1000), 700),
            integer(23, "temp_value", (0, 1000), 250),
            digits(25, "scene_data", Form::Scene),
            boolean(60, "fan_switch", true),
            choice(61, "fan_mode", &["normal", "nature", "sleep"]),
            integer(62, "fan_speed", (1, 6), 2),
            choice(63, "fan_direction", &["forward", "reverse"]),
            choice(64, "fan_countdown_set", TIMES),
            integer(65, "fan_countdown_left", (0, 480), 0).unit("min").measured(),
            boolean(66, "fan_beep", true),
        ],
        parts: &[Part::Hours { set: 64, left: Some(65), switch: 60 }],
        children: &[],
    },
    Template {
        name: "fan-switch",
        title: "Attic fan",
        product: "wall switch of a fan",
        category: "fskg",
        model: "V-FANSW-1",
        points: &[
            boolean(1, "switch", false),
            choice(3, "fan_speed_enum", &["level_1", "level_2", "level_3", "level_4"]),
            choice(6, "countdown_set", TIMES),
        ],
        parts: &[Part::Hours { set: 6, left: None, switch: 1 }],
        children: &[],
    },
    Template {
        name: "tower-fan",
        title: "Bedroom fan",
        product: "tower fan",
        category: "ks",
        model: "V-TOWER-1",
        points: &[
            boolean(1, "switch", true),
            choice(2, "mode", &["normal", "sleep", "nature", "auto"]),
            integer(3, "fan_speed", (1, 12), 5),
            boolean(5, "switch_horizontal", true),
            boolean(9, "light", true),
            boolean(10, "anion", false),
            integer(21, "temp", (-20, 60), 24).unit("°C").measured(),
            choice(22, "countdown_set", TIMES),
            integer(23, "countdown_left", (0, 480), 0).unit("min").measured(),
            fault(15, &["tilt", "motor"]),
        ],
        parts: &[
            Part::Hours { set: 22, left: Some(23), switch: 1 },
            Part::Drift { dp: 21, low: 22, high: 27, step: 1, every: 10 * MINUTE },
        ],
        children: &[],
    },
];
