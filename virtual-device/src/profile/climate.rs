//! Thermostats, heaters and air conditioners.

use super::point::{Point, boolean, celsius, choice, fault, integer, percent};
use super::template::{HOUR, MINUTE, SECOND, Template};
use crate::behavior::{Drive, Goal, Part};
use crate::datum::Datum;

/// A valve, as word of DP `dp`, that is open while it heats.
const fn valve(dp: u16) -> Option<(u16, Datum, Datum)> {
    Some((dp, Datum::Text("open"), Datum::Text("close")))
}

/// Heats in tenths of a degree, while a switch is on.
const fn heats(switch: u16, set: u16, current: u16, action: Option<(u16, Datum, Datum)>) -> Part {
    let goal = Goal::Dp(set, 1);
    Part::Approach { switch: Some(switch), goal, current, drive: Drive::Up, rest: 160, step: 2, every: MINUTE, action }
}

/// A temperature in whole degrees.
const fn degrees(dp: u16, code: &'static str, range: (i64, i64), first: i64) -> Point {
    integer(dp, code, range, first).unit("°C")
}

pub(super) const TRV: Template = Template {
    name: "trv",
    title: "Radiator",
    product: "radiator valve",
    category: "wkf",
    model: "V-TRV-1",
    points: &[
        choice(1, "mode", &["manual", "auto", "holiday", "off"]),
        celsius(2, "temp_set", (50, 300), 200).step(5),
        celsius(3, "temp_current", (0, 500), 195).measured(),
        choice(4, "work_state", &["closed", "opened"]).measured(),
        boolean(7, "child_lock", false),
        boolean(8, "window_check", true),
        choice(9, "window_state", &["closed", "opened"]).measured(),
        percent(6, "battery_percentage", 74).measured(),
        fault(14, &["fault_sensor", "fault_motor", "fault_low_batt"]),
    ],
    parts: &[
        Part::Approach {
            switch: None,
            goal: Goal::Dp(2, 1),
            current: 3,
            drive: Drive::Mode { dp: 1, up: &["manual", "auto", "holiday"], down: &[] },
            rest: 160,
            step: 2,
            every: MINUTE,
            action: Some((4, Datum::Text("opened"), Datum::Text("closed"))),
        },
        Part::Flip {
            dp: 9,
            rest: Datum::Text("closed"),
            active: Datum::Text("opened"),
            rest_for: 8 * HOUR,
            active_for: 10 * MINUTE,
        },
        Part::Battery { dp: 6, every: 6 * HOUR },
    ],
    children: &[],
};

pub(super) const ALL: &[Template] = &[
    Template {
        name: "thermostat",
        title: "Bathroom thermostat",
        product: "thermostat of floor heating",
        category: "wk",
        model: "V-THERMO-16",
        points: &[
            boolean(1, "switch", true),
            celsius(2, "temp_set", (50, 350), 215).step(5),
            celsius(3, "temp_current", (0, 500), 205).step(5).measured(),
            choice(4, "mode", &["manual", "auto", "holiday"]),
            boolean(5, "eco", false),
            boolean(6, "child_lock", false),
            boolean(10, "frost", false),
            fault(13, &["e1", "e2", "e3"]),
            celsius(19, "upper_temp", (300, 700), 450).step(10),
            degrees(27, "temp_correction", (-9, 9), 0),
            choice(36, "valve_state", &["open", "close"]).measured(),
        ],
        parts: &[heats(1, 2, 3, valve(36))],
        children: &[],
    },
    TRV,
    Template {
        name: "air-conditioner",
        title: "Bedroom air conditioner",
        product: "air conditioner",
        category: "kt",
        model: "V-AC-12K",
        points: &[
            boolean(1, "switch", true),
            degrees(2, "temp_set", (16, 31), 24),
            degrees(3, "temp_current", (-20, 100), 27).measured(),
            choice(4, "mode", &["cold", "hot", "auto", "wet", "wind", "eco"]),
            choice(5, "fan_speed_enum", &["auto", "low", "mid", "high"]),
            boolean(8, "anion", false),
            boolean(13, "light", true),
            boolean(14, "lock", false),
            choice(19, "temp_unit_convert", &["c", "f"]),
            fault(20, &["sensor_fault", "temp_fault"]),
            integer(23, "temp_set_f", (61, 88), 75).unit("℉"),
            integer(24, "temp_current_f", (-4, 212), 81).unit("℉").measured(),
            boolean(30, "switch_vertical", false),
            boolean(33, "switch_horizontal", false),
        ],
        parts: &[
            Part::Approach {
                switch: Some(1),
                goal: Goal::Dp(2, 1),
                current: 3,
                drive: Drive::Mode { dp: 4, up: &["hot", "auto"], down: &["cold", "auto", "eco"] },
                rest: 27,
                step: 1,
                every: 2 * MINUTE,
                action: None,
            },
            Part::Fahrenheit { celsius: 2, fahrenheit: 23 },
            Part::Fahrenheit { celsius: 3, fahrenheit: 24 },
        ],
        children: &[],
    },
    Template {
        name: "heater",
        title: "Office heater",
        product: "panel heater",
        category: "qn",
        model: "V-HEAT-2000",
        points: &[
            boolean(1, "switch", true),
            degrees(2, "temp_set", (5, 35), 21),
            degrees(3, "temp_current", (-20, 60), 19).measured(),
            choice(4, "mode", &["hot", "eco", "smart"]),
            choice(5, "level", &["low", "middle", "high"]),
            boolean(7, "lock", false),
            integer(8, "work_power", (0, 3000), 1000).unit("W").measured(),
            choice(19, "countdown_set", &["cancel", "1h", "2h", "3h", "4h"]),
            integer(20, "countdown_left", (0, 240), 0).unit("min").measured(),
        ],
        parts: &[
            Part::Approach {
                switch: Some(1),
                goal: Goal::Dp(2, 1),
                current: 3,
                drive: Drive::Up,
                rest: 16,
                step: 1,
                every: 2 * MINUTE,
                action: Some((8, Datum::Int(1000), Datum::Int(0))),
            },
            Part::Hours { set: 19, left: Some(20), switch: 1 },
        ],
        children: &[],
    },
    Template {
        name: "water-heater",
        title: "Boiler",
        product: "water heater",
        category: "rs",
        model: "V-BOIL-80",
        points: &[
            boolean(1, "switch", true),
            choice(2, "mode", &["auto", "eco", "manual"]),
            degrees(9, "temp_set", (30, 75), 55),
            degrees(10, "temp_current", (0, 100), 48).measured(),
            choice(12, "work_state", &["standby", "heating"]).measured(),
            fault(20, &["e1", "e2", "e3", "e4"]),
        ],
        parts: &[Part::Approach {
            switch: Some(1),
            goal: Goal::Dp(9, 1),
            current: 10,
            drive: Drive::Up,
            rest: 20,
            step: 1,
            every: MINUTE,
            action: Some((12, Datum::Text("heating"), Datum::Text("standby"))),
        }],
        children: &[],
    },
    Template {
        name: "fireplace",
        title: "Fireplace",
        product: "electric fireplace",
        category: "dbl",
        model: "V-FIRE-1",
        points: &[
            boolean(1, "switch", false),
            degrees(2, "temp_set", (15, 30), 22),
            degrees(3, "temp_current", (0, 50), 20).measured(),
            choice(4, "mode", &["flame", "hot"]),
            choice(5, "level", &["low", "high"]),
        ],
        parts: &[Part::Approach {
            switch: Some(1),
            goal: Goal::Dp(2, 1),
            current: 3,
            drive: Drive::Mode { dp: 4, up: &["hot"], down: &[] },
            rest: 18,
            step: 1,
            every: 2 * MINUTE,
            action: None,
        }],
        children: &[],
    },
    Template {
        name: "towel-rack",
        title: "Towel rack",
        product: "heated towel rack",
        category: "mjj",
        model: "V-TOWEL-1",
        points: &[
            boolean(1, "switch", false),
            degrees(2, "temp_set", (30, 65), 45),
            degrees(3, "temp_current", (0, 90), 22).measured(),
            boolean(6, "child_lock", false),
            choice(19, "countdown_set", &["cancel", "1h", "2h", "3h"]),
            integer(20, "countdown_left", (0, 180), 0).unit("min").measured(),
        ],
        parts: &[
            Part::Approach {
                switch: Some(1),
                goal: Goal::Dp(2, 1),
                current: 3,
                drive: Drive::Up,
                rest: 22,
                step: 1,
                every: 20 * SECOND,
                action: None,
            },
            Part::Hours { set: 19, left: Some(20), switch: 1 },
        ],
        children: &[],
    },
    Template {
        name: "temperature-switch",
        title: "Greenhouse switch",
        product: "switch with a temperature and humidity probe",
        category: "wkcz",
        model: "V-THSW-1",
        points: &[
            boolean(1, "switch_1", true),
            boolean(2, "switch_2", false),
            celsius(10, "temp_current", (-400, 1200), 183).measured(),
            percent(11, "humidity_value", 61).measured(),
            celsius(12, "temp_set", (-400, 1200), 200),
        ],
        parts: &[heats(1, 12, 10, None), Part::Drift { dp: 11, low: 50, high: 75, step: 1, every: MINUTE }],
        children: &[],
    },
    Template {
        name: "pool-heat-pump",
        title: "Pool",
        product: "heat pump of a pool",
        category: "znrb",
        model: "V-POOL-9",
        points: &[
            boolean(1, "switch", true),
            choice(2, "work_mode", &["heating", "cooling", "auto"]),
            degrees(10, "temp_set", (15, 40), 28),
            degrees(16, "temp_current", (-20, 60), 25).measured(),
            percent(20, "compressor_strength", 80).measured(),
            degrees(21, "temp_effluent", (-20, 60), 27).measured(),
            degrees(22, "temp_around", (-40, 60), 22).measured(),
            boolean(40, "child_lock", false),
            fault(15, &["flow", "high_pressure", "low_pressure"]),
        ],
        parts: &[
            Part::Approach {
                switch: Some(1),
                goal: Goal::Dp(10, 1),
                current: 16,
                drive: Drive::Mode { dp: 2, up: &["heating", "auto"], down: &["cooling", "auto"] },
                rest: 22,
                step: 1,
                every: 10 * MINUTE,
                action: Some((20, Datum::Int(80), Datum::Int(0))),
            },
            Part::Drift { dp: 22, low: 18, high: 27, step: 1, every: 10 * MINUTE },
        ],
        children: &[],
    },
];
