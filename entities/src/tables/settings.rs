//! Codes that are set: switches, numbers, choices.

use crate::entity::Category;

/// Meaning of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    /// Device class of a number; empty for none.
    pub(crate) class: &'static str,
    /// Unit of devices that tell none.
    pub(crate) unit: &'static str,
    pub(crate) category: Category,
}

const fn primary(code: &'static str, name: &'static str) -> Setting {
    Setting { code, name, class: "", unit: "", category: Category::Primary }
}

const fn config(code: &'static str, name: &'static str) -> Setting {
    Setting { code, name, class: "", unit: "", category: Category::Config }
}

const fn number(setting: Setting, class: &'static str, unit: &'static str) -> Setting {
    Setting { class, unit, ..setting }
}

/// Sorted by code.
pub(crate) const SETTINGS: &[Setting] = &[
    config("alarm_bright", "Alarm brightness"),
    number(config("alarm_delay_time", "Alarm delay"), "duration", "s"),
    config("alarm_ringtone", "Ringtone"),
    config("alarm_set_1", "Alarm 1 action"),
    config("alarm_set_2", "Alarm 2 action"),
    config("alarm_state", "Siren mode"),
    primary("alarm_switch", "Siren"),
    number(config("alarm_time", "Alarm duration"), "duration", ""),
    config("alarm_volume", "Volume"),
    config("anion", "Ionizer"),
    number(config("arm_down_percent", "Arm down"), "", "%"),
    number(config("arm_up_percent", "Arm up"), "", "%"),
    config("auto_clean", "Automatic cleaning"),
    config("backlight", "Backlight"),
    config("backlight_switch", "Backlight"),
    number(config("backup_reserve", "Battery reserve"), "", "%"),
    config("basic_anti_flicker", "Anti-flicker"),
    config("basic_device_volume", "Volume"),
    config("basic_flip", "Flip"),
    config("basic_indicator", "Indicator"),
    config("basic_nightvision", "Night vision"),
    config("basic_osd", "Time watermark"),
    config("basic_private", "Privacy"),
    config("basic_wdr", "Wide dynamic range"),
    config("border", "Limits"),
    primary("bright_controller", "Brightness"),
    config("bright_state", "Brightness"),
    primary("bright_value", "Brightness"),
    config("brightness_max", "Maximum brightness"),
    config("brightness_min", "Minimum brightness"),
    config("c_f", "Temperature unit"),
    number(primary("charge_cur_set", "Charging current"), "current", "A"),
    config("child_lock", "Child lock"),
    config("cistern", "Water flow"),
    number(config("click_sustain_time", "Press time"), "duration", "s"),
    config("cloud_recipe_number", "Recipe"),
    config("collection_mode", "Dust collection"),
    config("concentration_set", "Concentration"),
    primary("control", "Control"),
    config("control_back", "Reverse"),
    config("control_back_mode", "Motor direction"),
    number(primary("cook_temperature", "Cooking temperature"), "temperature", ""),
    number(primary("cook_time", "Cooking time"), "duration", "min"),
    number(config("countdown", "Countdown"), "duration", ""),
    number(config("countdown_alarm", "Open alarm delay"), "duration", "s"),
    config("countdown_set", "Countdown"),
    config("cry_detection_switch", "Cry detection"),
    primary("cup_number", "Cups"),
    config("cur_calibration", "Calibration"),
    config("cycle_time", "Cycle timer"),
    config("decibel_sensitivity", "Sound sensitivity"),
    config("decibel_switch", "Sound detection"),
    config("dehumidify_set_enum", "Target humidity"),
    number(primary("dehumidify_set_value", "Target humidity"), "humidity", "%"),
    number(config("delay_clean_time", "Cleaning delay"), "duration", ""),
    number(config("delay_set", "Arming delay"), "duration", "s"),
    number(config("delay_time", "Delay"), "duration", "ms"),
    primary("disinfection", "Disinfection"),
    config("do_not_disturb", "Do not disturb"),
    config("eco", "Eco"),
    config("energy_reset", "Reset of the energy"),
    number(config("fade_off", "Fade-out time"), "duration", "s"),
    number(config("fade_on", "Fade-in time"), "duration", "s"),
    config("fan_beep", "Beep"),
    config("fan_cool", "Natural wind"),
    primary("fan_direction", "Fan direction"),
    config("fan_horizontal", "Horizontal angle"),
    primary("fan_mode", "Fan mode"),
    primary("fan_speed", "Fan speed"),
    primary("fan_speed_enum", "Fan speed"),
    config("fan_vertical", "Vertical angle"),
    number(config("far_detection", "Farthest detection"), "distance", ""),
    config("fault_reset", "Reset of the fault"),
    config("feedin_power_limit_enable", "Feed-in limit"),
    config("filter_reset", "Filter reset"),
    primary("floodlight_lightness", "Brightness"),
    primary("floodlight_switch", "Floodlight"),
    config("frost", "Frost protection"),
    config("hum_alarm", "Humidity alarm"),
    number(config("hum_periodic_report", "Humidity report interval"), "duration", "min"),
    number(config("hum_sensitivity", "Humidity sensitivity"), "humidity", "%"),
    config("humidifier", "Humidification"),
    number(primary("humidity_set", "Target humidity"), "humidity", "%"),
    number(config("installation_height", "Installation height"), "distance", ""),
    config("ipc_auto_siren", "Automatic siren"),
    config("ipc_bright", "Image brightness"),
    config("ipc_contrast", "Contrast"),
    config("ipc_sharp", "Sharpness"),
    config("ipc_work_mode", "Camera mode"),
    config("led_type", "Lamp type"),
    primary("level", "Level"),
    primary("light", "Light"),
    config("light_mode", "Indicator mode"),
    number(config("liquid_depth_max", "Maximum depth"), "distance", ""),
    config("lock", "Child lock"),
    number(config("lower_temp", "Lower temperature limit"), "temperature", "°C"),
    number(config("lower_temp_f", "Lower temperature limit"), "temperature", "°F"),
    primary("manual_feed", "Feed"),
    primary("master_mode", "Mode"),
    config("material", "Material"),
    number(config("max_set", "Upper alarm limit"), "", "%"),
    number(config("maxhum_set", "Upper humidity alarm"), "humidity", "%"),
    number(config("maxtemp_set", "Upper temperature alarm"), "temperature", "°C"),
    number(config("mini_set", "Lower alarm limit"), "", "%"),
    number(config("minihum_set", "Lower humidity alarm"), "humidity", "%"),
    number(config("minitemp_set", "Lower temperature alarm"), "temperature", "°C"),
    primary("mode", "Mode"),
    config("moodlighting", "Mood light"),
    config("motion_area_switch", "Detection zone"),
    config("motion_record", "Motion recording"),
    config("motion_sensitivity", "Motion sensitivity"),
    config("motion_switch", "Motion alarm"),
    config("motion_tracking", "Motion tracking"),
    config("muffling", "Mute"),
    number(config("near_detection", "Nearest detection"), "distance", ""),
    config("opposite", "Reverse"),
    number(config("output_power_limit", "Output limit"), "power", "W"),
    config("oxygen", "Oxygen bar"),
    primary("pause", "Pause"),
    number(primary("percent_control", "Position"), "", "%"),
    number(config("pir_delay", "Motion hold time"), "duration", "s"),
    config("pir_sensitivity", "Motion sensitivity"),
    config("pir_time", "Motion hold time"),
    number(primary("position", "Position"), "", "%"),
    config("powder_set", "Powder"),
    primary("power", "Power"),
    primary("power_go", "Power"),
    config("power_memory", "Power-on state"),
    primary("power_switch", "Power"),
    primary("preheat", "Preheat"),
    primary("pump", "Pump"),
    config("pump_reset", "Pump reset"),
    config("random_time", "Random timer"),
    config("record_mode", "Recording mode"),
    config("record_switch", "Recording"),
    config("relay_status", "Power-on state"),
    config("sensitivity", "Sensitivity"),
    primary("shake", "Swing"),
    primary("siren_switch", "Siren"),
    config("situation_set", "Situation"),
    config("sleep", "Sleep"),
    config("slow_feed", "Slow feeding"),
    config("snooze", "Snooze"),
    primary("speed_set", "Speed"),
    config("spray_mode", "Spray mode"),
    number(config("standby_time", "Standby time"), "duration", "min"),
    primary("start", "Start"),
    config("sterilization", "Sterilization"),
    primary("suction", "Suction"),
    primary("swing", "Swing"),
    primary("switch", "Switch"),
    config("switch_alarm_call", "Alarm call"),
    config("switch_alarm_light", "Alarm light"),
    config("switch_alarm_propel", "Alarm notifications"),
    config("switch_alarm_sms", "Alarm message"),
    config("switch_alarm_sound", "Alarm sound"),
    config("switch_backlight", "Backlight"),
    primary("switch_charge", "Return to dock"),
    primary("switch_controller", "Light"),
    config("switch_disturb", "Do not disturb"),
    primary("switch_fan", "Fan"),
    primary("switch_horizontal", "Horizontal swing"),
    config("switch_inching", "Inching"),
    config("switch_kb_light", "Keypad light"),
    config("switch_kb_sound", "Keypad sound"),
    primary("switch_led", "Light"),
    config("switch_low_battery", "Low battery alarm"),
    config("switch_mode_sound", "Mode sound"),
    config("switch_music", "Music"),
    primary("switch_night_light", "Night light"),
    config("switch_overcharge", "Overcharge protection"),
    config("switch_pir", "Motion detection"),
    config("switch_prepayment", "Prepayment"),
    config("switch_save_energy", "Energy saving"),
    config("switch_sound", "Sound"),
    primary("switch_spray", "Spray"),
    config("switch_type", "Switch type"),
    primary("switch_usb", "USB"),
    primary("switch_vertical", "Vertical swing"),
    config("switch_voice", "Voice"),
    number(primary("target_dis_closest", "Target distance"), "distance", ""),
    config("temp_alarm", "Temperature alarm"),
    number(config("temp_boiling_c", "Temperature after boiling"), "temperature", "°C"),
    number(config("temp_boiling_f", "Temperature after boiling"), "temperature", "°F"),
    config("temp_correction", "Temperature correction"),
    number(config("temp_periodic_report", "Temperature report interval"), "duration", "min"),
    config("temp_sensitivity", "Temperature sensitivity"),
    number(primary("temp_set", "Target temperature"), "temperature", ""),
    number(primary("temp_set_f", "Target temperature in °F"), "temperature", "°F"),
    config("temp_setting_quick_c", "Quick temperature"),
    config("temp_unit_convert", "Temperature unit"),
    primary("temp_value", "Color temperature"),
    number(config("tr_timecon", "Run time"), "duration", "s"),
    primary("up_down", "Desk movement"),
    number(config("upper_temp", "Upper temperature limit"), "temperature", "°C"),
    number(config("upper_temp_f", "Upper temperature limit"), "temperature", "°F"),
    config("uv", "UV sterilization"),
    config("voice_switch", "Voice"),
    config("voice_times", "Voice repetitions"),
    config("volume_set", "Volume"),
    config("warm", "Keep warm"),
    number(config("warm_time", "Keep-warm time"), "duration", ""),
    number(config("warn_power", "Power warning"), "power", "W"),
    primary("water", "Water"),
    config("water_reset", "Water reset"),
    config("water_set", "Water"),
    config("weather_delay", "Weather delay"),
    config("wet", "Humidification"),
    config("window_check", "Open window detection"),
    primary("windspeed", "Fan speed"),
    config("wireless_batterylock", "Battery lock"),
    primary("work_mode", "Mode"),
    config("work_type", "Mode"),
];

/// Settings that are what one category is for, or are not: `(category, code, part)`. Sorted.
const BY_CATEGORY: &[(&str, &str, Category)] = &[
    ("bh", "temp_set", Category::Config),
    ("bh", "temp_set_f", Category::Config),
    ("cl", "mode", Category::Config),
    ("cwjwq", "work_mode", Category::Config),
    ("hxd", "switch_2", Category::Config),
    ("hxd", "switch_3", Category::Config),
    ("hxd", "switch_4", Category::Config),
    ("hxd", "switch_5", Category::Config),
    ("jsq", "level", Category::Config),
    ("kfj", "temp_set", Category::Config),
    ("ks", "anion", Category::Primary),
    ("sjz", "level", Category::Config),
    ("szjqr", "mode", Category::Config),
    ("xnyjcn", "work_mode", Category::Config),
];

/// Returns what a code sets.
pub(crate) fn find(code: &str) -> Option<&'static Setting> {
    super::facts(code).setting
}

/// Returns the part of a setting in the daily use of a device.
pub(crate) fn category(category: &str, setting: &Setting, code: &str) -> Category {
    match BY_CATEGORY.binary_search_by(|(found, key, _)| (*found, *key).cmp(&(category, code))) {
        Ok(index) => BY_CATEGORY.get(index).map_or(setting.category, |(_, _, part)| *part),
        Err(_) => setting.category,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::units;

    #[test]
    fn the_table_is_sorted_and_unique() {
        assert!(SETTINGS.windows(2).all(|pair| pair[0].code < pair[1].code));
        assert!(BY_CATEGORY.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1)));
    }

    #[test]
    fn assumed_units_fit_their_class() {
        assert!(SETTINGS.iter().all(|row| row.unit.is_empty() || units::fits(row.class, row.unit)));
    }
}
