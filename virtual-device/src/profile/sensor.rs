//! Detectors and buttons.

use super::point::{Point, boolean, choice, integer, percent};
use super::template::{HOUR, MINUTE, SECOND, Template};
use crate::behavior::Part;
use crate::datum::Datum;

const fn battery(dp: u16, first: i64) -> Point {
    percent(dp, "battery_percentage", first).measured()
}
const fn tamper(dp: u16) -> Point {
    boolean(dp, "temper_alarm", false).measured()
}
const fn drain(dp: u16) -> Part {
    Part::Battery { dp, every: 6 * HOUR }
}

/// An alarm, now and then, as a word.
const fn alarm(dp: u16, rest: &'static str, active: &'static str, rest_for: u64, active_for: u64) -> Part {
    Part::Flip { dp, rest: Datum::Text(rest), active: Datum::Text(active), rest_for, active_for }
}

const STATE: &[&str] = &["normal", "alarm"];
const CLICKS: &[Datum] = &[Datum::Text("click"), Datum::Text("double_click"), Datum::Text("press")];
const CLICK: &[&str] = &["click", "double_click", "press"];

pub(super) const DOOR: Template = Template {
    name: "door-sensor",
    title: "Front door",
    product: "contact sensor",
    category: "mcs",
    model: "V-CONTACT-1",
    points: &[boolean(1, "doorcontact_state", false).measured(), battery(2, 91), tamper(4)],
    parts: &[
        Part::Flip {
            dp: 1,
            rest: Datum::Bool(false),
            active: Datum::Bool(true),
            rest_for: 10 * MINUTE,
            active_for: 20 * SECOND,
        },
        drain(2),
    ],
    children: &[],
};

pub(super) const MOTION: Template = Template {
    name: "motion-sensor",
    title: "Hall motion",
    product: "motion sensor",
    category: "pir",
    model: "V-PIR-1",
    points: &[
        choice(1, "pir", &["none", "pir"]).measured(),
        battery(4, 67),
        tamper(5),
        choice(9, "pir_sensitivity", &["low", "middle", "high"]),
        integer(12, "illuminance_value", (0, 1000), 180).unit("lux").measured(),
    ],
    parts: &[
        alarm(1, "none", "pir", 3 * MINUTE, 30 * SECOND),
        Part::Drift { dp: 12, low: 0, high: 600, step: 40, every: 5 * MINUTE },
        drain(4),
    ],
    children: &[],
};

pub(super) const BUTTON: Template = Template {
    name: "button",
    title: "Bed button",
    product: "wireless button with four keys",
    category: "wxkg",
    model: "V-BUTTON-4",
    points: &[
        choice(1, "switch_mode1", CLICK).first(Datum::Any).measured(),
        choice(2, "switch_mode2", CLICK).first(Datum::Any).measured(),
        choice(3, "switch_mode3", CLICK).first(Datum::Any).measured(),
        choice(4, "switch_mode4", CLICK).first(Datum::Any).measured(),
        battery(10, 100),
    ],
    parts: &[Part::Events { dps: &[1, 2, 3, 4], values: CLICKS, every: 2 * MINUTE }, drain(10)],
    children: &[],
};

pub(super) const ALL: &[Template] = &[
    DOOR,
    MOTION,
    Template {
        name: "presence-sensor",
        title: "Office presence",
        product: "radar presence sensor",
        category: "hps",
        model: "V-RADAR-24G",
        points: &[
            choice(1, "presence_state", &["none", "presence"]).measured(),
            integer(2, "sensitivity", (0, 9), 7),
            integer(3, "near_detection", (0, 1000), 0).unit("cm"),
            integer(4, "far_detection", (0, 1000), 600).unit("cm"),
            integer(9, "target_dis_closest", (0, 1000), 0).unit("cm").measured(),
        ],
        parts: &[
            alarm(1, "none", "presence", 10 * MINUTE, 5 * MINUTE),
            Part::Drift { dp: 9, low: 0, high: 600, step: 60, every: 10 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "smoke-sensor",
        title: "Kitchen smoke",
        product: "smoke detector",
        category: "ywbj",
        model: "V-SMOKE-1",
        points: &[
            choice(1, "smoke_sensor_status", STATE).measured(),
            integer(2, "smoke_sensor_value", (0, 1000), 2).measured(),
            choice(14, "battery_state", &["high", "middle", "low"]).measured(),
            battery(15, 93),
            boolean(16, "muffling", false),
        ],
        parts: &[
            alarm(1, "normal", "alarm", 12 * HOUR, MINUTE),
            Part::Drift { dp: 2, low: 0, high: 6, step: 1, every: 10 * MINUTE },
            Part::Pulse { dp: 16, rest: Datum::Bool(false), after: 90 * SECOND },
            drain(15),
            Part::Bands {
                of: 15,
                word: 14,
                bands: &[(20, Datum::Text("low")), (60, Datum::Text("middle")), (100, Datum::Text("high"))],
            },
        ],
        children: &[],
    },
    Template {
        name: "gas-sensor",
        title: "Kitchen gas",
        product: "gas detector",
        category: "rqbj",
        model: "V-GAS-1",
        points: &[
            choice(1, "gas_sensor_state", &["2", "1"]).measured(),
            integer(2, "gas_sensor_value", (0, 500), 0).unit("ppm").measured(),
            boolean(12, "self_checking", false),
            choice(13, "checking_result", &["check_success", "checking", "check_failure"]).measured(),
            boolean(16, "muffling", false),
        ],
        parts: &[
            alarm(1, "2", "1", 12 * HOUR, MINUTE),
            Part::Drift { dp: 2, low: 0, high: 12, step: 2, every: 5 * MINUTE },
            Part::Staged {
                trigger: (12, Datum::Bool(true)),
                status: 13,
                stages: &[("checking", 5 * SECOND)],
                rest: "check_success",
                done: &[(12, Datum::Bool(false))],
            },
            Part::Pulse { dp: 16, rest: Datum::Bool(false), after: 90 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "co-sensor",
        title: "Boiler room CO",
        product: "carbon monoxide detector",
        category: "cobj",
        model: "V-CO-1",
        points: &[
            choice(1, "co_status", STATE).measured(),
            integer(2, "co_value", (0, 1000), 0).unit("ppm").measured(),
            battery(15, 80),
        ],
        parts: &[
            alarm(1, "normal", "alarm", 12 * HOUR, MINUTE),
            Part::Drift { dp: 2, low: 0, high: 9, step: 1, every: 5 * MINUTE },
            drain(15),
        ],
        children: &[],
    },
    Template {
        name: "water-leak",
        title: "Washing machine leak",
        product: "water leak sensor",
        category: "sj",
        model: "V-LEAK-1",
        points: &[choice(1, "watersensor_state", STATE).measured(), battery(4, 58), tamper(5)],
        parts: &[alarm(1, "normal", "alarm", 4 * HOUR, 2 * MINUTE), drain(4)],
        children: &[],
    },
    Template {
        name: "vibration-sensor",
        title: "Window vibration",
        product: "vibration sensor",
        category: "zd",
        model: "V-SHOCK-1",
        points: &[
            choice(1, "shock_state", &["normal", "vibration", "drop", "tilt"]).measured(),
            battery(3, 71),
            integer(9, "sensitivity", (0, 50), 20),
        ],
        parts: &[alarm(1, "normal", "vibration", 20 * MINUTE, 5 * SECOND), drain(3)],
        children: &[],
    },
    Template {
        name: "sos-button",
        title: "Emergency button",
        product: "emergency button",
        category: "sos",
        model: "V-SOS-1",
        points: &[boolean(1, "sos_state", false).measured(), battery(4, 99), tamper(5)],
        parts: &[
            Part::Flip {
                dp: 1,
                rest: Datum::Bool(false),
                active: Datum::Bool(true),
                rest_for: 6 * HOUR,
                active_for: 10 * SECOND,
            },
            drain(4),
        ],
        children: &[],
    },
    BUTTON,
    Template {
        name: "scene-switch",
        title: "Scene switch",
        product: "scene switch with relays",
        category: "cjkg",
        model: "V-SCENE-2",
        points: &[
            boolean(1, "switch_1", false),
            boolean(2, "switch_2", false),
            choice(5, "scene_1", &["scene"]).first(Datum::Any).measured(),
            choice(6, "scene_2", &["scene"]).first(Datum::Any).measured(),
        ],
        parts: &[Part::Events { dps: &[5, 6], values: &[Datum::Text("scene")], every: 2 * MINUTE }],
        children: &[],
    },
];
