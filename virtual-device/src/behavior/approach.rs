//! Measurements that approach a goal: temperatures, humidity, dust.

use super::context::{Context, Memory};
use super::part::{Drive, Goal, Part};

pub(super) fn written(part: &Part, memory: &mut Memory, context: &mut Context<'_>, dps: &[u16]) {
    let Part::Approach { switch, goal, current, drive, .. } = *part else { return };
    let concerns = |dp: u16| {
        let is_goal = matches!(goal, Goal::Dp(goal, _) if goal == dp);
        let is_mode = matches!(drive, Drive::Mode { dp: mode, .. } if mode == dp);
        switch == Some(dp) || dp == current || is_goal || is_mode
    };
    if dps.iter().any(|dp| concerns(*dp)) {
        decide(part, memory, context, 1);
    }
}

pub(super) fn due(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    let Part::Approach { current, rest, step, every, .. } = *part else { return };
    let count = memory.periods(context.now, every);
    let level = context.integer(current);
    let new = if memory.stage == ACTIVE {
        step_to(level, memory.goal, step.saturating_mul(count))
    } else {
        // Slower by itself than when driven.
        step_to(level, rest, (step / 4).max(1).saturating_mul(count))
    };
    context.set(current, new);
    decide(part, memory, context, step);
    memory.wake_in(context.now, every);
}

/// Starts or ends the drive. At rest, it takes a difference of `slack` to start it.
pub(super) fn decide(part: &Part, memory: &mut Memory, context: &mut Context<'_>, slack: i64) {
    let Part::Approach { switch, goal, current, drive, action, .. } = *part else { return };
    memory.goal = match goal {
        Goal::Dp(dp, times) => context.integer(dp).saturating_mul(times),
        Goal::Fixed(goal) => goal,
    };
    let difference = memory.goal.saturating_sub(context.integer(current));
    let (up, down) = match drive {
        Drive::Up => (true, false),
        Drive::Down => (false, true),
        Drive::Mode { dp, up, down } => {
            let word = context.word(dp);
            (up.contains(&word), down.contains(&word))
        }
    };
    let least = if memory.stage == ACTIVE { 1 } else { slack };
    let is_away = (up && difference >= least) || (down && difference <= least.saturating_neg());
    let is_active = switch.is_none_or(|switch| context.is_on(switch)) && is_away;
    memory.stage = if is_active { ACTIVE } else { 0 };
    if let Some((dp, active, idle)) = action {
        context.set(dp, if is_active { active } else { idle }.value());
    }
}

fn step_to(from: i64, to: i64, by: i64) -> i64 {
    if from < to { from.saturating_add(by).min(to) } else { from.saturating_sub(by).max(to) }
}

/// Stage of [`Memory`] while it drives.
const ACTIVE: usize = 1;
