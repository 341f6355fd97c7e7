//! Records: no file causes a panic, and every replay ends.

use rustuya_proto::LocalKey;
use rustuya_record::Replay;

use crate::machines::KEY;

/// Largest number of steps for each line: 4,096 polls share a line, and each yields a few steps.
const STEPS: usize = 32_768;

/// Replays `data`, alone and after the first line of a record of each kind.
///
/// # Panics
/// If the replay continues after an error, yields endless steps, goes back in time or in the lines, or cannot print a
/// step.
pub fn record(data: &[u8]) {
    replay(data);
    for redacted in [true, false] {
        let first = format!("{{\"record\":\"rustuya\",\"format\":1,\"redacted\":{redacted}}}\n");
        let whole = [first.as_bytes(), data].concat();
        replay(&whole);
        // A second replay must give the same steps.
        assert_eq!(steps(&whole), steps(&whole), "a replay depends on something else");
    }
}

fn steps(data: &[u8]) -> (usize, Option<(u64, String)>) {
    let Ok(replay) = Replay::new(data) else { return (0, None) };
    let mut count = 0;
    for step in replay.with_keys(vec![LocalKey::new(KEY)]) {
        count += 1;
        if let Err(error) = step {
            return (count, Some((error.line, error.to_string())));
        }
    }
    (count, None)
}

fn replay(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n').count();
    let mut replay = match Replay::new(data) {
        Ok(replay) => replay.with_keys(vec![LocalKey::new(KEY)]),
        Err(error) => {
            assert_eq!(error.line, 1);
            return drop(error.to_string());
        }
    };
    let (mut count, mut line) = (0, 1);
    while let Some(step) = replay.next() {
        count += 1;
        assert!(count <= STEPS * lines, "{count} steps from {lines} lines");
        match step {
            Ok(step) => {
                assert!(step.line >= line && step.line <= lines as u64, "line {} of {lines}", step.line);
                line = step.line;
                let shown = step.to_string();
                assert!(!shown.contains(['\n', '\u{1b}']), "{shown:?}");
            }
            Err(error) => {
                assert!(error.line >= line && error.line <= lines as u64 + 1);
                drop(error.to_string());
                assert!(replay.next().is_none(), "it goes on after an error");
            }
        }
    }
}
