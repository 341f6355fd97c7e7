//! Measures one frame of each kind against the bare cipher and checksum work on the same bytes ("floor").
//!
//! ```text
//! cargo bench -p rustuya-tests --bench codec -- --warm-up-time 0.2 --measurement-time 0.5
//! ```
//! prints a table of ratios at the end. Only ratios are comparable: both sides of each ran on the same machine.

mod floor;

use core::hint::black_box;
use std::fs;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion};
use floor::Floor;
use rustuya_proto::{CommandCode, DpValue, Head, Keys, Report, RetCode, Sender, Version, VersionHeader, open, seal};
use serde_json::Value;

const KEY: [u8; 16] = *b"0123456789abcdef";
const IV: [u8; 12] = *b"000000000001";
const VERSIONS: [Version; 4] = [Version::V31, Version::V33, Version::V34, Version::V35];
const CONTROL: &[u8] = br#"{"dps":{"1":true}}"#;
/// Pushes of 100 bytes with 6 DPs: of 3.1 to 3.3, and of 3.4 and 3.5.
const PUSH: &[u8] =
    br#"{"devId":"eb0123456789","dps":{"1":true,"2":"white","3":500,"4":250,"7":0,"9":"off"},"t":1700000000}"#;
const WRAPPED_PUSH: &[u8] =
    br#"{"protocol":4,"t":1700000000,"data":{"dps":{"1":true,"2":"white","3":500,"4":250,"7":0,"9":"ff00"}}}"#;

fn main() {
    assert_eq!((PUSH.len(), WRAPPED_PUSH.len()), (100, 100));
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default().output_directory(&home).configure_from_args();
    for version in VERSIONS {
        encode(&mut criterion, version);
        decode(&mut criterion, version);
    }
    criterion.final_summary();
    let rows: Option<Vec<_>> = VERSIONS.iter().map(|version| row(&home, *version)).collect();
    if let Some(rows) = rows {
        println!("\nversion | encode   floor  ratio | decode   floor  ratio | typed DPs  more | serde_json");
        rows.iter().for_each(|row| println!("{row}"));
    }
}

fn push(version: Version) -> &'static [u8] {
    if version.negotiates() { WRAPPED_PUSH } else { PUSH }
}

fn encode(criterion: &mut Criterion, version: Version) {
    let keys = Keys::new(version, &KEY);
    let head = Head {
        sender: Sender::Controller,
        seqno: 1,
        command: if version.negotiates() { CommandCode::CONTROL_NEW } else { CommandCode::CONTROL },
        retcode: None,
        header: (version != Version::V31).then(|| VersionHeader::controller(version)),
    };
    // A CONTROL, since 3.1 encrypts nothing else.
    let mut group = criterion.benchmark_group("encode");
    let mut out = [0; 512];
    let len = seal(&keys, &head, &IV, CONTROL, &mut out).expect("there is room");
    let floor = Floor::new(version, &KEY);
    let template = floor.encode_template(&head, CONTROL, len);
    let mut check = [0; 512];
    floor.encode(&template, &mut check);
    assert_eq!(check[..len], out[..len], "the floor makes the same frame");
    group.bench_function(BenchmarkId::new("ours", version), |b| {
        b.iter(|| seal(&keys, &head, &IV, black_box(CONTROL), black_box(&mut out)));
    });
    group.bench_function(BenchmarkId::new("floor", version), |b| {
        b.iter(|| floor.encode(black_box(&template), black_box(&mut check)));
    });
    group.finish();
}

fn decode(criterion: &mut Criterion, version: Version) {
    let keys = Keys::new(version, &KEY);
    let head = Head {
        sender: Sender::Device,
        seqno: 1,
        command: CommandCode::STATUS,
        retcode: Some(RetCode::OK),
        header: (version != Version::V31).then(|| VersionHeader::device(version, 1)),
    };
    let text = push(version);
    let mut frame = vec![0; 512];
    let len = seal(&keys, &head, &IV, text, &mut frame).expect("there is room");
    frame.truncate(len);
    let floor = Floor::new(version, &KEY);
    let mut scratch = [0; 512];
    let end = floor.decode(&frame, &mut scratch);
    assert!(scratch[..end].windows(text.len()).any(|part| part == text), "the floor reads the same text");

    let mut group = criterion.benchmark_group("decode");
    group.bench_function(BenchmarkId::new("bytes", version), |b| {
        b.iter(|| {
            let copy = copied(black_box(&frame), &mut scratch);
            let opened = open(&keys, Sender::Device, copy).expect("it opens");
            black_box(&copy[opened.payload]);
        });
    });
    group.bench_function(BenchmarkId::new("typed", version), |b| {
        b.iter(|| {
            let copy = copied(black_box(&frame), &mut scratch);
            let opened = open(&keys, Sender::Device, copy).expect("it opens");
            black_box(sum(&copy[opened.payload]))
        });
    });
    group.bench_function(BenchmarkId::new("floor", version), |b| {
        b.iter(|| black_box(floor.decode(black_box(&frame), &mut scratch)));
    });
    group.bench_function(BenchmarkId::new("serde", version), |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(text)).expect("JSON"));
    });
    group.finish();
}

fn copied<'a>(frame: &[u8], scratch: &'a mut [u8]) -> &'a mut [u8] {
    let copy = &mut scratch[..frame.len()];
    copy.copy_from_slice(frame);
    copy
}

/// Reads the number and the value of every DP.
fn sum(payload: &[u8]) -> i64 {
    let report = Report::parse(payload).expect("a message");
    report
        .dps
        .into_iter()
        .flatten()
        .map(|(id, value)| {
            let value = match value {
                DpValue::Bool(on) => i64::from(on),
                DpValue::Int(number) => number,
                DpValue::Str(text) => text.as_str().map_or(0, |text| i64::from(text.as_bytes()[0])),
                DpValue::Null | DpValue::Float(_) | DpValue::Json(_) => 0,
            };
            i64::from(id.0) + value
        })
        .sum()
}

/// Formats one line of the table; `None` when criterion measured nothing, as with `--test` or a filter.
fn row(home: &Path, version: Version) -> Option<String> {
    let ns = |group: &str, case: &str| -> Option<f64> {
        let file: PathBuf = [group, case, version.as_str(), "new", "sample.json"].iter().collect();
        let text = fs::read_to_string(home.join(file)).ok()?;
        fastest_tenth(&serde_json::from_str(&text).ok()?)
    };
    let (encode, encode_floor) = (ns("encode", "ours")?, ns("encode", "floor")?);
    let (bytes, typed, floor) = (ns("decode", "bytes")?, ns("decode", "typed")?, ns("decode", "floor")?);
    Some(format!(
        "    {version} | {encode:6.0}  {encode_floor:6.0}  {:5.2} | {bytes:6.0}  {floor:6.0}  {:5.2} | {typed:9.0} {:+5.0} | {:10.0}",
        encode / encode_floor,
        bytes / floor,
        typed - bytes,
        ns("decode", "serde")?
    ))
}

/// Returns the 10th percentile of nanoseconds per call: other load on the machine only adds time.
fn fastest_tenth(sample: &Value) -> Option<f64> {
    let numbers = |name: &str| Some(sample[name].as_array()?.iter().filter_map(Value::as_f64));
    let mut calls: Vec<f64> = numbers("times")?.zip(numbers("iters")?).map(|(time, calls)| time / calls).collect();
    calls.sort_unstable_by(f64::total_cmp);
    calls.get(calls.len() / 10).copied()
}
