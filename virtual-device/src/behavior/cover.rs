//! Curtains.

use super::context::{Context, Memory};
use super::part::Part;

/// Time between two reports of the position.
const REPORT: u64 = 1000;

/// Unit of positions: thousandths of a percent. 0 is open.
const UNIT: i64 = 1000;

pub(super) fn start(memory: &mut Memory, context: &Context<'_>, state: u16) {
    memory.level = context.integer(state).clamp(0, 100) * UNIT;
    memory.goal = memory.level;
}

pub(super) fn written(part: &Part, memory: &mut Memory, context: &mut Context<'_>, dps: &[u16]) {
    let Part::Cover { control, words: [open, stop, close], set, state, .. } = *part else { return };
    let is_moving = memory.due.is_some();
    if is_moving {
        travel(part, memory, context);
    }
    if dps.contains(&control) {
        let word = context.word(control);
        if word == open {
            memory.goal = 0;
        } else if word == close {
            memory.goal = 100 * UNIT;
        } else if word == stop {
            memory.stage = paused_at(memory.goal);
            memory.goal = memory.level;
            if is_moving {
                return end(part, memory, context);
            }
        } else if word == "continue" {
            if let Some(percent) = memory.stage.checked_sub(1).and_then(|percent| i64::try_from(percent).ok()) {
                memory.goal = percent * UNIT;
            }
        } else {
            return;
        }
    } else if dps.contains(&set) {
        memory.goal = context.integer(set).clamp(0, 100) * UNIT;
    } else if state.is_some_and(|state| dps.contains(&state)) {
        // Moved by hand.
        return start(memory, context, state.unwrap_or(set));
    } else {
        return;
    }
    memory.last = context.now;
    if memory.goal == memory.level {
        return end(part, memory, context);
    }
    if let Part::Cover { work: Some(work), .. } = *part {
        context.set(work, if memory.goal < memory.level { "opening" } else { "closing" });
    }
    plan(part, memory, context.now);
}

/// Returns the goal to which `continue` moves, as a percentage and one more.
fn paused_at(goal: i64) -> usize {
    usize::try_from(goal / UNIT).unwrap_or_default() + 1
}

pub(super) fn due(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    travel(part, memory, context);
    if memory.level == memory.goal {
        end(part, memory, context);
    } else {
        plan(part, memory, context.now);
    }
}

fn plan(part: &Part, memory: &mut Memory, now: u64) {
    let Part::Cover { whole, .. } = *part else { return };
    let distance = memory.goal.abs_diff(memory.level);
    let time = distance.saturating_mul(whole).div_ceil(100 * UNIT.unsigned_abs());
    memory.wake_in(now, time.min(REPORT));
}

/// Moves as far as it has come since the last time.
fn travel(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    let Part::Cover { set, state, whole, .. } = *part else { return };
    let elapsed = context.now.saturating_sub(memory.last);
    memory.last = context.now;
    let distance = elapsed.saturating_mul(100 * UNIT.unsigned_abs()) / whole.max(1);
    let distance = i64::try_from(distance).unwrap_or(i64::MAX);
    memory.level = if memory.goal < memory.level {
        memory.level.saturating_sub(distance).max(memory.goal)
    } else {
        memory.level.saturating_add(distance).min(memory.goal)
    };
    context.set(state.unwrap_or(set), memory.level / UNIT);
}

fn end(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    let Part::Cover { control, words: [_, stop, _], set, end, .. } = *part else { return };
    memory.due = None;
    // It stops at whole percents.
    memory.level = memory.level / UNIT * UNIT;
    memory.goal = memory.level;
    context.set(set, memory.level / UNIT);
    context.set(control, stop);
    match (end, memory.level / UNIT) {
        (Some(end), 0) => context.set(end, "fully_open"),
        (Some(end), 100) => context.set(end, "fully_close"),
        _ => {}
    }
}
