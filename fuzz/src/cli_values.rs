//! Arguments of `rustuya set`.

use rustuya_proto::{DpId, Dps};
use rustuya_runtime::convert;
use serde_json::Value;

/// Parses the lines of `data` as `DP=VALUE` arguments.
///
/// # Panics
/// If an accepted value differs from its text, cannot be sent, or is read differently by a device; or if arguments are
/// accepted together that are refused one by one.
pub fn cli_values(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let words: Vec<String> = text.split('\n').take(8).map(str::to_owned).collect();
    let one_by_one: Vec<_> = words.iter().map(|word| rustuya_cli::dp_values(core::slice::from_ref(word))).collect();
    for (word, read) in words.iter().zip(&one_by_one) {
        match read {
            Ok(dps) => single(word, dps),
            Err(error) => drop(error.to_string()),
        }
    }
    match rustuya_cli::dp_values(&words) {
        Ok(all) => {
            assert_eq!(all.len(), words.len());
            for dps in &one_by_one {
                let dps = dps.as_ref().expect("refused alone, and taken with others");
                assert!(dps.iter().all(|(dp, value)| all.get(dp) == Some(value)));
            }
        }
        Err(error) => {
            let mut numbers: Vec<_> = one_by_one.iter().flatten().flat_map(|dps| dps.keys()).collect();
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            let twice = numbers.len() < count;
            assert!(twice || count < words.len(), "taken one by one, and refused together: {error}");
        }
    }
}

fn single(word: &str, dps: &serde_json::Map<String, Value>) {
    let mut entries = dps.iter();
    let (Some((dp, value)), None) = (entries.next(), entries.next()) else { panic!("{word} sets {} DPs", dps.len()) };
    let (number, written) = word.split_once('=').expect("a word with an equals sign");
    assert_eq!(number, dp);
    let id = DpId(dp.parse().expect("a number"));
    assert_eq!(id.to_string(), *dp, "another spelling of a number");
    match serde_json::from_str::<Value>(written) {
        Ok(meant) => assert_eq!(*value, meant, "{word}"),
        Err(_) => assert_eq!(*value, Value::from(written), "{word}"),
    }
    assert!(!has_null(value), "{word} sets a null");
    // A device must read the same.
    let sent = Value::Object(dps.clone()).to_string();
    if depth(value) <= 24 {
        let read = Dps::parse(sent.as_bytes()).unwrap_or_else(|| panic!("{sent} is none"));
        assert_eq!(convert::dp_map(read), *dps, "{sent}");
    }
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().any(has_null),
        Value::Object(map) => map.values().any(has_null),
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(entries) => 1 + entries.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
