//! Parts of a behavior, as profiles name them.

use crate::datum::Datum;

/// Consequence of a value: once DP `when` has the value `is`, `then` takes the value `to`, unless it was set along with
/// it. Of several for the same `then`, the first counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect {
    pub(crate) when: u16,
    pub(crate) is: Datum,
    pub(crate) then: u16,
    pub(crate) to: Datum,
}

/// One thing that a device does. Numbers of DPs belong to the profile; times are in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Sets DPs after others were set.
    Effects(&'static [Effect]),
    /// Toggles the switch when the seconds in `left` are over.
    Countdown { left: u16, switch: u16 },
    /// Turns off `switch` after the time in DP `time`, of so many milliseconds for each 1 in it.
    Timer { switch: u16, time: u16, unit: u64 },
    /// Turns off `switch` after the hours in the word of `set`, such as `2h`; `left` has the minutes.
    Hours { set: u16, left: Option<u16>, switch: u16 },
    /// Measures the power of its loads (DP of a switch, or 0 for always on; tenths of a watt).
    Meter { loads: &'static [(u16, i64)], power: u16, current: u16, voltage: u16, energy: Energy },
    /// Measures phases (DP, watts) and packs them into eight bytes each.
    Phases { switch: Option<u16>, phases: &'static [(u16, i64)], total: Option<u16>, energy: Energy },
    /// Moves a curtain: words of opening, stopping and closing, and the time of the whole way.
    Cover {
        control: u16,
        words: [&'static str; 3],
        set: u16,
        state: Option<u16>,
        work: Option<u16>,
        end: Option<u16>,
        whole: u64,
    },
    /// Opens and closes a garage door, whose contact is true while it is open.
    Garage { switch: u16, contact: u16, whole: u64 },
    /// Lets a measurement approach a goal while switched on, and else return to `rest`.
    Approach {
        switch: Option<u16>,
        goal: Goal,
        current: u16,
        drive: Drive,
        rest: i64,
        step: i64,
        every: u64,
        action: Option<(u16, Datum, Datum)>,
    },
    /// Keeps two temperatures of scale 0 equal, in Celsius and in Fahrenheit.
    Fahrenheit { celsius: u16, fahrenheit: u16 },
    /// Lets a measurement drift at random in a range.
    Drift { dp: u16, low: i64, high: i64, step: i64, every: u64 },
    /// Adds to a counter while `switch` is on: `by` for each period.
    Count { switch: Option<u16>, dp: u16, by: i64, every: u64 },
    /// Derives a word from a number: the first whose limit is not exceeded.
    Bands { of: u16, word: u16, bands: &'static [(i64, Datum)] },
    /// Alternates between rest and activity.
    Flip { dp: u16, rest: Datum, active: Datum, rest_for: u64, active_for: u64 },
    /// Reports events, the same again if it happens to be.
    Events { dps: &'static [u16], values: &'static [Datum], every: u64 },
    /// Goes through values in turn.
    Cycle { dp: u16, values: &'static [Datum], every: u64 },
    /// Loses a percent each period; replaced when empty.
    Battery { dp: u16, every: u64 },
    /// Returns to rest some time after another value was set.
    Pulse { dp: u16, rest: Datum, after: u64 },
    /// Goes through stages once `trigger` has its value, and rests when it loses it.
    Staged {
        trigger: (u16, Datum),
        status: u16,
        stages: &'static [(&'static str, u64)],
        rest: &'static str,
        done: &'static [(u16, Datum)],
    },
    /// Feeds so many portions, and reports them.
    Feeder { feed: u16, state: u16, report: u16 },
    /// Cleans, pauses and returns to its dock.
    Robot(&'static Robot),
    /// Learns a code of another remote control.
    Infrared { send: u16, code: u16, sample: &'static str },
}

/// Value to be reached.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// That of a DP, times so many: a goal in degrees of a measurement in tenths.
    Dp(u16, i64),
    /// Always the same.
    Fixed(i64),
}

/// Directions in which a device can drive its measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// Up: heaters, humidifiers.
    Up,
    /// Down: dehumidifiers, purifiers.
    Down,
    /// As the word of a DP says; a word in both lists drives both ways.
    Mode { dp: u16, up: &'static [&'static str], down: &'static [&'static str] },
}

/// Way in which energy is reported.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Energy {
    /// Each report has the energy since the last one, in units of 0.001 kWh, as `add_ele` does.
    Increment(u16),
    /// A total, in units of so many watt hours.
    Total { dp: u16, unit: i64 },
    /// Not at all.
    None,
}

/// DPs of a robot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Robot {
    pub(crate) power_go: u16,
    pub(crate) pause: u16,
    pub(crate) switch_charge: u16,
    pub(crate) mode: u16,
    pub(crate) status: u16,
    pub(crate) battery: u16,
    pub(crate) time: u16,
    pub(crate) area: u16,
}
