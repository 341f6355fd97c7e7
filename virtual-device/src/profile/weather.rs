//! Sensors of climate, air, light, soil and water.

use super::point::{Point, boolean, celsius, choice, integer, percent};
use super::template::{HOUR, MINUTE, SECOND, Template};
use crate::behavior::Part;
use crate::datum::Datum;

const fn battery(dp: u16, first: i64) -> Point {
    percent(dp, "battery_percentage", first).measured()
}
const fn drain(dp: u16) -> Part {
    Part::Battery { dp, every: 6 * HOUR }
}
const fn drift(dp: u16, low: i64, high: i64, step: i64) -> Part {
    Part::Drift { dp, low, high, step, every: MINUTE }
}

pub(super) const ROOM: Template = Template {
    name: "temperature-humidity",
    title: "Bedroom climate",
    product: "temperature and humidity sensor",
    category: "wsdcg",
    model: "V-TH-1",
    points: &[
        celsius(1, "va_temperature", (-200, 600), 213).measured(),
        percent(2, "va_humidity", 47).measured(),
        choice(3, "battery_state", &["high", "middle", "low"]).measured(),
        battery(4, 83),
        choice(9, "temp_unit_convert", &["c", "f"]),
        celsius(10, "maxtemp_set", (-200, 600), 390),
        celsius(11, "minitemp_set", (-200, 600), 0),
    ],
    parts: &[
        drift(1, 180, 260, 2),
        drift(2, 35, 65, 1),
        drain(4),
        Part::Bands {
            of: 4,
            word: 3,
            bands: &[(20, Datum::Text("low")), (60, Datum::Text("middle")), (100, Datum::Text("high"))],
        },
    ],
    children: &[],
};

pub(super) const ALL: &[Template] = &[
    ROOM,
    Template {
        name: "air-quality",
        title: "Air monitor",
        product: "air quality monitor",
        category: "hjjcy",
        model: "V-AIR-6",
        points: &[
            choice(1, "air_quality_index", &["level_1", "level_2", "level_3", "level_4"]).measured(),
            celsius(18, "temp_current", (-200, 600), 221).measured(),
            percent(19, "humidity_value", 49).measured(),
            integer(2, "co2_value", (0, 5000), 620).unit("ppm").measured(),
            integer(20, "pm25_value", (0, 999), 12).unit("ug/m3").measured(),
            integer(21, "voc_value", (0, 999), 120).unit("mg/m3").scale(3).measured(),
            integer(22, "ch2o_value", (0, 999), 20).unit("mg/m3").scale(3).measured(),
            integer(101, "pm10", (0, 999), 18).unit("ug/m3").measured(),
            battery(23, 95),
        ],
        parts: &[
            drift(18, 190, 250, 2),
            drift(19, 40, 60, 1),
            drift(2, 420, 1600, 40),
            drift(20, 2, 60, 3),
            drift(21, 20, 400, 15),
            drift(22, 5, 90, 3),
            drift(101, 4, 80, 4),
            Part::Bands {
                of: 2,
                word: 1,
                bands: &[
                    (800, Datum::Text("level_1")),
                    (1200, Datum::Text("level_2")),
                    (2000, Datum::Text("level_3")),
                    (i64::MAX, Datum::Text("level_4")),
                ],
            },
            drain(23),
        ],
        children: &[],
    },
    Template {
        name: "co2-sensor",
        title: "Classroom CO2",
        product: "carbon dioxide detector with a siren",
        category: "co2bj",
        model: "V-CO2-1",
        points: &[
            choice(1, "co2_state", &["normal", "alarm"]).measured(),
            integer(2, "co2_value", (0, 10_000), 700).unit("ppm").measured(),
            choice(5, "alarm_volume", &["low", "middle", "high", "mute"]),
            integer(6, "alarm_time", (1, 60), 10).unit("s"),
            boolean(13, "alarm_switch", false),
            battery(15, 77),
            celsius(18, "temp_current", (-200, 600), 219).measured(),
            percent(19, "humidity_value", 44).measured(),
        ],
        parts: &[
            drift(2, 450, 1500, 60),
            drift(18, 190, 250, 2),
            drift(19, 35, 60, 1),
            Part::Bands { of: 2, word: 1, bands: &[(1400, Datum::Text("normal")), (i64::MAX, Datum::Text("alarm"))] },
            Part::Timer { switch: 13, time: 6, unit: SECOND },
            drain(15),
        ],
        children: &[],
    },
    Template {
        name: "weather-station",
        title: "Garden weather",
        product: "weather station",
        category: "qxj",
        model: "V-WEATHER-7",
        points: &[
            celsius(1, "temp_current", (-400, 600), 218).measured(),
            percent(2, "humidity_value", 45).measured(),
            celsius(38, "temp_current_external", (-400, 600), 124).measured(),
            percent(39, "humidity_outdoor", 71).measured(),
            integer(54, "atmospheric_pressture", (3000, 12_000), 10_132).unit("hPa").scale(1).measured(),
            integer(56, "windspeed_avg", (0, 700), 24).unit("m/s").scale(1).measured(),
            choice(101, "wind_direct", &["north", "north_north_east", "north_east", "east", "south", "west"])
                .measured(),
            integer(60, "rain_24h", (0, 100_000), 12).unit("mm").scale(1).measured(),
            integer(61, "rain_rate", (0, 9999), 0).unit("mm").scale(1).measured(),
            integer(62, "uv_index", (0, 180), 12).scale(1).measured(),
            integer(63, "bright_value", (0, 238_000), 15_200).unit("lux").measured(),
            choice(4, "battery_state", &["high", "middle", "low"]).measured(),
        ],
        parts: &[
            drift(1, 190, 250, 2),
            drift(2, 35, 60, 1),
            drift(38, -50, 300, 3),
            drift(39, 40, 99, 1),
            drift(54, 9900, 10_350, 2),
            drift(56, 0, 160, 8),
            drift(61, 0, 30, 2),
            drift(62, 0, 90, 2),
            drift(63, 0, 90_000, 1500),
            Part::Cycle {
                dp: 101,
                values: &[
                    Datum::Text("north"),
                    Datum::Text("north_north_east"),
                    Datum::Text("north_east"),
                    Datum::Text("east"),
                ],
                every: 5 * MINUTE,
            },
        ],
        children: &[],
    },
    Template {
        name: "light-sensor",
        title: "Window light",
        product: "light sensor",
        category: "ldcg",
        model: "V-LUX-1",
        points: &[
            choice(1, "bright_state", &["low", "middle", "high", "strong"]).measured(),
            integer(2, "bright_value", (0, 10_000), 320).unit("lux").measured(),
            battery(4, 69),
        ],
        parts: &[
            drift(2, 0, 3000, 120),
            Part::Bands {
                of: 2,
                word: 1,
                bands: &[
                    (300, Datum::Text("low")),
                    (800, Datum::Text("middle")),
                    (2000, Datum::Text("high")),
                    (i64::MAX, Datum::Text("strong")),
                ],
            },
            drain(4),
        ],
        children: &[],
    },
    Template {
        name: "soil-sensor",
        title: "Tomato bed",
        product: "soil sensor",
        category: "zwjcy",
        model: "V-SOIL-1",
        points: &[
            percent(3, "humidity", 38).measured(),
            celsius(5, "temp_current", (-400, 800), 164).measured(),
            choice(9, "temp_unit_convert", &["c", "f"]),
            choice(14, "battery_state", &["high", "middle", "low"]).measured(),
            battery(15, 88),
        ],
        parts: &[drift(3, 20, 70, 1), drift(5, 100, 240, 1), drain(15)],
        children: &[],
    },
    Template {
        name: "tank-level",
        title: "Rain barrel",
        product: "level meter of a tank",
        category: "ywcgq",
        model: "V-TANK-1",
        points: &[
            choice(1, "liquid_state", &["normal", "lower_alarm", "upper_alarm"]).measured(),
            integer(2, "liquid_depth", (0, 1000), 640).unit("m").scale(3).measured(),
            percent(7, "max_set", 90),
            percent(8, "mini_set", 10),
            integer(19, "installation_height", (200, 2500), 1200).unit("mm"),
            integer(21, "liquid_depth_max", (100, 2000), 1000).unit("mm"),
            percent(22, "liquid_level_percent", 64).measured(),
        ],
        parts: &[
            drift(22, 5, 95, 1),
            Part::Bands {
                of: 22,
                word: 1,
                bands: &[
                    (10, Datum::Text("lower_alarm")),
                    (89, Datum::Text("normal")),
                    (100, Datum::Text("upper_alarm")),
                ],
            },
        ],
        children: &[],
    },
    Template {
        name: "temperature-probe",
        title: "Roast",
        product: "cooking thermometer",
        category: "swtz",
        model: "V-PROBE-2",
        points: &[
            celsius(1, "temp_current", (0, 3000), 214).measured(),
            celsius(2, "temp_current_2", (0, 3000), 214).measured(),
            celsius(3, "cook_temperature", (0, 3000), 580),
            celsius(4, "cook_temperature_2", (0, 3000), 1800),
            battery(5, 62),
        ],
        parts: &[drift(1, 200, 900, 6), drift(2, 200, 2000, 12), drain(5)],
        children: &[],
    },
    Template {
        name: "water-quality",
        title: "Pond",
        product: "water quality meter",
        category: "szjcy",
        model: "V-TDS-1",
        points: &[
            integer(1, "tds_in", (0, 5000), 240).unit("ppm").measured(),
            celsius(2, "temp_current", (-200, 1000), 172).measured(),
            battery(3, 54),
        ],
        parts: &[drift(1, 180, 320, 4), drift(2, 140, 210, 1), drain(3)],
        children: &[],
    },
];
