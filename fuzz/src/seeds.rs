//! The seeds of the corpora, made from the golden vectors.

use std::collections::BTreeSet;

use rustuya_vectors::{Encoding, Transport, tinytuya};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Name of the target and of its corpus folder.
    pub name: &'static str,
    /// The function behind it.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "announcement", run: crate::announcement },
    Target { name: "frame", run: crate::frame },
    Target { name: "json", run: crate::json },
];

/// One input that a corpus starts from.
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

/// The seeds of every target.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    frames(&mut seeds);
    datagrams(&mut seeds);
    texts(&mut seeds);
    seeds
}

fn seed(target: &'static str, vector: &str, bytes: Vec<u8>) -> Seed {
    Seed { target, name: vector.replace('/', "-"), bytes }
}

/// One frame for each version, sender, command and kind of body.
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

/// Every datagram.
fn datagrams(seeds: &mut Vec<Seed>) {
    for vector in tinytuya().iter().filter(|v| v.transport == Transport::Udp) {
        seeds.push(seed("announcement", &vector.name, vector.frame()));
    }
}

/// Every different text of up to 400 bytes.
fn texts(seeds: &mut Vec<Seed>) {
    let mut known = BTreeSet::new();
    for vector in tinytuya().iter().filter(|v| v.payload_encoding == Encoding::Text) {
        let text = vector.payload.as_str();
        if !text.is_empty() && text.len() <= 400 && known.insert(text) {
            seeds.push(seed("json", &vector.name, text.as_bytes().to_vec()));
        }
    }
}
