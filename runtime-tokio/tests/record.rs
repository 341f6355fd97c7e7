//! Records of devices on real sockets, and their replay.

mod common;

use std::sync::{Arc, Mutex, PoisonError};

use common::{KEY, controller, fake, map, next, soon};
use rustuya_record::{Happened, Recorder, Replay};
use rustuya_runtime_tokio::{Dialect, Event, LocalKey, Tokio, Version};
use serde_json::json;
use tokio::task::JoinSet;

const ID: &str = "bf99recorded99lamp99";

/// Connect, query, set, a push, a restart of the device, and another query; recorded.
async fn recorded(version: Version, redacted: bool) -> Vec<u8> {
    let lamp = fake(ID, version).start().await.expect("a free port");
    let file = Arc::new(Mutex::new(Vec::new()));
    let out = Shared(Arc::clone(&file));
    let recorder = if redacted { Recorder::redacted(out) } else { Recorder::full(out) };
    let recorder = Arc::new(Mutex::new(recorder));
    let dialect = (version == Version::V32).then_some(Dialect::Device22);
    let device = controller(&lamp).version(version).dialect(dialect).record(Arc::clone(&recorder)).spawn(&Tokio);
    let mut events = device.listener();
    soon(device.query_dps(&[1, 2, 3])).await.expect("answers");
    soon(device.set_value(3, "very secret").acknowledged()).await.expect("acknowledges");
    lamp.set_dps(None, map(json!({ "2": 987654321 }))).expect("a DP number");
    next(&mut events, |event| match event {
        Event::Message(message) => (message.dp(2) == Some(json!(987654321))).then_some(()),
        _ => None,
    })
    .await;
    lamp.unplug().await;
    next(&mut events, |event| matches!(event, Event::Down { .. }).then_some(())).await;
    lamp.plug().await.expect("the port is still free");
    soon(device.query_dps(&[1, 2, 3])).await.expect("answers again");
    soon(device.close()).await;
    recorder.lock().unwrap_or_else(PoisonError::into_inner).finish().expect("memory can be written");
    let file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.clone()
}

struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the events of a record, without the differences between redacted and full ones.
fn replayed(record: &[u8], keys: Vec<LocalKey>) -> Vec<Happened> {
    let replay = Replay::new(record).expect("a record").with_keys(keys);
    replay.map(|step| step.expect("is well formed").what).collect()
}

#[tokio::test]
async fn a_recorded_session_replays_without_the_device() {
    let mut sessions = JoinSet::new();
    for version in Version::ALL {
        for redacted in [true, false] {
            sessions.spawn(async move { (version, redacted, recorded(version, redacted).await) });
        }
    }
    {
        while let Some(session) = sessions.join_next().await {
            let (version, redacted, record) = session.expect("no panic");
            let text = String::from_utf8_lossy(&record);
            assert!(!text.contains(KEY) && !text.contains("30313233343536373839616263646566"), "the key");
            assert_eq!(text.contains(ID), !redacted, "{version}");
            let keys = if redacted { Vec::new() } else { vec![LocalKey::from_text(KEY).expect("a key")] };
            let steps = replayed(&record, keys);
            let diverged = steps.iter().find(|step| matches!(step, Happened::Diverged(_)));
            assert_eq!(diverged, None, "{version} redacted {redacted}");
            let count = |wanted: fn(&Happened) -> bool| steps.iter().filter(|step| wanted(step)).count();
            assert!(count(|step| matches!(step, Happened::Up { .. })) >= 2, "{version}: {steps:?}");
            assert_eq!(count(|step| matches!(step, Happened::Asked { .. })), 3, "{version}");
            assert_eq!(count(|step| matches!(step, Happened::Resolved { .. })), 3, "{version}");
            let shown = format!("{steps:?}");
            assert_eq!(shown.contains("very secret") || shown.contains("987654321"), !redacted, "{version}: {shown}");
        }
    }
}
