//! Units in Home Assistant's spelling, the classes that take them, and spellings that mean them.

/// Device classes with a unit, and their units; `""` is a value without a unit. Sorted by class.
pub(crate) const CLASS_UNITS: &[(&str, &[&str])] = &[
    ("apparent_power", &["mVA", "VA", "kVA"]),
    ("aqi", &[""]),
    ("area", &["mm²", "cm²", "m²", "km²", "in²", "ft²", "yd²", "mi²", "ac", "ha"]),
    ("atmospheric_pressure", PRESSURE),
    ("battery", &["%"]),
    ("carbon_dioxide", &["ppm"]),
    ("carbon_monoxide", &["ppb", "ppm", "μg/m³", "mg/m³"]),
    ("conductivity", &["μS/cm", "mS/cm", "S/cm"]),
    ("current", &["μA", "mA", "A"]),
    ("distance", &["mm", "cm", "m", "km", "in", "ft", "yd", "mi", "nmi"]),
    ("duration", &["μs", "ms", "s", "min", "h", "d"]),
    ("energy", ENERGY),
    ("energy_storage", ENERGY),
    ("frequency", &["mHz", "Hz", "kHz", "MHz", "GHz"]),
    ("gas", &["L", "m³", "ft³", "CCF", "MCF"]),
    ("humidity", &["%"]),
    ("illuminance", &["lx"]),
    ("irradiance", &["W/m²", "BTU/(h⋅ft²)"]),
    ("moisture", &["%"]),
    ("ozone", &["ppb", "ppm", "μg/m³"]),
    ("ph", &[""]),
    ("pm1", &["μg/m³"]),
    ("pm10", &["μg/m³"]),
    ("pm25", &["μg/m³"]),
    ("pm4", &["μg/m³"]),
    ("power", &["mW", "W", "kW", "MW", "GW", "TW"]),
    ("power_factor", &["", "%"]),
    ("precipitation", &["mm", "cm", "in"]),
    ("precipitation_intensity", &["mm/h", "mm/d", "in/h", "in/d"]),
    ("pressure", PRESSURE),
    ("reactive_energy", &["varh", "kvarh"]),
    ("reactive_power", &["mvar", "var", "kvar"]),
    ("signal_strength", &["dB", "dBm"]),
    ("sound_pressure", &["dB", "dBA"]),
    ("speed", SPEED),
    ("temperature", &["°C", "°F", "K"]),
    ("temperature_delta", &["°C", "°F", "K"]),
    ("volatile_organic_compounds", &["μg/m³", "mg/m³"]),
    ("volatile_organic_compounds_parts", &["ppb", "ppm"]),
    ("voltage", &["μV", "mV", "V", "kV", "MV"]),
    ("volume", VOLUME),
    ("volume_flow_rate", FLOW),
    ("volume_storage", VOLUME),
    ("water", &["L", "m³", "gal", "ft³", "CCF", "MCF"]),
    ("weight", &["μg", "mg", "g", "kg", "oz", "lb", "st"]),
    ("wind_direction", &["°"]),
    ("wind_speed", &["m/s", "m/min", "km/h", "mm/s", "mph", "ft/s", "in/s", "kn", "Beaufort"]),
];

const ENERGY: &[&str] =
    &["mWh", "Wh", "kWh", "MWh", "GWh", "TWh", "J", "kJ", "MJ", "GJ", "cal", "kcal", "Mcal", "Gcal", "thm"];
const PRESSURE: &[&str] = &["mPa", "Pa", "hPa", "kPa", "mbar", "cbar", "bar", "mmHg", "inHg", "inH₂O", "psi", "atm"];
const SPEED: &[&str] =
    &["m/s", "m/min", "km/h", "mm/s", "mm/h", "mm/d", "mph", "ft/s", "in/s", "in/h", "in/d", "kn", "Beaufort"];
const VOLUME: &[&str] = &["mL", "L", "m³", "ft³", "gal", "fl. oz.", "CCF", "MCF"];
const FLOW: &[&str] =
    &["L/h", "L/min", "L/s", "mL/s", "m³/h", "m³/min", "m³/s", "ft³/min", "gal/d", "gal/h", "gal/min"];

/// Units without a class.
const OTHER: &[&str] = &["rpm", "pcs", "g/m³", "mg/dL", "mmol/L", "mg/L", "NTU", "bpm", "VAh", "Ah", "mAh", "months"];

/// Spellings of units, in lower case. Sorted.
const SPELLINGS: &[(&str, &str)] = &[
    ("% rh", "%"),
    ("%rh", "%"),
    ("a", "A"),
    ("amp", "A"),
    ("celsius", "°C"),
    ("c", "°C"),
    ("day", "d"),
    ("days", "d"),
    ("db", "dB"),
    ("dba", "dBA"),
    ("dbm", "dBm"),
    ("deg", "°"),
    ("degree", "°"),
    ("fahrenheit", "°F"),
    ("f", "°F"),
    ("hour", "h"),
    ("hours", "h"),
    ("hpa", "hPa"),
    ("hr", "h"),
    ("hz", "Hz"),
    ("kilowatt hour", "kWh"),
    ("kilowatt-hour", "kWh"),
    ("km/h", "km/h"),
    ("kmh", "km/h"),
    ("kpa", "kPa"),
    ("kph", "km/h"),
    ("kva", "kVA"),
    ("kvar", "kvar"),
    ("kvarh", "kvarh"),
    ("kv", "kV"),
    ("kw", "kW"),
    ("kw*h", "kWh"),
    ("kw-h", "kWh"),
    ("kw.h", "kWh"),
    ("kwh", "kWh"),
    ("kw·h", "kWh"),
    ("kw•h", "kWh"),
    ("kw⋅h", "kWh"),
    ("l", "L"),
    ("l/h", "L/h"),
    ("l/min", "L/min"),
    ("lpm", "L/min"),
    ("lux", "lx"),
    ("m3", "m³"),
    ("m3/h", "m³/h"),
    ("m^3", "m³"),
    ("m2", "m²"),
    ("m^2", "m²"),
    ("ma", "mA"),
    ("mg/l", "mg/L"),
    ("mg/m3", "mg/m³"),
    ("mg/m^3", "mg/m³"),
    ("mg/㎥", "mg/m³"),
    ("min", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("ml", "mL"),
    ("month", "months"),
    ("mv", "mV"),
    ("ntu", "NTU"),
    ("ph", ""),
    ("pa", "Pa"),
    ("pct", "%"),
    ("percent", "%"),
    ("percentage", "%"),
    ("ppb", "ppb"),
    ("ppm", "ppm"),
    ("psi", "psi"),
    ("r/min", "rpm"),
    ("rh%", "%"),
    ("rpm", "rpm"),
    ("sec", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("secs", "s"),
    ("ug/m3", "μg/m³"),
    ("ug/m^3", "μg/m³"),
    ("ug/m³", "μg/m³"),
    ("ug/㎥", "μg/m³"),
    ("us", "μS/cm"),
    ("us/cm", "μS/cm"),
    ("v", "V"),
    ("va", "VA"),
    ("var", "var"),
    ("w", "W"),
    ("w*h", "Wh"),
    ("w.h", "Wh"),
    ("wh", "Wh"),
    ("w·h", "Wh"),
    ("°c", "°C"),
    ("°f", "°F"),
    ("ºc", "°C"),
    ("ºf", "°F"),
    ("μa", "μA"),
    ("μg/m3", "μg/m³"),
    ("μg/m^3", "μg/m³"),
    ("μg/㎥", "μg/m³"),
    ("μs/cm", "μS/cm"),
    ("㎡", "m²"),
    ("㎥", "m³"),
    ("℃", "°C"),
    ("℉", "°F"),
    ("个", ""),
    ("份", ""),
    ("分", "min"),
    ("分钟", "min"),
    ("千瓦时", "kWh"),
    ("升", "L"),
    ("天", "d"),
    ("小时", "h"),
    ("摄氏度", "°C"),
    ("次", ""),
    ("毫秒", "ms"),
    ("秒", "s"),
    ("％", "%"),
];

/// Most characters of a unit.
const MAX_UNIT: usize = 32;

/// Returns the units of a device class; `None` for a class whose values have no unit of a fixed kind.
pub(crate) fn of_class(class: &str) -> Option<&'static [&'static str]> {
    let index = CLASS_UNITS.binary_search_by(|(found, _)| (*found).cmp(class)).ok()?;
    CLASS_UNITS.get(index).map(|(_, units)| *units)
}

/// Returns whether a value in this unit can have this class: Home Assistant rejects an entity where it cannot.
pub(crate) fn fits(class: &str, unit: &str) -> bool {
    of_class(class).is_none_or(|units| units.contains(&unit))
}

fn is_known(unit: &str) -> bool {
    OTHER.contains(&unit) || CLASS_UNITS.iter().any(|(_, units)| units.contains(&unit))
}

/// Returns a unit in Home Assistant's spelling. An unknown one stays as it is, without blanks around it.
pub(crate) fn repair(unit: &str) -> String {
    let unit = unit.trim();
    if unit.is_empty() || unit.chars().count() > MAX_UNIT || unit.chars().any(char::is_control) {
        return String::new();
    }
    // One of two signs that look alike: the micro sign is not the letter.
    let unit = unmangled(&unit.replace('\u{b5}', "\u{3bc}"));
    if is_known(&unit) {
        return unit;
    }
    let lower = unit.to_lowercase();
    match SPELLINGS.iter().find(|(spelling, _)| *spelling == lower) {
        Some((_, known)) => (*known).to_owned(),
        None => unit,
    }
}

/// Undoes what tinytuya's wizard does to units: it writes `°C` for every `c` and `°F` for every `f`, so that "pcs"
/// becomes "p°Cs".
fn unmangled(unit: &str) -> String {
    let is_temperature = ["°C", "°F"].iter().any(|degree| unit == *degree || unit.starts_with(&format!("{degree}/")));
    if is_temperature { unit.to_owned() } else { unit.replace("°C", "c").replace("°F", "f") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_unique() {
        assert!(CLASS_UNITS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (spelling, unit) in SPELLINGS {
            assert_eq!(*spelling, spelling.to_lowercase());
            assert!(unit.is_empty() || is_known(unit), "{unit}");
            assert_eq!(SPELLINGS.iter().filter(|(other, _)| other == spelling).count(), 1, "{spelling}");
        }
    }

    #[test]
    fn spellings_become_the_unit() {
        for (spelled, unit) in [
            ("℃", "°C"),
            ("c", "°C"),
            ("C", "°C"),
            ("celsius", "°C"),
            ("℉", "°F"),
            ("f", "°F"),
            ("kW·h", "kWh"),
            ("kW.h", "kWh"),
            ("KWH", "kWh"),
            ("kilowatt-hour", "kWh"),
            ("pct", "%"),
            ("% RH", "%"),
            ("ug/m3", "μg/m³"),
            ("\u{b5}g/m³", "μg/m³"),
            ("ug/m³", "μg/m³"),
            ("ma", "mA"),
            ("a", "A"),
            ("lux", "lx"),
            ("us", "μS/cm"),
            ("μS/°Cm", "μS/cm"),
            ("°Cm", "cm"),
            ("p°Cs", "pcs"),
            ("°Ft", "ft"),
            ("se°C", "s"),
            ("p°Ct", "%"),
            ("per°Cent", "%"),
            ("°C", "°C"),
            ("°C/min", "°C/min"),
            ("分钟", "min"),
            ("秒", "s"),
            ("个", ""),
            ("次", ""),
            ("mW", "mW"),
            ("MW", "MW"),
            ("mWh", "mWh"),
            (" W ", "W"),
            ("mv", "mV"),
            ("㎡", "m²"),
            ("pH", ""),
            ("furlong", "furlong"),
            ("a\nb", ""),
        ] {
            assert_eq!(repair(spelled), unit, "{spelled}");
            assert_eq!(repair(unit), unit);
        }
        assert_eq!(repair(&"x".repeat(33)), "");
    }

    #[test]
    fn classes_take_their_units() {
        assert!(fits("temperature", "°F"));
        assert!(!fits("temperature", ""));
        assert!(fits("power_factor", ""));
        assert!(!fits("battery", "V"));
        assert!(fits("enum", ""));
    }
}
