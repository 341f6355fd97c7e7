//! Parts of a behavior, and those of few lines.

use serde_json::Value;

use super::approach::{Drive, Goal};
use super::meter::Energy;
use super::{Context, Memory, approach, cover, meter, robot, timing};
use crate::profile::Datum;

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
    Robot(&'static robot::Dps),
    /// Learns a code of another remote control.
    Infrared { send: u16, code: u16, sample: &'static str },
}

impl Part {
    /// Begins when the device is switched on.
    pub(super) fn start(&self, memory: &mut Memory, context: &mut Context<'_>) {
        memory.last = context.now;
        match *self {
            Self::Meter { .. } => memory.wake_in(context.now, meter::PERIOD),
            Self::Phases { .. } => memory.wake_in(context.now, meter::PERIOD),
            Self::Cover { set, state, .. } => cover::start(memory, context, state.unwrap_or(set)),
            Self::Garage { .. } => {}
            Self::Approach { every, .. } => {
                approach::decide(self, memory, context, 1);
                memory.wake_in(context.now, every);
            }
            Self::Bands { of, word, bands } => band(context, of, word, bands),
            Self::Count { every, .. } => memory.wake_in(context.now, every),
            Self::Drift { every, .. }
            | Self::Events { every, .. }
            | Self::Cycle { every, .. }
            | Self::Battery { every, .. } => {
                let time = context.about(every);
                memory.wake_in(context.now, time);
            }
            Self::Flip { rest_for, .. } => {
                let time = context.about(rest_for);
                memory.wake_in(context.now, time);
            }
            Self::Robot(dps) => robot::start(memory, context, dps),
            Self::Effects(_)
            | Self::Countdown { .. }
            | Self::Timer { .. }
            | Self::Hours { .. }
            | Self::Fahrenheit { .. }
            | Self::Pulse { .. }
            | Self::Staged { .. }
            | Self::Feeder { .. }
            | Self::Infrared { .. } => {}
        }
    }

    /// Reacts to DPs that were set, by a controller, by hand, or by another part.
    pub(super) fn written(&self, memory: &mut Memory, context: &mut Context<'_>, dps: &[u16]) {
        let has = |dp: u16| dps.contains(&dp);
        match *self {
            Self::Effects(effects) => follow(context, effects, dps),
            Self::Countdown { left, switch } => timing::countdown_written(memory, context, (left, switch), dps),
            Self::Timer { switch, time, unit } if has(switch) || has(time) => {
                timing::timer_written(memory, context, (switch, time, unit));
            }
            Self::Hours { set, left, switch } => timing::hours_written(memory, context, (set, left, switch), dps),
            Self::Meter { loads, .. } if loads.iter().any(|(switch, _)| has(*switch)) => {
                memory.wake_in(context.now, meter::DELAY);
            }
            Self::Phases { switch: Some(switch), .. } if has(switch) => memory.wake_in(context.now, meter::DELAY),
            Self::Cover { .. } => cover::written(self, memory, context, dps),
            Self::Garage { switch, whole, .. } if has(switch) => memory.wake_in(context.now, whole),
            Self::Approach { .. } => approach::written(self, memory, context, dps),
            Self::Fahrenheit { celsius, fahrenheit } => convert(context, celsius, fahrenheit, dps),
            Self::Bands { of, word, bands } if has(of) => band(context, of, word, bands),
            Self::Flip { dp, active, rest_for, active_for, .. } if has(dp) => {
                let time = if context.is(dp, active) { active_for } else { rest_for };
                memory.wake_in(context.now, time);
            }
            Self::Pulse { dp, rest, after } if has(dp) => {
                memory.due = None;
                if !context.is(dp, rest) {
                    memory.wake_in(context.now, after);
                }
            }
            Self::Staged { trigger, status, stages, rest, .. } if has(trigger.0) => {
                memory.stage = 0;
                memory.due = None;
                match stages.first() {
                    Some((word, time)) if context.is(trigger.0, trigger.1) => {
                        context.set(status, *word);
                        memory.wake_in(context.now, *time);
                    }
                    _ => context.set(status, rest),
                }
            }
            Self::Feeder { feed, state, .. } if has(feed) && context.integer(feed) > 0 => {
                context.set(state, "feeding");
                memory.wake_in(context.now, 10_000);
            }
            Self::Robot(robot) => robot::written(memory, context, robot, dps),
            Self::Infrared { send, .. } if has(send) => {
                let order = serde_json::from_str::<Value>(context.word(send)).unwrap_or_default();
                match order.get("control").and_then(Value::as_str) {
                    Some("study") => memory.wake_in(context.now, 3000),
                    Some("study_exit") => memory.due = None,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Does what was planned for this time.
    pub(super) fn due(&self, memory: &mut Memory, context: &mut Context<'_>) {
        match *self {
            Self::Countdown { left, switch } => timing::countdown_due(memory, context, (left, switch)),
            Self::Timer { switch, .. } => context.set(switch, false),
            Self::Hours { set, left, switch } => timing::hours_due(memory, context, (set, left, switch)),
            Self::Meter { .. } => meter::due(self, memory, context),
            Self::Phases { .. } => meter::phases_due(self, memory, context),
            Self::Cover { .. } => cover::due(self, memory, context),
            Self::Garage { switch, contact, .. } => {
                let is_open = context.is_on(switch);
                context.set(contact, is_open);
            }
            Self::Approach { .. } => approach::due(self, memory, context),
            Self::Drift { dp, low, high, step, every } => {
                let count = memory.periods(context.now, every);
                let by = context.jitter(step.saturating_mul(count).min(high.saturating_sub(low)));
                let old = context.integer(dp);
                context.set(dp, towards(old.saturating_add(by), (low, high), (old, step)));
                memory.wake_in(context.now, every);
            }
            Self::Count { switch, dp, by, every } => {
                let count = memory.periods(context.now, every);
                if switch.is_none_or(|switch| context.is_on(switch)) {
                    let level = context.integer(dp).saturating_add(by.saturating_mul(count));
                    context.set(dp, level.clamp(0, MOST_COUNTED));
                }
                memory.wake_in(context.now, every);
            }
            Self::Flip { dp, rest, active, rest_for, active_for } => {
                let is_active = context.is(dp, active);
                let (value, time) = if is_active { (rest, rest_for) } else { (active, active_for) };
                context.set(dp, value.value());
                let time = context.about(time);
                memory.wake_in(context.now, time);
            }
            Self::Events { dps, values, every } => {
                if let (Some(dp), Some(value)) = (context.pick(dps), context.pick(values)) {
                    context.report(dp, value.value());
                }
                let time = context.about(every);
                memory.wake_in(context.now, time);
            }
            Self::Cycle { dp, values, every } => {
                memory.stage = memory.stage.wrapping_add(1) % values.len().max(1);
                if let Some(value) = values.get(memory.stage) {
                    context.report(dp, value.value());
                }
                memory.wake_in(context.now, every);
            }
            Self::Battery { dp, every } => {
                let left = context.integer(dp).saturating_sub(memory.periods(context.now, every));
                context.set(dp, if left > 0 { left.min(100) } else { 100 });
                memory.wake_in(context.now, every);
            }
            Self::Pulse { dp, rest, .. } => context.set(dp, rest.value()),
            Self::Staged { status, stages, rest, done, .. } => {
                memory.stage = memory.stage.saturating_add(1);
                if let Some((word, time)) = stages.get(memory.stage) {
                    context.set(status, *word);
                    memory.wake_in(context.now, *time);
                } else {
                    context.set(status, rest);
                    for (dp, value) in done {
                        context.set(*dp, value.value());
                    }
                }
            }
            Self::Feeder { feed, state, report } => {
                context.set(state, "standby");
                let portions = context.integer(feed);
                context.report(report, portions);
                context.set(feed, 0);
            }
            Self::Robot(dps) => robot::due(memory, context, dps),
            Self::Infrared { code, sample, .. } => context.report(code, sample),
            Self::Effects(_) | Self::Fahrenheit { .. } | Self::Bands { .. } => {}
        }
    }
}

fn follow(context: &mut Context<'_>, effects: &[Effect], dps: &[u16]) {
    let mut done = Vec::new();
    for effect in effects {
        let is_met = dps.contains(&effect.when) && context.is(effect.when, effect.is);
        if is_met && !dps.contains(&effect.then) && !done.contains(&effect.then) {
            done.push(effect.then);
            context.set(effect.then, effect.to.value());
        }
    }
}

fn convert(context: &mut Context<'_>, celsius: u16, fahrenheit: u16, dps: &[u16]) {
    if dps.contains(&celsius) {
        let value = context.integer(celsius).saturating_mul(18).saturating_add(325).div_euclid(10);
        context.set(fahrenheit, value);
    } else if dps.contains(&fahrenheit) {
        let value = context.integer(fahrenheit).saturating_sub(32).saturating_mul(10).saturating_add(9).div_euclid(18);
        context.set(celsius, value);
    }
}

fn band(context: &mut Context<'_>, of: u16, word: u16, bands: &[(i64, Datum)]) {
    let value = context.integer(of);
    if let Some((_, datum)) = bands.iter().find(|(limit, _)| value <= *limit) {
        context.set(word, datum.value());
    }
}

/// Keeps a value in a range; one that was outside comes back step by step.
fn towards(value: i64, (low, high): (i64, i64), (old, step): (i64, i64)) -> i64 {
    if old < low {
        old.saturating_add(step).min(low)
    } else if old > high {
        old.saturating_sub(step).max(high)
    } else {
        value.clamp(low, high)
    }
}

/// Limit of counters.
const MOST_COUNTED: i64 = 99_999_999;
