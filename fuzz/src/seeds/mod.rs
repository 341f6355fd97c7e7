//! Seeds of the corpora, made from the test vectors.

mod entities;
mod runtime;

use std::collections::BTreeSet;

use rustuya_proto::Version;
use rustuya_vectors::{Encoding, Transport, tinytuya};

/// Fuzz target.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Name of the target and of its corpus folder.
    pub name: &'static str,
    /// Its function.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "announcement", run: crate::announcement },
    Target { name: "cli_values", run: crate::cli_values },
    Target { name: "convert", run: crate::convert },
    Target { name: "device_ops", run: crate::device_ops },
    Target { name: "devices_file", run: crate::devices_file },
    Target { name: "discovery", run: crate::discovery },
    Target { name: "emulator", run: crate::emulator },
    Target { name: "entities", run: crate::entities },
    Target { name: "frame", run: crate::frame },
    Target { name: "json", run: crate::json },
    Target { name: "link", run: crate::link },
    Target { name: "record", run: crate::record },
    Target { name: "session", run: crate::session },
];

/// Initial input of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seed {
    /// Name of the target.
    pub target: &'static str,
    /// Name of the file.
    pub name: String,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

/// Returns the seeds of every target.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    frames(&mut seeds);
    datagrams(&mut seeds);
    texts(&mut seeds);
    sessions(&mut seeds);
    calls(&mut seeds);
    entities::devices(&mut seeds);
    runtime::lists(&mut seeds);
    runtime::arguments(&mut seeds);
    runtime::announcements(&mut seeds);
    runtime::controllers(&mut seeds);
    runtime::links(&mut seeds);
    runtime::records(&mut seeds);
    seeds
}

fn seed(target: &'static str, vector: &str, bytes: Vec<u8>) -> Seed {
    Seed { target, name: vector.replace('/', "-"), bytes }
}

/// Adds one frame for each version, sender, command and kind of body.
fn frames(seeds: &mut Vec<Seed>) {
    let mut known = BTreeSet::new();
    for vector in tinytuya().iter().filter(|v| v.transport == Transport::Tcp) {
        let kind = (
            vector.version.as_str(),
            vector.cmd,
            vector.retcode,
            vector.header_hex.is_some(),
            vector.payload.is_empty(),
        );
        if known.insert(kind) {
            seeds.push(seed("frame", &vector.name, vector.frame()));
        }
    }
}

/// Adds every datagram.
fn datagrams(seeds: &mut Vec<Seed>) {
    for vector in tinytuya().iter().filter(|v| v.transport == Transport::Udp) {
        seeds.push(seed("announcement", &vector.name, vector.frame()));
    }
}

/// Adds every distinct text of up to 400 bytes.
fn texts(seeds: &mut Vec<Seed>) {
    let mut known = BTreeSet::new();
    for vector in tinytuya().iter().filter(|v| v.payload_encoding == Encoding::Text) {
        let text = vector.payload.as_str();
        if !text.is_empty() && text.len() <= 400 && known.insert(text) {
            seeds.push(seed("json", &vector.name, text.as_bytes().to_vec()));
            if text.contains("dps") {
                seeds.push(seed("convert", &vector.name, text.as_bytes().to_vec()));
            }
        }
    }
}

/// Adds for each version: valid queries, controls, pushes and heartbeats; the same with one change of the bytes; forged
/// frames; and recorded frames of another device.
fn sessions(seeds: &mut Vec<Seed>) {
    for (number, version) in (0_u8..).zip(Version::ALL) {
        let name = |what: &str| format!("{version}-{what}");
        let query = [2, 0, 1, 3];
        let mut honest = vec![0x10 | number];
        honest.extend([2, 0, 1, 0, 2, 2, 1, 0, 2, 0x80, 0, 2, 4, 0, 6, 3, 0, 6, 0, 1, 1, 7, 255, 7, 255, 0]);
        seeds.push(seed("session", &name("honest"), honest.clone()));
        honest[0] |= 8;
        seeds.push(seed("session", &name("device22"), honest));
        let alterations: [(&str, &[u8]); 6] = [
            ("bit", &[10, 0, 40, 1]),
            ("loss", &[12, 0, 20, 9]),
            ("insertion", &[16, 0, 0, 4, 0, 0, 0x55, 0xaa]),
            ("twice", &[20, 0, 0, 255]),
            ("turned", &[22, 0, 4, 30]),
            ("replay", &[0, 24, 0, 0, 255, 25, 0, 0, 255]),
        ];
        for (what, bytes) in alterations {
            let altered = [&[0x10 | number, 0], &query[..], bytes, &[0], &query, &[0]].concat();
            seeds.push(seed("session", &name(what), altered));
        }
        let push = br#"{"dps":{"1":true},"cid":"a4c1380123456789"}"#;
        let control = br#"{"protocol":5,"t":1,"data":{"dps":{"1":true}}}"#;
        let pushed = [&[26, 0x11, 8, push.len() as u8], &push[..]].concat();
        let controlled = [&[27, 0x11, 13, control.len() as u8], &control[..]].concat();
        let forged = [&[0x10 | number, 0], &query[..], &pushed, &controlled, &[0, 2, 0, 0, 0]].concat();
        seeds.push(seed("session", &name("forged"), forged));
        let reports =
            |v: &&&rustuya_vectors::Vector| v.transport == Transport::Tcp && v.version.as_str() == version.as_str();
        let raw = tinytuya().iter().collect::<Vec<_>>();
        let raw = raw.iter().filter(reports).take(3).flat_map(|v| v.frame()).collect::<Vec<u8>>();
        seeds.push(seed("session", &name("raw"), [&[number, 60], &raw[..]].concat()));
    }
}

/// Adds for each version: a run with commands, losses, announcements and a new configuration; with and without a
/// configured version, and with too small buffers.
fn calls(seeds: &mut Vec<Seed>) {
    let life: &[u8] = &[
        0, 0, 2, 255, 3, 0, 0, 1, 1, 0, 3, 0, 2, 3, 5, 20, 7, 200, 6, 9, 2, 6, 8, 3, 1, 0, 11, 3, 10, 9, 14, 1, 0, 0,
        1, 0, 3, 0, 3, 1, 12, 0, 13, 0, 10, 60, 10, 60, 15, 0, 0, 0, 1, 0, 16, 1, 15, 0, 0, 0, 1, 0, 3, 0, 4, 4, 1, 0,
        3, 0, 0, 0, 17, 255, 1, 0,
    ];
    for (number, version) in (0_u8..).zip(Version::ALL) {
        let kinds: [(&str, [u8; 4]); 4] = [
            ("known", [number, 0, 0, 255]),
            ("auto-device22", [number | 8, 8, 0, 255]),
            ("small", [number, 2, 0b10_0101, 255]),
            ("other", [number, 4 | (4 - number) << 5, 0, 14]),
        ];
        for (what, head) in kinds {
            seeds.push(seed("device_ops", &format!("{version}-{what}"), [&head[..], life].concat()));
        }
    }
}
