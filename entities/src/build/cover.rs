//! Curtains, blinds and garage doors.

use super::{Builder, ON_OFF, entity, named_words, plain_words};
use crate::entity::{Codec, Entity, EntityKind, Role};
use crate::schema::DpKind;
use crate::tables::categories::Part;

/// Words of commands, and what they mean. Families exclude each other: `0` is a command only beside `1` and `2`.
const FAMILIES: &[&[(&str, &str)]] = &[
    &[("open", "open"), ("close", "close"), ("stop", "stop"), ("continue", "continue")],
    &[("1", "open"), ("2", "close"), ("0", "stop")],
    &[("01", "open"), ("02", "close"), ("00", "stop"), ("03", "continue")],
    &[("fopen", "open"), ("fclose", "close")],
    &[("on", "open"), ("off", "close"), ("stop", "stop")],
    &[("up", "open"), ("down", "close"), ("stop", "stop")],
    &[("FZ", "open"), ("ZZ", "close"), ("STOP", "stop")],
];

const NUMBERS: &[&str] = &["", "_2", "_3", "_4"];

impl Builder<'_> {
    pub(super) fn covers(&mut self) {
        for number in NUMBERS {
            self.cover(number);
        }
    }

    fn cover(&mut self, number: &str) {
        let codes = [format!("control{number}"), format!("mach_operate{number}")];
        let codes = codes.each_ref().map(String::as_str);
        let position = [format!("percent_control{number}"), format!("position{number}")];
        let position = self.integer(&position.each_ref().map(String::as_str));
        let command = match self.has_part(Part::Cover) {
            true => self.first(&codes, |kind| matches!(kind, DpKind::Boolean | DpKind::Enum { .. })),
            // `control` of an infrared remote sends codes.
            false => self.first(&codes, |kind| matches!(kind, DpKind::Enum { range } if family(range).is_some())),
        };
        let Some(main) = command.or(position.map(|(spec, _)| spec)) else { return };
        let mut cover = entity(EntityKind::Cover, main);
        cover.name = Some(match number.strip_prefix('_') {
            Some(number) => format!("Curtain {number}"),
            None => "Curtain".to_owned(),
        });
        cover.device_class = Some("curtain".into());
        if let Some(spec) = command {
            let codec = match &spec.kind {
                DpKind::Enum { range } => command_words(range),
                _ => ON_OFF,
            };
            cover.with(Role::Command, spec, codec);
        }
        self.positions(&mut cover, position, number);
        if let Some((spec, range)) = self.words(&[&format!("work_state{number}")]) {
            cover.with(Role::Action, spec, plain_words(range));
        }
        if let Some((spec, range)) = self.words(&[&format!("situation_set{number}")]) {
            cover.with(Role::IsOpen, spec, plain_words(range));
        }
        if number.is_empty()
            && let Some((spec, limits)) = self.integer(&["angle_horizontal", "angle_vertical"])
        {
            cover.with(Role::Tilt, spec, Codec::Percent { spec: limits.clone(), is_inverted: false });
        }
        self.add(cover);
    }

    /// Adds the position that is asked for, and the one that is. The vendor counts how far a curtain is closed.
    fn positions(
        &self,
        cover: &mut Entity,
        target: Option<(&crate::schema::DpSpec, &crate::schema::NumberSpec)>,
        number: &str,
    ) {
        let is_inverted = self.schema.options.is_cover_inverted.unwrap_or(true);
        let codec = |limits: &crate::schema::NumberSpec| Codec::Percent { spec: limits.percent_range(), is_inverted };
        if let Some((spec, limits)) = target {
            cover.with(Role::Position, spec, codec(limits));
        }
        if let Some((spec, limits)) = self.integer(&[&format!("percent_state{number}")]) {
            cover.with(Role::CurrentPosition, spec, codec(limits));
        }
    }

    pub(super) fn garage_doors(&mut self) {
        for number in ["1", "2", "3"] {
            let Some(command) = self.boolean(&[&format!("switch_{number}")]) else { continue };
            let mut door = entity(EntityKind::Cover, command);
            door.name = Some(format!("Door {number}"));
            door.device_class = Some("garage".into());
            door.with(Role::Command, command, ON_OFF);
            let contact =
                if number == "1" { "doorcontact_state".to_owned() } else { format!("doorcontact_state_{number}") };
            if let Some(spec) = self.boolean(&[&contact, &format!("doorcontact_state_{number}")]) {
                door.with(Role::IsOpen, spec, ON_OFF);
            }
            if number == "1"
                && let Some((spec, range)) = self.words(&["door_state_1", "door_control_1"])
            {
                door.with(Role::Action, spec, plain_words(range));
            }
            self.add(door);
        }
    }
}

impl crate::schema::NumberSpec {
    /// Returns the range with 0 to 100 where the device tells none.
    pub(super) fn percent_range(&self) -> Self {
        let (min, max) = match (self.min, self.max) {
            (Some(min), Some(max)) if min < max => (min, max),
            _ => (0, 100),
        };
        Self { min: Some(min), max: Some(max), ..self.clone() }
    }
}

/// Returns the family whose words the device has.
fn family(range: &[String]) -> Option<&'static [(&'static str, &'static str)]> {
    let opens = |family: &&&[(&str, &str)]| {
        let has = |name| family.iter().any(|(raw, found)| *found == name && range.iter().any(|word| word == raw));
        has("open") && has("close")
    };
    FAMILIES.iter().find(opens).copied()
}

/// Makes the codec of a command. Where the device tells no words, the one that it reports says which it knows.
fn command_words(range: &[String]) -> Codec {
    if range.is_empty() {
        return plain_words(range);
    }
    named_words(range, family(range).unwrap_or_default())
}
