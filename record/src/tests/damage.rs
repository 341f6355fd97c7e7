//! Records that are not what was written.

use core::time::Duration;

use rustuya_proto::{Command, CommandCode, Version};
use rustuya_seeded::SeededRng;

use super::{KEY, ON, config, emulated, record};
use crate::{RecordErrorKind, Replay};

#[test]
fn damaged_records_end_in_an_error_or_not_at_all() {
    let mut rng = SeededRng::new(5);
    for version in [Version::V33, Version::V35] {
        let good = record(&config(Some(version), KEY), emulated(version), false, |rig| {
            rig.run(Duration::from_secs(1));
            rig.ask(Command::request(CommandCode::CONTROL, ON));
            rig.run(Duration::from_secs(12));
        });
        for round in 0..400 {
            let mut text = good.record.clone();
            for _ in 0..=rng.index(4) {
                let at = rng.index(text.len());
                match rng.index(4) {
                    0 => text.truncate(at),
                    1 => text.insert(at, b"0123456789abcdef\"{}[],:\n"[rng.index(24)]),
                    2 if at < text.len() => drop(text.remove(at)),
                    _ => {
                        if let Some(byte) = text.get_mut(at) {
                            *byte = b"0123456789abcdef"[rng.index(16)];
                        }
                    }
                }
            }
            let lines = u64::try_from(text.iter().filter(|byte| **byte == b'\n').count()).expect("few") + 1;
            let Ok(replay) = Replay::new(&*text) else {
                continue;
            };
            let mut steps = 0u32;
            for step in replay {
                steps += 1;
                match step {
                    Ok(step) => assert!(step.line <= lines && !step.to_string().is_empty(), "round {round}"),
                    Err(error) => assert!(error.line <= lines && !error.to_string().is_empty(), "round {round}"),
                }
            }
            assert!(steps < 100_000, "round {round}");
        }
    }
}

#[test]
fn what_is_no_record_is_said_to_be_none() {
    let kind = |text: &str| match Replay::new(text.as_bytes()) {
        Ok(replay) => replay.filter_map(Result::err).next().map(|error| error.kind),
        Err(error) => Some(error.kind),
    };
    assert!(matches!(kind(""), Some(RecordErrorKind::NoRecord)));
    assert!(matches!(kind("hello\n"), Some(RecordErrorKind::NoRecord)));
    let first = r#"{"record":"rustuya","format":1,"redacted":true}"#;
    assert!(matches!(kind(&first.replace('1', "2")), Some(RecordErrorKind::Format(2))));
    assert!(kind(first).is_none());
    let unknown = format!("{first}\n{{\"at\":5,\"op\":\"poll\",\"times\":1}}\n");
    assert!(matches!(kind(&unknown), Some(RecordErrorKind::UnknownDevice(0))));
    let long = format!("{first}\n{}", "x".repeat(2 << 20));
    assert!(matches!(kind(&long), Some(RecordErrorKind::TooLong(_))));
    assert!(matches!(kind(&format!("{first}\n{{\"at\":5}}")), Some(RecordErrorKind::Malformed(_))));
}
