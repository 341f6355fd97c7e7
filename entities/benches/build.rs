//! Measures the way from the `mapping` of a device with 40 DPs to its entities.
//!
//! ```text
//! cargo bench -p rustuya-entities --bench build
//! ```

use core::hint::black_box;

use criterion::Criterion;
use rustuya_entities::Schema;
use serde_json::{Value as Json, json};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mapping = mapping();
    let build = || Schema::builder().category("dj").mapping(black_box(&mapping)).build();
    let schema = build();
    assert_eq!(schema.dps.len(), 40);
    criterion.bench_function("schema of 40 DPs", |bencher| bencher.iter(build));
    criterion.bench_function("entities of 40 DPs", |bencher| bencher.iter(|| black_box(&schema).entities()));
    criterion.bench_function("schema and entities of 40 DPs", |bencher| bencher.iter(|| build().entities()));
    criterion.final_summary();
}

/// Returns a lamp with 20 DPs of the standard set, and 20 others of every type.
fn mapping() -> Json {
    let number = |min: i64, max: i64, unit: &str| json!({"min": min, "max": max, "scale": 0, "step": 1, "unit": unit});
    let mut mapping = json!({
        "20": {"code": "switch_led", "type": "Boolean", "values": {}},
        "21": {"code": "work_mode", "type": "Enum", "values": {"range": ["white", "colour", "scene", "music"]}},
        "22": {"code": "bright_value_v2", "type": "Integer", "values": number(10, 1000, "")},
        "23": {"code": "temp_value_v2", "type": "Integer", "values": number(0, 1000, "")},
        "24": {"code": "colour_data_v2", "type": "Json", "values": {"h": {"max": 360}, "s": {"max": 1000}}},
        "25": {"code": "scene_data_v2", "type": "Json", "values": {}},
        "26": {"code": "countdown_1", "type": "Integer", "values": number(0, 86400, "s")},
        "27": {"code": "music_data", "type": "Json", "values": {}},
        "28": {"code": "control_data", "type": "Json", "values": {}},
        "30": {"code": "rhythm_mode", "type": "Raw", "values": {}},
        "31": {"code": "sleep_mode", "type": "Raw", "values": {}},
        "32": {"code": "wakeup_mode", "type": "Raw", "values": {}},
        "33": {"code": "power_memory", "type": "Raw", "values": {}},
        "34": {"code": "do_not_disturb", "type": "Boolean", "values": {}},
        "41": {"code": "remote_switch", "type": "Boolean", "values": {}},
        "42": {"code": "cycle_time", "type": "String", "values": {"maxlen": 255}},
        "43": {"code": "random_time", "type": "String", "values": {"maxlen": 255}},
        "44": {"code": "cur_power", "type": "Integer", "values": number(0, 99999, "W")},
        "45": {"code": "temp_current", "type": "Integer", "values": number(-40, 120, "\u{2103}")},
        "46": {"code": "fault", "type": "Bitmap", "values": {"label": ["overheat", "short"]}},
    });
    for dp in 101..=120 {
        mapping[dp.to_string()] = match dp % 4 {
            0 => json!({"code": format!("flag_{dp}"), "type": "Boolean", "values": {}}),
            1 => json!({"code": format!("level_{dp}"), "type": "Integer", "values": number(0, 100, "%")}),
            2 => {
                json!({"code": format!("choice_{dp}"), "type": "Enum", "values": {"range": ["low", "middle", "high"]}})
            }
            _ => json!({"code": format!("text_{dp}"), "type": "String", "values": {"maxlen": 32}}),
        };
    }
    mapping
}
