//! Records: any file is survived, and a replay ends.

use rustuya_proto::LocalKey;
use rustuya_record::Replay;

use crate::machines::KEY;

/// Steps for each line at the most: 4,096 polls share one, and each tells a few things.
const STEPS: usize = 32_768;

/// Replays `data`, as it is and behind the first line of a record of each kind.
///
/// # Panics
/// If the replay goes on after an error, yields steps without end, goes back in time or in the lines, or cannot show
/// a step.
pub fn record(data: &[u8]) {
    replay(data);
    for redacted in [true, false] {
        let first = format!("{{\"record\":\"rustuya\",\"format\":1,\"redacted\":{redacted}}}\n");
        let whole = [first.as_bytes(), data].concat();
        replay(&whole);
        // The same once more is the same.
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
