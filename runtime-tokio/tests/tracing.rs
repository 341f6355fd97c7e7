//! Spans and events for `tracing`: a span per device, and no secret.

mod common;

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use common::{KEY, OTHER_KEY, controller, fake, soon};
use rustuya_runtime_tokio::{Device, Tokio, Version};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes everything down that a subscriber can get hold of, at the most talkative level.
#[derive(Clone, Default)]
struct Notes {
    text: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn core::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("strings can be written");
    }
}

impl Notes {
    fn line(&self, begin: &str, write: impl FnOnce(&mut Line<'_>)) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(begin);
        write(&mut Line(&mut text));
        text.push('\n');
    }
}

impl Subscriber for Notes {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.line(&format!("span {}", span.metadata().name()), |line| span.record(line));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.line("recorded", |line| values.record(line));
    }

    fn event(&self, event: &Event<'_>) {
        self.line(event.metadata().target(), |line| event.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn devices_have_spans_and_keys_are_never_told() {
    let notes = Notes::default();
    let _here = tracing::subscriber::set_default(notes.clone());
    for version in [Version::V33, Version::V35] {
        let lamp = fake("device-under-test", version).start().await.expect("a free port");
        let device = controller(&lamp).version(version).spawn(&Tokio);
        soon(device.set_value(1, true).acknowledged()).await.expect("acknowledges");
        soon(device.close()).await;
        let at = lamp.local_addr();
        let stranger = Device::builder("wrong-key", OTHER_KEY).expect("usable").address(at).version(version);
        soon(stranger.spawn(&Tokio).query()).await.expect_err("has the wrong key");
    }
    let text = notes.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for expected in [
        "span device id=\"device-under-test\"",
        "recorded address=127.0.0.1",
        "message=up",
        "wrong local key",
        "message=closed",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in:\n{text}");
    }
    for secret in [KEY, OTHER_KEY, "48, 49, 50", "30313233"] {
        assert!(!text.contains(secret), "{text}");
    }
}
