//! Device files that nobody should have written, and a directory of the user's.

use std::collections::BTreeMap;

use rustuya_entities::profile::{Profile, ProfileError, Profiles};
use rustuya_entities::{Role, Value, Writes};
use serde_json::{Value as Json, json};

type State = BTreeMap<u16, Json>;

#[test]
fn rules_that_lead_in_circles_end() {
    let circle = "name: x\nentities:\n  - entity: select\n    dps:\n      - {id: 1, type: string, name: option, mapping: [{value_redirect: b}]}\n      - {id: 2, type: string, name: b, mapping: [{value_redirect: option}]}\n";
    let select = Profile::parse(circle).unwrap().entities().remove(0);
    let now = State::from([(1, json!("a")), (2, json!("b"))]);
    let option = select.channel(&Role::Value).unwrap();
    assert_eq!(option.read(&now), None);
    assert!(option.write(&Value::text("c"), &now, &mut Writes::new()).is_err());
    // Each rule looks at a DP whose rules look at all the others: their number would be 40 to the eighth.
    let mut text = String::from("name: x\nentities:\n  - entity: select\n    dps:\n");
    for dp in 1..=40 {
        text += &format!("      - id: {dp}\n        type: string\n        name: n{dp}\n        mapping:\n");
        for other in 1..=40 {
            text += &format!("          - {{dps_val: v{other}, value: w{other}, available: n{other}}}\n");
        }
    }
    let select = Profile::parse(&text).unwrap().entities().remove(0);
    let now: State = (1..=40).map(|dp| (dp, json!("v40"))).collect();
    for (_, channel) in &select.channels {
        _ = channel.read(&now);
        _ = channel.write(&Value::text("w3"), &now, &mut Writes::new());
    }
}

/// Changes bytes of good files and reads what is left. Nothing may panic, hang or break a limit.
#[test]
fn damaged_files_do_no_harm() {
    let texts =
        [include_str!("profiles/lamp.yaml"), include_str!("profiles/heater.yaml"), include_str!("profiles/parts.yaml")];
    let now: State = (0..256)
        .map(|dp| {
            let value = match dp % 5 {
                0 => json!(true),
                1 => json!(i64::MIN + i64::from(dp)),
                2 => json!("00f001f402bc"),
                3 => json!("CRoAA+gAAMg="),
                _ => json!(0.1),
            };
            (dp, value)
        })
        .collect();
    let bits =
        [b' ', b'\n', b'-', b':', b'[', b'{', b'}', b']', b'"', b'\'', b'&', b'*', b'!', b'|', b'9', b'0', b'#', 0xc3];
    // A fixed sequence, so that a failure repeats.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 1).unwrap_or_default() % limit
    };
    let (mut good, mut bad) = (0, 0);
    for round in 0..600 {
        let mut bytes = texts[round % texts.len()].as_bytes().to_vec();
        for _ in 0..=next(6) {
            let at = next(bytes.len());
            match next(3) {
                0 => bytes[at] = bits[next(bits.len())],
                1 => bytes.insert(at, bits[next(bits.len())]),
                _ => _ = bytes.remove(at),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        match Profile::parse(&text) {
            Ok(profile) => {
                good += 1;
                _ = (profile.specs(), profile.coverage(), profile.quality(&now, &[]));
                for entity in profile.entities() {
                    for (_, channel) in &entity.channels {
                        let reading = channel.read(&now);
                        let values = [
                            Value::Bool(true),
                            Value::Number("-9000000000000000000".parse().unwrap()),
                            Value::text("off"),
                        ];
                        for value in reading.map(|reading| reading.value).into_iter().chain(values) {
                            _ = channel.write(&value, &now, &mut Writes::new());
                        }
                    }
                }
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good > 50 && bad > 50, "{good} {bad}");
}

#[test]
fn errors_say_where() {
    let error = Profile::parse("name: x\nentities: [\n").unwrap_err();
    assert!(matches!(&error, ProfileError::Syntax { line, .. } if *line >= 2), "{error}");
    assert_eq!(Profile::parse("just text").unwrap_err(), ProfileError::NoProfile);
    assert_eq!(Profile::parse("name: x\n").unwrap_err(), ProfileError::NoProfile);
}

/// Reads the files of a directory that the environment names: a checkout of tuya-local has 1,700.
#[test]
fn files_of_a_directory_are_understood() {
    let Some(directory) = std::env::var_os("RUSTUYA_PROFILES") else { return };
    let mut profiles = Profiles::new();
    let mut notes = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match profiles.add(&file, &std::fs::read_to_string(&path).unwrap()) {
            Ok(profile) => {
                notes.extend(profile.notes.iter().map(|note| format!("{file}: {note}")));
                for entity in profile.entities.iter().filter(|entity| !entity.is_understood()) {
                    notes.push(format!("{file}: {}: {}", entity.platform, entity.notes.join("; ")));
                }
            }
            Err(error) => notes.push(format!("{file}: {error}")),
        }
    }
    let coverage = profiles.coverage();
    println!("{} files, {} of {} entities understood", profiles.len(), coverage.understood, coverage.entities);
    for note in &notes {
        println!("  {note}");
    }
    assert!(coverage.entities > 0 && coverage.understood * 100 >= coverage.entities * 99, "{coverage:?}");
}
