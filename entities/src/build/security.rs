//! Alarm hosts, sirens, locks; valves.

use super::{Builder, ON_OFF, channel, entity, named_words, plain_words};
use crate::entity::{Codec, EntityKind, Role};
use crate::schema::DpKind;
use crate::tables::names;

/// Modes of an alarm host, in Home Assistant's words.
const ALARM_MODES: &[(&str, &str)] =
    &[("arm", "armed_away"), ("disarmed", "disarmed"), ("home", "armed_home"), ("sos", "triggered")];

impl Builder<'_> {
    pub(super) fn alarm(&mut self) {
        let Some((mode, range)) = self.words(&["master_mode"]) else { return };
        let mut alarm = entity(EntityKind::Alarm, mode);
        alarm.name = Some("Alarm".to_owned());
        alarm.with(Role::Mode, mode, named_words(range, ALARM_MODES));
        let state = self.words(&["master_state"]);
        if let Some((spec, range)) = state {
            alarm.with(Role::AlarmState, spec, plain_words(range));
        }
        let is_text = |kind: &DpKind| matches!(kind, DpKind::Raw { .. } | DpKind::String { .. });
        if let Some(spec) = self.first(&["alarm_msg"], is_text) {
            alarm.with(Role::AlarmMessage, spec, Codec::Base64Text { is_utf16: true });
        }
        self.add(alarm);
        if let Some((spec, _)) = state {
            self.claimed.remove(&spec.dp);
        }
    }

    pub(super) fn siren(&mut self) {
        let Some(power) = self.boolean(&["alarm_switch", "siren_switch"]) else { return };
        let mut siren = entity(EntityKind::Siren, power);
        siren.name = Some("Siren".to_owned());
        siren.with(Role::Power, power, ON_OFF);
        let settings = siren.channels.len();
        if let Some((spec, range)) = self.words(&["alarm_volume"]) {
            siren.with(Role::Volume, spec, plain_words(range));
        } else if let Some((spec, limits)) = self.integer(&["alarm_volume"]) {
            siren.with(Role::Volume, spec, Codec::Percent { spec: limits.percent_range(), is_inverted: false });
        }
        if let Some((spec, limits)) = self.integer(&["alarm_time"]) {
            siren.with(Role::Duration, spec, Codec::Number(limits.clone()));
        }
        if let Some((spec, range)) = self.words(&["alarm_ringtone", "alarm_state"]) {
            siren.with(Role::Tone, spec, plain_words(range));
        }
        // They hold until they are set again, also for an alarm that the device raises.
        let settings: Vec<u16> = siren.channels.iter().skip(settings).map(|(_, channel)| channel.dp).collect();
        self.add(siren);
        for dp in settings {
            self.claimed.remove(&dp);
        }
    }

    /// Adds the lock of a door: what it reports. Locks are opened through the vendor's cloud only.
    pub(super) fn lock(&mut self) {
        let state = self.boolean(&["lock_motor_state", "lock_state", "lock"]);
        let unlocks: Vec<_> = self
            .by_code
            .iter()
            .copied()
            .filter(|spec| spec.code.starts_with("unlock_") && matches!(spec.kind, DpKind::Integer(_)))
            .collect();
        let Some(main) = state.or_else(|| unlocks.first().copied()) else { return };
        let mut lock = entity(EntityKind::Lock, main);
        lock.name = Some("Lock".to_owned());
        if let Some(spec) = state {
            // The motor's `true` is an open lock.
            let codec = Codec::Bool { is_inverted: spec.code == "lock_motor_state" };
            lock.with(Role::IsLocked, spec, codec);
        }
        for spec in unlocks {
            if let (DpKind::Integer(limits), Some(way)) = (&spec.kind, spec.code.strip_prefix("unlock_")) {
                lock.with(Role::UnlockedBy(way.to_owned()), spec, Codec::Number(limits.clone()));
            }
        }
        for (_, channel) in &mut lock.channels {
            channel.access = crate::schema::Access::ReadOnly;
        }
        self.add(lock);
    }

    pub(super) fn valves(&mut self) {
        for code in
            ["switch", "switch_1", "switch_2", "switch_3", "switch_4", "switch_5", "switch_6", "switch_7", "switch_8"]
        {
            let Some(power) = self.boolean(&[code]) else { continue };
            let mut valve = entity(EntityKind::Valve, power);
            valve.name = Some(names::numbered("Valve", crate::tables::split_number(code).1));
            valve.device_class = Some("water".into());
            valve.channels.push((Role::Power, channel(power, ON_OFF)));
            self.add(valve);
        }
    }
}
