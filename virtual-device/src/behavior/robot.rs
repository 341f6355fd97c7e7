//! Robot vacuum cleaners.

use super::context::{Context, Memory};
use super::part::Robot;

/// Time between two reports.
const PERIOD: u64 = 60_000;

/// Charge at which it returns to its dock by itself.
const LOW: i64 = 15;

pub(super) fn start(memory: &mut Memory, context: &Context<'_>, dps: &Robot) {
    plan(memory, context, dps);
}

pub(super) fn written(memory: &mut Memory, context: &mut Context<'_>, dps: &Robot, changed: &[u16]) {
    let has = |dp: u16| changed.contains(&dp);
    let status = context.word(dps.status).to_owned();
    let is_docked = matches!(status.as_str(), "charging" | "charge_done");
    if has(dps.switch_charge) && context.is_on(dps.switch_charge)
        || has(dps.mode) && context.word(dps.mode) == "chargego"
    {
        if !is_docked {
            enter(memory, context, dps, "goto_charge");
        }
    } else if has(dps.pause) && status == "paused" && !context.is_on(dps.pause) {
        enter(memory, context, dps, "smart_clean");
    } else if has(dps.pause) && context.is_on(dps.pause) {
        if !is_docked && status != "standby" {
            enter(memory, context, dps, "paused");
        }
    } else if has(dps.power_go) || has(dps.mode) {
        let goes = context.is_on(dps.power_go);
        match (goes, context.word(dps.mode)) {
            (true, "spiral") => enter(memory, context, dps, "spot_clean"),
            (true, "wall_follow") => enter(memory, context, dps, "wall_clean"),
            (true, _) => enter(memory, context, dps, "smart_clean"),
            (false, _) if !is_docked && has(dps.power_go) => enter(memory, context, dps, "standby"),
            (false, _) => {}
        }
    }
}

pub(super) fn due(memory: &mut Memory, context: &mut Context<'_>, dps: &Robot) {
    let minutes = memory.periods(context.now, PERIOD);
    let charge = context.integer(dps.battery);
    match context.word(dps.status) {
        "goto_charge" => enter(memory, context, dps, "charging"),
        "charging" => {
            let charge = charge.saturating_add(minutes.saturating_mul(2)).min(100);
            context.set(dps.battery, charge);
            if charge == 100 {
                enter(memory, context, dps, "charge_done");
            }
        }
        "smart_clean" | "spot_clean" | "wall_clean" => {
            let charge = charge.saturating_sub(minutes).max(0);
            context.set(dps.battery, charge);
            let (time, area) = (context.integer(dps.time), context.integer(dps.area));
            context.set(dps.time, time.saturating_add(minutes).min(9999));
            context.set(dps.area, area.saturating_add(minutes).min(9999));
            if charge <= LOW {
                enter(memory, context, dps, "goto_charge");
            }
        }
        _ => {}
    }
    plan(memory, context, dps);
}

/// Enters a state, and sets the orders that go with it.
fn enter(memory: &mut Memory, context: &mut Context<'_>, dps: &Robot, status: &'static str) {
    let cleans = status.ends_with("clean");
    if cleans && !context.word(dps.status).ends_with("clean") && context.word(dps.status) != "paused" {
        context.set(dps.time, 0);
        context.set(dps.area, 0);
    }
    context.set(dps.status, status);
    context.set(dps.pause, status == "paused");
    context.set(dps.switch_charge, status == "goto_charge");
    context.set(dps.power_go, cleans);
    memory.last = context.now;
    plan(memory, context, dps);
}

fn plan(memory: &mut Memory, context: &Context<'_>, dps: &Robot) {
    memory.due = None;
    if !matches!(context.word(dps.status), "standby" | "paused" | "charge_done") {
        memory.wake_in(context.now, PERIOD);
    }
}
