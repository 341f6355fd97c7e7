//! Measures the decoding of a push of six DPs into typed values and states against the parse of its DPs.
//!
//! ```text
//! cargo bench -p rustuya-entities --bench values -- --warm-up-time 0.2 --measurement-time 0.5
//! ```
//! prints a table of ratios at the end. Only ratios are comparable: both sides ran on the same machine.

use core::hint::black_box;
use std::fs;
use std::path::Path;

use criterion::Criterion;
use rustuya_entities::{Entity, Schema};
use rustuya_proto::{DpId, DpValue, Dps};
use serde_json::{Value as Json, json};

const LAMP: &[u8] = br#"{"20":true,"21":"white","22":500,"23":250,"24":"00f001f402bc","26":0}"#;
const PLUG: &[u8] = br#"{"1":true,"9":0,"18":455,"19":1002,"20":2330,"38":"memory"}"#;

fn main() {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default().output_directory(&home).configure_from_args();
    for (name, entities, push) in [("lamp", lamp(), LAMP), ("plug", plug(), PLUG)] {
        assert_eq!(Dps::parse(push).expect("DPs").count(), 6);
        let mut group = criterion.benchmark_group(name);
        group.bench_function("parse", |b| b.iter(|| black_box(pairs(black_box(push)))));
        group.bench_function("values", |b| {
            b.iter(|| {
                let dps = pairs(black_box(push));
                entities.iter().for_each(|entity| values(entity, &dps));
            });
        });
        group.bench_function("states", |b| {
            b.iter(|| {
                let dps = pairs(black_box(push));
                entities.iter().for_each(|entity| drop(black_box(entity.state(&dps))));
            });
        });
        group.finish();
    }
    criterion.final_summary();
    let rows: Option<Vec<_>> = ["lamp", "plug"].iter().map(|name| row(&home, name)).collect();
    if let Some(rows) = rows {
        println!("\ndevice | parse of six DPs | and typed values  ratio | and states  ratio");
        rows.iter().for_each(|row| println!("{row}"));
    }
}

/// Parses the DPs of a push into a table of six.
fn pairs(push: &[u8]) -> [(DpId, DpValue<'_>); 6] {
    let mut pairs = [(DpId(0), DpValue::Null); 6];
    let dps = Dps::parse(push).into_iter().flatten();
    pairs.iter_mut().zip(dps).for_each(|(place, pair)| *place = pair);
    pairs
}

/// Reads the value of each DP of an entity.
fn values(entity: &Entity, dps: &[(DpId, DpValue<'_>); 6]) {
    for (_, channel) in &entity.channels {
        black_box(channel.read(dps));
    }
}

fn lamp() -> Vec<Entity> {
    let mapping = json!({
        "20": {"code": "switch_led", "type": "Boolean", "values": {}},
        "21": {"code": "work_mode", "type": "Enum", "values": {"range": ["white", "colour", "scene", "music"]}},
        "22": {"code": "bright_value_v2", "type": "Integer", "values": {"min": 10, "max": 1000, "step": 1}},
        "23": {"code": "temp_value_v2", "type": "Integer", "values": {"min": 0, "max": 1000, "step": 1}},
        "24": {"code": "colour_data_v2", "type": "Json", "values": {}},
        "26": {"code": "countdown_1", "type": "Integer", "values": {"unit": "s", "min": 0, "max": 86400}},
    });
    Schema::builder().category("dj").mapping(&mapping).build().entities()
}

fn plug() -> Vec<Entity> {
    let mapping = json!({
        "1": {"code": "switch_1", "type": "Boolean", "values": {}},
        "9": {"code": "countdown_1", "type": "Integer", "values": {"unit": "s", "min": 0, "max": 86400}},
        "18": {"code": "cur_current", "type": "Integer", "values": {"unit": "mA", "min": 0, "max": 30000}},
        "19": {"code": "cur_power", "type": "Integer", "values": {"unit": "W", "min": 0, "max": 50000, "scale": 1}},
        "20": {"code": "cur_voltage", "type": "Integer", "values": {"unit": "V", "min": 0, "max": 5000, "scale": 1}},
        "38": {"code": "relay_status", "type": "Enum", "values": {"range": ["power_off", "power_on", "memory"]}},
    });
    Schema::builder().category("cz").mapping(&mapping).build().entities()
}

/// Formats one line of the table; `None` when criterion measured nothing, as with `--test` or a filter.
fn row(home: &Path, name: &str) -> Option<String> {
    let ns = |case: &str| -> Option<f64> {
        let text = fs::read_to_string(home.join(name).join(case).join("new/sample.json")).ok()?;
        fastest_tenth(&serde_json::from_str(&text).ok()?)
    };
    let (parse, values, states) = (ns("parse")?, ns("values")?, ns("states")?);
    Some(format!(
        "{name:6} | {parse:13.0} ns | {values:13.0} ns {:6.2} | {states:6.0} ns {:6.2}",
        values / parse,
        states / parse
    ))
}

/// Returns the time of one iteration in the fastest tenth of the samples: other work of the machine only adds.
fn fastest_tenth(sample: &Json) -> Option<f64> {
    let numbers = |name: &str| -> Option<Vec<f64>> { sample[name].as_array()?.iter().map(Json::as_f64).collect() };
    let mut times: Vec<f64> =
        numbers("times")?.iter().zip(numbers("iters")?).map(|(time, iters)| time / iters).collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 10).copied()
}
