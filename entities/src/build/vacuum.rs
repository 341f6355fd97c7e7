//! Robot vacuums.

use super::{Builder, ON_OFF, entity, plain_words};
use crate::entity::{Codec, EntityKind, Role};
use crate::schema::DpKind;

impl Builder<'_> {
    pub(super) fn vacuum(&mut self) {
        let power = self.boolean(&["power_go", "switch_go"]);
        // Beside the switch that starts and stops it, the other one is the mains switch.
        let switch = self.boolean(&["power", "switch"]).filter(|_| power.is_none());
        let status = self.words(&["status"]);
        let mode = self.words(&["mode"]);
        let main = [power, switch, status.map(|(spec, _)| spec), mode.map(|(spec, _)| spec)];
        let Some(main) = main.into_iter().flatten().next() else { return };
        let mut vacuum = entity(EntityKind::Vacuum, main);
        vacuum.name = Some("Vacuum".to_owned());
        if let Some(spec) = power {
            vacuum.with(Role::Command, spec, ON_OFF);
        }
        if let Some(spec) = switch {
            vacuum.with(Role::Power, spec, ON_OFF);
        }
        if let Some((spec, range)) = status {
            vacuum.with(Role::Status, spec, plain_words(range));
        }
        for (role, code) in [(Role::Pause, "pause"), (Role::Dock, "switch_charge"), (Role::Locate, "seek")] {
            if let Some(spec) = self.boolean(&[code]) {
                vacuum.with(role, spec, ON_OFF);
            }
        }
        if let Some((spec, range)) = mode {
            vacuum.with(Role::Mode, spec, plain_words(range));
        }
        if let Some((spec, range)) = self.words(&["suction", "fan_speed_enum"]) {
            vacuum.with(Role::FanSpeed, spec, plain_words(range));
        }
        let battery = self.integer(&["electricity_left", "battery_percentage", "residual_electricity"]);
        if let Some((spec, limits)) = battery {
            vacuum.with(Role::Battery, spec, Codec::Number(limits.clone()));
        }
        let fault = self.first(&["fault"], |kind| matches!(kind, DpKind::Bitmap { .. }));
        if let Some(spec) = fault
            && let DpKind::Bitmap { labels } = &spec.kind
        {
            vacuum.with(Role::Fault, spec, Codec::Labels(labels.clone()));
        }
        self.add(vacuum);
        // Battery and faults are worth sensors, a status has more words than activities, and `mode` is a choice.
        let also = [battery.map(|(spec, _)| spec), fault, status.map(|(spec, _)| spec), mode.map(|(spec, _)| spec)];
        for spec in also.into_iter().flatten() {
            self.claimed.remove(&spec.dp);
        }
    }
}
