//! Packed measurements: one sensor for each part.

use super::{Builder, channel};
use crate::entity::{Category, Codec, Entity, EntityKind, Role, StateClass};
use crate::schema::{Access, DpKind, DpSpec};

/// Parts of a phase: `(name, device class, unit)`. Every device measures the first three.
const PARTS: &[(&str, &str, &str)] = &[
    ("voltage", "voltage", "V"),
    ("current", "current", "A"),
    ("power", "power", "W"),
    ("reactive_power", "reactive_power", "var"),
    ("apparent_power", "apparent_power", "VA"),
    ("power_factor", "power_factor", ""),
];

const ALWAYS: usize = 3;

impl Builder<'_> {
    pub(super) fn phases(&mut self) {
        let phases: Vec<&DpSpec> = self.by_code.iter().copied().filter(|spec| is_phase(spec)).collect();
        for spec in phases {
            let name = spec.name.clone().unwrap_or_else(|| phase_name(&spec.code));
            for (index, (part, class, unit)) in PARTS.iter().enumerate() {
                let mut sensor = Entity::new(format!("{}_{part}", spec.code), EntityKind::Sensor, spec.code.clone());
                sensor.name = Some(format!("{name} {}", part.replace('_', " ")));
                sensor.device_class = Some((*class).into());
                sensor.state_class = Some(StateClass::Measurement);
                sensor.unit = (*unit).to_owned();
                sensor.category = Category::Primary;
                sensor.is_enabled = index < ALWAYS;
                let mut channel = channel(spec, Codec::Phase { part: Some((*part).into()) });
                channel.access = Access::ReadOnly;
                sensor.channels.push((Role::Value, channel));
                // The user's class and unit are for a value, not for its parts.
                if let Some(is_enabled) = spec.options.is_enabled {
                    sensor.is_enabled = is_enabled;
                }
                self.claimed.insert(spec.dp);
                self.entities.push(sensor);
            }
        }
    }
}

fn is_phase(spec: &DpSpec) -> bool {
    let is_packed = matches!(spec.kind, DpKind::Raw { .. } | DpKind::Json { .. } | DpKind::String { .. });
    let part = spec.code.strip_prefix("phase_").unwrap_or_default();
    let is_numbered = part.strip_prefix('s').is_some_and(|number| number.parse::<u8>().is_ok());
    is_packed && (matches!(part, "a" | "b" | "c") || is_numbered)
}

fn phase_name(code: &str) -> String {
    let part = code.strip_prefix("phase_").unwrap_or_default();
    match part.strip_prefix('s') {
        Some(number) => format!("Meter {number}"),
        None => format!("Phase {}", part.to_ascii_uppercase()),
    }
}
