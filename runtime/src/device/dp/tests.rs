use std::collections::{BTreeMap, HashMap};

use serde::Serializer;
use serde_json::{Map, json};

use super::*;

fn text(operation: Result<Operation, CommandError>) -> Result<String, CommandError> {
    operation.map(|operation| match operation {
        Operation::Set(writes) => format!("{} {}", writes.count, writes.json),
        Operation::Raw(_, data) => data.unwrap_or_default(),
        _ => String::new(),
    })
}

#[track_caller]
fn refused(operation: Result<Operation, CommandError>, words: &str) {
    match text(operation) {
        Err(CommandError::InvalidValue(why)) => assert!(why.contains(words), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn whatever_serializes_can_be_written() {
    assert_eq!(text(set_value(1.into(), true)), Ok(r#"1 {"1":true}"#.into()));
    assert_eq!(text(set_value("24".into(), "000003e803e8")), Ok(r#"1 {"24":"000003e803e8"}"#.into()));
    assert_eq!(text(set_value(2.into(), [1, 2])), Ok(r#"1 {"2":[1,2]}"#.into()));
    // The shortest text that means the number, not its value with twice the precision.
    assert_eq!(text(set_value(2.into(), 1.1_f32)), Ok(r#"1 {"2":1.1}"#.into()));
    assert_eq!(text(set_value(2.into(), Some(u64::MAX))), Ok(r#"1 {"2":18446744073709551615}"#.into()));
}

#[test]
fn all_that_yields_pairs_is_a_set_of_dps() {
    let two = Ok(r#"2 {"1":5,"3":6}"#.to_owned());
    let map = BTreeMap::from([(1, 5), (3, 6)]);
    let object = json!({ "1": 5, "3": 6 });
    assert_eq!(text(set_dps(&map)), two);
    assert_eq!(text(set_dps(map)), two);
    assert_eq!(text(set_dps(BTreeMap::from([("1", 5), ("3", 6)]))), two);
    assert_eq!(text(set_dps(&BTreeMap::from([("1", 5), ("3", 6)]))), two);
    assert_eq!(text(set_dps([(1, 5), (3, 6)])), two);
    assert_eq!(text(set_dps(&[(1, 5), (3, 6)])), two);
    assert_eq!(text(set_dps(&[("1".to_owned(), 5), ("3".to_owned(), 6)][..])), two);
    assert_eq!(text(set_dps(vec![("1", 5), ("3", 6)])), two);
    assert_eq!(text(set_dps([1, 3].iter().zip([5, 6]))), two);
    assert_eq!(text(set_dps([DpId(1), DpId(3)].iter().zip([5, 6]))), two);
    assert_eq!(text(set_dps(&object)), two);
    assert_eq!(text(set_dps(object.as_object().expect("is one"))), two);
    assert_eq!(text(set_dps(object)), two);
    assert_eq!(text(set_dps(HashMap::from([("07".to_owned(), "x")]))), Ok(r#"1 {"7":"x"}"#.into()));
    let mixed = [(1, json!(true)), (2, json!("red"))];
    assert_eq!(text(set_dps(mixed)), Ok(r#"2 {"1":true,"2":"red"}"#.into()));
    let mut dps = DpValues::new();
    dps.set(1, true).expect("a value");
    dps.set("2", 1.5).expect("a value");
    assert_eq!(text(set_dps(dps)), Ok(r#"2 {"1":true,"2":1.5}"#.into()));
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_reason() {
    assert_eq!(text(set_value("x".into(), 1)), Err(CommandError::InvalidDp("x".into())));
    assert_eq!(text(set_dps(BTreeMap::from([("70000", 1)]))), Err(CommandError::InvalidDp("70000".into())));
    refused(set_dps(json!(5)), "no JSON object");
    refused(set_dps(json!([[1, true]])), "no JSON object");
    refused(set_dps(BTreeMap::<u16, u16>::new()), "no DPs");
    refused(set_dps(DpValues::new()), "no DPs");
    refused(set_dps([(1, true), (1, false)]), "DP 1 is given twice");
    refused(set_dps(json!({ "07": 1, "7": 1 })), "DP 7 is given twice");
    refused(set_value(1.into(), BTreeMap::from([((1, 2), 3)])), "DP 1: ");
}

#[test]
fn nothing_becomes_null_at_any_depth() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(set_value(9.into(), number), "DP 9: null");
        refused(set_value(9.into(), number as f32), "DP 9: null");
        refused(set_value(9.into(), [1.0, number]), "DP 9: null");
        refused(set_dps([(1, 1.0), (2, number)]), "DP 2: null");
        refused(set_dps(BTreeMap::from([(3, BTreeMap::from([("a", vec![number])]))])), "DP 3: null");
    }
    refused(set_value(9.into(), ()), "DP 9: null");
    refused(set_value(9.into(), None::<bool>), "DP 9: null");
    refused(set_value(9.into(), json!({ "a": [{ "b": null }] })), "DP 9: null");
    refused(set_dps(json!({ "1": true, "2": null })), "DP 2: null");
    refused(set_dps(Map::from_iter([("2".to_owned(), Value::Null)])), "DP 2: null");
    let mut dps = DpValues::new();
    dps.set(1, true).expect("a value");
    assert!(matches!(dps.set(2, ()), Err(CommandError::InvalidValue(_))));
    assert_eq!(text(set_dps(dps)), Ok(r#"1 {"1":true}"#.into()));
}

#[test]
fn controls_by_hand_write_no_null_either_and_queries_may() {
    let nulls = json!({ "1": null });
    for code in [CommandCode::CONTROL, CommandCode::CONTROL_NEW] {
        refused(request(code, Some(nulls.clone())), "null");
        refused(request(code, Some(json!({ "1": [null] }))), "null");
        assert_eq!(text(request(code, Some(json!({ "1": 1.5 })))), Ok(r#"{"1":1.5}"#.into()));
    }
    assert_eq!(text(request(CommandCode::DP_QUERY, Some(nulls.clone()))), Ok(nulls.to_string()));
    assert_eq!(text(request(CommandCode::CONTROL, None)), Ok(String::new()));
}

#[test]
fn text_that_claims_to_be_json_is_looked_into() {
    /// Serializes as `serde_json::value::RawValue` does.
    struct Raw(&'static str);

    impl Serialize for Raw {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeStruct as _;
            let mut s = serializer.serialize_struct("$serde_json::private::RawValue", 1)?;
            s.serialize_field("$serde_json::private::RawValue", self.0)?;
            s.end()
        }
    }

    for value in ["null", "[1,null]"] {
        // Without that feature of `serde_json`, it is an ordinary object.
        if let Ok(written) = text(set_value(1.into(), Raw(value))) {
            assert!(written.contains("RawValue"), "{written}");
        }
    }
}
