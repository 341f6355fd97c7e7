//! Curtains and garage doors.

use super::point::{boolean, choice, countdown, fault, integer, percent};
use super::template::{HOUR, SECOND, Template, when_word};
use crate::behavior::Part;

const CONTROL: &[&str] = &["stop", "open", "close", "continue"];
const WORDS: [&str; 3] = ["open", "stop", "close"];
const BACK: &[&str] = &["forward", "back"];

pub(super) const ALL: &[Template] = &[
    Template {
        name: "curtain",
        title: "Living room blind",
        product: "curtain motor",
        category: "cl",
        model: "V-CURTAIN-1",
        points: &[
            choice(1, "control", CONTROL),
            percent(2, "percent_control", 40),
            percent(3, "percent_state", 40).measured(),
            choice(5, "control_back_mode", BACK),
            choice(7, "work_state", &["opening", "closing"]).measured(),
            integer(10, "time_total", (0, 120_000), 20_000).unit("ms").measured(),
            choice(11, "situation_set", &["fully_open", "fully_close"]).measured(),
            fault(12, &["motor_fault"]),
            choice(16, "border", &["up", "down", "up_delete", "down_delete", "remove_top_bottom"]),
        ],
        parts: &[Part::Cover {
            control: 1,
            words: WORDS,
            set: 2,
            state: Some(3),
            work: Some(7),
            end: Some(11),
            whole: 20 * SECOND,
        }],
        children: &[],
    },
    Template {
        name: "old-curtain",
        title: "Study curtain",
        product: "curtain motor of the first generation",
        category: "cl",
        model: "V-CURTAIN-V1",
        points: &[
            choice(101, "mach_operate", &["STOP", "FZ", "ZZ"]),
            percent(102, "position", 0),
            boolean(103, "opposite", false),
        ],
        parts: &[Part::Cover {
            control: 101,
            words: ["FZ", "STOP", "ZZ"],
            set: 102,
            state: None,
            work: None,
            end: None,
            whole: 15 * SECOND,
        }],
        children: &[],
    },
    Template {
        name: "curtain-switch",
        title: "Terrace blind switch",
        product: "wall switch of two blinds",
        category: "clkg",
        model: "V-CURTAINSW-2",
        points: &[
            choice(1, "control", CONTROL),
            percent(2, "percent_control", 0),
            choice(4, "control_2", CONTROL),
            percent(5, "percent_control_2", 100),
            choice(8, "control_back_mode", BACK),
            choice(9, "control_back_mode_2", BACK),
            boolean(14, "switch_backlight", true),
        ],
        parts: &[
            Part::Cover { control: 1, words: WORDS, set: 2, state: None, work: None, end: None, whole: 20 * SECOND },
            Part::Cover { control: 4, words: WORDS, set: 5, state: None, work: None, end: None, whole: 20 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "garage-door",
        title: "Garage",
        product: "garage door opener",
        category: "ckmkzq",
        model: "V-GARAGE-1",
        points: &[
            boolean(1, "switch_1", false),
            countdown(2, "countdown_1"),
            boolean(3, "doorcontact_state", false).measured(),
            integer(4, "tr_timecon", (0, 120), 12).unit("s"),
            choice(12, "door_state_1", &["none", "unclosed_time", "close_time_alarm"]).measured(),
        ],
        parts: &[Part::Garage { switch: 1, contact: 3, whole: 12 * SECOND }, Part::Countdown { left: 2, switch: 1 }],
        children: &[],
    },
    Template {
        name: "door-controller",
        title: "Gate",
        product: "door and window opener",
        category: "mc",
        model: "V-GATE-1",
        points: &[
            choice(1, "control", &["stop", "open", "close"]),
            choice(2, "status", &["closed", "opened", "stopped"]).measured(),
            percent(3, "battery_percentage", 88).measured(),
        ],
        parts: &[
            Part::Effects(&[
                when_word(1, "open", 2, "opened"),
                when_word(1, "close", 2, "closed"),
                when_word(1, "stop", 2, "stopped"),
            ]),
            Part::Battery { dp: 3, every: 6 * HOUR },
        ],
        children: &[],
    },
];
