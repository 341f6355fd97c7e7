//! Codes that report a value.

use crate::entity::{Category, StateClass};

/// Meaning of a sensor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sensor {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// Device class; empty for none.
    pub(crate) class: &'static str,
    pub(crate) state_class: Option<StateClass>,
    /// Unit of devices that tell none.
    pub(crate) unit: &'static str,
    pub(crate) category: Category,
}

const fn now(code: &'static str, name: &'static str, class: &'static str, unit: &'static str) -> Sensor {
    Sensor { code, name, class, state_class: Some(StateClass::Measurement), unit, category: Category::Primary }
}

const fn sum(code: &'static str, name: &'static str, class: &'static str, unit: &'static str) -> Sensor {
    Sensor { code, name, class, state_class: Some(StateClass::TotalIncreasing), unit, category: Category::Primary }
}

const fn increment(code: &'static str, name: &'static str, class: &'static str, unit: &'static str) -> Sensor {
    Sensor { code, name, class, state_class: Some(StateClass::Increment), unit, category: Category::Primary }
}

/// A value that says nothing over time: a word, the duration of the last run.
const fn state(code: &'static str, name: &'static str, class: &'static str, unit: &'static str) -> Sensor {
    Sensor { code, name, class, state_class: None, unit, category: Category::Primary }
}

const fn diagnostic(sensor: Sensor) -> Sensor {
    Sensor { category: Category::Diagnostic, ..sensor }
}

/// Sorted by code.
pub(crate) const SENSORS: &[Sensor] = &[
    increment("add_ele", "Energy", "energy", "kWh"),
    state("air_quality", "Air quality", "", ""),
    state("air_quality_index", "Air quality index", "", ""),
    sum("all_energy", "Total energy", "energy", "kWh"),
    now("atmospheric_pressture", "Air pressure", "atmospheric_pressure", "hPa"),
    state("balance_energy", "Energy balance", "energy", "kWh"),
    diagnostic(now("battery", "Battery", "battery", "%")),
    diagnostic(now("battery_percentage", "Battery", "battery", "%")),
    now("battery_power", "Battery power", "power", "W"),
    diagnostic(state("battery_state", "Battery level", "", "")),
    diagnostic(now("battery_value", "Battery voltage", "voltage", "")),
    state("bright_state", "Brightness", "", ""),
    now("bright_value", "Illuminance", "illuminance", "lx"),
    now("cat_weight", "Cat weight", "weight", ""),
    now("ch2o_value", "Formaldehyde", "volatile_organic_compounds", ""),
    now("ch4_sensor_value", "Methane", "", ""),
    sum("charge_energy_once", "Energy of the charge", "energy", "kWh"),
    now("clean_area", "Cleaned area", "area", "m²"),
    now("clean_time", "Cleaning time", "duration", "min"),
    now("co2_value", "Carbon dioxide", "carbon_dioxide", "ppm"),
    now("co_value", "Carbon monoxide", "carbon_monoxide", "ppm"),
    now("compressor_strength", "Compressor strength", "", ""),
    state("countdown_left", "Remaining time", "duration", ""),
    sum("cuml_e_export_offgrid", "Exported energy", "energy", "kWh"),
    sum("cumulative_energy_charged", "Charged energy", "energy", "kWh"),
    sum("cumulative_energy_discharged", "Discharged energy", "energy", "kWh"),
    sum("cumulative_energy_generated_pv", "Generated energy", "energy", "kWh"),
    sum("cumulative_energy_output_inv", "Inverter energy", "energy", "kWh"),
    now("cur_current", "Current", "current", "mA"),
    now("cur_neutral", "Neutral current", "current", ""),
    now("cur_power", "Power", "power", "W"),
    now("cur_voltage", "Voltage", "voltage", "V"),
    diagnostic(now("current_soc", "Battery", "battery", "%")),
    now("current_yd", "Current", "current", "A"),
    state("device_state", "State", "", ""),
    now("dew_point_temp", "Dew point", "temperature", "°C"),
    diagnostic(now("duster_cloth", "Duster cloth", "", "")),
    now("ec_current", "Conductivity", "conductivity", ""),
    now("eco2", "Carbon dioxide", "carbon_dioxide", "ppm"),
    diagnostic(now("edge_brush", "Edge brush", "", "")),
    diagnostic(now("electricity_left", "Battery", "battery", "%")),
    now("excretion_time_day", "Time in use today", "duration", "s"),
    now("excretion_times_day", "Uses today", "", ""),
    now("ext_temp", "Probe temperature", "temperature", "°C"),
    now("feed_report", "Last portion", "", ""),
    now("feellike_temp", "Apparent temperature", "temperature", "°C"),
    diagnostic(now("filter", "Filter", "", "")),
    diagnostic(now("filter_life", "Filter life", "", "")),
    sum("forward_energy_total", "Energy", "energy", "kWh"),
    now("gas_sensor_value", "Gas", "", ""),
    now("heat_index", "Heat index", "temperature", "°C"),
    now("humidity", "Humidity", "humidity", "%"),
    now("humidity_current", "Humidity", "humidity", "%"),
    now("humidity_indoor", "Humidity", "humidity", "%"),
    now("humidity_outdoor", "Outdoor humidity", "humidity", "%"),
    now("humidity_value", "Humidity", "humidity", "%"),
    now("illuminance_value", "Illuminance", "illuminance", "lx"),
    now("inverter_output_power", "Inverter power", "power", "W"),
    now("leakage_current", "Leakage current", "current", "mA"),
    diagnostic(state("level_current", "Water level", "", "")),
    now("liquid_depth", "Liquid depth", "distance", ""),
    now("liquid_level_percent", "Liquid level", "", "%"),
    state("liquid_state", "Liquid state", "", ""),
    now("moisture", "Moisture", "moisture", "%"),
    diagnostic(state("net_state", "Network", "", "")),
    diagnostic(sum("odometer", "Usage", "", "")),
    now("orp_current", "Redox potential", "voltage", "mV"),
    now("ph_current", "pH", "ph", ""),
    now("pm1", "PM1", "pm1", "μg/m³"),
    now("pm10", "PM10", "pm10", "μg/m³"),
    now("pm10_value", "PM10", "pm10", "μg/m³"),
    now("pm1_value", "PM1", "pm1", "μg/m³"),
    now("pm25", "PM2.5", "pm25", "μg/m³"),
    now("pm25_value", "PM2.5", "pm25", "μg/m³"),
    now("power_a", "Power A", "power", "W"),
    now("power_b", "Power B", "power", "W"),
    sum("power_consumption", "Energy", "energy", "kWh"),
    now("power_factor", "Power factor", "power_factor", ""),
    now("power_total", "Total power", "power", "W"),
    state("pressure_drop", "Pressure change", "", "hPa"),
    now("pressure_value", "Pressure", "pressure", ""),
    increment("pro_add_ele", "Returned energy", "energy", "kWh"),
    diagnostic(now("pump_time", "Pump time", "duration", "")),
    now("pv_power_channel", "Solar power", "power", "W"),
    now("pv_power_total", "Solar power", "power", "W"),
    now("pv_voltage", "Solar voltage", "voltage", "V"),
    sum("rain_24h", "Rain in 24 hours", "precipitation", "mm"),
    now("rain_rate", "Rain rate", "precipitation_intensity", "mm/h"),
    state("remain_time", "Remaining time", "duration", "min"),
    diagnostic(now("residual_electricity", "Battery", "battery", "%")),
    sum("reverse_energy_total", "Returned energy", "energy", "kWh"),
    diagnostic(now("roll_brush", "Main brush", "", "")),
    now("salinity_current", "Salinity", "", ""),
    now("sensor_humidity", "Humidity", "humidity", "%"),
    now("sensor_temperature", "Temperature", "temperature", "°C"),
    diagnostic(now("smoke_sensor_value", "Smoke", "", "")),
    diagnostic(now("soc", "Battery", "battery", "%")),
    now("speed_current", "Speed", "", ""),
    state("status", "Status", "", ""),
    diagnostic(now("supply_frequency", "Frequency", "frequency", "Hz")),
    now("tds_in", "Dissolved solids", "", ""),
    now("temp", "Temperature", "temperature", "°C"),
    now("temp_around", "Ambient temperature", "temperature", "°C"),
    now("temp_coiler", "Coil temperature", "temperature", "°C"),
    now("temp_current", "Temperature", "temperature", "°C"),
    now("temp_current_external", "Outdoor temperature", "temperature", "°C"),
    now("temp_current_external_f", "Outdoor temperature", "temperature", "°F"),
    now("temp_current_f", "Temperature in °F", "temperature", "°F"),
    now("temp_effluent", "Outlet temperature", "temperature", "°C"),
    now("temp_indoor", "Temperature", "temperature", "°C"),
    now("temp_venting", "Exhaust temperature", "temperature", "°C"),
    diagnostic(state("time_total", "Duration of the last run", "duration", "")),
    diagnostic(sum("time_use", "Total watering time", "duration", "")),
    sum("today_acc_energy", "Energy today", "energy", "kWh"),
    diagnostic(sum("total_clean_area", "Total cleaned area", "area", "m²")),
    diagnostic(sum("total_clean_count", "Total cleanings", "", "")),
    diagnostic(sum("total_clean_time", "Total cleaning time", "duration", "")),
    sum("total_energy", "Total energy", "energy", "kWh"),
    sum("total_forward_energy", "Energy", "energy", "kWh"),
    diagnostic(sum("total_pm", "Absorbed particles", "", "")),
    now("total_power", "Total power", "power", "W"),
    sum("total_reverse_energy", "Returned energy", "energy", "kWh"),
    diagnostic(sum("total_time", "Total operating time", "duration", "")),
    now("turbidity_current", "Turbidity", "", ""),
    now("tvoc", "Volatile organic compounds", "volatile_organic_compounds", ""),
    diagnostic(state("use_time_one", "Last watering time", "duration", "")),
    now("uv_index", "UV index", "", ""),
    diagnostic(now("uv_runtime", "UV run time", "duration", "")),
    diagnostic(now("va_battery", "Battery", "battery", "%")),
    now("va_humidity", "Humidity", "humidity", "%"),
    now("va_temperature", "Temperature", "temperature", "°C"),
    now("voc_value", "Volatile organic compounds", "volatile_organic_compounds", ""),
    now("voltage_a", "Voltage A", "voltage", "V"),
    now("voltage_yd", "Voltage", "voltage", "V"),
    state("water_level", "Water level", "", ""),
    sum("water_once", "Last watering", "water", "L"),
    now("water_temp", "Water temperature", "temperature", "°C"),
    diagnostic(now("water_time", "Water time", "duration", "")),
    sum("water_total", "Total water", "water", "L"),
    state("wind_direct", "Wind direction", "", ""),
    now("windchill_index", "Wind chill", "temperature", "°C"),
    now("windspeed_avg", "Wind speed", "wind_speed", ""),
    now("windspeed_gust", "Gust speed", "wind_speed", ""),
    diagnostic(now("wireless_electricity", "Battery", "battery", "%")),
    now("work_power", "Power", "power", "W"),
    state("work_state", "State", "", ""),
    state("work_state_e", "State", "", ""),
];

/// Returns what a code reports.
pub(crate) fn find(code: &str) -> Option<&'static Sensor> {
    everywhere(super::facts(code))
}

pub(super) fn everywhere(facts: super::CodeFacts) -> Option<&'static Sensor> {
    facts.sensor.filter(|row| row.code != "bright_value" && row.code != "bright_state")
}

/// Returns what a code reports where the category makes it a sensor.
pub(crate) fn find_any(code: &str) -> Option<&'static Sensor> {
    super::facts(code).sensor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::units;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(SENSORS.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn assumed_units_fit_their_class() {
        for sensor in SENSORS {
            assert!(sensor.unit.is_empty() || units::fits(sensor.class, sensor.unit), "{}", sensor.code);
            assert!(units::of_class(sensor.class).is_some() || sensor.class.is_empty(), "{}", sensor.code);
        }
    }
}
