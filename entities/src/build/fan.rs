//! Fans and purifiers.

use super::{Builder, ON_OFF, entity, plain_words};
use crate::entity::{Codec, EntityKind, Role};
use crate::schema::{DpKind, NumberSpec};

const SPEEDS: &[&str] =
    &["fan_speed_percent", "fan_speed", "speed", "fan_speed_enum", "windspeed", "fan_level", "level"];

/// Words of speeds that are no steps from low to high.
const NO_STEPS: &[&str] = &["auto", "smart", "sleep", "nature", "natural", "off", "close"];

impl Builder<'_> {
    pub(super) fn fan(&mut self) {
        let power = self.boolean(&["switch_fan", "fan_switch", "switch", "power", "switch_1"]);
        let is_speed = |kind: &DpKind| {
            matches!(kind, DpKind::Integer(_)) || matches!(kind, DpKind::Enum { range } if range.len() > 1)
        };
        let speed = self.first(SPEEDS, is_speed);
        let is_main = self.facts.and_then(|facts| facts.parts.first()) == Some(&super::Part::Fan);
        if speed.is_none() && (power.is_none() || !(is_main || power.is_some_and(|spec| spec.code.contains("fan")))) {
            return;
        }
        let Some(main) = power.or(speed) else { return };
        // A dehumidifier has one switch for both.
        let shared = if power.is_none() { self.shared_boolean("switch") } else { None };
        let mut fan = entity(EntityKind::Fan, main);
        fan.name = Some("Fan".to_owned());
        if let Some(spec) = power {
            fan.with(Role::Power, spec, ON_OFF);
        }
        let mut also = None;
        match speed.map(|spec| (spec, &spec.kind)) {
            Some((spec, DpKind::Integer(limits))) => {
                fan.with(Role::FanSpeed, spec, Codec::Percent { spec: speeds(limits), is_inverted: false });
            }
            Some((spec, DpKind::Enum { range })) => {
                let steps: Vec<String> =
                    range.iter().filter(|word| !NO_STEPS.contains(&word.as_str())).cloned().collect();
                // A word that is no step is only to be had by name.
                also = (steps.len() < range.len()).then_some(spec.dp);
                fan.with(Role::FanSpeed, spec, Codec::Steps { range: steps });
            }
            _ => {}
        }
        if let Some(spec) = shared {
            fan.with(Role::Power, spec, ON_OFF);
        }
        if let Some((spec, range)) = self.words(&["fan_mode", "mode"]) {
            fan.with(Role::Mode, spec, plain_words(range));
        }
        if let Some((spec, range)) = self.words(&["fan_direction"]) {
            fan.with(Role::Direction, spec, plain_words(range));
        }
        if let Some(spec) = self.boolean(&["switch_horizontal", "switch_vertical", "shake", "swing"]) {
            fan.with(Role::Oscillate, spec, ON_OFF);
        }
        self.add(fan);
        if let Some(dp) = also {
            self.claimed.remove(&dp);
        }
    }
}

/// Returns the range of a speed, with 1 to 100 where the device tells none: 0 is standing still. Where the first speed is
/// one step from that, the range begins there, so that the first of n speeds is `100 / n` percent and not 0.
fn speeds(limits: &NumberSpec) -> NumberSpec {
    match (limits.min, limits.max) {
        (Some(min), Some(max)) if min < max && min == limits.step.max(1) => {
            NumberSpec { min: Some(0), ..limits.clone() }
        }
        (Some(min), Some(max)) if min < max => limits.clone(),
        _ => NumberSpec { min: Some(1), max: Some(100), ..limits.clone() },
    }
}
