//! The tap that tells of frames and commands as lines of text, for a log.

use rustuya_proto::{Command, CommandCode, DpMap, Instant, RequestData, Sender, frame_len};
use rustuya_runtime::tap::{Tap, TapEvent};
use serde_json::Value;

use crate::frame;
use crate::keys::KeyRing;
use crate::redact::written;

/// Bytes that wait for the rest of their frame at most.
const MAX_HELD: usize = 128 << 10;
/// Fields whose text says which device or which kind of request it is.
const SHOWN: [&str; 8] = ["devId", "gwId", "cid", "uid", "reqType", "type", "online", "offline"];

/// Tells a function, line by line, which commands a device was given and which frames passed: a [`Tap`].
///
/// Keys are in no line, nor what negotiates one. The values of DPs, and all other text of payloads, are left out unless
/// they are asked for: their kinds and lengths stand in their place.
///
/// ```
/// use rustuya_record::FrameLog;
///
/// let log = FrameLog::new(|line: &str| println!("{line}"));
/// // "command Control (7) {"1":"(bool)"}", then "out Control (7) seqno 3, 143 bytes: {...}"
/// # drop(log);
/// ```
pub struct FrameLog<F> {
    tell: F,
    values: bool,
    ring: Option<KeyRing>,
    received: Vec<u8>,
    sent: Vec<u8>,
}

impl<F: FnMut(&str) + Send> FrameLog<F> {
    /// Lines without values go to `tell`.
    pub const fn new(tell: F) -> Self {
        Self { tell, values: false, ring: None, received: Vec::new(), sent: Vec::new() }
    }

    /// Says whether the values of DPs are shown.
    #[must_use]
    pub const fn values(mut self, shown: bool) -> Self {
        self.values = shown;
        self
    }

    fn begin(&mut self) {
        self.received.clear();
        self.sent.clear();
        if let Some(ring) = &mut self.ring {
            ring.disconnect();
        }
    }

    fn bytes(&mut self, sender: Sender, bytes: &[u8]) {
        let mut held = core::mem::take(if sender == Sender::Device { &mut self.received } else { &mut self.sent });
        held.extend_from_slice(bytes);
        loop {
            let len = match frame_len(&held) {
                Ok(Some(len)) if len <= held.len() => len,
                Ok(_) if held.len() <= MAX_HELD => break,
                // Bytes that are no frame do not tell where the next one begins.
                _ => {
                    let line = format!("{} {} bytes that are no frame", way(sender), held.len());
                    (self.tell)(&line);
                    held.clear();
                    break;
                }
            };
            let rest = held.split_off(len);
            self.frame(sender, &held);
            held = rest;
        }
        *(if sender == Sender::Device { &mut self.received } else { &mut self.sent }) = held;
    }

    fn frame(&mut self, sender: Sender, frame: &[u8]) {
        let (way, len) = (way(sender), frame.len());
        let seen = self.ring.as_mut().and_then(|ring| frame::seen(frame, sender, ring));
        let line = match seen {
            None => format!("{way} {len} bytes that the local key does not open"),
            Some(seen) => {
                let retcode = seen.retcode.map(|code| format!(" retcode {code}")).unwrap_or_default();
                let payload = match &seen.payload {
                    None => "part of the negotiation".to_owned(),
                    Some(payload) => self.shown(payload),
                };
                format!("{way} {} seqno {}{retcode}, {len} bytes: {payload}", name(seen.command), seen.seqno)
            }
        };
        (self.tell)(&line);
    }

    fn command(&mut self, command: &Command<'_>) {
        let data = match (command.payload(), command.data()) {
            (Some(payload), _) => self.shown(payload),
            (None, RequestData::None) => String::new(),
            (None, RequestData::Ids(ids)) => ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(","),
            (None, RequestData::Dps(DpMap::Json(text)) | RequestData::Json(text)) => self.shown(text.as_bytes()),
            (None, RequestData::Dps(DpMap::Pairs(pairs))) => self.shown(written(pairs).as_bytes()),
        };
        let cid = command.cid().map(|cid| format!(" for {cid}")).unwrap_or_default();
        let line = format!("command {}{cid} {data}", name(command.code()));
        (self.tell)(line.trim_end());
    }

    /// A payload as text, or what is told of it.
    fn shown(&self, payload: &[u8]) -> String {
        if payload.is_empty() {
            return "nothing".to_owned();
        }
        if self.values {
            return String::from_utf8_lossy(payload).escape_debug().to_string().replace("\\\"", "\"");
        }
        serde_json::from_slice(payload.trim_ascii_end())
            .map_or_else(|_| format!("({} bytes of text)", payload.len()), |value| redacted(value, false).to_string())
    }
}

impl<F: FnMut(&str) + Send> Tap for FrameLog<F> {
    fn on_event(&mut self, _at: Instant, event: TapEvent<'_>) {
        match event {
            TapEvent::Created { config, .. } | TapEvent::Reconfigured(config) => {
                self.ring = Some(KeyRing::new(&config.local_key, 1));
                self.begin();
            }
            TapEvent::Dial { .. } | TapEvent::Lost { .. } => self.begin(),
            TapEvent::Command(command) => self.command(&command),
            TapEvent::Received(bytes) => self.bytes(Sender::Device, bytes),
            TapEvent::Sent(bytes) => self.bytes(Sender::Controller, bytes),
            TapEvent::Missed { events } => {
                self.begin();
                let line = format!("{events} entries are missing here: they are not read fast enough");
                (self.tell)(&line);
            }
            _ => {}
        }
    }
}

impl<F> core::fmt::Debug for FrameLog<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FrameLog").field("values", &self.values).finish_non_exhaustive()
    }
}

fn way(sender: Sender) -> &'static str {
    if sender == Sender::Device { "in" } else { "out" }
}

fn name(command: CommandCode) -> String {
    command.name().map_or_else(|| command.0.to_string(), |name| format!("{name} ({})", command.0))
}

/// JSON with kinds and lengths in the place of values.
fn redacted(value: Value, is_shown: bool) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key.clone(), redacted(value, SHOWN.contains(&&*key)))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| redacted(item, is_shown)).collect(),
        Value::String(text) if !is_shown => format!("({} characters)", text.chars().count()).into(),
        Value::Number(_) => "(number)".into(),
        Value::Bool(_) => "(bool)".into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rustuya_proto::{DeviceConfig, DeviceId, DpId, DpValue, Head, Keys, LocalKey, Version, VersionHeader, seal};

    use super::*;

    const KEY: [u8; 16] = *b"0123456789abcdef";

    fn lines(values: bool, tell: impl FnOnce(&mut dyn Tap)) -> String {
        let lines = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&lines);
        let mut log = FrameLog::new(move |line: &str| {
            let mut kept = kept.lock().unwrap();
            kept.push_str(line);
            kept.push('\n');
        })
        .values(values);
        let config = DeviceConfig::new(DeviceId::new("id").unwrap(), LocalKey::new(KEY));
        log.on_event(Instant::ZERO, TapEvent::Created { config: &config, rx: 1024, tx: 1024 });
        tell(&mut log);
        let lines = lines.lock().unwrap().clone();
        assert!(!lines.contains("0123456789abcdef"));
        lines
    }

    fn push() -> Vec<u8> {
        let mut out = vec![0; 256];
        let keys = Keys::new(Version::V33, &KEY);
        let header = Some(VersionHeader::device(Version::V33, 5));
        let head = Head { sender: Sender::Device, seqno: 5, command: CommandCode::STATUS, retcode: None, header };
        let text = br#"{"devId":"id","dps":{"1":true,"2":50,"3":"home"}}"#;
        let len = seal(&keys, &head, &[0; 12], text, &mut out).unwrap();
        out.truncate(len);
        out
    }

    #[test]
    fn frames_are_told_however_they_are_cut_and_without_values() {
        let push = push();
        for cut in 1..push.len() {
            let told = lines(false, |log| {
                log.on_event(Instant::ZERO, TapEvent::Received(&push[..cut]));
                log.on_event(Instant::ZERO, TapEvent::Received(&push[cut..]));
            });
            let wanted = r#"{"devId":"id","dps":{"1":"(bool)","2":"(number)","3":"(4 characters)"}}"#;
            assert_eq!(told, format!("in Status (8) seqno 5, {} bytes: {wanted}\n", push.len()));
        }
    }

    #[test]
    fn values_are_told_by_choice() {
        let told = lines(true, |log| log.on_event(Instant::ZERO, TapEvent::Received(&push())));
        assert!(told.contains(r#""dps":{"1":true,"2":50,"3":"home"}"#), "{told}");
    }

    #[test]
    fn commands_and_what_is_no_frame_are_told() {
        let pairs = [(DpId(1), DpValue::Bool(true))];
        let command = Command::set(DpMap::Pairs(&pairs));
        let told = lines(false, |log| {
            log.on_event(Instant::ZERO, TapEvent::Command(command));
            log.on_event(Instant::ZERO, TapEvent::Received(b"HTTP/1.1 400 Bad Request"));
        });
        assert_eq!(told, "command Control (7) {\"1\":\"(bool)\"}\nin 24 bytes that are no frame\n");
    }
}
