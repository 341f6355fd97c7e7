//! Switches, sockets, breakers and meters.

use super::point::{Point, boolean, choice, countdown, fault, integer, raw, text};
use super::template::{HOUR, SECOND, Template, when};
use crate::behavior::{Energy, Part};

const RELAY: &[&str] = &["power_off", "power_on", "last"];
const LIGHT: &[&str] = &["relay", "pos", "none"];
const METER_FAULTS: &[&str] = &["ov_cr", "ov_vol", "ov_pwr", "ls_cr", "ls_vol", "ls_pow"];

const fn energy(dp: u16) -> Point {
    integer(dp, "add_ele", (0, 50_000), 1).unit("kW·h").scale(3).step(100).measured()
}
const fn current(dp: u16, first: i64) -> Point {
    integer(dp, "cur_current", (0, 30_000), first).unit("mA").measured()
}
const fn power(dp: u16, first: i64) -> Point {
    integer(dp, "cur_power", (0, 80_000), first).unit("W").scale(1).measured()
}
const fn voltage(dp: u16, first: i64) -> Point {
    integer(dp, "cur_voltage", (0, 5000), first).unit("V").scale(1).measured()
}
const fn total(dp: u16, code: &'static str, first: i64) -> Point {
    integer(dp, code, (0, 99_999_999), first).unit("kW·h").scale(2).measured()
}

pub(super) const ALL: &[Template] = &[
    Template {
        name: "plug",
        title: "Washing machine",
        product: "plug with metering",
        category: "cz",
        model: "V-PLUG-16M",
        points: &[
            boolean(1, "switch_1", true),
            countdown(9, "countdown_1"),
            energy(17),
            current(18, 260),
            power(19, 600),
            voltage(20, 2300),
            fault(26, METER_FAULTS),
            choice(38, "relay_status", RELAY),
            choice(40, "light_mode", LIGHT),
            boolean(41, "child_lock", false),
            text(42, "cycle_time", 255),
            text(43, "random_time", 255),
            text(44, "switch_inching", 255),
        ],
        parts: &[
            Part::Countdown { left: 9, switch: 1 },
            Part::Meter { loads: &[(1, 600)], power: 19, current: 18, voltage: 20, energy: Energy::Increment(17) },
        ],
        children: &[],
    },
    Template {
        name: "old-plug",
        title: "Coffee corner",
        product: "plug with metering of the first generation",
        category: "cz",
        model: "V-PLUG-10V1",
        points: &[
            boolean(1, "switch_1", false),
            countdown(2, "countdown_1"),
            current(4, 0),
            power(5, 0),
            voltage(6, 2300),
        ],
        parts: &[
            Part::Countdown { left: 2, switch: 1 },
            Part::Meter { loads: &[(1, 9000)], power: 5, current: 4, voltage: 6, energy: Energy::None },
        ],
        children: &[],
    },
    Template {
        name: "power-strip",
        title: "Desk strip",
        product: "power strip with three sockets and USB",
        category: "pc",
        model: "V-STRIP-3U",
        points: &[
            boolean(1, "switch_1", true),
            boolean(2, "switch_2", false),
            boolean(3, "switch_3", false),
            boolean(7, "switch_usb1", true),
            countdown(9, "countdown_1"),
            countdown(10, "countdown_2"),
            countdown(11, "countdown_3"),
            countdown(15, "countdown_usb1"),
            energy(17),
            current(18, 391),
            power(19, 900),
            voltage(20, 2300),
            choice(38, "relay_status", RELAY),
            boolean(41, "child_lock", false),
        ],
        parts: &[
            Part::Countdown { left: 9, switch: 1 },
            Part::Countdown { left: 10, switch: 2 },
            Part::Countdown { left: 11, switch: 3 },
            Part::Countdown { left: 15, switch: 7 },
            Part::Meter {
                loads: &[(1, 800), (2, 400), (3, 2000), (7, 100)],
                power: 19,
                current: 18,
                voltage: 20,
                energy: Energy::Increment(17),
            },
        ],
        children: &[],
    },
    Template {
        name: "two-gang-switch",
        title: "Kitchen switch",
        product: "wall switch with two channels",
        category: "kg",
        model: "V-SW-2",
        points: &[
            boolean(1, "switch_1", false),
            boolean(2, "switch_2", true),
            countdown(9, "countdown_1"),
            countdown(10, "countdown_2"),
            choice(14, "relay_status", RELAY),
            choice(15, "light_mode", LIGHT),
            boolean(16, "switch_backlight", true),
            text(19, "switch_inching", 255),
        ],
        parts: &[Part::Countdown { left: 9, switch: 1 }, Part::Countdown { left: 10, switch: 2 }],
        children: &[],
    },
    Template {
        name: "relay-module",
        title: "Attic relay",
        product: "relay module with metering",
        category: "tdq",
        model: "V-RELAY-2M",
        points: &[
            boolean(1, "switch_1", true),
            boolean(2, "switch_2", false),
            countdown(7, "countdown_1"),
            countdown(8, "countdown_2"),
            choice(14, "relay_status", &["off", "on", "memory"]),
            energy(20),
            current(21, 174),
            power(22, 400),
            voltage(23, 2300),
        ],
        parts: &[
            Part::Countdown { left: 7, switch: 1 },
            Part::Countdown { left: 8, switch: 2 },
            Part::Meter {
                loads: &[(1, 400), (2, 1200)],
                power: 22,
                current: 21,
                voltage: 23,
                energy: Energy::Increment(20),
            },
        ],
        children: &[],
    },
    Template {
        name: "breaker",
        title: "Main breaker",
        product: "breaker with metering",
        category: "dlq",
        model: "V-BREAK-63",
        points: &[
            total(1, "forward_energy_total", 123_456),
            raw(6, "phase_a", 128).is("CPwAAakAAGE=").measured(),
            fault(9, &["short_circuit_alarm", "surge_alarm", "overload_alarm"]),
            boolean(16, "switch", true),
            choice(101, "relay_status", &["off", "on", "memory"]),
        ],
        parts: &[Part::Phases {
            switch: Some(16),
            phases: &[(6, 1200)],
            total: None,
            energy: Energy::Total { dp: 1, unit: 10 },
        }],
        children: &[],
    },
    Template {
        name: "energy-meter",
        title: "House meter",
        product: "meter of three phases",
        category: "zndb",
        model: "V-METER-3P",
        points: &[
            total(1, "forward_energy_total", 987_654),
            raw(6, "phase_a", 128).is("CPwAAakAAGE=").measured(),
            raw(7, "phase_b", 128).is("CPwAAakAAGE=").measured(),
            raw(8, "phase_c", 128).is("CPwAAakAAGE=").measured(),
            fault(9, &["short_circuit_alarm", "surge_alarm", "overload_alarm", "miss_phase_alarm"]),
            boolean(16, "switch", true),
            integer(29, "power_total", (0, 999_999), 1500).unit("kW").scale(3).measured(),
            integer(32, "supply_frequency", (0, 9999), 5000).unit("Hz").scale(2).measured(),
        ],
        parts: &[
            Part::Phases {
                switch: Some(16),
                phases: &[(6, 800), (7, 450), (8, 250)],
                total: Some(29),
                energy: Energy::Total { dp: 1, unit: 10 },
            },
            Part::Drift { dp: 32, low: 4995, high: 5005, step: 1, every: 30 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "wall-meter",
        title: "Heat pump meter",
        product: "socket meter",
        category: "znjdq",
        model: "V-METER-1",
        points: &[
            boolean(1, "switch_1", true),
            energy(17),
            current(18, 870),
            power(19, 2000),
            voltage(20, 2300),
            choice(38, "relay_status", RELAY),
            boolean(41, "child_lock", false),
        ],
        parts: &[Part::Meter {
            loads: &[(1, 2000)],
            power: 19,
            current: 18,
            voltage: 20,
            energy: Energy::Increment(17),
        }],
        children: &[],
    },
    Template {
        name: "ev-charger",
        title: "Wallbox",
        product: "charger of a car",
        category: "qccdz",
        model: "V-EV-11",
        points: &[
            total(1, "forward_energy_total", 45_600),
            choice(3, "work_state", &["charger_insert", "charger_charging", "charger_free", "charger_fault"])
                .measured(),
            integer(4, "charge_cur_set", (6, 32), 16).unit("A"),
            integer(9, "power_total", (0, 99_999), 0).unit("kW").scale(3).measured(),
            fault(10, &["over_temp", "leakage", "ground_fault"]),
            choice(14, "work_mode", &["charge_now", "charge_pct", "charge_energy", "charge_schedule"]),
            boolean(18, "switch", false),
            integer(24, "temp_current", (-40, 200), 24).unit("°C").measured(),
            integer(25, "charge_energy_once", (0, 999_999), 0).unit("kW·h").scale(2).measured(),
            raw(6, "phase_a", 128).is("CPwAAAAAAAA=").measured(),
        ],
        parts: &[
            Part::Effects(&[when(18, true, 3, "charger_charging"), when(18, false, 3, "charger_insert")]),
            Part::Phases {
                switch: Some(18),
                phases: &[(6, 3600)],
                total: Some(9),
                energy: Energy::Total { dp: 1, unit: 10 },
            },
            Part::Count { switch: Some(18), dp: 25, by: 6, every: 60 * SECOND },
            Part::Drift { dp: 24, low: 20, high: 45, step: 1, every: 5 * 60 * SECOND },
        ],
        children: &[],
    },
    Template {
        name: "inverter",
        title: "Balcony inverter",
        product: "solar inverter with battery",
        category: "xnyjcn",
        model: "V-SOLAR-800",
        points: &[
            choice(2, "work_mode", &["self_powered", "time_of_use", "manual"]),
            integer(3, "backup_reserve", (0, 100), 20).unit("%"),
            integer(4, "output_power_limit", (0, 800), 800).unit("W"),
            boolean(5, "feedin_power_limit_enable", false),
            integer(10, "current_soc", (0, 100), 63).unit("%").measured(),
            integer(11, "pv_power_total", (0, 9999), 420).unit("W").measured(),
            integer(12, "pv_power_channel_1", (0, 9999), 210).unit("W").measured(),
            integer(13, "pv_power_channel_2", (0, 9999), 210).unit("W").measured(),
            integer(14, "battery_power", (-9999, 9999), -100).unit("W").measured(),
            integer(15, "inverter_output_power", (0, 9999), 320).unit("W").measured(),
            total(16, "cumulative_energy_generated_pv", 5000),
        ],
        parts: &[
            Part::Drift { dp: 10, low: 20, high: 100, step: 1, every: 300 * SECOND },
            Part::Drift { dp: 11, low: 0, high: 800, step: 40, every: 30 * SECOND },
            Part::Drift { dp: 12, low: 0, high: 400, step: 20, every: 30 * SECOND },
            Part::Drift { dp: 13, low: 0, high: 400, step: 20, every: 30 * SECOND },
            Part::Drift { dp: 14, low: -400, high: 400, step: 30, every: 30 * SECOND },
            Part::Drift { dp: 15, low: 0, high: 800, step: 40, every: 30 * SECOND },
            Part::Count { switch: None, dp: 16, by: 4, every: HOUR / 10 },
        ],
        children: &[],
    },
];
