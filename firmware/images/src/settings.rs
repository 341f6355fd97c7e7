//! Settings from the host at the start: lines of `name=value` on the standard input, ended by an empty one.

use core::time::Duration;

use rustuya_proto::{DeviceId, LocalKey, Version};

use crate::{console, refuse};

/// Settings of either image.
pub struct Settings {
    /// The device id.
    pub id: DeviceId,
    /// The local key.
    pub key: LocalKey,
    /// The protocol version; `None` if the controller is to detect it.
    pub version: Option<Version>,
    /// The seed of the generator.
    pub seed: Option<[u8; 32]>,
    /// Controller: idle time before a heartbeat, and time limit of an answer. Device: interval of its own changes.
    pub pace: Option<Duration>,
}

impl Settings {
    /// Reads the settings; refuses to start when they are incomplete.
    #[inline(never)]
    pub fn read() -> Self {
        let mut buf = [0; 512];
        let len = console::read(&mut buf);
        let (mut id, mut key, mut version, mut seed, mut pace) = (None, None, None, None, None);
        for line in buf.get(..len).unwrap_or_default().split(|byte| *byte == b'\n') {
            // The first letter distinguishes the names.
            let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
            let value = line.get(at + 1..).unwrap_or_default();
            let text = core::str::from_utf8(value).unwrap_or_default();
            match line.first() {
                Some(b'i') => id = DeviceId::new(text).ok(),
                Some(b'k') => key = LocalKey::try_from(value).ok(),
                Some(b'v') => version = text.parse().ok(),
                Some(b's') => seed = hex(value),
                Some(b'p') => pace = Some(millis(decimal(value))),
                _ => {}
            }
        }
        let Some(id) = id else { refuse("no id") };
        let Some(key) = key else { refuse("no key of 16 bytes") };
        Self { id, key, version, seed, pace }
    }
}

/// Converts milliseconds. Not with `Duration::from_millis`, whose 64-bit division needs 1 KB on these chips.
fn millis(millis: u32) -> Duration {
    Duration::new((millis / 1_000).into(), millis % 1_000 * 1_000_000)
}

fn decimal(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(u32::from(digit & 15)))
}

/// Reads 32 bytes from 64 hex digits; `None` for anything else.
fn hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 2 * bytes.len() {
        return None;
    }
    for (slot, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            *slot = *slot << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}
