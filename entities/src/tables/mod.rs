//! Facts of the vendor's standard set of codes: categories of products, and what a code means. Codes and words are the
//! vendor's, classes and units Home Assistant's; all tables are sorted by code.

pub(crate) mod binary;
pub(crate) mod categories;
pub(crate) mod customary;
pub(crate) mod names;
pub(crate) mod sensors;
pub(crate) mod settings;
pub(crate) mod units;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::schema::{DpKind, DpSpec};

/// Use of a code where the category decides, or where it is not what its type suggests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    BinarySensor,
    Button,
    Event,
    Sensor,
    Setting,
}

/// Codes whose use depends on the category: `(category, code, use)`. Sorted.
const BY_CATEGORY: &[(&str, &str, Usage)] = &[
    ("dgnbj", "bright_state", Usage::Sensor),
    ("dgnbj", "bright_value", Usage::Sensor),
    ("fs", "temp", Usage::Setting),
    ("hps", "bright_value", Usage::Sensor),
    ("hxd", "switch_usb6", Usage::Button),
    ("ldcg", "bright_state", Usage::Sensor),
    ("ldcg", "bright_value", Usage::Sensor),
    ("mc", "status", Usage::BinarySensor),
    ("mcs", "switch", Usage::BinarySensor),
    ("pir", "bright_value", Usage::Sensor),
    ("qxj", "bright_value", Usage::Sensor),
    ("sgbj", "bright_state", Usage::Setting),
    ("sjz", "level", Usage::Setting),
    ("wk", "temp", Usage::Setting),
    ("wsdcg", "bright_value", Usage::Sensor),
];

/// Codes that one press sets off, and the value that does: `true`. Sorted.
const BUTTONS: &[&str] = &[
    "device_restart",
    "factory_reset",
    "manual_clean",
    "reset_duster_cloth",
    "reset_edge_brush",
    "reset_filter",
    "reset_map",
    "reset_roll_brush",
    "seek",
];

/// Codes of events. Sorted.
const EVENTS: &[&str] = &["alarm_message", "doorbell_active", "doorbell_pic", "switch_mode"];

/// Returns a code without its number and version, and the number: `switch_2` is `switch` and 2.
pub(crate) fn split_number(code: &str) -> (&str, Option<u8>) {
    let base = code.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = code.strip_prefix(base).and_then(|digits| digits.parse().ok());
    match (base.strip_suffix("_v"), number) {
        (Some(base), Some(_)) if !base.is_empty() => (base, None),
        (_, Some(_)) if !base.trim_end_matches('_').is_empty() => (base.trim_end_matches('_'), number),
        _ => (code, None),
    }
}

/// What all tables have about one code.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CodeFacts {
    pub(crate) binary: Option<&'static binary::Binary>,
    pub(crate) sensor: Option<&'static sensors::Sensor>,
    pub(crate) setting: Option<&'static settings::Setting>,
    is_button: bool,
    is_event: bool,
    is_read_only: bool,
}

/// All tables by code. Each DP of a device asks several of them, so one search is for all.
static BY_CODE: LazyLock<HashMap<&'static str, CodeFacts>> = LazyLock::new(|| {
    let mut facts: HashMap<&'static str, CodeFacts> = HashMap::new();
    for row in binary::BINARY_SENSORS {
        facts.entry(row.code).or_default().binary = Some(row);
    }
    for row in sensors::SENSORS {
        facts.entry(row.code).or_default().sensor = Some(row);
    }
    for row in settings::SETTINGS {
        facts.entry(row.code).or_default().setting = Some(row);
    }
    for code in BUTTONS {
        facts.entry(code).or_default().is_button = true;
    }
    for code in EVENTS {
        facts.entry(code).or_default().is_event = true;
    }
    for code in READ_ONLY {
        facts.entry(code).or_default().is_read_only = true;
    }
    facts
});

/// Returns what the tables have about a code; what they lack, about the code without its number.
pub(crate) fn facts(code: &str) -> CodeFacts {
    let own = BY_CODE.get(code).copied().unwrap_or_default();
    let (base, _) = split_number(code);
    let Some(base) = (base.len() < code.len()).then(|| BY_CODE.get(base)).flatten() else { return own };
    CodeFacts {
        binary: own.binary.or(base.binary),
        sensor: own.sensor.or(base.sensor),
        setting: own.setting.or(base.setting),
        is_button: own.is_button || base.is_button,
        is_event: own.is_event || base.is_event,
        is_read_only: own.is_read_only || base.is_read_only,
    }
}

/// Returns the use of a code.
pub(crate) fn usage(category: &str, code: &str) -> Option<Usage> {
    let by_category = |code: &str| {
        let row = BY_CATEGORY.binary_search_by(|(found, key, _)| (*found, *key).cmp(&(category, code))).ok()?;
        BY_CATEGORY.get(row).map(|(_, _, usage)| *usage)
    };
    if let Some(usage) = by_category(code) {
        return Some(usage);
    }
    let facts = facts(code);
    if facts.is_button {
        Some(Usage::Button)
    } else if facts.is_event {
        Some(Usage::Event)
    } else if binary::everywhere(facts).is_some() {
        Some(Usage::BinarySensor)
    } else if sensors::everywhere(facts).is_some() {
        Some(Usage::Sensor)
    } else {
        facts.setting.map(|_| Usage::Setting)
    }
}

/// Returns whether devices only report this DP, by the standard set.
pub(crate) fn is_read_only(category: &str, spec: &DpSpec) -> bool {
    match usage(category, &spec.code) {
        Some(Usage::BinarySensor | Usage::Sensor | Usage::Event) => true,
        Some(Usage::Button | Usage::Setting) => false,
        // No device lets itself be told what is wrong with it.
        None => matches!(spec.kind, DpKind::Bitmap { .. }) || facts(&spec.code).is_read_only,
    }
}

/// Read-only codes that no other table has. Sorted.
const READ_ONLY: &[&str] = &[
    "alarm_lock",
    "anti_lock_report",
    "backup_power",
    "checking_result",
    "child_count",
    "doorbell",
    "electric_coe",
    "electricity_coe",
    "fault",
    "ir_study_code",
    "lock_motor_state",
    "lock_state",
    "open_inside",
    "path_data",
    "percent_state",
    "phase",
    "phase_a",
    "phase_b",
    "phase_c",
    "phase_s",
    "power_coe",
    "pv_current",
    "rtc_lock",
    "sub_state",
    "test_bit",
    "unlock_app",
    "unlock_ble",
    "unlock_card",
    "unlock_dynamic",
    "unlock_eye",
    "unlock_face",
    "unlock_finger_vein",
    "unlock_fingerprint",
    "unlock_hand",
    "unlock_key",
    "unlock_key_inside",
    "unlock_password",
    "unlock_request",
    "unlock_temporary",
    "voltage_coe",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(BY_CATEGORY.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1)));
        for table in [BUTTONS, EVENTS, READ_ONLY] {
            assert!(table.windows(2).all(|pair| pair[0] < pair[1]), "{table:?}");
        }
    }

    #[test]
    fn numbers_and_versions_are_split_off() {
        for (code, base, number) in [
            ("switch_2", "switch", Some(2)),
            ("switch_usb3", "switch_usb", Some(3)),
            ("switch_mode9", "switch_mode", Some(9)),
            ("bright_value_v2", "bright_value", None),
            ("switch", "switch", None),
            ("12", "12", None),
            ("_3", "_3", None),
            ("", "", None),
            ("switch_999", "switch", None),
        ] {
            let found = split_number(code);
            // A number beyond 255 is part of the code.
            let expected = if code == "switch_999" { ("switch_999", None) } else { (base, number) };
            assert_eq!(found, expected, "{code}");
        }
    }
}
