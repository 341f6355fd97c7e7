//! What each part does, and the parts of few lines.

use serde_json::Value;

use super::context::{Context, Memory};
use super::part::{Effect, Part};
use super::{approach, cover, meter, robot, timing};
use crate::datum::Datum;

/// Begins when the device is switched on.
pub(super) fn start(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    memory.last = context.now;
    match *part {
        Part::Meter { .. } => memory.wake_in(context.now, meter::PERIOD),
        Part::Phases { .. } => memory.wake_in(context.now, meter::PERIOD),
        Part::Cover { set, state, .. } => cover::start(memory, context, state.unwrap_or(set)),
        Part::Garage { .. } => {}
        Part::Approach { every, .. } => {
            approach::decide(part, memory, context, 1);
            memory.wake_in(context.now, every);
        }
        Part::Bands { of, word, bands } => band(context, of, word, bands),
        Part::Count { every, .. } => memory.wake_in(context.now, every),
        Part::Drift { every, .. }
        | Part::Events { every, .. }
        | Part::Cycle { every, .. }
        | Part::Battery { every, .. } => {
            let time = context.about(every);
            memory.wake_in(context.now, time);
        }
        Part::Flip { rest_for, .. } => {
            let time = context.about(rest_for);
            memory.wake_in(context.now, time);
        }
        Part::Robot(dps) => robot::start(memory, context, dps),
        Part::Effects(_)
        | Part::Countdown { .. }
        | Part::Timer { .. }
        | Part::Hours { .. }
        | Part::Fahrenheit { .. }
        | Part::Pulse { .. }
        | Part::Staged { .. }
        | Part::Feeder { .. }
        | Part::Infrared { .. } => {}
    }
}

/// Reacts to DPs that were set, by a controller, by hand, or by another part.
pub(super) fn written(part: &Part, memory: &mut Memory, context: &mut Context<'_>, dps: &[u16]) {
    let has = |dp: u16| dps.contains(&dp);
    match *part {
        Part::Effects(effects) => follow(context, effects, dps),
        Part::Countdown { left, switch } => timing::countdown_written(memory, context, (left, switch), dps),
        Part::Timer { switch, time, unit } if has(switch) || has(time) => {
            timing::timer_written(memory, context, (switch, time, unit));
        }
        Part::Hours { set, left, switch } => timing::hours_written(memory, context, (set, left, switch), dps),
        Part::Meter { loads, .. } if loads.iter().any(|(switch, _)| has(*switch)) => {
            memory.wake_in(context.now, meter::DELAY);
        }
        Part::Phases { switch: Some(switch), .. } if has(switch) => memory.wake_in(context.now, meter::DELAY),
        Part::Cover { .. } => cover::written(part, memory, context, dps),
        Part::Garage { switch, whole, .. } if has(switch) => memory.wake_in(context.now, whole),
        Part::Approach { .. } => approach::written(part, memory, context, dps),
        Part::Fahrenheit { celsius, fahrenheit } => convert(context, celsius, fahrenheit, dps),
        Part::Bands { of, word, bands } if has(of) => band(context, of, word, bands),
        Part::Flip { dp, active, rest_for, active_for, .. } if has(dp) => {
            let time = if context.is(dp, active) { active_for } else { rest_for };
            memory.wake_in(context.now, time);
        }
        Part::Pulse { dp, rest, after } if has(dp) => {
            memory.due = None;
            if !context.is(dp, rest) {
                memory.wake_in(context.now, after);
            }
        }
        Part::Staged { trigger, status, stages, rest, .. } if has(trigger.0) => {
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
        Part::Feeder { feed, state, .. } if has(feed) && context.integer(feed) > 0 => {
            context.set(state, "feeding");
            memory.wake_in(context.now, 10_000);
        }
        Part::Robot(robot) => robot::written(memory, context, robot, dps),
        Part::Infrared { send, .. } if has(send) => {
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
pub(super) fn due(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    match *part {
        Part::Countdown { left, switch } => timing::countdown_due(memory, context, (left, switch)),
        Part::Timer { switch, .. } => context.set(switch, false),
        Part::Hours { set, left, switch } => timing::hours_due(memory, context, (set, left, switch)),
        Part::Meter { .. } => meter::due(part, memory, context),
        Part::Phases { .. } => meter::phases_due(part, memory, context),
        Part::Cover { .. } => cover::due(part, memory, context),
        Part::Garage { switch, contact, .. } => {
            let is_open = context.is_on(switch);
            context.set(contact, is_open);
        }
        Part::Approach { .. } => approach::due(part, memory, context),
        Part::Drift { dp, low, high, step, every } => {
            let count = memory.periods(context.now, every);
            let by = context.jitter(step.saturating_mul(count).min(high.saturating_sub(low)));
            let old = context.integer(dp);
            context.set(dp, towards(old.saturating_add(by), (low, high), (old, step)));
            memory.wake_in(context.now, every);
        }
        Part::Count { switch, dp, by, every } => {
            let count = memory.periods(context.now, every);
            if switch.is_none_or(|switch| context.is_on(switch)) {
                let level = context.integer(dp).saturating_add(by.saturating_mul(count));
                context.set(dp, level.clamp(0, MOST_COUNTED));
            }
            memory.wake_in(context.now, every);
        }
        Part::Flip { dp, rest, active, rest_for, active_for } => {
            let is_active = context.is(dp, active);
            let (value, time) = if is_active { (rest, rest_for) } else { (active, active_for) };
            context.set(dp, value.value());
            let time = context.about(time);
            memory.wake_in(context.now, time);
        }
        Part::Events { dps, values, every } => {
            if let (Some(dp), Some(value)) = (context.pick(dps), context.pick(values)) {
                context.report(dp, value.value());
            }
            let time = context.about(every);
            memory.wake_in(context.now, time);
        }
        Part::Cycle { dp, values, every } => {
            memory.stage = memory.stage.wrapping_add(1) % values.len().max(1);
            if let Some(value) = values.get(memory.stage) {
                context.report(dp, value.value());
            }
            memory.wake_in(context.now, every);
        }
        Part::Battery { dp, every } => {
            let left = context.integer(dp).saturating_sub(memory.periods(context.now, every));
            context.set(dp, if left > 0 { left.min(100) } else { 100 });
            memory.wake_in(context.now, every);
        }
        Part::Pulse { dp, rest, .. } => context.set(dp, rest.value()),
        Part::Staged { status, stages, rest, done, .. } => {
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
        Part::Feeder { feed, state, report } => {
            context.set(state, "standby");
            let portions = context.integer(feed);
            context.report(report, portions);
            context.set(feed, 0);
        }
        Part::Robot(dps) => robot::due(memory, context, dps),
        Part::Infrared { code, sample, .. } => context.report(code, sample),
        Part::Effects(_) | Part::Fahrenheit { .. } | Part::Bands { .. } => {}
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
