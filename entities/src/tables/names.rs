//! Plain names for codes.

use super::{binary, sensors, settings, split_number};

/// Abbreviations in codes, in lower case, and what they stand for. Sorted.
const WORDS: &[(&str, &str)] = &[
    ("adj", "adjustment"),
    ("auto", "automatic"),
    ("bat", "battery"),
    ("bright", "brightness"),
    ("ch2o", "formaldehyde"),
    ("ch4", "methane"),
    ("co", "carbon monoxide"),
    ("co2", "CO2"),
    ("colour", "color"),
    ("cur", "current"),
    ("ele", "energy"),
    ("hum", "humidity"),
    ("id", "ID"),
    ("ipc", "camera"),
    ("ir", "IR"),
    ("led", "LED"),
    ("max", "maximum"),
    ("min", "minimum"),
    ("num", "number"),
    ("ph", "pH"),
    ("pir", "PIR"),
    ("pm1", "PM1"),
    ("pm10", "PM10"),
    ("pm25", "PM2.5"),
    ("pv", "PV"),
    ("temp", "temperature"),
    ("tvoc", "TVOC"),
    ("usb", "USB"),
    ("uv", "UV"),
    ("va", ""),
    ("vol", "voltage"),
];

/// Labels of faults that are abbreviations only. Sorted.
const LABELS: &[(&str, &str)] = &[
    ("co_alarm", "Carbon monoxide alarm"),
    ("ls_cr", "Undercurrent"),
    ("ls_pow", "Underpower"),
    ("ls_vol", "Undervoltage"),
    ("ov_cr", "Overcurrent"),
    ("ov_pow", "Overpower"),
    ("ov_pwr", "Overpower"),
    ("ov_temp", "Overtemperature"),
    ("ov_vol", "Overvoltage"),
];

/// Most characters of a name.
const MAX_NAME: usize = 64;

/// Returns a name for a code, with its number if it has one.
pub(crate) fn name(code: &str) -> String {
    let known = [
        sensors::find(code).map(|row| (row.code, row.name)),
        binary::find(code).map(|row| (row.code, row.name)),
        settings::find(code).map(|row| (row.code, row.name)),
    ];
    match known.into_iter().flatten().next() {
        Some((row, name)) if row == code => name.to_owned(),
        Some((_, name)) => numbered(name, split_number(code).1),
        None => {
            let (base, number) = split_number(code);
            numbered(&spelled(base), number)
        }
    }
}

/// Returns a name for a label of a bitmap.
pub(crate) fn label(label: &str) -> String {
    match LABELS.binary_search_by(|(short, _)| (*short).cmp(label)).ok().and_then(|index| LABELS.get(index)) {
        Some((_, long)) => (*long).to_owned(),
        // "E1" alone says nothing.
        None if label.chars().count() <= 2 || (label.len() <= 4 && label.bytes().any(|byte| byte.is_ascii_digit())) => {
            format!("Fault {}", label.to_uppercase())
        }
        None => spelled(label),
    }
}

/// Returns a name with a number behind it.
pub(crate) fn numbered(name: &str, number: Option<u8>) -> String {
    match number {
        Some(number) => format!("{name} {number}"),
        None => name.to_owned(),
    }
}

/// Makes words of a code: `maxtemp_set` is "Maxtemp set", `battery_min_temp` "Battery minimum temperature".
pub(crate) fn spelled(code: &str) -> String {
    let mut name = String::new();
    for word in code.split(['_', '-', ' ', '.']).filter(|word| !word.is_empty()) {
        let lower = word.to_lowercase();
        let known = WORDS.binary_search_by(|(short, _)| (*short).cmp(&lower)).ok().and_then(|index| WORDS.get(index));
        let word = known.map_or(lower.as_str(), |(_, long)| *long);
        if !word.is_empty() {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(word);
        }
    }
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(MAX_NAME).collect();
    let mut letters = name.chars();
    // "pH" keeps its small letter.
    match letters.next() {
        Some(_) if name.starts_with("pH") => name,
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "Value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(WORDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(LABELS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn codes_become_names() {
        for (code, plain) in [
            ("va_temperature", "Temperature"),
            ("switch_usb2", "USB 2"),
            ("countdown_1", "Countdown 1"),
            ("temp_current_external_2", "Outdoor temperature 2"),
            ("pm25_value", "PM2.5"),
            ("battery_min_temp", "Battery minimum temperature"),
            ("ph_offset", "pH offset"),
            ("colour_wheel", "Color wheel"),
            ("dp_101", "Dp 101"),
            ("___", "Value"),
            ("\u{7}", "Value"),
        ] {
            assert_eq!(name(code), plain, "{code}");
        }
    }
}
