//! What the host tells the image at its start: lines of `name=value` on the standard input, ended by an empty one.

use core::time::Duration;

use rustuya_proto::{DeviceId, LocalKey, Version};

use crate::{console, refuse};

/// The settings of either image.
pub struct Settings {
    /// The device id.
    pub id: DeviceId,
    /// The local key.
    pub key: LocalKey,
    /// The protocol version; `None` where the controller is to find out.
    pub version: Option<Version>,
    /// The seed of the generator.
    pub seed: Option<[u8; 32]>,
    /// Controller: silence after which a heartbeat is sent, and how long an answer may take. Device: how often the
    /// state changes by itself.
    pub pace: Option<Duration>,
}

impl Settings {
    /// Reads the settings; refuses to start when they are incomplete.
    #[inline(never)]
    pub fn read() -> Self {
        let mut buf = [0; 512];
        let len = console::read(&mut buf);
        let text = buf.get(..len).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default();
        let (mut id, mut key, mut version, mut seed, mut pace) = (None, None, None, None, None);
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else { continue };
            match name {
                "id" => id = DeviceId::new(value).ok(),
                "key" => key = LocalKey::try_from(value.as_bytes()).ok(),
                "version" => version = value.parse().ok(),
                "seed" => seed = hex(value),
                "pace" => pace = value.parse().ok().map(Duration::from_millis),
                _ => refuse("unknown setting"),
            }
        }
        let Some(id) = id else { refuse("no id") };
        let Some(key) = key else { refuse("no key of 16 bytes") };
        Self { id, key, version, seed, pace }
    }
}

/// 32 bytes from 64 hex digits.
fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            *slot = *slot << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}
