//! Switches that turn themselves off.

use super::context::{Context, Memory};

/// Longest time between two reports of the time that is left.
const REPORT: u64 = 60_000;

pub(super) fn countdown_written(
    memory: &mut Memory,
    context: &mut Context<'_>,
    (left, switch): (u16, u16),
    dps: &[u16],
) {
    if dps.contains(&left) {
        let seconds = u64::try_from(context.integer(left)).unwrap_or_default();
        plan(memory, context.now, seconds.saturating_mul(1000));
    } else if dps.contains(&switch) && memory.due.is_some() {
        // Switching by hand ends it.
        memory.due = None;
        context.set(left, 0);
    }
}

pub(super) fn countdown_due(memory: &mut Memory, context: &mut Context<'_>, (left, switch): (u16, u16)) {
    let remaining = remaining(memory, context.now);
    context.set(left, remaining.div_ceil(1000));
    if remaining == 0 {
        let is_on = context.is_on(switch);
        context.set(switch, !is_on);
    } else {
        memory.wake_in(context.now, remaining.min(REPORT));
    }
}

pub(super) fn timer_written(memory: &mut Memory, context: &Context<'_>, (switch, time, unit): (u16, u16, u64)) {
    memory.due = None;
    let count = u64::try_from(context.integer(time)).unwrap_or_default();
    if context.is_on(switch) && count > 0 {
        memory.wake_in(context.now, count.saturating_mul(unit));
    }
}

pub(super) fn hours_written(
    memory: &mut Memory,
    context: &mut Context<'_>,
    (set, left, switch): (u16, Option<u16>, u16),
    dps: &[u16],
) {
    if dps.contains(&set) {
        let digits: String = context.word(set).chars().take_while(char::is_ascii_digit).collect();
        let time = digits.parse::<u64>().unwrap_or_default().min(100).saturating_mul(3_600_000);
        plan(memory, context.now, time);
        report_minutes(context, left, time);
    } else if dps.contains(&switch) && !context.is_on(switch) && memory.due.is_some() {
        memory.due = None;
        end_hours(context, set, left);
    }
}

pub(super) fn hours_due(memory: &mut Memory, context: &mut Context<'_>, (set, left, switch): (u16, Option<u16>, u16)) {
    let remaining = remaining(memory, context.now);
    if remaining == 0 {
        context.set(switch, false);
        end_hours(context, set, left);
    } else {
        report_minutes(context, left, remaining);
        memory.wake_in(context.now, remaining.min(REPORT));
    }
}

fn end_hours(context: &mut Context<'_>, set: u16, left: Option<u16>) {
    context.set(set, "cancel");
    report_minutes(context, left, 0);
}

fn report_minutes(context: &mut Context<'_>, left: Option<u16>, time: u64) {
    if let Some(left) = left {
        context.set(left, time.div_ceil(60_000));
    }
}

/// Plans an end after this time; none after 0.
fn plan(memory: &mut Memory, now: u64, time: u64) {
    memory.due = None;
    if time > 0 {
        memory.goal = i64::try_from(now.saturating_add(time)).unwrap_or(i64::MAX);
        memory.wake_in(now, time.min(REPORT));
    }
}

fn remaining(memory: &Memory, now: u64) -> u64 {
    u64::try_from(memory.goal).unwrap_or_default().saturating_sub(now)
}
