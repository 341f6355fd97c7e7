//! Codes with two meanings, on and off.

use crate::entity::Category;

/// Meaning of a binary sensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binary {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// Device class; empty for none.
    pub(crate) class: &'static str,
    /// Words that mean on, beside `true`.
    pub(crate) on: &'static [&'static str],
    pub(crate) category: Category,
}

const fn row(code: &'static str, name: &'static str, class: &'static str, on: &'static [&'static str]) -> Binary {
    Binary { code, name, class, on, category: Category::Primary }
}

const fn diagnostic(
    code: &'static str,
    name: &'static str,
    class: &'static str,
    on: &'static [&'static str],
) -> Binary {
    Binary { code, name, class, on, category: Category::Diagnostic }
}

const ALARM: &[&str] = &["alarm"];
/// Some gas, smoke and water sensors count instead.
const ALARM_OR_1: &[&str] = &["alarm", "1"];
const OPEN: &[&str] = &["open", "opened"];

/// Sorted by code.
pub(crate) const BINARY_SENSORS: &[Binary] = &[
    row("alarm_active", "Alarm", "safety", &["alarm", "active", "1"]),
    row("ch2o_state", "Formaldehyde", "safety", ALARM),
    row("ch4_sensor_state", "Methane", "gas", ALARM),
    diagnostic("charge_state", "Charging", "battery_charging", &["charging"]),
    row("closed_opened", "Door", "door", OPEN),
    row("closed_opened_kit", "Lock", "lock", &["AQAB"]),
    row("co2_state", "Carbon dioxide", "safety", ALARM),
    row("co_state", "Carbon monoxide", "carbon_monoxide", ALARM_OR_1),
    row("co_status", "Carbon monoxide", "carbon_monoxide", ALARM_OR_1),
    diagnostic("defrost", "Defrost", "", &["defrost"]),
    row("door_opened", "Door", "door", OPEN),
    row("doorcontact_state", "Door", "door", OPEN),
    row("feed_state", "Feeding", "running", &["feeding"]),
    row("gas_sensor_state", "Gas", "gas", ALARM_OR_1),
    row("gas_sensor_status", "Gas", "gas", ALARM_OR_1),
    row("hijack", "Duress", "safety", ALARM),
    diagnostic("low_battery", "Low battery", "battery", &["alarm", "low"]),
    row("master_state", "Alarm", "problem", ALARM),
    row("pir", "Motion", "motion", &["pir"]),
    row("pir_state", "Motion", "motion", &["pir"]),
    row("pm25_state", "PM2.5", "safety", ALARM),
    row("presence_state", "Occupancy", "occupancy", &["presence", "peaceful", "small_move", "large_move"]),
    row("pressure_state", "Pressure", "safety", ALARM),
    row("shock_state", "Vibration", "vibration", &["vibration"]),
    row("smoke_sensor_state", "Smoke", "smoke", ALARM_OR_1),
    row("smoke_sensor_status", "Smoke", "smoke", ALARM_OR_1),
    row("sos_state", "Emergency", "safety", ALARM),
    row("status", "Door", "door", OPEN),
    row("switch", "Door", "door", &[]),
    diagnostic("tankfull", "Tank full", "problem", &["tankfull"]),
    diagnostic("temper_alarm", "Tamper", "tamper", ALARM),
    row("valve_state", "Valve", "opening", OPEN),
    row("voc_state", "Volatile organic compounds", "safety", ALARM),
    row("watersensor_state", "Moisture", "moisture", ALARM_OR_1),
    row("window_state", "Window", "window", OPEN),
];

/// Codes of the table that mean this only in some categories.
const BY_CATEGORY_ONLY: &[&str] = &["status", "switch"];

/// Returns what a code says in every category.
pub(crate) fn find(code: &str) -> Option<&'static Binary> {
    everywhere(super::facts(code))
}

pub(super) fn everywhere(facts: super::CodeFacts) -> Option<&'static Binary> {
    facts.binary.filter(|row| !BY_CATEGORY_ONLY.contains(&row.code))
}

/// Returns what a code says where the category makes it a binary sensor.
pub(crate) fn find_any(code: &str) -> Option<&'static Binary> {
    super::facts(code).binary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(BINARY_SENSORS.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(BY_CATEGORY_ONLY.iter().all(|code| find_any(code).is_some() && find(code).is_none()));
    }
}
