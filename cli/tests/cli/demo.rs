//! `rustuya demo` runs, checks itself and ends.

use std::collections::BTreeMap;

use crate::common::run;
use serde_json::{Value, json};

#[test]
fn the_demo_runs_every_step() {
    let done = run(&["demo", "--json"]);
    done.succeeded();
    let lines: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut steps: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in &lines {
        steps.entry(line["step"].as_str().expect("a step")).or_default().push(line);
    }
    let counts: Vec<(&str, usize)> = steps.iter().map(|(step, lines)| (*step, lines.len())).collect();
    let expected = [
        ("back", 1),
        ("connected", 9),
        ("done", 1),
        ("down", 1),
        ("found", 7),
        ("pushed", 9),
        ("set", 9),
        ("start", 1),
        ("state", 10),
    ];
    assert_eq!(counts, expected);
    assert_eq!(lines.first(), Some(&json!({ "step": "start", "devices": 7, "sub_devices": 2 })));
    assert_eq!(lines.last().map(|line| &line["step"]), Some(&json!("done")));

    let mut versions: Vec<&str> = steps["found"].iter().filter_map(|line| line["version"].as_str()).collect();
    versions.sort_unstable();
    assert_eq!(versions, ["3.1", "3.2", "3.3", "3.3", "3.4", "3.4", "3.5"]);
    assert_eq!(steps["set"].iter().filter(|line| line["cid"].is_string()).count(), 2);
    for line in lines.iter().skip(1) {
        assert!(line["micros"].is_u64(), "{line}");
    }
    let order: Vec<&str> =
        lines.iter().filter(|line| line["name"] == "power strip").filter_map(|line| line["step"].as_str()).collect();
    assert_eq!(order, ["found", "connected", "state", "set", "pushed", "down", "back", "state"]);
}

#[test]
fn people_get_a_table() {
    let done = run(&["demo"]);
    done.succeeded();
    for words in ["seven virtual Tuya devices", "3.3 device22", "radiator valve", "up again", "unplugged", "done: "] {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    assert!(!done.stdout.contains('\u{1b}'), "no control sequences in a file");
}
