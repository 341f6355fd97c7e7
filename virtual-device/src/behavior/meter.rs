//! Metering of sockets, breakers and meters.

use super::context::{Context, Memory};
use super::part::{Energy, Part};

/// Time between two measurements.
pub(super) const PERIOD: u64 = 10_000;

/// Time between switching and the next measurement.
pub(super) const DELAY: u64 = 1000;

/// Time between two reports of energy.
const ENERGY_PERIOD: u64 = 300_000;

/// Limit of one increment.
const MOST_REPORTED: i64 = 50_000;

/// Tenths of a watt for a millisecond in one watt hour.
const WATT_HOUR: i64 = 36_000_000;

pub(super) fn due(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    let Part::Meter { loads, power, current, voltage, energy } = *part else { return };
    let elapsed = elapsed(memory, context.now);
    let before = context.integer(power);
    consume(memory, context, energy, before.saturating_mul(elapsed));

    let on = |switch: u16| switch == 0 || context.is_on(switch);
    let load: i64 = loads.iter().filter(|(switch, _)| on(*switch)).map(|(_, load)| *load).sum();
    let volts = 2300 + context.jitter(15);
    let watts = load + context.jitter(load / 100);
    context.set(voltage, volts);
    context.set(power, watts);
    context.set(current, watts * 1000 / volts);
    memory.wake_in(context.now, PERIOD);
}

pub(super) fn phases_due(part: &Part, memory: &mut Memory, context: &mut Context<'_>) {
    let Part::Phases { switch, phases, total, energy } = *part else { return };
    let elapsed = elapsed(memory, context.now);
    let consumed = memory.level.saturating_mul(elapsed);
    let is_on = switch.is_none_or(|switch| context.is_on(switch));
    let mut sum = 0;
    for (dp, load) in phases {
        let load = if is_on { *load } else { 0 };
        let volts = 2300 + context.jitter(20);
        let watts = load + context.jitter(load / 50);
        sum += watts;
        context.set(*dp, packed(volts, watts * 10_000 / volts, watts));
    }
    memory.level = sum * 10;
    if let Some(total) = total {
        context.set(total, sum);
    }
    count(memory, context, energy, consumed);
    memory.wake_in(context.now, PERIOD);
}

fn elapsed(memory: &mut Memory, now: u64) -> i64 {
    let elapsed = now.saturating_sub(memory.last);
    memory.last = now;
    i64::try_from(elapsed).unwrap_or(i64::MAX)
}

/// Adds up energy, and reports it now and then.
fn consume(memory: &mut Memory, context: &mut Context<'_>, energy: Energy, amount: i64) {
    memory.level = memory.level.saturating_add(amount.max(0));
    if i64::try_from(context.now).unwrap_or(i64::MAX) < memory.goal {
        return;
    }
    let whole = match energy {
        Energy::Increment(dp) => {
            let whole = memory.level / WATT_HOUR;
            if whole > 0 {
                context.report(dp, whole.min(MOST_REPORTED));
            }
            whole * WATT_HOUR
        }
        Energy::Total { dp, unit } => {
            let size = WATT_HOUR.saturating_mul(unit);
            let whole = memory.level / size;
            let total = context.integer(dp).saturating_add(whole).clamp(0, 99_999_999);
            context.set(dp, total);
            whole * size
        }
        Energy::None => memory.level,
    };
    memory.level -= whole;
    memory.goal = i64::try_from(context.now.saturating_add(ENERGY_PERIOD)).unwrap_or(i64::MAX);
}

/// As [`consume`], where the level is the present power.
fn count(memory: &mut Memory, context: &mut Context<'_>, energy: Energy, amount: i64) {
    let power = memory.level;
    let mut account = Memory { level: i64::try_from(memory.stage).unwrap_or_default(), goal: memory.goal, ..*memory };
    consume(&mut account, context, energy, amount);
    memory.stage = usize::try_from(account.level).unwrap_or_default();
    memory.goal = account.goal;
    memory.level = power;
}

/// Packs tenths of a volt, milliamperes and watts into eight bytes, as base64.
fn packed(volts: i64, milliamperes: i64, watts: i64) -> String {
    let [.., u1, u0] = volts.to_be_bytes();
    let [.., i2, i1, i0] = milliamperes.to_be_bytes();
    let [.., p2, p1, p0] = watts.to_be_bytes();
    base64(&[u1, u0, i2, i1, i0, p2, p1, p0])
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4_usize {
            let index = (group >> (18 - 6 * digit)) & 63;
            let letter = usize::try_from(index).ok().and_then(|index| ALPHABET.get(index)).copied().unwrap_or(b'A');
            text.push(if digit > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_packed_as_meters_do() {
        // 233.0 V, 1.000 A, 200 W.
        assert_eq!(packed(2330, 1000, 200), "CRoAA+gAAMg=");
        assert_eq!(base64(b"f"), "Zg==");
        assert_eq!(base64(b"foo"), "Zm9v");
    }
}
